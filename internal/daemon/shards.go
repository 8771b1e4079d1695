package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/setup"
	"neuralwl/sampler"
)

// shardWait is how long the deletion of a run waits for its shards to end.
const shardWait = 30 * time.Second

// tend sees to the jobs that make the shards of divided runs, or help with an adaptation: it submits them, has them follow what
// becomes of their run, and forgets them when it has ended. Whatever it was interrupted in, it does
// when it is called again. It returns the runs that must not go on yet, as a shard of theirs could not be seen
// to, with the reason.
func (d *Daemon) tend(ctx context.Context) (held map[string]string) {
	runs, shards := map[string]*queue.Record{}, map[string]*queue.Record{}
	for _, r := range d.mirror.records() {
		if d.spec(r).Shard != nil {
			shards[r.ID] = r
		} else if r.Parts > 0 || d.helpers(r) > 0 {
			runs[r.ID] = r
		}
	}
	held = map[string]string{}
	for id, r := range shards {
		if of := d.spec(r).Shard; !d.needs(runs[of.Of], of) {
			if err := d.dismiss(ctx, r); err != nil && ctx.Err() == nil {
				d.log.Warn("a shard that is no longer needed cannot be ended; it is tried again", "shard", id, "reason", err)
			}
			delete(shards, id)
		}
	}
	for _, r := range runs {
		for k := range r.Parts {
			var err error
			switch s := shards[job.ShardID(r.ID, k)]; r.State {
			case job.Submitted:
				err = d.goOn(ctx, r, s, part(r, k))
			case job.Paused:
				err = d.hold(ctx, s)
			}
			if err != nil {
				held[r.ID] = fmt.Sprintf("its shard %d: %v", k+1, err)
			}
		}
		if why := held[r.ID]; why != "" && ctx.Err() == nil {
			d.log.Warn("a run in shards cannot go on; it is tried again", "run", r.ID, "reason", why)
		}
		for k := range d.helpers(r) {
			helper := part(r, k)
			helper.Helps = true
			if err := d.assist(ctx, r, shards[helper.ID()], helper); err != nil && ctx.Err() == nil {
				d.log.Warn("a run has less help than it could; it is tried again", "run", r.ID, "reason", err)
			}
		}
		d.progressOf(ctx, r)
	}
	return held
}

// needs reports whether a run, nil for none that is divided, still needs a shard or a helper.
func (d *Daemon) needs(r *queue.Record, s *job.Shard) bool {
	if r == nil || r.State.Final() || !r.Created.Equal(s.Created) {
		return false
	}
	if s.Helps {
		return s.Index < d.helpers(r)
	}
	return s.Index < r.Parts
}

// helpers is how many jobs may help with a run as it is now. Those of one that waits for a worker would
// keep its place.
func (d *Daemon) helpers(r *queue.Record) int {
	if r.State != job.Running || r.Class == "" {
		return 0
	}
	return d.mirror.helpers(r.ID)
}

// part is a shard of a run, or the part of a helper.
func part(r *queue.Record, index int) *job.Shard {
	return &job.Shard{Of: r.ID, Created: r.Created, Index: index, Submission: r.Submission}
}

// assist makes a job help with a run; s is the record of that job, or nil. A job that ended while its run stood still
// starts again.
func (d *Daemon) assist(ctx context.Context, r, s *queue.Record, helper *job.Shard) error {
	if s != nil && s.State == job.Cancelled {
		if err := d.queue.Delete(ctx, s.ID); err != nil {
			return unlessChanged(err)
		}
		d.mirror.drop(s.ID)
		s = nil
	}
	return d.goOn(ctx, r, s, helper)
}

// dismiss ends a shard that is no longer needed, and forgets it once it has ended.
func (d *Daemon) dismiss(ctx context.Context, r *queue.Record) error {
	s := d.spec(r).Shard
	now, err := d.queue.Get(ctx, s.Of) // the mirror may be late
	if err == nil && d.needs(now, s) {
		return nil
	} else if err != nil && !errors.Is(err, queue.ErrNone) {
		return err
	}
	if !r.State.Final() {
		var w job.Wish
		if w, err = d.queue.Wanted(ctx, r.ID); err == nil && w != job.Cancel {
			err = d.queue.Want(ctx, r.ID, job.Cancel)
		}
	} else if err = d.queue.Delete(ctx, r.ID); err == nil {
		d.mirror.drop(r.ID)
	}
	return unlessChanged(err)
}

// unlessChanged is an error unless it says that a shard has ended or was forgotten meanwhile.
func unlessChanged(err error) error {
	if errors.Is(err, queue.ErrNone) || errors.Is(err, job.ErrImpossible) {
		return nil
	}
	return err
}

