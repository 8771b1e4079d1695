package report_test

import (
	"bytes"
	"image/png"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"neuralwl/internal/exacttest"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
)

// TestCanonical compares canonical runs at infinite, positive and negative temperature with
// exact averages, at their own and at neighbouring temperatures.
func TestCanonical(t *testing.T) {
	exact := exacttest.Density(t, 3, 6, 6)
	for _, c := range []struct {
		beta  string
		value float64
	}{{"0", 0}, {"0.7", 0.7}, {"-0.5", -0.5}} {
		folder := filepath.Join(t.TempDir(), "run")
		s := runtest.Perform(t, folder, "run.method=canonical", "run.moves=local", "system.size=6x6", "run.beta="+c.beta, "production.passes=2000", runtest.Drawn)
		if s.Canonical == nil || s.Canonical.Beta != c.value || !s.Verdict.Converged {
			t.Fatalf("beta = %s: %+v, %+v", c.beta, s.Canonical, s.Verdict)
		}
		l, err := report.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		betas := l.Observables.Column("beta")
		if !slices.IsSorted(betas) || len(slices.Compact(slices.Clone(betas))) != len(betas) || len(betas) < 10 || !slices.Contains(betas, c.value) {
			t.Errorf("beta = %s: reweighted to %v", c.beta, betas)
		}
		energy, deviation := l.Observables.Column("energy"), l.Observables.Column("energy_error")
		for i, beta := range betas {
			if z := (energy[i] - exact.At(beta).Energy/36) / deviation[i]; !(math.Abs(z) < 5) {
				t.Errorf("beta = %g of %s: energy %g(%g), exact %g", beta, c.beta, energy[i], deviation[i], exact.At(beta).Energy/36)
			}
		}
		for _, name := range []string{"energy.png", "ln_g.png", "order.png"} {
			if _, err := png.Decode(bytes.NewReader(runtest.Read(t, folder, name))); err != nil {
				t.Errorf("beta = %s: %s: %v", c.beta, name, err)
			}
		}
	}
}

// TestShortCanonical makes a run of 20 to 50 autocorrelation times, whose burn-in was too
// short to forget infinite temperature.
func TestShortCanonical(t *testing.T) {
	s := runtest.Perform(t, filepath.Join(t.TempDir(), "run"), "run.method=canonical", "run.moves=local", "system.size=6x6", "run.beta=0.95", "production.passes=60")
	if times := 60 / s.Autocorrelation.Value; times < 20 || times > 50 {
		t.Fatalf("%.0f autocorrelation times: the test shows nothing", times)
	}
	for _, c := range s.Verdict.Checks {
		if c.Passed != (c.Name != "autocorrelation") || c.Passed != (c.Advice == "") {
			t.Errorf("%+v", c)
		}
	}
}
