package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// TestConvByTheBook compares the three graphs, site by site, with a plain implementation of
// the network's definition.
func TestConvByTheBook(t *testing.T) {
	for _, c := range []struct {
		s models.System
		h models.Hyperparameters
	}{
		{models.System{Q: 3, Sides: []int{4, 5}}, models.Hyperparameters{Width: 3, Depth: 2, Kernel: 3, Floor: 1e-2}},
		{models.System{Q: 2, Sides: []int{6, 3}}, models.Hyperparameters{Width: 4, Depth: 1, Kernel: 5, Floor: 1e-2}},
		{models.System{Q: 4, Sides: []int{3, 4}}, models.Hyperparameters{Width: 2, Depth: 1, Kernel: 7, Floor: 1e-2}},
		{models.System{Q: 2, Sides: []int{9, 9}}, models.Hyperparameters{Width: 4, Depth: 3, Kernel: 3, Floor: 1e-3}},
	}[:long.Or(4, 3)] {
		t.Run(fmt.Sprint(c.s, c.h.Kernel), func(t *testing.T) {
			s := c.s
			m := newModel(t, models.Conv, s, c.h)
			weights := loudWeights(t, m)
			book := convBook{book{s, c.h, weights}}
			n, count := s.Sites(), 5
			state, start, _, uniform := walkers(s, count)

			// Sampling: the same colours, and ln q of the sites from start on.
			inputs := map[string]graph.Tensor{models.State: state, models.Start: start, models.Uniform: uniform}
			model := encode(t, m.Propose, weights)
			sampledByTheBook(t, model, inputs, inRaster(n), func(_ int, state []int32, i int) []float64 { return book.conditional(state[:i]) })

			// Evaluation with every start: the differences are single sites.
			model = encode(t, m.LogProb, weights)
			weight := make([]float32, count)
			loss := 0.0
			for k := range count {
				states, starts := []int32{}, []int32{}
				for i := range n + 1 {
					states = append(states, state.Int32s()[k*n:(k+1)*n]...)
					starts = append(starts, int32(i))
				}
				inputs := map[string]graph.Tensor{models.State: graph.Int32s(states, n+1, n), models.Start: graph.Int32s(starts, n+1)}
				exact, single := evaluate(t, model, inputs)[models.LogQ].Float64s(), execute(t, model, inputs)[models.LogQ].Float32s()
				weight[k] = float32(k+1) / 4
				for i := range n {
					want := math.Log(book.conditional(states[:i])[states[i]])
					near(t, "ln p of a site", exact[i]-exact[i+1], want, 1e-5)
					near(t, "ln p of a site by the runtime", float64(single[i]-single[i+1]), want, 5e-5)
					loss -= float64(weight[k]) * want
				}
			}

			// The loss is the weighted sum of ln q of all sites.
			inputs = map[string]graph.Tensor{models.State: state, models.Weight: graph.Float32s(weight, count)}
			got := evaluate(t, encode(t, m.Gradient, weights), inputs)[models.Loss].Float64s()[0]
			near(t, "loss", got/loss, 1, 1e-5)
		})
	}
}

// convBook is a convolutional network as defined, with every activation recomputed for
// every site.
type convBook struct {
	book
}

