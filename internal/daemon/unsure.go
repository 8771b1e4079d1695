package daemon

import (
	"context"
	"errors"
	"os"
	"sync"

	"neuralwl/internal/queue"
)

// unsure are submissions of which nobody knows whether they are on record: the queue did not answer.
// Their run directories hold their names until it does.
type unsure struct {
	mutex sync.Mutex
	ids   map[string]bool
}

func (u *unsure) add(id string) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if u.ids == nil {
		u.ids = map[string]bool{}
	}
	u.ids[id] = true
}

// list returns them.
func (u *unsure) list() (ids []string) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	for id := range u.ids {
		ids = append(ids, id)
	}
	return ids
}

// settle finds out whether an unsure submission is on record, and if it is not, frees its name. An error
// means that nobody knows yet.
func (d *Daemon) settle(ctx context.Context, id string) error {
	d.unsure.mutex.Lock()
	defer d.unsure.mutex.Unlock()
	if !d.unsure.ids[id] {
		return nil
	}
	_, err := d.queue.Get(ctx, id)
	if errors.Is(err, queue.ErrNone) {
		err = os.RemoveAll(d.Folder(id))
	}
	if err == nil {
		delete(d.unsure.ids, id)
	}
	return err
}

// settleAll settles what it can.
func (d *Daemon) settleAll(ctx context.Context) {
	for _, id := range d.unsure.list() {
		if err := d.settle(ctx, id); err != nil && ctx.Err() == nil {
			d.log.Warn("it is not known whether a run is on record that was submitted", "run", id, "reason", err)
		}
	}
}
