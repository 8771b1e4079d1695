package models_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// loudWeights returns weights so large that every feature matters.
func loudWeights(t testing.TB, m models.Model) map[string]graph.Tensor {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	weights := m.Initial(r)
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		w := weights[name].Float32s()
		for i := range w {
			w[i] = float32(0.4 * r.NormFloat64())
		}
	}
	return weights
}

func newModel(t testing.TB, architecture string, s models.System, h models.Hyperparameters) models.Model {
	t.Helper()
	m, err := models.New(architecture, s, h)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// encode builds one of a model's graphs.
func encode(t testing.TB, build func() (*graph.Graph, error), weights map[string]graph.Tensor) *onnxpb.ModelProto {
	t.Helper()
	g, err := build()
	if err != nil {
		t.Fatal(err)
	}
	model, err := exporter.Encode(g, weights)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func evaluate(t testing.TB, model *onnxpb.ModelProto, inputs map[string]graph.Tensor) map[string]graph.Tensor {
	t.Helper()
	out, err := reference.Evaluate(model, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// execute is evaluate by ONNX Runtime.
func execute(t testing.TB, model *onnxpb.ModelProto, inputs map[string]graph.Tensor) map[string]graph.Tensor {
	t.Helper()
	data, err := exporter.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return onnxtest.Run(t, data, inputs)
}

// walkers returns random inputs of the network. Energies lie inside and outside the
// possible range, and starts include the first and the last site.
func walkers(s models.System, n int) (state, start, energy, uniform graph.Tensor) {
	r := rand.New(rand.NewPCG(7, 8))
	states, starts := make([]int32, n*s.Sites()), make([]int32, n)
	energies, uniforms := make([]float32, n), make([]float32, n*s.Sites())
	for i := range states {
		// Two sites in three equal the previous one.
		if states[i] = r.Int32N(int32(s.Q)); i > 0 && r.IntN(3) > 0 {
			states[i] = states[i-1]
		}
		uniforms[i] = float32(r.IntN(1<<24)) * 0x1p-24
	}
	for i := range n {
		starts[i] = []int32{0, int32(s.Sites() - 1), r.Int32N(int32(s.Sites()))}[i%3]
		energies[i] = float32(8 - r.IntN(2*s.Sites()+17))
	}
	return graph.Int32s(states, n, s.Sites()), graph.Int32s(starts, n), graph.Float32s(energies, n), graph.Float32s(uniforms, n, s.Sites())
}

// sampledByTheBook compares the proposals of a graph with colours drawn one by one, in the
// order of sites, from their conditional probabilities. conditional is given the
// configuration of walker k so far, with -1 at sites not yet drawn, and the site.
func sampledByTheBook(t *testing.T, model *onnxpb.ModelProto, inputs map[string]graph.Tensor, order []int, conditional func(k int, state []int32, i int) []float64) {
	t.Helper()
	state, start, uniform := inputs[models.State], inputs[models.Start].Int32s(), inputs[models.Uniform].Float32s()
	count, n := state.Shape[0], state.Shape[1]
	exact, single := evaluate(t, model, inputs), execute(t, model, inputs)
	span := 0.0
	for k := range count {
		drawn := slices.Clone(state.Int32s()[k*n : k*n+n])
		for i := int(start[k]); i < n; i++ {
			drawn[i] = -1
		}
		want := 0.0
		for _, i := range order {
			p := conditional(k, drawn, i)
			span = max(span, math.Abs(math.Log(p[0]/p[1])))
			if i < int(start[k]) {
				continue
			}
			c := int32(0)
			for sum := p[0]; float64(uniform[k*n+i]) >= sum; sum += p[c] {
				c++
			}
			want += math.Log(p[c])
			drawn[i] = c
		}
		for i, c := range drawn {
			for name, got := range map[string]graph.Tensor{"exact": exact[models.Proposal], "runtime": single[models.Proposal]} {
				if got.Int32s()[k*n+i] != c {
					t.Fatalf("%s, walker %d: site %d of the proposal has colour %d, by the book %d", name, k, i, got.Int32s()[k*n+i], c)
				}
			}
		}
		near(t, "ln q of a proposal", exact[models.LogQ].Float64s()[k], want, 1e-5)
		near(t, "ln q of a proposal by the runtime", float64(single[models.LogQ].Float32s()[k]), want, 5e-5)
	}
	if span < 0.5 {
		t.Errorf("ln of the ratio of two probabilities is at most %v, too uniform for a meaningful test", span)
	}
}

// inRaster is the raster order of n sites.
func inRaster(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

var (
	tinyHyper     = models.Hyperparameters{Width: 5, Floor: 1e-2, Window: 3}
	tinyDiagonals = models.Hyperparameters{Width: 5, Floor: 1e-2, Window: 3, Order: models.Diagonal}
)

// TestMicrocanonicalByTheBook compares the three graphs, site by site, with a plain
// implementation of the network's definition.
func TestMicrocanonicalByTheBook(t *testing.T) {
	microcanonicalByTheBook(t, tinyHyper, []models.System{{Q: 3, Sides: []int{4, 5}}, {Q: 4, Sides: []int{3, 3}}, {Q: 2, Sides: []int{11, 11}}, {Q: 10, Sides: []int{8, 8}}}[:long.Or(4, 2)])
}

// TestDiagonalByTheBook is TestMicrocanonicalByTheBook with the sites front by front, on
// lattices narrower and wider than a front is long, whose fronts hold up to four sites.
func TestDiagonalByTheBook(t *testing.T) {
	microcanonicalByTheBook(t, tinyDiagonals, []models.System{{Q: 3, Sides: []int{5, 4}}, {Q: 4, Sides: []int{3, 3}}, {Q: 2, Sides: []int{14, 3}}, {Q: 2, Sides: []int{11, 11}}, {Q: 3, Sides: []int{6, 9}}, {Q: 10, Sides: []int{8, 8}}}[:long.Or(6, 3)])
}

func microcanonicalByTheBook(t *testing.T, h models.Hyperparameters, systems []models.System) {
	for _, s := range systems {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			m := newModel(t, models.Microcanonical, s, h)
			weights := loudWeights(t, m)
			var book interface {
				order() []int
				conditional(state []int32, i int, target float64) []float64
			} = book{s, h, weights}
			if h.Order == models.Checkerboard {
				book = halvesBook{s, h, weights}
			}
			n, count := s.Sites(), 6
			state, start, energy, uniform := walkers(s, count)

			// Sampling: the same colours, and ln q of the sites from start on.
			inputs := map[string]graph.Tensor{models.State: state, models.Start: start, models.Energy: energy, models.Uniform: uniform}
			model := encode(t, m.Propose, weights)
			sampledByTheBook(t, model, inputs, book.order(), func(k int, state []int32, i int) []float64 {
				return book.conditional(state, i, -float64(energy.Float32s()[k]))
			})

			// Evaluation with every start: the differences are single sites.
			model = encode(t, m.LogProb, weights)
			for k := range count {
				states, starts, energies := []int32{}, []int32{}, []float32{}
				for i := range n + 1 {
					states = append(states, state.Int32s()[k*n:(k+1)*n]...)
					starts = append(starts, int32(i))
					energies = append(energies, energy.Float32s()[k])
				}
				inputs := map[string]graph.Tensor{models.State: graph.Int32s(states, n+1, n), models.Start: graph.Int32s(starts, n+1), models.Energy: graph.Float32s(energies, n+1)}
				exact, single := evaluate(t, model, inputs)[models.LogQ].Float64s(), execute(t, model, inputs)[models.LogQ].Float32s()
				for i := range n {
					p := book.conditional(states[:n], i, -float64(energies[k]))
					want := math.Log(p[states[i]])
					near(t, "ln p of a site", exact[i]-exact[i+1], want, 1e-5)
					near(t, "ln p of a site by the runtime", float64(single[i]-single[i+1]), want, 5e-5)
				}
			}

			// The loss is the weighted sum of ln q of all sites.
			weight := make([]float32, count)
			want := 0.0
			for k := range weight {
				weight[k] = float32(k+1) / 4
				for i := range n {
					at := state.Int32s()[k*n : k*n+n]
					want -= float64(weight[k]) * math.Log(book.conditional(at, i, -float64(energy.Float32s()[k]))[at[i]])
				}
			}
			inputs = map[string]graph.Tensor{models.State: state, models.Energy: energy, models.Weight: graph.Float32s(weight, count)}
			got := evaluate(t, encode(t, m.Gradient, weights), inputs)[models.Loss].Float64s()[0]
			near(t, "loss", got/want, 1, 1e-5)
		})
	}
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance*max(1, math.Abs(want))) {
		t.Fatalf("%s is %v, by the book %v", what, got, want)
	}
}

// book is a microcanonical network as defined, with every feature recounted for every site.
type book struct {
	s       models.System
	h       models.Hyperparameters
	weights map[string]graph.Tensor
}

// step is when site i is drawn.
func (b book) step(i int) int {
	if b.h.Order == models.Diagonal {
		return i%b.s.Sides[0] + 4*(i/b.s.Sides[0])
	}
	return i
}

// order lists the sites as they are drawn.
func (b book) order() []int {
	order := inRaster(b.s.Sites())
	slices.SortStableFunc(order, func(i, j int) int { return b.step(i) - b.step(j) })
	return order
}

// conditional returns the probabilities of the colours of site i, given those of the sites of
// earlier steps in state and the target B*.
func (b book) conditional(state []int32, i int, target float64) []float64 {
	lx, ly, q := b.s.Sides[0], b.s.Sides[1], b.s.Q
	x, y := i%lx, i/lx
	wrap := func(v, n int) int { return (v%n + n) % n }
	now := b.step(i)
	earlier := func(j int) bool { return b.step(j) < now }
	// colour returns the colour of an earlier site, else -1.
	colour := func(x, y int) int {
		if y < 0 {
			return -1
		}
		if j := wrap(y, ly)*lx + wrap(x, lx); earlier(j) {
			return int(state[j])
		}
		return -1
	}
	// Bonds to the right and below.
	satisfied, undecided := 0, 0
	for j := range lx * ly {
		for _, k := range []int{j/lx*lx + wrap(j%lx+1, lx), wrap(j/lx+1, ly)*lx + j%lx} {
			switch {
			case !earlier(j) || !earlier(k):
				undecided++
			case state[j] == state[k]:
				satisfied++
			}
		}
	}
	budget, r := target-float64(satisfied), float64(undecided)
	clip := func(v float64) float64 { return min(max(v, -3), 3) }
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	g := []float64{clip(budget / r), clip(4*(r-budget)/r - 2)}
	for _, z := range []float64{budget, r - budget} {
		g = append(g, 0.3*math.Log(1+min(max(z, 0), float64(2*lx*ly))))
		for n := range 7 {
			g = append(g, is(z == float64(n)))
		}
		g = append(g, is(z < 0))
	}
	g = append(g, 0.3*math.Log(r), float64(y)/float64(ly), float64(x)/float64(lx),
		is(y == 0), is(y == 1), is(y == ly-2), is(y == ly-1),
		is(x == 0), is(x == 1), is(x == lx-2), is(x == lx-1), is(i == lx*ly-1))

	features := make([][]float64, q)
	neighbours := make([]float64, q)
	for c := range q {
		at := func(x, y int) float64 { return is(colour(x, y) == c) }
		row := func(yes bool, x, y int) float64 {
			if yes {
				return at(x, y)
			}
			return 0
		}
		var phi []float64
		for _, w := range []struct{ up, reach int }{{1, 3}, {2, 2}, {3, 1}} {
			for d := -w.reach; d <= w.reach; d++ {
				phi = append(phi, at(x+d, y-w.up))
			}
		}
		for _, w := range []struct{ row, reach int }{{0, 2}, {1, 1}} {
			for d := -w.reach; d <= w.reach; d++ {
				phi = append(phi, row(y > w.row, x+d, w.row))
			}
		}
		for _, d := range []int{-1, -2, -3, 1, 2} {
			phi = append(phi, at(x+d, y))
		}
		recent := lx // steps
		if b.h.Order == models.Diagonal {
			recent = 4
		}
		for _, among := range []func(j int) bool{
			func(int) bool { return true },
			func(j int) bool { return b.step(j) >= now-recent },
			func(j int) bool { return b.step(j) >= now-4*recent },
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
		neighbours[c] = at(x-1, y) + at(x, y-1) + is(x == lx-1)*at(x+1, y) + is(y == ly-1)*at(x, 0)
		features[c] = phi
	}
	p := b.layers(g, features, neighbours)
	for c := range p {
		p[c] = (1-b.h.Floor)*p[c] + b.h.Floor/float64(q)
	}
	return p
}

// layers returns the probabilities of the colours before the floor, given the features g that all share, those of
// each colour, and its number of like neighbours.
func (b book) layers(g []float64, features [][]float64, neighbours []float64) []float64 {
	shared := b.product(g, "budget.weight", "budget.bias")
	tee := silu(shared)
	beta := b.product(g, "attraction.budget", "")[0] + b.product(tee, "attraction.context", "")[0]
	hidden := make([][]float64, len(features))
	mean := make([]float64, b.h.Width)
	for c, phi := range features {
		hidden[c] = silu(plus(b.product(phi, "window.weight", ""), shared))
		for k, v := range hidden[c] {
			mean[k] += v / float64(len(features))
		}
	}
	rest := plus(b.product(mean, "mean.weight", "hidden.bias"), b.product(tee, "context.weight", ""))
	p := make([]float64, len(features))
	sum := 0.0
	for c := range p {
		u := silu(plus(b.product(hidden[c], "hidden.weight", ""), rest))
		p[c] = math.Exp(b.product(u, "output.weight", "")[0] + beta*neighbours[c])
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p
}

// product returns v times a matrix or vector of weights, plus a bias unless its name is
// empty.
func (b book) product(v []float64, weight, bias string) []float64 {
	w := b.weights[weight]
	out := make([]float64, len(w.Float32s())/len(v))
	for i, x := range v {
		for k := range out {
			out[k] += x * float64(w.Float32s()[i*len(out)+k])
		}
	}
	if bias != "" {
		for k, x := range b.weights[bias].Float32s() {
			out[k] += float64(x)
		}
	}
	return out
}

func plus(a, b []float64) []float64 {
	sum := make([]float64, len(a))
	for i := range a {
		sum[i] = a[i] + b[i]
	}
	return sum
}

func silu(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = x / (1 + math.Exp(-x))
	}
	return out
}

// TestMicrocanonicalGradient compares the derivative by every element of every weight
// with a difference quotient of the loss, in double precision.
func TestMicrocanonicalGradient(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{3, 4}}
	gradientByElement(t, s, newModel(t, models.Microcanonical, s, models.Hyperparameters{Width: 3, Floor: 1e-2}))
}

func TestDiagonalGradient(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{5, 3}}
	gradientByElement(t, s, newModel(t, models.Microcanonical, s, models.Hyperparameters{Width: 3, Floor: 1e-2, Order: models.Diagonal}))
}

func gradientByElement(t *testing.T, s models.System, m models.Model) {
	t.Helper()
	weights := loudWeights(t, m)
	model := encode(t, m.Gradient, weights)
	state, _, energy, _ := walkers(s, 3)
	inputs := map[string]graph.Tensor{models.State: state, models.Weight: graph.Float32s([]float32{1, 0.5, 2}, 3)}
	for _, condition := range m.Conditions() {
		switch condition {
		case models.Energy:
			inputs[models.Energy] = energy
		case models.State:
			if _, unnormalised := m.(models.Unnormalised); unnormalised {
				continue
			}
			shown := slices.Clone(state.Int32s())
			slices.Reverse(shown)
			inputs[models.Condition] = graph.Int32s(shown, state.Shape...)
		}
	}
	if _, noisy := m.Initial(rand.New(rand.NewPCG(1, 2)))["latent.bias"]; noisy {
		inputs[models.Noise] = graph.Float32s([]float32{0.5, -1, 0.2, 0.9, -0.3, 1.1}, 3, 2)
	}
	derivatives := evaluate(t, model, inputs)
	const step = 1e-5
	for name, w := range weights {
		exact := make([]float64, len(w.Float32s()))
		for i, x := range w.Float32s() {
			exact[i] = float64(x)
		}
		inputs[name] = graph.Float64s(exact, w.Shape...)
		loss := func(i int, x float64) float64 {
			exact[i] = x
			return evaluate(t, model, inputs)[models.Loss].Float64s()[0]
		}
		for i, x := range exact {
			difference := (loss(i, x+step) - loss(i, x-step)) / (2 * step)
			exact[i] = x
			got := derivatives[models.GradientOf+name].Float64s()[i]
			if math.Abs(got-difference) > 1e-7*max(1, math.Abs(difference)) {
				t.Errorf("derivative by element %d of %s: %v, difference quotient %v", i, name, got, difference)
			}
		}
		delete(inputs, name)
	}
}

// TestMicrocanonicalNormalised sums q over all configurations.
func TestMicrocanonicalNormalised(t *testing.T) {
	microcanonicalNormalised(t, models.System{Q: 2, Sides: []int{3, 3}}, tinyHyper)
}

// TestDiagonalNormalised does so with fronts of one site and of two.
func TestDiagonalNormalised(t *testing.T) {
	microcanonicalNormalised(t, models.System{Q: 2, Sides: []int{3, 3}}, tinyDiagonals)
	microcanonicalNormalised(t, models.System{Q: 2, Sides: []int{5, 3}}, tinyDiagonals)
}

func microcanonicalNormalised(t *testing.T, s models.System, h models.Hyperparameters) {
	t.Helper()
	m := newModel(t, models.Microcanonical, s, h)
	model := encode(t, m.LogProb, loudWeights(t, m))
	n := s.Sites()
	count := 1 << n
	states, energies := make([]int32, count*n), make([]float32, count)
	for k := range count {
		for i := range n {
			states[k*n+i] = int32(k >> i & 1)
		}
	}
	for _, energy := range []float32{3, 0, -7, -18, -21} {
		for k := range energies {
			energies[k] = energy
		}
		out := execute(t, model, map[string]graph.Tensor{
			models.State: graph.Int32s(states, count, n), models.Start: graph.Zeros(graph.Int32, count), models.Energy: graph.Float32s(energies, count),
		})
		sum, least, most := 0.0, 0.0, math.Inf(-1)
		for _, x := range out[models.LogQ].Float32s() {
			sum += math.Exp(float64(x))
			least, most = min(least, float64(x)), max(most, float64(x))
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("%v, E* = %v: the probabilities of all configurations sum to %v", s, energy, sum)
		}
		if most-least < 1 {
			t.Errorf("E* = %v: ln q between %v and %v, too uniform for a meaningful test", energy, least, most)
		}
	}
}

// TestMicrocanonicalColours checks that ln q is invariant under permutations of the
// colours, up to rounding.
func TestMicrocanonicalColours(t *testing.T) {
	for _, h := range []models.Hyperparameters{tinyHyper, tinyDiagonals} {
		microcanonicalColours(t, h)
	}
}

func microcanonicalColours(t *testing.T, h models.Hyperparameters) {
	s := models.System{Q: 5, Sides: []int{6, 4}}
	m := newModel(t, models.Microcanonical, s, h)
	model := encode(t, m.LogProb, loudWeights(t, m))
	state, start, energy, _ := walkers(s, 40)
	inputs := map[string]graph.Tensor{models.State: state, models.Start: start, models.Energy: energy}
	before := execute(t, model, inputs)[models.LogQ].Float32s()
	r := rand.New(rand.NewPCG(9, 10))
	permuted := make([]int32, len(state.Int32s()))
	for k := range 40 {
		permutation := r.Perm(s.Q)
		for i := range s.Sites() {
			permuted[k*s.Sites()+i] = int32(permutation[state.Int32s()[k*s.Sites()+i]])
		}
	}
	inputs = maps.Clone(inputs)
	inputs[models.State] = graph.Int32s(permuted, 40, s.Sites())
	for k, x := range execute(t, model, inputs)[models.LogQ].Float32s() {
		if math.Abs(float64(x-before[k])) > 1e-4 {
			t.Errorf("walker %d: ln q is %v, in other colours %v", k, before[k], x)
		}
	}
}

// TestMicrocanonicalFaults checks that every faulty hyper-parameter is named.
func TestMicrocanonicalFaults(t *testing.T) {
	_, err := models.New("microcanonical", models.System{Q: 2, Sides: []int{3, 3}}, models.Hyperparameters{Window: -1, Order: "column"})
	for _, want := range []string{"microcanonical", "width = 0", "floor = 0", "window = -1", `order = "column", choose one of ["raster" "diagonal" "checkerboard"]`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not mention %s", err, want)
		}
	}
}

// TestMicrocanonicalWeightsFitEverySystem checks that names and shapes are the same for all
// sizes and numbers of colours, and for both orders.
func TestMicrocanonicalWeightsFitEverySystem(t *testing.T) {
	small := newModel(t, models.Microcanonical, models.System{Q: 2, Sides: []int{3, 4}}, tinyHyper)
	weights := loudWeights(t, small)
	for i, s := range []models.System{{Q: 10, Sides: []int{16, 16}}, {Q: 3, Sides: []int{12, 5}}, {Q: 3, Sides: []int{5, 12}}, {Q: 2, Sides: []int{32, 32}}} {
		m := newModel(t, models.Microcanonical, s, []models.Hyperparameters{tinyHyper, tinyDiagonals}[i%2])
		for _, build := range []func() (*graph.Graph, error){m.Propose, m.LogProb, m.Gradient} {
			encode(t, build, weights)
		}
		if have := m.Initial(rand.New(rand.NewPCG(1, 2))); len(have) != len(weights) {
			t.Errorf("%v: %d weights, %v has %d", s, len(have), small, len(weights))
		}
	}
}
