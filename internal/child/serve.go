package child

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/curve"
	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/internal/job"
	"neuralwl/internal/live"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/telemetry"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// handover is how long a child waits for another process to leave the run directory: that of a
// daemon that was killed is gone in a moment.
const handover = 10 * time.Second

// claim is the child's claim to its folder. A lease that was held when this one began is over
// after the queue's silence, and whoever had it gone a moment later.
func (t Task) claim(log *slog.Logger) run.Claim {
	c := run.Claim{Wait: handover, Log: log}
	if of := t.Tenure; of != nil {
		c.Epoch, c.Wait = of.Epoch, time.Duration(of.Silence*float64(time.Second))+leaving
	}
	return c
}

// leaving is how long a process takes to end.
const leaving = 2 * time.Second

// Orphaned is the exit code of a child whose parent is gone.
const Orphaned = 9

// Serve performs the task that in brings and reports to out; log gets the run's log. It
// returns the exit code of nwl run, and ends the process when in ends.
func Serve(in io.Reader, out io.Writer, version string, log *slog.Logger) int {
	lines := json.NewDecoder(bufio.NewReader(in))
	var task Task
	w := &reporter{began: time.Now(), out: json.NewEncoder(out), live: live.New(log), recorder: telemetry.NewRecorder()}
	w.live.Telemetry = w.recorder
	if err := lines.Decode(&task); err != nil {
		w.say(Failed, FailedData{Error: "the task cannot be read: " + err.Error()})
		return 1
	}
	if task.Probe {
		w.say(Probed, probe())
		return 0
	}
	w.folder = task.Folder
	fs, extend := hold(task, log)
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	swaps, over := make(chan run.Swap), make(chan struct{})
	go func() {
		for {
			var order Order
			if err := lines.Decode(&order); err != nil {
				// A run that goes on is bit by bit the same as one that was killed, and another
				// process may be about to take it up.
				os.Exit(Orphaned)
			}
			if order.End != "" {
				end(&run.Stop{Reason: order.End, By: time.Now().Add(time.Duration(order.Within * float64(time.Second)))})
			}
			if order.Until > 0 {
				extend(order.Until)
			}
			if o := order.Swap; o == nil {
				continue
			} else if !task.isRun() {
				w.say(Answer, AnswerData{o.Number, SwappedData{Name: o.Name, Fault: run.SwapNoNetwork,
					Error: fmt.Sprintf("a job of the kind %s has no network that could be exchanged", task.Work)}})
			} else {
				go w.swap(*o, swaps, over)
			}
		}
	}()
	if task.Work == job.WorkShard {
		return task.serveShard(ctx, fs, version, log, w)
	}
	switch k, err := other(task.Work); {
	case err != nil:
		w.say(Failed, FailedData{Error: err.Error()})
		return 1
	case k != nil:
		return k.serve(ctx, task, fs, version, log, w)
	}
	s, err := perform(ctx, task, fs, swaps, version, log, w)
	close(over)
	switch {
	case errors.Is(err, run.ErrDivided): // as it has said
		return 4
	case err != nil:
		w.say(Failed, FailedData{err.Error(), errors.Is(err, run.ErrEarly)})
		return 1
	case s.Interrupted != "":
		return 4
	case !s.Verdict.Converged:
		return 3
	}
	return 0
}

// perform begins the run of a task or goes on with it.
func perform(ctx context.Context, task Task, fs disk.FS, swaps <-chan run.Swap, version string, log *slog.Logger, w *reporter) (*report.Summary, error) {
	o := run.Options{
		Folder: task.Folder, Workers: task.Workers, Version: version, Log: log, Swaps: swaps, FS: fs, Machine: task.Class, Divide: task.Divide,
		Listener: event.Tee(w.recorder.Listener(), w.live.Listener(), w.listener()), Evaluated: w.recorder.Evaluated,
	}
	claim := task.claim(log)
	o.Wait, o.Epoch = claim.Wait, claim.Epoch
	if task.Curve {
		o.Listener = event.Tee(o.Listener, curve.New(log).Listener())
	}
	path := filepath.Join(task.Folder, report.ConfigFile)
	_, err := os.Stat(path)
	switch {
	case err == nil:
		o.Resume = true
		o.Config, err = config.Load(path, task.Changes)
	case errors.Is(err, os.ErrNotExist) && len(task.Changes) > 0: // it was changed before it ever began
		o.Config, err = config.Compose([]byte(task.Config), task.Changes)
	case errors.Is(err, os.ErrNotExist):
		o.Config, err = config.Parse([]byte(task.Config))
	}
	if err != nil {
		return nil, err
	}
	return run.Run(ctx, o)
}

