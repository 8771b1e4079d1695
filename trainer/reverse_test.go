package trainer

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler/lattice"
)

// enumerated is a trainer of a network for a small system, of which all configurations are
// listed, with the target p = 1/(g(E) levels) by exact counts.
type enumerated struct {
	*Trainer
	store    *inference.Store
	proposer *inference.Proposer
	states   []int32   // [K,N]
	lnP      []float64 // [K]
	sites    int
	r        *rand.Rand
}

func enumerate(t *testing.T, h models.Hyperparameters, o Options) *enumerated {
	t.Helper()
	s := models.System{Q: 2, Sides: []int{3, 3}}
	e := &enumerated{sites: s.Sites(), r: rand.New(rand.NewPCG(1, 2))}
	b := bundletest.New(t, models.Made, s, h)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	// Away from the uniform distribution.
	for _, name := range []string{"decoder.bias", "decoder.output"} {
		for i := range weights[name].Float32s() {
			weights[name].Float32s()[i] += 0.3 * float32(e.r.NormFloat64())
		}
	}
	if err := b.SetWeights(weights); err != nil {
		t.Fatal(err)
	}
	e.store = onnxtest.Store(t, b)
	if o.System, err = lattice.NewPotts(s.Q, s.Sides[0], s.Sides[1]); err != nil {
		t.Fatal(err)
	}
	r := onnxtest.Runtime(1)
	if e.Trainer, err = New(o, b, e.store, r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Trainer.Close() })
	count, occupied := make([]float64, o.System.Levels()), 0.0
	var levels []int
	for k := range 1 << s.Sites() {
		state := make([]int32, s.Sites())
		for i := range state {
			state[i] = int32(k >> i & 1)
		}
		level := o.System.(lattice.Symmetric).LevelInt32(state)
		if count[level]++; count[level] == 1 {
			occupied++
		}
		levels = append(levels, level)
		e.states = append(e.states, state...)
	}
	for _, level := range levels {
		e.lnP = append(e.lnP, -math.Log(count[level]*occupied))
	}
	if e.proposer, err = inference.NewProposer(b, e.store, r, len(levels), len(levels)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.proposer.Close() })
	return e
}

// lnQ of all configurations under the published weights.
func (e *enumerated) lnQ(t *testing.T) []float32 {
	t.Helper()
	b := e.proposer.Batch()
	copy(b.State, e.states)
	e.proposer.Pin()
	if err := e.proposer.LogProb(context.Background()); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Reverse)
}

// divergence is D(q||p) under the published weights.
func (e *enumerated) divergence(t *testing.T) (sum float64) {
	t.Helper()
	for k, x := range e.lnQ(t) {
		sum += math.Exp(float64(x)) * (float64(x) - e.lnP[k])
	}
	return sum
}

// step makes a gradient step with draws from exp(lnQ).
func (e *enumerated) step(t *testing.T, lnQ []float32) {
	t.Helper()
	var states []int32
	var drawn []float32
	var lnP []float64
	cumulative := make([]float64, len(lnQ))
	sum := 0.0
	for k, x := range lnQ {
		sum += math.Exp(float64(x))
		cumulative[k] = sum
	}
	for range e.o.Batch {
		k := min(sort.SearchFloat64s(cumulative, e.r.Float64()*sum), len(lnQ)-1)
		states = append(states, e.states[k*e.sites:(k+1)*e.sites]...)
		drawn = append(drawn, lnQ[k])
		lnP = append(lnP, e.lnP[k])
	}
	if err := e.StepReverse(context.Background(), states, drawn, lnP); err != nil {
		t.Fatal(err)
	}
}

// TestReverseGradient compares the mean of many estimates of the gradient of D(q||p), along
// some directions, with finite differences of its exact value.
func TestReverseGradient(t *testing.T) {
	const batches, directions, step = 3000, 6, 1e-2
	e := enumerate(t, models.Hyperparameters{Decoder: 6, Floor: 1e-3}, Options{Batch: 32, LearningRate: 1e-30, Clip: math.MaxFloat64})
	names := sortedNames(flat(e.good))
	var along [directions]map[string][]float32
	var exact, sum, squares [directions]float64
	for d := range along {
		along[d] = map[string][]float32{}
		for _, name := range names {
			for range e.good[name].Float32s() {
				along[d][name] = append(along[d][name], float32(e.r.NormFloat64()))
			}
		}
		at := func(x float32) float64 {
			moved := map[string]graph.Tensor{}
			for name, w := range e.good {
				values := slices.Clone(w.Float32s())
				for i := range values {
					values[i] += x * along[d][name][i]
				}
				moved[name] = graph.Float32s(values, w.Shape...)
			}
			published, err := inference.NewWeights(moved)
			if err != nil {
				t.Fatal(err)
			}
			e.store.Publish(published)
			return e.divergence(t)
		}
		exact[d] = (8*(at(step)-at(-step)) - (at(2*step) - at(-2*step))) / (12 * step)
	}
	if err := e.publish(); err != nil {
		t.Fatal(err)
	}
	lnQ := e.lnQ(t)
	for range batches {
		e.step(t, lnQ)
		for d := range along {
			derivative := 0.0
			for _, name := range names {
				for i, x := range e.gradients[name] {
					derivative += float64(x * along[d][name][i])
				}
			}
			sum[d] += derivative / batches
			squares[d] += derivative * derivative / batches
		}
	}
	signal := 0.0
	for d := range along {
		deviation := math.Sqrt((squares[d] - sum[d]*sum[d]) / batches)
		z := (sum[d] - exact[d]) / deviation
		signal += exact[d] * exact[d] / (deviation * deviation) / directions
		t.Logf("derivative %.4f(%.4f) by the score function, %.4f exact", sum[d], deviation, exact[d])
		if !(math.Abs(z) < 4.5) {
			t.Errorf("derivative %.4f(%.4f) by the score function, %.4f exact: %.1f errors", sum[d], deviation, exact[d], z)
		}
	}
	if signal < 100 {
		t.Errorf("the derivatives are %.1f errors: the test shows nothing", math.Sqrt(signal))
	}
}

