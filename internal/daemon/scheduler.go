package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"neuralwl/inference"
	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/schedule"
	"neuralwl/internal/setup"
)

// scheduleEvery is how often it is looked whose turn it is, beside every change of a run.
const scheduleEvery = 5 * time.Second

// schedule hands out runs when their turn comes, until ctx ends. That it alone does so keeps
// within the room; that a run has one writer, whoever hands it out, is the queue's matter.
func (d *Daemon) schedule(ctx context.Context) {
	for ctx.Err() == nil {
		// What runs wait for must be known before they are told that it is gone.
		records, err := d.queue.List(ctx)
		if err == nil {
			for _, r := range records {
				d.mirror.put(r.ID, r)
			}
			if err = d.handOutAgain(ctx, records); err == nil {
				break
			}
		}
		d.log.Warn("the runs are not known yet; none begins", "reason", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	for tick := time.NewTicker(scheduleEvery); ; {
		d.beat.Store(time.Now().Unix())
		if err := d.place(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("the next runs cannot be handed out; it is tried again", "reason", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		case <-d.changed:
		}
	}
}

// handOutAgain gives runs that were handed out before the daemon stopped new messages: the queue
// might keep the old ones until the silence of the worker that returned them is over.
func (d *Daemon) handOutAgain(ctx context.Context, records []*queue.Record) error {
	for _, r := range records {
		if r.State != job.Queued {
			continue
		}
		again, err := d.queue.Withdraw(ctx, r)
		if err == nil && again != nil {
			again, err = d.queue.Release(ctx, again)
		}
		if err != nil {
			return err
		}
		if again != nil {
			d.mirror.put(r.ID, again)
		}
	}
	return nil
}

// deadAfter is how long the scheduler may look for nothing, which it does every scheduleEvery.
const deadAfter = time.Minute

// Alive returns an error if the daemon can no longer do its work: its queue does not answer, or it
// hands out no runs. It needs no more than a restart then.
func (d *Daemon) Alive(ctx context.Context) error {
	if at := d.beat.Load(); at > 0 && time.Since(time.Unix(at, 0)) > deadAfter && ctx.Err() == nil {
		return fmt.Errorf("the scheduler has not looked for %v whose turn it is", time.Since(time.Unix(at, 0)).Round(time.Second))
	}
	return d.Ready(ctx)
}

// kick lets the scheduler look at once.
func (d *Daemon) kick() {
	select {
	case d.changed <- struct{}{}:
	default: // it will
	}
}

// place plans once, and carries it out.
func (d *Daemon) place(ctx context.Context) error {
	held := d.tend(ctx) // runs may wait for shards that are not on record yet
	p, records := d.plan(held)
	for id := range p.Refuse {
		if err := d.refresh(ctx, records[id]); err != nil {
			return err
		}
	}
	if len(p.Refuse) > 0 { // with what is certain
		p, records = d.plan(held)
	}
	for id := range p.Waits {
		if r := records[id]; r.Parts > 0 && r.State == job.Submitted && held[id] == "" && d.failure(r) == "" {
			p.Waits[id] = d.pending(r)
		}
	}
	d.mirror.wait(p.Waits)
	var faults []error
	carry := func(id string, f func(*queue.Record) (*queue.Record, error)) {
		r, err := f(records[id])
		if err == nil && r != nil {
			d.mirror.put(id, r)
		} else if err == nil {
			err = d.refresh(ctx, records[id])
		}
		faults = append(faults, err)
	}
	for _, id := range p.Withdraw {
		carry(id, func(r *queue.Record) (*queue.Record, error) { return d.queue.Withdraw(ctx, r) })
	}
	for id, reason := range p.Refuse {
		if why := d.failure(records[id]); why != "" {
			reason = why
		}
		carry(id, func(r *queue.Record) (*queue.Record, error) { return d.queue.Refuse(ctx, r, reason) })
	}
	for _, id := range p.Release {
		carry(id, func(r *queue.Record) (*queue.Record, error) { return d.queue.Release(ctx, r) })
	}
	if len(p.Refuse) > 0 { // others may follow these
		d.kick()
	}
	return errors.Join(faults...)
}

// plan plans for the runs as they are known. Those that are held, for a reason, do not begin.
func (d *Daemon) plan(held map[string]string) (schedule.Plan, map[string]*queue.Record) {
	records := map[string]*queue.Record{}
	var runs []schedule.Run
	for _, r := range d.mirror.records() {
		s := d.spec(r)
		records[r.ID] = r
		runs = append(runs, schedule.Run{
			ID: r.ID, Created: r.Created, State: r.State, Priority: s.Priority, After: d.following(r, s.After), Memory: s.Memory, GPU: s.GPU,
			Class: r.Class, Held: held[r.ID],
		})
	}
	return schedule.Next(runs, d.room()), records
}

// resource is what a job is handed out for. Without a GPU anywhere, nobody waits for one.
func (d *Daemon) resource(text json.RawMessage) queue.Resource {
	var s job.Spec
	if json.Unmarshal(text, &s) == nil && s.GPU && d.room().GPUs > 0 {
		return queue.GPU
	}
	return queue.CPU
}

// refresh reads a run again, and those that it waits for.
func (d *Daemon) refresh(ctx context.Context, r *queue.Record) error {
	ids := []string{r.ID}
	for _, on := range d.spec(r).After {
		ids = append(ids, on.ID)
	}
	for _, id := range ids {
		now, err := d.queue.Get(ctx, id)
		switch {
		case errors.Is(err, queue.ErrNone):
			d.mirror.drop(id)
		case err != nil:
			return err
		default:
			d.mirror.put(id, now)
		}
	}
	return nil
}

// spec is what a run is to do. A damaged one is reported, and has no wishes.
func (d *Daemon) spec(r *queue.Record) spec {
	s, err := d.mirror.spec(r)
	if err != nil {
		d.log.Error("the specification of a run is damaged", "reason", err)
	}
	return s
}

// wishes puts into a specification when a run is to go, and what it is to need. All faults are
// reported.
func (d *Daemon) wishes(ctx context.Context, s *job.Spec, of *api.Submission, c *config.Config) error {
	var faults []error
	s.Priority, s.After = of.Priority, nil // those of a run that is copied are its own
	if err := checkPriority(of.Priority); err != nil {
		faults = append(faults, err)
	}
	follow := func(field string, ids []string, any bool) error {
		for _, id := range ids {
			r, err := d.queue.Get(ctx, id)
			switch {
			case errors.Is(err, queue.ErrNone):
				faults = append(faults, fmt.Errorf("%s: there is no run %s to wait for", field, id))
			case job.CheckID(id) != nil:
				faults = append(faults, fmt.Errorf("%s: %w", field, job.CheckID(id)))
			case err != nil:
				return err
			case !any && r.State.Final() && r.State != job.Done:
				faults = append(faults, fmt.Errorf("%s: %s is %s; resume it first, or take after_any", field, id, r.State))
			case !slices.ContainsFunc(s.After, func(on job.Dependency) bool { return on.ID == id }):
				s.After = append(s.After, job.Dependency{ID: id, Created: r.Created, Any: any})
			}
		}
		return nil
	}
	if err := errors.Join(follow("after", of.After, false), follow("after_any", of.AfterAny, true)); err != nil {
		return err
	}
	var err error
	if s.Memory = of.Memory << 20; s.Memory == 0 {
		if s.Memory, err = setup.Memory(c, cmp.Or(c.Run.Workers, d.o.Cores)); err != nil {
			d.log.Info("nobody knows what memory a run will need", "reason", err) // as its network is not here yet
		}
	}
	room := d.room()
	s.GPU = room.GPUs > 0 && c.Run.Has(config.NeuralMoves) && c.Inference.Provider != string(inference.CPU) && !c.Inference.Remote()
	if room.Largest > 0 && s.Memory > room.Largest {
		faults = append(faults, errors.New(schedule.TooLarge(s.Memory, room.Largest)+"; make the run smaller, raise server.memory, or, if the estimate is wrong, submit it with memory"))
	}
	if len(faults) > 0 {
		return invalid{errors.Join(faults...)}
	}
	return nil
}

func checkPriority(n int) error {
	if n < job.LeastPriority || n > job.MostPriority {
		return fmt.Errorf("priority: %d is not within %d..%d", n, job.LeastPriority, job.MostPriority)
	}
	return nil
}
