package dos

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// TestUnmeasuredLevels: where levels without a measurement matter, averages are NaN and the
// error names the levels; elsewhere they take the mean of the nearest level.
func TestUnmeasuredLevels(t *testing.T) {
	d := &Density{Energy: []float64{-20, -3, -2, -1, 0}, LnG: []float64{0, 1, 2, 3, 2}}
	m := Measurements{Energy: d.Energy,
		Count: [][]int64{{0, 0, 5, 5, 5}, {0, 0, 4, 6, 5}, {0, 0, 6, 5, 4}},
		Sums:  [][][]float64{{{0, 0, 5, 0, 0}}, {{0, 0, 4, 0, 0}}, {{0, 0, 6, 0, 0}}},
	}
	means, err := m.Means()
	if err != nil {
		t.Fatal(err)
	}
	e := &Ensemble{Density: d, Replicas: []*Density{d, d, d}}
	betas := []float64{-2, -0.6, 0, 2} // shares without a measurement of 4e-4, 0.02, 0.1 and 1
	values, deviations, err := means.Canonical(e, betas, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, word := range []string{"beta = -0.6: levels with 0.021 of the weight", "beta = 0: levels with 0.096 of the weight", "no measurement, E = -20, -3; ", "beta = 2: levels with 1 of the weight", "no measurement, E = -20; "} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in the error: %v", word, err)
		}
	}
	if strings.Contains(err.Error(), "beta = -2:") {
		t.Errorf("error %v", err)
	}
	p, _ := d.Distribution(betas[0])
	if want := p[0] + p[1] + p[2]; !near(values[0][0], want, 1e-14) || !near(deviations[0][0], 0, 1e-14) {
		t.Errorf("%v(%v), want %v", values[0][0], deviations[0][0], want)
	}
	for i := 1; i < 4; i++ {
		if !math.IsNaN(values[i][0]) || !math.IsNaN(deviations[i][0]) {
			t.Errorf("beta = %v: %v(%v)", betas[i], values[i][0], deviations[i][0])
		}
	}
	// If there are many levels, only some are named.
	wide := &Density{}
	for i := range 20 {
		wide.Energy, wide.LnG = append(wide.Energy, float64(i-19)), append(wide.LnG, 1)
	}
	_, _, err = means.Canonical(&Ensemble{Density: wide}, []float64{0}, nil)
	if err == nil || !strings.Contains(err.Error(), "E = -19, -18, -17, -16, -15, -14, -13, -12, 9 more;") {
		t.Errorf("error %v", err)
	}
}

// TestCanonicalUnknownErrors checks that averages are returned even without errors.
func TestCanonicalUnknownErrors(t *testing.T) {
	d := &Density{Energy: []float64{-1, 0}, LnG: []float64{1, 2}}
	means, err := values([4]float64{10, 20, 5, 8}, [4]float64{8, 22, 4, 9}).Means()
	if err != nil {
		t.Fatal(err)
	}
	alone := *means
	alone.Replicas = nil
	whole := &Ensemble{Density: d, Replicas: []*Density{d, d}}
	p, _ := d.Distribution(0.7)
	want := p[0]*17/42 + p[1]*9/18
	for _, c := range []struct {
		e     *Ensemble
		m     *Means
		known bool
	}{{whole, means, true}, {&Ensemble{Density: d}, means, false}, {whole, &alone, false}} {
		v, deviations, err := c.m.Canonical(c.e, []float64{0.7}, nil)
		if err != nil || !near(v[0][0], want, 1e-14) || math.IsNaN(deviations[0][0]) == c.known {
			t.Errorf("%v(%v), want %v; error %v", v, deviations, want, err)
		}
	}
	// Different blocks, and too few observables for an order parameter.
	whole.Replicas = slices.Repeat(whole.Replicas, 2)
	if _, _, err := means.Canonical(whole, []float64{1}, nil); err == nil || !strings.Contains(err.Error(), "ln g is from 4 blocks, the measurements from 2") {
		t.Errorf("error %v", err)
	}
	if _, err := means.Order(whole, []float64{1}, 2); err == nil || !strings.Contains(err.Error(), "m^4 are needed, 1 were measured") {
		t.Errorf("error %v", err)
	}
}

// TestReplicaWithoutMeasurement: a level measured by one block alone is omitted without
// that block, and the average keeps an error.
func TestReplicaWithoutMeasurement(t *testing.T) {
	d := &Density{Energy: []float64{-1, 0}, LnG: []float64{1, 2}}
	means, err := values([4]float64{10, 20, 5, 8}, [4]float64{0, 20, 0, 8}).Means()
	if err != nil {
		t.Fatal(err)
	}
	_, deviations, err := means.Canonical(&Ensemble{Density: d, Replicas: []*Density{d, d}}, []float64{0}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// 0.4 without the first block, (0.4 + e 0.5)/(1 + e) without the second.
	if want := 0.1 * math.E / (1 + math.E) / 2; !near(deviations[0][0], want, 1e-14) {
		t.Errorf("error %v, want %v", deviations[0][0], want)
	}
}
