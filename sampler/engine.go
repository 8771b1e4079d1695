// Package sampler estimates the density of states g(E) of a spin system by
// Wang-Landau sampling with many walkers, local moves and whole configurations
// proposed by a network of exactly known likelihood. It knows networks only
// through the interface Proposer and reports through Events.
package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"neuralwl/internal/invariants"
	"neuralwl/internal/parallel"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Options of an Engine. Zero values stand for the defaults given.
type Options struct {
	System  lattice.System // required; of a type that package local supports
	Seed    uint64
	Walkers int // M, default 256
	// Workers is the number of goroutines that share the walkers, default 1.
	// Results do not depend on it.
	Workers int

	// Local is the local move of a pass, none by default.
	Local local.Move
	// Sweeps of the local move per walker and pass, default 1. A sweep is N
	// trials.
	Sweeps int

	// Proposer makes the neural trials; nil for none.
	Proposer Proposer
	// Trials is the number of neural trials per walker and pass, default 1.
	Trials int
	// Partial is the share of neural trials that keep a randomly drawn number of
	// sites, 0..1.
	Partial float64
	// Shift is the largest shift of the energy that neural trials ask for, in units of J, of
	// a proposer that takes shifts; none by default.
	Shift int

	// Across is the share of the other neural trials, 0..1, in which walkers at one end of
	// the levels aim at the other one and those in between wait, of a proposer with targets.
	// An end is a quarter of the way between the infinite-temperature peak and the ground state.
	Across float64

	// LnG is an estimate of ln g by level to begin with, NaN at levels of which
	// nothing is known; nil for nothing at all.
	LnG []float64

	// Adaptation is how the weights are found, WangLandau by default or Multicanonical;
	// Canonical stands for the weights exp(-Beta E), which are known.
	Adaptation Phase
	// Beta is the inverse temperature of canonical weights, in units of 1/J.
	Beta float64

	// Windows divide the levels; together they must hold all of them, and each must
	// share levels with the next. Walkers is a multiple of their number. None stands for
	// one window over all levels.
	Windows []lattice.Window

	// Flatness ends a stage of the Wang-Landau schedule, default DefaultFlatness.
	Flatness float64

	Events Events
}

// EnsureDefaults fills in the defaults.
func (o *Options) EnsureDefaults() {
	if o.Walkers == 0 {
		o.Walkers = 256
	}
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.Sweeps == 0 {
		o.Sweeps = 1
	}
	if o.Trials == 0 {
		o.Trials = 1
	}
	if o.Flatness == 0 {
		o.Flatness = DefaultFlatness
	}
	if o.Adaptation == "" {
		o.Adaptation = WangLandau
	}
}

