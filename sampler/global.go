package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// GlobalOptions are those of Global.
type GlobalOptions struct {
	System *lattice.Potts // required
	Seed   uint64
	// Proposer draws a batch of M configurations from q(s), which must depend neither on a
	// state nor on an energy; required.
	Proposer Proposer
	// Flatness ends a stage of the Wang-Landau schedule, default DefaultFlatness.
	Flatness float64
	// Learn is shown every batch before production, for a step of the network towards its
	// target; nil for a network that stays as it is.
	Learn  func(context.Context, Drawn) error
	Events Events
}

// Drawn is a batch of M configurations on N sites, one after another. It is shared and
// valid until Learn returns.
type Drawn struct {
	States []int32   // [M,N]
	LnQ    []float32 // [M] as drawn; NaN if the network went wrong
	LnP    []float64 // [M] the target's, -ln g(E) up to a constant
}

// Global is Wang-Landau sampling by an autoregressive network alone, without Markov chains:
// the first algorithm of M. Riedel, J. Zierenberg and M. Weigel (2024). It is there to be
// compared with the walkers of Engine.
//
// A pass draws a batch of M configurations s_k from q(s), lets the network learn the target
// p(s) = 1/g(E(s)), and then, with weights normalised over the batch,
//
//	w_k = g(E_k)^-1 / q(s_k) / sum_j g(E_j)^-1 / q(s_j),
//
// updates ln g(E_k) += w_k ln f and H(E_k) += w_k. All weights together are one visit, not
// M of them: ln f is what a whole batch adds, and the schedule's time t counts batches. No
// weight can be above 1: where M is too small for the network's distance from p, ln g has a
// bias that no smaller f removes.
//
// Deviations: the algorithm has a constant f and ends with a broad or flat histogram; here
// ln f falls as for Engine, from 1 on. And ln g is shifted so that its least value over the
// levels seen is 0, which is also that of the others: else a level found late would start
// so far below that the network would forget all others over it.
//
// In production ln g and the network are frozen, and every draw adds its inverse probability
// to the number of states of its level: an estimate without bias whatever was learned.
// Levels that are not drawn remain unknown.
type Global struct {
	o      GlobalOptions
	source *rand.PCG
	levels []int     // of the batch
	lnP    []float64 // of the batch

	lnG      []float64
	seen     []bool
	hist     []float64 // sum of w since ln f last fell, in production the draws
	schedule schedule

	phase  Phase
	passes int64
	moves  Moves
	times  Times
	blocks []dos.WeightBlock // of production, without Draws
	failed bool              // the batch before was not usable
}

// visit is a visit in the units of the schedule, which counts in whole numbers.
const visit = 1 << 20

// NewGlobal returns the method at its beginning: ln g = 0 everywhere.
func NewGlobal(o GlobalOptions) (*Global, error) {
	if o.Flatness == 0 {
		o.Flatness = DefaultFlatness
	}
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.System == nil {
		fault("no system")
	}
	if o.Flatness <= 0 || o.Flatness >= 1 {
		fault("flatness = %g, must be between 0 and 1", o.Flatness)
	}
	if o.Proposer == nil {
		fault("no proposer")
	} else if b := o.Proposer.Batch(); b.Target != nil {
		fault("the proposer aims at energies; take a network whose draws depend on nothing")
	} else if o.System != nil && b.Sites != o.System.Sites() {
		fault("the proposer draws %d sites, the system has %d", b.Sites, o.System.Sites())
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("sampler options: %w", err)
	}
	m, levels := o.Proposer.Batch().Walkers, o.System.Levels()
	return &Global{
		o: o, source: Stream(o.Seed, globalStream, 0),
		levels: make([]int, m), lnP: make([]float64, m),
		lnG: make([]float64, levels), seen: make([]bool, levels), hist: make([]float64, levels),
		schedule: newSchedule(1, o.Flatness),
		phase:    WangLandau,
	}, nil
}

// Pass draws a batch and counts it. Before production Learn is shown it first. A batch whose
// likelihoods are not finite is shown to Learn, which should mend the network, and not
// counted; without Learn, or twice in a row, it is an error.
func (g *Global) Pass(ctx context.Context) error {
	b := g.o.Proposer.Batch()
	Uniforms(b.Uniform, g.source)
	clear(b.Start)
	clear(b.State)
	began := time.Now()
	if err := g.o.Proposer.Propose(ctx); err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	g.times.Propose += time.Since(began)
	learn := g.o.Learn
	if g.blocks != nil {
		learn = nil
	}
	switch err := checkProposals(g.o.System, b, g.levels); {
	case err == nil:
		g.failed = false
	case checkLogProb(b.Forward, "draw") == nil || learn == nil || g.failed:
		return err
	default:
		g.failed = true
		for k := range b.Forward {
			b.Forward[k] = float32(math.NaN())
		}
	}
	for k, level := range g.levels {
		g.lnP[k] = -g.lnG[level]
	}
	if learn != nil {
		if err := learn(ctx, Drawn{b.Proposal, b.Forward, g.lnP}); err != nil {
			return err
		}
	}
	if !g.failed {
		g.moves[Neural].Trials += int64(b.Walkers)
		g.moves[Neural].Accepted += int64(b.Walkers)
		if g.blocks != nil {
			g.count(b)
		} else if err := g.adapt(b); err != nil {
			return err
		}
	}
	g.passes++
	if g.o.Events.Pass != nil {
		g.o.Events.Pass(g.Progress())
	}
	return nil
}

