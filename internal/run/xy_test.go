package run_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"neuralwl/internal/live"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// ring are settings of the XY model on a ring of ten sites.
var ring = []string{"system.model=xy", "system.q=0", "system.size=10x1", "system.bin=0.25", "run.method=wang-landau", "run.moves=local", "local.move=metropolis"}

// TestXY performs a run of spins with angles: the result is within its errors of the exact one, the verdict and
// nwl verify agree with it, and tables, pictures of configurations and the live picture are made.
func TestXY(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	s := runtest.Perform(t, folder, runtest.With(ring, "production.passes=1500")...)
	if !s.Verdict.Converged || s.Exact == nil || s.Exact.RMS > 0.1 || s.Levels.Known == 0 || s.Estimators == nil || s.Estimators.Exact.RMS > 0.1 {
		t.Errorf("verdict %+v, exact %+v", s.Verdict, s.Exact)
	}
	if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
		t.Errorf("verify: %+v", failed)
	}
	l, err := report.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	// On a ring <m^2> = sum over r of c^r/N, with c = I_1/I_0 and r around it both ways, c^10 being small.
	betas, square := l.Observables.Column("beta"), l.Order.Column("m2")
	helicity, sigma := l.Observables.Column("helicity_modulus"), l.Observables.Column("helicity_modulus_error")
	if len(square) == 0 || len(helicity) != len(betas) || len(l.Observables.Column("order_parameter")) != len(betas) {
		t.Fatalf("columns %v and %v", l.Observables.Columns, l.Order.Columns)
	}
	for i, beta := range betas {
		if want := ringHelicity(beta, 10); beta < 2 && !(math.Abs(helicity[i]-want) < 5*sigma[i]+2e-3) {
			t.Errorf("beta = %.3f: helicity modulus %.4f(%.4f), exact %.4f", beta, helicity[i], sigma[i], want)
		}
	}
	p, err := live.ReadPicture(folder)
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Log(err) // a run without a recorder makes none
	} else if p.Colours != 0 {
		t.Errorf("%+v", p)
	}
}

// ringHelicity is the helicity modulus of a ring of N sites: its partition function with a twist phi is the sum over
// n of I_n(beta)^N cos(n phi), and the modulus N/beta times minus the second derivative of its logarithm.
func ringHelicity(beta float64, sites int) float64 {
	const points = 200
	z, twist := 0.0, 0.0
	for n := -30; n <= 30; n++ {
		i := 0.0
		for k := range points {
			theta := 2 * math.Pi * float64(k) / points
			i += math.Cos(float64(n)*theta) * math.Exp(beta*math.Cos(theta)) / points
		}
		p := math.Pow(i, float64(sites))
		z += p
		twist += float64(n*n) * p
	}
	return float64(sites) / beta * twist / z
}

// TestXYResumes interrupts runs of angles in either phase, by walkers together, in windows and in shards: resumed,
// they end with the same density of states to the last bit.
func TestXYResumes(t *testing.T) {
	for name, settings := range map[string][]string{
		"together": {"local.move=overrelaxation"},
		"windows":  {"windows.count=2", "run.walkers=32"},
		"shards":   {"windows.count=2", "run.walkers=32", "run.shards=3", "run.round=2"},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "shards" {
				long.Only(t, "three runs")
			}
			t.Parallel()
			base := runtest.With(ring, "system.bin=0.5", "run.walkers=32", "wang_landau.final_ln_f=1e-2", "production.passes=40", "checkpoint.interval=0s")
			base = slices.Concat(base, settings)
			stoppedAndResumed(t, base)
		})
	}
}

// stoppedAndResumed makes a run whole, and again in parts that end at pass 7 of either phase: the density of states is
// the same to the last bit.
func stoppedAndResumed(t *testing.T, base []string) {
	t.Helper()
	folder := t.TempDir()
	runtest.Perform(t, filepath.Join(folder, "whole"), base...)
	path := filepath.Join(folder, "parts")
	for _, phase := range []sampler.Phase{sampler.WangLandau, sampler.Production} {
		ctx, cancel := context.WithCancelCause(t.Context())
		runtest.Run(ctx, t, run.Options{Folder: path, Workers: 2, Listener: runtest.StopAt(phase, 7, cancel)}, base...)
		if context.Cause(ctx) == nil {
			t.Fatalf("the run ended before pass 7 of %s", phase)
		}
	}
	runtest.Perform(t, path, base...)
	want, got := runtest.Read(t, folder, "whole", report.DensityFile), runtest.Read(t, path, report.DensityFile)
	if !bytes.Equal(want, got) {
		t.Error("the density of states differs after resumptions")
	}
}