// goOn submits a part of a run, s being its record or nil, or submits it again after a pause or a
// failure before which the run was submitted again. Until it has ended it has the priority of the run, and no more memory.
func (d *Daemon) goOn(ctx context.Context, r, s *queue.Record, of *job.Shard) error {
	if s == nil {
		spec, err := d.shardSpec(r, of)
		if err != nil {
			return err
		}
		s, err := d.queue.SubmitFor(ctx, of.ID(), r.Class, spec)
		if s == nil {
			return err
		}
		d.mirror.put(s.ID, s)
		return nil // one that is not in the queue yet comes there
	}
	if !s.State.Final() && d.mirror.wanted(s.ID) != job.Run {
		return d.queue.Want(ctx, s.ID, job.Run)
	}
	if whole, own := d.spec(r), d.spec(s); !s.State.Final() && (own.Priority != whole.Priority || own.Memory > whole.Memory) {
		var err error
		if s, err = d.queue.Edit(ctx, s.ID, func(json.RawMessage) (json.RawMessage, error) {
			own.Priority, own.Memory = whole.Priority, min(own.Memory, whole.Memory)
			return json.Marshal(own.Spec)
		}); err != nil {
			return unlessChanged(err)
		}
		d.mirror.put(s.ID, s)
	}
	again := s.State == job.Paused || s.State == job.Failed || s.State == job.Cancelled
	if !again || d.spec(s).Shard.Submission >= r.Submission {
		return nil
	}
	spec, err := d.shardSpec(r, of)
	if err != nil {
		return err
	}
	if s, err = d.queue.Again(ctx, s.ID, spec); err == nil {
		d.mirror.put(s.ID, s)
	}
	return err
}

// anyMachine lets a run go on in whatever class of machines takes it next, and so its shards that are not running.
func (d *Daemon) anyMachine(ctx context.Context, r *queue.Record) error {
	for k := range r.Parts {
		id := job.ShardID(r.ID, k)
		s, err := d.queue.Get(ctx, id)
		switch {
		case errors.Is(err, queue.ErrNone) || err == nil && d.spec(s).Shard == nil:
			continue
		case err == nil && s.State == job.Running && r.State == job.Submitted:
			continue // it has a machine
		case err == nil && s.State == job.Running:
			return fmt.Errorf("%s: another class of machines is %w yet: its shard %d is still ending; try again in a moment", r.ID, job.ErrImpossible, k+1)
		case err == nil:
			err = d.queue.AnyMachine(ctx, id)
		}
		if err = unlessChanged(err); err != nil {
			return err
		}
	}
	return d.queue.AnyMachine(ctx, r.ID)
}

// hold pauses a shard, nil for none, until its run goes on.
func (d *Daemon) hold(ctx context.Context, s *queue.Record) error {
	if s == nil || s.State.Final() || s.State == job.Paused || d.mirror.wanted(s.ID) == job.Pause {
		return nil
	}
	return d.queue.Want(ctx, s.ID, job.Pause)
}

// shardSpec is what a part of a run is to do.
func (d *Daemon) shardSpec(r *queue.Record, shard *job.Shard) (json.RawMessage, error) {
	of := d.spec(r)
	s := job.Spec{
		Config: of.Config, Changes: of.Changes, Work: job.WorkShard, Title: of.Title, By: of.By, Priority: of.Priority, Memory: of.Memory, GPU: of.GPU,
		Shard: shard,
	}
	if c, err := config.Compose([]byte(of.Config), of.Changes); err == nil && !shard.Helps { // who helps has all walkers
		columns := c.Run.Walkers / max(1, c.Windows.Count)
		c.Run.Walkers = (columns/r.Parts + 1) * max(1, c.Windows.Count)
		if memory, err := setup.Memory(c, d.o.Cores); err == nil {
			s.Memory = min(memory, of.Memory)
		}
	}
	return json.Marshal(s)
}

// shard is the record of a shard of a run, nil if there is none.
func (d *Daemon) shard(r *queue.Record, index int) *queue.Record {
	if s := d.mirror.record(job.ShardID(r.ID, index)); s != nil && d.spec(s).Shard != nil {
		return s
	}
	return nil // or another run has the name
}

// following puts into a run's dependencies the shards that it waits for.
func (d *Daemon) following(r *queue.Record, after []job.Dependency) []job.Dependency {
	all := append([]job.Dependency(nil), after...)
	for k := range r.Parts {
		if s := d.shard(r, k); s != nil {
			all = append(all, job.Dependency{ID: s.ID, Created: s.Created})
		}
	}
	return all
}

