package trainer_test

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/stat"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
	"neuralwl/trainer"
)

// planar is the model XY on a small lattice, with a bond from each site along each side.
type planar struct {
	s         models.System
	neighbour [][]int // of each site, one after another along each side and then one before
}

func newPlanar(sides ...int) *planar {
	p := &planar{s: models.System{Model: models.XY, Sides: sides}}
	stride := 1
	p.neighbour = make([][]int, p.s.Sites())
	var back [][]int
	for range p.neighbour {
		back = append(back, nil)
	}
	for _, l := range sides {
		if l == 1 {
			continue
		}
		for i := range p.neighbour {
			next := i + stride
			if i/stride%l == l-1 {
				next -= l * stride
			}
			p.neighbour[i] = append(p.neighbour[i], next)
			back[next] = append(back[next], i)
		}
		stride *= l
	}
	for i := range p.neighbour {
		p.neighbour[i] = append(p.neighbour[i], back[i]...)
	}
	return p
}

func (p *planar) energy(state []float32) (e float64) {
	for i, all := range p.neighbour {
		for _, j := range all[:len(all)/2] {
			e -= math.Cos(float64(state[i]) - float64(state[j]))
		}
	}
	return e
}

// field is the length and the direction of the sum of a site's neighbours.
func (p *planar) field(state []float32, i int) (length, angle float64) {
	x, y := 0.0, 0.0
	for _, j := range p.neighbour[i] {
		s, c := math.Sincos(float64(state[j]))
		x, y = x+c, y+s
	}
	return math.Hypot(x, y), math.Atan2(y, x)
}

// sweep makes a Metropolis sweep at an inverse temperature, and a reflection of each angle at its field.
func (p *planar) sweep(state []float32, beta float64, r *rand.Rand) {
	for i := range state {
		h, phi := p.field(state, i)
		old := float64(state[i])
		try := old + 4*(r.Float64()-0.5)
		if r.Float64() < math.Exp(beta*h*(math.Cos(try-phi)-math.Cos(old-phi))) {
			old = try
		}
		state[i] = float32(math.Mod(math.Mod(2*phi-old, 2*math.Pi)+2*math.Pi, 2*math.Pi))
	}
}

// estimate is what draws of a network at one temperature say.
type estimate struct {
	lnZ, sigma float64
	effective  float64 // share of effective draws
	accepted   float64 // share of accepted draws of a chain of them
	divergence float64 // mean of ln q + beta E + ln Z
}

// sampleFlow estimates ln Z by importance sampling with so many draws.
func sampleFlow(t testing.TB, p *planar, b *exporter.Bundle, store *inference.Store, beta float64, draws int) estimate {
	t.Helper()
	const walkers = 512
	a, err := inference.NewAngles(b, store, onnxtest.Runtime(1), walkers, 128)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r := rand.New(rand.NewPCG(5, math.Float64bits(beta)))
	x, n := a.Batch(), p.s.Sites()
	var lnW []float64
	for len(lnW) < draws {
		for i := range x.Uniform {
			x.Uniform[i] = r.Float32()
		}
		for i := range x.Beta {
			x.Beta[i] = float32(beta)
		}
		if err := a.Propose(context.Background()); err != nil {
			t.Fatal(err)
		}
		for k := range walkers {
			lnW = append(lnW, -beta*p.energy(x.Proposal[k*n:(k+1)*n])-float64(x.Forward[k]))
		}
	}
	top := math.Inf(-1)
	for _, w := range lnW {
		top = max(top, w)
	}
	one, two, mean := 0.0, 0.0, 0.0
	for _, w := range lnW {
		v := math.Exp(w - top)
		one, two, mean = one+v, two+v*v, mean+w
	}
	m := float64(len(lnW))
	e := estimate{lnZ: top + math.Log(one/m), effective: one * one / two / m}
	e.sigma = math.Sqrt((1/e.effective - 1) / m)
	e.divergence = e.lnZ - mean/m
	at := lnW[0]
	for _, w := range lnW[1:] {
		if math.Log(r.Float64()) < w-at {
			at = w
			e.accepted += 1 / (m - 1)
		}
	}
	return e
}

