package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
)

// found is a run directory in the data folder.
type found struct {
	id   string
	kept *job.Kept // nil if there is none that can be read
}

// scan lists the run directories. What cannot be one is reported and left alone; empty
// directories, claimed for runs that were never submitted, are removed.
func (d *Daemon) scan() (all []found) {
	entries, err := os.ReadDir(d.runsFolder())
	if err != nil {
		d.log.Error("the run directories cannot be listed", "reason", err)
	}
	for _, entry := range entries {
		id, path := entry.Name(), filepath.Join(d.runsFolder(), entry.Name())
		if !entry.IsDir() || strings.HasPrefix(id, ".") {
			continue
		}
		if err := job.CheckID(id); err != nil {
			d.log.Warn("a folder among the run directories is left alone", "folder", path, "reason", err)
			continue
		}
		if job.IsShardID(id) {
			d.log.Warn("a folder among the run directories is left alone, as its name is one of shards of a run; rename it", "folder", path)
			continue
		}
		if disk.Tidy(disk.OS, path) == nil && os.Remove(path) == nil {
			d.log.Info("an empty run directory was removed", "folder", path)
			continue
		}
		kept, err := readKept(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			d.log.Error("a run directory does not say what its run is to do", "run", id, "reason", err)
		}
		all = append(all, found{id, kept})
	}
	return all
}

// openQueue opens the queue. A damaged one in the data folder is set aside, and a new one
// takes its place.
func (d *Daemon) openQueue(ctx context.Context, all []found) (*queue.Queue, error) {
	q, err := queue.Open(ctx, d.o.Queue)
	if d.o.Queue.URL != "" || err != nil && !errors.Is(err, queue.ErrDamaged) {
		return q, err
	}
	if err == nil {
		var reason string
		if reason, err = damage(ctx, q, all); reason == "" {
			if err != nil {
				return nil, errors.Join(err, q.Close())
			}
			return q, nil
		}
		err = errors.New(reason)
		if fault := q.Close(); fault != nil {
			return nil, errors.Join(err, fault)
		}
	}
	aside, fault := queue.SetAside(d.o.Queue.Folder)
	if fault != nil {
		return nil, errors.Join(err, fault)
	}
	d.log.Error("THE QUEUE IS DAMAGED. It was set aside, and a new one is made of the run directories: only past events are lost", "reason", err, "aside", aside)
	return queue.Open(ctx, d.o.Queue)
}

