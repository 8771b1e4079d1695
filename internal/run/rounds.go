package run

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/sampler"
)

// RoundsFolder holds, within a run directory, what processes need that make the shards of a round of the adaptation
// together: a file for each that helps, and the folder of the round. That has the state in which the
// round begins (roundState), by whose digest it is named, and of each shard a file of who makes it and one of what
// it has come to. Shards are a function of that state: one that is made twice is the same, and what a
// late process brings is right or finds no folder. So nothing depends on who makes a shard, and claims
// only spare work. Nothing here is forced to disk: what is lost is made again.
const RoundsFolder = "rounds"

const (
	helperPrefix = "helper-"
	stateFile    = "state"
	claimSuffix  = ".claim"
)

// HelperFolder is the folder of a process that helps, from 0 on, with the run in a folder.
func HelperFolder(run string, index int) string {
	return filepath.Join(run, ShardsFolder, fmt.Sprintf("%s%02d", helperPrefix, index+1))
}

const (
	// lateAfter is how long after a process has made what there was to make of a round, in units of what it took, a
	// shard that another process has begun counts as lost, and lateLeast the least of that.
	lateAfter = 2
	lateLeast = time.Second
	// A process looks again for news after lookShare of the time that it has waited, within these bounds.
	lookShare = 0.05
	lookLeast = time.Millisecond
	lookMost  = 250 * time.Millisecond
)

// rounds are the folder in which processes make rounds together, in the hands of one of them.
type rounds struct {
	fs   disk.FS
	path string
	by   string // who this is, as part of a file's name
}

func (j *job) rounds(run, by string) rounds {
	return rounds{j.fs, filepath.Join(run, RoundsFolder), by}
}

// put writes a file, whole or not at all.
func (r rounds) put(path string, data []byte) error {
	temporary := filepath.Join(filepath.Dir(path), disk.Partial+r.by+"-"+filepath.Base(path))
	if err := r.fs.RemoveAll(temporary); err != nil {
		return err
	}
	f, err := r.fs.Create(temporary)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = r.fs.Rename(temporary, path)
	}
	if err != nil {
		r.fs.RemoveAll(temporary)
	}
	return err
}

// files are the names of the files of a round. A listing is what shared folders keep up to date.
func (r rounds) files(round string) map[string]bool {
	entries, _ := os.ReadDir(filepath.Join(r.path, round)) // there are none if the round has ended
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}

// take claims a shard that nobody makes yet, of so many, looking from one on; false if there is none.
func (r rounds) take(round string, of, from int) (shard int, ok bool) {
	claimed := r.files(round)
	for n := range of {
		shard = (from + n) % of
		name := shardFile(shard) + claimSuffix
		if claimed[name] {
			continue
		}
		f, err := r.fs.Create(filepath.Join(r.path, round, name))
		switch {
		case err == nil:
			f.Close()
			return shard, true
		case !errors.Is(err, fs.ErrExist):
			return 0, false
		}
	}
	return 0, false
}

// shardFile is the name of what a shard has come to.
func shardFile(shard int) string { return fmt.Sprintf("%02d", shard+1) }

// look returns the latest round, empty for none, and whether anybody helps; there is false without the folder.
func (r rounds) look() (round string, helped, there bool, err error) {
	entries, err := os.ReadDir(r.path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return "", false, false, err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, helperPrefix):
			helped = true
		case e.IsDir() && !strings.HasPrefix(name, disk.Partial):
			round = max(round, name)
		}
	}
	return round, helped, true, nil
}

// publish makes the folder of the round that begins in a state, instead of that of the one before.
func (r rounds) publish(s *roundState) (round string, state []byte, err error) {
	if state, err = checkpoint.Encode(s); err != nil {
		return "", nil, err
	}
	round = fmt.Sprintf("%012d-%x", s.Walkers.Passes, sha256.Sum256(state))
	entries, err := os.ReadDir(r.path)
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		if e.IsDir() && e.Name() != round {
			if err := r.fs.RemoveAll(filepath.Join(r.path, e.Name())); err != nil {
				return "", nil, err
			}
		}
	}
	if err := r.fs.MkdirAll(filepath.Join(r.path, round)); err != nil {
		return "", nil, err
	}
	return round, state, r.put(filepath.Join(r.path, round, stateFile), state)
}

