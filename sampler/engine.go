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
	"time"

	"neuralwl/internal/invariants"
	"neuralwl/internal/parallel"
	"neuralwl/sampler/lattice"
)

// Options of an Engine. Zero values stand for the defaults given.
type Options struct {
	System  *lattice.Potts // required
	Seed    uint64
	Walkers int // M, default 256
	// Workers is the number of goroutines that share the walkers, default 1.
	// Results do not depend on it.
	Workers int

	// Local is the local move of a pass, none by default.
	Local LocalMove
	// Sweeps of the local move per walker and pass, default 1. A sweep is N
	// trials.
	Sweeps int

	// Proposer makes one neural trial per walker and pass; nil for none.
	Proposer Proposer
	// Partial is the share of neural trials that keep a randomly drawn number of
	// sites, 0..1.
	Partial float64

	// LnG is an estimate of ln g by level to begin with, NaN at levels of which
	// nothing is known; nil for nothing at all.
	LnG []float64

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
	if o.Flatness == 0 {
		o.Flatness = DefaultFlatness
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
	if o.Local == NoLocalMove && o.Proposer == nil {
		fault("no moves: neither local nor neural ones were asked for")
	}
	if o.Partial < 0 || o.Partial > 1 {
		fault("partial = %g, must be within 0..1", o.Partial)
	}
	if o.Flatness <= 0 || o.Flatness >= 1 {
		fault("flatness = %g, must be between 0 and 1", o.Flatness)
	}
	if o.System != nil && o.LnG != nil && len(o.LnG) != o.System.Levels() {
		fault("ln g to begin with has %d levels, the system %d", len(o.LnG), o.System.Levels())
	}
	if o.System != nil && o.Proposer != nil {
		b := o.Proposer.Batch()
		if b.Walkers != o.Walkers || b.Sites != o.System.Sites() {
			fault("the proposer serves %d walkers on %d sites, the engine has %d on %d", b.Walkers, b.Sites, o.Walkers, o.System.Sites())
		}
	}
	return errors.Join(faults...)
}

// Engine moves walkers through the levels of a system.
//
// A pass is Sweeps local sweeps and one neural trial of every walker. The weights
// are constant while walkers move; every trial, rejected ones too, is counted by
// the level it ends on, and ln g of that level is raised by ln f for each when the
// counts are applied. That happens after a fixed number of trials, one pass or
// so for the usual number of walkers: it makes every number independent of the
// number of workers, and is the same stochastic approximation as an update after
// each trial, with the sum of a few thousand of them taken at once.
type Engine struct {
	o       Options
	walkers []walker
	tables  *tables
	neural  *neuralMove

	lnG      []float64
	seen     []bool
	schedule schedule
	hist     []int64   // visits since the last reduction of ln f
	pending  [][]int64 // by worker: visits not yet applied to ln g
	waiting  int64     // number of those
	interval int64     // trials between two applications
	state    histogramState

	phase   Phase
	passes  int64
	moves   Moves
	times   Times
	samples *Samples // of production
}

// trialsPerLevel is how many trials are at least made between two updates of the
// tables of the local moves, per level: refilling a level's table takes as long as
// six trials, which is then 5 % of the time.
const trialsPerLevel = 128

// New returns an engine with walkers in random configurations.
func New(o Options) (*Engine, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("sampler options: %w", err)
	}
	p := o.System
	e := &Engine{
		o:       o,
		walkers: newWalkers(p, o.Seed, o.Walkers),
		tables:  newTables(p, o.Local),
		lnG:     make([]float64, p.Levels()),
		seen:    make([]bool, p.Levels()),
		hist:    make([]int64, p.Levels()),
		pending: make([][]int64, o.Workers),
		phase:   WangLandau,
	}
	for i := range e.pending {
		e.pending[i] = make([]int64, p.Levels())
	}
	if o.Local != NoLocalMove {
		e.interval = trialsPerLevel * int64(p.Levels())
	}
	if o.Proposer != nil {
		e.neural = newNeuralMove(p, o.Proposer, o.Partial, o.Walkers)
	}
	// Between two updates of ln g the walkers make at least this many trials; a
	// level gains ln f for each, on average less than 1 in all.
	atOnce := max(e.interval, int64(o.Walkers))
	if o.Local != NoLocalMove {
		atOnce = max(atOnce, int64(o.Walkers*p.Sites()))
	}
	e.schedule = schedule{lnF: min(1, float64(p.Levels())/float64(atOnce)), flatness: o.Flatness}
	for b, x := range o.LnG {
		if !math.IsNaN(x) {
			e.lnG[b], e.seen[b] = x, true
			e.state.levels++
		}
	}
	e.tables.fill(e.lnG)
	return e, nil
}

