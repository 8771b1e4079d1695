package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/config"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/dos"
)

// TestRun performs runs with every choice of moves and looks at all that they
// leave: the result against the exact one, and every file.
func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		windowed bool // in two windows
		inverse  bool // with an estimate from inverse probabilities
		long     bool // not with -short
		drawn    bool // with figures also with -short, as one run of each kind of them
	}{
		"local":             {settings: []string{"run.moves=local"}, drawn: true},
		"metropolis":        {settings: []string{"run.moves=local", "local.move=metropolis"}},
		"cluster":           {settings: []string{"run.moves=local", "local.move=cluster"}},
		"local and neural":  {settings: []string{"run.moves=[local, neural]"}},
		"neural":            {settings: []string{"run.moves=neural", "wang_landau.final_ln_f=5e-4", "production.passes=1000"}},
		"shifts":            {settings: []string{"model.energy_weight=30", "neural.shift=8", "run.moves=neural", "wang_landau.final_ln_f=2e-4", "production.passes=1500"}, long: true},
		"made":              {settings: []string{"model.architecture=made", "run.moves=[local, neural]"}},
		"conv":              {settings: []string{"model.architecture=conv", "model.width=8", "model.depth=2", "run.moves=[local, neural]"}, long: true},
		"convolutional":     {settings: []string{"model.encoder_kind=convolutional", "model.decoder_kind=convolutional", "model.width=8", "model.depth=1", "run.moves=[local, neural]"}, long: true},
		"microcanonical":    {settings: []string{"model.architecture=microcanonical", "model.width=8", "model.window=3", "run.moves=[local, neural]", "neural.trials=2", "run.walkers=32", "wang_landau.final_ln_f=5e-4", "production.passes=800"}, inverse: true, drawn: true},
		"multicanonical":    {settings: []string{"run.method=multicanonical", "production.passes=1000"}},
		"metadynamics":      {settings: []string{"run.method=metadynamics", "production.passes=1000"}},
		"hills and network": {settings: []string{"run.method=metadynamics", "run.moves=[local, neural]", "metadynamics.bias_factor=-1", "production.passes=1000"}, long: true},
		"multiple gaussian": {settings: []string{"run.method=multiple-gaussian", "windows.count=2", "production.passes=1000"}, windowed: true, long: true},
		"gaussian, network": {settings: []string{"run.method=multiple-gaussian", "run.moves=[local, neural]", "multiple_gaussian.width=3", "production.passes=1000"}, long: true},
		"hills in windows":  {settings: []string{"run.method=metadynamics", "windows.count=2", "production.passes=1000"}, windowed: true, long: true},
		"constant":          {settings: []string{"run.method=wang-landau", "wang_landau.schedule=constant", "wang_landau.ln_f=1e-3", "production.passes=1500"}, long: true},
		"halving":           {settings: []string{"run.method=wang-landau", "wang_landau.schedule=halving", "production.passes=1000"}, long: true},
		"windows":           {settings: []string{"run.method=wang-landau", "windows.count=2", "production.passes=1000"}, windowed: true},
		"all in windows":    {settings: []string{"run.method=multicanonical", "run.moves=[local, neural]", "windows.count=2", "windows.overlap=0.7", "production.passes=1000"}, windowed: true, drawn: true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.long {
				long.Only(t, "2000 passes")
			}
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "run")
			drawn := long.Or(true, c.drawn)
			s := runtest.Perform(t, folder, runtest.With(c.settings, fmt.Sprint("report.figures=", drawn))...)
			if local := s.Phases[0].Moves["local"].Trials > 0; local != (s.Estimators != nil) {
				t.Errorf("local moves: %v, estimators %+v", local, s.Estimators)
			} else if local && (s.Estimators.Exact.RMS > 0.1 || s.Estimators.ErrorRatio > 1) {
				t.Errorf("estimate from transitions: %v", s.Estimators)
			}
			if s.Exact == nil || s.Exact.RMS > 0.1 || len(s.Exact.MissingA) > 0 {
				t.Errorf("difference from the exact density of states: %+v", s.Exact)
			}
			if !s.Verdict.Converged {
				t.Errorf("not converged: %+v", s.Verdict)
			}
			d, err := dos.ReadFile(filepath.Join(folder, report.DensityFile))
			if err != nil {
				t.Fatal(err)
			}
			if total := dos.LogSumExp(d.LnG); math.Abs(total-16*math.Log(3)) > 1e-9 {
				t.Errorf("ln of the sum of g is %v, must be N ln q = %v", total, 16*math.Log(3))
			}
			// Errors of the right size: the mean square deviation from exact in
			// units of them is of the order of 1.
			if z := meanSquare(t, d); z < 0.1 || z > 6 {
				t.Errorf("mean square deviation is %.2f error bars squared", z)
			}
			var onDisk report.Summary
			if err := json.Unmarshal(runtest.Read(t, folder, report.SummaryFile), &onDisk); err != nil {
				t.Fatal(err)
			}
			if onDisk.Exact.RMS != s.Exact.RMS {
				t.Errorf("summary.json has rms %v, the run returned %v", onDisk.Exact.RMS, s.Exact.RMS)
			}
			for _, name := range []string{report.ConfigFile, report.DensityFile, report.SummaryFile, report.ObservablesFile, report.OrderFile} {
				if data := runtest.Read(t, folder, name); bytes.Contains(data, []byte("NaN")) || bytes.Contains(data, []byte("Inf")) {
					t.Errorf("%s holds a NaN or an infinity", name)
				}
			}
			if drawn {
				checkFigures(t, folder, s.Phases[0].Moves["neural"].Trials > 0)
			}
			if c.windowed != (len(s.Windows) == 1) || c.windowed != (s.Phases[1].Moves["exchange"].Acceptance > 0.1) {
				t.Errorf("windows %+v, moves %+v", s.Windows, s.Phases[1].Moves)
			}
			if inverse := s.Inverse; (inverse != nil) != c.inverse {
				t.Errorf("inverse probabilities: %+v", inverse)
			} else if inverse != nil && (inverse.Levels != s.Levels.Seen || inverse.Discrepancy > 3 || math.Abs(inverse.LnTotal.Value-inverse.Known) > 4.5**inverse.LnTotal.Error) {
				t.Errorf("inverse probabilities: %v", inverse)
			} else if header, _, _ := strings.Cut(string(runtest.Read(t, folder, report.DensityFile)), "\n"); strings.Contains(header, "ln_omega") != (inverse != nil) {
				t.Errorf("dos.csv has the columns %s", header)
			}
			if s.Phases[0].Moves["neural"].Trials > 0 {
				if data := runtest.Read(t, folder, report.ProposalsFile); bytes.Count(data, []byte("\n")) != s.Levels.Seen+1 || bytes.Contains(data, []byte("NaN")) {
					t.Errorf("%s:\n%s", report.ProposalsFile, data)
				}
			}
			if s.Phases[0].Moves["neural"].Trials == 0 {
				if s.Network != nil {
					t.Errorf("a network in a run without neural moves: %+v", s.Network)
				}
				return
			}
			if s.Network.Training.Steps == 0 || s.Phases[0].Moves["neural"].Trials == 0 {
				t.Errorf("network %+v, moves %+v", s.Network, s.Phases[0].Moves)
			}
			b, err := exporter.Load(s.Network.Bundle)
			if err != nil {
				t.Fatal(err)
			}
			if b.Card.Training.Steps != s.Network.Training.Steps {
				t.Errorf("the exported bundle has %d steps, the run made %d", b.Card.Training.Steps, s.Network.Training.Steps)
			}
		})
	}
}

