package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/queue"
	"neuralwl/internal/schedule"
	"neuralwl/internal/worker"
	"neuralwl/metrics"
)

// members are the workers that perform runs, this process' own among them, as they last said
// themselves. It is safe for concurrent use.
type members struct {
	mutex sync.Mutex
	live  map[string]member // by owner
}

// member is a worker and when it was last heard of, by the clock of this process.
type member struct {
	queue.Worker
	heard time.Time
}

// say takes what a worker says, nil if it has ended, and returns what it said before.
func (m *members) say(name, instance string, w *queue.Worker, now time.Time) (before *queue.Worker) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	owner := (&queue.Worker{Name: name, Instance: instance}).Owner()
	if was, known := m.live[owner]; known {
		before = &was.Worker
	}
	if w == nil {
		delete(m.live, owner)
	} else {
		m.live[owner] = member{*w, now}
	}
	return before
}

// heard lists those that were heard of within a time, by owner.
func (m *members) heard(within time.Duration, now time.Time) []member {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var all []member
	for owner, w := range m.live {
		if now.Sub(w.heard) > 10*within { // nobody will miss it
			delete(m.live, owner)
		} else if now.Sub(w.heard) <= within {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.Owner(), b.Owner()) })
	return all
}

// self is what this process' own worker says of itself.
func (d *Daemon) self(m child.Machine) *queue.Worker {
	w := &queue.Worker{
		Name: queue.Own, Instance: queue.Instance(), Version: d.o.Queue.Version, Host: hostname(), Began: time.Now().UTC(),
		Jobs: d.o.Jobs, Cores: d.o.Cores, Memory: d.o.Memory, Classes: worker.Classes(m, d.o.GPU),
	}
	return w
}

// welcome makes what the workers of a class take their runs from.
func (d *Daemon) welcome(ctx context.Context, w *queue.Worker) error {
	for r, class := range w.Classes {
		if err := d.queue.MakeConsumer(ctx, r, class); err != nil {
			return fmt.Errorf("worker %s: %w", w.Owner(), err)
		}
	}
	return nil
}

// followWorkers takes in what workers say.
func (d *Daemon) followWorkers(ctx context.Context) error {
	return d.queue.WatchWorkers(ctx, func(name, instance string, w *queue.Worker, _ time.Time) {
		before := d.members.say(name, instance, w, time.Now())
		switch {
		case w == nil && before != nil:
			d.log.Info("a worker has ended", "worker", before.Owner())
		case w == nil:
		case w.Protocol != queue.Protocol:
			if before == nil {
				d.log.Error("a worker of another version takes no runs; install the same version there", "worker", w.Owner(), "its", w.Version, "protocol", w.Protocol, "own", queue.Protocol)
			}
			return
		case before == nil:
			d.log.Info("a worker takes part", "worker", w.Owner(), "version", w.Version, "jobs", w.Jobs, "cores", w.Cores, "classes", w.Classes)
			if err := d.welcome(ctx, w); err != nil {
				d.log.Warn("a worker takes no runs that began in its class of machines", "reason", err)
				d.members.say(name, instance, nil, time.Now()) // so that it is tried again
			}
		}
		if w != nil {
			d.hear(before, w)
		}
		if before == nil || w == nil || before.Draining != w.Draining || before.Running != w.Running {
			d.kick()
		}
	})
}

// hear puts into the log what a worker has said in its own since it was heard of before, nil for never.
func (d *Daemon) hear(before, w *queue.Worker) {
	last := int64(0)
	if before != nil && len(before.Said) > 0 {
		last = before.Said[len(before.Said)-1].Number
	}
	for _, l := range w.Said {
		if l.Number <= last {
			continue
		}
		if last > 0 && l.Number > last+1 {
			d.log.Warn("a worker said more than it could pass on", "worker", w.Owner(), "lines", l.Number-last-1)
		}
		last = l.Number
		d.log.Warn("a worker says", "worker", w.Owner(), "line", l.Text)
	}
}

