package inference_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// machine returns an rbm that says something.
func machine(t testing.TB, s models.System, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	b := bundletest.New(t, models.RBM, s, h)
	bundletest.Scale(t, b, map[string]float32{"coupling": 25, "filter": 4})
	return b
}

// gibbs returns the probabilities of block-Gibbs steps between states that agree before start, [from][to],
// by summing over all values of the hidden units of a dense machine with the weights of a bundle.
func gibbs(t testing.TB, b *exporter.Bundle, states [][]uint8, start int) [][]float64 {
	t.Helper()
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	coupling, hidden, visible := weights["coupling"].Float32s(), weights["hidden.bias"].Float32s(), weights["visible.bias"].Float32s()
	q, n, units := b.Card.System.Q, len(states[0]), len(hidden)
	// Given each value of the hidden units: the probability of the sites from start on, by state.
	sites := make([][]float64, 1<<units)
	for h := range sites {
		ln := make([]float64, n*q)
		for i := start; i < n; i++ {
			sum := 0.0
			for c := range q {
				at := i*q + c
				ln[at] = float64(visible[at])
				for j := range units {
					if h>>j&1 == 1 {
						ln[at] += float64(coupling[at*units+j])
					}
				}
				sum += math.Exp(ln[at])
			}
			for c := range q {
				ln[i*q+c] -= math.Log(sum)
			}
		}
		sites[h] = make([]float64, len(states))
		for k, state := range states {
			x := 0.0
			for i := start; i < n; i++ {
				x += ln[i*q+int(state[i])]
			}
			sites[h][k] = math.Exp(x)
		}
	}
	kernel := make([][]float64, len(states))
	for from, state := range states {
		kernel[from] = make([]float64, len(states))
		on := make([]float64, units)
		for j := range on {
			a := float64(hidden[j])
			for i, c := range state {
				a += float64(coupling[(i*q+int(c))*units+j])
			}
			on[j] = 1 / (1 + math.Exp(-a))
		}
		for h := range sites {
			p := 1.0
			for j, x := range on {
				if h>>j&1 == 1 {
					p *= x
				} else {
					p *= 1 - x
				}
			}
			for to, q := range sites[h] {
				kernel[from][to] += p * q
			}
		}
	}
	once := kernel
	for range b.Card.Hyperparameters.GibbsSteps - 1 {
		kernel = product(kernel, once)
	}
	return kernel
}

func product(a, b [][]float64) [][]float64 {
	c := make([][]float64, len(a))
	for i := range a {
		c[i] = make([]float64, len(b))
		for k, x := range a[i] {
			for j, y := range b[k] {
				c[i][j] += x * y
			}
		}
	}
	return c
}

// alike are the states that agree with the first of them before start.
func alike(states [][]uint8, like []uint8, start int) (some [][]uint8) {
	for _, s := range states {
		if string(s[:start]) == string(like[:start]) {
			some = append(some, s)
		}
	}
	return some
}

// TestRBMDetailedBalance enumerates the moves of machines with two and three colours: the kernel, summed
// over the hidden units, is reversible for the p that the graphs state, also given kept sites and for
// several steps, and with the acceptance the flow s -> s' is that of s' -> s under the weights 1/g of an
// arbitrary g, in the mean over frames.
func TestRBMDetailedBalance(t *testing.T) {
	onnxtest.Open(t)
	square, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	three, err := lattice.NewPotts(3, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	open := small(t, lattice.Model{
		Name: "potts", Sides: []int{2, 2}, Colours: 3,
		Kinds:      []lattice.Kind{{Order: 2, Energy: func(a, b, _ int) int { return indicator(a == b) }}},
		Symmetries: []lattice.Symmetry{lattice.ColourPermutations(3), lattice.SpaceGroup(2, 2)},
	})
	for _, c := range []struct {
		name  string
		p     lattice.Symmetric
		steps int
		start int
	}{
		{"two colours", square, 1, 0}, {"two colours, sites kept", square, 1, 4}, {"two colours, three steps, sites kept", square, 3, 4},
		{"three colours", open, 1, 0}, {"three colours, two steps", open, 2, 0}, {"three colours, sites kept", three, 2, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := machine(t, models.System{Q: c.p.Colours(), Sides: c.p.Sides()}, models.Hyperparameters{Hidden: 5, GibbsSteps: c.steps})
			rbmDetailedBalance(t, c.p, b, c.start)
		})
	}
}

func indicator(b bool) int {
	if b {
		return 1
	}
	return 0
}

