package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/sampler"
)

// ShardsFolder holds, within a run directory, a folder for each shard whose production other
// processes make, until the run takes it over.
const ShardsFolder = "shards"

// ShardFolder is the folder of a shard, from 0 on, of the run in a folder.
func ShardFolder(run string, index int) string {
	return filepath.Join(run, ShardsFolder, fmt.Sprintf("%02d", index+1))
}

// ErrTogether is the error of a shard that is no longer needed: the run has taken it over.
var ErrTogether = errors.New("the run has put its shards together and is not divided any more")

// Shard makes a shard, from 0 on, of the production of the run in o.Folder that ended with
// ErrDivided, or goes on with it. It reads the run directory and writes to the shard's folder, each of
// which one process may work in at a time. Like Run it ends in order when ctx is cancelled: then
// interrupted says why. It ends with ErrTogether if the run has its shards already. o.Config is that of the run, with what a resumed run may change. o.Resume, Divide and Swaps mean nothing.
func Shard(ctx context.Context, o Options, index int) (interrupted, err error) {
	j, err := newJob(o)
	if err != nil {
		return nil, err
	}
	j.shard = &sampler.Shard{Index: index, Of: o.Config.Run.Shards}
	if index < 0 || index >= j.shard.Of {
		return nil, fmt.Errorf("%s: there is no shard %d, run.shards is %d", o.Folder, index+1, j.shard.Of)
	}
	whole, path, _, err := j.lastCheckpoint()
	if err != nil {
		return nil, fmt.Errorf("shard %d of %s: %w", index+1, o.Folder, err)
	}
	before, err := j.configBefore(whole)
	if err != nil {
		return nil, err
	}
	if faults := refused(config.Changes(before, j.c)); len(faults) > 0 {
		return nil, fmt.Errorf("shard %d of %s: %w", index+1, o.Folder, errors.Join(faults...))
	}
	if whole.Place.Stage.produces() {
		return nil, fmt.Errorf("%s: %w", path, ErrTogether)
	}
	if whole.Place.Stage != dividing {
		return nil, fmt.Errorf("%s: the run is in the stage %s and not divided into shards", path, whole.Place.Stage)
	}
	var n *network
	if j.c.Run.Has(config.NeuralMoves) {
		if n, err = j.openNetwork(ctx, j.workers(), whole); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, n.close()) }()
	}
	j.folder = ShardFolder(o.Folder, index)
	j.checkpoints.folder.Path = filepath.Join(j.folder, CheckpointFolder)
	if err := j.fs.MkdirAll(j.folder); err != nil {
		return nil, fmt.Errorf("shard %d of %s: %w", index+1, o.Folder, err)
	}
	unlock, err := Claim{Epoch: o.Epoch, Wait: max(o.Wait, glance), Log: j.log}.Lock(j.folder)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	j.openJournal()
	defer func() {
		e := event.RunEnded{Converged: err == nil, Err: err, Seconds: j.elapsed().Seconds()}
		if interrupted != nil {
			e.Interrupted = interrupted.Error()
		}
		j.listener.RunEnded(e)
		j.journal.end(err)
	}()
	w := j.newWalkers(n, j.workers())
	j.process, j.counts, j.swaps.j = w, w, j
	a, err := w.openApart(*j.shard, whole)
	if err != nil {
		return nil, err
	}
	w.Engine, j.at, j.before = a.engine, a.at, a.elapsed
	j.listener.RunBegan(event.RunBegan{
		Folder: j.folder, Version: o.Version, Method: j.c.Run.Method, System: j.system.String(), Lattice: j.system,
		Seed: j.c.Run.Seed, Walkers: w.Walkers(), Resumed: a.begun, Levels: levels(j.system),
	})
	if err := j.checkpoint(); err != nil {
		return nil, err
	}
	if err := j.sample(ctx); err != nil {
		return nil, err
	}
	return j.course.Interrupted, nil
}

// handOver leaves production to shards, with all that they need on disk.
func (j *job) handOver() error {
	if j.network != nil {
		if err := j.network.finish(); err != nil {
			return fmt.Errorf("production cannot be divided: %w", err)
		}
	}
	if err := j.checkpoint(); err != nil {
		return fmt.Errorf("production cannot be divided: %w", err)
	}
	return ErrDivided
}

// apart is a shard on its own.
type apart struct {
	engine  *sampler.Engine
	at      place
	elapsed time.Duration // the time of the run at its checkpoint
	begun   bool          // it has a checkpoint
}

