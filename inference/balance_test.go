package inference_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// tinyHyper is a small network, and sharpened makes it say something: its random
// weights are enlarged until the conditionals are far from uniform.
var tinyHyper = models.Hyperparameters{Encoder: 8, Latent: 3, Decoder: 8, Floor: 1e-3, Noise: 0.3}

func sharpened(t testing.TB, s models.System, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	b := newBundle(t, s, h)
	bundletest.Scale(t, b, map[string]float32{"decoder.output": 20, "output.weight": 20, "latent.weight": 3, "context.weight": 2})
	return b
}

// tinyConvolutions is the autoencoder with convolutions on both sides.
var tinyConvolutions = models.Hyperparameters{
	EncoderKind: models.Convolutional, DecoderKind: models.Convolutional,
	Width: 4, Depth: 1, Kernel: 3, Latent: 3, Floor: 1e-3, Noise: 0.3,
}

// tiny are small networks by architecture, of those that are not conditioned on an energy.
var tiny = map[string]models.Hyperparameters{
	"autoencoder": tinyHyper, "autoencoder with shifts": shiftedHyper, models.Made: {Decoder: 8, Floor: 1e-3},
	models.Conv: {Width: 4, Depth: 1, Kernel: 5, Floor: 1e-3}, "convolutional autoencoder": tinyConvolutions,
}

// shiftedHyper is tinyHyper with latent coordinate 0 tied to the energy.
var shiftedHyper = models.Hyperparameters{Encoder: 8, Latent: 3, Decoder: 8, Floor: 1e-3, Noise: 0.3, EnergyWeight: 20}

// configurations lists all q^N configurations of p, site 0 fastest.
func configurations(p lattice.System) [][]uint8 {
	count, q := 1, p.Colours()
	for range p.Sites() {
		count *= q
	}
	all := make([][]uint8, count)
	for k := range all {
		state := make([]uint8, p.Sites())
		for i, rest := 0, k; i < len(state); i, rest = i+1, rest/q {
			state[i] = uint8(rest % q)
		}
		all[k] = state
	}
	return all
}

func index(p lattice.System, state []uint8) int {
	k := 0
	for i := len(state) - 1; i >= 0; i-- {
		k = k*p.Colours() + int(state[i])
	}
	return k
}

// likelihoods returns ln q(s'|s) for all conditions s and states s' at [s][s'], with the sites
// from start on resampled and shifted if the network takes shifts, from log_prob.onnx. Pairs
// that differ before start are -Inf.
func likelihoods(t testing.TB, b *exporter.Bundle, states, conditions [][]uint8, start int, shift float32) [][]float64 {
	t.Helper()
	p := onnxtest.Proposer(t, b, 1, len(states), 128)
	batch := p.Batch()
	n := batch.Sites
	for i := range batch.Back {
		batch.Back[i] = shift
	}
	lnQ := make([][]float64, len(conditions))
	type pair struct{ from, to int }
	var pairs []pair
	for from, condition := range conditions {
		lnQ[from] = make([]float64, len(states))
		for to, state := range states {
			if slices.Equal(state[:start], condition[:start]) {
				pairs = append(pairs, pair{from, to})
			} else {
				lnQ[from][to] = math.Inf(-1)
			}
		}
	}
	p.Pin()
	for some := range slices.Chunk(pairs, len(states)) {
		batch.Used = len(some)
		for k, x := range some {
			batch.Start[k] = int32(start)
			for i := range n {
				batch.Proposal[k*n+i] = int32(conditions[x.from][i])
				batch.State[k*n+i] = int32(states[x.to][i])
			}
		}
		if err := p.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
		for k, x := range some {
			lnQ[x.from][x.to] = float64(batch.Reverse[k])
		}
	}
	return lnQ
}

// TestNeuralMoveDetailedBalance builds the transition matrix of the neural move on
// the 3x3 lattice with two colours by enumeration, for a global proposal and for
// partial refreshes, averages it over random frames and over shifts d, of networks that
// take them, and compares the flow s -> s' with s' -> s under weights 1/g of an arbitrary g.
// With shifts one way alone, the flows differ.
func TestNeuralMoveDetailedBalance(t *testing.T) {
	onnxtest.Open(t)
	p, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range tiny {
		t.Run(name, func(t *testing.T) {
			if h.EncoderKind != "" {
				long.Only(t, "convolutions of 512 by 512 configurations")
			}
			neuralMoveDetailedBalance(t, p, models.System{Q: 2, Sides: []int{3, 3}}, h, 0, 4, 8)
		})
	}
}

