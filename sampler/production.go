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

	system      lattice.System
	columns     int // of walkers
	together    int // columns of a block
	segment     int
	passes      int64
	transitions *local.Transitions // nil without local moves or with too many levels
	order       *order
	draws       *draws // nil without neural moves, as the next
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

// minBlocks is the least number of blocks behind an error bar: with 32, the error bar
// itself has a relative error of 1/sqrt(2*31) = 13 %.
const minBlocks = 32

// maxGroups bounds the number of groups of walkers and thus the memory for their
// transitions.
const maxGroups = 64

// groupSize is the number of columns whose walkers move together and whose transitions are
// counted together. It leaves at least minBlocks groups where it can, and is small so that
// workers share the groups evenly, unless there would be more than maxGroups.
func groupSize(columns int) int {
	return max(1, min(8, columns/minBlocks), (columns+maxGroups-1)/maxGroups)
}

// groups is the number of groups.
func groups(columns int) int { return (columns + groupSize(columns) - 1) / groupSize(columns) }

// maxCounted bounds the number of pairs of a block and a level, unless even groups of columns
// have more: 32 MiB of visits, and four times that for the order parameter.
const maxCounted = 1 << 22

// blockSize is the number of columns that count together: one, or a group where one each would
// take too much memory.
func blockSize(columns, levels int) int {
	if segments(columns)*columns*levels > maxCounted {
		return groupSize(columns)
	}
	return 1
}

// blocks is the number of blocks.
func blocks(columns, levels int) int {
	size := blockSize(columns, levels)
	return segments(columns) * ((columns + size - 1) / size)
}

// segments is the number of segments of the phase needed for minBlocks blocks.
func segments(columns int) int { return (minBlocks + columns - 1) / columns }

// Produce ends the adaptation: it freezes the weights and starts the counts of Samples.
// Levels never seen take the weight of the nearest level seen, so that a walker finding one
// is neither repelled nor trapped. Called in production, it only restarts the counts.
func (e *Engine) Produce() {
	columns, levels := len(e.walkers)/len(e.windows), e.o.System.Levels()
	n := blocks(columns, levels)
	s := &Samples{system: e.o.System, columns: columns, together: blockSize(columns, levels), order: newOrder(e.o.System, n)}
	for _, w := range e.windows {
		if e.phase != Production {
			if e.o.Adaptation != Canonical {
				w.fillUnseen()
			}
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
	if kernel := e.windows[0].kernel; kernel != nil {
		s.transitions = kernel.Transitions(segments(columns) * groups(columns))
	}
	if e.neural != nil {
		s.draws = newDraws(levels, columns, len(e.windows), e.targeted())
		s.proposals = newProposalCounts(levels)
		e.tally = s.proposals
		s.bridge = e.newBridging(segments(columns) * groups(columns))
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
		if w.recursion == nil { // which keeps the weights of levels not yet seen as Produce does
			for b, seen := range w.seen {
				if !seen {
					w.lnG[b] = 0
				}
			}
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
	n := segments(s.columns)
	s.segment = max(0, min(n-1, int(fraction*float64(n))))
}

// Transitions returns the infinite-temperature transitions between levels that the local
// moves found in all windows, in blocks for dos.FromTransitions with lattice.Steps steps; nil
// without local moves or with too many levels and steps. A block is a group of columns, with
// few walkers in one segment of the phase. Shared, valid until the next pass.
func (s *Samples) Transitions() [][]int64 {
	return s.transitions.Counts()
}

// Groups returns, by block of the histograms, the block of the transitions that contains it.
func (s *Samples) Groups() []int {
	var of []int
	for block := range s.Windows[0].Blocks {
		segment, column := block/s.perSegment(), block%s.perSegment()*s.together
		of = append(of, segment*groups(s.columns)+column/groupSize(s.columns))
	}
	return of
}

// situations returns the block in which a group of columns counts transitions.
func (s *Samples) situations(group int) []int64 {
	return s.transitions.Block(s.segment*groups(s.columns) + group)
}

// row returns the histogram in which walker i counts.
func (s *Samples) row(i int) []int64 {
	return s.Windows[i%len(s.Windows)].Blocks[s.block(i)]
}

// block returns the present block of walker i.
func (s *Samples) block(i int) int {
	return s.segment*s.perSegment() + i/len(s.Windows)/s.together
}

// perSegment is the number of blocks in a segment.
func (s *Samples) perSegment() int { return (s.columns + s.together - 1) / s.together }

// flatness of a window's histogram over the levels seen, relative to the requested
// histogram.
func (s *Samples) flatness(window int, w *estimate) float64 {
	h := histogramState{lowest: -1}
	for b := range w.seen {
		if !w.seen[b] {
			continue
		}
		visits := int64(0)
		for _, block := range s.Windows[window].Blocks {
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
