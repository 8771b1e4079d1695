package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// room is what a worker has for its jobs. It is safe for concurrent use.
type room struct {
	memory int64     // bytes that all together may need, 0 for no limit
	until  time.Time // end of the machine's allocation, zero for none

	mutex  sync.Mutex
	needs  map[int]int64 // of the job in each slot
	gpu    int           // slot that has the GPU or looks for a job for it, -1 for none
	active int           // jobs
}

func newRoom(memory int64, until time.Time) *room {
	return &room{memory: memory, until: until, needs: map[int]int64{}, gpu: -1}
}

// wantGPU lets a slot look for jobs that need the GPU, unless another one has it.
func (r *room) wantGPU(slot int) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.gpu == -1 {
		r.gpu = slot
	}
	return r.gpu == slot
}

// began notes that a slot took a job, which needs the GPU or not.
func (r *room) began(slot int, gpu bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.active++
	if r.gpu == slot && !gpu {
		r.gpu = -1
	}
}

// ended notes that the job of a slot has ended.
func (r *room) ended(slot int) {
	r.mutex.Lock()
	r.active--
	r.mutex.Unlock()
	r.leave(slot)
}

// leave takes back what a slot asked for.
func (r *room) leave(slot int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.needs, slot)
	if r.gpu == slot {
		r.gpu = -1
	}
}

func (r *room) running() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.active
}

// fits returns an error if a slot cannot take a job now, and else keeps room for it.
func (r *room) fits(slot int, of *queue.Record) error {
	var spec job.Spec
	if json.Unmarshal(of.Spec, &spec) != nil {
		return nil // whoever takes it says so
	}
	if !r.until.IsZero() {
		margin, err := marginOf(spec.Config)
		if err == nil && time.Until(r.until) < margin {
			return fmt.Errorf("the allocation ends at %s, and checkpoint.margin is %v", r.until.Format(time.DateTime), margin)
		}
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	used := spec.Memory
	for other, need := range r.needs {
		if other != slot {
			used += need
		}
	}
	if r.memory > 0 && used > r.memory {
		return errors.New("it needs more memory than is free here")
	}
	r.needs[slot] = spec.Memory
	return nil
}

// marginOf is the checkpoint.margin of a configuration.
func marginOf(text string) (time.Duration, error) {
	c, err := config.Parse([]byte(text))
	if err != nil {
		return 0, err
	}
	return c.Checkpoint.Margin, nil
}
