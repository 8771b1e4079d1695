package inference_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// chain is the transition matrix of a Markov chain with the distribution that it is to leave as
// it is.
type chain struct {
	transitions [][]float64 // [from][to]
	want        []float64
}

// then is the chain that makes a step of c and one of d.
func (c chain) then(d chain) chain {
	product := make([][]float64, len(c.want))
	for from, row := range c.transitions {
		product[from] = make([]float64, len(c.want))
		for between, p := range row {
			if p == 0 {
				continue
			}
			for to, q := range d.transitions[between] {
				product[from][to] += p * q
			}
		}
	}
	return chain{product, c.want}
}

// invariance is the largest relative change of a probability by a step.
func (c chain) invariance() float64 {
	after := make([]float64, len(c.want))
	for from, row := range c.transitions {
		for to, p := range row {
			after[to] += c.want[from] * p
		}
	}
	return change(after, c.want)
}

// balance is the largest relative difference of two opposite flows.
func (c chain) balance() (worst float64) {
	for i, row := range c.transitions {
		for k := range i {
			forth, back := c.want[i]*row[k], c.want[k]*c.transitions[k][i]
			if largest := max(forth, back); largest > 1e-12 {
				worst = max(worst, math.Abs(forth-back)/largest)
			}
		}
	}
	return worst
}

// rest adds what a chain rejects.
func (c chain) rest() chain {
	for from, row := range c.transitions {
		sum := 0.0
		for _, p := range row {
			sum += p
		}
		row[from] += 1 - sum
	}
	return c
}

// enumerated are the configurations of a small lattice with their levels and weights under an
// arbitrary g.
type enumerated struct {
	p      *lattice.Potts
	states [][]uint8
	levels []int
	lnG    []float64
}

func enumerate(t *testing.T) *enumerated {
	p, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	x := &enumerated{p: p, states: configurations(p), lnG: make([]float64, p.Levels())}
	r := rand.New(rand.NewPCG(18, 19))
	for b := range x.lnG {
		x.lnG[b] = 2 * r.NormFloat64()
	}
	for _, s := range x.states {
		x.levels = append(x.levels, p.Level(s))
	}
	return x
}

// weights are the probabilities of the configurations.
func (x *enumerated) weights() []float64 {
	want, sum := make([]float64, len(x.levels)), 0.0
	for i, level := range x.levels {
		want[i] = math.Exp(-x.lnG[level])
		sum += want[i]
	}
	for i := range want {
		want[i] /= sum
	}
	return want
}

// another is a sharpened network with other weights than bundletest.New gives.
func another(t *testing.T, s models.System, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	b := sharpened(t, s, h)
	bundletest.Scale(t, b, map[string]float32{"decoder.output": -0.7, "output.weight": -0.7, "latent.weight": 1.3, "hidden.weight": -1})
	return b
}

// TestSwapBalance enumerates the neural move of two networks that take turns on the 3x3 lattice
// with two colours, under weights 1/g of an arbitrary g. The distribution stays as it is if the
// networks follow each other in any order that the configuration does not decide: one after the
// other, which need not satisfy detailed balance, and there and back or by the toss of a coin,
// which do. It does not stay if the energy decides which network proposes, or if ln q of the way
// back is still that of the former network.
func TestSwapBalance(t *testing.T) {
	onnxtest.Open(t)
	x := enumerate(t)
	s := models.System{Q: 2, Sides: []int{3, 3}}
	made := models.Hyperparameters{Decoder: 8, Floor: 1e-3}
	lnQ := [][][]float64{
		likelihoods(t, sharpened(t, s, tinyHyper), x.states, x.states, 0, 0), // depends on the configuration
		likelihoods(t, another(t, s, made), x.states, x.states, 0, 0),        // another architecture, which does not
	}
	want := x.weights()
	// move is the one of the network that a configuration has, with the ln q of the way back of
	// the network given.
	move := func(network func(from int) int, reverse func(network int) int) chain {
		c := chain{want: want}
		for from := range x.states {
			row := make([]float64, len(x.states))
			q := lnQ[network(from)]
			back := lnQ[reverse(network(from))]
			for to := range x.states {
				if to != from {
					a := sampler.LnAcceptance(x.lnG[x.levels[from]], x.lnG[x.levels[to]], q[from][to], back[to][from])
					row[to] = math.Exp(q[from][to]) * min(1, math.Exp(a))
				}
			}
			c.transitions = append(c.transitions, row)
		}
		return c.rest()
	}
	always := func(k int) func(int) int { return func(int) int { return k } }
	its := func(k int) int { return k }
	first, second := move(always(0), its), move(always(1), its)
	coin := chain{want: want}
	for i := range first.transitions {
		row := make([]float64, len(want))
		for k := range row {
			row[k] = (first.transitions[i][k] + second.transitions[i][k]) / 2
		}
		coin.transitions = append(coin.transitions, row)
	}
	const rounding = 1e-5 // of ln q in single precision
	for _, c := range []struct {
		name     string
		chain    chain
		balances bool
	}{
		{"the first", first, true}, {"the second", second, true}, {"either", coin, true}, {"there and back", first.then(second).then(first), true},
		{"one after the other", first.then(second), false},
	} {
		invariance, balance := c.chain.invariance(), c.chain.balance()
		t.Logf("%s: the distribution changes by a share of %.1e, opposite flows differ by %.1e", c.name, invariance, balance)
		if invariance > rounding || (balance < 100*rounding) != c.balances {
			t.Errorf("%s: the distribution changes by a share of %.1e, opposite flows differ by %.1e", c.name, invariance, balance)
		}
	}
	byEnergy := move(func(from int) int { return x.levels[from] / 2 % 2 }, its)
	stale := move(always(1), func(int) int { return 0 })
	for name, c := range map[string]chain{"the energy decides": byEnergy, "ln q of the former network": stale} {
		if change := c.invariance(); change < 0.01 {
			t.Errorf("%s: the distribution changes by a share of %.1e: the networks are too much alike for the test to show anything", name, change)
		} else {
			t.Logf("%s: the distribution changes by a share of %.2g", name, change)
		}
	}
}

