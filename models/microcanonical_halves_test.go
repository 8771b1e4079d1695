package models_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/models"
	"neuralwl/models/graph"
)

var tinyHalves = models.Hyperparameters{Width: 5, Floor: 1e-2, Window: 3, Order: models.Checkerboard}

// TestHalvesByTheBook is TestMicrocanonicalByTheBook with one half of the sites before the other, on lattices
// on which the window meets itself, and with more and with fewer colours than a site has neighbours.
func TestHalvesByTheBook(t *testing.T) {
	microcanonicalByTheBook(t, tinyHalves, []models.System{{Q: 3, Sides: []int{4, 6}}, {Q: 2, Sides: []int{10, 4}}, {Q: 10, Sides: []int{8, 8}}, {Q: 4, Sides: []int{4, 4}}, {Q: 2, Sides: []int{12, 14}}}[:long.Or(5, 3)])
}

func TestHalvesGradient(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{4, 6}}
	gradientByElement(t, s, newModel(t, models.Microcanonical, s, models.Hyperparameters{Width: 3, Floor: 1e-2, Window: 2, Order: models.Checkerboard}))
}

func TestHalvesNeedEvenSides(t *testing.T) {
	for _, sides := range [][]int{{5, 4}, {4, 7}, {2, 4}} {
		_, err := models.New(models.Microcanonical, models.System{Q: 2, Sides: sides}, tinyHalves)
		if err == nil || !strings.Contains(err.Error(), "even and at least 4") {
			t.Errorf("%v: %v", sides, err)
		}
	}
}

// halvesBook is the network in the order Checkerboard as defined, with everything recounted for every site.
type halvesBook struct {
	s       models.System
	h       models.Hyperparameters
	weights map[string]graph.Tensor
}

func (b halvesBook) odd(i int) bool { return (i%b.s.Sides[0]+i/b.s.Sides[0])%2 == 1 }

func (b halvesBook) order() []int {
	var odd, even []int
	for i := range b.s.Sites() {
		if b.odd(i) {
			odd = append(odd, i)
		} else {
			even = append(even, i)
		}
	}
	return append(odd, even...)
}

func (b halvesBook) site(x, y int) int {
	lx, ly := b.s.Sides[0], b.s.Sides[1]
	return (y%ly+ly)%ly*lx + (x%lx+lx)%lx
}

// neighbours returns the four neighbours of a site, some of them twice on narrow lattices.
func (b halvesBook) neighbours(i int) [4]int {
	x, y := i%b.s.Sides[0], i/b.s.Sides[0]
	return [4]int{b.site(x, y-1), b.site(x, y+1), b.site(x-1, y), b.site(x+1, y)}
}

// around counts the colours of the neighbours.
func (b halvesBook) around(state []int32, i int) []float64 {
	n := make([]float64, b.s.Q)
	for _, j := range b.neighbours(i) {
		n[state[j]]++
	}
	return n
}

// moments returns the mean and the variance of n_c where colour c has the weight exp(beta n_c).
func moments(n []float64, beta float64) (mean, variance float64) {
	z, second := 0.0, 0.0
	for _, x := range n {
		w := math.Exp(beta * x)
		z += w
		mean += x * w
		second += x * x * w
	}
	mean /= z
	return mean, second/z - mean*mean
}

func (b halvesBook) conditional(state []int32, i int, target float64) []float64 {
	var p []float64
	if b.odd(i) {
		p = b.drawn(state, i, target)
	} else {
		p = b.filled(state, i, target)
	}
	for c := range p {
		p[c] = (1-b.h.Floor)*p[c] + b.h.Floor/float64(b.s.Q)
	}
	return p
}

