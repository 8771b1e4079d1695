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
	"neuralwl/internal/child"
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

// errLibrary refuses a configuration that would have the daemon load a program of the user's choice.
var errLibrary = invalid{errors.New("inference.library: the daemon has its own, which ONNXRUNTIME_LIB names where it is started; leave it out")}

// Check returns an error for a submission that Submit would refuse for what it says. It changes
// nothing.
func (d *Daemon) Check(ctx context.Context, s api.Submission) error {
	_, _, err := d.prepare(ctx, s)
	return err
}

// prepare makes a specification of a submission and checks it.
func (d *Daemon) prepare(ctx context.Context, s api.Submission) (spec job.Spec, c *config.Config, err error) {
	spec = job.Spec{Config: s.Config, Work: s.Kind, Train: s.Train, Bench: s.Bench, Compare: s.Compare, Title: s.Title, Tags: s.Tags, Notes: s.Notes, Follow: s.Follow, Publish: s.Publish}
	if s.From != "" {
		if spec, err = d.copyOf(ctx, s); err != nil {
			return spec, nil, err
		}
	}
	if s.ID != "" {
		if err := job.CheckID(s.ID); err != nil {
			return spec, nil, invalid{fmt.Errorf("id: %w", err)}
		}
		if job.IsShardID(s.ID) {
			return spec, nil, invalid{fmt.Errorf("id: %q is a name of shards of a run; choose another one", s.ID)}
		}
	}
	if c, err = d.complete(ctx, &spec, s.Set); err != nil {
		return spec, nil, err
	}
	if s.ID != "" {
		if err := job.CheckDivisible(s.ID, c.Run.Shards); err != nil {
			return spec, nil, invalid{fmt.Errorf("id: %w", err)}
		}
	}
	return spec, c, d.wishes(ctx, &spec, &s, c)
}

// Submit records a run and puts it into the queue.
func (d *Daemon) Submit(ctx context.Context, s api.Submission, by string) (*api.Run, error) {
	if err := d.roomLeft(); err != nil {
		return nil, err
	}
	spec, c, err := d.prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	spec.By = by
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	name := c.System.Name()
	if !spec.Resumes() {
		name = string(spec.Work) + "-" + name
	}
	if spec.Compare != nil {
		name = child.ComparisonName(spec)
	}
	id, err := d.claim(ctx, s.ID, name)
	if err != nil {
		return nil, err
	}
	r, err := d.enter(ctx, id, text)
	if err != nil {
		return nil, err
	}
	d.kick()
	return d.describe(r), nil
}

// enter puts a run on record whose directory is there.
func (d *Daemon) enter(ctx context.Context, id string, text json.RawMessage) (*queue.Record, error) {
	if err := d.keeper.first(id, text); err != nil {
		// The name is free again.
		return nil, errors.Join(fmt.Errorf("run directory: %w", err), os.RemoveAll(d.Folder(id)))
	}
	r, err := d.queue.Submit(ctx, id, text)
	if r == nil {
		d.unsure.add(id)
		if d.settle(ctx, id) != nil {
			d.log.Warn("it is not known whether a run is on record that was submitted", "run", id, "reason", err)
		}
		return nil, err
	}
	if err != nil {
		d.log.Warn("a run is on record and not yet in the queue; it will be put there", "run", id, "reason", err)
	}
	d.mirror.put(id, r)
	return r, nil
}

// copyOf is the specification of a submission that copies a run, with what it changes.
func (d *Daemon) copyOf(ctx context.Context, s api.Submission) (spec job.Spec, err error) {
	r, err := d.queue.Get(ctx, s.From)
	if errors.Is(err, queue.ErrNone) || job.CheckID(s.From) != nil {
		return spec, invalid{fmt.Errorf("from: %w", err)}
	}
	if err != nil {
		return spec, err
	}
	if spec, err = specOf(r); err != nil {
		return spec, err
	}
	if s.Config != "" {
		return spec, invalid{fmt.Errorf("config: the configuration is that of %s; change it by set, or leave out from", s.From)}
	}
	if s.Kind != "" && s.Kind != cmp.Or(spec.Work, job.WorkRun) {
		return spec, invalid{fmt.Errorf("kind: %s is of the kind %s, and so is its copy; leave it out", s.From, cmp.Or(spec.Work, job.WorkRun))}
	}
	// The settings changed when it went on are part of what it is now.
	c, err := config.Compose([]byte(spec.Config), spec.Changes)
	if err != nil {
		return spec, fmt.Errorf("%s: %w", s.From, err)
	}
	text, err := c.YAML()
	if err != nil {
		return spec, err
	}
	spec.Config, spec.Changes, spec.Group = string(text), nil, ""
	spec.Train, spec.Bench, spec.Compare = cmp.Or(s.Train, spec.Train), cmp.Or(s.Bench, spec.Bench), cmp.Or(s.Compare, spec.Compare)
	spec.Title, spec.Notes = cmp.Or(s.Title, spec.Title), cmp.Or(s.Notes, spec.Notes)
	if s.Tags != nil {
		spec.Tags = s.Tags
	}
	return spec, nil
}

