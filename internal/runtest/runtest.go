// Package runtest makes small runs for tests and reads what they leave.
package runtest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/event"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/verify"
	"neuralwl/sampler"
)

// Quick are settings for runs of a second or less. They draw no figures, which would take as long as all the rest; see Drawn.
var Quick = []string{
	"system.q=3", "system.size=4x4", "run.walkers=64", "run.workers=2", "local.sweeps=2",
	"wang_landau.final_ln_f=1e-4", "production.passes=600", "metrics.listen=",
	"model.encoder=16", "model.latent=4", "model.decoder=16", "trainer.batch=32", "trainer.every=2",
	"report.figures=false",
}

// Drawn is the setting of a run whose figures are looked at.
const Drawn = "report.figures=true"

// Brief are settings, beside Quick, for a run of some 60 Wang-Landau and 63 production
// passes, each with a few evaluations of the network and every fifth followed by an export.
var Brief = []string{
	"run.walkers=48", "run.moves=[local, neural]", "wang_landau.final_ln_f=2e-3", "production.passes=60",
	"inference.batch=24", "trainer.export_every=5", "checkpoint.interval=0s",
}

// With returns settings with more of them behind, which take precedence.
func With(settings []string, more ...string) []string { return slices.Concat(settings, more) }

// Load returns the configuration of Quick and further settings.
func Load(t testing.TB, settings ...string) *config.Config {
	t.Helper()
	provider := "inference.provider=" + string(onnxtest.Runtime(1).Provider)
	c, err := config.Load("", With(append([]string{provider}, Quick...), settings...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Run makes a run of Quick and further settings in o.Folder, or the rest of one that was begun
// there, with changed settings. Where o leaves it open, the test's output is the log, and no
// file is forced to disk.
func Run(ctx context.Context, t testing.TB, o run.Options, settings ...string) (*report.Summary, error) {
	t.Helper()
	path := filepath.Join(o.Folder, report.ConfigFile)
	if _, err := os.Stat(path); err == nil {
		o.Resume = true
		if o.Config, err = config.Load(path, settings); err != nil {
			t.Fatal(err)
		}
	} else {
		o.Config = Load(t, settings...)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if o.FS == nil {
		o.FS = faulty.FS{}
	}
	return run.Run(ctx, o)
}

// Perform is Run for a run that comes to its end.
func Perform(t testing.TB, folder string, settings ...string) *report.Summary {
	t.Helper()
	s, err := Run(context.Background(), t, run.Options{Folder: folder}, settings...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Log returns a log and what is in it.
func Log(level slog.Level) (*slog.Logger, *bytes.Buffer) {
	var text bytes.Buffer
	return slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: level})), &text
}

// Read returns the content of a file, whose path it joins.
func Read(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// StopAt cancels a run after some passes of a phase, of any phase if that is empty.
func StopAt(phase sampler.Phase, passes int, cancel context.CancelCauseFunc) event.Listener {
	return event.Listener{Pass: func(e event.Pass) {
		if phase != "" && e.Progress.Phase != phase {
			return
		}
		if passes--; passes == 0 {
			cancel(errors.New("stopped by the test"))
		}
	}}
}

// Verify lists the checks of a run directory that do not hold, and counts those that do.
func Verify(t testing.TB, folder string) (failed []report.Check, passed int) {
	t.Helper()
	checks, err := verify.Run(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range checks {
		if c.Passed {
			passed++
		} else {
			failed = append(failed, c)
		}
	}
	return failed, passed
}