// Validate reports every fault at once.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.System == nil {
		fault("no system")
	}
	if o.Walkers < 1 {
		fault("walkers = %d, at least 1 is needed", o.Walkers)
	}
	if o.Workers < 1 {
		fault("workers = %d, at least 1 is needed", o.Workers)
	}
	if o.Sweeps < 1 {
		fault("sweeps = %d, at least 1 is needed", o.Sweeps)
	}
	if o.Trials < 1 {
		fault("trials = %d, at least 1 is needed", o.Trials)
	}
	if o.Local == local.None && o.Proposer == nil {
		fault("no moves: neither local nor neural ones were asked for")
	}
	if o.Partial < 0 || o.Partial > 1 {
		fault("partial = %g, must be within 0..1", o.Partial)
	}
	if o.Shift < 0 {
		fault("shift = %d, must not be negative", o.Shift)
	}
	if !(o.Across >= 0 && o.Across <= 1) {
		fault("across = %g, must be within 0..1", o.Across)
	}
	if o.Across == 1 && o.Partial == 0 && o.Local == local.None {
		fault("across = 1 without other moves reaches no levels between the ends, must be below 1")
	}
	if o.Flatness <= 0 || o.Flatness >= 1 {
		fault("flatness = %g, must be between 0 and 1", o.Flatness)
	}
	if o.System != nil && o.LnG != nil && len(o.LnG) != o.System.Levels() {
		fault("ln g to begin with has %d levels, the system %d", len(o.LnG), o.System.Levels())
	}
	if o.Adaptation != WangLandau && o.Adaptation != Multicanonical && o.Adaptation != Canonical {
		fault("adaptation %q, there are %s, %s and %s", o.Adaptation, WangLandau, Multicanonical, Canonical)
	}
	if math.IsNaN(o.Beta) || math.IsInf(o.Beta, 0) {
		fault("beta = %g, must be a number", o.Beta)
	}
	if o.Adaptation == Canonical && len(o.Windows) > 1 {
		fault("%d windows, canonical sampling has none", len(o.Windows))
	}
	faults = append(faults, o.checkWindows()...)
	switch o.System.(type) {
	case nil, *lattice.Potts:
	case *lattice.Terms:
		if o.Proposer != nil {
			fault("neural moves are made for the Potts model in two dimensions, not for %v; leave the proposer out", o.System)
		}
	}
	if o.System != nil && !local.Supports(o.System) {
		fault("there are no moves for systems of the type %T; make one with lattice.New", o.System)
	}
	if o.System != nil && o.Proposer != nil {
		b := o.Proposer.Batch()
		if b.Walkers != o.Walkers || b.Sites != o.System.Sites() {
			fault("the proposer serves %d walkers on %d sites, the engine has %d on %d", b.Walkers, b.Sites, o.Walkers, o.System.Sites())
		}
		if o.Shift > 0 && b.Shift == nil {
			fault("shift = %d, the network takes no shift of the energy; take 0, or a network with coordinate 0 of its latent vector tied to the energy", o.Shift)
		}
	}
	return errors.Join(faults...)
}

// Engine moves walkers through the levels of a system.
//
// A pass is Sweeps local sweeps and some neural trials of every walker. The weights
// are constant while walkers move; every trial, rejected ones too, is counted by
// the level it ends on, and ln g of that level is raised by ln f for each when the
// counts are applied. That happens after a fixed number of trials, one pass or
// so for the usual number of walkers: it makes every number independent of the
// number of workers, and is the same stochastic approximation as an update after
// each trial, with the sum of a few thousand of them taken at once.
type Engine struct {
	o         Options
	walkers   []walker
	windows   []*weights
	exchanges *rand.PCG // decides on exchanges between windows
	neural    proposalMove

	lnH     []float64 // as SetHistogram was told
	phase   Phase
	passes  int64
	moves   Moves
	times   Times
	samples *Samples // of production
}

// New returns an engine with walkers in random configurations.
func New(o Options) (*Engine, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("sampler options: %w", err)
	}
	p := o.System
	e := &Engine{
		o:         o,
		walkers:   newWalkers(p, o.Seed, o.Walkers),
		exchanges: Stream(o.Seed, exchangeStream, 0),
		phase:     o.Adaptation,
	}
	windows := o.Windows
	if len(windows) == 0 {
		windows = []lattice.Window{{Low: 0, High: p.Levels() - 1}}
	}
	for _, w := range windows {
		e.windows = append(e.windows, newWeights(&o, w, o.Walkers/len(windows)))
	}
	if o.Proposer != nil {
		if potts := p.(*lattice.Potts); e.targeted() {
			e.neural = newTargetedMove(potts, o.Proposer, o.Partial, o.Across, o.Walkers)
		} else {
			e.neural = newNeuralMove(potts, o.Proposer, o.Partial, o.Shift, o.Walkers)
		}
	}
	e.open()
	return e, nil
}

