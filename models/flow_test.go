package models_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// flowCase is a flow with its initial weights, which are random.
type flowCase struct {
	name string
	s    models.System
	h    models.Hyperparameters
}

var tinyFlow = models.Hyperparameters{Width: 6, Depth: 2, Kernel: 3, Layers: 3, Harmonics: []int{1, 2, 3, 1}}

func flowCases() []flowCase {
	wide, half := tinyFlow, tinyFlow
	wide.Kernel = 5
	half.Layers, half.Half = 2, true
	return []flowCase{
		{"chain", models.System{Model: models.XY, Sides: []int{4}}, tinyFlow},
		{"ring", models.System{Model: models.XY, Sides: []int{4, 1}}, tinyFlow},
		{"2x2", models.System{Model: models.XY, Sides: []int{2, 2}}, tinyFlow},
		{"6x4", models.System{Model: models.XY, Sides: []int{6, 4}}, wide},
		{"half of 2x2", models.System{Model: models.XY, Sides: []int{2, 2}}, half},
		{"half of 4x4", models.System{Model: models.XY, Sides: []int{4, 4}}, half},
	}
}

// flowGraphs are the graphs of a case with their weights.
type flowGraphs struct {
	propose, logProb, gradient, byEnergy *onnxpb.ModelProto
	weights                              map[string]graph.Tensor
}

func (c flowCase) graphs(t testing.TB) flowGraphs {
	t.Helper()
	m, err := models.New(models.Flow, c.s, c.h)
	if err != nil {
		t.Fatal(err)
	}
	f := flowGraphs{weights: m.Initial(rand.New(rand.NewPCG(1, 2)))}
	encode := func(build func() (*graph.Graph, error)) *onnxpb.ModelProto {
		g, err := build()
		if err != nil {
			t.Fatal(err)
		}
		model, err := exporter.Encode(g, f.weights)
		if err != nil {
			t.Fatal(err)
		}
		return model
	}
	f.propose, f.logProb, f.gradient = encode(m.Propose), encode(m.LogProb), encode(m.Gradient)
	f.byEnergy = encode(m.(models.ByEnergy).EnergyGradient)
	return f
}

