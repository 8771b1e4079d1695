package inverse

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// TestTargets: every level has a target within the window, and several where it is wide.
func TestTargets(t *testing.T) {
	for _, c := range []struct{ levels, window, least int }{{19, 0, 1}, {19, 1, 3}, {33, 3, 6}, {513, 8, 4}} {
		all := targets(c.levels, c.window)
		for level := range c.levels {
			n := 0
			for _, target := range all {
				if target-level <= c.window && level-target <= c.window {
					n++
				}
			}
			if n < c.least {
				t.Errorf("%+v: level %d has %d targets", c, level, n)
			}
		}
	}
}

// TestEstimate compares the estimate from an untrained network, which knows nothing, with
// the exact numbers of states, in units of its errors.
func TestEstimate(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 3, Sides: []int{3, 3}}
	p, err := lattice.NewPotts(s.Q, s.Sides[0], s.Sides[1])
	if err != nil {
		t.Fatal(err)
	}
	exact := exacttest.Density(t, 3, 3, 3)
	for _, c := range []struct {
		architecture string
		window       int
	}{{models.Microcanonical, 0}, {models.Microcanonical, 1}, {models.Microcanonical, 4}, {models.Made, 0}} {
		window := c.window
		h := models.Hyperparameters{Width: 8, Window: window, Floor: 0.05}
		if c.architecture == models.Made {
			h = models.Hyperparameters{Decoder: 8, Floor: 0.05}
		}
		done := 0.0
		o := Options{
			System: p, Bundle: bundletest.New(t, c.architecture, s, h), Runtime: inference.Runtime{Provider: inference.CPU, Workers: 2},
			Part: 128, Seed: 3, Draws: 60_000, Observe: func(_ string, d float64) { done = d },
		}
		a, err := Estimate(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		difference, err := dos.Compare(a.Density, exact)
		if err != nil || len(difference.MissingA) > 0 || len(difference.MissingB) > 0 {
			t.Fatalf("%s, window %d: %+v, %v", c.architecture, window, difference, err)
		}
		square := 0.0
		for i := range exact.Energy {
			z := (a.LnG[i] - exact.LnG[i]) / a.Error[i]
			square += z * z / float64(exact.Len())
			if !(math.Abs(z) < 4) || window > 0 && a.Effective[i] < 10 {
				t.Errorf("%s, window %d: ln g(%g) = %.4f(%.4f), exact %.4f, %.0f effective draws", c.architecture, window, exact.Energy[i], a.LnG[i], a.Error[i], exact.LnG[i], a.Effective[i])
			}
		}
		z := (a.LnTotal - p.LnStates()) / a.LnTotalError
		t.Logf("%s, window %d: rms difference %.4f, mean square deviation %.2f errors squared, sum off by %.1f errors", c.architecture, window, difference.RMS, square, z)
		if square > 2.5 || math.Abs(z) > 4 || done != 1 {
			t.Errorf("%s, window %d: mean square deviation %.2f errors squared, sum off by %.1f errors, %v done", c.architecture, window, square, z, done)
		}
	}
}

func TestEstimateErrors(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 3, Sides: []int{3, 3}}
	p, err := lattice.NewPotts(s.Q, s.Sides[0], s.Sides[1])
	if err != nil {
		t.Fatal(err)
	}
	o := Options{System: p, Bundle: bundletest.New(t, "autoencoder", s, models.Hyperparameters{Encoder: 2, Latent: 2, Decoder: 2, Floor: 0.1}), Part: 64}
	if _, err := Estimate(context.Background(), o); err == nil || !strings.Contains(err.Error(), "depend on a state") {
		t.Errorf("autoencoder: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := errors.New("stopped by the test")
	cancel(stopped)
	o.Bundle = bundletest.New(t, models.RBM, s, models.Hyperparameters{Hidden: 3, GibbsSteps: 1})
	if _, err := Estimate(context.Background(), o); err == nil || !strings.Contains(err.Error(), "the network tiny (rbm) is unnormalised") {
		t.Errorf("%v", err)
	}
	o.Bundle = bundletest.New(t, models.Microcanonical, s, models.Hyperparameters{Width: 2, Window: 1, Floor: 0.1})
	o.Runtime = inference.Runtime{Provider: inference.CPU, Workers: 1}
	if _, err := Estimate(ctx, o); !errors.Is(err, stopped) {
		t.Errorf("cancelled: %v", err)
	}
}
