package sampler

// Samples are the histograms of a production phase: walkers under constant
// weights, counted in blocks.
type Samples struct {
	// LnWeight is the ln g under which the walkers moved, by level.
	LnWeight []float64
	// Blocks are histograms by level. A block is one walker, or one walker in one
	// stretch of the phase where walkers are few.
	Blocks [][]int64

	walkers, segment int
	passes           int64
	transitions      *transitions // nil without local moves
}

// minBlocks is how many blocks an error bar is at least made of: with 32, its own
// relative error is 1/sqrt(2*31) = 13 %.
const minBlocks = 32

// maxGroups bounds the number of groups of walkers, and with it the memory for their
// transitions.
const maxGroups = 64

// groupSize is the number of walkers that move together and whose transitions are
// counted together: as many as leave minBlocks groups, but no more than a few, so that
// workers share them evenly, unless there would be too many groups.
func groupSize(walkers int) int {
	return max(1, min(8, walkers/minBlocks), (walkers+maxGroups-1)/maxGroups)
}

// groups is their number.
func groups(walkers int) int { return (walkers + groupSize(walkers) - 1) / groupSize(walkers) }

// segments is the number of stretches of the phase that are needed to have minBlocks
// blocks.
func segments(walkers int) int { return (minBlocks + walkers - 1) / walkers }

// Produce ends the Wang-Landau phase: ln g is frozen, counts start anew. Levels
// never seen take the weight of the nearest seen level, so that a walker that
// finds one is neither repelled nor trapped.
func (e *Engine) Produce() {
	fillUnseen(e.lnG, e.seen)
	e.tables.fill(e.lnG)
	s := &Samples{
		LnWeight: append([]float64(nil), e.lnG...),
		Blocks:   make([][]int64, segments(len(e.walkers))*len(e.walkers)),
		walkers:  len(e.walkers),
	}
	for i := range s.Blocks {
		s.Blocks[i] = make([]int64, len(e.lnG))
	}
	if e.o.Local != NoLocalMove {
		s.transitions = newTransitions(e.o.System, e.o.Local, segments(len(e.walkers))*groups(len(e.walkers)))
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
	n := segments(s.walkers)
	s.segment = max(0, min(n-1, int(fraction*float64(n))))
}

// Transitions are the infinite-temperature transitions between levels that the local
// moves found, in blocks as dos.FromTransitions takes them with Steps steps; nil
// without local moves. A block is a group of walkers, or one in one stretch of the
// phase. Shared, valid until the next pass.
func (s *Samples) Transitions() [][]int64 {
	if s.transitions == nil {
		return nil
	}
	return s.transitions.counts()
}

// situations is where a group of walkers counts transitions.
func (s *Samples) situations(group int) []int64 {
	return s.transitions.situations[s.segment*groups(s.walkers)+group]
}

func (s *Samples) row(walker int) []int64 { return s.Blocks[s.segment*s.walkers+walker] }

func (s *Samples) flatness(seen []bool) float64 {
	h := histogramState{lowest: -1}
	for b := range seen {
		if !seen[b] {
			continue
		}
		visits := int64(0)
		for _, block := range s.Blocks {
			visits += block[b]
		}
		if h.lowest < 0 || visits < h.lowest {
			h.lowest = visits
		}
		h.levels++
		h.total += visits
	}
	return h.flatness()
}

// fillUnseen gives every level never seen the ln g of the nearest seen one.
func fillUnseen(lnG []float64, seen []bool) {
	distance := make([]int, len(lnG))
	nearest := func(from, to, step int) {
		last := -1
		for b := from; b != to; b += step {
			if seen[b] {
				last, distance[b] = b, 0
				continue
			}
			if d := (b - last) * step; last >= 0 && (distance[b] == 0 || d < distance[b]) {
				lnG[b], distance[b] = lnG[last], d
			}
		}
	}
	nearest(0, len(lnG), 1)
	nearest(len(lnG)-1, -1, -1)
}

// Passes is how many passes were made since production began.
func (s *Samples) Passes() int64 { return s.passes }