func rbmDetailedBalance(t *testing.T, p lattice.Symmetric, b *exporter.Bundle, start int) {
	all := configurations(p)
	states := alike(all, all[len(all)*2/5], start)
	kernel := gibbs(t, b, states, start)
	lnP := lnWeights(t, b, states, start)
	r := rand.New(rand.NewPCG(8, 9))
	lnG := make([]float64, p.Levels())
	for i := range lnG {
		lnG[i] = 2 * r.NormFloat64()
	}
	lowest, highest, worst, without := math.Inf(1), math.Inf(-1), 0.0, 0.0
	levels := make([]int, len(states))
	for k, s := range states {
		levels[k] = p.Level(s)
		lowest, highest = min(lowest, lnP[k]), max(highest, lnP[k])
		sum := 0.0
		for _, x := range kernel[k] {
			sum += x
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Fatalf("the probabilities of all proposals sum to %v", sum)
		}
	}
	if highest-lowest < 2 {
		t.Errorf("ln p within %v..%v, the network says nothing and the test shows little", lowest, highest)
	}
	relative := func(x, y float64) float64 { return math.Abs(x-y) / max(x, y) }
	// flow is that of proposals that are accepted, in units of Z of the weights.
	flow := func(from, to int, ratio float64) float64 {
		x := sampler.LnAcceptance(lnG[levels[from]], lnG[levels[to]], ratio*lnP[to], ratio*lnP[from])
		return math.Exp(-lnG[levels[from]]) * kernel[from][to] * min(1, math.Exp(x))
	}
	for from := range states {
		for to := range from {
			if d := relative(math.Exp(lnP[from]-lnP[to])*kernel[from][to], kernel[to][from]); d > 1e-5 {
				t.Fatalf("%d -> %d: the kernel is not reversible for p, by a share of %g", from, to, d)
			}
			worst = max(worst, relative(flow(from, to, 1), flow(to, from, 1)))
			without = max(without, relative(flow(from, to, 0), flow(to, from, 0)))
		}
	}
	if worst > 1e-5 || without < 0.5 {
		t.Errorf("flows differ by a share of %g; without the ratio of p of %g", worst, without)
	}
	// In a frame T the move from s is that from T s. Its flow back is that of the same frame.
	if start == 0 {
		frame := p.NewFrame()
		image, back := make([]int32, p.Sites()), make([]uint8, p.Sites())
		images := make([]int, len(states))
		for range 12 {
			frame.Randomise(r)
			for k, s := range states {
				frame.Apply(image, s)
				for i, c := range image {
					back[i] = uint8(c)
				}
				images[k] = index(p, back)
				if levels[images[k]] != levels[k] {
					t.Fatal("a frame changes the energy")
				}
			}
			for from := range states {
				for to := range from {
					if d := relative(flow(images[from], images[to], 1), flow(images[to], images[from], 1)); d > 1e-5 {
						t.Fatalf("in a frame flows differ by a share of %g", d)
					}
				}
			}
		}
	}
	t.Logf("ln p within %.2f..%.2f, flows differ by a share of %.2g at most, without the ratio of p by %.2g", lowest, highest, worst, without)
}

// lnWeights returns ln p of states by log_prob.onnx.
func lnWeights(t testing.TB, b *exporter.Bundle, states [][]uint8, start int) []float64 {
	t.Helper()
	proposer := onnxtest.Proposer(t, b, 1, len(states), 128)
	batch := proposer.Batch()
	for k, s := range states {
		batch.Start[k] = int32(start)
		for i, c := range s {
			batch.State[k*batch.Sites+i] = int32(c)
		}
	}
	proposer.Pin()
	if err := proposer.LogProb(context.Background()); err != nil {
		t.Fatal(err)
	}
	lnP := make([]float64, len(states))
	for k := range states {
		lnP[k] = float64(batch.Reverse[k])
	}
	return lnP
}

// TestRBMDraws compares how often propose.onnx draws each configuration with the kernel, and ln p as sampled
// with ln p as evaluated.
func TestRBMDraws(t *testing.T) {
	onnxtest.Open(t)
	p, err := lattice.NewPotts(3, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	b := machine(t, models.System{Q: 3, Sides: []int{3, 3}}, models.Hyperparameters{Hidden: 5, GibbsSteps: 2})
	all := configurations(p)
	const start, walkers = 5, 4096
	states := alike(all, all[len(all)*2/5], start)
	kernel, lnP := gibbs(t, b, states, start), lnWeights(t, b, states, start)
	number := map[string]int{}
	for k, s := range states {
		number[string(s)] = k
	}
	proposer := onnxtest.Proposer(t, b, 2, walkers, 64)
	batch := proposer.Batch()
	source := rand.NewPCG(10, 11)
	for _, from := range []int{3, 40} {
		counts := make([]float64, len(states))
		rounds := long.Or(40, 8)
		for range rounds {
			for w := range walkers {
				batch.Start[w] = start
				for i, c := range states[from] {
					batch.State[w*batch.Sites+i] = int32(c)
				}
				sampler.Uniforms(batch.Uniforms(w), source)
			}
			if err := proposer.Propose(context.Background()); err != nil {
				t.Fatal(err)
			}
			proposal := make([]uint8, batch.Sites)
			for w := range walkers {
				for i := range proposal {
					proposal[i] = uint8(batch.Proposal[w*batch.Sites+i])
				}
				k, ok := number[string(proposal)]
				if !ok {
					t.Fatal("a proposal changes a site before start")
				}
				counts[k]++
				if d := math.Abs(float64(batch.Forward[w]) - lnP[k]); d > 1e-5 {
					t.Fatalf("ln p is %v sampled and %v evaluated", batch.Forward[w], lnP[k])
				}
			}
		}
		chi2, cells := 0.0, 0.0
		for k, n := range counts {
			if expected := float64(walkers*rounds) * kernel[from][k]; expected >= 5 {
				chi2 += (n - expected) * (n - expected) / expected
				cells++
			}
		}
		if z := (chi2 - cells) / math.Sqrt(2*cells); cells < 10 || math.Abs(z) > 4.5 {
			t.Errorf("chi-square %.1f over %.0f configurations", chi2, cells)
		}
	}
}