// damage compares a queue with what run directories remember of it, and says what it lost,
// empty for nothing. NATS repairs what it finds broken and goes on with what is left, which
// may be a part, or what was before.
func damage(ctx context.Context, q *queue.Queue, all []found) (string, error) {
	records, err := q.List(ctx)
	if err != nil && ctx.Err() == nil {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	known := map[string]*queue.Record{}
	for _, r := range records {
		known[r.ID] = r
	}
	deleted, err := q.Forgotten(ctx)
	if err != nil {
		return "", err
	}
	var lost []string
	for _, f := range all {
		if f.kept == nil || f.kept.Queue != q.Identity() {
			continue // never on record, or in another queue
		}
		r := known[f.id]
		switch {
		case r == nil && !deleted[f.id]:
			lost = append(lost, "the record of "+f.id)
		case r == nil || !r.Created.Equal(f.kept.Job.Created):
		case r.Revision() < f.kept.Revision:
			lost = append(lost, fmt.Sprintf("that %s is %s, not %s", f.id, f.kept.Job.State, r.State))
		default:
			if said, err := q.Wished(ctx, f.id); err != nil {
				return "", err
			} else if !said && f.kept.Wish != job.Run {
				lost = append(lost, "the wish to "+string(f.kept.Wish)+" "+f.id)
			}
		}
	}
	if len(lost) == 0 {
		return "", nil
	}
	if n := len(lost); n > 10 {
		lost = append(lost[:10], fmt.Sprintf("%d more", n-10))
	}
	return "it lost " + strings.Join(lost, ", "), nil
}

// adopt puts on record the run directories of which the queue knows nothing: those of a queue
// that was lost, those submitted when the daemon was killed, and those that somebody put
// there. What was deleted when the daemon was killed is deleted.
func (d *Daemon) adopt(ctx context.Context, all []found) error {
	left, err := filepath.Glob(d.hidden("*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		id := strings.TrimPrefix(filepath.Base(path), hiddenPrefix)
		if _, err := os.Stat(d.Folder(id)); err == nil {
			continue // another run by now
		}
		if err := d.queue.Delete(ctx, id); err != nil && !errors.Is(err, queue.ErrNone) {
			d.log.Warn("a run cannot be deleted", "run", id, "reason", err)
		}
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			d.log.Warn("the directory of a deleted run is left", "reason", err)
		}
	}
	var lost []job.Kept
	for _, f := range all {
		if _, err := d.queue.Get(ctx, f.id); err == nil {
			continue
		} else if !errors.Is(err, queue.ErrNone) {
			return err
		}
		if k := d.recall(f); k != nil {
			lost = append(lost, *k)
		}
	}
	// Those that wait, wait in their old order.
	slices.SortStableFunc(lost, func(a, b job.Kept) int { return a.Job.Created.Compare(b.Job.Created) })
	for _, k := range lost {
		files, err := d.restock(ctx, &k.Job)
		if err != nil {
			return fmt.Errorf("adopt %s: %w", k.Job.ID, err)
		}
		r, err := d.queue.Adopt(ctx, k.Job, k.Spec, files, k.Wish)
		if r == nil {
			return err
		}
		if err != nil {
			d.log.Warn("a run is on record and not yet in the queue; it will be put there", "run", r.ID, "reason", err)
		}
		if err := d.keeper.changed(ctx, r); err != nil {
			return err
		}
		d.log.Warn("a run that the queue did not know was adopted", "run", r.ID, "state", r.State, "reason", r.Reason)
	}
	return nil
}

// recall is what is known of the job of a run directory, nil if it is none.
func (d *Daemon) recall(f found) *job.Kept {
	folder := d.Folder(f.id)
	summary, err := report.ReadSummary(filepath.Join(folder, report.SummaryFile))
	complete := err == nil && summary.Interrupted == ""
	done := func(j *job.Job) {
		j.State, j.Owner, j.Reason = job.Done, "", ""
		j.Outcome = &job.Outcome{Converged: summary.Verdict.Converged}
		if !j.Outcome.Converged {
			j.Outcome.Code = 3
		}
		if j.Ended = modified(folder, report.SummaryFile); j.Began.IsZero() {
			j.Began = j.Created
		}
	}
	if k := f.kept; k != nil {
		// A run that was submitted again is to change results that are there already.
		if complete && !k.Job.State.Final() && k.Job.Submission == 1 {
			done(&k.Job)
		}
		return k
	}
	text, err := os.ReadFile(filepath.Join(folder, report.ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("a folder among the run directories holds no run and is left alone; its name is taken", "folder", folder)
		return nil
	}
	if err == nil {
		_, err = config.Parse(text)
	}
	if err != nil {
		d.log.Error("a run directory cannot be adopted and is left alone; its name is taken", "folder", folder, "reason", err)
		return nil
	}
	spec, err := json.Marshal(job.Spec{Config: string(text)})
	if err != nil {
		d.log.Error("a run directory cannot be adopted and is left alone; its name is taken", "folder", folder, "reason", err)
		return nil
	}
	j, _ := job.New(f.id, modified(folder, report.ConfigFile))
	if j.State, j.Reason = job.Paused, "it was found in the data folder, where nobody had submitted it"; complete {
		done(&j)
	}
	wish := job.Pause
	if complete {
		wish = job.Run
	}
	return &job.Kept{Job: j, Wish: wish, Spec: spec}
}

// modified is when a file was last written, now if nobody knows.
func modified(folder, name string) time.Time {
	about, err := os.Stat(filepath.Join(folder, name))
	if err != nil {
		return time.Now().UTC()
	}
	return about.ModTime().UTC()
}
