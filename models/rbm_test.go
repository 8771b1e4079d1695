package models_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/models"
	"neuralwl/models/graph"
)

// rbms are small machines of both kinds.
var rbms = []struct {
	s models.System
	h models.Hyperparameters
}{
	{models.System{Q: 3, Sides: []int{3, 4}}, models.Hyperparameters{Hidden: 5, GibbsSteps: 2}},
	{models.System{Model: "potts3d", Q: 2, Sides: []int{3, 3, 3}}, models.Hyperparameters{Hidden: 7, GibbsSteps: 1}},
	{models.System{Q: 3, Sides: []int{5, 3}}, models.Hyperparameters{Hidden: 2, HiddenKind: models.Convolutional, Kernel: 3, GibbsSteps: 3}},
	{models.System{Q: 2, Sides: []int{4, 4}}, models.Hyperparameters{Hidden: 3, HiddenKind: models.Convolutional, Kernel: 1, GibbsSteps: 1}},
}

// rbmBook is a machine as defined, with the weights of its hidden units and sites one by one.
type rbmBook struct {
	s      models.System
	steps  int
	weight func(j, i, colour int) float64 // W_ij
	hidden []float64                      // c_j
	field  func(i, colour int) float64    // b_i
}

func newRBMBook(s models.System, h models.Hyperparameters, weights map[string]graph.Tensor) *rbmBook {
	b := &rbmBook{s: s, steps: h.GibbsSteps}
	at := func(name string, i int) float64 { return float64(weights[name].Float32s()[i]) }
	if h.HiddenKind != models.Convolutional {
		for j := range h.Hidden {
			b.hidden = append(b.hidden, at("hidden.bias", j))
		}
		b.weight = func(j, i, colour int) float64 { return at("coupling", (i*s.Q+colour)*h.Hidden+j) }
		b.field = func(i, colour int) float64 { return at("visible.bias", i*s.Q+colour) }
		return b
	}
	n, lx, ly := s.Sites(), s.Sides[0], s.Sides[1]
	for range s.Q * n {
		for f := range h.Hidden {
			b.hidden = append(b.hidden, at("filter.bias", f))
		}
	}
	b.field = func(int, int) float64 { return 0 }
	b.weight = func(j, i, colour int) float64 {
		f, x, of := j%h.Hidden, j/h.Hidden%n, j/h.Hidden/n
		if colour != of {
			return 0
		}
		sum, reach := 0.0, h.Kernel/2
		for dy := -reach; dy <= reach; dy++ {
			for dx := -reach; dx <= reach; dx++ {
				if (x%lx+dx+lx)%lx == i%lx && (x/lx+dy+ly)%ly == i/lx {
					sum += at("filter", ((dy+reach)*h.Kernel+dx+reach)*h.Hidden+f)
				}
			}
		}
		return sum
	}
	return b
}

func (b *rbmBook) input(j int, state []int32) float64 {
	a := b.hidden[j]
	for i, c := range state {
		a += b.weight(j, i, int(c))
	}
	return a
}

// lnP is -F.
func (b *rbmBook) lnP(state []int32) float64 {
	sum := 0.0
	for i, c := range state {
		sum += b.field(i, int(c))
	}
	for j := range b.hidden {
		sum += math.Log1p(math.Exp(b.input(j, state))) - math.Log1p(math.Exp(b.hidden[j]))
	}
	return sum
}

// sample makes the Gibbs steps. close is the least distance of a random number from a border.
func (b *rbmBook) sample(state []int32, start int, uniform []float32) (proposal []int32, close float64) {
	state = append([]int32(nil), state...)
	close = 1
	passed := func(u, border float64) bool {
		close = min(close, math.Abs(u-border))
		return u >= border
	}
	for range b.steps {
		on := make([]bool, len(b.hidden))
		for j := range on {
			on[j] = !passed(float64(uniform[j]), 1/(1+math.Exp(-b.input(j, state))))
		}
		uniform = uniform[len(on):]
		for i := start; i < len(state); i++ {
			p, sum := make([]float64, b.s.Q), 0.0
			for c := range p {
				x := b.field(i, c)
				for j := range on {
					if on[j] {
						x += b.weight(j, i, c)
					}
				}
				p[c] = math.Exp(x)
				sum += p[c]
			}
			colour, border := 0, 0.0
			for c := range b.s.Q - 1 {
				border += p[c] / sum
				if passed(float64(uniform[i]), border) {
					colour++
				}
			}
			state[i] = int32(colour)
		}
		uniform = uniform[len(state):]
	}
	return state, close
}

// uniforms returns random numbers of that many proposals.
func uniforms(r *rand.Rand, proposals, width int) graph.Tensor {
	u := make([]float32, proposals*width)
	for i := range u {
		u[i] = float32(r.IntN(1<<24)) * 0x1p-24
	}
	return graph.Float32s(u, proposals, width)
}

