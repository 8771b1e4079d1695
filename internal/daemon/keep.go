package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// keeper writes job.File into run directories whenever a job changes its state, its
// specification or what is wished of it. It is safe for concurrent use.
type keeper struct {
	queue  *queue.Queue
	folder func(id string) string

	mutex sync.Mutex
	last  map[string]job.Kept // as written, with the fields that do not count left out
}

// first writes the file of a run that is about to be submitted.
func (k *keeper) first(id string, spec json.RawMessage) error {
	j, err := job.New(id, time.Now().UTC())
	if err != nil {
		return err
	}
	return k.write(job.Kept{Job: j, Wish: job.Run, Spec: spec})
}

// changed writes the file of a run anew if anything in it changed that counts. A run without a
// directory has no file.
func (k *keeper) changed(ctx context.Context, r *queue.Record) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	// As it is by now: the watchers of records and wishes may come here in any order.
	r, err := k.queue.Get(ctx, r.ID)
	if errors.Is(err, queue.ErrNone) {
		return nil
	} else if err != nil {
		return err
	}
	w, err := k.queue.Wanted(ctx, r.ID)
	if err != nil {
		return err
	}
	kept := job.Kept{Job: r.Job, Wish: w, Queue: k.queue.Identity(), Revision: r.Revision(), Spec: r.Spec}
	if before, ok := k.last[r.ID]; ok {
		same := func(k job.Kept) string { // checkpoints and attempts alone do not count
			return fmt.Sprint(k.Job.State, k.Job.Created, k.Job.Submission, k.Job.Epoch, k.Wish, k.Queue, string(k.Spec))
		}
		if same(before) == same(kept) {
			return nil
		}
	}
	err = k.write(kept)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		k.last[r.ID] = kept
	}
	return err
}

func (k *keeper) write(kept job.Kept) error {
	text, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, filepath.Join(k.folder(kept.Job.ID), job.File), append(text, '\n'))
}

// hide renames a run directory, so that nothing is written into it any more, or back.
func (k *keeper) hide(id, from, to string) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	delete(k.last, id)
	return os.Rename(from, to)
}

// readKept reads the file of a run directory.
func readKept(folder string) (*job.Kept, error) {
	text, err := os.ReadFile(filepath.Join(folder, job.File))
	if err != nil {
		return nil, err
	}
	kept := &job.Kept{}
	if err := json.Unmarshal(text, kept); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", filepath.Join(folder, job.File), err)
	}
	var spec job.Spec
	if err := json.Unmarshal(kept.Spec, &spec); err != nil {
		return nil, fmt.Errorf("%s is damaged: specification: %w", filepath.Join(folder, job.File), err)
	}
	if kept.Job.ID != filepath.Base(folder) || kept.Job.Created.IsZero() {
		return nil, fmt.Errorf("%s is of the run %q", filepath.Join(folder, job.File), kept.Job.ID)
	}
	return kept, nil
}
