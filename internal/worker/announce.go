package worker

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/telemetry"
)

// announce says every Renew what there is of the worker, and hears what it is told, until ctx
// ends.
func (o *worker) announce(ctx context.Context) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := o.Queue.Withhold(ctx, o.Self); err != nil {
			o.Log.Info("the queue will notice that the worker has ended", "reason", err)
		}
	}()
	for tick := time.NewTicker(o.Renew); ; {
		o.announceOnce(ctx)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		case <-o.changed:
		}
	}
}

func (o *worker) announceOnce(working context.Context) {
	ctx, cancel := context.WithTimeout(working, o.Renew)
	defer cancel()
	told, err := o.Queue.Told(ctx, o.Self.Name)
	switch {
	case working.Err() != nil: // the worker ends
		return
	case err != nil:
		o.Log.Warn("the worker does not hear whether it is to drain", "reason", err)
	default:
		o.drain(told.Drain, told.Now)
	}
	w := *o.Self
	w.Running, w.Draining = o.room.running(), o.draining.Load()
	w.CPUSeconds, w.Resident = processesUse()
	w.Said = o.said.last()
	if err := o.Queue.Announce(ctx, &w); err != nil && ctx.Err() == nil {
		o.Log.Warn("the worker is not heard of", "reason", err)
	}
}

// drain has the worker take no new jobs, or take them again; at once also the runs under way end
// in order and go back.
func (o *worker) drain(drain, now bool) {
	if was := o.draining.Swap(drain); was != drain {
		o.Log.Info("the worker was told", "drain", drain, "now", now)
	}
	if drain && now {
		o.holds.returnAll()
	}
}

// kick has the worker say at once what there is of it.
func (o *worker) kick() {
	select {
	case o.changed <- struct{}{}:
	default: // it will
	}
}

// processesUse is the processor time that this process and its children have taken, and the memory that
// they have, where the system has /proc.
func processesUse() (seconds float64, resident int64) {
	seconds, resident = telemetry.ProcessUse("self")
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, path := range tasks {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for _, pid := range strings.Fields(string(text)) {
			if _, err := strconv.Atoi(pid); err == nil {
				s, r := telemetry.ProcessUse(pid)
				seconds, resident = seconds+s, resident+r
			}
		}
	}
	return seconds, resident
}
