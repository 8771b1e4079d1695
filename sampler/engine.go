// Package sampler estimates the density of states g(E) of a spin system by Wang-Landau
// sampling with many walkers, which make local moves and moves to whole configurations that
// a network proposes with exactly known probability. It knows networks only as Proposers and
// reports through Events.
//
// The order of calls is
//
//	engine, err := sampler.New(options)     // walkers in random configurations
//	for !engine.Adapted(finalLnF) { ... }   // engine.Pass: the weights are found
//	engine.Produce()                        // they are frozen, and counts begin
//	for ... { ... }                         // engine.Pass
//	engine.Samples().Density()              // ln g with its errors, or Transitions for package dos
//
// Between New and Produce the network may be trained on what Engine.State shows. SetMix,
// SetHistogram and Segment change what follows; Snapshot and Restore let a later process go on to the
// same numbers. A Start begins with draws of a network in place of random configurations, a VAN draws
// from a network alone, and a Variational does so at given temperatures.
//
// Every random number is of a Stream of the seed, so that results are a function of the options and of
// the calls, whatever the number of workers. An Engine belongs to one goroutine; its workers end with
// each call. It owns its walkers, and what it returns of them is shared: it is valid until the next pass
// and not to be written. The System is only read and may serve many engines. A Proposer serves one
// engine, and is closed by whoever made it, after the last pass.
package sampler

import (
	"context"
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

// Engine moves walkers through the levels of a system.
//
// A pass is Sweeps local sweeps and some neural trials of every walker. The weights are
// constant while walkers move. Every trial, accepted or rejected, is counted at the level it
// ends on; applying the counts raises ln g of that level by ln f for each trial. They are
// applied after a fixed number of trials, about one pass for the usual number of walkers.
// That makes every number independent of the number of workers. It is the same stochastic
// approximation as an update after each trial, with a few thousand updates summed up.
type Engine struct {
	o         Options
	walkers   []walker
	division  division // of their columns
	whole     division // of all columns, of which those are a shard
	windows   []*estimate
	exchanges *rand.PCG // decides on exchanges between windows
	neural    proposalMove

	parts []*Engine // shards of the adaptation, which share walkers and estimates with this engine; see AdaptInShards
	round int64     // their passes between two updates of the weights
	held  bool      // this is one of them: others update the weights

	lnH     []float64 // set by SetHistogram
	phase   Phase
	passes  int64
	moves   Moves
	times   Times
	samples *Samples        // of production
	tally   *ProposalCounts // of the phase, as far as this engine has made it; nil without a network
}

// New returns an engine with walkers in random configurations.
//
// Options need a System and moves: a Local move that local.Check allows for the system, or a Proposer
// for as many walkers and sites, with a system that is lattice.Symmetric, or both. Windows must cover all levels
// and overlap (lattice.Windows makes such), and Walkers be a multiple of them; LnG needs a value for
// every level. The error names every fault at once. There is nothing to close.
func New(o Options) (*Engine, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("sampler options: %w", err)
	}
	p := o.System
	first, n := o.share()
	e := &Engine{
		o:         o,
		walkers:   newWalkers(p, o.Seed, first, n),
		exchanges: Stream(o.Seed, exchangeStream, o.Shard.stream()),
		phase:     o.Adaptation,
	}
	e.division, e.whole = o.division()
	windows := o.Windows
	if len(windows) == 0 {
		windows = []lattice.Window{{Low: 0, High: p.Levels() - 1}}
	}
	for _, w := range windows {
		e.windows = append(e.windows, newEstimate(&o, w, n/len(windows)))
	}
	if o.Proposer != nil || o.Angles != nil {
		e.neural, e.tally = e.newProposalMove(), newProposalCounts(p.Levels())
	}
	e.open()
	return e, nil
}

// newProposalMove makes the move of the proposer.
func (e *Engine) newProposalMove() proposalMove {
	o := &e.o
	if o.Angles != nil {
		return newAngleMove(o.System.(*lattice.XY), o.Angles, o.Coldest, o.Upright)
	}
	s := o.System.(lattice.Symmetric)
	if e.targeted() {
		return newTargetedMove(s, o.Proposer, o.Partial, o.Across, o.newFrames(s))
	}
	return newNeuralMove(s, o.Proposer, o.Partial, o.Shift, o.newFrames(s))
}

