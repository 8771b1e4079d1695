package report_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/exacttest"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/dos"
)

// observables reads observables.csv, a slice per column; NaN stands for an empty field.
func observables(t *testing.T, folder string) map[string][]float64 {
	t.Helper()
	l, err := report.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string][]float64{}
	for _, name := range l.Observables.Columns {
		columns[name] = l.Observables.Column(name)
	}
	return columns
}

// TestObservables compares observables.csv with what follows from dos.csv and, in units
// of the errors, with the exact result, and the transition with that of the exact
// density of states.
func TestObservables(t *testing.T) {
	const q, n = 10., 16.
	folder := filepath.Join(t.TempDir(), "run")
	s := runtest.Perform(t, folder, "run.moves=local", "system.q=10", "wang_landau.final_ln_f=1e-5", "production.passes=300", runtest.Drawn)
	d, err := dos.ReadFile(filepath.Join(folder, report.DensityFile))
	if err != nil {
		t.Fatal(err)
	}
	exact := exacttest.Density(t, 10, 4, 4)
	columns := observables(t, folder)
	betas := columns["beta"]
	infinite := math.Log(1 + math.Sqrt(q))
	if !slices.IsSorted(betas) || math.Abs(betas[len(betas)/2]-infinite) > 1e-14 || math.Abs(betas[0]*1.4-infinite) > 1e-14 {
		t.Errorf("beta from %v over %v to %v", betas[0], betas[len(betas)/2], betas[len(betas)-1])
	}
	for i, beta := range betas {
		if math.Abs(columns["temperature"][i]*beta-1) > 1e-15 {
			t.Errorf("beta = %v, temperature %v", beta, columns["temperature"][i])
		}
		c, want := d.At(beta), exact.At(beta)
		for _, x := range []struct {
			name        string
			value, want float64
		}{
			{"energy", c.Energy, want.Energy}, {"specific_heat", c.SpecificHeat, want.SpecificHeat},
			{"free_energy", c.FreeEnergy(), want.FreeEnergy()}, {"entropy", c.Entropy, want.Entropy},
		} {
			got, deviation := columns[x.name][i], columns[x.name+"_error"][i]
			if math.Abs(got-x.value/n) > 1e-12 {
				t.Errorf("beta = %v: %s = %v, from %s %v", beta, x.name, got, report.DensityFile, x.value/n)
			}
			if z := (got - x.want/n) / deviation; !(math.Abs(z) < 5) || deviation > 0.05*max(1, math.Abs(got)) {
				t.Errorf("beta = %v: %s = %v(%v), exact %v", beta, x.name, got, deviation, x.want/n)
			}
		}
	}

	truth, err := exact.Coexistence(infinite, 6, q)
	if err != nil {
		t.Fatal(err)
	}
	maximum, err := exact.HeatMaximum([]float64{1.2, 1.25, 1.3, 1.35, 1.4, 1.45})
	if err != nil {
		t.Fatal(err)
	}
	zero, err := exact.LeadingZero()
	if err != nil {
		t.Fatal(err)
	}
	got := s.Transition
	if got.Infinite != infinite || got.Coexistence == nil || got.Zero == nil || len(got.Remarks) > 0 {
		t.Fatalf("transition %+v", got)
	}
	for _, text := range []string{"cut between the phases", "equal weight, beta = " + got.Coexistence.EqualWeight.String(), "microcanonical"} {
		if !bytes.Contains(runtest.Read(t, folder, "phases.svg"), []byte(text)) {
			t.Errorf("no %q in phases.svg", text)
		}
	}
	for name, x := range map[string]struct {
		got  dos.Estimate
		want float64
	}{
		"specific heat maximum": {*got.HeatMaximum, maximum.Beta},
		"height":                {*got.Height, maximum.Height / n},
		"equal height":          {got.Coexistence.EqualHeight, truth.EqualHeight},
		"equal weight":          {got.Coexistence.EqualWeight, truth.EqualWeight},
		"state weight":          {got.Coexistence.StateWeight, truth.StateWeight},
		"latent heat":           {got.Coexistence.LatentHeat, truth.LatentHeat / n},
		"interface tension":     {got.Coexistence.InterfaceTension, truth.Barrier / 4},
		"real part":             {got.Zero.Real, real(zero)},
		"imaginary part":        {got.Zero.Imaginary, imag(zero)},
	} {
		if x.got.Error == nil || !(math.Abs(x.got.Value-x.want) < 4.5**x.got.Error) {
			t.Errorf("%s: %v, exact %v", name, x.got, x.want)
		}
	}
}