// TestReverseTraining trains a network with enough hidden units under a fixed g: next to
// nothing is left of the exact divergence.
func TestReverseTraining(t *testing.T) {
	const steps, rate = 1500, 1e-2
	e := enumerate(t, models.Hyperparameters{Decoder: 24, Floor: 1e-4}, Options{Batch: 128})
	before := e.divergence(t)
	for step := range steps {
		e.SetLearningRate(rate * (1.01 - float64(step)/steps))
		e.step(t, e.lnQ(t))
	}
	after := e.divergence(t)
	t.Logf("divergence %.3f nats before, %.4f after", before, after)
	if before < 1 || after > 0.05 {
		t.Errorf("divergence %.3f nats before and %.4f after", before, after)
	}
	// The loss is the divergence, as the target is normalised.
	if math.Abs(e.Record().Loss-after) > 0.1 || e.Record().Data != ReverseData {
		t.Errorf("record %+v, the divergence is %.4f", e.Record(), after)
	}
}

// TestReverseDrops shows draws without a likelihood: the step on trial is dropped and the
// good weights are published again.
func TestReverseDrops(t *testing.T) {
	e := enumerate(t, models.Hyperparameters{Decoder: 4, Floor: 1e-3}, Options{Batch: 16, LearningRate: 1})
	lnQ := e.lnQ(t)
	e.step(t, lnQ)
	if !e.onTrial || e.Record().Steps != 1 || slices.Equal(e.lnQ(t), lnQ) {
		t.Fatalf("on trial: %v, record %+v", e.onTrial, e.Record())
	}
	none := slices.Repeat([]float32{float32(math.NaN())}, 16)
	if err := e.StepReverse(context.Background(), make([]int32, 16*e.sites), none, make([]float64, 16)); err != nil {
		t.Fatal(err)
	}
	if e.onTrial || e.Record().Dropped != 1 || e.Record().Steps != 1 {
		t.Errorf("on trial: %v, record %+v", e.onTrial, e.Record())
	}
	if !slices.Equal(e.lnQ(t), lnQ) {
		t.Error("the good weights were not published again")
	}
	// A step on trial is taken back before the network is frozen.
	e.step(t, e.lnQ(t))
	if err := e.Freeze(); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.lnQ(t), lnQ) {
		t.Error("the weights on trial were frozen")
	}
}

// TestReverseRestore goes on from a snapshot between two steps, with weights on trial.
func TestReverseRestore(t *testing.T) {
	h, o := models.Hyperparameters{Decoder: 4, Floor: 1e-3}, Options{Batch: 32}
	a, b := enumerate(t, h, o), enumerate(t, h, o)
	for range 5 {
		a.step(t, a.lnQ(t))
	}
	a.r, b.r = rand.New(rand.NewPCG(3, 4)), rand.New(rand.NewPCG(3, 4))
	if err := b.Restore(a.Snapshot()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		x, y := a.lnQ(t), b.lnQ(t)
		if !slices.Equal(x, y) {
			t.Fatal("the restored trainer publishes other weights")
		}
		a.step(t, x)
		b.step(t, y)
	}
}

// TestReverseRefuses names what is wrong with a batch.
func TestReverseRefuses(t *testing.T) {
	h := models.Hyperparameters{Decoder: 4, Floor: 1e-3}
	e, one := enumerate(t, h, Options{Batch: 4}), enumerate(t, h, Options{Batch: 1})
	for want, err := range map[string]error{
		"a batch of 1, at least 2":          one.StepReverse(context.Background(), make([]int32, 9), make([]float32, 1), make([]float64, 1)),
		"4 and 3 likelihoods, want a batch": e.StepReverse(context.Background(), make([]int32, 36), make([]float32, 4), make([]float64, 3)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
