package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// ErrInvalid marks errors of what a user asked for, as opposed to faults of the daemon.
var ErrInvalid = errors.New("invalid")

// invalid is an error of the request; its text is that of the error within.
type invalid struct{ error }

func (i invalid) Is(target error) bool { return target == ErrInvalid }
func (i invalid) Unwrap() error        { return i.error }

// Submit records a run and puts it into the queue.
func (d *Daemon) Submit(ctx context.Context, s api.Submission, by string) (*api.Run, error) {
	c, err := config.Compose([]byte(s.Config), s.Set)
	if err != nil {
		return nil, invalid{err}
	}
	if s.ID != "" {
		if err := job.CheckID(s.ID); err != nil {
			return nil, invalid{fmt.Errorf("id: %w", err)}
		}
	}
	text, err := c.YAML()
	if err != nil {
		return nil, err
	}
	spec, err := json.Marshal(job.Spec{Config: string(text), Title: s.Title, Tags: s.Tags, Notes: s.Notes, By: by})
	if err != nil {
		return nil, err
	}
	id, err := d.claim(s.ID, c.System.Name())
	if err != nil {
		return nil, err
	}
	if err := d.keeper.first(id, spec); err != nil {
		// The name is free again.
		return nil, errors.Join(fmt.Errorf("run directory: %w", err), os.RemoveAll(d.Folder(id)))
	}
	r, err := d.queue.Submit(ctx, id, spec)
	if r == nil {
		if _, unknown := d.queue.Get(ctx, id); errors.Is(unknown, queue.ErrNone) {
			err = errors.Join(err, os.RemoveAll(d.Folder(id)))
		}
		return nil, err
	}
	if err != nil {
		d.log.Warn("a run is on record and not yet in the queue; it will be put there", "run", id, "reason", err)
	}
	d.mirror.put(id, r)
	return d.describe(r), nil
}

// claim makes the run directory of a new run; making it claims the name. Without one it is
// system-N with the least N that is free.
func (d *Daemon) claim(id, system string) (string, error) {
	for n := 1; ; n++ {
		name := id
		if id == "" {
			name = fmt.Sprintf("%s-%d", system, n)
		}
		err := os.Mkdir(d.Folder(name), 0o777)
		switch {
		case err == nil:
			return name, nil
		case !errors.Is(err, os.ErrExist):
			return "", fmt.Errorf("run directory: %w", err)
		case id != "":
			return "", fmt.Errorf("%s: %w", id, queue.ErrExists)
		}
	}
}

// Folder is the run directory of a run.
func (d *Daemon) Folder(id string) string { return filepath.Join(d.runsFolder(), id) }

// Get returns a run.
func (d *Daemon) Get(ctx context.Context, id string) (*api.Run, error) {
	r, err := d.queue.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	d.mirror.put(id, r)
	return d.describe(r), nil
}

// List returns the runs that a filter keeps, the newest first.
func (d *Daemon) List(keep func(*api.Run) bool) []api.Run {
	runs := []api.Run{}
	for _, r := range d.mirror.records() {
		if run := d.describe(r); keep(run) {
			runs = append(runs, *run)
		}
	}
	slices.SortFunc(runs, func(a, b api.Run) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
	})
	return runs
}

// Change changes what is wanted of a run, or what people read about it.
func (d *Daemon) Change(ctx context.Context, id string, c api.RunChange) (*api.Run, error) {
	r, err := d.queue.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	var spec job.Spec
	if err := json.Unmarshal(r.Spec, &spec); err != nil {
		return nil, fmt.Errorf("%s: its record is damaged: %w", id, err)
	}
	if len(c.Set) > 0 && c.Wish != job.Run {
		return nil, invalid{errors.New("set: settings can be changed when a run goes on, with the wish run")}
	}
	switch again := r.State == job.Paused || r.State.Final(); {
	case c.Wish == job.Run && again:
		if spec.Changes, err = changes(spec, c.Set); err != nil {
			return nil, err
		}
		text, err := json.Marshal(spec)
		if err != nil {
			return nil, err
		}
		if r, err = d.queue.Again(ctx, id, text); err != nil {
			return nil, err
		}
	case c.Wish != "":
		if len(c.Set) > 0 {
			return nil, invalid{fmt.Errorf("set: %s is %s; settings can be changed when it is paused or has ended", id, r.State)}
		}
		if err := d.queue.Want(ctx, id, c.Wish); err != nil {
			return nil, err
		}
		if r, err = d.queue.Get(ctx, id); err != nil {
			return nil, err
		}
	}
	d.mirror.put(id, r)
	if c.Wish != "" {
		d.mirror.want(id, c.Wish)
	}
	return d.describe(r), nil
}

// changes are the settings to change when a run goes on, checked against its configuration.
func changes(spec job.Spec, set []string) ([]string, error) {
	if _, err := config.Compose([]byte(spec.Config), set); err != nil {
		return nil, invalid{err}
	}
	return set, nil
}

// Delete forgets a run that is not running, with its directory.
func (d *Daemon) Delete(ctx context.Context, id string) error {
	r, err := d.queue.Get(ctx, id)
	if err == nil && (r.State == job.Submitted || r.State == job.Queued) {
		// No worker is to take it in between.
		if err = d.queue.Want(ctx, id, job.Cancel); err == nil {
			r, err = d.queue.Get(ctx, id)
		}
	}
	if err != nil {
		return err
	}
	if r.State != job.Paused && !r.State.Final() {
		return d.queue.Delete(ctx, id) // which refuses
	}
	// The directory first, under a name by which it is not taken for a run whose record was
	// lost if the daemon is killed in between.
	hidden := d.hidden(id)
	if err := os.RemoveAll(hidden); err != nil {
		return fmt.Errorf("delete %s: %w", id, err)
	}
	if err := d.keeper.hide(id, d.Folder(id), hidden); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete %s: %w", id, err)
	}
	if err := d.queue.Delete(ctx, id); err != nil {
		return errors.Join(err, d.keeper.hide(id, hidden, d.Folder(id)))
	}
	d.mirror.drop(id)
	if err := os.RemoveAll(hidden); err != nil {
		return fmt.Errorf("the run is forgotten, its directory is not: %w", err)
	}
	return nil
}

// hiddenPrefix begins the names of directories whose runs are being deleted.
const hiddenPrefix = ".deleted-"

func (d *Daemon) hidden(id string) string { return filepath.Join(d.runsFolder(), hiddenPrefix+id) }

// describe puts together what is known of a run.
func (d *Daemon) describe(r *queue.Record) *api.Run {
	var spec job.Spec
	if err := json.Unmarshal(r.Spec, &spec); err != nil {
		d.log.Error("the specification of a run is damaged", "run", r.ID, "reason", err)
	}
	return &api.Run{
		ID: r.ID, State: r.State, Wish: d.mirror.wanted(r.ID), Reason: r.Reason, Title: spec.Title, Tags: spec.Tags, Notes: spec.Notes, By: spec.By,
		Created: r.Created, Began: r.Began, Ended: r.Ended, Submission: r.Submission, Attempts: r.Attempts, Owner: r.Owner,
		Folder: filepath.Join(runsName, r.ID), Outcome: r.Outcome, Progress: d.mirror.progress(r.ID),
	}
}