// pending says what a divided run waits for.
func (d *Daemon) pending(r *queue.Record) string {
	count := map[job.State]int{}
	for k := range r.Parts {
		if s := d.shard(r, k); s != nil {
			count[s.State]++
		}
	}
	done := 0.0
	if p := d.mirror.progress(r.ID); p != nil && p.Phase == string(sampler.Production) {
		done = p.Done
	}
	return fmt.Sprintf("its shards, %.0f%% (%d of %d are done, %d running)", 100*done, count[job.Done], r.Parts, count[job.Running])
}

// failure says why a divided run cannot go on, of which a shard failed; empty if none did.
func (d *Daemon) failure(r *queue.Record) string {
	for k := range r.Parts {
		if s := d.shard(r, k); s != nil && s.State.Final() && s.State != job.Done {
			return fmt.Sprintf("its shard %d is %s: %s; resume the run to try again", k+1, s.State, s.Reason)
		}
	}
	return ""
}

const (
	// burnInShare is what the burn-in of a shard counts of its progress, in units of production.
	burnInShare = 0.05
	// leastStep is the least progress of a divided run that is told.
	leastStep = 1e-3
)

// progressOf tells, as the run's own passes do, how far the shards of a run are together.
func (d *Daemon) progressOf(ctx context.Context, r *queue.Record) {
	if r.State != job.Submitted {
		return
	}
	all := child.PassData{Phase: string(sampler.Production), Passes: math.MaxInt64}
	done := 0.0
	for k := range r.Parts {
		id := job.ShardID(r.ID, k)
		p, s := d.mirror.progress(id), d.shard(r, k)
		switch {
		case s != nil && s.State == job.Done:
			done++
		case p == nil:
			all.Passes = 0
			continue
		case p.Phase == string(sampler.Production):
			done += (burnInShare + p.Done) / (1 + burnInShare)
		default:
			done += burnInShare * p.Done / (1 + burnInShare)
		}
		if p == nil {
			continue
		}
		all.Passes, all.Levels, all.RoundTrips, all.Left = min(all.Passes, p.Passes), max(all.Levels, p.Levels), all.RoundTrips+p.RoundTrips, max(all.Left, p.Left)
		all.Acceptance += p.Acceptance / float64(r.Parts)
	}
	if all.Done = done / float64(r.Parts); all.Passes == math.MaxInt64 {
		all.Passes = 0
	}
	if before := d.mirror.progress(r.ID); before != nil && before.Phase == all.Phase && math.Abs(before.Done-all.Done) < leastStep {
		return
	}
	if err := d.queue.Emit(ctx, r.ID, string(child.Pass), all); err != nil {
		d.log.Warn("the progress of a run in shards is not among the events", "run", r.ID, "reason", err)
	}
}

// endShards ends the shards of a run that is to be deleted, which work in its directory.
func (d *Daemon) endShards(ctx context.Context, r *queue.Record) error {
	for until := time.Now().Add(shardWait); ; time.Sleep(50 * time.Millisecond) {
		left := 0
		for _, id := range d.parts(r) {
			s, err := d.queue.Get(ctx, id)
			if errors.Is(err, queue.ErrNone) {
				continue
			} else if err != nil {
				return err
			}
			if d.spec(s).Shard == nil {
				continue // another run that has the name
			}
			if !s.State.Final() {
				left++
				if err := unlessChanged(d.queue.Want(ctx, s.ID, job.Cancel)); err != nil {
					return err
				}
				continue
			}
			if err := unlessChanged(d.queue.Delete(ctx, s.ID)); err != nil {
				return err
			}
			d.mirror.drop(s.ID)
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(until) || ctx.Err() != nil {
			return fmt.Errorf("delete %s: %w yet: %d of its shards are still ending; try again in a moment", r.ID, job.ErrImpossible, left)
		}
	}
}

// parts are the names of the jobs that make the shards of a run or help with it.
func (d *Daemon) parts(r *queue.Record) (ids []string) {
	for k := range r.Parts {
		ids = append(ids, job.ShardID(r.ID, k))
	}
	for _, s := range d.mirror.records() {
		if of := d.spec(s).Shard; of != nil && of.Helps && of.Of == r.ID {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// ownedBy returns an error if a run is a shard, which users change by what they wish of the whole.
func (d *Daemon) ownedBy(r *queue.Record) error {
	if s := d.spec(r).Shard; s != nil {
		return invalid{fmt.Errorf("%s is a shard of %s and follows it; change that one", r.ID, s.Of)}
	}
	return nil
}