func inPureGo(t testing.TB, model *onnxpb.ModelProto, inputs map[string]graph.Tensor) map[string]graph.Tensor {
	t.Helper()
	out, err := reference.Evaluate(model, inputs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// uniforms draws numbers in [0, scale).
func evenly(r *rand.Rand, scale float64, shape ...int) graph.Tensor {
	x := make([]float64, graph.Shape(shape).Elements())
	for i := range x {
		x[i] = scale * r.Float64()
	}
	return graph.Float64s(x, shape...)
}

// inputs draws what propose takes for m walkers.
func (c flowCase) inputs(r *rand.Rand, m int) map[string]graph.Tensor {
	in := map[string]graph.Tensor{models.Uniform: evenly(r, 1, m, c.s.Sites()), models.Beta: evenly(r, 2, m)}
	if c.h.Half {
		in[models.State] = evenly(r, 2*math.Pi, m, c.s.Sites())
	}
	return in
}

// single converts inputs to single precision, in which numbers below 1 stay below.
func single(inputs map[string]graph.Tensor) map[string]graph.Tensor {
	out := map[string]graph.Tensor{}
	for name, t := range inputs {
		x := make([]float32, len(t.Float64s()))
		for i, v := range t.Float64s() {
			x[i] = float32(v)
		}
		out[name] = graph.Float32s(x, t.Shape...)
	}
	return out
}

func evenSite(s models.System, site int) bool {
	sum := 0
	for _, l := range s.Sides {
		sum, site = sum+site%l, site/l
	}
	return sum%2 == 0
}

// TestFlowInverse has log_prob find the ln q that propose states, in double precision, in which only the
// period, a single-precision constant, differs between the two, and that angles are within [0, 2 pi)
// and, of the half that stays, those of the state.
func TestFlowInverse(t *testing.T) {
	for _, c := range flowCases() {
		t.Run(c.name, func(t *testing.T) {
			f, n := c.graphs(t), c.s.Sites()
			in := c.inputs(rand.New(rand.NewPCG(3, 4)), 64)
			out := inPureGo(t, f.propose, in)
			angles := out[models.Proposal]
			back := inPureGo(t, f.logProb, map[string]graph.Tensor{models.State: angles, models.Beta: in[models.Beta]})
			uniform := -float64(n) * math.Log(2*math.Pi)
			if c.h.Half {
				uniform /= 2
			}
			spread := 0.0
			for k, want := range out[models.LogQ].Float64s() {
				if got := back[models.LogQ].Float64s()[k]; math.Abs(got-want) > 2e-5 {
					t.Errorf("ln q = %.9f as drawn, %.9f as evaluated", want, got)
				}
				spread = max(spread, math.Abs(want-uniform))
			}
			if spread < 1 {
				t.Errorf("ln q is within %g of that of uniform angles: the test is blind", spread)
			}
			for k, x := range angles.Float64s() {
				if !(x >= 0 && x < 2*math.Pi) {
					t.Errorf("angle %g", x)
				}
				if c.h.Half && !evenSite(c.s, k%n) && x != in[models.State].Float64s()[k] {
					t.Errorf("an angle of the other half became %g from %g", x, in[models.State].Float64s()[k])
				}
			}
		})
	}
}

// TestFlowJacobian compares ln q with the determinant of the derivatives of the angles by the uniform
// numbers, by central differences.
func TestFlowJacobian(t *testing.T) {
	for _, c := range flowCases() {
		t.Run(c.name, func(t *testing.T) {
			f, n := c.graphs(t), c.s.Sites()
			r := rand.New(rand.NewPCG(5, 6))
			var drawn []int
			for i := range n {
				if !c.h.Half || evenSite(c.s, i) {
					drawn = append(drawn, i)
				}
			}
			for range 5 {
				in := c.inputs(r, 1)
				want := inPureGo(t, f.propose, in)[models.LogQ].Float64s()[0]
				const step = 1e-6
				rows := 2 * len(drawn)
				u := slices.Repeat(in[models.Uniform].Float64s(), rows)
				for k, site := range drawn {
					u[2*k*n+site] += step
					u[(2*k+1)*n+site] -= step
				}
				shifted := map[string]graph.Tensor{
					models.Uniform: graph.Float64s(u, rows, n),
					models.Beta:    graph.Float64s(slices.Repeat(in[models.Beta].Float64s(), rows), rows),
				}
				if c.h.Half {
					shifted[models.State] = graph.Float64s(slices.Repeat(in[models.State].Float64s(), rows), rows, n)
				}
				y := inPureGo(t, f.propose, shifted)[models.Proposal].Float64s()
				jacobian := mat.NewDense(len(drawn), len(drawn), nil)
				for k := range drawn {
					for l, site := range drawn {
						jacobian.Set(k, l, math.Remainder(y[2*k*n+site]-y[(2*k+1)*n+site], 2*math.Pi)/(2*step))
					}
				}
				if det, _ := mat.LogDet(jacobian); math.Abs(want+det) > 1e-4 {
					t.Errorf("ln q = %.7f, the Jacobian says %.7f", want, -det)
				}
			}
		})
	}
}

// TestFlowNormalised integrates q over all angles that it draws. That of the whole lattice does not
// change under rotations, so one angle is fixed. The trapezoidal rule converges exponentially for
// periodic, analytic functions.
func TestFlowNormalised(t *testing.T) {
	two := models.System{Model: models.XY, Sides: []int{2, 2}}
	half := tinyFlow
	half.Layers, half.Half = 2, true
	for _, c := range []struct {
		flowCase
		free   []int // sites whose angles are integrated over
		points int
	}{
		{flowCase{"pair", models.System{Model: models.XY, Sides: []int{2}}, tinyFlow}, []int{1}, 512},
		{flowCase{"2x2", two, tinyFlow}, []int{1, 2, 3}, 36},
		{flowCase{"half of 2x2", two, half}, []int{0, 3}, 128},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, n := c.graphs(t), c.s.Sites()
			volume := math.Pow(2*math.Pi, float64(n))
			start := make([]float64, n)
			if c.h.Half {
				volume, start[1], start[2] = math.Pow(2*math.Pi, 2), 1, 2.5
			}
			rows := 1
			for range c.free {
				rows *= c.points
			}
			state := slices.Repeat(start, rows)
			beta := make([]float64, rows)
			for row := range rows {
				at := row
				for _, site := range c.free {
					state[row*n+site] = 2 * math.Pi * float64(at%c.points) / float64(c.points)
					at /= c.points
				}
				beta[row] = 0.7
			}
			sum, most := 0.0, math.Inf(-1)
			for from := 0; from < rows; from += 4096 {
				to := min(rows, from+4096)
				out := inPureGo(t, f.logProb, map[string]graph.Tensor{
					models.State: graph.Float64s(state[from*n:to*n], to-from, n), models.Beta: graph.Float64s(beta[from:to], to-from)})
				for _, x := range out[models.LogQ].Float64s() {
					sum += math.Exp(x) * volume / float64(rows)
					most = max(most, math.Exp(x)*volume)
				}
			}
			if math.Abs(sum-1) > 1e-4 {
				t.Errorf("q integrates to %.7f", sum)
			}
			t.Logf("q is up to %.1f times uniform and integrates to 1%+.1e", most, sum-1)
			if most < 1.5 {
				t.Error("it is nearly uniform: the test is blind")
			}
		})
	}
}