// openApart opens a shard where its own checkpoint has left it, or where that of the whole run says
// that the adaptation has ended.
func (w *walkers) openApart(s sampler.Shard, whole *saved) (*apart, error) {
	e, err := w.openShard(s)
	if err != nil {
		return nil, err
	}
	a := &apart{engine: e, at: whole.Place, elapsed: whole.Elapsed}
	own, path, err := checkpoint.Read[saved](w.j.shardCheckpoints(s.Index), func(path string, reason error) {
		w.j.log.Error("checkpoint cannot be used; falling back to the one before", "file", path, "reason", reason)
	})
	switch {
	case errors.Is(err, checkpoint.ErrNone):
		if err := e.TakeUp(whole.Engine); err != nil {
			return nil, err
		}
		e.SetHistogram(w.histogram(e))
		e.Produce()
		a.at.enter(burningIn)
	case err != nil:
		return nil, err
	case own.Engine == nil || !own.Place.Stage.produces():
		return nil, fmt.Errorf("%s: it is not of a shard in production", path)
	default:
		if err := e.Restore(own.Engine); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		a.at, a.elapsed, a.begun = own.Place, own.Elapsed, true
	}
	w.mix(e)
	return a, nil
}

// shardCheckpoints is the folder of a shard's checkpoints, seen from the shard or from the run.
func (j *job) shardCheckpoints(index int) checkpoint.Folder {
	return checkpoint.Folder{FS: j.fs, Path: filepath.Join(ShardFolder(j.o.Folder, index), CheckpointFolder)}
}

// rank is how far a shard has come, whose burn-in has so many passes: by now fewer than it has made, perhaps, if
// production.passes was lowered since.
func (a *apart) rank(burnIn int64) int64 {
	if a.at.Stage == burningIn {
		return min(a.at.Pass, burnIn)
	}
	return burnIn + 1 + a.at.Pass
}

// unite goes on with shards that other processes have made as far as they came: each step is a pass
// of one that is behind, and the last one puts them together.
func (w *walkers) unite(ctx context.Context) error {
	j := w.j
	if w.apart == nil {
		if err := w.gather(); err != nil {
			return err
		}
	}
	first := burnInPasses(j.planned())
	last, most := w.apart[0], int64(0)
	for _, a := range w.apart {
		if a.rank(first) < last.rank(first) {
			last = a
		}
		most = max(most, a.rank(first))
	}
	// Burn-ins that have ended may have had different numbers of passes.
	if last.rank(first) < most || last.at.Stage == burningIn && most == first {
		return w.advance(ctx, last, first)
	}
	return w.together()
}

// gather opens all shards.
func (w *walkers) gather() error {
	whole := w.j.save()
	for k := range w.j.c.Run.Shards {
		s := sampler.Shard{Index: k, Of: w.j.c.Run.Shards}
		if worked(ShardFolder(w.j.folder, k)) {
			return fmt.Errorf("another process makes shard %d of %s; wait for it, or stop it", k+1, w.j.folder)
		}
		a, err := w.openApart(s, whole)
		if err != nil {
			return fmt.Errorf("shard %d: %w", k+1, err)
		}
		w.apart = append(w.apart, a)
	}
	return nil
}

// advance makes a pass of a shard, or begins its counts after a burn-in of so many passes.
func (w *walkers) advance(ctx context.Context, a *apart, first int64) error {
	if a.at.Stage == burningIn && a.at.Pass >= first {
		a.at.Updates += w.j.updatesOf(a.engine.Progress())
		a.engine.Produce()
		a.at.enter(producing)
		return nil
	}
	if a.at.Stage == producing {
		a.engine.Samples().Segment(float64(a.at.Pass) / float64(w.j.planned()))
	}
	if err := a.engine.Pass(ctx); err != nil {
		return err
	}
	a.at.Pass++
	a.at.Made++
	return nil
}

// together ends the stage: the shards go on as one production.
func (w *walkers) together() error {
	j := w.j
	for _, a := range w.apart {
		w.shards = append(w.shards, a.engine)
		if a.elapsed > j.elapsed() { // as long as the slowest one took, if they went on side by side
			j.before += a.elapsed - j.elapsed()
			j.at.Began = a.at.Began
		}
	}
	if _, err := w.shards.Samples(); err != nil {
		return err
	}
	before := j.at.Updates
	for _, a := range w.apart {
		j.at.Updates += a.at.Updates - before
	}
	j.at.Stage, j.at.Pass, j.at.Made = w.apart[0].at.Stage, w.apart[0].at.Pass, w.apart[0].at.Made
	w.apart = nil
	j.beginPhase(j.phase())
	if err := j.checkpoint(); err != nil {
		return nil // the shards' own checkpoints are kept
	}
	j.clearShards()
	return nil
}

// clearShards removes the folders of shards that a checkpoint of the run holds.
func (j *job) clearShards() {
	if err := j.fs.RemoveAll(filepath.Join(j.folder, ShardsFolder)); err != nil {
		j.log.Warn("checkpoints of shards that are no longer needed are left", "reason", err)
	}
}
