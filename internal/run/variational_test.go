package run_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/event"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// canonically are settings for a run of a second by a network's draws at temperatures.
var canonically = []string{
	"run.method=van", "system.q=2", "system.size=4x4", "run.betas=[0.4,0.8,1.1]", "run.walkers=128", "model.decoder=32",
	"trainer.learning_rate=5e-3", "van.steps=120", "production.passes=60", "inference.batch=64",
}

// TestVariational finds the exact averages at all temperatures within errors.
func TestVariational(t *testing.T) {
	for name, settings := range map[string][]string{
		"made": nil, "symmetries unused": {"neural.frames=false", "trainer.symmetrise=false"},
		"frames for a network of its own": {"trainer.symmetrise=false"}, "conv": {"model.architecture=conv", "model.width=8", "model.depth=1"},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "made" {
				long.Only(t, "one kind of network is enough")
			}
			folder := filepath.Join(t.TempDir(), "run")
			s := runtest.Perform(t, folder, runtest.With(runtest.With(canonically, settings...), runtest.Drawn)...)
			if len(s.Temperatures) != 3 {
				t.Errorf("%d temperatures", len(s.Temperatures))
			}
			for _, c := range s.Verdict.Checks {
				// Trainings as short as these may leave a few heavy weights.
				if !c.Passed && (c.Name != "tail" || name == "made") {
					t.Errorf("%+v", c)
				}
			}
			d := exacttest.Density(t, 2, 4, 4)
			for _, at := range s.Temperatures {
				c := d.At(at.Beta)
				for what, pair := range map[string][3]float64{
					"ln Z": {at.LnZ.Value, c.LnZ, *at.LnZ.Error}, "F": {16 * at.FreeEnergy.Value, c.FreeEnergy(), 16 * *at.FreeEnergy.Error},
					"U": {16 * at.Energy.Value, c.Energy, 16 * *at.Energy.Error}, "C": {16 * at.SpecificHeat.Value, c.SpecificHeat, 16 * *at.SpecificHeat.Error},
					"S": {16 * at.Entropy.Value, c.Entropy, 16 * *at.Entropy.Error}, "U of chains": {16 * at.ChainEnergy.Value, c.Energy, 16 * *at.ChainEnergy.Error},
				} {
					if z := (pair[0] - pair[1]) / pair[2]; !(math.Abs(z) < 5) {
						t.Errorf("beta %g: %s = %.4f(%.4f), exact %.4f", at.Beta, what, pair[0], pair[2], pair[1])
					}
				}
				if at.Bound.Value > c.LnZ+4**at.Bound.Error || at.FreeEnergyBound.Value < at.FreeEnergy.Value || *at.ExactLnZ != c.LnZ || at.Draws != 60*128 {
					t.Errorf("beta %g: %+v", at.Beta, at)
				}
				if (at.Phases == nil) != (name == "made" || strings.HasPrefix(name, "frames") || name == "conv") || len(at.Drawn) != 2 {
					t.Errorf("beta %g: phases %v, drawn %v", at.Beta, at.Phases, at.Drawn)
				}
			}
			for _, name := range []string{report.TemperaturesFile, report.ObservablesFile, "temperatures.png", "order.png", "energy.svg"} {
				runtest.Read(t, folder, name)
			}
			l, err := report.Load(folder)
			if err != nil || len(l.Temperatures.Rows) != 3 || l.Temperatures.Column("ln_z")[0] == 0 || len(l.Observables.Column("entropy")) != 3 {
				t.Errorf("%v, %+v", err, l)
			}
			if failed, passed := runtest.Verify(t, folder); len(failed) > 0 || passed < 6 {
				t.Errorf("verify: %d checks hold, not %+v", passed, failed)
			}
		})
	}
}