// conditional returns the probabilities of the next site's colours, given those placed.
func (b convBook) conditional(placed []int32) []float64 {
	lx, ly, q, reach := b.s.Sides[0], b.s.Sides[1], b.s.Q, b.h.Kernel/2
	i := len(placed)
	x, y := i%lx, i/lx
	wrap := func(x int) int { return ((x % lx) + lx) % lx }
	// colour is one-hot, and 0 outside of rows and before the first column.
	colour := func(x, y int) []float64 {
		out := make([]float64, q)
		if x >= 0 && y >= 0 {
			out[placed[y*lx+x]] = 1
		}
		return out
	}
	// rows returns v^l at (x,y), which depends only on rows before y.
	memory := map[[3]int][]float64{}
	var rows func(l, x, y int) []float64
	rows = func(l, x, y int) (v []float64) {
		if v, ok := memory[[3]int{l, x, y}]; ok {
			return v
		}
		defer func() { memory[[3]int{l, x, y}] = v }()
		if l == 0 {
			sum := b.product(b.place(x, y), "rows.place.weight", "rows.input.bias")
			for j := range reach + 1 {
				for k := -reach; k <= reach; k++ {
					sum = plus(sum, b.tap("rows.input.weight", colour(wrap(x+k), y-1-j), j*b.h.Kernel+k+reach))
				}
			}
			for slot, used := range closes(y, ly) {
				for k := -reach; used && k <= reach; k++ {
					sum = plus(sum, b.tap("rows.closing.weight", colour(wrap(x+k), 0), slot*b.h.Kernel+k+reach))
				}
			}
			return silu(sum)
		}
		name := func(of string) string { return fmt.Sprintf("rows.%d.%s", l-1, of) }
		mean := make([]float64, b.h.Width)
		for j := range y + 1 {
			for k := range lx {
				for c, v := range rows(l-1, k, j) {
					mean[c] += v / float64((y+1)*lx)
				}
			}
		}
		sum := b.product(mean, name("mean"), name("bias"))
		for j := range min(reach, y) + 1 {
			for k := -reach; k <= reach; k++ {
				sum = plus(sum, b.tap(name("weight"), rows(l-1, wrap(x+k), y-j), j*b.h.Kernel+k+reach))
			}
		}
		return plus(rows(l-1, x, y), b.product(silu(sum), name("output"), ""))
	}
	// sites returns h^l at column x of the site's row.
	var sites func(l, x int) []float64
	sites = func(l, x int) []float64 {
		if l == 0 {
			sum := plus(b.product(b.place(x, y), "sites.place.weight", "sites.input.bias"), b.product(rows(0, x, y), "sites.input.context", ""))
			for j := 1; j <= reach+1; j++ {
				sum = plus(sum, b.tap("sites.input.weight", colour(x-j, y), reach+1-j))
			}
			for slot, used := range closes(x, lx) {
				if used {
					sum = plus(sum, b.tap("sites.closing.weight", colour(0, y), slot))
				}
			}
			return silu(sum)
		}
		name := func(of string) string { return fmt.Sprintf("sites.%d.%s", l-1, of) }
		sum := b.product(rows(l, x, y), name("context"), name("bias"))
		for j := range min(reach, x) + 1 {
			sum = plus(sum, b.tap(name("weight"), sites(l-1, x-j), reach-j))
		}
		return plus(sites(l-1, x), b.product(silu(sum), name("output"), ""))
	}

	h := sites(b.h.Depth, x)
	neighbours := plus(colour(x-1, y), colour(x, y-1))
	if x == lx-1 {
		neighbours = plus(neighbours, colour(0, y))
	}
	if y == ly-1 {
		neighbours = plus(neighbours, colour(x, 0))
	}
	beta := b.product(h, "attraction.weight", "attraction.bias")[0]
	p := b.product(silu(h), "output.weight", "output.bias")
	sum := 0.0
	for c := range p {
		p[c] = math.Exp(p[c] + beta*neighbours[c])
		sum += p[c]
	}
	for c := range p {
		p[c] = (1-b.h.Floor)*p[c]/sum + b.h.Floor/float64(q)
	}
	return p
}

// closes reports which of the closing weights apply at a place.
func closes(place, places int) [3]bool {
	return [3]bool{place > 0, place > 0 && place == places-2, place == places-1}
}

// tap returns v times the matrix at the given place of a list of matrices.
func (b convBook) tap(weight string, v []float64, place int) []float64 {
	w := b.weights[weight].Float32s()[place*len(v)*b.h.Width:]
	out := make([]float64, b.h.Width)
	for i, x := range v {
		for k := range out {
			out[k] += x * float64(w[i*b.h.Width+k])
		}
	}
	return out
}

