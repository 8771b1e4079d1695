package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// VANOptions are the options of VAN. Zero values stand for the defaults given.
type VANOptions struct {
	System lattice.Symmetric // required
	Seed   uint64
	// Proposer draws a batch of M configurations from q(s), which must depend neither on a
	// state nor on an energy. A VAN without one can be restored and read, but makes no pass;
	// it needs M as Draws.
	Proposer Proposer
	Draws    int
	// Schedule of ln f, default InverseTime. By ConstantLnF the adaptation ends with a histogram that is
	// broad, in that all levels that have states were drawn, or flat, as in the original algorithm.
	Schedule Schedule
	// LnF is the modification factor to begin with, and by ConstantLnF to stay with, default 1.
	LnF float64
	// Flatness ends an iteration of the Wang-Landau schedule, default DefaultFlatness.
	Flatness float64
	// Learn is given every batch before production, for a step of the network towards its
	// target; nil for a network that does not learn.
	Learn  func(context.Context, Drawn) error
	Events Events
}

// Drawn is a batch of M configurations on N sites, one after another. It is shared and valid
// until Learn returns.
type Drawn struct {
	States []int32   // [M,N]
	LnQ    []float32 // [M] as drawn; NaN if the network failed
	LnP    []float64 // [M] the target's, -ln g(E) up to a constant
}

// VAN is Wang-Landau sampling by an autoregressive network alone, without Markov chains:
// the first algorithm of M. Riedel, J. Zierenberg and M. Weigel (2024). It serves as a
// comparison for the walkers of Engine.
//
// A pass draws a batch of M configurations s_k from q(s), lets the network learn the target
// p(s) = 1/g(E(s)), and then, with weights normalised over the batch,
//
//	w_k = g(E_k)^-1 / q(s_k) / sum_j g(E_j)^-1 / q(s_j),
//
// updates ln g(E_k) += w_k ln f and H(E_k) += w_k. The whole batch is one visit, not M of
// them: together its draws add ln f, and the schedule's time t counts batches. No w_k can
// exceed 1: if M is too small for the network's distance from p, ln g has a bias that no
// smaller f removes.
//
// Deviations: the algorithm has a constant f, which it is here only by the schedule ConstantLnF;
// otherwise ln f falls as for Engine. And ln g is shifted so that its least value over
// the levels seen is 0, which is also its value at all other levels: otherwise a level found
// late would start so low that the network would forget all others over it.
//
// In production ln g and the network are frozen, and every draw adds its inverse probability
// to the number of states of its level: an unbiased estimate whatever the network has
// learned. Levels without draws remain unknown.
type VAN struct {
	o VANOptions
	drawer
	lnP []float64 // of the batch

	lnG      []float64
	seen     []bool
	hist     []float64 // sum of w since ln f last fell, in production the draws
	schedule schedule

	phase  Phase
	passes int64
	moves  Moves
	times  Times
	blocks []dos.WeightBlock // of production, without Draws
}

// visit is one visit in units of the schedule, which counts in integers.
const visit = 1 << 20

// NewVAN returns a VAN that has drawn nothing yet: ln g = 0 everywhere.
func NewVAN(o VANOptions) (*VAN, error) {
	if o.Flatness == 0 {
		o.Flatness = DefaultFlatness
	}
	if o.Schedule == "" {
		o.Schedule = InverseTime
	}
	if o.LnF == 0 {
		o.LnF = 1
	}
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if !(o.LnF > 0 && o.LnF <= 1) {
		fault("ln f = %g to begin with, must be within 0..1", o.LnF)
	}
	if o.System == nil {
		fault("no system")
	}
	if o.Flatness <= 0 || o.Flatness >= 1 {
		fault("flatness = %g, must be between 0 and 1", o.Flatness)
	}
	if err := checkSchedule(o.Schedule); err != nil {
		faults = append(faults, err)
	}
	if o.Proposer == nil {
		if o.Draws <= 0 {
			fault("no proposer")
		}
	} else {
		o.Draws = o.Proposer.Batch().Walkers
		faults = append(faults, checkDrawing(o.System, o.Proposer, o.Draws))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("sampler options: %w", err)
	}
	m, levels := o.Draws, o.System.Levels()
	return &VAN{
		o: o, drawer: newDrawer(o.System, o.Proposer, m, Stream(o.Seed, vanStream, 0)),
		lnP: make([]float64, m),
		lnG: make([]float64, levels), seen: make([]bool, levels), hist: make([]float64, levels),
		schedule: newSchedule(o.Schedule, o.LnF, o.Flatness, 1),
		phase:    WangLandau,
	}, nil
}

// Pass draws a batch and counts it; before production it hands the batch to Learn first. A
// batch whose likelihoods are not finite goes to Learn, which should repair the network, but
// is not counted. Without Learn, or twice in a row, such a batch is an error.
func (v *VAN) Pass(ctx context.Context) error {
	learn := v.o.Learn
	if v.blocks != nil {
		learn = nil
	}
	b, usable, err := v.draw(ctx, learn != nil, &v.times)
	if err != nil {
		return err
	}
	for k, level := range v.levels {
		v.lnP[k] = -v.lnG[level]
	}
	if learn != nil {
		if err := learn(ctx, Drawn{b.Proposal, b.Forward, v.lnP}); err != nil {
			return err
		}
	}
	if usable {
		v.moves[Neural].Trials += int64(b.Walkers)
		v.moves[Neural].Accepted += int64(b.Walkers)
		if v.blocks != nil {
			v.count(b)
		} else if err := v.adapt(b); err != nil {
			return err
		}
	}
	v.passes++
	if v.o.Events.Pass != nil {
		v.o.Events.Pass(v.Progress())
	}
	return nil
}