// reporter writes reports. Faults of writing do not matter: a parent that is gone also ends the
// input.
type reporter struct {
	mutex  sync.Mutex
	out    *json.Encoder
	folder string // the run directory
	pass   PassData
	made   int64     // passes of this process
	began  time.Time // of the task
	last   time.Time // of a report of passes
	live   *live.Recorder

	recorder *telemetry.Recorder // which hears of everything first
	counted  time.Time           // when it last reported
}

func (w *reporter) say(kind Kind, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		text, _ = json.Marshal(FailedData{Error: fmt.Sprintf("a report cannot be written: %v", err)})
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.out.Encode(Report{kind, text})
}

// within is a path within the run directory, which others have elsewhere, with slashes; empty for none.
func (w *reporter) within(path string) string {
	if path == "" {
		return ""
	}
	name, err := filepath.Rel(w.folder, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(name)
}

// count reports counts.
func (w *reporter) count() {
	w.counted = time.Now()
	w.say(Counts, w.recorder.Snapshot())
}

func (w *reporter) listener() event.Listener {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	return event.Listener{
		RunBegan: func(e event.RunBegan) {
			w.say(Began, BeganData{e.System, e.Method, e.Seed, e.Walkers, e.Architecture, e.Provider, e.Resumed})
			w.count()
		},
		PhaseBegan: func(e event.PhaseBegan) {
			w.say(Phase, PhaseData{string(e.Phase), e.Helpers})
			w.count()
		},
		Pass: func(e event.Pass) { w.passed(e) },
		GradientStep: func(e trainer.StepInfo) {
			if !e.Dropped {
				w.pass.Steps++
				w.pass.Loss = finite(e.Loss)
			}
		},
		CheckpointWritten: func(e event.CheckpointWritten) {
			w.say(Checkpoint, CheckpointData{w.made, e.Bytes, e.Took.Seconds(), text(e.Err)})
		},
		NetworkSwapped: func(e event.NetworkSwapped) {
			w.say(Swapped, swapped(e))
			w.count()
		},
		BundleExported: func(e event.BundleExported) { w.say(Exported, ExportedData{w.within(e.Folder), e.Steps, text(e.Err)}) },
		PhaseEnded: func(e event.PhaseEnded) {
			if e.Progress.Phase == sampler.Production {
				w.say(Evaluating, struct{}{})
				w.count()
			}
		},
		RunEnded: func(e event.RunEnded) {
			w.count()
			if e.Err == nil {
				w.say(Ended, EndedData{e.Converged, e.Failed, e.Interrupted, e.Seconds, e.Divided})
			}
		},
	}
}

// swap passes an order on to the run and reports its answer, unless the run is over.
func (w *reporter) swap(o SwapOrder, swaps chan<- run.Swap, over <-chan struct{}) {
	select {
	case swaps <- run.Swap{Bundle: o.Bundle, Name: o.Name, Restart: o.Restart, Reply: func(e event.NetworkSwapped) {
		w.say(Answer, AnswerData{o.Number, swapped(e)})
	}}:
	case <-over: // as the parent sees
	}
}

// swapped is an exchange of the network as it is reported.
func swapped(e event.NetworkSwapped) SwappedData {
	d := SwappedData{
		Name: e.Name, Pass: e.Pass, Stage: e.Stage, Digest: e.Digest, Training: e.Training, Restarted: e.Restarted, Dropped: e.Dropped,
		Replayed: e.Replayed, LoadingSeconds: e.Took.Seconds(), PauseSeconds: e.Pause.Seconds(),
	}
	if e.Err != nil {
		d.Error, d.Fault = e.Err.Error(), run.SwapFailed
		if fault := (*run.SwapError)(nil); errors.As(e.Err, &fault) {
			d.Fault = fault.Fault
		}
	}
	return d
}

// due reports whether it is time for a report of passes, which then has to follow.
func (w *reporter) due() bool {
	now := time.Now()
	if now.Sub(w.last) < min(passMost, max(passLeast, time.Duration(passShare*float64(now.Sub(w.began))))) {
		return false
	}
	w.last = now
	return true
}

// passed reports a pass, if it is time.
func (w *reporter) passed(e event.Pass) {
	w.made++
	if !w.due() {
		return
	}
	p := e.Progress
	d := &w.pass
	d.Phase, d.Passes, d.Done, d.LnF, d.Flatness = string(p.Phase), p.Passes, finite(e.Done), finite(p.LnF), finite(p.Flatness)
	d.Levels, d.RoundTrips, d.Acceptance, d.Left = p.Levels, p.RoundTrips, finite(e.Acceptance), w.recorder.Left()
	if bins, known := w.live.ByRegion(); known {
		d.Regions = bins[:]
	}
	w.say(Pass, *d)
	if time.Since(w.counted) >= countsInterval {
		w.count()
	}
}

// finite is x, or 0 if JSON cannot hold it.
func finite(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
