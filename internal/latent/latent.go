// Package latent looks into the latent space of a network: where it puts configurations of what
// energy and order, and where moves along its tied coordinate lead.
package latent

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/inference"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Options of a study.
type Options struct {
	System  *lattice.Potts
	Bundle  *exporter.Bundle // of a network with a latent space
	Runtime inference.Runtime
	Part    int // configurations per call
	Seed    uint64
	// LnG are the weights by level under which configurations are sampled, NaN at levels without;
	// nil for those of Wang-Landau sampling, made first.
	LnG []float64
	// States is the number of configurations, at least leastStates.
	States int
	// Observe is called with the share of an activity that is done, 0..1; may be nil.
	Observe func(activity string, done float64)
}

// Study is what was found.
type Study struct {
	// Tie is what latent coordinate 0 is tied to, models.EnergyTie or models.OrderTie; empty without.
	Tie string
	// Energy per site and Order, the order parameter, of the configurations, and their latent
	// vectors, [S,K].
	Energy, Order []float64
	Latent        [][]float64
	// OfEnergy and OfOrder are how these depend on the latent vector.
	OfEnergy, OfOrder Correlation
	// Shifts are the moves along the tied coordinate; nil without a tie.
	Shifts []Shift
}

// Correlation is how a quantity depends on the latent vector.
type Correlation struct {
	Coordinates []float64 // correlation coefficient with each
	// Explained is the share of the variance that a linear function of all coordinates explains.
	Explained float64
}

// Largest is the coordinate with the largest correlation coefficient by magnitude, and that.
func (c Correlation) Largest() (coordinate int, r float64) {
	for k, x := range c.Coordinates {
		if math.Abs(x) > math.Abs(r) {
			coordinate, r = k, x
		}
	}
	return coordinate, r
}

// Shift is what proposals with a shift change on average, with standard errors. It is measured from
// those configurations alone that the shift does not ask to go beyond an end.
type Shift struct {
	// Asked is the shift, and Moved the mean change of what the coordinate is tied to: of the energy
	// in units of J or of the order parameter.
	Asked, Moved, Error float64
	Proposals           int
}

const (
	leastStates = 100
	walkers     = 256
	sweeps      = 4 // of a pass
	// adaptLnF is the modification factor at which weights are good enough to visit all levels.
	adaptLnF = 1e-4
	warmUp   = 200 // passes under frozen weights before configurations count
	apart    = 5   // passes between two uses of a walker
	// steps are the shifts measured, on either side of 0.
	steps = 4
)

// Look studies the network of a bundle.
func Look(ctx context.Context, o Options) (_ *Study, err error) {
	card := &o.Bundle.Card
	h := card.Hyperparameters
	model, err := models.New(card.Architecture, card.System.System(), h)
	if err != nil {
		return nil, err
	}
	encoder, ok := model.(models.Encoder)
	if !ok {
		return nil, fmt.Errorf("the network %s (%s) has no latent space; take one of the architecture %s", card.Name, card.Architecture, models.Autoencoder)
	}
	if o.States < leastStates {
		return nil, fmt.Errorf("%d configurations, at least %d are needed", o.States, leastStates)
	}
	s := &Study{}
	if h.EnergyWeight > 0 {
		if s.Tie = models.EnergyTie; h.Tie != "" {
			s.Tie = h.Tie
		}
	}
	states, err := o.sample(ctx)
	if err != nil {
		return nil, err
	}
	for _, state := range states {
		s.Energy = append(s.Energy, o.System.Energy(o.System.LevelInt32(state))/float64(o.System.Sites()))
		s.Order = append(s.Order, order(state, o.System.Colours()))
	}
	if s.Latent, err = encode(encoder, o.Bundle, states); err != nil {
		return nil, err
	}
	if s.OfEnergy, err = correlate(s.Latent, s.Energy); err != nil {
		return nil, err
	}
	if s.OfOrder, err = correlate(s.Latent, s.Order); err != nil {
		return nil, err
	}
	if s.Tie != "" {
		s.Shifts, err = o.shift(ctx, s, states)
	}
	return s, err
}

func (o *Options) observe(activity string, done float64) {
	if o.Observe != nil {
		o.Observe(activity, done)
	}
}

// order is the order parameter of a configuration.
func order(state []int32, q int) float64 {
	count := make([]int, q)
	most := 0
	for _, c := range state {
		count[c]++
		most = max(most, count[c])
	}
	return (float64(q*most)/float64(len(state)) - 1) / float64(q-1)
}

