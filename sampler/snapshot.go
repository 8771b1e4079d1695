package sampler

import (
	"fmt"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Snapshot is everything that changes in an Engine while it runs. An engine made with the
// same Options and restored from a snapshot continues exactly as the original did. Its
// fields are exported for encoding.
type Snapshot struct {
	Phase  Phase
	Passes int64
	Moves  Moves
	Times  Times

	Windows   []WindowSnapshot
	Parts     []PartSnapshot // of an adaptation in shards, else nil
	Exchanges []byte         // GeneratorState of the exchanges between windows

	Production *ProductionSnapshot // nil before that phase

	States     []byte        // [M,N] the walkers' configurations one after another
	Levels     []int         // [M]
	Generators [][]byte      // [M] GeneratorState of each walker
	LastEnds   []int         // [M] end of the energy range visited last
	Turns      []int64       // [M] changes of that end
	Aims       []AimSnapshot // [M] of moves with a target
}

// DrawsSnapshot holds the statistics of the network's proposals.
type DrawsSnapshot struct {
	Trials, Accepted, Changed []int64           // by level
	Weights                   []dos.WeightBlock // Draws as differences from level to level
}

// AimSnapshot is the target level of a configuration and its log-likelihood.
type AimSnapshot struct {
	Target int
	LnQ    float64
	Known  bool
}

// WindowSnapshot is the state of the estimate in one window.
type WindowSnapshot struct {
	Open       bool      // it has walkers
	LnG        []float64 // by level, as the next three
	Seen       []bool
	Hist       []int64
	Pending    []int64  // visits not yet applied to ln g
	Waiting    int64    // trials not yet applied
	LastVisits [2]int64 // lowest and total of Hist when it was last summarised

	LnF         float64
	Inverse     bool  // the 1/t rule has taken over
	Trials      int64 // since the start
	StageTrials int64 // in this iteration: since the last reduction of ln f or the last new level

	Iteration *IterationSnapshot // of multicanonical sampling and multiple Gaussians, else nil
	Hills     *HillsSnapshot     // of metadynamics, else nil
	Gaussians *GaussiansSnapshot // of multiple Gaussians, else nil
}

// IterationSnapshot is the state of the multicanonical iteration.
type IterationSnapshot struct {
	Length, Trials int64
	Found, Flat    bool
	Flatness       float64
	Precision      []float64 // by level, as the next
	Upper          []int
}

// ProductionSnapshot is the state of Samples.
type ProductionSnapshot struct {
	LnWeight    [][]float64 // by window
	Blocks      [][][]int64 // by window
	Transitions [][]int64
	Draws       *DrawsSnapshot // nil without neural moves
	Bridge      *dos.Bridge    // nil where there is none, and of programs without
	OrderCount  [][]int64      // see Samples.Order
	OrderSums   [][][]float64
	InsideCount [][]int64 // see Samples.Inside
	InsideSums  [][][]float64
	Timeline    *Timeline // nil of programs without
	Segment     int
	Passes      int64
}

// Snapshot returns the state of the engine between two passes. It shares memory with the
// engine and is valid until the next pass.
func (e *Engine) Snapshot() *Snapshot {
	s := &Snapshot{
		Phase: e.phase, Passes: e.passes, Moves: e.moves, Times: e.times,
		Exchanges: GeneratorState(e.exchanges), Parts: e.partSnapshots(),
	}
	for _, w := range e.windows {
		s.Windows = append(s.Windows, w.snapshot())
	}
	if p := e.samples; p != nil {
		s.Production = &ProductionSnapshot{
			Transitions: p.Transitions(),
			Timeline:    p.timeline, Segment: p.segment, Passes: p.passes,
		}
		s.Production.OrderCount, s.Production.OrderSums = p.Order()
		s.Production.InsideCount, s.Production.InsideSums = p.Inside()
		if c := p.proposals; c != nil {
			s.Production.Draws = &DrawsSnapshot{c.Trials, c.Accepted, c.Changed, p.draws.inverse}
		}
		if p.bridge != nil {
			s.Production.Bridge = &p.bridge.Bridge
		}
		for _, w := range p.Windows {
			s.Production.LnWeight = append(s.Production.LnWeight, w.LnWeight)
			s.Production.Blocks = append(s.Production.Blocks, w.Blocks)
		}
	}
	network := e.network()
	for i := range e.walkers {
		w := &e.walkers[i]
		s.States = append(s.States, w.state...)
		s.Levels = append(s.Levels, w.level)
		s.Generators = append(s.Generators, GeneratorState(w.rng))
		s.LastEnds = append(s.LastEnds, int(w.trip.last))
		s.Turns = append(s.Turns, w.trip.turns)
		s.Aims = append(s.Aims, AimSnapshot{w.aim.target, w.aim.lnQ, w.aim.known(network)})
	}
	return s
}

func (w *estimate) snapshot() WindowSnapshot {
	s := WindowSnapshot{
		Open: w.isOpen,
		LnG:  w.lnG, Seen: w.seen, Hist: w.hist,
		Pending: make([]int64, len(w.lnG)), Waiting: w.waiting,
		LastVisits: [2]int64{w.state.lowest, w.state.total},
		LnF:        w.schedule.lnF, Inverse: w.schedule.inverse,
		Trials: w.schedule.trials, StageTrials: w.schedule.iteration,
	}
	for _, counts := range w.pending {
		for b, n := range counts {
			s.Pending[b] += n
		}
	}
	if w.rule != nil {
		w.rule.save(&s)
	}
	return s
}

func (w *estimate) restore(s *WindowSnapshot, lnWeight []float64, margin int) {
	w.isOpen = s.Open
	copy(w.lnG, s.LnG)
	copy(w.seen, s.Seen)
	copy(w.hist, s.Hist)
	w.setPending(s.Pending, s.Waiting)
	w.state.levels, w.state.discovered = 0, false
	w.sumUp()
	w.state.lowest, w.state.total = s.LastVisits[0], s.LastVisits[1]
	for _, seen := range s.Seen {
		if seen {
			w.state.levels++
		}
	}
	w.schedule.lnF, w.schedule.inverse, w.schedule.trials, w.schedule.iteration = s.LnF, s.Inverse, s.Trials, s.StageTrials
	w.lnWeight = w.lnG
	if w.rule != nil {
		w.rule.restore(w, s)
		w.lnWeight = w.rule.weights(w)
	}
	w.histogram = nil
	if lnWeight != nil { // of production
		if w.lnWeight = w.lnG; !slices.Equal(lnWeight, w.lnG) {
			w.lnWeight = slices.Clone(lnWeight)
		}
		w.spreadHistogram(margin)
	}
	w.fillKernel()
}

// setPending replaces the visits, by level, and the trials that are not yet applied.
func (w *estimate) setPending(visits []int64, trials int64) {
	for _, counts := range w.pending {
		clear(counts)
	}
	copy(w.pending[0], visits)
	w.waiting = trials
}

// fold adds blocks to as many or fewer: a snapshot may have one block for each column where
// columns now count together.
func fold[T int64 | float64](to, from [][]T) {
	for i, block := range from {
		sum := to[i*len(to)/len(from)]
		for b, x := range block {
			sum[b] += x
		}
	}
}

// Restore puts the engine into the state of a snapshot of an engine with the same options;
// only Workers may differ. If the snapshot does not fit, or its parts contradict each other,
// the error lists every fault and the engine must not be used.
//
// The Proposer must already have the network that it had when the snapshot was taken: the
// walkers' aims are restored as those of its present version.
func (e *Engine) Restore(s *Snapshot) error {
	if err := e.check(s); err != nil {
		return fmt.Errorf("state of the sampler: %w", err)
	}
	e.samples = nil
	if p := s.Production; p != nil {
		e.Produce() // makes room for all counts; its other effects are overwritten below
		e.samples.segment, e.samples.passes = p.Segment, p.Passes
		for k := range e.windows {
			copy(e.samples.Windows[k].LnWeight, p.LnWeight[k])
			fold(e.samples.Windows[k].Blocks, p.Blocks[k])
		}
		if d := p.Draws; d != nil {
			if e.samples.draws == nil { // an engine without a network, which only looks at the snapshot
				e.samples.draws = newDraws(e.o.System.Levels(), e.division, len(e.windows), d.Weights != nil)
				e.samples.proposals = newProposalCounts(e.o.System.Levels())
			}
			copy(e.samples.proposals.Trials, d.Trials)
			copy(e.samples.proposals.Accepted, d.Accepted)
			copy(e.samples.proposals.Changed, d.Changed)
			own := e.samples.draws
			for i, b := range d.Weights {
				copy(own.inverse[i].Draws, b.Draws)
				copy(own.inverse[i].LnSum, b.LnSum)
				copy(own.inverse[i].LnSquares, b.LnSquares)
			}
		}
		if p.OrderCount != nil {
			e.samples.order.restore(p.OrderCount, p.OrderSums)
		}
		if p.InsideCount != nil {
			e.samples.inside.restore(p.InsideCount, p.InsideSums)
		}
		e.samples.timeline.restore(p.Timeline)
		e.samples.transitions.Restore(p.Transitions)
	}
	e.phase, e.passes, e.moves, e.times = s.Phase, s.Passes, s.Moves, s.Times
	if s.Production == nil {
		if err := e.restoreParts(s.Parts); err != nil {
			return err
		}
	}
	for k := range s.Windows {
		var lnWeight []float64
		if s.Production != nil {
			lnWeight = s.Production.LnWeight[k]
		}
		e.windows[k].restore(&s.Windows[k], lnWeight, e.margin())
	}
	if s.Production != nil {
		e.restoreBridge(s.Production.Bridge)
		e.freezeProposals()
	}
	if err := e.restoreWalkers(s); err != nil {
		return fmt.Errorf("state of the sampler: %w", err)
	}
	return nil
}

// restoreWalkers puts walkers and exchanges into the state of a snapshot.
func (e *Engine) restoreWalkers(s *Snapshot) error {
	if err := e.exchanges.UnmarshalBinary(s.Exchanges); err != nil {
		return fmt.Errorf("generator of the exchanges: %w", err)
	}
	n, network := lattice.StateBytes(e.o.System), e.network()
	for i := range e.walkers {
		w := &e.walkers[i]
		copy(w.state, s.States[i*n:(i+1)*n])
		w.level = s.Levels[i]
		w.trip = trip{last: end(s.LastEnds[i]), turns: s.Turns[i]}
		if w.aim = (aim{s.Aims[i].Target, s.Aims[i].LnQ, network}); !s.Aims[i].Known {
			w.aim.forget()
		}
		if err := w.rng.UnmarshalBinary(s.Generators[i]); err != nil {
			return fmt.Errorf("generator of walker %d: %w", i, err)
		}
	}
	return nil
}
