package trainer_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"neuralwl/internal/bundletest"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
	"neuralwl/trainer"
)

// TestLearningTargets trains a network that takes energies on states of a
// flat-histogram run under the exact weights. What is left of the loss beyond
// ln g(B) + ln(2w+1), the relative entropy of the states of a level and the targets
// in the window to the network's proposals, must become small: it is several nats at
// the beginning, and none for a perfect network.
func TestLearningTargets(t *testing.T) {
	t.Run(models.Raster, func(t *testing.T) { learningTargets(t, models.Raster, 4, 0.6) })
	t.Run(models.Checkerboard, func(t *testing.T) { learningTargets(t, models.Checkerboard, 4, 1.2) })
	t.Run(models.Diagonal, func(t *testing.T) { learningTargets(t, models.Diagonal, 5, 1) })
}

// learningTargets asks for at most that many nats on a lattice of that side.
func learningTargets(t *testing.T, order string, side int, most float64) {
	s := models.System{Q: 3, Sides: []int{side, side}}
	p, err := lattice.NewPotts(s.Q, s.Sides[0], s.Sides[1])
	if err != nil {
		t.Fatal(err)
	}
	exact := exacttest.Density(t, 3, side, side)
	lnG := slices.Repeat([]float64{math.NaN()}, p.Levels())
	mean := 0.0
	for k, x := range exact.LnG {
		lnG[-int(exact.Energy[k])] = x
		mean += x / float64(exact.Len())
	}
	h := models.Hyperparameters{Width: 16, Floor: 1e-4, Window: 2, Order: order}
	b := bundletest.New(t, models.Microcanonical, s, h)
	var first float64
	tr, err := trainer.New(trainer.Options{System: p, Seed: 1, Batch: 64, LearningRate: 5e-3, Events: trainer.Events{Step: func(s trainer.StepInfo) {
		if first == 0 {
			first = s.Loss
		}
	}}}, b, onnxtest.Store(t, b), onnxtest.Runtime(1))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	e, err := sampler.New(sampler.Options{System: p, Seed: 2, Walkers: 64, Local: local.HeatBath, LnG: lnG})
	if err != nil {
		t.Fatal(err)
	}
	e.Produce()
	for pass := range 400 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i := range e.Walkers() {
			tr.Remember(e.State(i))
		}
		if pass >= 100 {
			if err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	entropy := func(loss float64) float64 { return loss - mean - math.Log(float64(2*h.Window+1)) }
	t.Logf("%.2f nats at the beginning, %.2f over the last hundred of %d steps", entropy(first), entropy(tr.Record().Loss), tr.Record().Steps)
	if entropy(first) < 3 || entropy(tr.Record().Loss) > most || entropy(tr.Record().Loss) < 0 {
		t.Errorf("%.2f nats at the beginning, %.2f in the end", entropy(first), entropy(tr.Record().Loss))
	}
}
