package models_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// layoutHyper are small networks by architecture, or by architecture and order.
var layoutHyper = map[string]models.Hyperparameters{
	models.Made:           {Decoder: 7, Floor: 1e-2},
	models.Autoencoder:    {Encoder: 6, Latent: 3, Decoder: 7, Floor: 1e-2, Noise: 1},
	models.Microcanonical: tinyHyper,
	diagonals:             tinyDiagonals,
	checkerboards:         tinyHalves,
	models.Conv:           {Width: 4, Depth: 2, Kernel: 3, Floor: 1e-2},
	models.RBM:            {Hidden: 5, GibbsSteps: 2},
	filters:               {Hidden: 2, HiddenKind: models.Convolutional, Kernel: 3, GibbsSteps: 2},
}

const (
	diagonals     = models.Microcanonical + " " + models.Diagonal
	checkerboards = models.Microcanonical + " " + models.Checkerboard
	filters       = models.RBM + " " + models.Convolutional
)

// architectureOf returns the architecture of a key of layoutHyper.
func architectureOf(name string) string {
	architecture, _, _ := strings.Cut(name, " ")
	return architecture
}

// TestLayouts compares graphs laid out for a GPU, and ln q evaluated several sites at a
// time, with the layout for a CPU: the same uniforms give the same configurations and the
// same ln q, in ONNX Runtime and in the reference.
func TestLayouts(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{6, 4}}
	for name, h := range layoutHyper {
		t.Run(name, func(t *testing.T) {
			m := newModel(t, architectureOf(name), s, h)
			weights := loudWeights(t, m)
			state, start, energy, uniform := walkers(s, 12)
			if m, ok := m.(models.Unnormalised); ok {
				uniform = uniforms(rand.New(rand.NewPCG(1, 2)), 12, m.Uniforms())
			}
			// evaluated evaluates a graph on those of the inputs that it declares.
			evaluated := func(build func() (*graph.Graph, error), inputs map[string]graph.Tensor) (out, exact map[string]graph.Tensor) {
				g, err := build()
				if err != nil {
					t.Fatal(err)
				}
				fed := map[string]graph.Tensor{}
				for _, n := range g.Program().Inputs {
					fed[n.Name()] = inputs[n.Name()]
				}
				model := encode(t, func() (*graph.Graph, error) { return g, nil }, weights)
				return execute(t, model, fed), evaluate(t, model, fed)
			}
			laidOut := func(build func() (*graph.Graph, error), width int) func() (*graph.Graph, error) {
				return func() (*graph.Graph, error) {
					g, err := build()
					if err != nil {
						return nil, err
					}
					return graph.ForGPU(g, width)
				}
			}
			compare := func(what string, out, exact, want map[string]graph.Tensor) {
				t.Helper()
				for i, x := range want[models.LogQ].Float32s() {
					near(t, what, float64(out[models.LogQ].Float32s()[i]), float64(x), 1e-5)
					near(t, what+" by the reference", exact[models.LogQ].Float64s()[i], float64(x), 1e-5)
				}
			}

			inputs := map[string]graph.Tensor{models.State: state, models.Start: start, models.Energy: energy, models.Uniform: uniform}
			want, _ := evaluated(m.Propose, inputs)
			for _, k := range long.Or([]int{1, 2, 4, s.Sides[0], s.Sites()}, []int{1, 4}) {
				got, exact := evaluated(laidOut(m.Propose, k), inputs)
				for _, out := range []map[string]graph.Tensor{got, exact} {
					if !slices.Equal(out[models.Proposal].Int32s(), want[models.Proposal].Int32s()) {
						t.Errorf("k = %d: configurations differ from those drawn one site at a time", k)
					}
				}
				compare(fmt.Sprintf("propose, k = %d", k), got, exact, want)
			}

			inputs = map[string]graph.Tensor{models.Condition: state, models.State: want[models.Proposal], models.Start: start, models.Energy: energy}
			for _, c := range long.Or([]int{1, 2, 4, s.Sides[0], s.Sites()}, []int{1, 4}) {
				at := m.LogProb
				if m, ok := m.(models.AtOnce); ok {
					at = func() (*graph.Graph, error) { return m.LogProbAtOnce(c) }
				}
				for _, build := range []func() (*graph.Graph, error){at, laidOut(at, 1), laidOut(at, 4)} {
					got, exact := evaluated(build, inputs)
					compare(fmt.Sprintf("log_prob, %d sites at a time", c), got, exact, want)
				}
			}
		})
	}
}

// cudaKernels are the element types for which ONNX Runtime has CUDA kernels of the
// operators in use, from its docs/OperatorKernels.md, less types that no graph uses. Shape
// and operators on its result do not matter: they are folded away once the number of
// walkers is known.
var cudaKernels = func() map[string][]graph.DType {
	const f, d, i, l, b = graph.Float32, graph.Float64, graph.Int32, graph.Int64, graph.Bool
	table := map[string][]graph.DType{"Pad": {f, d, b}, "Equal": {f, d, i, l, b}, "Clip": {f, d, l}}
	for _, op := range []string{"Div", "Exp", "Log", "MatMul", "Relu", "Sigmoid", "Softmax", "Tanh"} {
		table[op] = []graph.DType{f, d}
	}
	for _, op := range []string{"Add", "CumSum", "GreaterOrEqual", "Less", "Max", "Min", "Mul", "Neg", "ReduceMax", "ReduceSum", "Sub"} {
		table[op] = []graph.DType{f, d, i, l}
	}
	for _, op := range []string{"Cast", "Concat", "Expand", "Gather", "Identity", "Reshape", "Scan", "Shape", "Slice", "Squeeze", "Transpose", "Unsqueeze"} {
		table[op] = []graph.DType{f, d, i, l, b}
	}
	return table
}()

// TestCUDAKernels checks that every operator of the graphs laid out for a GPU has a CUDA
// kernel, even in loop bodies, where ONNX Runtime would silently fall back to the CPU.
func TestCUDAKernels(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{6, 4}}
	for name, h := range layoutHyper {
		m := newModel(t, architectureOf(name), s, h)
		builds := []func() (*graph.Graph, error){m.Propose, m.LogProb, m.Gradient}
		if m, ok := m.(models.AtOnce); ok {
			builds = append(builds, func() (*graph.Graph, error) { return m.LogProbAtOnce(6) })
		}
		for _, build := range builds {
			g, err := build()
			if err != nil {
				t.Fatal(err)
			}
			if g, err = graph.ForGPU(g, 2); err != nil {
				t.Fatal(err)
			}
			checkKernels(t, name+" "+g.Name(), g)
		}
	}
}

func checkKernels(t *testing.T, name string, g *graph.Graph) {
	t.Helper()
	for _, c := range g.Program().Calls {
		in, types := c.Inputs[0], cudaKernels[c.Op()]
		if c.Op() == "Where" { // its first operand is the condition
			in, types = c.Inputs[1], []graph.DType{graph.Float32, graph.Float64, graph.Int32, graph.Int64}
		}
		if !slices.Contains(types, in.DType()) {
			t.Errorf("%s: no known CUDA kernel for %s of %v", name, c.Op(), in)
		}
		for _, a := range c.Attributes() {
			if body, ok := a.Value.(*graph.Graph); ok {
				checkKernels(t, name, body)
			}
		}
	}
}