// checkFigures reads those of a run, perhaps with proposals.
func checkFigures(t *testing.T, folder string, proposals bool) {
	t.Helper()
	figures := []string{"ln_g", "energy", "order", "states"}
	if proposals {
		figures = append(figures, "proposals")
	}
	for _, name := range figures {
		if _, err := png.Decode(bytes.NewReader(runtest.Read(t, folder, name+".png"))); err != nil {
			t.Errorf("%s.png: %v", name, err)
		}
		svg := runtest.Read(t, folder, name+".svg")
		if !bytes.Contains(svg, []byte("</svg>")) {
			t.Errorf("%s.svg is not complete", name)
		}
		if name != "states" && (bytes.Contains(svg, []byte("NaN")) || bytes.Contains(svg, []byte("Inf"))) { // states has pictures in base64
			t.Errorf("%s.svg holds a NaN or an infinity", name)
		}
	}
}

// meanSquare is the mean of ((ln g - exact)/error)^2 over the levels.
func meanSquare(t *testing.T, d *dos.Density) float64 {
	t.Helper()
	exact := exacttest.Density(t, 3, 4, 4)
	sum := 0.0
	for i := range d.Energy {
		if d.Error[i] == 0 && math.Abs(d.LnG[i]-exact.LnG[i]) < 1e-9 {
			continue // known
		}
		z := (d.LnG[i] - exact.LnG[i]) / d.Error[i]
		sum += z * z / float64(d.Len())
	}
	return sum
}

