package dos

import (
	"errors"

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
	levels   []int       // ascending
	place    map[int]int // of each level
	held     []bool      // by place: known beforehand
	loose    [][]int     // places of the levels that edges connect with each other, and not with one that is known
	value    []float64   // of those
	matrix   *mat.SymBandDense
	cholesky mat.BandCholesky
	right    []float64
}

// newLadder prepares the solution for levels, each connected by edges with another. Of levels that edges do not connect
// with one that is known ln g is found up to a constant, 0 at the lowest. Edges to other levels are ignored.
func newLadder(levels []int, edges []edge, known []Pin) (*ladder, error) {
	if len(levels) < 2 {
		return nil, errors.New("no two levels have transitions both ways")
	}
	n := len(levels)
	l := &ladder{levels: levels, place: make(map[int]int, n), held: make([]bool, n), value: make([]float64, n), right: make([]float64, n)}
	for k, b := range levels {
		l.place[b] = k
	}
	for _, p := range known {
		if k, ok := l.place[p.Level]; ok {
			l.held[k], l.value[k] = true, p.LnG
		}
	}
	band := 1
	for _, e := range edges {
		i, in := l.place[e.i]
		j, too := l.place[e.j]
		if in && too {
			band = max(band, j-i)
		}
	}
	a := mat.NewSymBandDense(n, min(band, n-1), nil)
	add := func(i, j int, x float64) { a.SetSymBand(i, j, a.At(i, j)+x) }
	for _, e := range edges {
		i, in := l.place[e.i]
		j, too := l.place[e.j]
		if !in || !too {
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
	l.matrix = a
	if !l.cholesky.Factorize(a) {
		return nil, errSingular
	}
	return l, nil
}

// findLoose finds what is connected with no known level.
func (l *ladder) findLoose(edges []edge) {
	joined := newSets(len(l.levels))
	for _, e := range edges {
		i, in := l.place[e.i]
		j, too := l.place[e.j]
		if in && too {
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
func (l *ladder) solve() ([]float64, error) {
	x, err := l.solveFor(l.right)
	for k, held := range l.held {
		if held && err == nil {
			x[k] = l.value[k] // without rounding
		}
	}
	return x, err
}

// solveFor solves with another right-hand side. Its entries at known levels should be zero.
func (l *ladder) solveFor(right []float64) ([]float64, error) {
	var x mat.VecDense
	// Ill-conditioning is expected here: the diagonal spans the range of the counts.
	if err := l.cholesky.SolveVecTo(&x, mat.NewVecDense(len(right), right)); err != nil && !errors.As(err, new(mat.Condition)) {
		return nil, err
	}
	return x.RawVector().Data, nil
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
