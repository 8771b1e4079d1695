package sampler

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestBinnedCoverage repeats a small run of a system without a unit of energy, whose levels are bins, with many seeds: the
// deviations of canonical energies from the exact ones have the mean zero and are distributed as their errors
// say, by the estimators that runs use and for bins of several widths, up to the largest inverse temperature for which
// averages are made.
func TestBinnedCoverage(t *testing.T) {
	repetitions, side, passes := long.Or(*coverageRuns, 12), long.Or(4, 3), long.Or(1000, 200)
	betas := []float64{0.5, 1, 2}
	enumerate := func(s lattice.System) *dos.Density {
		d, err := exact.Density(context.Background(), s, time.Minute)
		if err != nil || d == nil {
			t.Fatal(err)
		}
		return d
	}
	newSystem := func(bin float64) *lattice.Terms {
		s, err := lattice.NewBlumeCapelInBins(1.9655, bin, side, side)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	fine := enumerate(newSystem(1e-3))
	for _, width := range long.Or([]float64{0.1, 0.5, 1}, []float64{0.5, 1}) {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			s := newSystem(width)
			binned := enumerate(s)
			type tally struct{ mean, sum, square, n float64 }
			tallies := map[string][]tally{"transitions": make([]tally, len(betas)), "histogram": make([]tally, len(betas))}
			for seed := range repetitions {
				e, err := New(Options{System: s, Seed: uint64(seed), Walkers: 64, Local: local.HeatBath, Sweeps: 2})
				if err != nil {
					t.Fatal(err)
				}
				for name, d := range binnedEstimates(t, production(t, e, passes), s) {
					estimates, err := d.Canonical(betas)
					if err != nil {
						t.Fatal(err)
					}
					for k, c := range estimates {
						off := c.Energy - binned.At(c.Beta).Energy
						z, sum := off/c.EnergyError, &tallies[name][k]
						sum.n++
						sum.mean += off
						sum.sum += z
						sum.square += z * z
					}
				}
			}
			for k, beta := range betas {
				if beta > binned.Reach() {
					continue
				}
				// What bins leave out.
				if a, b := binned.At(beta).Energy, fine.At(beta).Energy; math.Abs(a-b) > 1e-3*math.Abs(b) {
					t.Errorf("beta = %v: energy of bins %v, of single energies %v", beta, a, b)
				}
				for name, all := range tallies {
					x := all[k]
					mean, square := x.sum/x.n, x.square/x.n
					t.Logf("beta = %v, %s: off by %.5f per site, %.2f(%.2f) errors in the mean, mean square %.2f", beta, name, x.mean/x.n/float64(side*side), mean, math.Sqrt(square/x.n), square)
					if more := 1 / math.Sqrt(x.n); math.Abs(mean) > 4*more || square < 1-5*more || square > 1+6*more {
						t.Errorf("beta = %v, %s: %.2f errors in the mean, mean square %.2f", beta, name, mean, square)
					}
				}
			}
		})
	}
}

// binnedEstimates are the estimates of runs by name.
func binnedEstimates(t *testing.T, samples *Samples, s lattice.System) map[string]*dos.Ensemble {
	t.Helper()
	histogram, _, err := samples.Density()
	if err != nil {
		t.Fatal(err)
	}
	transitions, err := dos.FromPinnedTransitions(lattice.Energies(s), lattice.Changes(s), samples.Transitions(), s.LnStates(), exact.Pins(s), nil)
	if err != nil {
		t.Fatal(err)
	}
	estimates := map[string]*dos.Ensemble{"histogram": histogram, "transitions": transitions.Ensemble}
	for name, d := range estimates {
		m := dos.Measurements{Energy: lattice.Energies(s), Replicas: len(d.Replicas)}
		m.Count, m.Sums = samples.Inside()
		if name == "transitions" {
			m.Of = samples.Groups()
		}
		means, err := m.Means()
		if err != nil {
			t.Fatal(err)
		}
		d.SetBins(lattice.BinWidth(s), means)
	}
	return estimates
}
