package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"

	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/cpu"
	"neuralwl/internal/transition"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// Precision is what one kind of move achieved: the variance of a quantity times the processor time
// that it took. Half of it means the same error in half of the time.
type Precision struct {
	Moves     string `json:"moves"`
	Mix       Mix    `json:"mix"`
	Histogram string `json:"histogram"` // a value of production.histogram
	// PhaseShare is production.phase_share; 0 with another histogram.
	PhaseShare float64 `json:"phase_share,omitempty"`
	// Draws says whether the network's draws entered the estimate.
	Draws bool `json:"draws"`
	// Seconds of one core, the mean over the seeds, and Acceptance of the network's proposals.
	Seconds    float64 `json:"seconds"`
	Acceptance float64 `json:"acceptance"`
	// Cost is of each quantity, variance times seconds.
	Cost [quantities]Cost `json:"cost"`
	// Fault is why a seed has not all estimates; their costs are then unknown.
	Fault string `json:"fault,omitempty"`
}

// Cost is a variance times the time that it took, in seconds of one core, with the standard error
// from the scatter between seeds, and in units of the first contender's.
type Cost struct {
	Value      float64 `json:"value"`
	Error      float64 `json:"error"`
	Ratio      float64 `json:"ratio"`
	RatioError float64 `json:"ratio_error"`
	// BreakEven is after how many seconds of a core a run with the network, its training included, is
	// as precise as one with the first contender's moves; infinite where it never is.
	BreakEven float64 `json:"break_even_seconds"`
	// Deviation is by how many errors the quantity was off its mean over all kinds of move and
	// seeds, the root of the mean square over seeds; NaN for ln g, which are many.
	Deviation float64 `json:"deviation"`
}

// MarshalJSON writes null for what is not known.
func (c Cost) MarshalJSON() ([]byte, error) {
	known := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	return json.Marshal(map[string]*float64{"value": known(c.Value), "error": known(c.Error), "ratio": known(c.Ratio), "ratio_error": known(c.RatioError), "deviation": known(c.Deviation), "break_even_seconds": known(c.BreakEven)})
}

// The quantities whose errors are measured: X, the logarithm of the ratio of the weights of the
// ordered and the disordered phase at the infinite lattice's transition; the mean variance of ln g
// over the levels from the infinite-temperature peak to the ground state; and ln(P_max/P_min) at
// equal height.
const (
	LnWeightRatio = iota
	LnG
	LnBarrier
	quantities
)

// Quantities are their names.
var Quantities = [quantities]string{"X", "ln g", "ln(P_max/P_min)"}

// ErrorOptions are those of a comparison by errors.
type ErrorOptions struct {
	Options
	// Seeds is how many runs each kind of move makes.
	Seeds int
	// Shares are those of the time at the two phases with which all moves are measured, 0 under a flat
	// histogram, none for that alone; see transition.Histogram.
	Shares []float64
}

// DefaultErrorMixes are mixes in the notation of ParseMix: the better ones on 32x32 for ln g and for X.
var DefaultErrorMixes = []string{"100:2", "20:2"}

// Validate returns an error if a mix has no local moves: their transitions are what the estimate is made of.
func (o *ErrorOptions) Validate() error {
	for _, mix := range o.Mixes {
		if mix.Sweeps == 0 {
			return fmt.Errorf("%s: errors are those of an estimate from the transitions of local moves, of which this mix has none; give it sweeps", mix)
		}
	}
	return nil
}

// attempt is one contender with one seed.
type attempt struct {
	contender
	value, variance [quantities]float64
}

