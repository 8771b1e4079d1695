package sampler

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Snapshot is all that changes in an Engine while it runs: an engine made with the
// same Options and given a snapshot goes on exactly as the one did that it was taken
// from. Its fields are exported for encoding.
type Snapshot struct {
	Phase  Phase
	Passes int64
	Moves  Moves
	Times  Times

	Windows   []WindowSnapshot
	Exchanges []byte // generator of the exchanges between windows, as GeneratorState gives it

	Production *ProductionSnapshot // nil before that phase

	States     []byte        // [M,N] the walkers' configurations one after another
	Levels     []int         // [M]
	Generators [][]byte      // [M] as GeneratorState gives them
	LastEnds   []int         // [M] end of the energy range visited last
	Turns      []int64       // [M] changes of it
	Aims       []AimSnapshot // [M] of moves with a target
}

// DrawsSnapshot is what is known of the network's proposals.
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

// WindowSnapshot is the state of the weights of one window.
type WindowSnapshot struct {
	Open       bool      // it has walkers
	LnG        []float64 // by level, as the next three
	Seen       []bool
	Hist       []int64
	Pending    []int64  // visits not yet applied to ln g
	Waiting    int64    // trials not yet applied
	LastVisits [2]int64 // lowest and total of Hist when it was last summed up

	LnF         float64
	Inverse     bool  // the 1/t rule has taken over
	Trials      int64 // since the start
	StageTrials int64 // since the last reduction of ln f or the last new level

	Iteration *IterationSnapshot // of multicanonical sampling, else nil
}

// IterationSnapshot is the state of the multicanonical iteration.
type IterationSnapshot struct {
	Length, Trials int64
	Found, Flat    bool
	Flatness       float64
	Precision      []float64 // by level, as the next
	Upper          []int
}

// ProductionSnapshot is the state of a production phase, as Samples has it.
type ProductionSnapshot struct {
	LnWeight    [][]float64 // by window
	Blocks      [][][]int64 // by window
	Transitions [][]int64
	Draws       *DrawsSnapshot // nil without neural moves
	OrderCount  [][]int64      // as Samples.Order gives them
	OrderSums   [][][]float64
	Segment     int
	Passes      int64
}

// Snapshot returns the state of the engine between two passes. It shares memory with
// the engine and is valid until the next pass.
func (e *Engine) Snapshot() *Snapshot {
	s := &Snapshot{
		Phase: e.phase, Passes: e.passes, Moves: e.moves, Times: e.times,
		Exchanges: GeneratorState(e.exchanges),
	}
	for _, w := range e.windows {
		s.Windows = append(s.Windows, w.snapshot())
	}
	if p := e.samples; p != nil {
		s.Production = &ProductionSnapshot{
			Transitions: p.Transitions(),
			Segment:     p.segment, Passes: p.passes,
		}
		s.Production.OrderCount, s.Production.OrderSums = p.Order()
		if d := p.draws; d != nil {
			s.Production.Draws = &DrawsSnapshot{d.trials, d.accepted, d.changed, d.weights}
		}
		for _, w := range p.Windows {
			s.Production.LnWeight = append(s.Production.LnWeight, w.LnWeight)
			s.Production.Blocks = append(s.Production.Blocks, w.Blocks)
		}
	}
	for i := range e.walkers {
		w := &e.walkers[i]
		s.States = append(s.States, w.state...)
		s.Levels = append(s.Levels, w.level)
		s.Generators = append(s.Generators, GeneratorState(w.rng))
		s.LastEnds = append(s.LastEnds, int(w.trip.last))
		s.Turns = append(s.Turns, w.trip.turns)
		s.Aims = append(s.Aims, AimSnapshot{w.aim.target, w.aim.lnQ, w.aim.known})
	}
	return s
}

func (w *weights) snapshot() WindowSnapshot {
	s := WindowSnapshot{
		Open: w.isOpen,
		LnG:  w.lnG, Seen: w.seen, Hist: w.hist,
		Pending: make([]int64, len(w.lnG)), Waiting: w.waiting,
		LastVisits: [2]int64{w.state.lowest, w.state.total},
		LnF:        w.schedule.lnF, Inverse: w.schedule.inverse,
		Trials: w.schedule.trials, StageTrials: w.schedule.stage,
	}
	for _, counts := range w.pending {
		for b, n := range counts {
			s.Pending[b] += n
		}
	}
	if r := w.recursion; r != nil {
		s.Iteration = &IterationSnapshot{r.length, r.trials, r.found, r.flat, r.flatness, r.precision, r.upper}
	}
	return s
}