// small returns a model on a lattice smaller than the constructors of package lattice allow:
// the interactions of m between nearest neighbours of an open box.
func small(t *testing.T, m lattice.Model) *lattice.Terms {
	t.Helper()
	sites := 1
	for _, l := range m.Sides {
		sites *= l
	}
	for i := range sites {
		stride := 1
		for _, l := range m.Sides {
			if i/stride%l < l-1 {
				m.Terms = append(m.Terms, lattice.Term{Sites: [3]int{i, i + stride}})
			}
			stride *= l
		}
	}
	s, err := lattice.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNeuralMoveOnEverySystem is TestNeuralMoveDetailedBalance for the systems made of terms
// and the architectures that serve them. Blume-Capel and the cubic Potts model are on
// lattices small enough for their matrices.
func TestNeuralMoveOnEverySystem(t *testing.T) {
	onnxtest.Open(t)
	must := func(s *lattice.Terms, err error) *lattice.Terms {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	flip := lattice.ColourMaps(func(c int) int { return c }, func(c int) int { return 2 - c })
	for _, c := range []struct {
		model string
		p     lattice.Symmetric
	}{
		{"ising_field", must(lattice.NewIsingField(0.5, 3, 3))},
		{"random_bond", must(lattice.NewRandomBond(0.5, 1, 3, 3))},
		{"baxter_wu", must(lattice.NewBaxterWu(3, 3))},
		{"blume_capel", small(t, lattice.Model{
			Name: "blume-capel", Sides: []int{2, 2}, Colours: 3, Denominator: 2,
			Kinds:      []lattice.Kind{{Order: 2, Energy: func(a, b, _ int) int { return -2 * (a - 1) * (b - 1) }}},
			Field:      func(_, c int) int { return 3 * (c - 1) * (c - 1) },
			Symmetries: []lattice.Symmetry{flip, lattice.SpaceGroup(2, 2)},
		})},
		{"potts3d", small(t, lattice.Model{
			Name: "potts", Sides: []int{2, 2, 2}, Colours: 2,
			Kinds:      []lattice.Kind{{Order: 2, Energy: func(a, b, _ int) int { return a ^ b }}},
			Symmetries: []lattice.Symmetry{lattice.ColourPermutations(2), lattice.SpaceGroup(2, 2, 2)},
		})},
	} {
		s := models.System{Model: c.model, Q: c.p.Colours(), Sides: c.p.Sides()}
		for name, h := range tiny {
			if h.EnergyWeight > 0 || len(s.Sides) != 2 && h.Kernel > 0 {
				continue // not for this system, which TestArchitecturesOfSystems checks in package models
			}
			starts := []int{0, 3}
			if h.Kernel > 0 {
				starts = starts[:1] // convolutions take their time
			}
			t.Run(c.model+" "+name, func(t *testing.T) {
				if h.Kernel > 0 && c.p.Sites() > 4 {
					long.Only(t, "convolutions of 512 by 512 configurations")
				}
				neuralMoveDetailedBalance(t, c.p, s, h, starts...)
			})
		}
	}
}

func neuralMoveDetailedBalance(t *testing.T, p lattice.Symmetric, s models.System, h models.Hyperparameters, starts ...int) {
	b := sharpened(t, s, h)
	states := configurations(p)
	r := rand.New(rand.NewPCG(8, 9))
	lnG := make([]float64, p.Levels())
	for i := range lnG {
		lnG[i] = 2 * r.NormFloat64()
	}
	lnZ := 0.0
	levels := make([]int, len(states))
	for k, s := range states {
		levels[k] = p.Level(s)
		lnZ += math.Exp(-lnG[levels[k]])
	}
	lnZ = math.Log(lnZ)

	shifts := []float32{0}
	if b.Card.TakesShift() {
		shifts = []float32{-7, -2, 0, 2, 7}
	}
	for _, start := range starts {
		lnQ := map[float32][][]float64{}
		lowest, highest := 0.0, math.Inf(-1)
		for _, d := range shifts {
			lnQ[d] = likelihoods(t, b, states, states, start, d)
			for from := range states {
				sum := 0.0
				for _, x := range lnQ[d][from] {
					sum += math.Exp(x)
					if !math.IsInf(x, -1) {
						lowest, highest = min(lowest, x), max(highest, x)
					}
				}
				if math.Abs(sum-1) > 1e-5 {
					t.Fatalf("start %d, shift %v: the probabilities of all proposals from state %d sum to %v", start, d, from, sum)
				}
			}
		}
		if highest-lowest < 1 {
			t.Errorf("start %d: ln q between %v and %v, the network says nothing and the test shows little", start, lowest, highest)
		}
		// transitions are the probabilities of s -> s', s' != s, in the network's own frame.
		transitions := func(shifts []float32) [][]float64 {
			p := make([][]float64, len(states))
			for from := range states {
				p[from] = make([]float64, len(states))
				for to := range states {
					for _, d := range shifts {
						forward, reverse := lnQ[d][from][to], lnQ[-d][to][from]
						if math.IsInf(forward, -1) {
							break
						}
						x := sampler.LnAcceptance(lnG[levels[from]], lnG[levels[to]], forward, reverse)
						p[from][to] += math.Exp(forward) * min(1, math.Exp(x)) / float64(len(shifts))
					}
				}
			}
			return p
		}
		both, oneWay := transitions(shifts), transitions(shifts[:1])
		const frames = 12
		images := make([][]int, frames)
		frame := p.NewFrame()
		image, back := make([]int32, p.Sites()), make([]uint8, p.Sites())
		for f := range images {
			frame.Randomise(r)
			images[f] = make([]int, len(states))
			for k, s := range states {
				frame.Apply(image, s)
				for i, c := range image {
					back[i] = uint8(c)
				}
				images[f][k] = index(p, back)
			}
		}
		// flows between two states under the weights 1/g.
		flows := func(from, to int, transition [][]float64) (left, right float64) {
			forth, back := 0.0, 0.0
			for _, image := range images {
				forth += transition[image[from]][image[to]] / frames
				back += transition[image[to]][image[from]] / frames
			}
			return math.Exp(-lnG[levels[from]]-lnZ) * forth, math.Exp(-lnG[levels[to]]-lnZ) * back
		}
		worst, wrong := 0.0, 0.0
		for from := range states {
			for to := range from {
				left, right := flows(from, to, both)
				worst = max(worst, math.Abs(left-right))
				if math.Abs(left-right) > 1e-6*max(left, right)+1e-12 {
					t.Fatalf("start %d: flow %d -> %d is %g, back %g", start, from, to, left, right)
				}
				if left, right = flows(from, to, oneWay); left > 0 {
					wrong = max(wrong, math.Abs(left-right)/max(left, right))
				}
			}
		}
		if len(shifts) > 1 && wrong < 0.1 {
			t.Errorf("start %d: with shifts one way alone the flows differ by a share of %.3g at most: the shift says nothing", start, wrong)
		}
		t.Logf("start %d: ln q in %.2f..%.2f, largest difference of flows %.2g", start, lowest, highest, worst)
	}
}

// TestProposalsFollowTheirLikelihood draws from propose.onnx and compares how often
// each configuration comes with the probability that log_prob.onnx gives it.
func TestProposalsFollowTheirLikelihood(t *testing.T) {
	onnxtest.Open(t)
	for name, h := range tiny {
		t.Run(name, func(t *testing.T) { proposalsFollowTheirLikelihood(t, h) })
	}
}

func proposalsFollowTheirLikelihood(t *testing.T, h models.Hyperparameters) {
	p, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	b := sharpened(t, models.System{Q: 2, Sides: []int{3, 3}}, h)
	states := configurations(p)
	const walkers = 4096
	rounds := long.Or(40, 10)
	proposer := onnxtest.Proposer(t, b, 2, walkers, 64)
	batch := proposer.Batch()
	r := rand.New(rand.NewPCG(10, 11))
	const condition = 0b110100101
	for _, start := range []int{0, 3} {
		lnQ := likelihoods(t, b, states, states[condition:condition+1], start, 4)[0]
		for w := range batch.Shift {
			batch.Shift[w] = 4
		}
		counts := make([]float64, len(states))
		for range rounds {
			for w := range walkers {
				batch.Start[w] = int32(start)
				for i, c := range states[condition] {
					batch.State[w*batch.Sites+i] = int32(c)
					batch.Uniform[w*batch.Sites+i] = r.Float32()
				}
			}
			if err := proposer.Propose(context.Background()); err != nil {
				t.Fatal(err)
			}
			proposal := make([]uint8, batch.Sites)
			for w := range walkers {
				for i := range proposal {
					proposal[i] = uint8(batch.Proposal[w*batch.Sites+i])
				}
				k := index(p, proposal)
				counts[k]++
				if d := math.Abs(float64(batch.Forward[w]) - lnQ[k]); d > 5e-4 {
					t.Fatalf("start %d: ln q is %v sampled and %v evaluated", start, batch.Forward[w], lnQ[k])
				}
			}
		}
		chi2, cells := 0.0, 0.0
		for k, n := range counts {
			expected := float64(walkers*rounds) * math.Exp(lnQ[k])
			if expected < 5 {
				continue
			}
			chi2 += (n - expected) * (n - expected) / expected
			cells++
		}
		if z := (chi2 - cells) / math.Sqrt(2*cells); math.Abs(z) > 4.5 {
			t.Errorf("start %d: chi-square %.1f over %.0f configurations", start, chi2, cells)
		}
	}
}

// TestNeuralChainIsExact runs the sampler's neural move with a real network under
// the exact weights: the histogram must be flat, up to its own fluctuations.
func TestNeuralChainIsExact(t *testing.T) {
	onnxtest.Open(t)
	for name, c := range map[string]struct {
		h     models.Hyperparameters
		short bool // also with -short
	}{
		"autoencoder":                 {tinyHyper, false},
		"autoencoder with shifts":     {shiftedHyper, true},
		models.Made:                   {tiny[models.Made], true},
		models.Conv:                   {tiny[models.Conv], false},
		models.Microcanonical:         {models.Hyperparameters{Width: 4, Window: 2, Floor: 1e-3}, true},
		models.RBM:                    {models.Hyperparameters{Hidden: 8, GibbsSteps: 2}, true},
		"microcanonical diagonal":     {models.Hyperparameters{Width: 4, Window: 2, Floor: 1e-3, Order: models.Diagonal}, false},
		"microcanonical checkerboard": {models.Hyperparameters{Width: 4, Window: 2, Floor: 1e-3, Order: models.Checkerboard}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if !c.short {
				long.Only(t, "a chain of 2400 passes")
			}
			neuralChainIsExact(t, c.h)
		})
	}
}

func neuralChainIsExact(t *testing.T, h models.Hyperparameters) {
	s := models.System{Q: 3, Sides: []int{3, 3}}
	if h.Order == models.Checkerboard {
		s = models.System{Q: 2, Sides: []int{4, 4}}
	}
	p, err := lattice.NewPotts(s.Q, s.Sides[0], s.Sides[1])
	if err != nil {
		t.Fatal(err)
	}
	b, shift := newBundle(t, s, h), 0
	bundletest.Scale(t, b, map[string]float32{"coupling": 20})
	if b.Card.TakesShift() {
		b, shift = sharpened(t, s, h), 9
	}
	exact := make([]float64, p.Levels())
	for _, state := range configurations(p) {
		exact[p.Bonds(state)]++
	}
	const walkers = 128
	passes := long.Or(2400, 300)
	lnG := make([]float64, p.Levels())
	for level, g := range exact {
		lnG[level] = math.NaN()
		if g > 0 {
			lnG[level] = math.Log(g)
		}
	}
	e, err := sampler.New(sampler.Options{System: p, Seed: 3, Walkers: walkers, Workers: 2, Proposer: onnxtest.Proposer(t, b, 2, walkers, 64), Partial: 0.5, Shift: shift, LnG: lnG})
	if err != nil {
		t.Fatal(err)
	}
	run := func(passes int) {
		for range passes {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	e.Produce()
	run(500)
	e.Produce()
	run(passes)
	// Every walker is a block; the share of a level must be the same for all.
	levels := 0.0
	for _, g := range exact {
		if g > 0 {
			levels++
		}
	}
	blocks := e.Samples().Windows[0].Blocks
	for level, g := range exact {
		mean, square := 0.0, 0.0
		for _, block := range blocks {
			x := float64(block[level]) / float64(passes)
			mean += x / walkers
			square += x * x / walkers
		}
		if g == 0 {
			if mean > 0 {
				t.Errorf("level %d has no states and was visited", level)
			}
			continue
		}
		deviation := math.Sqrt((square - mean*mean) / (walkers - 1))
		if z := (mean - 1/levels) / deviation; math.Abs(z) > 4.5 {
			t.Errorf("level %d: share %.5f(%.5f), expected %.5f", level, mean, deviation, 1/levels)
		}
	}
}
