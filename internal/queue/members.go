package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Head is what workers must know of a queue.
type Head struct {
	Protocol int           `json:"protocol"`
	Silence  time.Duration `json:"silence"`
	Version  string        `json:"version,omitempty"`
}

// headKey names the record in its bucket.
const headKey = "head"

// lead puts on record what workers must know.
func (q *Queue) lead(ctx context.Context) error {
	text, err := json.Marshal(Head{Protocol: Protocol, Silence: q.o.Silence, Version: q.o.Version})
	if err == nil {
		_, err = q.heads.Put(ctx, headKey, text)
	}
	return err
}

// join takes over what the head has put on record.
func (q *Queue) join(ctx context.Context) error {
	for _, b := range q.buckets() {
		var err error
		if *b.bucket, err = q.js.KeyValue(ctx, b.name); errors.Is(err, jetstream.ErrBucketNotFound) {
			return fmt.Errorf("queue %s: no nwl serve has made it yet; start one", q.o.URL)
		} else if err != nil {
			return fmt.Errorf("queue %s: %w", q.o.URL, err)
		}
	}
	entry, err := q.heads.Get(ctx, headKey)
	if err != nil {
		return fmt.Errorf("queue %s: its head: %w", q.o.URL, err)
	}
	var h Head
	if err := json.Unmarshal(entry.Value(), &h); err != nil {
		return fmt.Errorf("queue %s: its head: %w", q.o.URL, err)
	}
	if h.Protocol != Protocol {
		return fmt.Errorf("queue %s: its head (nwl %s) has protocol %d and this worker (nwl %s) protocol %d: install the same version on both",
			q.o.URL, h.Version, h.Protocol, q.o.Version, Protocol)
	}
	q.o.Silence = h.Silence
	return nil
}

// Silence is how long a worker may be silent.
func (q *Queue) Silence() time.Duration { return q.o.Silence }

// Worker is what a worker says of itself.
type Worker struct {
	Name     string    `json:"name"`     // by which it was invited
	Instance string    `json:"instance"` // several processes may share a key
	Protocol int       `json:"protocol"`
	Version  string    `json:"version"`
	Host     string    `json:"host"`
	Began    time.Time `json:"began"`
	// Jobs is how many it performs side by side at most, Running how many at present; Cores how many
	// threads each has; Memory how many bytes all together may need, 0 for no limit.
	Jobs    int   `json:"jobs"`
	Running int   `json:"running"`
	Cores   int   `json:"cores"`
	Memory  int64 `json:"memory,omitempty"`
	// Classes are the machine classes of its results, by resource.
	Classes  map[Resource]string `json:"classes"`
	Draining bool                `json:"draining,omitempty"`
	// Renewals counts leases renewed, Missed those that could not be.
	Renewals int64 `json:"renewals"`
	Missed   int64 `json:"missed"`
	// CPUSeconds and Resident are what its processes took and take.
	CPUSeconds float64 `json:"cpu_seconds"`
	Resident   int64   `json:"resident_bytes"`
	// Said are the last warnings and errors of its log, in their order.
	Said []Line `json:"said,omitempty"`
}

// Line is one of a worker's log, numbered from 1 on.
type Line struct {
	Number int64  `json:"number"`
	Text   string `json:"text"`
}

// Owner is how the worker is called in records of runs.
func (w *Worker) Owner() string { return w.Name + ownerSeparator + w.Instance }

// ownerSeparator tells owners in other processes from those within a daemon.
const ownerSeparator = "/"

// Remote reports whether an owner of a run is a worker outside of the daemon.
func Remote(owner string) bool { return strings.Contains(owner, ownerSeparator) }

// Instance is a name for this process.
func Instance() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unnamed"
	}
	return fmt.Sprintf("%s-%d", strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, host), os.Getpid())
}

func (w *Worker) key() string { return w.Name + "." + w.Instance }

// Announce tells what there is of a worker, which is forgotten unless it says so again within
// the queue's Silence.
func (q *Queue) Announce(ctx context.Context, w *Worker) error {
	w.Protocol = Protocol
	w.Renewals, w.Missed = q.renewed.Load(), q.missed.Load()
	text, err := json.Marshal(w)
	if err == nil {
		_, err = q.workers.Put(ctx, w.key(), text)
	}
	if err != nil {
		return fmt.Errorf("queue: the worker is not announced: %w", err)
	}
	return nil
}

// Withhold takes back what a worker said of itself, as it ends.
func (q *Queue) Withhold(ctx context.Context, w *Worker) error { return q.workers.Delete(ctx, w.key()) }

// WatchWorkers hands over what workers say as they say it, until ctx ends; nil for one that has
// ended, by its name and instance. One that falls silent is not told of.
func (q *Queue) WatchWorkers(ctx context.Context, f func(name, instance string, w *Worker, at time.Time)) error {
	return watch(ctx, q.workers, func(entry jetstream.KeyValueEntry) {
		name, instance, _ := strings.Cut(entry.Key(), ".")
		if entry.Operation() != jetstream.KeyValuePut {
			f(name, instance, nil, entry.Created())
			return
		}
		w := &Worker{}
		if err := json.Unmarshal(entry.Value(), w); err != nil || w.Name != name || w.Instance != instance {
			q.o.Log.Warn("queue: what a worker says of itself is left out", "worker", entry.Key(), "reason", err)
			return
		}
		f(name, instance, w, entry.Created())
	})
}

// Order is what a worker is told.
type Order struct {
	// Drain has it take no new jobs, Now also hand back those that it has.
	Drain bool `json:"drain,omitempty"`
	Now   bool `json:"now,omitempty"`
}

// Tell tells all workers of a name, those that come later too.
func (q *Queue) Tell(ctx context.Context, name string, o Order) error {
	text, err := json.Marshal(o)
	if err == nil {
		_, err = q.told.Put(ctx, name, text)
	}
	if err != nil {
		return fmt.Errorf("worker %s: %w", name, err)
	}
	return nil
}

// Told is what the workers of a name were told last.
func (q *Queue) Told(ctx context.Context, name string) (o Order, err error) {
	entry, err := q.told.Get(ctx, name)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyDeleted) {
		return o, nil
	}
	if err == nil {
		err = json.Unmarshal(entry.Value(), &o)
	}
	if err != nil {
		return o, fmt.Errorf("worker %s: %w", name, err)
	}
	return o, nil
}

// IsRefused reports whether an error says that the server does not accept a key or what it asks
// for.
func IsRefused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrAuthRevoked)
}