// complete makes the configuration of a specification complete, with settings that go before it,
// and checks the whole.
func (d *Daemon) complete(ctx context.Context, spec *job.Spec, set []string) (*config.Config, error) {
	c, err := config.Compose([]byte(spec.Config), set)
	if err != nil {
		return nil, invalid{err}
	}
	if c.Inference.Library != "" {
		return nil, errLibrary
	}
	if err := errors.Join(spec.Check(), d.checkFollow(spec.Follow), d.resolveBundles(c), child.Check(*spec, c)); err != nil {
		return nil, invalid{err}
	}
	if id := spec.Weights(); id != "" {
		if _, err := d.queue.Get(ctx, id); errors.Is(err, queue.ErrNone) {
			return nil, invalid{fmt.Errorf("weights: %w", err)}
		} else if err != nil {
			return nil, err
		}
	}
	text, err := c.YAML()
	spec.Config = string(text)
	return c, err
}

// specOf is the specification of a record.
func specOf(r *queue.Record) (spec job.Spec, err error) {
	if err := json.Unmarshal(r.Spec, &spec); err != nil {
		return spec, fmt.Errorf("%s: its record is damaged: %w", r.ID, err)
	}
	return spec, nil
}

// claim makes the run directory of a new run; making it claims the name. Without one it is
// system-N with the least N that is free.
func (d *Daemon) claim(ctx context.Context, id, system string) (string, error) {
	if id != "" {
		if err := d.settle(ctx, id); err != nil {
			return "", fmt.Errorf("%s was submitted before, and whether it is on record is not known yet: %w", id, err)
		}
	}
	for n := 1; ; n++ {
		name := id
		if id == "" {
			name = fmt.Sprintf("%s-%d", system, n)
		}
		if d.groups.find(name) != nil {
			if id != "" {
				return "", fmt.Errorf("%s: there is a group of this name: %w", id, queue.ErrExists)
			}
			continue
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
	run := d.describe(r)
	if spec, err := specOf(r); err == nil {
		run.Config = spec.Config
	}
	return run, nil
}

// List returns the runs that a filter keeps, the newest first.
func (d *Daemon) List(keep func(*api.Run) bool) []api.Run {
	runs := []api.Run{}
	for _, r := range d.mirror.records() {
		if d.spec(r).Shard != nil {
			continue // part of another one
		}
		if run := d.describe(r); keep(run) {
			runs = append(runs, *run)
		}
	}
	slices.SortFunc(runs, func(a, b api.Run) int { return Order(&a, &b) })
	return runs
}

// Order is that of lists: the newest run first.
func Order(a, b *api.Run) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID)) }

// State is the state of a run, as last heard, and the number of the event that told of it, 0 if that
// has not been heard.
func (d *Daemon) State(id string) (state job.State, event uint64, known bool) {
	d.mirror.mutex.Lock()
	defer d.mirror.mutex.Unlock()
	r, ok := d.mirror.runs[id]
	if !ok {
		return "", 0, false
	}
	if told := d.mirror.told[id]; told.State == r.State && told.Submission == r.Submission && told.Epoch == r.Epoch {
		event = told.event
	}
	return r.State, event, true
}

