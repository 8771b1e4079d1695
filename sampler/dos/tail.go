package dos

import (
	"container/heap"
	"math"
	"slices"
)

// Tail holds the logarithms of the largest weights of draws, up to tailSize of them, as a heap with
// the least one first.
type Tail []float64

// tailSize is the tail of 100,000 draws by the rule of Shape; of more draws it is shorter than that.
const tailSize = 1000

func (t Tail) Len() int           { return len(t) }
func (t Tail) Less(i, j int) bool { return t[i] < t[j] }
func (t Tail) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push and Pop serve package heap.
func (t *Tail) Push(x any) { *t = append(*t, x.(float64)) }
func (t *Tail) Pop() any {
	last := len(*t) - 1
	x := (*t)[last]
	*t = (*t)[:last]
	return x
}

// Add adds the logarithm of a weight.
func (t *Tail) Add(lnWeight float64) {
	switch {
	case len(*t) < tailSize:
		heap.Push(t, lnWeight)
	case lnWeight > (*t)[0]:
		(*t)[0] = lnWeight
		heap.Fix(t, 0)
	}
}

// leastTail is the least number of weights in a tail that is fitted.
const leastTail = 20

// Shape fits a generalised Pareto distribution to the largest of n weights, a fifth of them or 3
// sqrt n if that is less, and returns its shape k: weights have finite moments below 1/k alone, so
// that above 0.5 their variance is infinite, and above about 0.7 averages converge too slowly to be
// of use, whatever their error says (Vehtari, Simpson, Gelman, Yao, Gabry, JMLR 25, 72 (2024)). It
// is fitted as by Zhang, Stephens, Technometrics 51, 316 (2009), with the weak prior of the former.
// NaN with too few draws; -Inf if all weights of the tail are alike.
func (t Tail) Shape(n int64) float64 {
	size := min(int(min(float64(n)/5, 3*math.Sqrt(float64(n)))), len(t)-1)
	if size < leastTail {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(t))
	sorted = sorted[len(sorted)-size-1:]
	largest := sorted[size]
	x := make([]float64, size) // above the threshold, in units of the largest weight
	for i, lnW := range sorted[1:] {
		x[i] = math.Exp(lnW-largest) - math.Exp(sorted[0]-largest)
	}
	last, quarter := x[size-1], x[int(float64(size)/4+0.5)-1]
	if !(last > 0) {
		return math.Inf(-1)
	}
	quarter = max(quarter, 1e-12*last)
	shape := func(theta float64) (k float64) {
		for _, y := range x {
			k += math.Log1p(-theta * y)
		}
		return k / float64(size)
	}
	points := 30 + int(math.Sqrt(float64(size)))
	thetas, likelihoods := make([]float64, points), make([]float64, points)
	for j := range thetas {
		thetas[j] = 1/last + (1-math.Sqrt(float64(points)/(float64(j)+0.5)))/(3*quarter)
		k := shape(thetas[j])
		likelihoods[j] = float64(size) * (math.Log(-thetas[j]/k) - k - 1)
	}
	norm, theta := LogSumExp(likelihoods), 0.0
	for j, l := range likelihoods {
		theta += thetas[j] * math.Exp(l-norm)
	}
	const prior, weight = 0.5, 10
	return (shape(theta)*float64(size) + prior*weight) / float64(size+weight)
}