// TestRBMByTheBook compares the graphs with a plain implementation of the definition, in double
// precision and by ONNX Runtime.
func TestRBMByTheBook(t *testing.T) {
	for _, c := range rbms {
		t.Run(fmt.Sprint(c.s, c.h.HiddenKind), func(t *testing.T) {
			m := newModel(t, models.RBM, c.s, c.h)
			weights := loudWeights(t, m)
			book := newRBMBook(c.s, c.h, weights)
			const count = 9
			n, width := c.s.Sites(), m.(models.Unnormalised).Uniforms()
			state, start, _, _ := walkers(c.s, count)
			uniform := uniforms(rand.New(rand.NewPCG(1, 2)), count, width)
			propose, logProb := encode(t, m.Propose, weights), encode(t, m.LogProb, weights)
			in := map[string]graph.Tensor{models.State: state, models.Start: start, models.Uniform: uniform}
			drawn, exact := execute(t, propose, in), evaluate(t, propose, in)
			moved := 0
			for k := range count {
				want, close := book.sample(state.Int32s()[k*n:(k+1)*n], int(start.Int32s()[k]), uniform.Float32s()[k*width:(k+1)*width])
				for i, colour := range want {
					for _, got := range []graph.Tensor{drawn[models.Proposal], exact[models.Proposal]} {
						if got.Int32s()[k*n+i] != colour && close > 1e-6 {
							t.Fatalf("walker %d has the colour %d at site %d, by the book %d", k, got.Int32s()[k*n+i], i, colour)
						}
					}
					if colour != state.Int32s()[k*n+i] {
						moved++
					}
				}
				proposal := drawn[models.Proposal].Int32s()[k*n : (k+1)*n]
				near(t, "ln p of a proposal", exact[models.LogQ].Float64s()[k], book.lnP(exact[models.Proposal].Int32s()[k*n:(k+1)*n]), 1e-9)
				near(t, "ln p of a proposal by the runtime", float64(drawn[models.LogQ].Float32s()[k]), book.lnP(proposal), 1e-5)
			}
			if moved < n {
				t.Errorf("%d sites changed, the test shows little", moved)
			}
			in = map[string]graph.Tensor{models.State: state, models.Start: start}
			single, double := execute(t, logProb, in)[models.LogQ].Float32s(), evaluate(t, logProb, in)[models.LogQ].Float64s()
			weight, loss := make([]float32, count), 0.0
			for k := range count {
				want := book.lnP(state.Int32s()[k*n : (k+1)*n])
				near(t, "ln p", double[k], want, 1e-9)
				near(t, "ln p by the runtime", float64(single[k]), want, 1e-5)
				weight[k] = float32(k-3) / 4
				loss -= float64(weight[k]) * want
			}
			in = map[string]graph.Tensor{models.State: state, models.Weight: graph.Float32s(weight, count)}
			near(t, "loss", evaluate(t, encode(t, m.Gradient, weights), in)[models.Loss].Float64s()[0], loss, 1e-9)
			gradientByElement(t, c.s, m)
		})
	}
}

// TestRBMFitsEverySystem checks that the weights of filters depend neither on the size nor on the number
// of colours.
func TestRBMFitsEverySystem(t *testing.T) {
	h := models.Hyperparameters{Hidden: 2, HiddenKind: models.Convolutional, Kernel: 3, GibbsSteps: 1}
	weights := loudWeights(t, newModel(t, models.RBM, models.System{Q: 3, Sides: []int{4, 4}}, h))
	for _, s := range []models.System{{Q: 3, Sides: []int{6, 5}}, {Q: 10, Sides: []int{4, 4}}} {
		m := newModel(t, models.RBM, s, h)
		for _, build := range []func() (*graph.Graph, error){m.Propose, m.LogProb, m.Gradient} {
			encode(t, build, weights)
		}
	}
}

// TestRBMFaults checks that every faulty hyper-parameter is named.
func TestRBMFaults(t *testing.T) {
	for _, c := range []struct {
		s    models.System
		h    models.Hyperparameters
		want []string
	}{
		{models.System{Q: 2, Sides: []int{3, 3}}, models.Hyperparameters{HiddenKind: "round", GibbsSteps: 65},
			[]string{"rbm", "hidden = 0", "gibbs_steps = 65, must be between 1 and 64", `hidden_kind = "round", must be dense or convolutional`}},
		{models.System{Q: 2, Sides: []int{3, 5}}, models.Hyperparameters{Hidden: 1, HiddenKind: models.Convolutional, GibbsSteps: 1, Kernel: 5},
			[]string{"kernel = 5, must be odd and between 1 and 3 on 3x5 sites"}},
		{models.System{Model: "blume_capel", Q: 3, Sides: []int{3, 5}}, models.Hyperparameters{Hidden: 1, HiddenKind: models.Convolutional, GibbsSteps: 1, Kernel: 3},
			[]string{"hidden_kind convolutional", "blume_capel", "take dense"}},
	} {
		_, err := models.New(models.RBM, c.s, c.h)
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v does not mention %s", err, want)
			}
		}
	}
}
