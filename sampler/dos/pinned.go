package dos

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"neuralwl/internal/parallel"
)

// Pin is a level whose ln g is known exactly, as that of the ground states often is.
type Pin struct {
	Level int
	LnG   float64
}

// Pinned is an estimate from transitions that meets what is known at both ends of the energies.
type Pinned struct {
	*Ensemble
	// Free is the estimate without the pins, which says whether they are believable, and
	// Deviations is by how many of its errors it is off at each pin; NaN for a level that it
	// lacks or without errors.
	Free       *Ensemble
	Deviations []float64
	// Inflation is kappa of FromPinnedTransitions by level, from all blocks: how much more
	// the differences of ln g near the level scatter than independent counts would. Nil where
	// there are too few blocks to tell; it is then taken as 1.
	Inflation []float64
}

// FromPinnedTransitions is FromTransitions with ln g known at some levels, as well as the sum of
// g. Every x = ln g is such that
//
//	sum over edges of (x_j - x_i - y_ij)^2 / (kappa_ij v_ij)
//
// is least among all x with those values and with ln sum e^x = lnTotal, where y_ij is the
// difference measured between the levels i and j and v_ij its variance if counts were
// independent. Between two ends that are both known the errors of x are those of a bridge, not of
// a walk. The discrepancy at the ends is spread where differences are least certain: kappa
// is how much more they scatter than counting says, since a walker's visits to a
// level follow each other. It is measured for stretches of levels by the jackknife.
//
// Each half of the blocks is solved with the kappa of the other half, and the two
// solutions are averaged: kappa steers the efficiency alone, and cannot bias the result. The
// errors are those of the jackknife over all blocks.
//
// Pins of levels that were not visited are ignored. Without any that is left the estimate is
// the free one.
func FromPinnedTransitions(energy []float64, steps int, blocks [][]int64, lnTotal float64, pins []Pin) (*Pinned, error) {
	free, err := FromTransitions(energy, steps, blocks, lnTotal)
	if err != nil {
		return nil, err
	}
	p := &Pinned{Ensemble: free, Free: free}
	place := make(map[float64]int, free.Len())
	for i, e := range free.Energy {
		place[e] = i
	}
	var met []Pin
	for _, pin := range pins {
		z := math.NaN()
		if i, ok := place[energy[pin.Level]]; ok {
			met = append(met, pin)
			z = (free.LnG[i] - pin.LnG) / free.Error[i]
		}
		p.Deviations = append(p.Deviations, z)
	}
	if len(met) == 0 {
		return p, nil
	}
	s := &pinning{energy: energy, steps: steps, blocks: blocks, lnTotal: lnTotal, pins: met}
	if p.Ensemble, err = s.solve(); err != nil {
		return nil, fmt.Errorf("density of states from transitions, with known ends: %w", err)
	}
	p.Inflation = s.inflation(blocks).without(nil)
	return p, nil
}

// pinning holds the arguments of FromPinnedTransitions.
type pinning struct {
	energy  []float64
	steps   int
	blocks  [][]int64
	lnTotal float64
	pins    []Pin
}

// solve makes the estimate with its replicas.
func (s *pinning) solve() (*Ensemble, error) {
	halves := 1
	if len(s.blocks) >= 2*minStretchBlocks {
		halves = 2
	}
	parts := make([]pinnedHalf, halves)
	for k, block := range s.blocks {
		h := k % halves // neighbours may be segments of the same walkers
		parts[h].blocks = append(parts[h].blocks, block)
	}
	if halves == 2 {
		parts[0].by, parts[1].by = s.inflation(parts[1].blocks), s.inflation(parts[0].blocks)
	}
	solutions := make([]*Density, halves)
	for h := range parts {
		parts[h].total = sumOf(parts[h].blocks)
		var err error
		if solutions[h], err = s.pinned(parts[h].total, parts[h].by.without(nil)); err != nil {
			return nil, err
		}
	}
	d, err := average(solutions)
	if err != nil {
		return nil, err
	}
	e := &Ensemble{Density: d}
	if len(s.blocks) > 1 {
		e.Replicas = s.replicas(parts, d.Len())
	}
	e.estimateErrors()
	for _, pin := range s.pins {
		if i, ok := slices.BinarySearch(e.Energy, s.energy[pin.Level]); ok && e.LnG[i] == pin.LnG && e.Replicas != nil {
			e.Error[i] = 0 // without the rounding of a mean
		}
	}
	return e, nil
}