// targeted is a microcanonical network with ln q(s|B*) by target, from the lowest on, and state.
type targeted struct {
	window int
	lnQ    [][]float64
}

// aims is a distribution over configurations and their aims B*, by configuration and distance of
// the aim from its level, from -widest on.
type aims [][]float64

const widest = 2

// uniform is the distribution that a network is to leave as it is: by configuration that of want,
// and uniform over the aims within its window.
func (n *targeted) uniform(want []float64) aims {
	d := make(aims, len(want))
	for s, p := range want {
		d[s] = make([]float64, 2*widest+1)
		for off := -n.window; off <= n.window; off++ {
			d[s][widest+off] = p / float64(2*n.window+1)
		}
	}
	return d
}

// configurations is the distribution without the aims.
func (d aims) configurations() []float64 {
	p := make([]float64, len(d))
	for s, row := range d {
		for _, x := range row {
			p[s] += x
		}
	}
	return p
}

// step makes a move of the network, with ln q of the configuration's aim by another one.
func (n *targeted) step(x *enumerated, d aims, known *targeted) aims {
	targets := float64(x.p.GroundLevel() + 1 + 2*n.window)
	after := make(aims, len(d))
	for s := range d {
		after[s] = slices.Clone(d[s])
	}
	for from, level := range x.levels {
		for i, mass := range d[from] {
			if mass == 0 {
				continue
			}
			lnQ := known.lnQ[level+i][from] // of the aim level + i - widest
			for to, reached := range x.levels {
				for off := -n.window; off <= n.window; off++ {
					forward := n.lnQ[reached+widest+off][to]
					a := sampler.LnAcceptance(x.lnG[level], x.lnG[reached], forward, lnQ)
					flow := mass * math.Exp(forward+min(0, a)) / targets
					after[from][i] -= flow
					after[to][widest+off] += flow
				}
			}
		}
	}
	return after
}

// change is the largest relative difference of two distributions.
func change(d, want []float64) (worst float64) {
	for i, x := range d {
		worst = max(worst, math.Abs(x-want[i])/want[i])
	}
	return worst
}

// TestSwapTargeted does the same for two microcanonical networks with other weights and another
// window, whose chain is one of configurations with their aims B*. At an exchange aims are drawn
// anew within the new window, and their ln q is the new network's. If one or the other were
// kept, the configurations would not be distributed by their weights.
func TestSwapTargeted(t *testing.T) {
	onnxtest.Open(t)
	x := enumerate(t)
	s := models.System{Q: 2, Sides: []int{3, 3}}
	load := func(b *exporter.Bundle) *targeted {
		n := &targeted{window: b.Card.Hyperparameters.Window}
		p := onnxtest.Proposer(t, b, 1, len(x.states), 128)
		batch := p.Batch()
		for k, state := range x.states {
			for i, c := range state {
				batch.State[k*len(state)+i] = int32(c)
			}
		}
		p.Pin()
		for target := -widest; target <= x.p.GroundLevel()+widest; target++ {
			for k := range x.states {
				batch.Current[k] = float32(x.p.Energy(target))
			}
			if err := p.LogProb(t.Context()); err != nil {
				t.Fatal(err)
			}
			row := make([]float64, len(x.states))
			for k := range row {
				row[k] = float64(batch.Reverse[k])
			}
			n.lnQ = append(n.lnQ, row)
		}
		return n
	}
	h := models.Hyperparameters{Width: 4, Window: widest, Floor: 1e-3}
	narrow := h
	narrow.Window = 1
	first, second := load(sharpened(t, s, h)), load(another(t, s, narrow))
	want := x.weights()

	d := first.step(x, first.step(x, first.uniform(want), first), first) // aims are kept in between
	if worst := change(d.configurations(), want); worst > 1e-5 {
		t.Errorf("the first network changes the distribution by a share of %.1e", worst)
	}
	exchanged := second.uniform(d.configurations())
	d = second.step(x, second.step(x, exchanged, second), second)
	if worst := change(d.configurations(), want); worst > 1e-5 {
		t.Errorf("after an exchange the distribution changes by a share of %.1e", worst)
	}
	for name, wrong := range map[string]aims{
		"aims and ln q of the former network": second.step(x, first.uniform(want), first),
		"aims of the former network":          second.step(x, first.uniform(want), second),
		"ln q of the former network":          second.step(x, second.uniform(want), first),
	} {
		worst := change(wrong.configurations(), want)
		if t.Logf("%s: the distribution changes by a share of %.2g", name, worst); worst < 0.01 {
			t.Errorf("%s: the distribution changes by a share of %.1e only: the networks are too much alike for the test to show anything", name, worst)
		}
	}
}