// TestFlowSymmetries: ln q stays when all angles are rotated or reflected, or sites exchanged by a symmetry
// of the lattice that keeps the halves, and is that of uniform angles at beta = 0.
func TestFlowSymmetries(t *testing.T) {
	s := models.System{Model: models.XY, Sides: []int{4, 4}}
	wide := tinyFlow
	wide.Kernel = 5
	c := flowCase{s: s, h: wide}
	f := c.graphs(t)
	r := rand.New(rand.NewPCG(7, 8))
	state := evenly(r, 2*math.Pi, 1, 16).Float64s()
	rotated, reflected, moved, transposed := make([]float64, 16), make([]float64, 16), make([]float64, 16), make([]float64, 16)
	for i, x := range state {
		rotated[i], reflected[i] = x+1.3, -x
		moved[(i/4+1)%4*4+(i+1)%4] = x
		transposed[i%4*4+i/4] = x
	}
	rows := slices.Concat(state, rotated, reflected, moved, transposed, state)
	lnQ := inPureGo(t, f.logProb, map[string]graph.Tensor{
		models.State: graph.Float64s(rows, 6, 16), models.Beta: graph.Float64s([]float64{1, 1, 1, 1, 1, 0}, 6)})[models.LogQ].Float64s()
	for k, name := range []string{"rotated", "reflected", "moved", "transposed"} {
		if math.Abs(lnQ[k+1]-lnQ[0]) > 1e-9 {
			t.Errorf("%s: ln q = %.12f, was %.12f", name, lnQ[k+1], lnQ[0])
		}
	}
	if uniform := -16 * math.Log(2*math.Pi); math.Abs(lnQ[5]-uniform) > 1e-5 || math.Abs(lnQ[0]-uniform) < 1 {
		t.Errorf("ln q = %g at beta = 1, %g at 0, %g for uniform angles", lnQ[0], lnQ[5], uniform)
	}
}

// TestFlowGradients compares both gradients with differences of the losses in double precision, and these losses
// with their definitions.
func TestFlowGradients(t *testing.T) {
	for _, c := range flowCases() {
		t.Run(c.name, func(t *testing.T) {
			if c.name != "ring" && c.name != "half of 2x2" {
				long.Only(t, "two lattices have all weights")
			}
			f, n := c.graphs(t), c.s.Sites()
			r := rand.New(rand.NewPCG(9, 10))
			const m = 3
			byEnergy := c.inputs(r, m)
			byEnergy[models.Weight] = evenly(r, 1, m)
			beta, weight := byEnergy[models.Beta], byEnergy[models.Weight].Float64s()
			bySamples := map[string]graph.Tensor{models.State: evenly(r, 2*math.Pi, m, n), models.Beta: beta, models.Weight: byEnergy[models.Weight]}

			drawn := inPureGo(t, f.propose, without(byEnergy, models.Weight))
			want := 0.0
			for k := range m {
				e := energyXY(c.s, drawn[models.Proposal].Float64s()[k*n:(k+1)*n])
				want += weight[k] * (drawn[models.LogQ].Float64s()[k] + beta.Float64s()[k]*e)
			}
			if got := inPureGo(t, f.byEnergy, byEnergy)[models.Loss].Float64s()[0]; math.Abs(got-want) > 1e-5 {
				t.Errorf("the loss by energy is %g, want %g", got, want)
			}
			want = 0
			for k, x := range inPureGo(t, f.logProb, without(bySamples, models.Weight))[models.LogQ].Float64s() {
				want -= weight[k] * x
			}
			if got := inPureGo(t, f.gradient, bySamples)[models.Loss].Float64s()[0]; math.Abs(got-want) > 1e-9 {
				t.Errorf("the loss by samples is %g, want %g", got, want)
			}
			checkDerivatives(t, f.gradient, bySamples, f.weights)
			checkDerivatives(t, f.byEnergy, byEnergy, f.weights)
		})
	}
}

func without(inputs map[string]graph.Tensor, name string) map[string]graph.Tensor {
	rest := map[string]graph.Tensor{}
	for k, v := range inputs {
		if k != name {
			rest[k] = v
		}
	}
	return rest
}

// energyXY is -sum cos(theta_i - theta_j), with a bond from each site along each side.
func energyXY(s models.System, angles []float64) (e float64) {
	stride := 1
	for _, l := range s.Sides {
		for i := range angles {
			if l == 1 {
				break
			}
			next := i + stride
			if i/stride%l == l-1 {
				next -= l * stride
			}
			e -= math.Cos(angles[i] - angles[next])
		}
		stride *= l
	}
	return e
}

