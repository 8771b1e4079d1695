package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/event"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/sampler"
)

func newWait() *cobra.Command {
	c := &cobra.Command{
		Use:   "wait ID",
		Short: "Show the progress of a run, or of a group, until it ends",
		Long: `Show the progress of a run until it has ended or is paused, and then its results. Ctrl-C ends this
command, not the run. Of a group it waits for all members: 1 is then that some failed, 3 that some did not
converge, and 4 that some are paused or cancelled.

` + waitCodes,
		Args: arguments(cobra.ExactArgs(1)),
	}
	askingAboutRuns(c, func(c *cobra.Command, client *api.Client, ids []string) error {
		return eitherOr(func() error { return awaitRun(c, client, ids[0]) }, func() error { return awaitGroup(c, client, ids[0]) })
	})
	return c
}

// waitCodes are the exit codes of commands that wait for a run.
const waitCodes = `Exit codes are those of nwl run: 0 converged; 3 ended as planned but not converged; 4 paused or
cancelled; 1 failed; 2 wrong command line; and 130 if Ctrl-C ended the waiting.`

// awaitRun shows a run until it comes to rest, and its results.
func awaitRun(c *cobra.Command, client *api.Client, id string) error {
	ctx, stop := interruptible(c.Context())
	defer stop()
	r, err := follow(ctx, client, id)
	if ctx.Err() != nil {
		slog.Info("the run goes on without this command", "come_back_with", "nwl wait "+id)
		return unfinished{code: exitDetached}
	}
	if err != nil {
		return err
	}
	if err := printResults(c, client, r); err != nil {
		return err
	}
	switch r.State {
	case job.Failed:
		return fmt.Errorf("%s failed: %s", r.ID, r.Reason)
	case job.Paused, job.Cancelled:
		slog.Info("the run is "+string(r.State), "go_on_with", "nwl resume "+r.ID)
		return unfinished{code: exitInterrupted}
	}
	if r.Outcome != nil && r.Outcome.Code != 0 {
		return unfinished{code: r.Outcome.Code}
	}
	return nil
}

// rests reports whether nothing happens to a run by itself any more.
func rests(s job.State) bool { return s.Final() || s == job.Paused }

// errRests ends the following of a run.
var errRests = errors.New("the run rests")

// follow shows how a run goes on until it rests, and returns it then.
func follow(ctx context.Context, client *api.Client, id string) (*api.Run, error) {
	r, err := client.Get(ctx, id)
	if err != nil || rests(r.State) {
		return withFiles(ctx, client, r, err)
	}
	show := newRemote()
	defer show.end(false)
	if r.Waits != "" {
		slog.Info("the run waits", "run", id, "for", r.Waits)
	}
	if err := client.Events(ctx, id, r.Event, contact(id), func(e api.Event) error {
		if e.Kind == queue.StateEvent {
			var d queue.StateData
			if err := json.Unmarshal(e.Data, &d); err != nil {
				return fmt.Errorf("an event cannot be read: %w", err)
			}
			slog.Info("state", "run", id, "state", d.State, "reason", d.Reason)
			if rests(d.State) {
				return errRests
			}
			return nil
		}
		return show.event(e)
	}); err != nil && !errors.Is(err, errRests) {
		return nil, err
	}
	if r, err = client.Get(ctx, id); err == nil {
		show.end(r.State == job.Done)
	}
	return withFiles(ctx, client, r, err)
}

// withFiles waits until the daemon has all files of a run that rests.
func withFiles(ctx context.Context, client *api.Client, r *api.Run, err error) (*api.Run, error) {
	for err == nil && r.Bringing {
		select {
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-time.After(bringing):
		}
		r, err = client.Get(ctx, r.ID)
	}
	return r, err
}

// bringing is how often it is asked whether the files of a run are there.
const bringing = 200 * time.Millisecond

// contact logs whether the daemon answers.
func contact(id string) func(error) {
	return func(err error) {
		if err != nil {
			slog.Warn("the daemon is unreachable; the run may well go on, and so does this command when the daemon answers", "run", id, "reason", err)
		} else {
			slog.Info("the daemon answers again", "run", id)
		}
	}
}

// remote shows a run by its events, as nwl run shows its own.
type remote struct {
	listener event.Listener
	state    *state
	ended    bool
}

func newRemote() *remote {
	r := &remote{}
	r.listener, r.state = showProgress(slog.LevelInfo)
	r.listener.EnsureDefaults()
	return r
}

// end ends the display, of a run that is complete or not.
func (r *remote) end(complete bool) {
	if r.ended {
		return
	}
	r.ended = true
	e := event.RunEnded{}
	if !complete {
		e.Interrupted = "it is not complete"
	}
	r.listener.RunEnded(e)
	logTo(slog.LevelInfo) // no longer above bars
}

// event shows one event.
func (r *remote) event(e api.Event) error {
	read := func(data any) error {
		if err := json.Unmarshal(e.Data, data); err != nil {
			return fmt.Errorf("event %s of %s cannot be read: %w", e.Kind, e.Run, err)
		}
		return nil
	}
	switch child.Kind(e.Kind) {
	case child.Began:
		var d child.BeganData
		if err := read(&d); err != nil {
			return err
		}
		slog.Info("run begins", "method", d.Method, "system", d.System, "walkers", d.Walkers, "seed", d.Seed, "resumed", d.Resumed)
	case child.Phase:
		var d child.PhaseData
		if err := read(&d); err != nil {
			return err
		}
		slog.Info("phase begins", "phase", d.Phase)
	case child.Pass:
		var d child.PassData
		if err := read(&d); err != nil {
			return err
		}
		r.state.Lock()
		r.state.steps, r.state.loss = d.Steps, d.Loss
		r.state.Unlock()
		r.listener.Pass(event.Pass{Done: d.Done, Progress: sampler.Progress{
			Phase: sampler.Phase(d.Phase), Passes: d.Passes, LnF: d.LnF, Flatness: d.Flatness, Levels: d.Levels, RoundTrips: d.RoundTrips,
		}})
	case child.Checkpoint:
		var d child.CheckpointData
		if err := read(&d); err != nil {
			return err
		}
		if d.Error != "" {
			slog.Warn("no checkpoint; the one before is kept, and the run continues", "reason", d.Error)
		}
	case child.Swapped:
		var d child.SwappedData
		if err := read(&d); err != nil {
			return err
		}
		if err := d.Err(); err != nil {
			slog.Warn("the network was not exchanged", "network", d.Name, "reason", err)
		} else {
			slog.Info("the network was exchanged", "network", d.Name, "stage", d.Stage, "pass", d.Pass)
		}
	case child.Evaluating:
		slog.Info("results are made")
	}
	return nil
}
