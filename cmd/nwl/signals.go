package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// oneEnding is how long after a signal others are taken for the same one: batch systems signal
// all processes of a job, and those among them that pass signals on, as timeout does, do so a
// moment later.
const oneEnding = time.Second

// interruptible returns a context that the first of endings cancels, with the signal as the
// cause; one that comes more than oneEnding later has its usual effect. Signals that were ignored when the program
// started, as SIGHUP is under nohup, stay ignored; but not SIGINT, which shells ignore for all
// background jobs of a script, where kill -INT is to have its effect. A reader of the output that goes away,
// as tee does when Ctrl-C ends a whole pipeline, does not end the program. Signals in except are
// left alone.
func interruptible(parent context.Context, except ...os.Signal) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	for _, s := range endings {
		if !slices.Contains(except, s) && (s == os.Interrupt || !signal.Ignored(s)) {
			signal.Notify(signals, s)
		}
	}
	ignoreClosedPipes()
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("interrupted by the signal %q", s))
			time.Sleep(oneEnding)
			signal.Stop(signals)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// unlessClosed is an error of writing to standard output, unless its reader or terminal has
// gone away: the results are in their files.
func unlessClosed(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) || errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EBADF) {
		return nil
	}
	return err
}
