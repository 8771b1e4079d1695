package models_test

import (
	"math"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// TestFrontierByTheBook compares the three graphs, site by site, with a plain implementation of
// the network's definition: with every colour evaluated and with candidates, on lattices narrower and
// wider than what a site sees.
func TestFrontierByTheBook(t *testing.T) {
	targetedByTheBook(t, models.Frontier, tinyHyper, []models.System{
		{Q: 7, Sides: []int{6, 4}}, {Q: 3, Sides: []int{4, 5}}, {Q: 8, Sides: []int{3, 3}}, {Q: 4, Sides: []int{3, 8}}, {Q: 2, Sides: []int{11, 11}}, {Q: 10, Sides: []int{9, 10}},
	}[:long.Or(6, 2)])
}

// frontierBook is a frontier network as defined, with everything recounted for every site.
type frontierBook struct {
	s       models.System
	h       models.Hyperparameters
	weights map[string]graph.Tensor
}

func (b frontierBook) order() []int { return inRaster(b.s.Sites()) }

// row returns a row of a matrix of weights.
func (b frontierBook) row(weight string, k int) []float64 {
	v := make([]float64, b.h.Width)
	for i := range v {
		v[i] = float64(b.weights[weight].Float32s()[k*len(v)+i])
	}
	return v
}

func relu(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = max(x, 0)
	}
	return out
}

// conditional is definition.conditional.
func (b frontierBook) conditional(state []int32, i int, target float64) []float64 {
	lx, ly, q := b.s.Sides[0], b.s.Sides[1], b.s.Q
	x, y := i%lx, i/lx
	wrap := func(v int) int { return (v%lx + lx) % lx }
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	const none = -1
	colour := func(j int) int { // of an earlier site
		if j < 0 || j >= i {
			return none
		}
		return int(state[j])
	}
	satisfied, undecided := 0, 0
	for j := range lx * ly {
		for _, k := range []int{j/lx*lx + wrap(j%lx+1), (j + lx) % (lx * ly)} {
			switch {
			case j >= i || k >= i:
				undecided++
			case state[j] == state[k]:
				satisfied++
			}
		}
	}
	budget, r := target-float64(satisfied), float64(undecided)
	clip := func(v, low, high float64) float64 { return min(max(v, low), high) }
	g := []float64{clip(budget/r, -3, 3), clip(4*(r-budget)/r-2, -3, 3)}
	for _, z := range []float64{budget, r - budget} {
		for k := -1; k <= 6; k++ {
			g = append(g, clip(z-float64(k), -1, 0))
		}
	}
	g = append(g, math.Log1p(max(budget, 0)), math.Log1p(max(r-budget, 0)))
	g = append(g, 0.3*math.Log(r), float64(y)/float64(ly), float64(x)/float64(lx),
		is(y == 0), is(y == 1), is(y == ly-2), is(y == ly-1),
		is(x == 0), is(x == 1), is(x == lx-2), is(x == lx-1), is(i == lx*ly-1),
		0.3*math.Log(float64(q)), 1/float64(q))

	// What is seen: colours and rows of the weights.
	var seen, rows []int
	left := min(4, (lx-1)/2)
	before := func(d int) {
		row := d - 1
		if d > x {
			row += 4
		}
		if d > left {
			return
		}
		seen, rows = append(seen, colour(i-d)), append(rows, row)
	}
	above := func(d int) {
		row := 8 + d
		if x+d >= lx {
			row = 13 + d - 1
		}
		if d > lx-1-left {
			return
		}
		seen, rows = append(seen, colour(i-lx+d)), append(rows, row)
	}
	for d := 1; d <= 4; d++ {
		before(d)
	}
	for d := range 5 {
		above(d)
	}
	if y > 1 {
		class := map[int]int{1: 0, 2: 1, 3: 2, 4: 3, 5: 3, 6: 4, 7: 4, 8: 4}
		k, ok := class[ly-y]
		if !ok {
			k = 5
		}
		for d := -2; d <= 2; d++ {
			seen, rows = append(seen, colour(wrap(x+d))), append(rows, 17+5*k+d+2)
		}
	}
	share := func(c, row int) float64 {
		n := 0.0
		for j := range lx {
			n += is(row >= 0 && row < y && int(state[row*lx+j]) == c)
		}
		return n / float64(lx)
	}
	fits := func(d int, j int) int {
		if d > lx-1-left {
			return none
		}
		return colour(j)
	}
	step := func(d int) int {
		if d > left {
			return none
		}
		return colour(i - d)
	}
	var candidates []int
	switch {
	case q <= 6:
		for c := range q {
			candidates = append(candidates, c)
		}
	case y == 0:
		candidates = []int{step(1), step(2), step(3), step(4)}
	default:
		candidates = []int{step(1), fits(0, i-lx), fits(1, i-lx+1), fits(2, i-lx+2)}
		if y == ly-1 {
			candidates[3] = colour(x)
		}
	}
	if q > 6 {
		prevails, most := none, 0
		for j := range lx {
			if y == 0 {
				prevails = colour(0)
				break
			}
			n := 0
			for k := range lx {
				if state[(y-1)*lx+k] == state[(y-1)*lx+j] {
					n++
				}
			}
			if n > most {
				prevails, most = int(state[(y-1)*lx+j]), n
			}
		}
		candidates = append(candidates, prevails)
	}
	classes := candidates
	if q > 6 {
		classes = append(candidates[:len(candidates):len(candidates)], q)
	}

	shared := product(b.weights, g, "budget.weight", "budget.bias")
	tee := silu(shared)
	beta := product(b.weights, g, "attraction.budget", "")[0] + product(b.weights, tee, "attraction.context", "")[0]
	like := func(c int) float64 {
		return is(x > 0)*is(colour(i-1) == c) + is(y > 0)*is(colour(i-lx) == c) +
			is(x == lx-1)*is(colour(i-lx+1) == c) + is(y == ly-1)*is(colour(x) == c)
	}
	mean := make([]float64, b.h.Width)
	var hidden [][]float64
	for _, c := range classes {
		phi := make([]float64, b.h.Width)
		for k, s := range seen {
			if s == c {
				phi = plus(phi, b.row("edge.weight", rows[k]))
			}
		}
		if c >= 0 && c < q {
			for k, row := range []int{y - 1, 0} {
				for j, w := range b.row("edge.weight", 47+k) {
					phi[j] += share(c, row) * w
				}
			}
		}
		h := relu(plus(phi, shared))
		for k, v := range h {
			mean[k] += v / float64(len(classes))
		}
		hidden = append(hidden, h)
	}
	rest := plus(product(b.weights, mean, "mean.weight", ""), product(b.weights, tee, "context.weight", ""))
	logit := func(k int) float64 {
		u := relu(plus(product(b.weights, hidden[k], "hidden.weight", ""), rest))
		return product(b.weights, u, "output.weight", "")[0]
	}
	p := make([]float64, q)
	sum := 0.0
	for c := range q {
		v := b.weights["share.weight"].Float32s()
		term := float64(v[0])*share(c, y-1) + float64(v[1])*share(c, 0)
		within := func(v float64) float64 { return clip(v, -60, 60) }
		term = clip(term, -20, 20)
		l := within(logit(len(classes)-1)) + term
		for k, of := range candidates {
			if of == c && q <= 6 {
				l = within(logit(k)+beta*like(c)) + term
			} else if of == c {
				l = within(logit(k) + beta*like(c))
				break
			}
		}
		p[c] = math.Exp(l)
		sum += p[c]
	}
	for c := range p {
		p[c] = (1-b.h.Floor)*p[c]/sum + b.h.Floor/float64(q)
	}
	return p
}

