package trainer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/models/graph"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// Options of a Trainer. Zero values stand for the defaults given.
type Options struct {
	System       lattice.Symmetric // required
	Seed         uint64
	Batch        int     // states per gradient step, default 256
	LearningRate float64 // of Adam, default 2e-3
	Clip         float64 // largest norm of the gradient per state, default 1
	Buffer       int     // states remembered, default 20000
	// Upright has Step learn from states as they are, and not in random frames.
	Upright bool
	Events  Events
}

// Events are callbacks of the trainer; any of them may be nil.
type Events struct {
	// Step is called after every gradient step, also after a dropped one.
	Step func(StepInfo)
	// Published is called when other weights came into use, after so many gradient steps.
	Published func(steps int64)
}

// StepInfo describes one gradient step.
type StepInfo struct {
	// Loss is the mean over the batch of -ln q, or of ln q - ln p in StepReverse, in nats;
	// NaN or infinite only if dropped.
	Loss     float64
	Norm     float64 // of the gradient before clipping
	Dropped  bool    // the step before was taken back because of a NaN or an infinity
	Duration time.Duration
	// Replay is how full the replay buffer is, 0..1; 0 in StepReverse, which has none.
	Replay float64
}

// EnsureDefaults fills in the defaults.
func (o *Options) EnsureDefaults() {
	if o.Batch == 0 {
		o.Batch = 256
	}
	if o.LearningRate == 0 {
		o.LearningRate = 2e-3
	}
	if o.Clip == 0 {
		o.Clip = 1
	}
	if o.Buffer == 0 {
		o.Buffer = 20000
	}
}

// Validate reports every fault at once.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.System == nil {
		fault("no system")
	}
	if o.Batch < 1 {
		fault("batch = %d, at least 1 is needed", o.Batch)
	}
	if !(o.LearningRate > 0) || math.IsInf(o.LearningRate, 0) {
		fault("learning rate = %g, must be positive", o.LearningRate)
	}
	if !(o.Clip > 0) {
		fault("clip = %g, must be positive", o.Clip)
	}
	if o.Buffer < 1 {
		fault("buffer = %d, at least 1 is needed", o.Buffer)
	}
	return errors.Join(faults...)
}

// Trainer updates the weights of a bundle. Step does so by maximum likelihood: it raises
// ln q of states from its buffer, unless Upright each in a random frame of the system's
// symmetries. A network conditioned on the state gets the same state as its condition and learns to
// reconstruct it; a network conditioned on an energy gets that of the state plus a uniform
// number of levels in -w..w, w being its window. StepReverse minimises the reverse
// Kullback-Leibler divergence on states that the network drew.
type Trainer struct {
	o        Options
	buffer   *Buffer
	gradient *inference.Gradient
	store    *inference.Store
	source   *rand.PCG
	r        *rand.Rand // over source
	frame    *lattice.Frame
	window   int    // w of a network that takes an energy
	size     string // of the lattice
	workers  int
	*learned
}

// learned is the state that trainers of one network on several systems share.
type learned struct {
	adam *Adam
	// good are the latest weights whose loss was finite, next those after the following step.
	// The good weights are published, or next if they are on trial.
	good, next map[string]graph.Tensor
	onTrial    bool
	sets       inference.Recycler
	gradients  map[string][]float32
	record     exporter.Training
	losses     Losses
}

// New returns a trainer for the network of a bundle. It starts from the bundle's weights and
// publishes new ones to store.
func New(o Options, b *exporter.Bundle, store *inference.Store, r inference.Runtime) (*Trainer, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("trainer options: %w", err)
	}
	gradient, err := inference.NewGradient(b, r, o.Batch)
	if err != nil {
		return nil, err
	}
	learned, err := newLearned(o, b)
	if err != nil {
		return nil, errors.Join(err, gradient.Close())
	}
	source := sampler.Stream(o.Seed, sampler.TrainerStream, 0)
	frame := o.System.NewFrame()
	if o.Upright {
		frame.Fix()
	}
	return &Trainer{
		o:        o,
		buffer:   NewBuffer(o.System, o.Buffer, sampler.Stream(o.Seed, sampler.TrainerStream, 1)),
		gradient: gradient,
		store:    store,
		source:   source,
		r:        rand.New(source),
		frame:    frame,
		window:   b.Card.Hyperparameters.Window,
		size:     b.Card.System.System().Size(),
		workers:  r.Workers,
		learned:  learned,
	}, nil
}

// newLearned begins with the weights of a bundle.
func newLearned(o Options, b *exporter.Bundle) (*learned, error) {
	weights, err := b.Weights()
	if err != nil {
		return nil, err
	}
	l := &learned{
		adam:      NewAdam(o.LearningRate),
		good:      weights,
		next:      map[string]graph.Tensor{},
		gradients: map[string][]float32{},
		record:    b.Card.Training,
	}
	l.record.Seed = o.Seed
	for name, w := range weights {
		l.next[name] = graph.Float32s(slices.Clone(w.Float32s()), w.Shape...)
		l.gradients[name] = make([]float32, len(w.Float32s()))
	}
	return l, nil
}

