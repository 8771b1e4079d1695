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
// 1/variance = 1/(1/C + 1/C'). It needs equilibrium within the levels, not between them. It
// also uses the possible transitions that were not made, so its errors are smaller than
// those of the histogram.
//
// energy is indexed by level, with consecutive levels one step apart. Each block holds
// counts at [level*steps + change + steps/2] of transitions from level by change levels.
// They need not be whole numbers of events, only proportional to the probabilities. Errors
// come from a jackknife over the blocks, which must be much longer than the autocorrelation
// time. ln g is normalised to a sum of exp(lnTotal).
//
// Levels without a chain of two-way transitions to the bulk of the counts are omitted.
func FromTransitions(energy []float64, steps int, blocks [][]int64, lnTotal float64) (*Ensemble, error) {
	total := make([]float64, len(energy)*steps)
	for k, block := range blocks {
		if len(block) != len(total) {
			return nil, fmt.Errorf("density of states from transitions: block %d has %d counts, %d levels of %d steps have %d", k, len(block), len(energy), steps, len(total))
		}
		for i, n := range block {
			total[i] += float64(n)
		}
	}
	d, err := solveTransitions(energy, steps, total)
	if err != nil {
		return nil, fmt.Errorf("density of states from transitions: %w", err)
	}
	e := &Ensemble{Density: d}
	if len(blocks) > 1 {
		e.Replicas = transitionReplicas(energy, steps, total, blocks, omissions(len(blocks), d.Len()))
	}
	e.Normalise(lnTotal)
	e.estimateErrors()
	return e, nil
}

// transitionReplicas solves without the omitted blocks, nil if one of them holds everything
// that connects levels.
func transitionReplicas(energy []float64, steps int, total []float64, blocks [][]int64, omitted [][2]int) []*Density {
	replicas, faults := make([]*Density, len(omitted)), make([]error, len(omitted))
	workers := runtime.GOMAXPROCS(0)
	rest := make([][]float64, workers)
	parallel.Do(workers, len(omitted), 1, func(worker, k int) {
		rest[worker] = append(rest[worker][:0], total...)
		for _, block := range blocks[omitted[k][0]:omitted[k][1]] {
			for i, n := range block {
				rest[worker][i] -= float64(n)
			}
		}
		replicas[k], faults[k] = solveTransitions(energy, steps, rest[worker])
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
}

// edgesOf returns the differences that counts of transitions measure, and the visits to each
// level.
func edgesOf(steps int, counts []float64) (edges []edge, visits []float64) {
	half, levels := steps/2, len(counts)/steps
	visits = make([]float64, levels)
	for b := range visits {
		for _, c := range counts[b*steps : (b+1)*steps] {
			visits[b] += c
		}
	}
	for i := range levels {
		for step := 1; step <= half && i+step < levels; step++ {
			j := i + step
			there, back := counts[i*steps+half+step], counts[j*steps+half-step]
			if there > 0 && back > 0 {
				edges = append(edges, edge{i, j, math.Log(there/visits[i]) - math.Log(back/visits[j]), 1 / (1/there + 1/back)})
			}
		}
	}
	return edges, visits
}

// solveTransitions solves for ln g up to a constant.
func solveTransitions(energy []float64, steps int, counts []float64) (*Density, error) {
	edges, visits := edgesOf(steps, counts)
	l, err := newLadder(bulk(visits, edges), edges, nil)
	if err != nil {
		return nil, err
	}
	x, err := l.solve()
	if err != nil {
		return nil, err
	}
	return l.density(energy, x)
}

// bulk returns, in ascending order, the levels of the connected part with the most visits.
func bulk(visits []float64, edges []edge) []int {
	parent := make([]int, len(visits))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, e := range edges {
		parent[root(e.i)] = root(e.j)
	}
	together := make([]float64, len(visits))
	most := 0
	for b, n := range visits {
		together[root(b)] += n
		if together[root(b)] > together[most] {
			most = root(b)
		}
	}
	var levels []int
	for b, n := range visits {
		if n > 0 && root(b) == most {
			levels = append(levels, b)
		}
	}
	return levels
}
