package dos

import (
	"errors"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

var errSingular = errors.New("the equations for ln g cannot be solved: some levels are connected by too few transitions")

// ladder is the least-squares problem of ln g at some levels, given differences between
// levels that are near to each other: the minimum over x of
//
//	sum over edges of weight (x_j - x_i - difference)^2
//
// with some of the x known. Its matrix is the weighted Laplacian of a graph, banded since
// an edge joins levels that are near.
type ladder struct {
	levels []int                 // ascending
	place  []int                 // of each level up to the highest of levels, -1 for one that is none of them
	held   []bool                // by place: known beforehand
	loose  [][]int               // places of the levels that edges connect with each other, and not with one that is known
	value  []float64             // of those
	factor blas64.TriangularBand // of Cholesky, of the matrix
	right  []float64
}

// newLadder prepares the solution for levels, each connected by edges with another. Of levels that edges do not connect
// with one that is known ln g is found up to a constant, 0 at the lowest. Edges to other levels are ignored.
func newLadder(levels []int, edges []edge, known []Pin) (*ladder, error) {
	if len(levels) < 2 {
		return nil, errors.New("no two levels have transitions both ways")
	}
	n := len(levels)
	l := &ladder{levels: levels, place: slices.Repeat([]int{-1}, levels[n-1]+1), held: make([]bool, n), value: make([]float64, n), right: make([]float64, n)}
	for k, b := range levels {
		l.place[b] = k
	}
	for _, p := range known {
		if k := l.at(p.Level); k >= 0 {
			l.held[k], l.value[k] = true, p.LnG
		}
	}
	band := 1
	for _, e := range edges {
		if i, j := l.at(e.i), l.at(e.j); i >= 0 && j >= 0 {
			band = max(band, j-i)
		}
	}
	a := mat.NewSymBandDense(n, min(band, n-1), nil)
	add := func(i, j int, x float64) { a.SetSymBand(i, j, a.At(i, j)+x) }
	for _, e := range edges {
		i, j := l.at(e.i), l.at(e.j)
		if i < 0 || j < 0 {
			continue
		}
		// A known x moves to the right-hand side; its own row keeps the diagonal alone, which
		// gives it the size of the others.
		add(i, i, e.weight)
		add(j, j, e.weight)
		switch {
		case !l.held[i] && !l.held[j]:
			add(i, j, -e.weight)
			l.right[i] -= e.weight * e.difference
			l.right[j] += e.weight * e.difference
		case !l.held[i]:
			l.right[i] += e.weight * (l.value[j] - e.difference)
		case !l.held[j]:
			l.right[j] += e.weight * (l.value[i] + e.difference)
		}
	}
	for k, held := range l.held {
		if held {
			l.right[k] = l.value[k] * a.At(k, k)
		}
	}
	l.findLoose(edges)
	for _, places := range l.loose {
		a.SetSymBand(places[0], places[0], 2*a.At(places[0], places[0])) // makes the matrix regular, and x is 0 there
	}
	var positive bool
	if l.factor, positive = lapack64.Pbtrf(a.RawSymBand()); !positive {
		return nil, errSingular
	}
	return l, nil
}

// at is the place of a level, -1 without one.
func (l *ladder) at(level int) int {
	if level >= len(l.place) {
		return -1
	}
	return l.place[level]
}

// findLoose finds what is connected with no known level.
func (l *ladder) findLoose(edges []edge) {
	joined := newSets(len(l.levels))
	for _, e := range edges {
		if i, j := l.at(e.i), l.at(e.j); i >= 0 && j >= 0 {
			joined.join(i, j)
		}
	}
	of := make([][]int, len(l.levels))
	known := make([]bool, len(l.levels))
	for k, held := range l.held {
		set := joined.of(k)
		of[set] = append(of[set], k)
		known[set] = known[set] || held
	}
	for set, places := range of {
		if len(places) > 0 && !known[set] {
			l.loose = append(l.loose, places)
		}
	}
}

// solve returns x by place.
func (l *ladder) solve() []float64 {
	x := l.solveFor(l.right)
	for k, held := range l.held {
		if held {
			x[k] = l.value[k] // without rounding
		}
	}
	return x
}

// solveFor solves with another right-hand side. Its entries at known levels should be zero. It is LAPACK's solution
// without mat.BandCholesky, which first estimates a condition number in a time of the square of the number of levels.
func (l *ladder) solveFor(right []float64) []float64 {
	x := slices.Clone(right)
	lapack64.Pbtrs(l.factor, blas64.General{Rows: len(x), Cols: 1, Stride: 1, Data: x})
	return x
}

// density makes ln g of x.
func (l *ladder) density(energy, x []float64) (*Density, error) {
	d := &Density{}
	for k, b := range l.levels {
		d.Energy = append(d.Energy, energy[b])
		d.LnG = append(d.LnG, x[k])
	}
	d.sort()
	return d, d.Validate()
}

// sets are disjoint sets of the numbers 0..n-1, as a forest: the set of a number is its root's.
type sets []int

// newSets makes a set of each number.
func newSets(n int) sets {
	s := make(sets, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// of is the set of a number.
func (s sets) of(i int) int {
	for s[i] != i {
		s[i] = s[s[i]]
		i = s[i]
	}
	return i
}

func (s sets) join(i, j int) { s[s.of(i)] = s.of(j) }