// place returns the features of a site alone.
func (b convBook) place(x, y int) []float64 {
	lx, ly := b.s.Sides[0], b.s.Sides[1]
	undecided := 0.0
	for j := y*lx + x; j < lx*ly; j++ {
		// Bonds with earlier sites: to the left and above, and across the edges.
		for _, yes := range []bool{j%lx > 0, j >= lx, j%lx == lx-1, j/lx == ly-1} {
			if yes {
				undecided++
			}
		}
	}
	f := []float64{0.3 * math.Log(undecided), float64(y) / float64(ly), float64(x) / float64(lx)}
	for _, yes := range []bool{y == 0, y == 1, y == ly-2, y == ly-1, x == 0, x == 1, x == lx-2, x == lx-1, x == lx-1 && y == ly-1} {
		if yes {
			f = append(f, 1)
		} else {
			f = append(f, 0)
		}
	}
	return f
}

// TestConvGradient compares the derivative by every element of every weight with a
// difference quotient of the loss, in double precision.
func TestConvGradient(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{3, 4}}
	gradientByElement(t, s, newModel(t, models.Conv, s, models.Hyperparameters{Width: 2, Depth: 2, Kernel: 3, Floor: 1e-2}))
}

// TestConvNormalised sums q over all configurations.
func TestConvNormalised(t *testing.T) {
	s := models.System{Q: 2, Sides: []int{3, 3}}
	m := newModel(t, models.Conv, s, models.Hyperparameters{Width: 5, Depth: 2, Kernel: 5, Floor: 1e-2})
	const count = 1 << 9
	states := make([]int32, count*9)
	for k := range count {
		for i := range 9 {
			states[k*9+i] = int32(k >> i & 1)
		}
	}
	out := execute(t, encode(t, m.LogProb, loudWeights(t, m)), map[string]graph.Tensor{
		models.State: graph.Int32s(states, count, 9), models.Start: graph.Zeros(graph.Int32, count),
	})
	sum := 0.0
	for _, x := range out[models.LogQ].Float32s() {
		sum += math.Exp(float64(x))
	}
	if math.Abs(sum-1) > 1e-5 {
		t.Errorf("the probabilities of all configurations sum to %v", sum)
	}
}

// TestConvFaults checks that every faulty hyper-parameter is named.
func TestConvFaults(t *testing.T) {
	s := models.System{Q: 2, Sides: []int{3, 3}}
	for _, c := range []struct {
		h    models.Hyperparameters
		want []string
	}{
		{models.Hyperparameters{}, []string{"conv", "width = 0", "depth = 0", "kernel = 0", "floor = 0"}},
		{models.Hyperparameters{Width: 1, Depth: 1, Kernel: 4, Floor: 0.1}, []string{"kernel = 4, must be odd"}},
		{models.Hyperparameters{Width: 1, Depth: 1, Kernel: 9, Floor: 0.1}, []string{"between 3 and 7 on 3x3 sites"}},
	} {
		_, err := models.New(models.Conv, s, c.h)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v does not mention %s", err, want)
			}
		}
	}
}

// TestConvWeightsFitEverySize checks that names and shapes are the same for all sizes.
func TestConvWeightsFitEverySize(t *testing.T) {
	h := models.Hyperparameters{Width: 4, Depth: 2, Kernel: 3, Floor: 1e-2}
	weights := loudWeights(t, newModel(t, models.Conv, models.System{Q: 3, Sides: []int{3, 4}}, h))
	for _, s := range []models.System{{Q: 3, Sides: []int{16, 16}}, {Q: 3, Sides: []int{12, 5}}, {Q: 3, Sides: []int{32, 32}}} {
		m := newModel(t, models.Conv, s, h)
		for _, build := range []func() (*graph.Graph, error){m.Propose, m.LogProb, m.Gradient} {
			encode(t, build, weights)
		}
		if have := m.Initial(rand.New(rand.NewPCG(1, 2))); len(have) != len(weights) {
			t.Errorf("%v: %d weights, want %d", s, len(have), len(weights))
		}
	}
}