// Change changes what is wanted of a run, or what people read about it.
func (d *Daemon) Change(ctx context.Context, id string, c api.RunChange) (*api.Run, error) {
	r, err := d.queue.Get(ctx, id)
	if err == nil {
		err = d.ownedBy(r)
	}
	if err != nil {
		return nil, err
	}
	if c.Priority != nil {
		if err := checkPriority(*c.Priority); err != nil {
			return nil, invalid{err}
		}
	}
	if c.Follow != nil {
		if err := d.checkFollow(*c.Follow); err != nil {
			return nil, invalid{err}
		}
	}
	again := c.Wish == job.Run && (r.State == job.Paused || r.State.Final())
	switch {
	case len(c.Set) == 0:
	case c.Wish != job.Run:
		return nil, invalid{errors.New("set: settings can be changed when a run goes on, with the wish run")}
	case !again:
		return nil, invalid{fmt.Errorf("set: %s is %s; settings can be changed when it is paused or has ended", id, r.State)}
	}
	if c.AnyMachine {
		if c.Wish != job.Run {
			return nil, invalid{errors.New("any_machine: it goes with the wish run")}
		}
		if err := d.anyMachine(ctx, r); err != nil {
			return nil, err
		}
	}
	if again || c.Title != nil || c.Tags != nil || c.Notes != nil || c.Priority != nil || c.Memory != nil || c.Follow != nil {
		if r, err = d.edit(ctx, id, func(spec *job.Spec) error {
			edit(spec, c)
			if again {
				return d.changeSettings(ctx, id, spec, c.Set)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	switch {
	case again:
		if r, err = d.queue.Again(ctx, id, nil); err != nil {
			return nil, err
		}
	case c.Wish != "":
		if err := d.queue.Want(ctx, id, c.Wish); err != nil {
			return nil, err
		}
		if r, err = d.queue.Get(ctx, id); err != nil {
			return nil, err
		}
	}
	d.mirror.put(id, r)
	d.kick()
	if c.Wish != "" {
		d.mirror.want(id, c.Wish)
	}
	return d.describe(r), nil
}

// edit changes a specification by f, in the queue and in the run directory.
func (d *Daemon) edit(ctx context.Context, id string, f func(*job.Spec) error) (*queue.Record, error) {
	r, err := d.queue.Edit(ctx, id, func(text json.RawMessage) (json.RawMessage, error) {
		var spec job.Spec
		if err := json.Unmarshal(text, &spec); err != nil {
			return nil, fmt.Errorf("%s: its record is damaged: %w", id, err)
		}
		if err := f(&spec); err != nil {
			return nil, err
		}
		return json.Marshal(spec)
	})
	if err != nil {
		return nil, err
	}
	return r, d.keeper.changed(ctx, r)
}

// edit changes what people read; what c leaves out stays.
func edit(spec *job.Spec, c api.RunChange) {
	if c.Title != nil {
		spec.Title = *c.Title
	}
	if c.Tags != nil {
		spec.Tags = *c.Tags
	}
	if c.Notes != nil {
		spec.Notes = *c.Notes
	}
	if c.Priority != nil {
		spec.Priority = *c.Priority
	}
	if c.Memory != nil {
		spec.Memory = *c.Memory << 20
	}
	if c.Follow != nil {
		spec.Follow = *c.Follow
	}
}

// changeSettings changes settings of a job that is to go on. A run takes them as changes of what
// it has done so far; whatever begins again has a new configuration.
func (d *Daemon) changeSettings(ctx context.Context, id string, spec *job.Spec, set []string) error {
	if !spec.Resumes() {
		_, err := d.complete(ctx, spec, set)
		return err
	}
	c, err := config.Compose([]byte(spec.Config), set)
	if err != nil {
		return invalid{err}
	}
	if c.Inference.Library != "" {
		return errLibrary
	}
	if err := job.CheckDivisible(id, c.Run.Shards); err != nil && len(set) > 0 {
		return invalid{fmt.Errorf("set: %w", err)}
	}
	spec.Changes = set
	return nil
}

// Delete forgets a run that is not running, with its directory.
func (d *Daemon) Delete(ctx context.Context, id string) error {
	r, err := d.queue.Get(ctx, id)
	if err == nil {
		err = d.ownedBy(r)
	}
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
	if err := d.endShards(ctx, r); err != nil {
		return err
	}
	defer d.puller.alone(id)()
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
	if d.o.Store != nil {
		if err := d.o.Store.Remove(ctx, id); err != nil {
			d.log.Warn("files of a deleted run stay in the store", "run", id, "reason", err)
		}
	}
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
	spec := d.spec(r)
	var after, afterAny []string
	for _, on := range spec.After {
		if on.Any {
			afterAny = append(afterAny, on.ID)
		} else {
			after = append(after, on.ID)
		}
	}
	waits := ""
	if r.State == job.Submitted {
		waits = d.mirror.waiting(r.ID)
	}
	return &api.Run{
		ID: r.ID, Kind: cmp.Or(spec.Work, job.WorkRun), State: r.State, Wish: d.mirror.wanted(r.ID), Reason: r.Reason, Title: spec.Title, Tags: spec.Tags, Notes: spec.Notes, By: spec.By, Group: spec.Group,
		System: spec.system, Method: spec.method,
		Created: r.Created, Began: r.Began, Ended: r.Ended, Submission: r.Submission, Attempts: r.Attempts, Owner: r.Owner, Class: r.Class,
		Folder: filepath.Join(runsName, r.ID), Outcome: r.Outcome, Progress: d.mirror.progress(r.ID), Event: d.mirror.lastEvent(r.ID), Changes: spec.Changes,
		Priority: spec.Priority, After: after, AfterAny: afterAny, Memory: spec.Memory >> 20, Waits: waits,
		Follow: spec.Follow, Publish: spec.Publish, Bringing: !d.brought(r),
	}
}

// Open opens the run directory of a run, so that nothing outside of it can be reached. It takes
// no lock.
func (d *Daemon) Open(id string) (*os.Root, error) {
	if err := job.CheckID(id); err != nil {
		return nil, fmt.Errorf("%w: %w", queue.ErrNone, err)
	}
	root, err := os.OpenRoot(d.Folder(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s has no run directory: %w", id, queue.ErrNone)
	}
	return root, err
}
