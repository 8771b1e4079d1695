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
	System       lattice.System // required; lattice.Symmetric for a network of colours, lattice.XY for one of angles
	Seed         uint64
	Batch        int     // states per gradient step, and in each part of an objective of two, default 256
	LearningRate float64 // of Adam, default 2e-3
	Clip         float64 // largest norm of the gradient per state, default 1
	Buffer       int     // states remembered, default 20000
	// Regression is the share of regression in training an unnormalised network, 0..1; the rest is
	// contrastive divergence.
	Regression float64
	// Samples is the share of the objective of a network of angles, 0..1, that is by remembered states;
	// the rest is by the energies of its own draws.
	Samples float64
	// Coldest is the largest inverse temperature, in units of 1/J, at which a network of angles learns, from 0
	// on; it must be positive.
	Coldest float64
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
	// Loss is the mean over the batch of -ln q, or of ln q - ln p in StepReverse, in nats, or half the
	// variance of ln p + ln g of an unnormalised network, or the objective of one of angles; NaN or infinite
	// only if dropped.
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
	if !(o.Regression >= 0 && o.Regression <= 1) {
		fault("regression = %g, must be between 0 and 1", o.Regression)
	}
	if !(o.Samples >= 0 && o.Samples <= 1) {
		fault("samples = %g, must be between 0 and 1", o.Samples)
	}
	return errors.Join(faults...)
}

// Trainer updates the weights of a bundle. Step does so by maximum likelihood: it raises
// ln q of states from its buffer, unless Upright each in a random frame of the system's
// symmetries. A network conditioned on the state gets the same state as its condition and learns to
// reconstruct it; a network conditioned on an energy gets that of the state plus a uniform
// number of levels in -w..w, w being its window. Of an unnormalised network, whose ln q is not known, it fits
// ln p to the flat histogram (stepUnnormalised), and of a network of angles it also learns from the energies of
// its own draws (stepAngles); both need a Target. StepReverse minimises the
// reverse Kullback-Leibler divergence on states that the network drew.
type Trainer struct {
	o       Options
	buffer  *Buffer
	store   *inference.Store
	source  *rand.PCG
	r       *rand.Rand     // over source
	frame   *lattice.Frame // nil for a network of angles
	lnG     []float64      // the target, by level
	seen    []bool         // levels at which lnG is known
	window  int            // w of a network that takes an energy
	size    string         // of the lattice
	workers int
	*objective
	*learned
}

// objective is what computes the gradients of a network.
type objective struct {
	gradient *inference.Gradient
	contrast *contrast // nil unless the network is unnormalised
	angles   *angles   // nil for a network of colours
}

// newObjective opens that of the network of a bundle.
func newObjective(o Options, b *exporter.Bundle, r inference.Runtime) (_ *objective, err error) {
	p := &objective{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.gradient, err = inference.NewGradient(b, r, o.Batch); err != nil {
		return nil, err
	}
	if p.contrast, err = newContrast(o, b, r); err != nil {
		return nil, err
	}
	p.angles, err = newAngles(o, b, r)
	return p, err
}

// Close frees the networks that only training needs.
func (p *objective) Close() error {
	if p == nil || p.gradient == nil {
		return nil
	}
	return errors.Join(p.gradient.Close(), p.contrast.close(), p.angles.close())
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
	from       int64 // steps of the record before the first one here, whose losses are of other batches or systems
	losses     Losses
}

// New returns a trainer for the network of a bundle. It starts from the bundle's weights and
// publishes new ones to store.
func New(o Options, b *exporter.Bundle, store *inference.Store, r inference.Runtime) (*Trainer, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("trainer options: %w", err)
	}
	frame, err := o.newFrame(b)
	if err != nil {
		return nil, err
	}
	learned, err := newLearned(o.Seed, o.LearningRate, b)
	if err != nil {
		return nil, err
	}
	objective, err := newObjective(o, b, r)
	if err != nil {
		return nil, err
	}
	source := sampler.Stream(o.Seed, sampler.TrainerStream, 0)
	return &Trainer{
		o:         o,
		buffer:    NewBuffer(o.System, o.Buffer, sampler.Stream(o.Seed, sampler.TrainerStream, 1)),
		objective: objective,
		store:     store,
		source:    source,
		r:         rand.New(source),
		frame:     frame,
		window:    b.Card.Hyperparameters.Window,
		size:      b.Card.System.System().Size(),
		workers:   r.Workers,
		learned:   learned,
	}, nil
}