// Errors measures with every kind of move the errors of the estimate of a run, for the processor
// time that they took: of the sequential heat bath alone, under a flat histogram first, and of every mix
// with the network's draws in the estimate and without. All move under the same weights.
func Errors(ctx context.Context, o ErrorOptions) (_ []Precision, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	store, err := inference.OpenStore(o.Bundle)
	if err != nil {
		return nil, err
	}
	o.Runtime.Workers, o.LocalWalkers = 1, o.Walkers // which all start from the same configurations
	if o.LnG == nil {
		if o.LnG, err = adapt(ctx, o.Options, store); err != nil {
			return nil, err
		}
	}
	weights := &dos.Density{}
	for level := len(o.LnG) - 1; level >= 0; level-- {
		if !math.IsNaN(o.LnG[level]) {
			weights.Energy, weights.LnG = append(weights.Energy, o.System.Energy(level)), append(weights.LnG, o.LnG[level])
		}
	}
	m := newMeasure(o.System, weights)
	histograms := []Precision{{Histogram: config.FlatHistogram}}
	if o.Low {
		histograms = append(histograms, Precision{Histogram: config.LowHistogram})
	}
	for _, share := range o.Shares {
		if share > 0 && m.histogram(weights, share) != nil {
			histograms = append(histograms, Precision{Histogram: config.PhaseHistogram, PhaseShare: share})
		}
	}
	flat := len(o.Shares) == 0 || slices.Contains(o.Shares, 0)
	var all []Precision
	var attempts [][]*attempt
	for _, of := range histograms {
		mixes := []Mix{{Mix: config.Mix{Sweeps: localSweeps}}}
		if of.Histogram != config.FlatHistogram || flat {
			mixes = append(mixes, o.Mixes...)
		}
		for _, mix := range mixes {
			for _, draws := range []bool{false, true}[:min(mix.Trials, 1)+1] {
				p := of
				p.Moves, p.Mix, p.Draws = mix.String(), mix, draws
				switch of.Histogram {
				case config.LowHistogram:
					p.Moves += ", low histogram"
				case config.PhaseHistogram:
					p.Moves += fmt.Sprintf(", %g %% of the time at the phases", 100*of.PhaseShare)
				}
				if draws {
					p.Moves += ", draws joined"
				}
				all, attempts = append(all, p), append(attempts, nil)
			}
		}
	}
	done := 0
	for seed := range o.Seeds {
		start, err := o.equilibrium(ctx, store, uint64(seed))
		if err != nil {
			return nil, err
		}
		for i := range all {
			o.observe("measurement", float64(done)/float64(o.Seeds*len(all)))
			done++
			p := &all[i]
			if p.Draws {
				continue // made of the same run as the one before
			}
			a, err := o.try(ctx, store, p, m.histogram(weights, p.PhaseShare), start, uint64(seed))
			if err != nil {
				return nil, err
			}
			both := []bool{false}
			if p.Mix.Trials > 0 {
				both = append(both, true)
			}
			for k, draws := range both {
				b := *a
				if b.value, b.variance, err = m.of(a.engine.Samples(), draws); err != nil {
					for j := range b.value {
						b.value[j], b.variance[j] = math.NaN(), math.NaN()
					}
					all[i+k].Fault = err.Error()
				} else if math.IsNaN(b.variance[LnG]) {
					all[i+k].Fault = "there are levels that only one walker knows, whose ln g has no error"
				}
				b.engine = nil
				attempts[i+k] = append(attempts[i+k], &b)
			}
		}
	}
	o.sumUp(all, attempts)
	return all, nil
}

// equilibrium has the network bring the walkers of one seed to all levels, in passes enough for each to accept several of its
// proposals. All kinds of moves start from them: to come to the ends of the energies would take local moves alone
// longer than a measurement.
func (o *ErrorOptions) equilibrium(ctx context.Context, store *inference.Store, seed uint64) (_ *sampler.Snapshot, err error) {
	const passes = 30
	c := &contender{mix: Mix{Mix: config.Mix{Sweeps: 10, Trials: 2}, Across: 0.8}}
	options := o.Options
	options.Seed += seed
	if err := c.open(options, store); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.proposer.Close()) }()
	c.engine.Produce()
	for k := range passes {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		o.observe("equilibrium", float64(k)/passes)
		if err := c.engine.Pass(ctx); err != nil {
			return nil, err
		}
	}
	return c.engine.Snapshot(), nil
}

// place puts walkers where those of another engine are.
func (c *contender) place(from *sampler.Snapshot) error {
	s := c.engine.Snapshot()
	s.States, s.Levels, s.Aims = from.States, from.Levels, make([]sampler.AimSnapshot, len(from.Levels))
	return c.engine.Restore(s)
}

// try makes one run.
func (o *ErrorOptions) try(ctx context.Context, store *inference.Store, p *Precision, phases []float64, start *sampler.Snapshot, seed uint64) (_ *attempt, err error) {
	a := &attempt{contender: contender{mix: p.Mix}}
	options := o.Options
	options.Seed += seed
	if err := a.open(options, store); err != nil {
		return nil, err
	}
	if a.proposer != nil {
		defer func() { err = errors.Join(err, a.proposer.Close()) }()
	}
	if err := a.place(start); err != nil {
		return nil, err
	}
	switch p.Histogram {
	case config.LowHistogram:
		a.engine.SetHistogram(a.engine.LowHistogram())
	case config.PhaseHistogram:
		a.engine.SetHistogram(phases)
	}
	a.engine.Produce()
	if err := a.spend(ctx, o.Time/4, nil); err != nil {
		return nil, err
	}
	a.engine.Produce() // counts again from here, in equilibrium
	began := cpu.Time()
	if err := a.spend(ctx, o.Time, a.engine.Samples().Segment); err != nil {
		return nil, err
	}
	a.spent = cpu.Time() - began
	a.progress = a.engine.Progress()
	return a, nil
}