// brought is what another process has made of a shard, nil if there is nothing that can be used.
func (r rounds) brought(round string, shard int) *sampler.ShardRound {
	data, err := r.fs.ReadFile(filepath.Join(r.path, round, shardFile(shard)))
	if err != nil {
		return nil
	}
	s := &sampler.ShardRound{}
	if checkpoint.Decode(data, s) != nil {
		return nil
	}
	return s
}

// wait waits a moment, longer the longer it has been waited since a time.
func wait(ctx context.Context, since time.Time) {
	select {
	case <-ctx.Done():
	case <-time.After(min(lookMost, max(lookLeast, time.Duration(lookShare*float64(time.Since(since)))))):
	}
}

// shares reports whether other processes may make shards of the adaptation.
func (w *walkers) shares() bool {
	return w.j.o.Divide && w.j.c.Run.Round > 0 && w.j.at.Stage == adapting
}

// helpers is how many other processes may take part in the present phase.
func (j *job) helpers() int {
	if w, ok := j.process.(*walkers); ok && w.shares() {
		return j.c.Run.Shards - 1
	}
	return 0
}

// shareRound makes the round that begins now together with those who help. It reports false if none
// begins or nobody helps. A round that the end of the run interrupts is not made.
func (j *job) shareRound(ctx context.Context) (done bool, err error) {
	w, ok := j.process.(*walkers)
	if !ok || !w.shares() || w.RoundBegins() == 0 {
		return false, nil
	}
	r := j.rounds(j.folder, "run")
	if err = r.fs.MkdirAll(r.path); err == nil {
		var helped bool
		if _, helped, _, err = r.look(); err == nil && !helped {
			return false, nil
		}
	}
	begins, times := &roundState{Walkers: w.Snapshot(), Weights: w.network.learned()}, w.Progress().Times
	begins.Walkers.Times = sampler.Times{} // by which the same state would have another digest
	var round string
	var state []byte
	if err == nil {
		round, state, err = r.publish(begins)
	}
	if err != nil {
		j.log.Warn("the shards of a round cannot be made by others", "reason", err)
		return false, nil
	}
	all, err := w.round(ctx, r, round)
	if err != nil {
		return true, err
	}
	if all == nil { // it is given up
		before := &roundState{}
		if err := checkpoint.Decode(state, before); err != nil {
			return true, err
		}
		before.Walkers.Times = times
		return true, w.Restore(before.Walkers)
	}
	made := w.RoundBegins()
	if err := w.EndRound(all); err != nil {
		return true, err
	}
	j.at.Pass += made
	j.at.Made += made
	return true, nil
}

// round makes shards that nobody makes, waits for the others, and makes those of them that are late.
// It returns nil if the run has to end.
func (w *walkers) round(ctx context.Context, r rounds, round string) (all []*sampler.ShardRound, err error) {
	all = make([]*sampler.ShardRound, w.j.c.Run.Shards)
	began := time.Now()
	for k, ok := r.take(round, len(all), 0); ok; k, ok = r.take(round, len(all), 0) {
		if all[k], err = w.ShardRound(ctx, k, w.j.stops); all[k] == nil {
			return nil, err
		}
	}
	idle := time.Now()
	late := idle.Add(max(lateLeast, lateAfter*idle.Sub(began)))
	for {
		missing, there := -1, r.files(round)
		for k := range all {
			if all[k] == nil && there[shardFile(k)] {
				all[k] = r.brought(round, k)
			}
			if all[k] == nil && missing < 0 {
				missing = k
			}
		}
		switch {
		case missing < 0:
			return all, nil
		case w.j.stops():
			return nil, nil
		case time.Now().After(late):
			w.j.log.Warn("a process that helps is late; its shard of the round is made here", "shard", missing+1, "round", round)
			if all[missing], err = w.ShardRound(ctx, missing, w.j.stops); all[missing] == nil {
				return nil, err
			}
		default:
			wait(ctx, idle)
		}
	}
}

// closeRounds tells those who help that they are not needed any more.
func (j *job) closeRounds() {
	if j.c.Run.Round == 0 || j.shard != nil {
		return
	}
	if err := j.fs.RemoveAll(filepath.Join(j.folder, RoundsFolder)); err != nil {
		j.log.Warn("what the processes needed that made rounds together is left", "reason", err)
	}
}

