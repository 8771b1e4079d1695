package worker

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/disk"
)

// excess is why a run is ended that takes more than it may.
type excess struct{ text string }

func (e excess) Error() string { return e.text }

// guard looks after what a run takes, in bytes.
type guard struct {
	memory int64 // that it may take, 0 for no limit
	folder string
	room   int64 // that its directory may take, 0 for no limit
	// every is how often its memory is looked at, folderEvery its directory.
	every, folderEvery time.Duration
}

// guard is the guard of a run that was to need so many bytes of memory, 0 if nobody knows.
func (o *worker) guard(folder string, estimate int64) guard {
	g := guard{folder: folder, room: o.RunBytes, every: 200 * time.Millisecond, folderEvery: 30 * time.Second}
	if estimate > 0 {
		g.memory = 2*estimate + o.SpareMemory
	}
	return g
}

// watch ends a run by end once it takes more than it may, until it has finished. A kernel that
// runs out of memory all the same is to take the run and not the daemon.
func (g guard) watch(pid int, end context.CancelCauseFunc, finished <-chan struct{}, log *slog.Logger) {
	offer(pid)
	tick := time.NewTicker(g.every)
	defer tick.Stop()
	for looked := time.Now(); ; {
		select {
		case <-finished:
			return
		case <-tick.C:
		}
		if taken, err := resident(pid); g.memory > 0 && err == nil && taken > g.memory {
			end(excess{fmt.Sprintf("it took %d MB of memory and may take %d, twice what it was to need and some; go on with it with a larger memory", taken>>20, g.memory>>20)})
			return
		}
		if g.room == 0 || time.Since(looked) < g.folderEvery {
			continue
		}
		looked = time.Now()
		if taken, err := disk.Size(g.folder); err != nil {
			log.Warn("the run directory cannot be measured", "reason", err)
		} else if taken > g.room {
			end(excess{fmt.Sprintf("its directory took %d MB and may take %d (storage.run_megabytes); make room in it or raise the limit, and go on with it", taken>>20, g.room>>20)})
			return
		}
	}
}

// resident is the resident size of a process in bytes, where the system has /proc.
func resident(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %q", pid, text)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// offer lets Linux take a process before others when memory runs out; elsewhere it does nothing.
func offer(pid int) { _ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0) }
