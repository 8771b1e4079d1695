package dos

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"neuralwl/internal/parallel"
)

// FromTransitions estimates ln g from the infinite-temperature transition probabilities T
// between levels, for which
//
//	g(E) T(E -> E') = g(E') T(E' -> E)
//
// holds exactly (Wang, Swendsen, J. Stat. Phys. 106, 245 (2002), eq. 5). Each pair of
// levels with transitions both ways gives one value of ln g(E') - ln g(E). The estimate is
// their weighted least-squares solution, with the weights that follow from counting,
// 1/variance = 1/(1/C + 1/C'), or where many pairs have few transitions the most likely one,
// without its bias of first order. It needs equilibrium within the levels, not between them.
// It also uses the possible transitions that were not made, so its errors are smaller than
// those of the histogram.
//
// energy is indexed by level, and changes lists, ascending, by how much a transition may change the level,
// with each its opposite. Each block holds counts at [level*len(changes) + k] of transitions
// from level by changes[k] levels. They need not be whole numbers of events, only proportional to the probabilities. Errors
// come from a jackknife over the blocks, which must be much longer than the autocorrelation
// time. ln g is normalised to a sum of exp(lnTotal).
//
// Levels without a chain of two-way transitions to the bulk of the counts are omitted.
func FromTransitions(energy []float64, changes []int, blocks [][]int64, lnTotal float64) (*Ensemble, error) {
	total := make([]float64, len(energy)*len(changes))
	for k, block := range blocks {
		if len(block) != len(total) {
			return nil, fmt.Errorf("density of states from transitions: block %d has %d counts, %d levels of %d changes have %d", k, len(block), len(energy), len(changes), len(total))
		}
		for i, n := range block {
			total[i] += float64(n)
		}
	}
	p := newTransitions(changes, total)
	more, err := p.corrections(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("density of states from transitions: %w", err)
	}
	d, err := p.density(energy, more)
	if err != nil {
		return nil, fmt.Errorf("density of states from transitions: %w", err)
	}
	e := &Ensemble{Density: d}
	if len(blocks) > 1 {
		e.Replicas = transitionReplicas(energy, p, more, blocks, omissions(len(blocks), d.Len()))
	}
	e.Normalise(lnTotal)
	e.estimateErrors()
	return e, nil
}

// transitionReplicas solves without the omitted blocks, nil if one of them holds everything
// that connects levels.
func transitionReplicas(energy []float64, p *transitions, corrections []float64, blocks [][]int64, omitted [][2]int) []*Density {
	replicas, faults := make([]*Density, len(omitted)), make([]error, len(omitted))
	workers := runtime.GOMAXPROCS(0)
	rest := make([][]float64, workers)
	parallel.Do(workers, len(omitted), 1, func(worker, k int) {
		rest[worker] = append(rest[worker][:0], p.counts...)
		for _, block := range blocks[omitted[k][0]:omitted[k][1]] {
			for i, n := range block {
				rest[worker][i] -= float64(n)
			}
		}
		replicas[k], faults[k] = newTransitions(p.changes, rest[worker]).density(energy, corrections)
	})
	if errors.Join(faults...) != nil {
		return nil
	}
	return replicas
}

// edge is one measured difference ln g(j) - ln g(i), of levels i < j, and what it is worth:
// one over its variance if counts were independent.
type edge struct {
	i, j               int
	difference, weight float64
	least              float64 // transitions of the rarer way
}

// transitions are the numbers of those between levels, and the differences of ln g that they measure.
type transitions struct {
	changes        []int
	counts, visits []float64 // visits to each level
	edges          []edge    // of pairs that have transitions both ways
	part           []int     // of the levels that transitions both ways join: the number of each level's, -1 without a visit
	bulk           int       // the part with the most visits
	levels         []int     // of which ln g is solved for, ascending
}

