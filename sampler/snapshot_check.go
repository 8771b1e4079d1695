package sampler

import (
	"errors"
	"fmt"
	"math"
	"slices"

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
	levels, walkers := e.o.System.Levels(), len(e.walkers)
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
			faults = append(faults, w.checkRule(e.o.Adaptation, levels)...)
		}
	}
	if p := s.Production; p != nil {
		// Older programs had one block for each column, however many levels there were.
		own := e.division.blocks()
		if each := e.division.segments * e.division.columns; len(p.Blocks) > 0 && len(p.Blocks[0]) == each {
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
			length("transitions", len(p.Transitions), e.division.parts())
		}
		for i, block := range p.Transitions {
			length(fmt.Sprintf("transitions %d", i), len(block), levels*len(lattice.Changes(e.o.System)))
		}
		if d := p.Draws; d == nil && e.neural != nil {
			fault("there are no counts of proposals")
		} else if d != nil {
			length("trials of proposals", len(d.Trials), levels)
			length("accepted proposals", len(d.Accepted), levels)
			length("changed sites", len(d.Changed), levels)
			weighed := e.division.parts()
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
			if err := b.Check(levels, e.division.parts()); err != nil {
				fault("draws and states: %w", err)
			}
			if len(b.Draws) != drawKinds {
				fault("draws and states: %d kinds of draws", len(b.Draws))
			}
		}
		blocks, binned := own, lattice.BinWidth(e.o.System) > 0
		if !measuresOrder(e.o.System, e.whole.blocks()) || own > e.division.blocks() && p.OrderCount == nil {
			blocks = 0
		}
		least := 0.
		if binned {
			least = -1 // of products
		}
		if binned && p.OrderCount == nil { // before there was an order parameter in bins
			blocks = 0
		}
		faults = append(faults, checkMeasured("order parameter", p.OrderCount, p.OrderSums, blocks, levels, ordered(e.o.System), least)...)
		if blocks = own; !measuresInside(e.o.System, e.whole.blocks()) {
			blocks = 0
		}
		faults = append(faults, checkMeasured("places in bins", p.InsideCount, p.InsideSums, blocks, levels, insides, -1)...)
		if p.Timeline != nil {
			faults = append(faults, p.Timeline.check(len(e.windows), e.division.perSegment(), walkers, levels, p.Passes)...)
		}
		if p.Segment < 0 || p.Segment >= e.division.segments {
			fault("segment %d of %d", p.Segment, e.division.segments)
		}
	}
	return errors.Join(append(faults, e.checkWalkers(s)...)...)
}

// checkWalkers returns the faults of the walkers of a snapshot.
func (e *Engine) checkWalkers(s *Snapshot) (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	walkers, n := len(e.walkers), lattice.StateBytes(e.o.System)
	length := func(what string, have, want int) bool {
		if have != want {
			fault("%s: %d elements, the run needs %d", what, have, want)
		}
		return have == want
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
			} else if k := i % len(e.windows); k < len(s.Windows) && s.opened(&e.o, i) && !e.windows[k].Contains(level) {
				fault("walker %d is on level %d, its window has the %v", i, level, e.windows[k].Window)
			}
		}
	}
	return faults
}

// checkRule returns the faults of the state of the rule that makes an adaptation.
func (w *WindowSnapshot) checkRule(adaptation Phase, levels int) (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	of := func(what string, has bool, phases ...Phase) bool {
		if has != slices.Contains(phases, adaptation) {
			fault("the method is %s, and there is %s: %v", adaptation, what, has)
			return false
		}
		return has
	}
	byLevel := func(what string, values []float64) {
		if len(values) != levels {
			fault("%s: %d elements, the run needs %d", what, len(values), levels)
		}
		for b, x := range values {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				fault("%s of level %d is %v", what, b, x)
			}
		}
	}
	if it := w.Iteration; of("a multicanonical iteration", it != nil, Multicanonical, MultipleGaussian) {
		byLevel("precision", it.Precision)
		if len(it.Upper) != levels {
			fault("upper levels: %d elements, the run needs %d", len(it.Upper), levels)
		}
		if it.Length < 1 || it.Trials < 0 || math.IsNaN(it.Flatness) {
			fault("an iteration of %d trials, %d made, flatness %g", it.Length, it.Trials, it.Flatness)
		}
	}
	if h := w.Hills; of("a sum of hills", h != nil, Metadynamics) {
		byLevel("sum of hills", h.Bias)
		if !(h.Stage > 0) {
			fault("hills are %g high", h.Stage)
		}
	}
	if g := w.Gaussians; of("a chain of Gaussian ensembles", g != nil, MultipleGaussian) {
		if math.IsNaN(g.Centre) || math.IsInf(g.Centre, 0) || math.IsNaN(g.Slope) || math.IsInf(g.Slope, 0) {
			fault("a Gaussian at level %g with the slope %g", g.Centre, g.Slope)
		}
		if g.Stage < int(goingUp) || g.Stage > int(combined) {
			fault("there are 3 stages of a chain of Gaussian ensembles, 0 to 2, not %d", g.Stage)
		}
	}
	return faults
}

// checkMeasured returns the faults of measurements of values between a least one and 1.
func checkMeasured(name string, counts [][]int64, all [][][]float64, blocks, levels, observables int, least float64) (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(name+": "+format, a...)) }
	if len(counts) != blocks || len(all) != blocks {
		fault("counts of %d blocks and sums of %d, the run needs %d", len(counts), len(all), blocks)
		return faults
	}
	for i, count := range counts {
		sums := all[i]
		wrong := len(count) != levels || len(sums) != observables
		for _, row := range sums {
			wrong = wrong || len(row) != levels
		}
		if wrong {
			fault("block %d is not of %d levels and %d powers", i, levels, observables)
			continue
		}
		for k, row := range sums {
			for b, x := range row {
				// No value is beyond, except by rounding.
				if most := float64(count[b]) * (1 + 1e-6); !(x >= least*most && x <= most) {
					fault("block %d, level %d: the sum %d of %d values is %v", i, b, k+1, count[b], x)
				}
			}
		}
	}
	return faults
}