// NewBeside returns a trainer for the same network on another system, given by a bundle
// whose weights have the same names and shapes. Both trainers change the same weights with
// the same optimiser.
func (t *Trainer) NewBeside(o Options, b *exporter.Bundle, store *inference.Store, r inference.Runtime) (*Trainer, error) {
	other, err := New(o, b, store, r)
	if err != nil {
		return nil, err
	}
	for name, w := range other.good {
		if own, ok := t.good[name]; !ok || !own.Shape.Equal(w.Shape) || len(t.good) != len(other.good) {
			return nil, errors.Join(fmt.Errorf("weight %q does not fit: only networks whose weights do not depend on the system can be trained on several", name), other.Close())
		}
	}
	other.learned = t.learned
	return other, nil
}

// Remember puts a state into the replay buffer.
func (t *Trainer) Remember(state []uint8, level int) { t.buffer.Add(state, level) }

// Step evaluates the weights of the latest step on a batch from the buffer, which must not be
// empty. If loss and gradient are finite, it publishes these weights and makes the next
// gradient step. If not, it drops the latest step and counts it as dropped: training returns
// to the last good weights, which are still the published ones, and the optimiser forgets its
// moments.
func (t *Trainer) Step(ctx context.Context) error {
	began := time.Now()
	t.fillBatch()
	weights, loss, err := t.evaluate(ctx)
	if err != nil {
		return err
	}
	if t.settle(began, loss) {
		t.onTrial = false
		t.use(weights)
	}
	return nil
}

// use publishes weights.
func (t *Trainer) use(w *inference.Weights) {
	t.store.Publish(w)
	if t.o.Events.Published != nil {
		t.o.Events.Published(t.record.Steps)
	}
}

// evaluate computes loss and gradients of the batch under the weights of the latest step.
func (t *Trainer) evaluate(ctx context.Context) (w *inference.Weights, loss float64, err error) {
	if w, err = t.sets.New(t.next); err == nil {
		loss, err = t.gradient.Evaluate(ctx, w, t.gradients)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("gradient step: %w", err)
	}
	return w, loss, nil
}

// settle accepts the weights of the latest step as good and makes the next step along the
// gradients, or drops them if loss or gradients are not finite. It reports which.
func (t *Trainer) settle(began time.Time, loss float64) (good bool) {
	info := StepInfo{Loss: loss, Norm: norm(t.gradients), Replay: t.buffer.Fill()}
	// A NaN anywhere makes the norm NaN, an overflow makes it infinite.
	if info.Dropped = !finite(info.Loss) || !finite(info.Norm); info.Dropped {
		copyWeights(t.next, t.good)
		t.adam = NewAdam(t.adam.LearningRate)
		t.record.Dropped++
	} else {
		copyWeights(t.good, t.next)
		t.adam.Step(t.workers, flat(t.next), t.gradients, min(1, t.o.Clip/info.Norm))
		t.record.Steps++
		t.record.Loss = smooth(t.record.Loss, loss, t.record.Steps)
		t.record.KL, t.record.Acceptance = nil, nil // measured with other weights
	}
	info.Duration = time.Since(began)
	t.record.Seconds += info.Duration.Seconds()
	if !info.Dropped {
		t.losses.add(LossRow{t.record.Steps, t.size, t.record.Seconds, info.Loss, info.Norm, t.adam.LearningRate})
	}
	if t.o.Events.Step != nil {
		t.o.Events.Step(info)
	}
	return !info.Dropped
}

// SetLearningRate changes the learning rate, starting with the next step.
func (t *Trainer) SetLearningRate(rate float64) { t.adam.LearningRate = rate }

// fillBatch fills the batch with states from the buffer, each in its own frame.
func (t *Trainer) fillBatch() {
	n := t.gradient.Sites
	for i := range t.o.Batch {
		t.gradient.Weight[i] = 1 / float32(t.o.Batch)
		t.frame.Randomise(t.r)
		state := t.gradient.State[i*n : (i+1)*n]
		remembered, level := t.buffer.Sample(t.r)
		t.frame.Apply(state, remembered)
		if len(t.gradient.Condition) > 0 {
			copy(t.gradient.Condition[i*n:(i+1)*n], state)
		}
		if len(t.gradient.Energy) > 0 {
			// The target lies uniformly within the window around the energy.
			off := t.r.IntN(2*t.window+1) - t.window
			t.gradient.Energy[i] = float32(t.o.System.Energy(level + off))
		}
	}
	for i := range t.gradient.Noise {
		t.gradient.Noise[i] = float32(t.r.NormFloat64())
	}
}

func copyWeights(to, from map[string]graph.Tensor) {
	for name, w := range from {
		copy(to[name].Float32s(), w.Float32s())
	}
}

// flat returns the memory of weights by name.
func flat(weights map[string]graph.Tensor) map[string][]float32 {
	m := make(map[string][]float32, len(weights))
	for name, w := range weights {
		m[name] = w.Float32s()
	}
	return m
}

// smooth is a running mean over about the last hundred steps.
func smooth(mean, x float64, steps int64) float64 {
	return mean + (x-mean)/float64(min(steps, 100))
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Export writes the good weights into b, with the loss of the steps that made them as its only
// record.
func (t *Trainer) Export(b *exporter.Bundle) error {
	b.Card.Training = t.record
	b.Records = nil
	if len(t.losses.Rows) > 0 {
		b.Records = map[string][]byte{LossFile: LossTable(t.losses.Rows)}
	}
	return b.SetWeights(t.good)
}

// Record is the record of the training so far.
func (t *Trainer) Record() exporter.Training { return t.record }

// Close frees the gradient network.
func (t *Trainer) Close() error { return t.gradient.Close() }

func sortedNames(m map[string][]float32) []string { return slices.Sorted(maps.Keys(m)) }
