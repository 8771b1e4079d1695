package models

import (
	"math"

	"neuralwl/models/graph"
)

// surrounding is how four neighbours are divided among colours: the numbers of each colour that is there.
type surrounding []int

// surroundings lists those of four neighbours. The sums of their squares differ.
var surroundings = []surrounding{{1, 1, 1, 1}, {2, 1, 1}, {2, 2}, {3, 1}, {4}}

// squares is the sum of the squares.
func (k surrounding) squares() int {
	sum := 0
	for _, n := range k {
		sum += n * n
	}
	return sum
}

// absent is the number of colours that are not there. Surroundings of more colours than q do not occur.
func (k surrounding) absent(q int) int { return max(q-len(k), 0) }

// moments returns the sums of exp(beta n), n exp(beta n) and n^2 exp(beta n) over q colours.
func (k surrounding) moments(beta float64, q int) (z, first, second float64) {
	z = float64(k.absent(q))
	for _, n := range k {
		w := math.Exp(beta * float64(n))
		z += w
		first += float64(n) * w
		second += float64(n*n) * w
	}
	return z, first, second
}

// Limits of inverse temperatures, with which exp(4 beta) is a number in single precision.
const (
	leastFillBeta = -8
	mostFillBeta  = 16
)

// fillSteps of Newton's method, each of at most fillStep, give beta. A worse beta does not make ln q less exact.
const (
	fillSteps = 10
	fillStep  = 1
)

// filling draws the even half, given the odd one, c sites at a time: see halves.
type filling struct {
	colours, c int
	like       *graph.Node // float[N/2c,c,q,M] neighbours of each colour
	target     *graph.Node // float[M] bonds
	// beta_e = clip(base + slope b), with the budget b; float[N/2c,M].
	base, slope *graph.Node
}

// fillAtOnce is the number of even sites drawn with one beta_e: on large lattices so many that the loop takes little
// time, but always few of all, since the energy of the last ones is left to chance.
func (a *halves) fillAtOnce() int {
	n := len(a.even)
	return divisor(n, max(1, min(8, n/16)))
}

// parts divides the even sites, the first axis, among the steps.
func (f *filling) parts(x *graph.Node) *graph.Node {
	shape := x.Shape()
	return x.Reshape(append([]int{shape[0] / f.c, f.c}, shape[1:]...)...)
}

func (a *halves) fill(g *graph.Graph, like, target *graph.Node) *filling {
	kinds := len(surroundings)
	var squares []float32
	// By surrounding, how many colours have so many neighbours, 0 to 4, and that times the number and its square.
	counts := make([]float32, kinds*5)
	first, second := make([]float32, kinds*5), make([]float32, kinds*5)
	for k, s := range surroundings {
		squares = append(squares, float32(s.squares()))
		counts[k*5] = float32(s.absent(a.s.Q))
		for _, n := range s {
			counts[k*5+n]++
			first[k*5+n] += float32(n)
			second[k*5+n] += float32(n * n)
		}
	}
	matrix := func(m []float32) *graph.Node { return g.Constant(graph.Float32s(m, kinds, 5)) }
	zeroth, one, two := matrix(counts), matrix(first), matrix(second)
	numbers := g.Constant(graph.Float32s([]float32{0, 1, 2, 3, 4}, 5, 1))
	// moments are the mean and the variance of the bonds satisfied, float[5,M] by surrounding.
	moments := func(beta *graph.Node) (mean, variance *graph.Node) {
		e := numbers.Mul(beta).Exp() // [5,M]
		z := zeroth.MatMul(e)
		mean = one.MatMul(e).Div(z)
		return mean, two.MatMul(e).Div(z).Sub(mean.Mul(mean))
	}
	is := like.Mul(like).ReduceSum(graph.DropDims, 1).Unsqueeze(0).Equal(g.Constant(graph.Float32s(squares, kinds, 1, 1))).Cast(graph.Float32) // [5,N/2,M]
	sites := is.ReduceSum(graph.DropDims, 1)                                                                                                   // [5,M]

	// The levels within w of the target that there are: their centre is what is aimed at, with their variance.
	w, bonds := float64(a.h.Window), float64(2*a.s.Sites())
	lowest, highest := target.Sub(target.Scalar(w)).Clip(0, bonds), target.Add(target.Scalar(w)).Clip(0, bonds)
	target = lowest.Add(highest).Mul(target.Scalar(0.5))
	levels := highest.Sub(lowest).Add(target.Scalar(1))
	spread := levels.Mul(levels).Sub(target.Scalar(1)).Mul(target.Scalar(1. / 12))

	beta := target.Mul(target.Scalar(0)).Add(target.Scalar(math.Log1p(math.Sqrt(float64(a.s.Q)))))
	for range fillSteps {
		mean, variance := moments(beta)
		short := target.Sub(sites.Mul(mean).ReduceSum(graph.DropDims, 0))
		// Where nothing varies beta does not matter.
		step := short.Div(sites.Mul(variance).ReduceSum(graph.DropDims, 0).Add(target.Scalar(1e-3)))
		beta = beta.Add(step.Clip(-fillStep, fillStep)).Clip(leastFillBeta, mostFillBeta)
	}
	mean, variance := moments(beta)
	f := &filling{colours: a.s.Q, c: a.fillAtOnce(), target: target}
	f.like, is = f.parts(like), is.Reshape(kinds, len(a.even)/f.c, f.c, -1).ReduceSum(graph.DropDims, 2)
	later := func(of *graph.Node) *graph.Node { // sums over the sites of a step and the later ones
		return is.Mul(of.Unsqueeze(1)).ReduceSum(graph.DropDims, 0).CumSum(0, graph.CumSumMode{Reverse: true})
	}
	f.slope = spread.Scalar(1).Div(later(variance).Add(spread.Add(spread.Scalar(1e-3))))
	f.base = beta.Sub(later(mean).Mul(f.slope))
	return f
}

