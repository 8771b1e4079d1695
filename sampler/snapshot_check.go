package sampler

import (
	"errors"
	"fmt"
	"math"

	"neuralwl/sampler/lattice"
)

// check returns every fault of a snapshot: parts that do not fit the engine's options or
// contradict each other.
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
		// Older programs had one block for each column, however many levels there were.
		own := blocks(columns, levels)
		if each := segments(columns) * columns; len(p.Blocks) > 0 && len(p.Blocks[0]) == each {
			own = each
		}
		if length("weights", len(p.LnWeight), len(e.windows)) && length("histograms", len(p.Blocks), len(e.windows)) {
			for k, blocks := range p.Blocks {
				byLevel("weight", p.LnWeight[k])
				length("blocks", len(blocks), own)
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
		if d := p.Draws; d == nil && e.neural != nil {
			fault("there are no counts of proposals")
		} else if d != nil {
			length("trials of proposals", len(d.Trials), levels)
			length("accepted proposals", len(d.Accepted), levels)
			length("changed sites", len(d.Changed), levels)
			weighed := segments(columns) * groups(columns)
			if e.neural == nil && d.Weights == nil || e.neural != nil && !e.targeted() {
				weighed = 0
			}
			length("weights of proposals", len(d.Weights), weighed)
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
		if b := p.Bridge; b != nil {
			if err := b.Check(levels, segments(columns)*groups(columns)); err != nil {
				fault("draws and states: %w", err)
			}
			if len(b.Draws) != drawKinds {
				fault("draws and states: %d kinds of draws", len(b.Draws))
			}
		}
		measured := own
		if !measuresOrder(e.o.System, blocks(columns, levels)) || own > blocks(columns, levels) && p.OrderCount == nil {
			measured = 0
		}
		faults = append(faults, p.checkOrder(levels, measured)...)
		if p.Timeline != nil {
			size := blockSize(columns, levels)
			faults = append(faults, p.Timeline.check(len(e.windows), (columns+size-1)/size, walkers, levels, p.Passes)...)
		}
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

// checkOrder returns the faults of the measurements of the order parameter.
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
				// No value exceeds 1, except by rounding.
				if most := float64(count[b]); !(x >= 0 && x <= most*(1+1e-6)) {
					fault("order parameter: block %d, level %d: the sum %d of %d values is %v", i, b, k+1, count[b], x)
				}
			}
		}
	}
	return faults
}