// filled returns the probabilities at an even site, before the floor.
func (b halvesBook) filled(state []int32, i int, target float64) []float64 {
	sum := func(from int, beta float64) (mean, variance float64) {
		for j := from; j < b.s.Sites(); j++ {
			if !b.odd(j) {
				m, v := moments(b.around(state, j), beta)
				mean, variance = mean+m, variance+v
			}
		}
		return mean, variance
	}
	clip := func(x, most float64) float64 { return min(max(x, -most), most) }
	w, bonds := float64(b.h.Window), float64(2*b.s.Sites())
	lowest, highest := min(max(target-w, 0), bonds), min(max(target+w, 0), bonds)
	target = (lowest + highest) / 2
	spread := ((highest-lowest+1)*(highest-lowest+1) - 1) / 12
	beta := math.Log(1 + math.Sqrt(float64(b.s.Q)))
	for range 10 {
		m, v := sum(0, beta)
		beta = min(max(beta+clip((target-m)/(v+1e-3), 1), -8), 16)
	}
	// Sites are drawn with the budget before the first one of their part.
	var even []int
	for j := range b.s.Sites() {
		if !b.odd(j) {
			even = append(even, j)
		}
	}
	part := max(1, min(8, len(even)/16))
	for len(even)%part > 0 {
		part++
	}
	first := even[slices.Index(even, i)/part*part]
	budget := target
	for j := range first {
		if !b.odd(j) {
			budget -= b.around(state, j)[state[j]]
		}
	}
	m, v := sum(first, beta)
	at := min(max(beta+(budget-m)/(v+spread+1e-3), -8), 16)
	p, total := b.around(state, i), 0.0
	for c := range p {
		p[c] = math.Exp(at * p[c])
		total += p[c]
	}
	for c := range p {
		p[c] /= total
	}
	return p
}

// drawn returns the probabilities at an odd site, before the floor.
func (b halvesBook) drawn(state []int32, i int, target float64) []float64 {
	lx, ly, q := b.s.Sides[0], b.s.Sides[1], b.s.Q
	n, x, y := b.s.Sites(), i%b.s.Sides[0], i/b.s.Sides[0]
	earlier := func(j int) bool { return b.odd(j) && j < i }
	colour := func(x, y int) int {
		if y < 0 || !earlier(b.site(x, y)) {
			return -1
		}
		return int(state[b.site(x, y)])
	}
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	budget, r := target, float64(2*n)
	for j := range n {
		if below := j + lx; !b.odd(j) && j/lx >= 1 && j/lx < ly-1 && below < i {
			m, _ := moments(b.around(state, j), math.Log(1+math.Sqrt(float64(q))))
			budget, r = budget-math.Round(64*m)/64, r-4
		}
	}
	clip := func(v float64) float64 { return min(max(v, -3), 3) }
	g := []float64{clip(budget / r), clip(4*(r-budget)/r - 2)}
	for _, z := range []float64{budget, r - budget} {
		whole := math.Trunc(min(max(z, -1), float64(2*n)))
		g = append(g, 0.3*math.Log(1+max(whole, 0)))
		for k := range 7 {
			g = append(g, is(whole == float64(k)))
		}
		g = append(g, is(whole < 0))
	}
	g = append(g, 0.3*math.Log(r), float64(y)/float64(ly), float64(x)/float64(lx),
		is(y == 0), is(y == 1), is(y == ly-2), is(y == ly-1),
		is(x == 0), is(x == 1), is(x == lx-2), is(x == lx-1), is(i == n-1), target/float64(n)-1)

	features := make([][]float64, q)
	like := make([]float64, q)
	for c := range q {
		at := func(x, y int) float64 { return is(colour(x, y) == c) }
		var phi []float64
		for up, columns := range [][]int{{-5, -3, -1, 1, 3, 5}, {-4, -2, 0, 2, 4}, {-3, -1, 1, 3}, {-2, 0, 2}} {
			for _, d := range columns {
				phi = append(phi, at(x+d, y-up-1))
			}
		}
		for _, w := range []struct {
			from, row int
			columns   []int
		}{{ly - 1, 0, []int{-3, -1, 1, 3}}, {ly - 1, 1, []int{-2, 0, 2}}, {ly - 2, 0, []int{-2, 0, 2}}} {
			for _, d := range w.columns {
				phi = append(phi, is(y == w.from)*at(x+d, w.row))
			}
		}
		for _, d := range []int{-2, -4, -6, 2, 4} {
			phi = append(phi, is(d < 0 && x+d >= 0 || d > 0 && x+d >= lx)*at(x+d, y))
		}
		half := lx / 2
		rank := func(j int) int { return j / 2 }
		for _, among := range []func(j int) bool{
			func(int) bool { return true },
			func(j int) bool { return rank(j) >= rank(i)-half },
			func(j int) bool { return rank(j) >= rank(i)-4*half },
			func(j int) bool { return j < lx },
		} {
			share, count := 0.0, 0.0
			for j, s := range state {
				if earlier(j) && among(j) {
					share, count = share+is(int(s) == c), count+1
				}
			}
			phi = append(phi, share/max(count, 1))
		}
		like[c] = at(x-1, y-1) + at(x+1, y-1) + is(y == ly-1)*(at(x-1, 0)+at(x+1, 0))
		features[c] = phi
	}
	return book(b).layers(g, features, like)
}
