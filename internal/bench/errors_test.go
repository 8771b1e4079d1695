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
	results, err := bench.Errors(t.Context(), bench.ErrorOptions{Seeds: 2, Options: bench.Options{
		System: p, Seed: 1, LnG: lnG, Bundle: n, Runtime: onnxtest.Runtime(1), Part: 16,
		Walkers: 32, LocalWalkers: 32, Time: 500 * time.Millisecond, Mixes: []bench.Mix{{Mix: config.Mix{Sweeps: 5, Trials: 1}}, {Mix: config.Mix{Sweeps: 2}, Cluster: true}},
	}})
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
		if r.Seconds < 0.5 {
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
}