// weights returns exp(beta_e n_c), float[...,c,q,M], given budgets, float[...,M].
func (f *filling) weights(like, base, slope, budget *graph.Node) *graph.Node {
	beta := base.Add(slope.Mul(budget)).Clip(leastFillBeta, mostFillBeta)
	return like.Mul(beta.Unsqueeze(-2, -3)).Exp()
}

// sample draws the half. It returns the colours, int32[N/2,M], and their probabilities before the floor, float[N/2,M].
func (f *filling) sample(g *graph.Graph, d drawing) (colours, p *graph.Node) {
	number := arange32(g, f.colours).Unsqueeze(1)
	scanned := []*graph.Node{f.like, f.base, f.slope, f.parts(d.free), f.parts(d.kept), f.parts(d.level)}
	_, out := g.Scan([]*graph.Node{f.target}, scanned, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
		budget, like := carry[0], slice[0]
		e := f.weights(like, slice[1], slice[2], budget)
		total := e.ReduceSum(graph.DropDims, 1)
		colour := d.colours(e, total, slice[3], slice[4], slice[5])
		placed := colour.Unsqueeze(1).Equal(number).Cast(graph.Float32)
		chosen := placed.Mul(e).ReduceSum(graph.DropDims, 1)
		satisfied := placed.Mul(like).ReduceSum(graph.DropDims, 0, 1)
		return []*graph.Node{budget.Sub(satisfied)}, []*graph.Node{colour, chosen.Div(total)}
	})
	sites := func(x *graph.Node) *graph.Node { return x.Reshape(x.Dim(0)*f.c, -1) }
	return sites(out[0]), sites(out[1])
}

// evaluate returns the probabilities before the floor, float[N/2,M], of given colours, int32[N/2,M].
func (f *filling) evaluate(g *graph.Graph, colours *graph.Node) *graph.Node {
	placed := f.parts(colours).Unsqueeze(2).Equal(arange32(g, f.colours).Unsqueeze(1)).Cast(graph.Float32)
	satisfied := placed.Mul(f.like).ReduceSum(graph.DropDims, 1, 2)
	budget := f.target.Sub(satisfied.CumSum(0, graph.CumSumMode{Exclusive: true}))
	e := f.weights(f.like, f.base, f.slope, budget)
	p := placed.Mul(e).ReduceSum(graph.DropDims, 2).Div(e.ReduceSum(graph.DropDims, 2))
	return p.Reshape(p.Dim(0)*f.c, -1)
}