// newFrame returns the frame in which the network of a bundle sees states, nil for one of angles, or an error
// if it cannot have those of the system.
func (o *Options) newFrame(b *exporter.Bundle) (*lattice.Frame, error) {
	s, symmetric := o.System.(lattice.Symmetric)
	_, planar := o.System.(*lattice.XY)
	if b.Card.Angles() && planar {
		return nil, nil
	}
	if b.Card.Angles() || !symmetric {
		return nil, fmt.Errorf("bundle %s version %d cannot be trained on states of %v; take one that was made for it", b.Card.Name, b.Card.Version, o.System)
	}
	frame := s.NewFrame()
	if o.Upright {
		frame.Fix()
	}
	return frame, nil
}

// newLearned begins with the weights of a bundle.
func newLearned(seed uint64, rate float64, b *exporter.Bundle) (*learned, error) {
	weights, err := b.Weights()
	if err != nil {
		return nil, err
	}
	l := &learned{
		adam:      NewAdam(rate),
		good:      weights,
		next:      map[string]graph.Tensor{},
		gradients: map[string][]float32{},
		record:    b.Card.Training,
	}
	l.record.Seed, l.from = seed, l.record.Steps
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

// Target gives ln g by level, up to a constant, and where it is known: the ln p of an unnormalised network is to
// become -ln g, and one of angles learns from states in equilibrium by it. Both are the caller's, and read
// in the next Step. Other networks need no target.
func (t *Trainer) Target(lnG []float64, seen []bool) { t.lnG, t.seen = lnG, seen }

// checkTarget returns an error unless there is a Target.
func (t *Trainer) checkTarget() error {
	if n := t.o.System.Levels(); len(t.lnG) != n || len(t.seen) != n {
		return fmt.Errorf("gradient step: ln g of %d levels to learn, the system has %d", len(t.lnG), n)
	}
	return nil
}

// Step evaluates the weights of the latest step on a batch from the buffer, which must not be
// empty. If loss and gradient are finite, it publishes these weights and makes the next
// gradient step. If not, it drops the latest step and counts it as dropped: training returns
// to the last good weights, which are still the published ones, and the optimiser forgets its
// moments.
func (t *Trainer) Step(ctx context.Context) error {
	switch {
	case t.contrast != nil:
		return t.stepUnnormalised(ctx)
	case t.angles != nil:
		return t.stepAngles(ctx)
	}
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
	info := t.learned.settle(began, StepInfo{Loss: loss, Replay: t.buffer.Fill()}, t.workers, t.o.Clip, t.size)
	if t.o.Events.Step != nil {
		t.o.Events.Step(info)
	}
	return !info.Dropped
}

// settle does so for a step with the loss and the replay of info, whose rest it fills in.
func (l *learned) settle(began time.Time, info StepInfo, workers int, clip float64, size string) StepInfo {
	info.Norm = norm(l.gradients)
	// A NaN anywhere makes the norm NaN, an overflow makes it infinite.
	if info.Dropped = !finite(info.Loss) || !finite(info.Norm); info.Dropped {
		copyWeights(l.next, l.good)
		l.adam = NewAdam(l.adam.LearningRate)
		l.record.Dropped++
	} else {
		copyWeights(l.good, l.next)
		l.adam.Step(workers, flat(l.next), l.gradients, min(1, clip/info.Norm))
		l.record.Steps++
		l.record.Loss = smooth(l.record.Loss, info.Loss, l.record.Steps-l.from)
		l.record.KL, l.record.Acceptance = nil, nil // measured with other weights
	}
	info.Duration = time.Since(began)
	l.record.Seconds += info.Duration.Seconds()
	if !info.Dropped {
		l.losses.add(LossRow{l.record.Steps, size, l.record.Seconds, info.Loss, info.Norm, l.adam.LearningRate})
	}
	return info
}

// SetLearningRate changes the learning rate, starting with the next step.
func (l *learned) SetLearningRate(rate float64) { l.adam.LearningRate = rate }

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
func (l *learned) Export(b *exporter.Bundle) error {
	b.Card.Training = l.record
	b.Records = nil
	if len(l.losses.Rows) > 0 {
		b.Records = map[string][]byte{LossFile: LossTable(l.losses.Rows)}
	}
	return b.SetWeights(l.good)
}

// Record is the record of the training so far.
func (l *learned) Record() exporter.Training { return l.record }

func sortedNames(m map[string][]float32) []string { return slices.Sorted(maps.Keys(m)) }