func newTransitions(changes []int, counts []float64) *transitions {
	n := len(changes)
	p := &transitions{changes: changes, counts: counts, visits: make([]float64, len(counts)/n)}
	for b := range p.visits {
		for _, c := range counts[b*n : (b+1)*n] {
			p.visits[b] += c
		}
	}
	for i := range p.visits {
		for k := (n + 1) / 2; k < n && i+changes[k] < len(p.visits); k++ {
			j := i + changes[k]
			there, back := counts[i*n+k], counts[j*n+n-1-k]
			if there > 0 && back > 0 {
				p.edges = append(p.edges, edge{i, j, math.Log(there/p.visits[i]) - math.Log(back/p.visits[j]), 1 / (1/there + 1/back), min(there, back)})
			}
		}
	}
	p.divide()
	p.choose(func(b int) bool { return p.part[b] == p.bulk })
	return p
}

// divide finds the parts. A level that was visited without transitions both ways is one of its own.
func (p *transitions) divide() {
	joined := newSets(len(p.visits))
	for _, e := range p.edges {
		joined.join(e.i, e.j)
	}
	p.part = make([]int, len(p.visits))
	together := make([]float64, len(p.visits))
	for b, n := range p.visits {
		if p.part[b] = -1; n > 0 {
			in := joined.of(b)
			p.part[b] = in
			if together[in] += n; together[in] > together[p.bulk] {
				p.bulk = in
			}
		}
	}
}

// choose sets the levels.
func (p *transitions) choose(in func(level int) bool) {
	p.levels = nil
	for b := range p.visits {
		if in(b) {
			p.levels = append(p.levels, b)
		}
	}
}

// joins reports whether the levels of a window that all visits together have are in one part, of two levels at least.
func (p *transitions) joins(w BridgeWindow, all []float64) bool {
	in := -1
	for b := w.Low; b <= w.High; b++ {
		if all[b] > 0 && (p.part[b] < 0 || in >= 0 && p.part[b] != in) {
			return false
		}
		in = max(in, p.part[b])
	}
	return in >= 0 && p.sizes()[in] > 1
}

// sizes are the numbers of levels of the parts.
func (p *transitions) sizes() map[int]int {
	sizes := make(map[int]int)
	for _, in := range p.part {
		sizes[in]++
	}
	return sizes
}

// anchor chooses the parts in which ln g is known absolutely: those that hold a pin, a window that they join, or by
// a rough ln g, nil for none, the peak of g, of which the sum of all g says what it is. It leaves the bulk where that is
// none of them and there are no windows.
func (p *transitions) anchor(pins []Pin, windows []BridgeWindow, lnG []float64) {
	known := make(map[int]bool)
	for _, pin := range pins {
		known[p.part[pin.Level]] = true
	}
	for _, w := range windows {
		for _, in := range p.part[w.Low : w.High+1] {
			known[in] = true
		}
	}
	sizes, peak := p.sizes(), -1
	for b, x := range lnG {
		if in := p.part[b]; in >= 0 && sizes[in] > 1 && (peak < 0 || x > lnG[peak]) {
			peak = b
		}
	}
	if peak >= 0 {
		known[p.part[peak]] = true
	}
	if delete(known, -1); known[p.bulk] || len(windows) > 0 {
		p.choose(func(b int) bool { return known[p.part[b]] && sizes[p.part[b]] > 1 })
	}
}

// solve returns ln g by place of a ladder, with some of it known: the least squares of logarithms, or where there
// are corrections the most likely ln g with those. The variances of edges are multiplied by kappa, by level; nil for 1.
func (p *transitions) solve(kappa []float64, pins []Pin, corrections []float64) (*ladder, []float64, error) {
	l, x, err := p.leastSquares(p.edges, kappa, pins)
	for k := 0; k < refinements && err == nil && corrections != nil; k++ {
		l, x, err = p.leastSquares(p.refined(l.spread(x, len(p.visits)), corrections), kappa, pins)
	}
	return l, x, err
}

// leastSquares solves for ln g given edges, of which those between the levels are used.
func (p *transitions) leastSquares(edges []edge, kappa []float64, pins []Pin) (*ladder, []float64, error) {
	l, err := newLadder(p.levels, inflate(edges, kappa), pins)
	if err != nil {
		return nil, nil, err
	}
	return l, l.solve(), nil
}

// density solves for ln g up to a constant.
func (p *transitions) density(energy, corrections []float64) (*Density, error) {
	l, x, err := p.solve(nil, nil, corrections)
	if err != nil {
		return nil, err
	}
	return l.density(energy, x)
}