func (w *weights) restore(s *WindowSnapshot, lnWeight []float64, margin int) {
	w.isOpen = s.Open
	copy(w.lnG, s.LnG)
	copy(w.seen, s.Seen)
	copy(w.hist, s.Hist)
	for _, counts := range w.pending {
		clear(counts)
	}
	copy(w.pending[0], s.Pending)
	w.waiting = s.Waiting
	w.state = histogramState{lowest: s.LastVisits[0], total: s.LastVisits[1]}
	for _, seen := range s.Seen {
		if seen {
			w.state.levels++
		}
	}
	w.schedule.lnF, w.schedule.inverse, w.schedule.trials, w.schedule.stage = s.LnF, s.Inverse, s.Trials, s.StageTrials
	if it := s.Iteration; it != nil {
		w.recursion = &recursion{w.recursion.maxStep, it.Length, it.Trials, it.Found, it.Flatness, it.Flat, slices.Clone(it.Precision), slices.Clone(it.Upper)}
	}
	w.lnWeight, w.targets = w.lnG, nil
	if lnWeight != nil && !slices.Equal(lnWeight, w.lnG) {
		w.lnWeight = slices.Clone(lnWeight)
		w.spreadTargets(margin)
	}
	w.fillKernel()
}

// Restore puts the engine into the state of a snapshot that was taken from an engine
// with the same options but for Workers. A snapshot that does not fit, or whose
// parts contradict each other, is an error that lists every fault, and the engine is
// then not to be used.
func (e *Engine) Restore(s *Snapshot) error {
	if err := e.check(s); err != nil {
		return fmt.Errorf("state of the sampler: %w", err)
	}
	e.samples = nil
	if p := s.Production; p != nil {
		e.Produce() // makes room for all counts; what else it does is overwritten below
		e.samples.segment, e.samples.passes = p.Segment, p.Passes
		for k := range e.windows {
			copy(e.samples.Windows[k].LnWeight, p.LnWeight[k])
			for i, block := range p.Blocks[k] {
				copy(e.samples.Windows[k].Blocks[i], block)
			}
		}
		if d, own := p.Draws, e.samples.draws; d != nil && own != nil {
			copy(own.trials, d.Trials)
			copy(own.accepted, d.Accepted)
			copy(own.changed, d.Changed)
			for i, b := range d.Weights {
				copy(own.weights[i].Draws, b.Draws)
				copy(own.weights[i].LnSum, b.LnSum)
				copy(own.weights[i].LnSquares, b.LnSquares)
			}
		}
		for i, count := range p.OrderCount {
			copy(e.samples.order.count[i], count)
			for k, sums := range p.OrderSums[i] {
				copy(e.samples.order.sums[i][k], sums)
			}
		}
		e.samples.transitions.Restore(p.Transitions)
	}
	e.phase, e.passes, e.moves, e.times = s.Phase, s.Passes, s.Moves, s.Times
	for k := range s.Windows {
		var lnWeight []float64
		if s.Production != nil {
			lnWeight = s.Production.LnWeight[k]
		}
		e.windows[k].restore(&s.Windows[k], lnWeight, e.margin())
	}
	if err := e.exchanges.UnmarshalBinary(s.Exchanges); err != nil {
		return fmt.Errorf("state of the sampler: generator of the exchanges: %w", err)
	}
	n := e.o.System.Sites()
	for i := range e.walkers {
		w := &e.walkers[i]
		copy(w.state, s.States[i*n:(i+1)*n])
		w.level = s.Levels[i]
		w.trip = trip{last: end(s.LastEnds[i]), turns: s.Turns[i]}
		w.aim = aim{s.Aims[i].Target, s.Aims[i].LnQ, s.Aims[i].Known}
		if err := w.rng.UnmarshalBinary(s.Generators[i]); err != nil {
			return fmt.Errorf("state of the sampler: generator of walker %d: %w", i, err)
		}
	}
	return nil
}

// checkOrder reports the faults of the measurements of the order parameter.
func (p *ProductionSnapshot) checkOrder(levels, blocks int) (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if len(p.OrderCount) != blocks || len(p.OrderSums) != blocks {
		fault("order parameter: counts of %d blocks and sums of %d, the run needs %d", len(p.OrderCount), len(p.OrderSums), blocks)
		return faults
	}
	for i, count := range p.OrderCount {
		sums := p.OrderSums[i]
		wrong := len(count) != levels || len(sums) != powers
		for _, row := range sums {
			wrong = wrong || len(row) != levels
		}
		if wrong {
			fault("order parameter: block %d is not of %d levels and %d powers", i, levels, powers)
			continue
		}
		for k, row := range sums {
			for b, x := range row {
				// No value is above 1, but for rounding.
				if most := float64(count[b]); !(x >= 0 && x <= most*(1+1e-6)) {
					fault("order parameter: block %d, level %d: the sum %d of %d values is %v", i, b, k+1, count[b], x)
				}
			}
		}
	}
	return faults
}