// adapt updates ln g by a batch.
func (g *Global) adapt(b *Batch) error {
	w := make([]float64, b.Walkers)
	for k, x := range b.Forward {
		w[k] = g.lnP[k] - float64(x)
	}
	lnSum := dos.LogSumExp(w)
	var found []int
	for k, level := range g.levels {
		if !g.seen[level] {
			g.seen[level] = true
			found = append(found, level)
		}
		share := math.Exp(w[k] - lnSum)
		g.lnG[level] += share * g.schedule.lnF
		g.hist[level] += share
	}
	shiftToZero(g.lnG, g.seen)
	for level, x := range g.lnG {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%s pass %d: ln g of level %d is %v; please report this with the seed %d", g.phase, g.passes, level, x, g.o.Seed)
		}
	}
	state := g.histogram()
	state.discovered = len(found) > 0
	ended := g.schedule.step(1, state)
	if ended {
		clear(g.hist)
	}
	if len(found) > 0 && g.o.Events.LevelsFound != nil {
		g.o.Events.LevelsFound(found)
	}
	if ended && g.o.Events.StageEnded != nil {
		g.o.Events.StageEnded(g.Progress())
	}
	return nil
}

// histogram sums up the visits.
func (g *Global) histogram() histogramState {
	least, total, levels := math.Inf(1), 0.0, 0
	for level, seen := range g.seen {
		if seen {
			least, total, levels = min(least, g.hist[level]), total+g.hist[level], levels+1
		}
	}
	if levels == 0 {
		least = 0
	}
	return histogramState{levels: levels, lowest: int64(visit * least), total: int64(visit * total)}
}

// count adds a batch of production to the estimate. All draws are independent, so that any
// partition into blocks will do.
func (g *Global) count(b *Batch) {
	of := int64(len(g.blocks))
	first := g.passes % of * int64(b.Walkers)
	for k, level := range g.levels {
		g.hist[level]++
		g.blocks[(first+int64(k))%of].Add(level, -float64(b.Forward[k]))
	}
}

// Produce begins production: ln g is frozen, counts start anew.
func (g *Global) Produce() {
	g.phase, g.passes, g.moves, g.times = Production, 0, Moves{}, Times{}
	clear(g.hist)
	g.blocks = make([]dos.WeightBlock, minBlocks)
	for k := range g.blocks {
		g.blocks[k] = dos.NewWeightBlock(len(g.lnG))
	}
}

// Weights returns the inverse probabilities of the draws of production in independent
// blocks, as dos.FromWeights takes them, nil before. Shared but for Draws.
func (g *Global) Weights() []dos.WeightBlock {
	if g.blocks == nil {
		return nil
	}
	blocks := make([]dos.WeightBlock, len(g.blocks))
	n, of := g.passes*int64(len(g.levels)), int64(len(g.blocks))
	for k := range blocks {
		blocks[k] = g.blocks[k]
		draws := n / of
		if int64(k) < n%of {
			draws++
		}
		blocks[k].Draws = make([]float64, len(g.lnG))
		for level := range blocks[k].Draws {
			blocks[k].Draws[level] = float64(draws)
		}
	}
	return blocks
}

// Progress sums up the present phase. Flatness is that of the weighted histogram, in
// production that of the draws as they come.
func (g *Global) Progress() Progress {
	h := g.histogram()
	p := Progress{
		Phase: g.phase, Passes: g.passes, LnF: g.schedule.lnF, Inverse: g.schedule.inverse,
		Flatness: h.flatness(), Levels: h.levels, Moves: g.moves, Times: g.times,
	}
	if g.phase != WangLandau {
		p.LnF = 0
	}
	return p
}

// Adapted reports whether ln f is at or below the final one.
func (g *Global) Adapted(finalLnF float64) bool { return g.schedule.lnF <= finalLnF }

// AdaptationProgress guesses how much of the way to Adapted is done, 0..1.
func (g *Global) AdaptationProgress(finalLnF float64) float64 {
	return min(1, math.Log(g.schedule.lnF)/math.Log(finalLnF))
}

// Seen reports for every level whether it was ever drawn before production. Shared, not to
// be written.
func (g *Global) Seen() []bool { return g.seen }

// LnG is the present ln g by level up to a constant, 0 at levels never seen. Shared, not to
// be written.
func (g *Global) LnG() []float64 { return g.lnG }