// TestSameSeed finds the same density of states, to the last bit, for any number
// of workers and from the configuration that a run wrote.
func TestSameSeed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	settings := runtest.With(runtest.Brief, "trainer.export_every=0", "inference.batch=10")
	runtest.Perform(t, filepath.Join(folder, "1"), append(settings, "run.workers=1")...)
	runtest.Perform(t, filepath.Join(folder, "5"), append(settings, "run.workers=5")...)
	want := runtest.Read(t, folder, "1", report.DensityFile)
	if !bytes.Equal(want, runtest.Read(t, folder, "5", report.DensityFile)) {
		t.Error("dos.csv differs between 1 and 5 workers")
	}
	c, err := config.Load(filepath.Join(folder, "1", report.ConfigFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Run(context.Background(), run.Options{Config: c, Folder: filepath.Join(folder, "again"), Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, runtest.Read(t, folder, "again", report.DensityFile)) {
		t.Error("dos.csv differs when the run is repeated from its config.yaml")
	}
	runtest.Perform(t, filepath.Join(folder, "seed"), append(settings, "run.seed=2")...)
	if bytes.Equal(want, runtest.Read(t, folder, "seed", report.DensityFile)) {
		t.Error("another seed gives the same density of states")
	}
}

// TestInterrupted stops runs in both phases: they end in order with what they have
// and say so.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for _, after := range []int{5, 40} {
		ctx, cancel := context.WithCancelCause(context.Background())
		folder := filepath.Join(t.TempDir(), "run")
		s, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: runtest.StopAt("", after, cancel)}, "wang_landau.final_ln_f=0.02", "run.moves=[local, neural]")
		if err != nil {
			t.Fatal(err)
		}
		if s.Verdict.Converged || s.Verdict.Checks[0].Detail != "stopped by the test" {
			t.Errorf("after %d passes: verdict %+v", after, s.Verdict)
		}
		if _, err := dos.ReadFile(filepath.Join(folder, report.DensityFile)); err != nil {
			t.Error(err)
		}
	}
}

// TestBundle starts a run from the network of another one, and refuses a network
// for another system or a damaged one before anything is written but the folder.
func TestBundle(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first := runtest.Perform(t, filepath.Join(folder, "first"), "production.passes=10", "run.moves=neural", "wang_landau.final_ln_f=1e-2")
	second := runtest.Perform(t, filepath.Join(folder, "second"), "production.passes=10", "run.moves=neural", "wang_landau.final_ln_f=1e-2",
		"model.bundle="+filepath.Dir(first.Network.Bundle), "trainer.every=0")
	if second.Network.Training.Steps != first.Network.Training.Steps {
		t.Errorf("training record %+v, want that of the bundle %+v", second.Network.Training, first.Network.Training)
	}
	_, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(folder, "third")}, "system.q=4", "model.bundle="+first.Network.Bundle)
	if err == nil || !strings.Contains(err.Error(), "model.bundle") || !strings.Contains(err.Error(), "q=3") {
		t.Errorf("bundle for another system: %v", err)
	}
	path := filepath.Join(first.Network.Bundle, exporter.LogProbFile)
	data := runtest.Read(t, path)
	data[len(data)/3] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(folder, "fourth")}, "model.bundle="+first.Network.Bundle)
	if err == nil || !strings.Contains(err.Error(), exporter.LogProbFile) {
		t.Errorf("damaged bundle: %v", err)
	}
}