// Pass moves every walker by Sweeps local sweeps and Trials neural trials. On an
// error ln g is as after the last update; the walkers are valid configurations.
func (e *Engine) Pass(ctx context.Context) error {
	if e.o.Local != local.None {
		// With constant weights walkers need not wait for each other between sweeps.
		atOnce := 1
		if e.samples != nil {
			atOnce = e.o.Sweeps
		}
		for sweeps := 0; sweeps < e.o.Sweeps; sweeps += atOnce {
			if err := ctx.Err(); err != nil {
				return err
			}
			e.localSweeps(atOnce)
		}
	}
	if e.neural != nil && e.samples == nil {
		// The network may have learned since the last pass.
		for i := range e.walkers {
			e.walkers[i].aim.known = false
		}
	}
	for trial := range e.neuralTrials() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.neuralTrial(ctx, e.passes*int64(e.o.Trials)+int64(trial)); err != nil {
			return err
		}
	}
	e.measure()
	e.exchange()
	e.open()
	e.passes++
	if e.samples != nil {
		e.samples.passes++
	}
	if invariants.Enabled || e.passes%energyCheck == 0 {
		if err := e.CheckEnergies(); err != nil {
			return err
		}
	}
	if e.o.Events.Pass != nil {
		e.o.Events.Pass(e.Progress())
	}
	return nil
}

// SetMix changes what the next passes consist of: sweeps of the local move and neural
// trials per walker, 0 for none. It draws no random numbers.
func (e *Engine) SetMix(sweeps, trials int) { e.o.Sweeps, e.o.Trials = sweeps, trials }

// window is where walker i belongs. Neighbouring walkers are in neighbouring windows,
// and as many of them as there are windows make a column; see Window.
func (e *Engine) window(i int) *weights { return e.windows[i%len(e.windows)] }

// hits is where the trials of walker i are counted.
func (e *Engine) hits(worker, i int) []int64 {
	if e.samples != nil {
		return e.samples.row(i)
	}
	return e.window(i).pending[worker]
}

// localSweeps moves every walker by some sweeps.
func (e *Engine) localSweeps(sweeps int) {
	began := time.Now()
	accepted := make([]int64, e.o.Workers)
	groundLevel, peakLevel := e.groundLevel(), e.o.System.PeakLevel()
	columns := len(e.walkers) / len(e.windows)
	size := groupSize(columns) * len(e.windows)
	parallel.Do(e.o.Workers, groups(columns), 1, func(worker, group int) {
		var situations []int64
		if e.samples != nil {
			situations = e.samples.situations(group)
		}
		done := 0
		for i := group * size; i < min((group+1)*size, len(e.walkers)); i++ {
			w, window := &e.walkers[i], e.window(i)
			if !window.isOpen {
				continue
			}
			for range sweeps {
				w.aim.known = false
				var accepted int
				w.level, accepted = window.kernel.Sweep(worker, w.state, w.level, e.hits(worker, i), situations, w.rng)
				done += accepted
				w.trip.note(w.level, groundLevel, peakLevel)
			}
		}
		accepted[worker] += int64(done)
	})
	c := &e.moves[Local]
	for _, a := range accepted {
		c.Accepted += a
	}
	c.Trials += e.apply(int64(sweeps * e.o.System.Sites()))
	e.times.Local += time.Since(began)
}

// targeted tells whether the network's proposals have a target.
func (e *Engine) targeted() bool { return e.o.Proposer != nil && e.o.Proposer.Batch().Target != nil }

// neuralTrials is the number of neural trials per pass.
func (e *Engine) neuralTrials() int {
	if e.neural == nil {
		return 0
	}
	return e.o.Trials
}

// groundLevel is the level at which round trips turn: where the ground states are not
// known it is the highest one that was seen so far, in production before it began.
func (e *Engine) groundLevel() int {
	if lattice.GroundKnown(e.o.System) {
		return e.o.System.GroundLevel()
	}
	seen := e.Seen()
	for b, s := range slices.Backward(seen) {
		if s {
			return b
		}
	}
	return len(seen)
}

// neuralTrial makes the n-th neural trial of the phase.
func (e *Engine) neuralTrial(ctx context.Context, n int64) error {
	count, times, err := e.neural.run(ctx, n, e.walkers, e.window, e.o.Workers, e.hits, e.samples)
	e.times.Propose += times.propose
	e.times.LogProb += times.logProb
	if err != nil {
		return err
	}
	for i := range e.walkers {
		w := &e.walkers[i]
		w.trip.note(w.level, e.groundLevel(), e.o.System.PeakLevel())
	}
	c := &e.moves[Neural]
	c.Accepted += count.Accepted
	c.Trials += count.Trials
	e.apply(1)
	return nil
}