// checkDerivatives compares the derivatives by some elements of each weight with central differences.
func checkDerivatives(t *testing.T, model *onnxpb.ModelProto, inputs map[string]graph.Tensor, weights map[string]graph.Tensor) {
	t.Helper()
	got := inPureGo(t, model, inputs)
	for name, w := range weights {
		x := make([]float64, len(w.Float32s()))
		for i, v := range w.Float32s() {
			x[i] = float64(v)
		}
		scale := 0.0
		for _, d := range got[models.GradientOf+name].Float64s() {
			scale = max(scale, math.Abs(d))
		}
		loss := func(i int, by float64) float64 {
			y := slices.Clone(x)
			y[i] += by
			in := map[string]graph.Tensor{name: graph.Float64s(y, w.Shape...)}
			for k, v := range inputs {
				in[k] = v
			}
			return inPureGo(t, model, in)[models.Loss].Float64s()[0]
		}
		for i := 0; i < len(x); i += 1 + len(x)/2 {
			const step = 1e-5
			want := (loss(i, step) - loss(i, -step)) / (2 * step)
			if d := got[models.GradientOf+name].Float64s()[i]; math.Abs(d-want) > 1e-6*max(1, scale) {
				t.Errorf("%s, %s[%d]: derivative %.9g, by differences %.9g", model.GetGraph().GetName(), name, i, d, want)
			}
		}
	}
}

// TestFlowSingle compares ONNX Runtime, in single precision, with double precision: ln q of the very
// angles that were drawn, as propose states it and as log_prob finds it, and the gradients.
func TestFlowSingle(t *testing.T) {
	for _, c := range flowCases() {
		t.Run(c.name, func(t *testing.T) {
			if c.s.Sites() < 16 {
				long.Only(t, "of larger lattices there are some")
			}
			f := c.graphs(t)
			r := rand.New(rand.NewPCG(11, 12))
			const m = 64
			in := single(c.inputs(r, m))
			run := func(model *onnxpb.ModelProto, in map[string]graph.Tensor) map[string]graph.Tensor {
				data, err := exporter.Marshal(model)
				if err != nil {
					t.Fatal(err)
				}
				return onnxtest.Run(t, data, in)
			}
			out := run(f.propose, in)
			of := map[string]graph.Tensor{models.State: out[models.Proposal], models.Beta: in[models.Beta]}
			evaluated := run(f.logProb, of)[models.LogQ].Float32s()
			exact := inPureGo(t, f.logProb, of)[models.LogQ].Float64s()
			drawn, found := 0.0, 0.0
			for k, x := range exact {
				drawn = max(drawn, math.Abs(float64(out[models.LogQ].Float32s()[k])-x))
				found = max(found, math.Abs(float64(evaluated[k])-x))
			}
			t.Logf("ln q of %d draws is at most %.1e off as drawn, %.1e as evaluated", m, drawn, found)
			if drawn > 5e-4 || found > 5e-4 {
				t.Errorf("ln q is %g off as drawn, %g as evaluated", drawn, found)
			}
			in[models.Weight] = single(map[string]graph.Tensor{"": evenly(r, 1, m)})[""]
			got, want := run(f.byEnergy, in), inPureGo(t, f.byEnergy, in)
			for name := range f.weights {
				scale := 0.0
				for _, d := range want[models.GradientOf+name].Float64s() {
					scale = max(scale, math.Abs(d))
				}
				for i, d := range want[models.GradientOf+name].Float64s() {
					if x := float64(got[models.GradientOf+name].Float32s()[i]); math.Abs(x-d) > 1e-3*scale {
						t.Errorf("%s[%d]: derivative %g, want %g", name, i, x, d)
					}
				}
			}
		})
	}
}

func TestFlowFaults(t *testing.T) {
	xy := models.System{Model: models.XY, Sides: []int{4, 4}}
	for name, c := range map[string]flowCase{
		"colours":      {s: models.System{Q: 3, Sides: []int{4, 4}}, h: tinyFlow},
		"an odd side":  {s: models.System{Model: models.XY, Sides: []int{4, 3}}, h: tinyFlow},
		"no harmonics": {s: xy, h: models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2}},
		"one layer":    {s: xy, h: models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 1, Harmonics: []int{1}}},
		"even kernel":  {s: xy, h: models.Hyperparameters{Width: 4, Depth: 1, Kernel: 4, Layers: 2, Harmonics: []int{1}}},
	} {
		if _, err := models.New(models.Flow, c.s, c.h); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