// sample takes configurations from walkers in a random walk over all energies, each in a random
// frame, as the network sees them in a run.
func (o *Options) sample(ctx context.Context) ([][]int32, error) {
	e, err := sampler.New(sampler.Options{System: o.System, Seed: o.Seed, Walkers: walkers, Workers: max(1, o.Runtime.Workers), Local: local.HeatBath, Sweeps: sweeps, LnG: o.LnG})
	if err != nil {
		return nil, err
	}
	pass := func() error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return e.Pass(ctx)
	}
	for o.LnG == nil && !e.Adapted(adaptLnF) {
		if err := pass(); err != nil {
			return nil, err
		}
		o.observe("weights", e.AdaptationProgress(adaptLnF))
	}
	e.Produce()
	r, frame := rand.New(sampler.Stream(o.Seed, sampler.VerifyStream, 3)), o.System.NewFrame()
	var states [][]int32
	for n := 0; len(states) < o.States; n++ {
		if err := pass(); err != nil {
			return nil, err
		}
		if n < warmUp || n%apart > 0 {
			continue
		}
		for i := range min(walkers, o.States-len(states)) {
			state, _ := e.State(i)
			image := make([]int32, len(state))
			frame.Randomise(r)
			frame.Apply(image, state)
			states = append(states, image)
		}
		o.observe("configurations", float64(len(states))/float64(o.States))
	}
	return states, nil
}

// encode returns the latent vectors of configurations, computed in double precision.
func encode(m models.Encoder, b *exporter.Bundle, states [][]int32) ([][]float64, error) {
	g, err := m.Encode()
	if err != nil {
		return nil, err
	}
	weights, err := b.Weights()
	if err != nil {
		return nil, err
	}
	used := map[string]graph.Tensor{}
	for _, p := range g.Program().Params {
		used[p.Name()] = weights[p.Name()]
	}
	file, err := exporter.Encode(g, used)
	if err != nil {
		return nil, err
	}
	var all [][]float64
	for from := 0; from < len(states); from += walkers {
		part := states[from:min(from+walkers, len(states))]
		var flat []int32
		for _, state := range part {
			flat = append(flat, state...)
		}
		out, err := reference.Evaluate(file, map[string]graph.Tensor{models.State: graph.Int32s(flat, len(part), len(part[0]))})
		if err != nil {
			return nil, err
		}
		z := out[models.Latent].Float64s()
		k := len(z) / len(part)
		for i := range part {
			all = append(all, z[i*k:(i+1)*k])
		}
	}
	return all, nil
}

// correlate says how a quantity depends on latent vectors.
func correlate(latent [][]float64, x []float64) (c Correlation, err error) {
	n, k := len(latent), len(latent[0])
	design, y := mat.NewDense(n, k+1, nil), mat.NewVecDense(n, x)
	for i, z := range latent {
		design.Set(i, 0, 1)
		for j, v := range z {
			design.Set(i, j+1, v)
		}
	}
	for j := range k {
		c.Coordinates = append(c.Coordinates, stat.Correlation(mat.Col(nil, j+1, design), x, nil))
	}
	var weights, fit mat.VecDense
	if err := weights.SolveVec(design, y); err != nil {
		if condition := mat.Condition(0); !errors.As(err, &condition) {
			return c, fmt.Errorf("linear function of the latent vector: %w", err)
		}
	}
	fit.MulVec(design, &weights)
	c.Explained = stat.RSquaredFrom(fit.RawVector().Data, x, nil)
	return c, nil
}

// shift measures proposals with shifts of up to half the range.
func (o *Options) shift(ctx context.Context, s *Study, states [][]int32) (_ []Shift, err error) {
	store, err := inference.OpenStore(o.Bundle)
	if err != nil {
		return nil, err
	}
	p, err := inference.NewProposer(o.Bundle, store, o.Runtime, walkers, o.Part)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	b, n := p.Batch(), float64(o.System.Sites())
	uniforms := sampler.Stream(o.Seed, sampler.VerifyStream, 4)
	unit, low, high := 1.0, -2*n, 0.0 // of the tied quantity: that of a shift by 1, and its ends
	value := func(i int) float64 { return n * s.Energy[i] }
	if s.Tie == models.OrderTie {
		unit, low, high = 1/(2*n), 0, 1
		value = func(i int) float64 { return s.Order[i] }
	}
	var shifts []Shift
	for k := -steps; k <= steps; k++ {
		asked := float64(k) / (2 * steps) * 2 * n // in units of a shift
		var changes []float64
		for from := 0; from+walkers <= len(states); from += walkers {
			for i := range walkers {
				copy(b.State[i*b.Sites:(i+1)*b.Sites], states[from+i])
				b.Start[i], b.Shift[i] = 0, float32(asked)
			}
			sampler.Uniforms(b.Uniform, uniforms)
			if err := p.Propose(ctx); err != nil {
				return nil, err
			}
			for i := range walkers {
				if to := value(from+i) + asked*unit; to < low || to > high {
					continue
				}
				proposal := b.Proposal[i*b.Sites : (i+1)*b.Sites]
				after := o.System.Energy(o.System.LevelInt32(proposal))
				if s.Tie == models.OrderTie {
					after = order(proposal, o.System.Colours())
				}
				changes = append(changes, after-value(from+i))
			}
		}
		if len(changes) < 2 {
			continue
		}
		mean, deviation := stat.MeanStdDev(changes, nil)
		shifts = append(shifts, Shift{asked * unit, mean, deviation / math.Sqrt(float64(len(changes))), len(changes)})
		o.observe("shifts", float64(k+steps+1)/(2*steps+1))
	}
	return shifts, nil
}