// Pass moves every walker by Sweeps local sweeps and Trials neural trials. After an error
// ln g is that of the last update and all walkers have valid configurations.
func (e *Engine) Pass(ctx context.Context) error {
	if len(e.parts) > 0 && e.samples == nil {
		return e.passInShards(ctx)
	}
	if e.o.Local != local.None {
		// Under constant weights walkers need not wait for each other between sweeps.
		atOnce := 1
		if e.samples != nil || e.held {
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
		// Aims are redrawn in every pass, whether or not the network has learned since the last
		// one: when it learns must not decide which random numbers walkers draw.
		for i := range e.walkers {
			e.walkers[i].aim.forget()
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
	e.record()
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

// SetMix changes the local sweeps and neural trials per walker of the following passes, 0
// for none. It draws no random numbers. Call it between passes. Sweeps of an engine without a local move,
// and trials of one without a Proposer, are none;
// with none of both a pass moves no walker. Negative numbers count as 0. A Snapshot does not hold the mix: set it again after Restore.
func (e *Engine) SetMix(sweeps, trials int) { e.o.Sweeps, e.o.Trials = sweeps, trials }

// window returns the estimate of walker i's window; see Options.Windows.
func (e *Engine) window(i int) *estimate { return e.windows[i%len(e.windows)] }

// hits returns the counts by level to which the trials of walker i belong.
func (e *Engine) hits(worker, i int) []int64 {
	if e.samples != nil {
		return e.samples.row(i)
	}
	return e.window(i).pending[worker]
}

// localSweeps moves every walker by a number of local sweeps.
func (e *Engine) localSweeps(sweeps int) {
	began := time.Now()
	accepted := make([]int64, e.o.Workers)
	groundLevel, peakLevel := e.groundLevel(), e.o.System.PeakLevel()
	size := e.division.group * len(e.windows)
	parallel.Do(e.o.Workers, e.division.groups(), 1, func(worker, group int) {
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
				w.aim.forget()
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

// targeted reports whether the network's proposals have a target.
func (e *Engine) targeted() bool { return e.o.Proposer != nil && e.o.Proposer.Batch().Target != nil }

// network is the version of the network that aims at levels, 0 without such a network.
func (e *Engine) network() Version {
	if !e.targeted() {
		return 0
	}
	return e.o.Proposer.Pin()
}

// neuralTrials is the number of neural trials per pass.
func (e *Engine) neuralTrials() int {
	if e.neural == nil {
		return 0
	}
	return e.o.Trials
}

// groundLevel is the level at which round trips turn. If the ground states are unknown it
// is the first of the highest energy level seen so far; production does not extend it.
func (e *Engine) groundLevel() int {
	if lattice.GroundKnown(e.o.System) {
		return e.o.System.GroundLevel()
	}
	seen := e.Seen()
	for b, s := range slices.Backward(seen) {
		if s {
			first, _ := lattice.Row(e.o.System, b)
			return first
		}
	}
	return len(seen)
}

// neuralTrial makes the n-th neural trial of the phase.
func (e *Engine) neuralTrial(ctx context.Context, n int64) error {
	count, times, err := e.neural.run(ctx, n, e.walkers, e.window, e.o.Workers, func(i int) []int64 { return e.hits(0, i) }, e.tally, e.samples)
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

// apply accounts for a number of trials by each walker, window by window, and returns the
// number of trials by all walkers together.
func (e *Engine) apply(each int64) (trials int64) {
	n := each * int64(len(e.walkers)/len(e.windows))
	for _, w := range e.windows {
		if !w.isOpen {
			continue
		}
		trials += n
		if e.held {
			w.waiting += n
		}
	}
	if e.samples == nil && !e.held {
		e.improve(n)
	}
	return trials
}

// improve accounts for trials in each window and, where enough are waiting, improves ln g.
func (e *Engine) improve(trials int64) {
	anyEnded := false
	var found []int
	for _, w := range e.windows {
		if w.isOpen {
			levels, ended := w.apply(trials)
			found, anyEnded = append(found, levels...), anyEnded || ended
		}
	}
	if len(found) > 0 && e.o.Events.LevelsFound != nil {
		e.o.Events.LevelsFound(found)
	}
	if anyEnded && e.o.Events.IterationEnded != nil {
		e.o.Events.IterationEnded(e.Progress())
	}
}

// Progress summarises the present phase.
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
		p.Flatness = min(p.Flatness, e.flatness(k))
		p.Inverse = p.Inverse && w.schedule.inverse
	}
	for _, seen := range e.Seen() {
		if seen {
			p.Levels++
		}
	}
	switch e.phase {
	case WangLandau:
	case Metadynamics:
		p.LnF = e.hill()
	default:
		p.LnF = 0
	}
	for i := range e.walkers {
		p.RoundTrips += float64(e.walkers[i].trip.turns) / 2
	}
	return p
}

// flatness is that of a window; see Progress.
func (e *Engine) flatness(k int) float64 {
	w := e.windows[k]
	switch {
	case e.samples != nil:
		return flatness(e.samples.Windows[k].Blocks, w)
	case w.rule != nil:
		return w.rule.flatness(w)
	}
	return w.state.flatness()
}

// Adapted reports whether the weights are good enough for production in every window that
// has walkers. In Wang-Landau sampling ln f has reached a final one, or the range is explored; in
// metadynamics the highest hill has become as low as a final one, if hills get lower; in multicanonical
// iterations, and those after multiple Gaussians, the last histogram was flat. Canonical weights always
// are.
func (e *Engine) Adapted(final float64) bool {
	for _, w := range e.windows {
		if e.o.Adaptation != Canonical && w.isOpen && !w.adapted(final) {
			return false
		}
	}
	return true
}

// AdaptationProgress estimates how far the adaptation has come, 0..1.
func (e *Engine) AdaptationProgress(final float64) float64 {
	done := 1.0
	for _, w := range e.windows {
		if w.isOpen {
			done = min(done, w.progress(final))
		}
	}
	return done
}

// LnF is the present modification factor, the largest of all windows that have walkers.
func (e *Engine) LnF() float64 {
	lnF := 0.0
	for _, w := range e.windows {
		if w.isOpen {
			lnF = max(lnF, w.schedule.lnF)
		}
	}
	return lnF
}

// hill is the height of the highest hill that metadynamics would leave in any window that has walkers.
func (e *Engine) hill() float64 {
	highest := 0.0
	for _, w := range e.windows {
		if w.isOpen {
			highest = max(highest, w.hill())
		}
	}
	return highest
}

// Seen reports by level whether a trial has ever ended on it. Shared, not to be written.
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

// LnG is the present ln g by level up to a constant, 0 at levels never seen; several
// windows are joined by join. Shared, not to be written.
func (e *Engine) LnG() []float64 {
	if len(e.windows) == 1 {
		return e.windows[0].lnG
	}
	return join(e.windows)
}

// State returns the configuration of walker i and its level. Shared, valid until the next
// pass, not to be written.
func (e *Engine) State(i int) (state []uint8, level int) {
	return e.walkers[i].state, e.walkers[i].level
}

// Walkers is their number M.
func (e *Engine) Walkers() int { return len(e.walkers) }
