package inference_test

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// scaled returns weights times a factor.
func scaled(weights map[string]graph.Tensor, factor float32) map[string]graph.Tensor {
	other := map[string]graph.Tensor{}
	for name, w := range weights {
		data := slices.Clone(w.Float32s())
		for i := range data {
			data[i] *= factor
		}
		other[name] = graph.Float32s(data, w.Shape...)
	}
	return other
}

// otherWeights returns weights of a bundle times a factor, in a new set.
func otherWeights(t *testing.T, weights map[string]graph.Tensor, factor float32) *inference.Weights {
	t.Helper()
	set, err := inference.NewWeights(scaled(weights, factor))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestPin: what is published later has no effect before the next Pin, and versions differ
// whenever weights or proposers do.
func TestPin(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 2, Sides: []int{3, 3}}
	b := newBundle(t, s, targetHyper)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	store := onnxtest.Store(t, b)
	open := func() *inference.Proposer {
		p, err := inference.NewProposer(b, store, inference.Runtime{Provider: inference.CPU, Workers: 1}, 4, 4)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	p, other := open(), open()
	if p.LogProb(context.Background()) == nil {
		t.Error("LogProb without weights was accepted")
	}
	batch := p.Batch()
	fill(batch, s.Q, rand.New(rand.NewPCG(5, 6)))
	forward := func() float32 {
		if err := p.Propose(context.Background()); err != nil {
			t.Fatal(err)
		}
		return batch.Forward[0]
	}
	first := p.Pin()
	if p.Pin() != first || other.Pin() == first || first == 0 {
		t.Errorf("versions %d, then %d, of another proposer %d", first, p.Pin(), other.Pin())
	}
	before := forward()
	store.Publish(otherWeights(t, weights, 3))
	if forward() != before {
		t.Error("weights changed without Pin")
	}
	if p.Pin() == first || forward() == before {
		t.Error("published weights are not used after Pin")
	}
}

// TestRecycler publishes sets from a recycler: it takes no more memory than for the set in use,
// a pinned one and the next one, changes none of them while they are in use, and refuses
// another network's weights.
func TestRecycler(t *testing.T) {
	onnxtest.Open(t)
	s := models.System{Q: 2, Sides: []int{3, 3}}
	b := newBundle(t, s, targetHyper)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	store := onnxtest.Store(t, b)
	p, err := inference.NewProposer(b, store, inference.Runtime{Provider: inference.CPU, Workers: 1}, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	fill(p.Batch(), s.Q, rand.New(rand.NewPCG(5, 6)))
	forward := func() float32 {
		if err := p.Propose(context.Background()); err != nil {
			t.Fatal(err)
		}
		return p.Batch().Forward[0]
	}
	var sets inference.Recycler
	seen := map[*inference.Weights]bool{}
	var version sampler.Version
	var pinned float32
	for i := range 20 {
		set, err := sets.New(scaled(weights, 1+float32(i)/10))
		if err != nil {
			t.Fatal(err)
		}
		seen[set] = true
		store.Publish(set)
		if i%5 == 0 {
			formerVersion, former := version, pinned
			if version, pinned = p.Pin(), forward(); version == formerVersion || pinned == former {
				t.Errorf("set %d has version %d and gives %v, set %d had %d and gave %v", i, version, pinned, i-5, formerVersion, former)
			}
		} else if x := forward(); x != pinned {
			t.Errorf("after set %d the pinned weights give %v, %v before", i, x, pinned)
		}
	}
	if len(seen) > 3 {
		t.Errorf("%d sets where three suffice", len(seen))
	}
	delete(weights, slices.Sorted(maps.Keys(weights))[0])
	if _, err := sets.New(weights); err == nil {
		t.Error("weights of another network were accepted")
	}
}

// TestPublishInProduction publishes other weights all the time in production, the worst that
// can happen to aims that the walkers remember, and finds the histogram of each level as it
// must be. With the ln q of a former network it would be off by many errors.
func TestPublishInProduction(t *testing.T) {
	onnxtest.Open(t)
	p, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	b := sharpened(t, models.System{Q: 2, Sides: []int{3, 3}}, models.Hyperparameters{Width: 4, Window: 2, Floor: 1e-2})
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	store := onnxtest.Store(t, b)
	const walkers = 256
	passes := long.Or(900, 300)
	proposer, err := inference.NewProposer(b, store, inference.Runtime{Provider: inference.CPU, Workers: 2}, walkers, 64)
	if err != nil {
		t.Fatal(err)
	}
	defer proposer.Close()
	lnG, levels := make([]float64, p.Levels()), 0.0
	count := make([]float64, p.Levels())
	for _, state := range configurations(p) {
		count[p.Bonds(state)]++
	}
	for level, g := range count {
		lnG[level] = math.NaN()
		if g > 0 {
			lnG[level] = math.Log(g)
			levels++
		}
	}
	e, err := sampler.New(sampler.Options{System: p, Seed: 3, Walkers: walkers, Workers: 2, Proposer: proposer, LnG: lnG})
	if err != nil {
		t.Fatal(err)
	}
	sets := []*inference.Weights{otherWeights(t, weights, 0.2), otherWeights(t, weights, 1), otherWeights(t, weights, 2)}
	run := func(passes int) {
		for i := range passes {
			if i%3 == 0 {
				store.Publish(sets[i/3%len(sets)])
			}
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.Produce()
	run(passes / 3)
	e.Produce()
	run(passes)
	for level, g := range count {
		if g == 0 {
			continue
		}
		mean, square := 0.0, 0.0
		for _, block := range e.Samples().Windows[0].Blocks {
			x := float64(block[level]) / float64(passes)
			mean += x / walkers
			square += x * x / walkers
		}
		deviation := math.Sqrt((square - mean*mean) / (walkers - 1))
		if z := (mean - 1/levels) / deviation; math.Abs(z) > 4.5 {
			t.Errorf("level %d: share %.5f(%.5f), expected %.5f", level, mean, deviation, 1/levels)
		}
	}
}