// chainLnZ is exact: sum over m of I_m(beta)^L times (2 pi)^L.
func chainLnZ(l int, beta float64) float64 {
	sum := 0.0
	for m := -30; m <= 30; m++ {
		const points = 400
		i := 0.0
		for k := range points {
			x := 2 * math.Pi * float64(k) / points
			i += math.Exp(beta*math.Cos(x)) * math.Cos(float64(m)*x) / points
		}
		sum += math.Pow(i, float64(l))
	}
	return float64(l)*math.Log(2*math.Pi) + math.Log(sum)
}

// system is the same for walkers.
func (p *planar) system(t testing.TB) *lattice.XY {
	t.Helper()
	xy, err := lattice.NewXY(0.5, 0, 0, p.s.Sides...)
	if err != nil {
		t.Fatal(err)
	}
	return xy
}

// remember has walkers find ln g of a system roughly, gives it to a trainer as its target, and has it remember
// states.
func remember(t testing.TB, tr *trainer.Trainer, xy *lattice.XY) {
	t.Helper()
	e, err := sampler.New(sampler.Options{System: xy, Seed: 4, Walkers: 64, Sweeps: 2, Local: local.Overrelaxation})
	if err != nil {
		t.Fatal(err)
	}
	for !e.Adapted(3e-3) {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	tr.Target(e.LnG(), e.Seen())
	e.Produce()
	for range 100 {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i := range e.Walkers() {
			tr.Remember(e.State(i))
		}
	}
}

// trained makes gradient steps on a new network and returns it with its weights.
func trained(t testing.TB, p *planar, h models.Hyperparameters, o trainer.Options, steps int) (*exporter.Bundle, *inference.Store) {
	t.Helper()
	b := bundletest.New(t, models.Flow, p.s, h)
	store := onnxtest.Store(t, b)
	o.System = p.system(t)
	tr, err := trainer.New(o, b, store, onnxtest.Runtime(1))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if o.Samples > 0 || h.Half {
		remember(t, tr, o.System.(*lattice.XY))
	}
	for step := range steps {
		tr.SetLearningRate(o.LearningRate * (0.02 + 0.98*(1+math.Cos(math.Pi*float64(step)/float64(steps)))/2))
		if err := tr.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.Export(b); err != nil {
		t.Fatal(err)
	}
	if r := b.Card.Training; r.Steps != int64(steps) || r.Dropped != 0 {
		t.Errorf("record %+v", r)
	}
	return b, store
}

// TestFlowTraining trains one flow for all temperatures of a chain, by the energies of its draws, by states in
// equilibrium, and by both, and has it find the exact ln Z.
func TestFlowTraining(t *testing.T) {
	p := newPlanar(6, 1)
	h := models.Hyperparameters{Width: 12, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2, 1}}
	for _, c := range []struct {
		name    string
		samples float64
	}{{"by energy", 0}, {"by samples", 1}, {"by both", 0.5}} {
		t.Run(c.name, func(t *testing.T) {
			o := trainer.Options{Seed: 1, Batch: 64, LearningRate: 1e-2, Coldest: 1, Samples: c.samples}
			b, store := trained(t, p, h, o, long.Or(600, 100))
			for _, beta := range []float64{0.3, 0.9} {
				got, want := sampleFlow(t, p, b, store, beta, long.Or(65536, 4096)), chainLnZ(p.s.Sites(), beta)
				t.Logf("beta = %g: ln Z = %.4f(%.4f), exact %.4f; %.3f effective, %.3f nats", beta, got.lnZ, got.sigma, want, got.effective, got.divergence)
				if math.Abs(got.lnZ-want) > 5*got.sigma+1e-4 {
					t.Errorf("beta = %g: ln Z = %g, exact %g", beta, got.lnZ, want)
				}
				if uniform := effectiveUniform(p.s.Sites(), beta); 1-got.effective > (1-uniform)/2 {
					t.Errorf("beta = %g: %.3f of the draws are effective, %.3f of uniform angles", beta, got.effective, uniform)
				}
			}
		})
	}
}

// effectiveUniform is the share of effective draws of uniform angles on a chain: Z(beta)^2 / (Z(2 beta) Z(0)).
func effectiveUniform(l int, beta float64) float64 {
	return math.Exp(2*chainLnZ(l, beta) - chainLnZ(l, 2*beta) - chainLnZ(l, 0))
}

// TestFlowOfHalf trains a flow that draws one half given the other, by energy, and compares it with the
// exact distribution, a product of von Mises distributions around the local fields.
func TestFlowOfHalf(t *testing.T) {
	p := newPlanar(4, 4)
	h := models.Hyperparameters{Width: 16, Depth: 1, Kernel: 3, Layers: 1, Harmonics: []int{1, 2, 1, 2, 1}, Half: true}
	o := trainer.Options{Seed: 1, Batch: 64, LearningRate: 1e-2, Coldest: 1.5}
	b, store := trained(t, p, h, o, long.Or(1000, 150))
	r := rand.New(rand.NewPCG(3, 4))
	state, n := make([]float32, p.s.Sites()), p.s.Sites()
	a, err := inference.NewAngles(b, store, onnxtest.Runtime(1), 256, 128)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	x := a.Batch()
	for i := range x.Uniform {
		x.Uniform[i] = r.Float32()
	}
	for k := range x.Walkers {
		copy(x.State[k*n:], state)
		x.Beta[k] = float32(1.5 * r.Float64())
		p.sweep(state, float64(x.Beta[k]), r)
	}
	if err := a.Propose(context.Background()); err != nil {
		t.Fatal(err)
	}
	nats, uniform := 0.0, 0.0
	for k := range x.Walkers {
		proposal, beta := x.Proposal[k*n:(k+1)*n], float64(x.Beta[k])
		lnP := 0.0
		for i := range proposal {
			if (i%4+i/4)%2 == 0 {
				length, angle := p.field(proposal, i)
				lnP += beta*length*math.Cos(float64(proposal[i])-angle) - lnBessel(beta*length) - math.Log(2*math.Pi)
				uniform += lnBessel(beta*length) / float64(x.Walkers)
			}
		}
		nats += (float64(x.Forward[k]) - lnP) / float64(x.Walkers)
	}
	t.Logf("%.4f nats for 8 angles, of uniform ones %.2f", nats, uniform)
	if nats > 0.05*uniform || nats < -0.05 {
		t.Errorf("ln q - ln p is %g nats in the mean, %g of uniform angles", nats, uniform)
	}
}

// planeSteps is for how long TestFlowOfPlane trains.
var planeSteps = flag.Int("plane-steps", 300, "steps of training of the test of the square lattice; docs/networks.md has 1500")

// TestFlowOfPlane trains one flow for the temperatures of a square lattice by the energies of its draws, and
// compares ln Z with the integral of Metropolis energies over the temperature.
func TestFlowOfPlane(t *testing.T) {
	long.Only(t, "training on 4x4")
	p := newPlanar(4, 4)
	h := models.Hyperparameters{Width: 24, Depth: 2, Kernel: 5, Layers: 8, Harmonics: []int{1, 2, 1}}
	b, store := trained(t, p, h, trainer.Options{Seed: 1, Batch: 128, LearningRate: 5e-3, Coldest: 1.2}, *planeSteps)
	for _, beta := range []float64{0.3, 0.6, 0.9, 1.2} {
		got := sampleFlow(t, p, b, store, beta, 16384)
		want, sigma := p.integrate(beta)
		t.Logf("beta = %g: ln Z = %.4f(%.4f), by Metropolis %.4f(%.4f); %.3f effective, %.3f accepted, %.3f nats", beta, got.lnZ, got.sigma, want, sigma, got.effective, got.accepted, got.divergence)
		if math.Abs(got.lnZ-want) > 5*math.Hypot(got.sigma, sigma) {
			t.Errorf("beta = %g: ln Z = %g, by Metropolis %g", beta, got.lnZ, want)
		}
		if got.divergence > 1.2 {
			t.Errorf("beta = %g: %g nats", beta, got.divergence)
		}
	}
}

// integrate estimates ln Z at beta by that of free angles and the integral of -<E>, with its standard error.
func (p *planar) integrate(beta float64) (lnZ, sigma float64) {
	const nodes, chains, sweeps = 12, 16, 2000
	at, weight := make([]float64, nodes), make([]float64, nodes)
	quad.Legendre{}.FixedLocations(at, weight, 0, beta)
	r := rand.New(rand.NewPCG(7, 8))
	lnZ = float64(p.s.Sites()) * math.Log(2*math.Pi)
	for k, b := range at {
		var means []float64
		for range chains {
			state := make([]float32, p.s.Sites())
			sum := 0.0
			for sweep := range sweeps {
				if p.sweep(state, b, r); sweep >= sweeps/10 {
					sum += p.energy(state)
				}
			}
			means = append(means, sum/(sweeps-sweeps/10))
		}
		mean, std := stat.MeanStdDev(means, nil)
		lnZ -= weight[k] * mean
		sigma = math.Hypot(sigma, weight[k]*std/4) // the root of 16 chains
	}
	return lnZ, sigma
}

// lnBessel is ln I_0.
func lnBessel(x float64) float64 {
	const points = 400
	sum := 0.0
	for k := range points {
		sum += math.Exp(x*math.Cos(2*math.Pi*float64(k)/points)) / points
	}
	return math.Log(sum)
}

// TestFlowFaults refuses options that cannot be, and training on nothing.
func TestFlowFaults(t *testing.T) {
	p := newPlanar(4, 1)
	h := models.Hyperparameters{Width: 2, Depth: 1, Kernel: 3, Layers: 1, Harmonics: []int{1}, Half: true}
	flow := bundletest.New(t, models.Flow, p.s, h)
	colours := bundletest.New(t, models.Made, models.System{Q: 2, Sides: []int{3, 3}}, models.Hyperparameters{Decoder: 4, Floor: 1e-3})
	xy := p.system(t)
	potts, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		b *exporter.Bundle
		o trainer.Options
	}{
		"coldest = 0":          {flow, trainer.Options{System: xy}},
		"samples = 2":          {flow, trainer.Options{System: xy, Coldest: 1, Samples: 2}},
		"states of potts q=2":  {flow, trainer.Options{System: potts, Coldest: 1}},
		"states of xy E=-4..4": {colours, trainer.Options{System: xy}},
	} {
		if tr, err := trainer.New(c.o, c.b, onnxtest.Store(t, c.b), onnxtest.Runtime(1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v, want %q", tr, err, want)
		}
	}
	tr, err := trainer.New(trainer.Options{System: xy, Batch: 2, Coldest: 1}, flow, onnxtest.Store(t, flow), onnxtest.Runtime(1))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if err := tr.Step(context.Background()); err == nil || !strings.Contains(err.Error(), "ln g of 0 levels") {
		t.Errorf("a step without a target: %v", err)
	}
	tr.Target(make([]float64, xy.Levels()), make([]bool, xy.Levels()))
	if err := tr.Step(context.Background()); err == nil || !strings.Contains(err.Error(), "no state is remembered") {
		t.Errorf("a step without a state that has the other half: %v", err)
	}
	if err := tr.StepReverse(context.Background(), nil, nil, nil); err == nil {
		t.Error("a step of colours")
	}
}