// TestFrontierGradient compares derivatives with difference quotients, with and without
// candidates. Where two candidates have one colour its derivative is shared by both.
func TestFrontierGradient(t *testing.T) {
	for _, s := range []models.System{{Q: 3, Sides: []int{3, 4}}, {Q: 7, Sides: []int{5, 3}}} {
		gradientByElement(t, s, newModel(t, models.Frontier, s, models.Hyperparameters{Width: 3, Floor: 1e-2}))
	}
}

// TestFrontierNormalised sums q over all configurations of two colours, and over those of the last
// three sites of more, given the sites before.
func TestFrontierNormalised(t *testing.T) {
	targetedNormalised(t, models.Frontier, models.System{Q: 2, Sides: []int{3, 3}}, tinyHyper, 0)
	targetedNormalised(t, models.Frontier, models.System{Q: 7, Sides: []int{4, 3}}, tinyHyper, 9)
}

// TestFrontierColours checks that ln q is invariant under permutations of the colours.
func TestFrontierColours(t *testing.T) {
	for _, q := range []int{6, 7} {
		targetedColours(t, models.Frontier, models.System{Q: q, Sides: []int{6, 4}}, tinyHyper)
	}
}

// TestFrontierFaults checks that every faulty hyper-parameter is named.
func TestFrontierFaults(t *testing.T) {
	_, err := models.New(models.Frontier, models.System{Q: 2, Sides: []int{3, 3}}, models.Hyperparameters{Window: -1, Order: models.Diagonal})
	for _, want := range []string{"frontier", "width = 0", "floor = 0", "window = -1", "take the architecture microcanonical"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %s", err, want)
		}
	}
}
