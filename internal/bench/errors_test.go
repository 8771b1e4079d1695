package bench_test

import (
	"encoding/json"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/bench"
	"neuralwl/internal/config"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/setup"
	"neuralwl/sampler/lattice"
)

// TestErrors measures the heat bath and a mix with a network on a lattice with two phases: as
// many rows as there are estimates, with finite costs, of which those with draws are no larger.
func TestErrors(t *testing.T) {
	onnxtest.Open(t)
	p, err := lattice.NewPotts(10, 4, 16)
	if err != nil {
		t.Fatal(err)
	}
	lnG, err := setup.Levels(exacttest.Density(t, 10, 4, 16), p)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load("", []string{"system.q=10", "system.size=4x16", "model.bundle=pretrained/potts-q10"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := setup.Bundle(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	o := bench.ErrorOptions{Seeds: 2, Options: bench.Options{
		System: p, Seed: 1, LnG: lnG, Bundle: n, Runtime: onnxtest.Runtime(1), Part: 16,
		Walkers: 32, LocalWalkers: 32, Time: 300 * time.Millisecond, Mixes: []bench.Mix{{Mix: config.Mix{Sweeps: 5, Trials: 1}}, {Mix: config.Mix{Sweeps: 2}, Cluster: true}},
	}}
	results, err := bench.Errors(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 4 || results[1].Draws || !results[2].Draws || !strings.Contains(results[2].Moves, "draws joined") || results[3].Moves != "2 sweeps with cluster moves" || results[3].Draws {
		t.Fatalf("%+v", results)
	}
	for _, r := range results {
		for k, c := range r.Cost {
			if k == bench.LnBarrier && math.IsNaN(c.Value) {
				continue // the barrier is low
			}
			if !(c.Value > 0) || !(c.Error >= 0) || math.IsInf(c.Value, 0) || !(c.Ratio > 0) {
				t.Errorf("%s: %s costs %+v", r.Moves, bench.Quantities[k], c)
			}
		}
		if r.Seconds < 0.3 {
			t.Errorf("%s: %g s", r.Moves, r.Seconds)
		}
	}
	if _, err := json.Marshal(results); err != nil {
		t.Error(err)
	}
	training := n.Card.Training.Seconds
	for _, r := range results[1:3] {
		for k, c := range r.Cost {
			base := results[0].Cost[k].Value
			if better := c.Value < base; !math.IsNaN(c.Value) && better == math.IsInf(c.BreakEven, 1) || better && math.Abs(base/c.BreakEven-c.Value/(c.BreakEven-training)) > 1e-9*base {
				t.Errorf("%s: %s breaks even after %g s: costs %g and %g, training %g s", r.Moves, bench.Quantities[k], c.BreakEven, c.Value, base, training)
			}
		}
	}
	if results[0].Cost[0].Ratio != 1 || results[1].Acceptance <= 0 {
		t.Errorf("%+v", results)
	}
	// With shares alone the heat bath under a flat histogram is still what all are compared with.
	o.Seeds, o.Time, o.Shares, o.Mixes = 1, 50*time.Millisecond, []float64{0.5}, o.Mixes[1:]
	if results, err = bench.Errors(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0, 0.5, 0.5} {
		if len(results) != 3 || results[i].PhaseShare != want {
			t.Errorf("%+v", results)
		}
	}
	// Without a pass there is no estimate, and the others are still measured.
	o.Time, o.Shares, o.Mixes = time.Nanosecond, nil, nil
	if results, err = bench.Errors(t.Context(), o); err != nil || len(results) != 1 || results[0].Fault == "" || !math.IsNaN(results[0].Cost[0].Value) {
		t.Errorf("%+v, %v", results, err)
	}
}

// TestErrorMixes checks that an estimate can be made of what moves by default, and that what has no
// transitions is refused before anything is measured.
func TestErrorMixes(t *testing.T) {
	of := func(texts ...string) *bench.ErrorOptions {
		t.Helper()
		o := &bench.ErrorOptions{}
		for _, text := range texts {
			mix, err := bench.ParseMix(text)
			if err != nil {
				t.Fatal(err)
			}
			o.Mixes = append(o.Mixes, mix)
		}
		return o
	}
	if err := of(bench.DefaultErrorMixes...).Validate(); err != nil || len(bench.DefaultErrorMixes) == 0 {
		t.Error(err)
	}
	if _, err := bench.Errors(t.Context(), *of("4:1", "0:8:0.5")); err == nil || !strings.Contains(err.Error(), "8 trials") {
		t.Errorf("without local moves: %v", err)
	}
}