// orderColumns of observables.csv.
var orderColumns = []string{"order_parameter", "susceptibility", "fourth_order_cumulant"}

// TestObservablesWithoutProduction: a run stopped in the Wang-Landau phase has values
// and no errors. With two colours there is one phase transition and one peak.
func TestObservablesWithoutProduction(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(errors.New("over"))
	folder := filepath.Join(t.TempDir(), "run")
	s, err := run.Run(ctx, run.Options{
		Config: runtest.Load(t, "run.moves=local", "system.q=2", "wang_landau.final_ln_f=1e-7"), Folder: folder,
		Listener: runtest.StopAt("", 200, cancel),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, column := range observables(t, folder) {
		for _, x := range column {
			if math.IsNaN(x) != (strings.HasSuffix(name, "_error") || slices.Contains(orderColumns, name)) {
				t.Fatalf("%s: %v", name, column)
			}
		}
	}
	got := s.Transition
	if got.HeatMaximum == nil || got.HeatMaximum.Error != nil || got.Coexistence != nil || len(got.Remarks) != 1 {
		t.Errorf("transition %+v", got)
	}
}

func TestEstimateString(t *testing.T) {
	deviation := func(x float64) *float64 { return &x }
	for want, e := range map[string]dos.Estimate{
		"1.41421":     {Value: math.Sqrt2},
		"1.4142(21)":  {Value: math.Sqrt2, Error: deviation(0.0021)},
		"1.414(10)":   {Value: math.Sqrt2, Error: deviation(0.0101)},
		"-3.1(12)":    {Value: -math.Pi, Error: deviation(1.234)},
		"314.2(51.0)": {Value: 100 * math.Pi, Error: deviation(51)},
		"0":           {Error: deviation(0)},
	} {
		if got := e.String(); got != want {
			t.Errorf("%v is written as %q, want %q", e.Value, got, want)
		}
	}
}

// TestCanonicalRun compares a run at one temperature with the exact averages, there and
// at its neighbours, and finds that it does not pretend to know free energies.
func TestCanonicalRun(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	s := runtest.Perform(t, folder, "run.method=canonical", "run.beta=1.1", "system.q=10", "system.size=4x16", "production.passes=2000")
	exact := exacttest.Density(t, 10, 4, 16)
	const n = 64
	if !s.Verdict.Converged || len(s.Phases) != 1 || s.GroundState != nil || s.Transition != nil {
		t.Errorf("summary %+v", s)
	}
	want := exact.At(1.1)
	for name, x := range map[string]struct {
		got  dos.Estimate
		want float64
	}{"energy": {s.Canonical.Energy, want.Energy / n}, "specific heat": {s.Canonical.SpecificHeat, want.SpecificHeat / n}} {
		if z := (x.got.Value - x.want) / *x.got.Error; !(math.Abs(z) < 4) || *x.got.Error > 0.02*math.Abs(x.want) {
			t.Errorf("%s %v, exact %v", name, x.got, x.want)
		}
	}
	columns := observables(t, folder)
	if len(columns["beta"]) != 41 || columns["beta"][20] != 1.1 {
		t.Errorf("beta %v", columns["beta"])
	}
	for i, beta := range columns["beta"] {
		if z := (columns["energy"][i] - exact.At(beta).Energy/n) / columns["energy_error"][i]; !(math.Abs(z) < 4.5) {
			t.Errorf("beta %v: energy %v(%v), exact %v", beta, columns["energy"][i], columns["energy_error"][i], exact.At(beta).Energy/n)
		}
	}
	for _, name := range []string{"free_energy", "free_energy_error", "entropy", "entropy_error"} {
		if columns[name] != nil {
			t.Errorf("there is a column %s", name)
		}
	}
	d, err := dos.ReadFile(filepath.Join(folder, report.DensityFile))
	if err != nil || math.Abs(dos.LogSumExp(d.LnG)) > 1e-9 {
		t.Errorf("ln of the sum of g is %v (%v)", dos.LogSumExp(d.LnG), err)
	}
}
