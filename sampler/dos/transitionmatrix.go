package dos

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"gonum.org/v1/gonum/mat"

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

// edge is one measured difference ln g(j) - ln g(i), of levels i < j.
type edge struct {
	i, j               int
	difference, weight float64
}

// solveTransitions solves for ln g up to a constant.
func solveTransitions(energy []float64, steps int, counts []float64) (*Density, error) {
	half := steps / 2
	visits := make([]float64, len(energy))
	for b := range visits {
		for _, c := range counts[b*steps : (b+1)*steps] {
			visits[b] += c
		}
	}
	var edges []edge
	for i := range energy {
		for step := 1; step <= half && i+step < len(energy); step++ {
			j := i + step
			there, back := counts[i*steps+half+step], counts[j*steps+half-step]
			if there > 0 && back > 0 {
				edges = append(edges, edge{i, j, math.Log(there/visits[i]) - math.Log(back/visits[j]), 1 / (1/there + 1/back)})
			}
		}
	}
	levels := bulk(visits, edges)
	if len(levels) < 2 {
		return nil, errors.New("no two levels have transitions both ways")
	}
	place := map[int]int{}
	for k, b := range levels {
		place[b] = k
	}
	// The normal equations: a weighted graph Laplacian, banded because a transition changes
	// the level by at most half. Fixing the first level makes it regular.
	a := mat.NewSymBandDense(len(levels), min(half, len(levels)-1), nil)
	right := mat.NewVecDense(len(levels), nil)
	for _, e := range edges {
		i, ok := place[e.i]
		if !ok {
			continue
		}
		j := place[e.j]
		a.SetSymBand(i, i, a.At(i, i)+e.weight)
		a.SetSymBand(j, j, a.At(j, j)+e.weight)
		a.SetSymBand(i, j, a.At(i, j)-e.weight)
		right.SetVec(i, right.AtVec(i)-e.weight*e.difference)
		right.SetVec(j, right.AtVec(j)+e.weight*e.difference)
	}
	a.SetSymBand(0, 0, 2*a.At(0, 0))
	var cholesky mat.BandCholesky
	if !cholesky.Factorize(a) {
		return nil, errors.New("the equations for ln g cannot be solved: some levels are connected by too few transitions")
	}
	var x mat.VecDense
	// Ill-conditioning is expected here: the diagonal spans the range of the counts.
	if err := cholesky.SolveVecTo(&x, right); err != nil && !errors.As(err, new(mat.Condition)) {
		return nil, err
	}
	d := &Density{}
	for k, b := range levels {
		d.Energy = append(d.Energy, energy[b])
		d.LnG = append(d.LnG, x.AtVec(k))
	}
	d.sort()
	return d, d.Validate()
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