// Help makes shards of the rounds of the adaptation of the run in o.Folder until that is over, beside the
// process of the run, which has Divide, and others, each with an index of its own from 0 on. It changes no
// result. Like Run it ends in order when ctx is cancelled: then interrupted says why. Options are as for Shard.
func Help(ctx context.Context, o Options, index int) (interrupted, err error) {
	j, err := newJob(o)
	if err != nil {
		return nil, err
	}
	fail := func(err error) error { return fmt.Errorf("help with %s: %w", o.Folder, err) }
	n, err := j.networkOfHelper(ctx)
	for range 3 { // the run may remove a checkpoint, or the network that it names, while they are being looked for
		if err != nil {
			n, err = j.networkOfHelper(ctx)
		}
	}
	if err != nil {
		return nil, fail(err)
	}
	if n != nil {
		defer func() { err = errors.Join(err, n.close()) }()
	}
	w := j.newWalkers(n, j.workers())
	w.options.Events = sampler.Events{}
	if err := w.openEngine(); err != nil {
		return nil, fail(err)
	}
	j.shard, j.process, j.counts, j.swaps.j = &sampler.Shard{Index: index, Of: j.c.Run.Shards}, w, w, j
	j.at.Stage = adapting
	r := j.rounds(o.Folder, fmt.Sprintf("%s%02d", helperPrefix, index+1))
	j.listener.RunBegan(event.RunBegan{
		Folder: HelperFolder(o.Folder, index), Version: o.Version, Method: j.c.Run.Method, System: j.system.String(), Lattice: j.system,
		Seed: j.c.Run.Seed, Walkers: w.Walkers(), Resumed: true, Levels: levels(j.system),
	})
	if err = w.help(ctx, r); err == nil && ctx.Err() != nil {
		interrupted = context.Cause(ctx)
	}
	e := event.RunEnded{Converged: err == nil, Err: err, Seconds: j.elapsed().Seconds()}
	if interrupted != nil {
		e.Interrupted = interrupted.Error()
	}
	j.listener.RunEnded(e)
	return interrupted, err
}

// help makes shards until the folder of the rounds is gone that once was there, or ctx is cancelled.
func (w *walkers) help(ctx context.Context, r rounds) error {
	stop := func() bool { return ctx.Err() != nil }
	mark := filepath.Join(r.path, r.by)
	defer r.fs.RemoveAll(mark)
	var taught pupil
	last, since := "", time.Now()
	for were := false; !stop(); wait(ctx, since) {
		round, _, there, err := r.look()
		switch {
		case err != nil:
			return err
		case !there && were:
			return nil
		case !there:
			continue
		}
		if !were {
			if err := r.put(mark, nil); errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return err
			}
			were = true
		}
		if round == "" || round == last {
			continue
		}
		// Whatever is missing here, the run has ended the round meanwhile.
		data, err := r.fs.ReadFile(filepath.Join(r.path, round, stateFile))
		if err != nil {
			continue
		}
		state := &roundState{}
		if err := checkpoint.Decode(data, state); err != nil || state.Walkers == nil {
			continue
		}
		// What the walkers know of the network is bound to its weights.
		if err := taught.take(w.network, state.Weights); err != nil {
			return fmt.Errorf("round %s: %w", round, err)
		}
		if err := w.Restore(state.Walkers); err != nil {
			return fmt.Errorf("round %s: %w", round, err)
		}
		made := false
		of := w.j.shard.Of
		for !stop() {
			k, ok := r.take(round, of, (w.j.shard.Index+1)%of)
			if !ok {
				break
			}
			s, err := w.ShardRound(context.WithoutCancel(ctx), k, stop)
			if err != nil {
				return fmt.Errorf("round %s: %w", round, err)
			}
			if s == nil {
				return nil
			}
			made = true
			if data, err = checkpoint.Encode(s); err != nil {
				return err
			}
			if err := r.put(filepath.Join(r.path, round, shardFile(k)), data); errors.Is(err, fs.ErrNotExist) {
				break
			} else if err != nil {
				return fmt.Errorf("round %s: %w", round, err)
			}
		}
		last, since = round, time.Now()
		if made {
			w.j.at.Made += int64(w.j.c.Run.Round)
			w.j.observe(w.Engine.Progress(), w.AdaptationProgress(w.j.c.FinalWeights()))
		}
	}
	return nil
}