// apply tells every window of as many trials of each of its walkers and returns how
// many these were in all.
func (e *Engine) apply(each int64) (trials int64) {
	anyEnded := false
	var found []int
	for _, w := range e.windows {
		if !w.isOpen {
			continue
		}
		n := each * int64(len(e.walkers)/len(e.windows))
		trials += n
		if e.samples == nil {
			levels, ended := w.apply(n)
			found, anyEnded = append(found, levels...), anyEnded || ended
		}
	}
	if len(found) > 0 && e.o.Events.LevelsFound != nil {
		e.o.Events.LevelsFound(found)
	}
	if anyEnded && e.o.Events.StageEnded != nil {
		e.o.Events.StageEnded(e.Progress())
	}
	return trials
}

// Progress sums up the present phase.
func (e *Engine) Progress() Progress {
	p := Progress{
		Phase: e.phase, Passes: e.passes,
		LnF: e.LnF(), Inverse: true, Flatness: math.Inf(1),
		Moves: e.moves,
		Times: e.times,
	}
	for k, w := range e.windows {
		if !w.isOpen {
			continue
		}
		flatness := w.state.flatness()
		if w.recursion != nil {
			flatness = w.recursion.flatness
		}
		if e.samples != nil {
			flatness = e.samples.flatness(k, w)
		}
		p.Flatness = min(p.Flatness, flatness)
		p.Inverse = p.Inverse && w.schedule.inverse
	}
	for _, seen := range e.Seen() {
		if seen {
			p.Levels++
		}
	}
	if e.phase != WangLandau {
		p.LnF = 0
	}
	for i := range e.walkers {
		p.RoundTrips += float64(e.walkers[i].trip.turns) / 2
	}
	return p
}

// Adapted reports whether the weights of all windows that have walkers are good enough
// for production: ln f is at or below the final one, or the histogram of the last
// multicanonical iteration is flat. Canonical weights always are.
func (e *Engine) Adapted(finalLnF float64) bool {
	for _, w := range e.windows {
		if e.o.Adaptation != Canonical && w.isOpen && !w.adapted(finalLnF) {
			return false
		}
	}
	return true
}

// AdaptationProgress guesses how much of the way to Adapted is done, 0..1.
func (e *Engine) AdaptationProgress(finalLnF float64) float64 {
	done := 1.0
	for _, w := range e.windows {
		if w.isOpen {
			done = min(done, w.progress(finalLnF))
		}
	}
	return done
}

// LnF is the present modification factor, the largest of all windows that are not
// waiting for walkers.
func (e *Engine) LnF() float64 {
	lnF := 0.0
	for _, w := range e.windows {
		if w.isOpen {
			lnF = max(lnF, w.schedule.lnF)
		}
	}
	return lnF
}

// Seen reports for every level whether a trial ever ended on it. Shared, not to
// be written.
func (e *Engine) Seen() []bool {
	if len(e.windows) == 1 {
		return e.windows[0].seen
	}
	seen := make([]bool, e.o.System.Levels())
	for _, w := range e.windows {
		for b, s := range w.seen {
			seen[b] = seen[b] || s
		}
	}
	return seen
}

// LnG is the present ln g by level up to a constant, 0 at levels never seen; that of
// several windows as join puts it together. Shared, not to be written.
func (e *Engine) LnG() []float64 {
	if len(e.windows) == 1 {
		return e.windows[0].lnG
	}
	return join(e.windows)
}

// State returns the configuration of walker i and its level. Shared, valid until
// the next pass, not to be written.
func (e *Engine) State(i int) (state []uint8, level int) {
	return e.walkers[i].state, e.walkers[i].level
}

// Walkers is their number M.
func (e *Engine) Walkers() int { return len(e.walkers) }