// pinnedHalf is a half of the blocks, which has its own solution.
type pinnedHalf struct {
	blocks [][]int64
	total  []float64  // of blocks
	by     *inflation // weights its edges, nil for 1
}

// replicas repeats the estimate without some blocks each, nil if that fails for any. An omitted
// block is missing from its own part, and from the weights of the other.
func (s *pinning) replicas(parts []pinnedHalf, levels int) []*Density {
	omitted := omissions(len(s.blocks), levels)
	replicas, faults := make([]*Density, len(omitted)), make([]error, len(omitted))
	parallel.Do(runtime.GOMAXPROCS(0), len(omitted), 1, func(_, k int) {
		// Block b is number b/n of part b%n.
		out := make([][]int, len(parts))
		for b := omitted[k][0]; b < omitted[k][1]; b++ {
			out[b%len(parts)] = append(out[b%len(parts)], b/len(parts))
		}
		solutions := make([]*Density, len(parts))
		for h, p := range parts {
			rest := slices.Clone(p.total)
			for _, b := range out[h] {
				subtract(rest, p.blocks[b])
			}
			var err error
			if solutions[h], err = s.pinned(rest, p.by.without(out[len(parts)-1-h])); err != nil {
				faults[k] = err
				return
			}
		}
		replicas[k], faults[k] = average(solutions)
	})
	if errors.Join(faults...) != nil {
		return nil
	}
	return replicas
}

// sumOf adds up blocks.
func sumOf(blocks [][]int64) []float64 {
	total := make([]float64, len(blocks[0]))
	for _, block := range blocks {
		for i, n := range block {
			total[i] += float64(n)
		}
	}
	return total
}

func subtract(total []float64, block []int64) {
	for i, n := range block {
		total[i] -= float64(n)
	}
}

// average is the mean of ln g over solutions, at the levels that all have.
func average(solutions []*Density) (*Density, error) {
	if len(solutions) == 1 {
		return solutions[0], nil
	}
	d := &Density{}
	for i, e := range solutions[0].Energy {
		sum, n := solutions[0].LnG[i], 1
		for _, other := range solutions[1:] {
			if k, ok := slices.BinarySearch(other.Energy, e); ok {
				sum += other.LnG[k]
				n++
			}
		}
		if n == len(solutions) {
			d.Energy = append(d.Energy, e)
			d.LnG = append(d.LnG, sum/float64(n))
		}
	}
	if d.Len() < 2 {
		return nil, errors.New("the halves of the blocks have no levels in common")
	}
	return d, nil
}

const (
	// pinningTolerance is the error of ln sum e^x at which Newton's method for it ends.
	pinningTolerance = 1e-11
	// maxPinning bounds its steps; a handful suffice, as nearly all of the sum is near the
	// peak of g, which moves as a whole.
	maxPinning = 100
)

// pinned solves with the pins and the sum of g. kappa by level multiplies the variances, nil
// for 1. Levels that are not connected to the bulk are left out; so is a pin there.
func (s *pinning) pinned(counts, kappa []float64) (*Density, error) {
	edges, visits := edgesOf(s.steps, counts)
	inflate(edges, kappa)
	l, err := newLadder(bulk(visits, edges), edges, s.pins)
	if err != nil {
		return nil, err
	}
	free, err := l.solve()
	if err != nil {
		return nil, err
	}
	x := append([]float64{}, free...)
	p := make([]float64, len(x))
	for range maxPinning {
		lnSum := LogSumExp(x)
		lack := s.lnTotal - lnSum
		if math.Abs(lack) < pinningTolerance*max(1, math.Abs(s.lnTotal)) {
			return l.density(s.energy, x)
		}
		// The constraint to first order in x is p x = const, with p = e^x / sum e^x, and the
		// minimum under it is free + mu A^-1 p.
		for k := range p {
			if p[k] = math.Exp(x[k] - lnSum); l.held[k] {
				p[k] = 0
			}
		}
		u, err := l.solveFor(p)
		if err != nil {
			return nil, err
		}
		at, response := lack, 0.0
		for k := range p {
			at += p[k] * (x[k] - free[k])
			response += p[k] * u[k]
		}
		for k := range x {
			if !l.held[k] {
				x[k] = free[k] + u[k]*at/response
			}
		}
	}
	return nil, errors.New("ln g cannot meet the number of all configurations")
}

// inflate divides the weights of edges by kappa, which is by level; nil for 1.
func inflate(edges []edge, kappa []float64) {
	if kappa == nil {
		return
	}
	for k, e := range edges {
		edges[k].weight /= math.Sqrt(kappa[e.i] * kappa[e.j])
	}
}
