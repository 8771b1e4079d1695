package run_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// TestShards makes runs in shards. Without a network and windows columns of walkers have nothing in
// common, so that the results are those of a run that is not divided, to the last digit; else they
// agree with the exact ones within errors. The checks of the run directory hold.
func TestShards(t *testing.T) {
	t.Parallel()
	alone := []string{"run.moves=local", "run.walkers=40"}
	folder := t.TempDir()
	runtest.Perform(t, filepath.Join(folder, "1"), alone...)
	want := runtest.Read(t, folder, "1", report.DensityFile)
	for name, settings := range map[string][]string{
		"alone":      runtest.With(alone, "run.shards=7"),
		"windows":    {"run.moves=local", "windows.count=2", "run.shards=4"},
		"rounds":     {"run.moves=local", "windows.count=2", "run.shards=4", "run.round=3"},
		"iterations": {"run.moves=local", "run.method=multicanonical", "run.shards=5", "run.round=1"},
		"network":    {"run.moves=[local, neural]", "model.architecture=microcanonical", "model.width=8", "model.window=3", "run.shards=4"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "network" {
				long.Only(t, "600 passes with a network; TestShardsApart has one")
			}
			path := filepath.Join(folder, name)
			s := runtest.Perform(t, path, settings...)
			if same := bytes.Equal(want, runtest.Read(t, path, report.DensityFile)); name == "alone" && !same {
				t.Error("the results differ from those of a run that is not divided")
			}
			d, err := dos.ReadFile(filepath.Join(path, report.DensityFile))
			if err != nil {
				t.Fatal(err)
			}
			if square := meanSquare(t, d); s.Exact == nil || s.Exact.RMS > 0.1 || square < 0.1 || square > 6 {
				t.Errorf("mean square of %.2f errors from the exact result, %+v", square, s.Exact)
			}
			if failed, passed := runtest.Verify(t, path); len(failed) > 0 || passed == 0 {
				t.Errorf("%d checks hold, others do not: %v", passed, failed)
			}
			if p := s.Phases[len(s.Phases)-1]; p.Passes != 600 || p.Moves["local"].Trials == 0 {
				t.Errorf("production: %+v", p)
			}
		})
	}
}

// TestShardsFinish makes the results of a run in shards that was stopped, from its checkpoint alone:
// they are those that it made itself.
func TestShardsFinish(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	settings := []string{"run.moves=local", "run.shards=3", "windows.count=2"}
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: runtest.StopAt(sampler.Production, 200, cancel)}, settings...); err != nil {
		t.Fatal(err)
	}
	want := runtest.Read(t, folder, report.DensityFile)
	c, err := config.Load(filepath.Join(folder, report.ConfigFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Finish(t.Context(), run.Options{Config: c, Folder: folder}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, runtest.Read(t, folder, report.DensityFile)) {
		t.Error("the results from the checkpoint are others")
	}
	// Another number of shards is another run.
	c.Run.Shards = 4
	if _, err := run.Run(t.Context(), run.Options{Config: c, Folder: folder, Resume: true}); err == nil || !strings.Contains(err.Error(), "run.shards") {
		t.Error(err)
	}
}

// TestShardsSwap refuses another network in production that is divided.
func TestShardsSwap(t *testing.T) {
	t.Parallel()
	requests, answers := make(chan run.Swap, 1), make(chan event.NetworkSwapped, 1)
	listener := event.Listener{Pass: func(e event.Pass) {
		if e.Progress.Phase == sampler.Production && e.Progress.Passes == 5 {
			requests <- run.Swap{Bundle: "pretrained/potts-q10", Restart: true, Reply: func(e event.NetworkSwapped) { answers <- e }}
		}
	}}
	settings := runtest.With(runtest.Brief, "run.shards=2")
	if _, err := runtest.Run(t.Context(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Listener: listener, Swaps: requests}, settings...); err != nil {
		t.Fatal(err)
	}
	if e := <-answers; e.Err == nil || !strings.Contains(e.Err.Error(), "run.shards") {
		t.Errorf("%+v", e)
	}
}

// TestShardsRefused tells what cannot be divided.
func TestShardsRefused(t *testing.T) {
	for setting, want := range map[string]string{
		"run.shards=0":             "run.shards: 0 is below",
		"run.shards=65":            "run.shards: 65, but 64 walkers in 1 windows can be divided into 32 at most",
		"run.round=-1":             "run.round: -1 is below",
		"run.round=2 run.shards=1": "there is one shard",
		"run.max_time=1m":          "set production.passes",
		"run.max_moves=1000000":    "set production.passes",
		"run.method=van run.moves=neural run.beta=0.1": "no walkers to divide",
	} {
		settings := runtest.With(runtest.Quick, append([]string{"run.moves=local", "run.shards=2"}, strings.Fields(setting)...)...)
		if _, err := config.Load("", settings); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", setting, err, want)
		}
	}
}