// check compares a snapshot with the options of the engine.
func (e *Engine) check(s *Snapshot) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	length := func(what string, have, want int) bool {
		if have != want {
			fault("%s: %d elements, the run needs %d", what, have, want)
		}
		return have == want
	}
	byLevel := func(what string, values []float64) {
		length(what, len(values), e.o.System.Levels())
		for b, x := range values {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				fault("%s of level %d is %v", what, b, x)
			}
		}
	}
	levels, walkers, n := e.o.System.Levels(), len(e.walkers), e.o.System.Sites()
	if s.Phase != e.o.Adaptation && s.Phase != Production {
		fault("there is no phase %q", s.Phase)
	}
	if (s.Phase == Production) != (s.Production != nil) {
		fault("the phase is %s, and there are samples of production: %v", s.Phase, s.Production != nil)
	}
	if length("windows", len(s.Windows), len(e.windows)) {
		for _, w := range s.Windows {
			if !(w.LnF > 0) || w.LnF > 1 {
				fault("ln f is %g", w.LnF)
			}
			byLevel("ln g", w.LnG)
			length("seen", len(w.Seen), levels)
			length("histogram", len(w.Hist), levels)
			length("pending", len(w.Pending), levels)
			if it := w.Iteration; (it != nil) != (e.o.Adaptation == Multicanonical) {
				fault("the method is %s, and there is a multicanonical iteration: %v", e.o.Adaptation, it != nil)
			} else if it != nil {
				byLevel("precision", it.Precision)
				length("upper levels", len(it.Upper), levels)
				if it.Length < 1 || it.Trials < 0 || math.IsNaN(it.Flatness) {
					fault("an iteration of %d trials, %d made, flatness %g", it.Length, it.Trials, it.Flatness)
				}
			}
		}
	}
	columns := walkers / len(e.windows)
	if p := s.Production; p != nil {
		if length("weights", len(p.LnWeight), len(e.windows)) && length("histograms", len(p.Blocks), len(e.windows)) {
			for k, blocks := range p.Blocks {
				byLevel("weight", p.LnWeight[k])
				length("blocks", len(blocks), segments(columns)*columns)
				for i, block := range blocks {
					length(fmt.Sprintf("block %d", i), len(block), levels)
				}
			}
		}
		if p.Transitions != nil {
			length("transitions", len(p.Transitions), segments(columns)*groups(columns))
		}
		for i, block := range p.Transitions {
			length(fmt.Sprintf("transitions %d", i), len(block), levels*lattice.Steps(e.o.System))
		}
		// An engine without a network, as one that only looks at a snapshot, ignores these.
		if d := p.Draws; d == nil && e.neural != nil {
			fault("there are no counts of proposals")
		} else if d != nil && e.neural != nil {
			length("trials of proposals", len(d.Trials), levels)
			length("accepted proposals", len(d.Accepted), levels)
			length("changed sites", len(d.Changed), levels)
			if weighed := segments(columns) * groups(columns); e.targeted() {
				length("weights of proposals", len(d.Weights), weighed)
			} else {
				length("weights of proposals", len(d.Weights), 0)
			}
			for i, b := range d.Weights {
				if len(b.Draws) != levels || len(b.LnSum) != levels || len(b.LnSquares) != levels {
					fault("weights of proposals: block %d is not of %d levels", i, levels)
				}
				for _, x := range b.LnSum {
					if math.IsNaN(x) || math.IsInf(x, 1) {
						fault("weights of proposals: block %d holds %v", i, x)
					}
				}
			}
		}
		measured := segments(columns) * columns
		if !measuresOrder(e.o.System, measured) {
			measured = 0
		}
		faults = append(faults, p.checkOrder(levels, measured)...)
		if p.Segment < 0 || p.Segment >= segments(columns) {
			fault("segment %d of %d", p.Segment, segments(columns))
		}
	}
	length("generators", len(s.Generators), walkers)
	length("ends", len(s.LastEnds), walkers)
	length("turns", len(s.Turns), walkers)
	length("aims", len(s.Aims), walkers)
	for i, aim := range s.Aims {
		if math.IsNaN(aim.LnQ) || math.IsInf(aim.LnQ, 0) {
			fault("walker %d: its log-likelihood is %v", i, aim.LnQ)
		}
	}
	for i, at := range s.LastEnds {
		if at < int(neither) || at > int(peak) {
			fault("walker %d was last at the end %d, there are %d..%d", i, at, neither, peak)
		}
	}
	if length("levels", len(s.Levels), walkers) && length("configurations", len(s.States), walkers*n) {
		for i, level := range s.Levels {
			state := s.States[i*n : (i+1)*n]
			if err := e.o.System.Validate(state); err != nil {
				fault("walker %d: %w", i, err)
			} else if counted := e.o.System.Level(state); counted != level {
				fault("walker %d: the level is %d and its configuration has the level %d", i, level, counted)
			} else if k := i % len(e.windows); k < len(s.Windows) && s.Windows[k].Open && !e.windows[k].Contains(level) {
				fault("walker %d is on level %d, its window has the %v", i, level, e.windows[k].Window)
			}
		}
	}
	return errors.Join(faults...)
}