// TestVariationalResumesRun stops and resumes a run at random places, with other numbers of
// threads: all results are the same to the last digit.
func TestVariationalResumesRun(t *testing.T) {
	settings := runtest.With(canonically, "van.steps=30", "production.passes=40", "trainer.export_every=20", "checkpoint.interval=0s")
	folder := t.TempDir()
	reference := runtest.Perform(t, filepath.Join(folder, "reference"), settings...)
	r := rand.New(rand.NewPCG(51, 52))
	for trial := range long.Or(3, 1) {
		path, parts := filepath.Join(folder, fmt.Sprint(trial)), 0
		var s *report.Summary
		for s == nil || s.Interrupted != "" {
			ctx, cancel := context.WithCancelCause(context.Background())
			var err error
			s, err = runtest.Run(ctx, t, run.Options{Folder: path, Listener: runtest.StopAt("", 20+r.IntN(50), cancel)},
				runtest.With(settings, fmt.Sprintf("run.workers=%d", 1+r.IntN(4)))...)
			if err != nil {
				t.Fatal(err)
			}
			cancel(nil)
			parts++
		}
		if parts < 4 || len(s.Resumptions) != parts-1 {
			t.Errorf("trial %d: %d parts", trial, parts)
		}
		for _, name := range []string{report.DensityFile, report.ObservablesFile, report.TemperaturesFile} {
			if !bytes.Equal(runtest.Read(t, folder, "reference", name), runtest.Read(t, path, name)) {
				t.Errorf("trial %d: %s differs from that of the undisturbed run after %d resumptions", trial, name, len(s.Resumptions))
			}
		}
		if !bytes.Equal(runtest.Read(t, reference.Network.Bundle, "log_prob.onnx"), runtest.Read(t, s.Network.Bundle, "log_prob.onnx")) || len(s.Phases) != len(reference.Phases) {
			t.Errorf("trial %d: network or phases differ from those of the undisturbed run", trial)
		}
	}
}

// TestVariationalEndsEarly stops a run while the network learns for the first temperature, and while
// it learns for the second and makes its burn-in, of which there is no result yet.
func TestVariationalEndsEarly(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	for _, c := range []struct {
		phase                sampler.Phase
		passes, temperatures int
	}{{"", 60, 0}, {"", 170, 1}, {sampler.BurnIn, 2, 1}} {
		ctx, cancel := context.WithCancelCause(context.Background())
		temperatures := c.temperatures
		s, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: runtest.StopAt(c.phase, c.passes, cancel)}, canonically...)
		if err != nil {
			t.Fatal(err)
		}
		if s.Verdict.Converged || len(s.Temperatures) != temperatures || s.Interrupted == "" || s.Levels.Seen == 0 {
			t.Errorf("%d temperatures, levels %+v, verdict %+v", len(s.Temperatures), s.Levels, s.Verdict)
		}
		if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
			t.Errorf("verify: %+v", failed)
		}
		if again, err := finish(t, folder); err != nil || len(again.Temperatures) != temperatures {
			t.Errorf("nwl finish: %+v, %v", again, err)
		}
		cancel(nil)
	}
}

// TestVariationalSchedule lets the learning rate fall at every temperature anew, and counts the passes
// of all temperatures.
func TestVariationalSchedule(t *testing.T) {
	passes := int64(0)
	o := run.Options{Folder: filepath.Join(t.TempDir(), "run"), Listener: event.Listener{Pass: func(e event.Pass) {
		if passes++; e.Sight.Passes != passes {
			t.Errorf("pass %d is called number %d", passes, e.Sight.Passes)
		}
	}}}
	s, err := runtest.Run(context.Background(), t, o, runtest.With(canonically, "van.steps=20", "production.passes=20", "trainer.every=1")...)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := trainer.ReadLossTable(runtest.Read(t, s.Network.Bundle, trainer.LossFile))
	if err != nil || len(rows) != 60 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		// The rate of a row is that of its step: 5e-3 in the first half and then falling.
		switch at := i % 20; {
		case at < 10 && r.Rate != 5e-3, at > 11 && !(r.Rate < rows[i-1].Rate), at == 19 && r.Rate > 4e-4:
			t.Errorf("step %d has the learning rate %g", r.Step, r.Rate)
		}
	}
}

