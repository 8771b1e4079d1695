package sampler

import (
	"slices"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Samples are what a production phase counts: walkers under constant weights, in
// blocks that have nothing to do with each other. A block is one column of walkers, which
// is one walker of each window, or one column in one stretch of the phase where walkers
// are few.
type Samples struct {
	Windows []WindowSamples

	columns, segment int
	passes           int64
	transitions      *local.Transitions // nil without local moves, or with too many levels
	order            *order
	draws            *draws // nil without neural moves
}

// WindowSamples are the histograms of a window.
type WindowSamples struct {
	lattice.Window
	// LnWeight is minus the logarithm of the weights of the walkers by level, ln g - ln h of
	// the estimate ln g and the histogram h that was asked for.
	LnWeight []float64
	// Blocks are histograms by level.
	Blocks [][]int64
}

// minBlocks is how many blocks an error bar is at least made of: with 32, its own
// relative error is 1/sqrt(2*31) = 13 %.
const minBlocks = 32

// maxGroups bounds the number of groups of walkers, and with it the memory for their
// transitions.
const maxGroups = 64

// groupSize is the number of columns of walkers that move together and whose transitions
// are counted together: as many as leave minBlocks groups, but no more than a few, so
// that workers share them evenly, unless there would be too many groups.
func groupSize(columns int) int {
	return max(1, min(8, columns/minBlocks), (columns+maxGroups-1)/maxGroups)
}

// groups is their number.
func groups(columns int) int { return (columns + groupSize(columns) - 1) / groupSize(columns) }

// segments is the number of stretches of the phase that are needed to have minBlocks
// blocks.
func segments(columns int) int { return (minBlocks + columns - 1) / columns }

// Produce ends the adaptation: the weights are frozen, counts start anew. Levels
// never seen take the weight of the nearest seen level, so that a walker that
// finds one is neither repelled nor trapped. In production it only starts the counts anew.
func (e *Engine) Produce() {
	columns := len(e.walkers) / len(e.windows)
	s := &Samples{columns: columns, order: newOrder(e.o.System, segments(columns)*columns)}
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
		counts := WindowSamples{Window: w.Window, LnWeight: slices.Clone(w.lnWeight), Blocks: make([][]int64, segments(columns)*columns)}
		for i := range counts.Blocks {
			counts.Blocks[i] = make([]int64, len(w.lnG))
		}
		s.Windows = append(s.Windows, counts)
	}
	if kernel := e.windows[0].kernel; kernel != nil {
		s.transitions = kernel.Transitions(segments(columns) * groups(columns))
	}
	if e.neural != nil {
		s.draws = newDraws(e.o.System.Levels(), columns, len(e.windows), e.targeted())
	}
	e.samples = s
	e.phase = Production
	e.passes = 0
	e.moves = Moves{}
	e.times = Times{}
	for i := range e.walkers {
		e.walkers[i].trip = trip{}
	}
}

// Samples returns the counts of the production phase, nil before it began.
func (e *Engine) Samples() *Samples { return e.samples }

// Segment tells that the production phase is at the given fraction 0..1 of its
// course, which decides into which block a walker counts next.
func (s *Samples) Segment(fraction float64) {
	n := segments(s.columns)
	s.segment = max(0, min(n-1, int(fraction*float64(n))))
}

// Transitions are the infinite-temperature transitions between levels that the local
// moves found in all windows, in blocks as dos.FromTransitions takes them with Steps steps;
// nil without local moves, and where levels and steps are too many. A block is a group of
// columns, or one in one stretch of the phase. Shared, valid until the next pass.
func (s *Samples) Transitions() [][]int64 {
	return s.transitions.Counts()
}

// situations is where a group of columns counts transitions.
func (s *Samples) situations(group int) []int64 {
	return s.transitions.Block(s.segment*groups(s.columns) + group)
}

// row is where walker i is counted.
func (s *Samples) row(i int) []int64 {
	return s.Windows[i%len(s.Windows)].Blocks[s.block(i)]
}

// block is the one of walker i.
func (s *Samples) block(i int) int { return s.segment*s.columns + i/len(s.Windows) }

// flatness of a window's histogram over the levels seen, in units of the histogram that was
// asked for.
func (s *Samples) flatness(window int, w *weights) float64 {
	h := histogramState{lowest: -1}
	for b := range w.seen {
		if !w.seen[b] {
			continue
		}
		visits := int64(0)
		for _, block := range s.Windows[window].Blocks {
			visits += block[b]
		}
		if w.targets != nil {
			visits = int64(float64(visits) / w.targets.relative(b))
		}
		if h.lowest < 0 || visits < h.lowest {
			h.lowest = visits
		}
		h.levels++
		h.total += visits
	}
	return h.flatness()
}

// fillUnseen gives every level of the window never seen the ln g of the nearest seen one.
func (w *weights) fillUnseen() {
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

// Passes is how many passes were made since production began.
func (s *Samples) Passes() int64 { return s.passes }
