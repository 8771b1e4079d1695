package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"neuralwl/internal/disk"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
)

// Storage is what may be kept in the data folder.
type Storage struct {
	// MinFree are the bytes of the disk that stay free: below, no run is taken or begun. Those
	// under way go on.
	MinFree int64
	// RunBytes bounds a run's directory.
	RunBytes int64
	// Keep is how long runs that ended keep what they need to go on.
	Keep time.Duration
	// Free tells what is free, by default disk.Free.
	Free func(folder string) (int64, error)
}

// ErrFull is the error of a run that is refused as the disk runs low.
var ErrFull = errors.New("the disk runs low")

// roomLeft returns ErrFull with both numbers where the disk runs low.
func (d *Daemon) roomLeft() error {
	s := d.o.Storage
	if s.MinFree == 0 {
		return nil
	}
	if s.Free == nil {
		s.Free = disk.Free
	}
	free, err := s.Free(d.o.Data)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return err
	}
	if free < s.MinFree {
		return fmt.Errorf("%w: %d MB are free and %d must stay free (storage.min_free); make room, or delete runs", ErrFull, free>>20, s.MinFree>>20)
	}
	return nil
}

// closed is why no run may begin now, empty if it may. What changes is logged.
func (d *Daemon) closed() string {
	err := d.roomLeft()
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	if was := d.low.Swap(err != nil); was && err == nil {
		d.log.Info("there is room on the disk again; runs begin")
	} else if !was && err != nil {
		d.log.Warn("no run begins; those under way go on", "reason", err)
	}
	return reason
}

// thinEvery is how often it is looked for runs that can be thinned.
const thinEvery = 10 * time.Minute

// thin removes from runs that ended long ago what they need only to go on, until ctx ends.
func (d *Daemon) thin(ctx context.Context) {
	if d.o.Storage.Keep == 0 {
		return
	}
	for tick := time.NewTicker(thinEvery); ; {
		for _, r := range d.mirror.records() {
			if !r.State.Final() || time.Since(r.Ended) < d.o.Storage.Keep {
				continue
			}
			if err := d.thinRun(ctx, r); err != nil && ctx.Err() == nil {
				d.log.Warn("a run that ended long ago keeps all that it has", "run", r.ID, "reason", err)
			}
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// ThinnedEvent is the kind of the event that tells what was removed from a run directory.
const ThinnedEvent = "thinned"

// ThinnedData is what it says.
type ThinnedData struct {
	Removed []string `json:"removed"` // within the run directory
	Bytes   int64    `json:"bytes"`
}

// thinRun removes the checkpoints of a run and all versions of its network but the newest and the
// one that its results name. It removes nothing from a run that somebody works on.
func (d *Daemon) thinRun(ctx context.Context, r *queue.Record) error {
	folder := d.Folder(r.ID)
	names, err := superfluous(folder)
	if err != nil || len(names) == 0 {
		return err
	}
	lock := flock.New(filepath.Join(folder, run.LockFile))
	free, err := lock.TryLock()
	if err != nil || !free {
		return err
	}
	defer lock.Close()
	// It may have been submitted again meanwhile.
	now, err := d.queue.Get(ctx, r.ID)
	if err != nil {
		return err
	}
	if !now.State.Final() || now.Submission != r.Submission {
		return nil
	}
	removed := ThinnedData{}
	var faults []error
	for _, name := range names {
		path := filepath.Join(folder, name)
		bytes, err := disk.Size(path)
		if err == nil {
			err = os.RemoveAll(path)
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		removed.Removed, removed.Bytes = append(removed.Removed, name), removed.Bytes+bytes
	}
	d.log.Info("a run that ended long ago was thinned (storage.keep); its results stay", "run", r.ID, "ended", r.Ended, "removed", removed.Removed, "mb", removed.Bytes>>20)
	return errors.Join(append(faults, d.queue.Emit(ctx, r.ID, ThinnedEvent, removed))...)
}

// superfluous lists what a run directory holds that only a run needs that goes on.
func superfluous(folder string) (names []string, err error) {
	if _, err := os.Stat(filepath.Join(folder, run.CheckpointFolder)); err == nil {
		names = append(names, run.CheckpointFolder)
	}
	named := ""
	if s, err := report.ReadSummary(filepath.Join(folder, report.SummaryFile)); err == nil && s.Network != nil {
		named = filepath.Base(s.Network.Bundle)
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err // which version its results name nobody knows
	}
	networks, err := os.ReadDir(filepath.Join(folder, run.ModelsFolder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, network := range networks {
		name := filepath.Join(run.ModelsFolder, network.Name())
		entries, err := os.ReadDir(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		var versions []int
		for _, entry := range entries {
			if v, err := strconv.Atoi(entry.Name()); err == nil && entry.IsDir() {
				versions = append(versions, v)
			}
		}
		slices.Sort(versions)
		for i, v := range versions {
			if version := strconv.Itoa(v); i < len(versions)-1 && version != named {
				names = append(names, filepath.Join(name, version))
			}
		}
	}
	return names, nil
}
