package sampler

import (
	"slices"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Samples are the counts of a production phase, under constant weights, in independent
// blocks. A block is one column of walkers, that is one walker of each window, or a group of
// columns where there are very many levels; with few walkers it is one column in one segment
// of the phase.
type Samples struct {
	Windows []WindowSamples

	division
	system      lattice.System
	segment     int
	passes      int64
	transitions *local.Transitions // nil without local moves or with too many levels
	order       *measured
	inside      *measured // of bins
	draws       *draws    // nil without neural moves, as the next
	proposals   *ProposalCounts
	bridge      *bridging // nil unless the moves have targets, and in several windows
	timeline    *Timeline
}

// WindowSamples are the histograms of a window.
type WindowSamples struct {
	lattice.Window
	// LnWeight is minus the logarithm of the walkers' weights by level: ln g - ln h, with the
	// estimate ln g at the end of the adaptation and the requested histogram h.
	LnWeight []float64
	// Blocks are histograms by level.
	Blocks [][]int64
}

// Produce ends the adaptation: it freezes the weights and starts the counts of Samples.
// Levels never seen take the weight of the nearest level seen, so that a walker finding one
// is neither repelled nor trapped. Called in production, it only restarts the counts.
func (e *Engine) Produce() {
	levels, n := e.o.System.Levels(), e.division.blocks()
	s := &Samples{system: e.o.System, division: e.division}
	if measuresOrder(e.o.System, e.whole.blocks()) {
		s.order = newMeasured(levels, ordered(e.o.System), n)
	}
	if measuresInside(e.o.System, e.whole.blocks()) {
		s.inside = newMeasured(levels, insides, n)
	}
	for _, w := range e.windows {
		if e.phase != Production {
			if e.o.Adaptation != Canonical {
				w.fillUnseen()
			}
			w.lnWeight = w.lnG
			if e.lnH != nil {
				w.shape(e.lnH, e.margin())
			}
		}
		w.fillKernel()
		counts := WindowSamples{Window: w.Window, LnWeight: slices.Clone(w.lnWeight), Blocks: make([][]int64, n)}
		for i := range counts.Blocks {
			counts.Blocks[i] = make([]int64, levels)
		}
		s.Windows = append(s.Windows, counts)
	}
	e.freezeProposals()
	if kernel := e.windows[0].kernel; kernel != nil && local.Countable(e.o.System, e.whole.parts()) {
		s.transitions = kernel.Transitions(e.division.parts())
	}
	if e.neural != nil {
		s.draws = newDraws(levels, e.division, len(e.windows), e.targeted())
		s.proposals = newProposalCounts(levels)
		e.tally = s.proposals
		s.bridge = e.newBridging(e.division.parts())
	}
	s.timeline = newTimeline(len(e.windows), s.perSegment())
	e.samples = s
	e.phase = Production
	e.passes = 0
	e.moves = Moves{}
	e.times = Times{}
	for i := range e.walkers {
		e.walkers[i].trip = trip{}
	}
}

// freezeProposals makes the proposals of local moves those of production, in all windows and shards the same:
// transitions that are counted in several belong to one move.
func (e *Engine) freezeProposals() {
	if len(e.windows) == 1 {
		return
	}
	all := make([]*estimate, len(e.windows))
	for k, w := range e.windows {
		known := *w
		known.isOpen = true // for this shard or for another one
		all[k] = &known
	}
	lnG := join(all)
	for _, w := range e.windows {
		w.adaptKernel(lnG)
	}
}

// Adapt returns from production to the adaptation of the weights where Produce left it, which
// had come as far as p says; round trips are counted from here on. The counts of production
// are dropped; the walkers stay where they are.
func (e *Engine) Adapt(p Progress) {
	e.samples, e.lnH = nil, nil
	if e.neural != nil {
		e.tally = newProposalCounts(e.o.System.Levels())
	}
	e.phase, e.passes, e.moves, e.times = e.o.Adaptation, p.Passes, p.Moves, p.Times
	for _, w := range e.windows {
		w.lnWeight, w.histogram = w.lnG, nil
		if w.rule == nil { // rules keep the weights of levels not yet seen as Produce does
			for b, seen := range w.seen {
				if !seen {
					w.lnG[b] = 0
				}
			}
		} else {
			w.lnWeight = w.rule.weights(w)
		}
		w.fillKernel()
	}
	for i := range e.walkers {
		e.walkers[i].trip = trip{}
	}
}

// Samples returns the counts of the production phase, nil before it began.
func (e *Engine) Samples() *Samples { return e.samples }

// Segment sets how far the production phase has come, 0..1. This decides the blocks in
// which walkers count from now on: errors need some 32 blocks, so that with fewer columns of walkers
// (walkers, without windows) each counts in a new block every so often. With 32 or more it changes
// nothing. Call it between passes, with ascending values; those beyond 0..1 count as the nearest end.
// Without any call all counts are of the first part, and so few blocks that errors may be unknown.
func (s *Samples) Segment(fraction float64) {
	s.segment = max(0, min(s.segments-1, int(fraction*float64(s.segments))))
}

// Transitions returns the infinite-temperature transitions between levels that the local
// moves found in all windows, in blocks for dos.FromTransitions with lattice.Changes; nil
// without local moves or with too many levels and changes. A block is a group of columns, with
// few walkers in one segment of the phase. Shared, valid until the next pass.
func (s *Samples) Transitions() [][]int64 {
	return s.transitions.Counts()
}

// Groups returns, by block of the histograms, the block of the transitions that contains it.
func (s *Samples) Groups() []int {
	var of []int
	for block := range s.Windows[0].Blocks {
		segment, column := block/s.perSegment(), block%s.perSegment()*s.together
		of = append(of, segment*s.groups()+column/s.group)
	}
	return of
}

// situations returns the block in which a group of columns counts transitions.
func (s *Samples) situations(group int) []int64 {
	return s.transitions.Block(s.segment*s.groups() + group)
}

// row returns the histogram in which walker i counts.
func (s *Samples) row(i int) []int64 {
	return s.Windows[i%len(s.Windows)].Blocks[s.block(i)]
}

// block returns the present block of walker i.
func (s *Samples) block(i int) int {
	return s.segment*s.perSegment() + i/len(s.Windows)/s.together
}

// flatness of a window's histogram, in blocks, over the levels seen, relative to the requested
// histogram.
func flatness(blocks [][]int64, w *estimate) float64 {
	h := histogramState{lowest: -1}
	for b := range w.seen {
		if !w.seen[b] {
			continue
		}
		visits := int64(0)
		for _, block := range blocks {
			visits += block[b]
		}
		if w.histogram != nil {
			visits = int64(float64(visits) / w.histogram.relative(b))
		}
		if h.lowest < 0 || visits < h.lowest {
			h.lowest = visits
		}
		h.levels++
		h.total += visits
	}
	return h.flatness()
}

// fillUnseen gives every unseen level of the window the ln g of the nearest level seen.
func (w *estimate) fillUnseen() {
	distance := make([]int, len(w.lnG))
	nearest := func(from, to, step int) {
		last := -1
		for b := from; b != to; b += step {
			if w.seen[b] {
				last, distance[b] = b, 0
				continue
			}
			if d := (b - last) * step; last >= 0 && (distance[b] == 0 || d < distance[b]) {
				w.lnG[b], distance[b] = w.lnG[last], d
			}
		}
	}
	nearest(w.Low, w.High+1, 1)
	nearest(w.High, w.Low-1, -1)
}

// Passes is the number of passes since production began.
func (s *Samples) Passes() int64 { return s.passes }
