package repository_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/repository"
	"neuralwl/models"
)

var planar = models.System{Model: models.XY, Sides: []int{4, 2}}

// flow returns a tiny network of angles, in a version of its own for every factor.
func flow(t testing.TB, half bool, factor float32) *exporter.Bundle {
	t.Helper()
	h := models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2}, Half: half}
	b := bundletest.New(t, models.Flow, planar, h)
	bundletest.Scale(t, b, map[string]float32{"layer.0.output.weight": 3 * factor, "layer.1.output.weight": 3 * factor})
	return b
}

// angleInputs draws what ProposeAngles takes.
func angleInputs(m int, half bool, r *rand.Rand) repository.AngleInputs {
	in := repository.AngleInputs{Beta: make([]float32, m), Uniform: make([]float32, m*planar.Sites())}
	for k := range in.Beta {
		in.Beta[k] = r.Float32()
	}
	if half {
		in.State = make([]float32, len(in.Uniform))
	}
	for i := range in.Uniform {
		in.Uniform[i] = r.Float32()
		if half {
			in.State[i] = 6 * r.Float32()
		}
	}
	return in
}

// TestAngles serves networks of angles, exchanges them, and refuses one that lies.
func TestAngles(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, flow(t, false, 1), "flow")
	add(t, folder, flow(t, true, 1), "half")
	r := open(t, folder, repository.Options{Concurrency: 2})
	n := planar.Sites()
	for name, half := range map[string]bool{"flow": false, "half": true} {
		load(t, r, name)
		h := acquire(t, r, name)
		const m = 200 // two pieces
		in := angleInputs(m, half, rand.New(rand.NewPCG(1, 2)))
		proposal, drawn, err := h.ProposeAngles(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		of := repository.AngleInputs{State: proposal, Beta: in.Beta}
		evaluated, err := h.LogProbAngles(context.Background(), of)
		if err != nil || !slices.Equal(drawn, evaluated) || len(drawn) != m || len(proposal) != m*n {
			t.Errorf("%s: %d angles with %d ln q, which differ (%v)", name, len(proposal), len(drawn), err)
		}
		uniform := math.Log(2*math.Pi) * float64(n)
		if math.Abs(float64(slices.Max(drawn))+uniform) < 0.01 {
			t.Errorf("%s: uniform angles", name)
		}
		// A row depends on no other.
		some := repository.AngleInputs{Beta: in.Beta[150:153], Uniform: in.Uniform[150*n : 153*n]}
		if half {
			some.State = in.State[150*n : 153*n]
		}
		again, q, err := h.ProposeAngles(context.Background(), some)
		if err != nil || !slices.Equal(again, proposal[150*n:153*n]) || !slices.Equal(q, drawn[150:153]) {
			t.Errorf("%s: rows alone give something else (%v)", name, err)
		}
		h.Release()
	}

	h := acquire(t, r, "flow")
	defer h.Release()
	in := angleInputs(3, false, rand.New(rand.NewPCG(1, 2)))
	_, first, err := h.ProposeAngles(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(in *repository.AngleInputs){
		`input "beta" has 2 elements`:  func(in *repository.AngleInputs) { in.Beta = in.Beta[:2] },
		`row 0 is -1`:                  func(in *repository.AngleInputs) { in.Beta = []float32{-1, 1, 1} },
		`the network does not take it`: func(in *repository.AngleInputs) { in.State = in.Uniform },
		`allowed is [0,1)`:             func(in *repository.AngleInputs) { in.Uniform = slices.Repeat([]float32{1}, 24) },
	} {
		wrong := in
		change(&wrong)
		if _, _, err := h.ProposeAngles(context.Background(), wrong); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, _, err := h.Propose(context.Background(), repository.ProposeInputs{}); err == nil || !strings.Contains(err.Error(), "it draws angles") {
		t.Errorf("colours of a network of angles: %v", err)
	}

	// Another version is exchanged for the first, which those who have it keep.
	add(t, folder, flow(t, false, 2), "flow")
	load(t, r, "flow")
	other := acquire(t, r, "flow")
	defer other.Release()
	_, kept, err := h.ProposeAngles(context.Background(), in)
	_, second, err2 := other.ProposeAngles(context.Background(), in)
	if err != nil || err2 != nil || !slices.Equal(kept, first) || slices.Equal(second, first) || other.Ref().Version != 2 {
		t.Errorf("ln q %v, then %v, of version %v %v (%v, %v)", first, kept, other.Ref(), second, err, err2)
	}
	lie := flow(t, false, 1)
	bundletest.Offset(lie, 0.1)
	add(t, folder, lie, "flow")
	if _, err := r.Load(context.Background(), "flow"); err == nil || !strings.Contains(err.Error(), "derivatives of its angles") {
		t.Errorf("a network that lies: %v", err)
	}
}