// Pass moves every walker by Sweeps local sweeps and one neural trial. On an
// error ln g is as after the last update; the walkers are valid configurations.
func (e *Engine) Pass(ctx context.Context) error {
	if e.o.Local != NoLocalMove {
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
	if e.neural != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.neuralTrial(ctx); err != nil {
			return err
		}
	}
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

// hits is where the trials of walker i are counted.
func (e *Engine) hits(worker, i int) []int64 {
	if e.samples != nil {
		return e.samples.row(i)
	}
	return e.pending[worker]
}

// localSweeps moves every walker by some sweeps.
func (e *Engine) localSweeps(sweeps int) {
	began := time.Now()
	accepted := make([]int64, len(e.pending))
	groundLevel, peakLevel := e.o.System.GroundLevel(), e.o.System.PeakLevel()
	size := groupSize(len(e.walkers))
	parallel.Do(e.o.Workers, groups(len(e.walkers)), 1, func(worker, group int) {
		var situations []int64
		if e.samples != nil {
			situations = e.samples.situations(group)
		}
		done := 0
		for i := group * size; i < min((group+1)*size, len(e.walkers)); i++ {
			w := &e.walkers[i]
			for range sweeps {
				done += e.tables.sweep(w, e.hits(worker, i), situations)
				w.trip.note(w.level, groundLevel, peakLevel)
			}
		}
		accepted[worker] += int64(done)
	})
	c := &e.moves[Local]
	for _, a := range accepted {
		c.Accepted += a
	}
	trials := int64(sweeps * len(e.walkers) * e.o.System.Sites())
	c.Trials += trials
	e.apply(trials)
	e.times.Local += time.Since(began)
}

func (e *Engine) neuralTrial(ctx context.Context) error {
	accepted, times, err := e.neural.run(ctx, e.walkers, e.lnG, e.o.Workers, e.hits)
	e.times.Propose += times.propose
	e.times.LogProb += times.logProb
	if err != nil {
		return err
	}
	for i := range e.walkers {
		w := &e.walkers[i]
		w.trip.note(w.level, e.o.System.GroundLevel(), e.o.System.PeakLevel())
	}
	c := &e.moves[Neural]
	c.Trials += int64(len(e.walkers))
	c.Accepted += int64(accepted)
	e.apply(int64(len(e.walkers)))
	return nil
}

// apply raises ln g by the trials counted so far once enough are waiting.
func (e *Engine) apply(trials int64) {
	if e.samples != nil {
		return
	}
	if e.waiting += trials; e.waiting < e.interval {
		return
	}
	var found []int
	counted := int64(0)
	for b := range e.lnG {
		// Whole numbers first: a sum of products with ln f would depend on how the
		// trials are spread over the workers.
		n := int64(0)
		for _, counts := range e.pending {
			n += counts[b]
			counts[b] = 0
		}
		if n == 0 {
			continue
		}
		if !e.seen[b] {
			e.seen[b] = true
			found = append(found, b)
		}
		e.lnG[b] += e.schedule.lnF * float64(n)
		e.hist[b] += n
		counted += n
	}
	if invariants.Enabled && counted != e.waiting {
		panic(fmt.Sprintf("sampler: %d trials were made and %d counted", e.waiting, counted))
	}
	e.state.discovered = len(found) > 0
	e.state.levels += len(found)
	e.rescale()
	reduced := e.schedule.step(e.waiting, e.state)
	e.waiting = 0
	e.tables.fill(e.lnG)
	if e.state.discovered && e.o.Events.LevelsFound != nil {
		e.o.Events.LevelsFound(found)
	}
	if reduced {
		if e.o.Events.LnFReduced != nil {
			e.o.Events.LnFReduced(e.Progress())
		}
		clear(e.hist)
		e.state.lowest, e.state.total = 0, 0
	}
}

// rescale sums up the histogram and shifts ln g so that its least value over the
// levels seen is 0, which is also its value at all others: a level that is found
// late starts from the least known one, not from far below.
func (e *Engine) rescale() {
	h := &e.state
	h.lowest, h.total = -1, 0
	least := 0.0
	first := true
	for b, seen := range e.seen {
		if !seen {
			continue
		}
		if first || e.lnG[b] < least {
			least = e.lnG[b]
		}
		if first || e.hist[b] < h.lowest {
			h.lowest = e.hist[b]
		}
		h.total += e.hist[b]
		first = false
	}
	for b, seen := range e.seen {
		if seen {
			e.lnG[b] -= least
		}
	}
}

// Progress sums up the present phase.
func (e *Engine) Progress() Progress {
	p := Progress{
		Phase: e.phase, Passes: e.passes,
		LnF: e.schedule.lnF, Inverse: e.schedule.inverse,
		Flatness: e.state.flatness(),
		Levels:   e.state.levels,
		Moves:    e.moves,
		Times:    e.times,
	}
	if e.samples != nil {
		p.LnF = 0
		p.Flatness = e.samples.flatness(e.seen)
	}
	for i := range e.walkers {
		p.RoundTrips += float64(e.walkers[i].trip.turns) / 2
	}
	return p
}

// LnF is the present modification factor.
func (e *Engine) LnF() float64 { return e.schedule.lnF }

// Seen reports for every level whether a trial ever ended on it. Shared, not to
// be written.
func (e *Engine) Seen() []bool { return e.seen }

// LnG is the present ln g by level up to a constant, 0 at levels never seen.
// Shared, not to be written.
func (e *Engine) LnG() []float64 { return e.lnG }

// State returns the configuration of walker i and its level. Shared, valid until
// the next pass, not to be written.
func (e *Engine) State(i int) (state []uint8, level int) {
	return e.walkers[i].state, e.walkers[i].level
}

// Walkers is their number M.
func (e *Engine) Walkers() int { return len(e.walkers) }