// TestNoStart leaves nothing of a run that cannot start, whose folder is then free.
func TestNoStart(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	for _, folder := range []string{filepath.Join(parent, "new"), t.TempDir()} {
		_, existed := os.Stat(folder)
		for _, c := range []struct{ setting, want string }{
			{"inference.library=/does/not/exist.so", "/does/not/exist.so"},
			{"model.bundle=/does/not/exist", "model.bundle"},
			{"run.start=network", "run.start"},
		} {
			_, err := runtest.Run(context.Background(), t, run.Options{Folder: folder}, "run.moves=[local, neural]", c.setting)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.setting, err)
			}
			if left, err := os.ReadDir(folder); err == nil && existed != nil || len(left) > 0 {
				t.Errorf("%s: left behind are %v", c.setting, left)
			}
		}
		runtest.Perform(t, folder, "run.moves=local", "production.passes=10")
	}
}

// TestFolder refuses a folder that holds a run, and does not touch it.
func TestFolder(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	runtest.Perform(t, folder, "run.moves=local", "production.passes=10")
	before := runtest.Read(t, folder, report.DensityFile)
	_, err := run.Run(context.Background(), run.Options{Config: runtest.Load(t, "run.moves=local", "run.seed=9"), Folder: folder})
	if err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("a folder with a run in it: %v", err)
	}
	if !bytes.Equal(before, runtest.Read(t, folder, report.DensityFile)) {
		t.Error("the run in the folder was touched")
	}
}

// TestTrainingBlowsUp trains with an absurd learning rate: steps are dropped, the
// run goes on and its result is as good as ever.
func TestTrainingBlowsUp(t *testing.T) {
	t.Parallel()
	s := runtest.Perform(t, filepath.Join(t.TempDir(), "run"), "trainer.learning_rate=1e38", "run.moves=[local, neural]")
	if s.Network.Training.Dropped == 0 {
		t.Error("no step was dropped: the test shows nothing")
	}
	if s.Exact.RMS > 0.1 {
		t.Errorf("rms difference from exact %v", s.Exact.RMS)
	}
}

// TestKeep exports the network after every step and keeps few versions, which verify and from
// which the run goes on.
func TestKeep(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	settings := runtest.With(runtest.Brief, "trainer.every=1", "trainer.export_every=1", "checkpoint.interval=1ms")
	interrupted(t, folder, 100, runtest.With(settings, "trainer.keep=2")...)
	if _, err := resume(t, folder); err != nil {
		t.Fatal(err)
	}
	versions, err := filepath.Glob(filepath.Join(folder, "models", "*", "*"))
	if err != nil || len(versions) > 8 || len(versions) < 3 {
		t.Errorf("%d versions are kept: %v", len(versions), versions)
	}
	if len(find(events(t, folder), "old versions of the network were removed (trainer.keep)")) == 0 {
		t.Error("the log does not say what was removed")
	}
	if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
		t.Errorf("verify: %+v", failed)
	}
	all := filepath.Join(t.TempDir(), "run")
	runtest.Perform(t, all, runtest.With(settings, "trainer.keep=0")...)
	if !bytes.Equal(runtest.Read(t, all, report.DensityFile), runtest.Read(t, folder, report.DensityFile)) {
		t.Error("dos.csv depends on trainer.keep")
	}
}
