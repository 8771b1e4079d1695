package trainer

import (
	"math"

	"neuralwl/internal/parallel"
)

// Constants of Adam, from its authors.
const (
	firstDecay  = 0.9
	secondDecay = 0.999
	epsilon     = 1e-8
)

// Adam is the optimiser of Kingma and Ba, ICLR 2015 (algorithm 1), over named
// weights.
type Adam struct {
	LearningRate float64
	step         int
	first        map[string][]float32 // running mean of the gradient
	second       map[string][]float32 // running mean of its square
}

// NewAdam returns an optimiser with that learning rate.
func NewAdam(learningRate float64) *Adam {
	return &Adam{LearningRate: learningRate, first: map[string][]float32{}, second: map[string][]float32{}}
}

// Step moves weights by one step against gradients multiplied by scale. Workers share the
// work.
func (a *Adam) Step(workers int, weights, gradients map[string][]float32, scale float64) {
	a.step++
	rate := float32(a.LearningRate * math.Sqrt(1-math.Pow(secondDecay, float64(a.step))) / (1 - math.Pow(firstDecay, float64(a.step))))
	// With the bias corrections absorbed in the rate, epsilon takes the factor of the second
	// moment.
	eps := float32(epsilon * math.Sqrt(1-math.Pow(secondDecay, float64(a.step))))
	names := sortedNames(weights)
	lengths := make([]int, len(names))
	for k, name := range names {
		lengths[k] = len(weights[name])
		if a.first[name] == nil {
			a.first[name] = make([]float32, lengths[k])
			a.second[name] = make([]float32, lengths[k])
		}
	}
	spans := parallel.Spans(lengths...)
	parallel.Do(workers, len(spans), 1, func(_, k int) {
		s := spans[k]
		name := names[s.Array]
		adamStep(weights[name][s.From:s.To], gradients[name][s.From:s.To], a.first[name][s.From:s.To], a.second[name][s.From:s.To], float32(scale), rate, eps)
	})
}

func adamStep(w, g, first, second []float32, scale, rate, eps float32) {
	g, first, second = g[:len(w)], first[:len(w)], second[:len(w)]
	for i := range w {
		d := g[i] * scale
		m := firstDecay*first[i] + (1-firstDecay)*d
		v := secondDecay*second[i] + (1-secondDecay)*d*d
		first[i], second[i] = m, v
		w[i] -= rate * m / (float32(math.Sqrt(float64(v))) + eps)
	}
}

// norm is the Euclidean norm of all gradients together.
func norm(gradients map[string][]float32) float64 {
	sum := 0.0
	for _, name := range sortedNames(gradients) {
		for _, x := range gradients[name] {
			sum += float64(x) * float64(x)
		}
	}
	return math.Sqrt(sum)
}