// spend makes passes for so much processor time, and tells at which share of it each begins.
func (a *attempt) spend(ctx context.Context, d time.Duration, at func(float64)) error {
	began := cpu.Time()
	for {
		done := float64(cpu.Time()-began) / float64(d)
		if done >= 1 {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if at != nil {
			at(done)
		}
		if err := a.engine.Pass(ctx); err != nil {
			return fmt.Errorf("%v: %w", a.mix, err)
		}
	}
}

// measure turns counts into the quantities.
type measure struct {
	system *lattice.Potts
	beta   float64                // of the infinite lattice's transition
	at     *transition.Transition // of this lattice; nil where it is not to be seen
}

func newMeasure(system *lattice.Potts, weights *dos.Density) *measure {
	return &measure{system: system, beta: system.InfiniteTransition(), at: transition.Find(system, weights, nil)}
}

// histogram is that of the two phases, nil without.
func (m *measure) histogram(weights *dos.Density, share float64) []float64 {
	levels := make([]int, weights.Len())
	for i, e := range weights.Energy {
		levels[i] = int(math.Round((m.system.Energy(0) - e) / (m.system.Energy(0) - m.system.Energy(1))))
	}
	return transition.Histogram(m.system, levels, weights, m.at, share)
}

// of estimates as a run does, with the network's draws or without.
func (m *measure) of(s *sampler.Samples, draws bool) (value, variance [quantities]float64, err error) {
	var bridge *dos.Bridge
	if draws {
		bridge = s.Bridge()
	}
	e, err := dos.FromPinnedTransitions(lattice.Energies(m.system), lattice.Changes(m.system), s.Transitions(), m.system.LnStates(), exact.Pins(m.system), bridge)
	if err != nil {
		return value, variance, err
	}
	if len(e.Replicas) < 2 {
		return value, variance, errors.New("without one of the walkers the levels are connected by too few transitions for an estimate, which thus has no errors")
	}
	variance[LnG] = e.MeanVariance(m.system.Energy(m.system.PeakLevel())) // not a number if there is a level that only one walker knows
	value[LnG] = math.NaN()
	if m.at == nil || !m.at.TwoPeaks {
		for _, k := range []int{LnWeightRatio, LnBarrier} {
			value[k], variance[k] = math.NaN(), math.NaN()
		}
		return value, variance, nil
	}
	values, deviations, err := e.Estimate(func(d *dos.Density) ([]float64, error) {
		barrier := math.NaN()
		if c, err := d.Coexistence(m.at.Beta, transition.Resolution(m.system), float64(m.system.Q())); err == nil {
			barrier = c.Barrier // a replica may be too rough to have one
		}
		return []float64{m.at.LnRatio(d, m.beta), barrier}, nil
	})
	if err != nil {
		return value, variance, err
	}
	for i, k := range []int{LnWeightRatio, LnBarrier} {
		value[k], variance[k] = values[i], deviations[i]*deviations[i]
	}
	return value, variance, nil
}

// sumUp fills in the results.
func (o *ErrorOptions) sumUp(all []Precision, attempts [][]*attempt) {
	for k := range quantities {
		sum, total := 0.0, 0.0
		for _, own := range attempts {
			for _, a := range own {
				if math.IsNaN(a.variance[k]) {
					continue
				}
				sum += a.value[k] / a.variance[k]
				total += 1 / a.variance[k]
			}
		}
		for i, own := range attempts {
			var costs []float64
			square := 0.0
			for _, a := range own {
				costs = append(costs, a.variance[k]*a.spent.Seconds())
				z := (a.value[k] - sum/total) / math.Sqrt(a.variance[k])
				square += z * z / float64(len(own))
			}
			c := Cost{Value: stat.Mean(costs, nil), Error: math.NaN()}
			if len(costs) > 1 {
				c.Error = stat.StdDev(costs, nil) / math.Sqrt(float64(len(costs)))
			}
			base := all[0].Cost[k]
			if i == 0 {
				base = c
			}
			c.Ratio = c.Value / base.Value
			if c.RatioError = c.Ratio * math.Hypot(c.Error/c.Value, base.Error/base.Value); i == 0 {
				c.RatioError = 0
			}
			c.Deviation = math.Sqrt(square)
			c.BreakEven = breakEven(base.Value, c.Value, o.Bundle.Card.Training.Seconds)
			if all[i].Mix.Trials == 0 {
				c.BreakEven = 0
			}
			all[i].Cost[k] = c
		}
	}
	for i, own := range attempts {
		for _, a := range own {
			all[i].Seconds += a.spent.Seconds() / float64(len(own))
			all[i].Acceptance += a.progress.Moves[sampler.Neural].Ratio() / float64(len(own))
		}
	}
}

// breakEven is the time at which two ways of equal error meet: one of a cost, the other of another
// cost after its training. Their variances are base/t and cost/(t - training).
func breakEven(base, cost, training float64) float64 {
	if !(cost < base) {
		return math.Inf(1)
	}
	return base * training / (base - cost)
}