// room is what runs may use: that of all workers that were heard of.
func (d *Daemon) room() schedule.Room {
	room := schedule.Room{Closed: d.closed(), Classes: map[string]bool{}}
	unlimited := false
	add := func(jobs int, memory int64, gpu bool) {
		room.Runs += jobs
		room.Memory += memory
		room.Largest = max(room.Largest, memory)
		unlimited = unlimited || memory == 0
		if gpu {
			room.GPUs++
		}
	}
	own := d.o.Jobs > 0
	for _, w := range d.members.heard(d.silence(), time.Now()) {
		if w.Name == queue.Own {
			own = own && !w.Draining
		}
		if w.Protocol != queue.Protocol || w.Draining {
			continue
		}
		_, gpu := w.Classes[queue.GPU]
		for _, class := range w.Classes {
			room.Classes[class] = true
		}
		if w.Name != queue.Own {
			add(w.Jobs, w.Memory, gpu)
		}
	}
	if own {
		add(d.o.Jobs, d.o.Memory, d.o.GPU)
		if m := d.machine.Load(); m == nil { // nobody knows yet
			room.Classes = nil
		}
	}
	if unlimited {
		room.Memory, room.Largest = 0, 0
	}
	return room
}

// silence is how long workers may be silent.
func (d *Daemon) silence() time.Duration { return d.queue.Silence() }

// Workers lists the workers: those that were invited and those that perform runs.
func (d *Daemon) Workers() (*api.WorkerList, error) {
	list := &api.WorkerList{Workers: []api.Worker{}}
	invited := map[string]queue.Invited{}
	if l := d.o.Queue.Listen; l != nil {
		all, err := l.Roster.List()
		if err != nil {
			return nil, err
		}
		for _, w := range all {
			invited[w.Name] = w
		}
	}
	seen := map[string]bool{}
	for _, w := range d.members.heard(3*d.silence(), time.Now()) {
		seen[w.Name] = true
		a := api.Worker{
			Name: w.Name, Instance: w.Instance, Host: w.Host, Version: w.Version, Began: w.Began, Heard: w.heard.UTC(), State: api.WorkerReady,
			Jobs: w.Jobs, Running: w.Running, Cores: w.Cores, Memory: w.Memory >> 20, Classes: map[string]string{},
			Invited: invited[w.Name].Invited, CPUSeconds: w.CPUSeconds, Resident: w.Resident, Renewals: w.Renewals, Missed: w.Missed,
		}
		for r, class := range w.Classes {
			a.Classes[string(r)] = class
		}
		switch {
		case !invited[w.Name].Revoked.IsZero():
			a.State = api.WorkerRevoked
		case w.Protocol != queue.Protocol:
			a.State = api.WorkerRefused
		case time.Since(w.heard) > d.silence():
			a.State = api.WorkerSilent
		case w.Draining:
			a.State = api.WorkerDraining
		}
		list.Workers = append(list.Workers, a)
	}
	for name, w := range invited {
		if seen[name] {
			continue
		}
		a := api.Worker{Name: name, State: api.WorkerAway, Invited: w.Invited, Classes: map[string]string{}}
		if !w.Revoked.IsZero() {
			a.State = api.WorkerRevoked
		}
		list.Workers = append(list.Workers, a)
	}
	slices.SortFunc(list.Workers, func(a, b api.Worker) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
	})
	return list, nil
}

// Drain has the workers of a name take no new runs, at once hand those back that they have, or take
// runs again.
func (d *Daemon) Drain(ctx context.Context, name string, o api.WorkerChange) error {
	list, err := d.Workers()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list.Workers, func(w api.Worker) bool { return w.Name == name }) {
		return fmt.Errorf("%s: %w", name, errNoWorker)
	}
	return d.queue.Tell(ctx, name, queue.Order{Drain: o.Drain, Now: o.Drain && o.Now})
}

// errNoWorker is the error of a worker that is not known.
var errNoWorker = errors.New("there is no worker of this name")

// measured are the workers as metrics show them.
func (d *Daemon) measured() (all []metrics.Worker) {
	for _, w := range d.members.heard(3*d.silence(), time.Now()) {
		all = append(all, metrics.Worker{
			Name: w.Name, Instance: w.Instance, Version: w.Version, Slots: w.Jobs, Running: w.Running, Draining: w.Draining,
			CPUSeconds: w.CPUSeconds, Resident: w.Resident, Renewals: w.Renewals, Missed: w.Missed, Heard: w.heard,
		})
	}
	return all
}
