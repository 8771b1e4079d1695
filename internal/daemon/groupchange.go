package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/parallel"
	"neuralwl/internal/queue"
)

// ErrNoGroup is the error of a name that no group has.
var ErrNoGroup = fmt.Errorf("there is no group of this name: %w", queue.ErrNone)

func (d *Daemon) findGroup(name string) (*group, error) {
	if g := d.groups.find(name); g != nil {
		return g, nil
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNoGroup)
}

// take locks a group's working for a change of its members, unless by then it is gone or to go.
func (d *Daemon) take(g *group) error {
	g.working.Lock()
	f := g.about()
	var err error
	switch {
	case d.groups.find(f.Name) != g:
		err = fmt.Errorf("%s: %w", f.Name, ErrNoGroup)
	case f.Deleting:
		err = fmt.Errorf("%s: %w, it is being deleted; wait until it is gone, or delete it again", f.Name, job.ErrImpossible)
	}
	if err != nil {
		g.working.Unlock()
	}
	return err
}

// concerns reports whether a change of a group is about a member with a record.
func concerns(c api.GroupChange, r *queue.Record) bool {
	unconverged := r.State == job.Done && r.Outcome != nil && !r.Outcome.Converged
	switch {
	case c.Only == "failed":
		return r.State == job.Failed
	case c.Only == "unconverged":
		return unconverged
	case c.Wish == job.Run:
		return !r.State.Final() || r.State == job.Cancelled
	case c.Wish == job.Pause:
		return !r.State.Final() && r.State != job.Paused
	}
	return !r.State.Final()
}

// ChangeGroup changes what is wanted of the members of a group that a change is about. Whatever cuts it short,
// it can be asked for again.
func (d *Daemon) ChangeGroup(ctx context.Context, name string, c api.GroupChange) (*api.Group, error) {
	g, err := d.findGroup(name)
	if err != nil {
		return nil, err
	}
	if c.Wish != job.Run && (c.Only != "" || len(c.Set) > 0) {
		return nil, invalid{errors.New("only, set: they go with the wish run")}
	}
	if err := d.take(g); err != nil {
		return nil, err
	}
	defer g.working.Unlock()
	var waiting, others []string
	for _, id := range g.ids {
		r := d.mirror.record(id)
		switch {
		case r == nil || !concerns(c, r):
		case r.State == job.Submitted || r.State == job.Queued:
			waiting = append(waiting, id)
		default:
			others = append(others, id)
		}
	}
	if len(waiting)+len(others) == 0 && c.Only != "" {
		return nil, fmt.Errorf("%s has no member that %s: %w", name, map[string]string{"failed": "failed", "unconverged": "ended without being converged"}[c.Only], job.ErrImpossible)
	}
	// Those that wait first, or they would begin as soon as others end.
	for _, ids := range [][]string{waiting, others} {
		if err := parallel.Each(ctx, atOnce, len(ids), func(i int) error {
			change := api.RunChange{Wish: c.Wish}
			if r := d.mirror.record(ids[i]); r != nil && (r.State == job.Paused || r.State.Final()) {
				change.Set = c.Set
			}
			_, err := d.Change(ctx, ids[i], change)
			if errors.Is(err, job.ErrImpossible) || errors.Is(err, queue.ErrNone) {
				return nil // it ended meanwhile, or is gone
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	d.groups.ring()
	return d.describeGroup(g), nil
}

// DeleteGroup forgets a group with all of its members, of which none may be running. It goes on though whoever
// asked is gone, and after the end of the daemon when that starts again. If a member cannot be deleted, the group
// stays with those that are left.
func (d *Daemon) DeleteGroup(name string) error { return d.deleteGroup(d.living, name) }

// deleteGroup is DeleteGroup until ctx ends, after which the group is still to go.
func (d *Daemon) deleteGroup(ctx context.Context, name string) error {
	g, err := d.findGroup(name)
	if err != nil {
		return err
	}
	g.working.Lock()
	defer g.working.Unlock()
	if d.groups.find(name) != g {
		return fmt.Errorf("%s: %w", name, ErrNoGroup)
	}
	err = d.noneRuns(g)
	if err == nil {
		err = d.deleting(g, true)
	}
	if err == nil {
		g.awaitCollection()
		err = d.deleteMembers(ctx, g)
	}
	hidden := filepath.Join(d.groupsFolder(), hiddenPrefix+name)
	if err == nil {
		err = os.RemoveAll(hidden)
	}
	if err == nil {
		// Under a name by which it is not taken for a group if the daemon is killed in between.
		err = os.Rename(d.GroupFolder(name), hidden)
	}
	if err != nil {
		err = fmt.Errorf("delete %s: %w", name, err)
		if g.about().Deleting && ctx.Err() == nil {
			err = errors.Join(err, d.deleting(g, false))
		}
		return err
	}
	d.groups.forget(name)
	d.feed.deleted(name)
	return os.RemoveAll(hidden)
}

// deleting puts on record that a group is to go, or is not.
func (d *Daemon) deleting(g *group, yes bool) error {
	g.mutex.Lock()
	g.file.Deleting, g.dirty = yes, true
	g.mutex.Unlock()
	d.groups.ring()
	return d.writeGroup(g.about())
}

// awaitCollection returns when nobody writes into the folder of a group that is to go any more.
func (g *group) awaitCollection() {
	g.collecting.Lock()
	defer g.collecting.Unlock()
}

// noneRuns returns an error if members of a group are running.
func (d *Daemon) noneRuns(g *group) error {
	running := 0
	for _, id := range g.ids {
		if r := d.mirror.record(id); r != nil && r.State == job.Running {
			running++
		}
	}
	if running > 0 {
		return fmt.Errorf("%w while %d of its members are running; pause or cancel it first", job.ErrImpossible, running)
	}
	return nil
}

// deleteMembers deletes the members of a group, until one cannot be.
func (d *Daemon) deleteMembers(ctx context.Context, g *group) error {
	return parallel.Each(ctx, atOnce, len(g.ids), func(i int) error {
		if d.mirror.record(g.ids[i]) == nil {
			return nil
		}
		if err := d.Delete(ctx, g.ids[i]); err != nil && !errors.Is(err, queue.ErrNone) {
			return err
		}
		return nil
	})
}
