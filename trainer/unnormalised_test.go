package trainer

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler/lattice"
)

// newMachine returns a trainer of an rbm, and its system and bundle.
func newMachine(t *testing.T, o Options, q, side, hidden int) (*Trainer, *lattice.Potts, *exporter.Bundle) {
	t.Helper()
	b := bundletest.New(t, models.RBM, models.System{Q: q, Sides: []int{side, side}}, models.Hyperparameters{Hidden: hidden, GibbsSteps: 1})
	p, err := lattice.NewPotts(q, side, side)
	if err != nil {
		t.Fatal(err)
	}
	o.System = p
	tr, err := New(o, b, onnxtest.Store(t, b), onnxtest.Runtime(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr, p, b
}

// remember fills the buffer of a trainer with states of all energies.
func remember(tr *Trainer, p *lattice.Potts) {
	r := rand.New(rand.NewPCG(3, 4))
	state := make([]uint8, p.Sites())
	for range 2000 {
		share := r.Float64()
		for i := range state {
			if state[i] = 0; r.Float64() < share {
				state[i] = uint8(r.IntN(p.Q()))
			}
		}
		tr.Remember(state, p.Level(state))
	}
}

// TestContrastGradient compares the gradient of a batch with difference quotients of what it descends, for
// contrastive divergence, regression, and a mixture.
func TestContrastGradient(t *testing.T) {
	for _, share := range []float64{0, 0.3, 1} {
		const batch = 11
		tr, p, b := newMachine(t, Options{Batch: batch, Regression: share}, 3, 4, 5)
		remember(tr, p)
		n := p.Sites()
		lnG, seen := make([]float64, p.Levels()), make([]bool, p.Levels())
		r := rand.New(rand.NewPCG(1, 2))
		for level := range lnG {
			lnG[level], seen[level] = 5*r.NormFloat64(), level%4 > 0
		}
		tr.Target(lnG, seen)
		weights, err := tr.sets.New(tr.next)
		if err != nil {
			t.Fatal(err)
		}
		var lnP []float32
		for range 3 { // the chains move
			if lnP, err = tr.fillContrast(context.Background(), weights); err != nil {
				t.Fatal(err)
			}
		}
		loss := tr.weighContrast(lnP)
		if _, err := tr.gradient.Evaluate(context.Background(), weights, tr.gradients); err != nil {
			t.Fatal(err)
		}
		states, inputs := tr.gradient.State, map[string]graph.Tensor{
			models.State: graph.Int32s(tr.gradient.State, batch, n), models.Start: graph.Zeros(graph.Int32, batch),
		}
		const d = 6
		objective := func() (all, ofStates float64) {
			out, err := reference.Evaluate(b.LogProb, inputs)
			if err != nil {
				t.Fatal(err)
			}
			var known, first []float64
			contrast := 0.0
			for i, x := range out[models.LogQ].Float64s() {
				level := p.BondsInt32(states[i*n : (i+1)*n])
				if i < d {
					contrast -= x / d
				} else {
					contrast += x / (batch - d)
				}
				if seen[level] {
					known = append(known, x+lnG[level])
				}
				if i < d && seen[level] {
					first = append(first, x+lnG[level])
				}
			}
			return share*halfVariance(known) + (1-share)*contrast, halfVariance(first)
		}
		if _, want := objective(); math.Abs(loss-want) > 1e-4*want {
			t.Errorf("loss %v, want %v", loss, want)
		}
		own, err := b.Weights()
		if err != nil {
			t.Fatal(err)
		}
		const step = 1e-4
		for name, w := range own {
			exact := make([]float64, len(w.Float32s()))
			for i, x := range w.Float32s() {
				exact[i] = float64(x)
			}
			inputs[name] = graph.Float64s(exact, w.Shape...)
			for i := 0; i < len(exact); i += 7 {
				at := exact[i]
				exact[i] = at + step
				up, _ := objective()
				exact[i] = at - step
				down, _ := objective()
				exact[i] = at
				if got, want := float64(tr.gradients[name][i]), (up-down)/(2*step); math.Abs(got-want) > 1e-4*max(1, math.Abs(want)) {
					t.Errorf("share %g: derivative by element %d of %s is %v, difference quotient %v", share, i, name, got, want)
				}
			}
			delete(inputs, name)
		}
	}
}

func halfVariance(x []float64) float64 {
	mean, sum := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		sum += (v - mean) * (v - mean) / float64(2*len(x))
	}
	return sum
}

// TestMachineLearns trains on flat-histogram states of the 3x3 lattice by contrastive divergence, by
// regression and by both, and finds the divergence of p, normalised by enumeration, from their distribution
// to fall to a fraction.
func TestMachineLearns(t *testing.T) {
	for _, share := range []float64{0, 0.5, 1} {
		tr, p, b := newMachine(t, Options{Batch: 64, Regression: share, LearningRate: 1e-2, Upright: true}, 2, 3, 24)
		n := p.Sites()
		g := make([]float64, p.Levels())
		states := make([][]uint8, 1<<n)
		for k := range states {
			states[k] = make([]uint8, n)
			for i := range n {
				states[k][i] = uint8(k >> i & 1)
			}
			g[p.Level(states[k])]++
		}
		lnG, seen, occupied := make([]float64, len(g)), make([]bool, len(g)), 0.0
		for level, x := range g {
			if seen[level] = x > 0; seen[level] {
				lnG[level] = math.Log(x)
				occupied++
			}
		}
		for _, s := range states {
			tr.Remember(s, p.Level(s))
		}
		divergence := func() float64 {
			out, err := reference.Evaluate(b.LogProb, map[string]graph.Tensor{
				models.State: graph.Int32s(flatten(states), len(states), n), models.Start: graph.Zeros(graph.Int32, len(states)),
			})
			if err != nil {
				t.Fatal(err)
			}
			sum, kl := 0.0, 0.0
			for k, x := range out[models.LogQ].Float64s() {
				pi := 1 / g[p.Level(states[k])] / occupied
				sum += math.Exp(x)
				kl += pi * (math.Log(pi) - x)
			}
			return kl + math.Log(sum)
		}
		before := divergence()
		tr.Target(lnG, seen)
		for range 600 {
			if err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if err := tr.Export(b); err != nil {
			t.Fatal(err)
		}
		after := divergence()
		t.Logf("regression %g: divergence %.3f before, %.3f after", share, before, after)
		if before < 0.5 || after > 0.5*before || b.Card.Training.Steps != 600 {
			t.Errorf("regression %g: divergence %.3f before, %.3f after %d steps", share, before, after, b.Card.Training.Steps)
		}
	}
}

func flatten(states [][]uint8) (all []int32) {
	for _, s := range states {
		for _, c := range s {
			all = append(all, int32(c))
		}
	}
	return all
}

// TestMachineRestore gives the state of a trainer, with its chains, to another one: both go on alike.
func TestMachineRestore(t *testing.T) {
	step := func(tr *Trainer, steps int) float64 {
		for range steps {
			tr.Target(make([]float64, tr.o.System.Levels()), known(tr.o.System.Levels()))
			if err := tr.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		return tr.Record().Loss
	}
	a, p, _ := newMachine(t, Options{Seed: 1, Batch: 40, Regression: 0.5}, 3, 4, 6)
	b, _, _ := newMachine(t, Options{Seed: 2, Batch: 40, Regression: 0.5}, 3, 4, 6)
	remember(a, p)
	remember(b, p)
	step(b, 7)
	for _, steps := range []int{0, 5} {
		step(a, steps)
		if err := b.Restore(a.Snapshot()); err != nil {
			t.Fatal(err)
		}
		if x, y := step(a, 10), step(b, 10); x != y || x == 0 {
			t.Errorf("after %d steps: loss %v, restored %v", steps, x, y)
		}
	}
	for want, spoil := range map[string]func(*Snapshot){
		"chains: 319 sites, a batch has 320": func(s *Snapshot) { s.Chains = s.Chains[1:] },
		"chains: ":                           func(s *Snapshot) { s.Chains[5] = 3 },
	} {
		s := a.Snapshot()
		spoil(s)
		if err := b.Restore(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func known(levels int) []bool {
	all := make([]bool, levels)
	for i := range all {
		all[i] = true
	}
	return all
}

// TestMachineAdopts goes on with another machine, of the same graphs and of others, which restart their chains.
func TestMachineAdopts(t *testing.T) {
	for _, hidden := range []int{6, 9} {
		tr, p, _ := newMachine(t, Options{Batch: 40}, 3, 4, 6)
		remember(tr, p)
		tr.Target(make([]float64, p.Levels()), known(p.Levels()))
		if err := tr.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		other := bundletest.New(t, models.RBM, models.System{Q: 3, Sides: []int{4, 4}}, models.Hyperparameters{Hidden: hidden, GibbsSteps: 1})
		store, err := inference.OpenStore(other)
		if err != nil {
			t.Fatal(err)
		}
		sessions, _ := inference.Live()
		s, err := tr.Prepare(other, store, onnxtest.Runtime(1), hidden == 6)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.Adopt(s)(); err != nil {
			t.Fatal(err)
		}
		if now, _ := inference.Live(); now != sessions {
			t.Errorf("%d sessions, %d before", now, sessions)
		}
		tr.Target(make([]float64, p.Levels()), known(p.Levels()))
		if err := tr.Step(context.Background()); err != nil || len(tr.good["hidden.bias"].Float32s()) != hidden {
			t.Errorf("%d hidden units: %v", len(tr.good["hidden.bias"].Float32s()), err)
		}
	}
}

// TestMachineRefuses names what cannot be done with an unnormalised network.
func TestMachineRefuses(t *testing.T) {
	tr, _, b := newMachine(t, Options{Batch: 4}, 3, 4, 6)
	if err := tr.Step(context.Background()); err == nil || !strings.Contains(err.Error(), "ln g of 0 levels to learn, the system has 33") {
		t.Errorf("%v", err)
	}
	if err := tr.StepReverse(context.Background(), nil, nil, nil); err == nil || !strings.Contains(err.Error(), "the network is unnormalised") {
		t.Errorf("%v", err)
	}
	o := Options{System: tr.o.System, Batch: 1}
	if _, err := New(o, b, tr.store, onnxtest.Runtime(1)); err == nil || !strings.Contains(err.Error(), "needs at least 2") {
		t.Errorf("%v", err)
	}
	if o.Regression = 1.5; (&o).Validate() == nil {
		t.Error("a share of 1.5 is valid")
	}
}