// TestVariationalLimits shares run.max_time and run.max_moves among the temperatures.
func TestVariationalLimits(t *testing.T) {
	const passes, updates = 90, 90 * 128 * 16 // of all phases together
	for _, limit := range []string{"run.max_time=1500ms", fmt.Sprintf("run.max_moves=%d", updates)} {
		folder := filepath.Join(t.TempDir(), "run")
		s := runtest.Perform(t, folder, runtest.With(canonically, "van.steps=1000000", "production.passes=0", limit)...)
		productions := 0
		for _, p := range s.Phases {
			if p.Name == sampler.Production {
				productions++
			}
		}
		// An annealing whose time was over before its first pass is not listed.
		if len(s.Temperatures) != 3 || productions != 3 || strings.Contains(limit, "moves") && len(s.Phases) != 6 || s.Seconds > 30 {
			t.Errorf("%s: %d temperatures, phases %+v, %.1f s", limit, len(s.Temperatures), s.Phases, s.Seconds)
		}
		for _, p := range s.Phases {
			if strings.Contains(limit, "moves") && (p.Passes < passes/6-2 || p.Passes > passes/6+1) { // less a burn-in
				t.Errorf("%s: %d passes of %s, want %d of each phase", limit, p.Passes, p.Name, passes/6)
			}
		}
		if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
			t.Errorf("%s: verify: %+v", limit, failed)
		}
		if _, err := finish(t, folder); err != nil {
			t.Errorf("%s: nwl finish: %v", limit, err)
		}
	}
}

// TestVariationalCollapses trains a network deep in the ordered phase at once: it finds one of the
// phases. The verdict says so, and with frames the result is right.
func TestVariationalCollapses(t *testing.T) {
	deep := runtest.With(canonically, "run.betas=[]", "run.beta=2.2", "van.anneal=0", "van.steps=250", "trainer.learning_rate=3e-2")
	folder := t.TempDir()
	s := runtest.Perform(t, filepath.Join(folder, "own"), runtest.With(deep, "neural.frames=false", "trainer.symmetrise=false")...)
	at := s.Temperatures[0]
	if s.Verdict.Converged || math.Abs(at.LnZ.Value-*at.ExactLnZ+math.Ln2) > 0.05 || at.Effective < 0.5*float64(at.Draws) {
		t.Errorf("drawn %v, ln Z %v, exact %.4f, verdict %+v", at.Drawn, at.LnZ, *at.ExactLnZ, s.Verdict)
	}
	for _, c := range s.Verdict.Checks {
		if failing := c.Name == "phases" || c.Name == "tangents"; c.Passed == failing {
			t.Errorf("%+v", c)
		}
	}
	s = runtest.Perform(t, filepath.Join(folder, "frames"), runtest.With(deep, "trainer.symmetrise=false")...)
	at = s.Temperatures[0]
	if math.Abs(at.LnZ.Value-*at.ExactLnZ) > 0.02 || max(at.Drawn[0], at.Drawn[1]) < 0.98 || s.Verdict.Remark == "" {
		t.Errorf("with frames: drawn %v, ln Z %v, exact %.4f, verdict %+v", at.Drawn, at.LnZ, *at.ExactLnZ, s.Verdict)
	}
}

// TestVariationalGiven samples with a network that another run has trained, without training it, and
// extends production. Several temperatures cannot be extended.
func TestVariationalGiven(t *testing.T) {
	folder := t.TempDir()
	trained := runtest.Perform(t, filepath.Join(folder, "trained"), canonically...)
	given := runtest.With(canonically, "run.betas=[]", "run.beta=1.1", "trainer.every=0", "model.bundle="+trained.Network.Bundle)
	path := filepath.Join(folder, "given")
	runtest.Perform(t, path, given...)
	s := runtest.Perform(t, path, runtest.With(given, "production.passes=90")...)
	if at := s.Temperatures[0]; at.Draws != 90*128 || math.Abs(at.LnZ.Value-*at.ExactLnZ) > 5**at.LnZ.Error || s.Network.Training.Steps != trained.Network.Training.Steps {
		t.Errorf("%+v, %d steps", at, s.Network.Training.Steps)
	}
	whole := filepath.Join(folder, "whole")
	runtest.Perform(t, whole, runtest.With(given, "production.passes=90")...)
	if len(s.Phases) == 0 || s.Phases[0].Name != sampler.Production {
		t.Errorf("phases %+v", s.Phases)
	}
	_, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(folder, "trained")}, runtest.With(canonically, "production.passes=90")...)
	if err == nil || !strings.Contains(err.Error(), "at most the last of several temperatures") {
		t.Errorf("several temperatures were extended: %v", err)
	}
}
