package main

import (
	"context"
	"log/slog"
	"time"

	"neuralwl/internal/daemon"
	"neuralwl/internal/systemd"
)

// tellManager tells the service manager that the daemon is ready, once ctx ends that it stops, and
// in between, where there is a watchdog, that it is alive as long as it is, until the function
// that it returns is called.
func tellManager(ctx context.Context, d *daemon.Daemon, log *slog.Logger) (stop func()) {
	tell := func(state string) {
		if err := systemd.Notify(state); err != nil {
			log.Warn("the service manager is not told", "state", state, "reason", err)
		}
	}
	tell(systemd.Ready)
	ended := make(chan struct{})
	go func() {
		var tick <-chan time.Time
		if limit := systemd.WatchdogTime(); limit > 0 {
			ticker := time.NewTicker(limit / 4)
			defer ticker.Stop()
			tick = ticker.C
		}
		for stopping := ctx.Done(); ; {
			select {
			case <-ended:
				return
			case <-stopping:
				stopping = nil
				tell(systemd.Stopping)
			case <-tick:
				if err := d.Alive(context.WithoutCancel(ctx)); err != nil {
					log.Error("the watchdog is not told that the daemon lives", "reason", err)
					continue
				}
				tell(systemd.Watchdog)
			}
		}
	}()
	return func() { close(ended) }
}