// adapt updates ln g by a batch.
func (v *VAN) adapt(b *Batch) error {
	w := make([]float64, b.Walkers)
	for k, x := range b.Forward {
		w[k] = v.lnP[k] - float64(x)
	}
	lnSum := dos.LogSumExp(w)
	var found []int
	for k, level := range v.levels {
		if !v.seen[level] {
			v.seen[level] = true
			found = append(found, level)
		}
		share := math.Exp(w[k] - lnSum)
		v.lnG[level] += share * v.schedule.lnF
		v.hist[level] += share
	}
	shiftToZero(v.lnG, v.seen)
	for level, x := range v.lnG {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%s pass %d: ln g of level %d is %v; please report this with the seed %d", v.phase, v.passes, level, x, v.o.Seed)
		}
	}
	state := v.histogram()
	state.discovered = len(found) > 0
	ended := v.schedule.step(1, state)
	if ended {
		clear(v.hist)
	}
	if len(found) > 0 && v.o.Events.LevelsFound != nil {
		v.o.Events.LevelsFound(found)
	}
	if ended && v.o.Events.IterationEnded != nil {
		v.o.Events.IterationEnded(v.Progress())
	}
	return nil
}

// histogram summarises the visits.
func (v *VAN) histogram() histogramState {
	h, least, total := histogramState{}, math.Inf(1), 0.0
	for level, seen := range v.seen {
		if v.o.System.LevelsKnown() && v.o.System.Possible(level) {
			h.possible++
			if !seen {
				h.missing++
			}
		}
		if seen {
			least, total = min(least, v.hist[level]), total+v.hist[level]
			h.levels++
		}
	}
	if h.levels == 0 {
		least = 0
	}
	h.lowest, h.total = int64(visit*least), int64(visit*total)
	return h
}

// count adds a batch of production to the estimate. Draws are independent, so any partition
// into blocks will do.
func (v *VAN) count(b *Batch) {
	of := int64(len(v.blocks))
	first := v.passes % of * int64(b.Walkers)
	for k, level := range v.levels {
		v.hist[level]++
		v.blocks[(first+int64(k))%of].Add(level, -float64(b.Forward[k]))
	}
}

// Produce begins production: it freezes ln g and restarts the counts.
func (v *VAN) Produce() {
	v.phase, v.passes, v.moves, v.times = Production, 0, Moves{}, Times{}
	clear(v.hist)
	v.blocks = make([]dos.WeightBlock, minBlocks)
	for k := range v.blocks {
		v.blocks[k] = dos.NewWeightBlock(len(v.lnG))
	}
}

// Adapt returns from production to the adaptation where Produce left it, which had come as far
// as p says. The draws of production are dropped.
func (v *VAN) Adapt(p Progress) {
	v.phase, v.passes, v.moves, v.times = WangLandau, p.Passes, p.Moves, p.Times
	clear(v.hist)
	v.blocks = nil
}

// Weights returns the inverse probabilities of production's draws in independent blocks for
// dos.FromWeights; nil before production. Draws are copied, all else is shared.
func (v *VAN) Weights() []dos.WeightBlock {
	if v.blocks == nil {
		return nil
	}
	n, of := v.passes*int64(len(v.levels)), int64(len(v.blocks))
	return withDraws(v.blocks, func(k int) int64 {
		draws := n / of
		if int64(k) < n%of {
			draws++
		}
		return draws
	})
}

// withDraws copies blocks in which every level can be drawn, with the number of draws of each.
func withDraws(blocks []dos.WeightBlock, draws func(k int) int64) []dos.WeightBlock {
	copies := make([]dos.WeightBlock, len(blocks))
	for k, b := range blocks {
		b.Draws = make([]float64, len(b.LnSum))
		for level := range b.Draws {
			b.Draws[level] = float64(draws(k))
		}
		copies[k] = b
	}
	return copies
}

// Progress summarises the present phase. Flatness is that of the weighted histogram, in
// production that of the unweighted draws.
func (v *VAN) Progress() Progress {
	h := v.histogram()
	p := Progress{
		Phase: v.phase, Passes: v.passes, LnF: v.schedule.lnF, Inverse: v.schedule.inverse,
		Flatness: h.flatness(), Levels: h.levels, Moves: v.moves, Times: v.times,
	}
	if v.phase != WangLandau {
		p.LnF = 0
	}
	return p
}

// Adapted reports whether ln f has reached the final one or, by ConstantLnF, the histogram is broad or
// flat.
func (v *VAN) Adapted(finalLnF float64) bool {
	h := v.histogram()
	if s := &v.schedule; s.kind == ConstantLnF {
		return s.adapted(finalLnF, h) || h.flatness() >= s.flatness
	}
	return v.schedule.lnF <= finalLnF
}

// AdaptationProgress estimates how far the adaptation has come, 0..1.
func (v *VAN) AdaptationProgress(finalLnF float64) float64 {
	if v.schedule.kind == ConstantLnF {
		return v.schedule.progress(finalLnF, v.histogram())
	}
	return min(1, math.Log(v.schedule.lnF)/math.Log(finalLnF))
}

// Seen reports by level whether it was drawn before production. Shared, not to be written.
func (v *VAN) Seen() []bool { return v.seen }

// LnG is the present ln g by level up to a constant, 0 at levels never seen. Shared, not to
// be written.
func (v *VAN) LnG() []float64 { return v.lnG }
