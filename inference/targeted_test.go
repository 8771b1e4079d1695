package inference_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// targetedHyper are small networks that aim at an energy, by order.
var targetedHyper = map[string]models.Hyperparameters{
	models.Raster:       {Width: 4, Window: 3, Floor: 1e-3},
	models.Diagonal:     {Width: 4, Window: 3, Floor: 1e-3, Order: models.Diagonal},
	models.Checkerboard: {Width: 4, Window: 3, Floor: 1e-3, Order: models.Checkerboard},
}

// TestTargetedProposals enumerates, with two colours and for several targets, the
// configurations with the same sites before start: their probabilities add up to 1, propose
// draws them as often as log_prob says, with the same ln q, and the move that
// sampler.targetedMove makes with them has the same flow there and back under weights 1/g of
// an arbitrary g. On 5x3 the fronts of the diagonal order hold up to two sites; a checkerboard needs 4x4.
func TestTargetedProposals(t *testing.T) {
	onnxtest.Open(t)
	for order, h := range targetedHyper {
		for _, c := range []struct {
			q     int
			sides []int
			start int
		}{{2, []int{3, 3}, 0}, {2, []int{3, 3}, 4}, {2, []int{5, 3}, 0}, {2, []int{5, 3}, 6}, {7, []int{4, 3}, 9}, {2, []int{4, 4}, 0}, {2, []int{4, 4}, 7}} {
			if (order == models.Checkerboard) != (c.sides[1] == 4) {
				continue
			}
			t.Run(fmt.Sprintf("%s q=%d %v from %d", order, c.q, c.sides, c.start), func(t *testing.T) {
				if c.start == 4 || c.sides[1] == 4 && c.start == 0 || c.sides[0] == 5 && (c.start == 0 || order != models.Diagonal) || c.q > 2 {
					long.Only(t, "all configurations from more starts")
				}
				p, err := lattice.NewPotts(c.q, c.sides[0], c.sides[1])
				if err != nil {
					t.Fatal(err)
				}
				targetedProposals(t, p, h, c.start)
			})
		}
	}
}

func targetedProposals(t *testing.T, p *lattice.Potts, h models.Hyperparameters, start int) {
	q := int32(p.Colours())
	b := sharpened(t, models.System{Q: p.Colours(), Sides: p.Sides()}, h)
	n, r := p.Sites(), rand.New(rand.NewPCG(16, 17))
	kept := []int32{1, 0, 1, 1, 0, 0, 1, 0, 1} // the colours of the sites before start
	count := 1
	for range n - start {
		count *= p.Colours()
	}
	proposer := onnxtest.Proposer(t, b, 1, count, 128)
	batch := proposer.Batch()
	states, levels := make([]int32, count*n), make([]int, count)
	for k := range count {
		state := states[k*n : k*n+n]
		copy(state, kept[:start])
		for i, rest := start, int32(k); i < n; i, rest = i+1, rest/q {
			state[i] = rest % q
		}
		levels[k], batch.Start[k] = p.BondsInt32(state), int32(start)
	}
	proposer.Pin()

	var lnQ [][]float64 // by target and state
	targets := []int{-h.Window, 2, p.GroundLevel() / 2, p.GroundLevel() - 3, p.GroundLevel() + h.Window}
	if count <= 512 { // all, for the moves below
		targets = nil
		for level := -h.Window; level <= p.GroundLevel()+h.Window; level++ {
			targets = append(targets, level)
		}
	}
	for _, target := range targets {
		for k := range count {
			batch.Current[k] = float32(p.Energy(target))
		}
		copy(batch.State, states)
		if err := proposer.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
		x, sum := make([]float64, count), 0.0
		for k := range x {
			x[k] = float64(batch.Reverse[k])
			sum += math.Exp(x[k])
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Fatalf("target %d: the probabilities of all proposals sum to %v", target, sum)
		}
		if slices.Max(x)-slices.Min(x) < 1 {
			t.Errorf("target %d: ln q between %v and %v, the network says nothing and the test shows little", target, slices.Min(x), slices.Max(x))
		}
		lnQ = append(lnQ, x)
	}

	// Draws of one target.
	aim := len(targets) / 2
	drawn := make([]float64, count)
	rounds := max(1, 1<<15/count)
	for range rounds {
		for k := range count {
			copy(batch.State[k*n:], states[:start]) // what follows does not matter
			batch.Target[k] = float32(p.Energy(targets[aim]))
		}
		for i := range batch.Uniform {
			batch.Uniform[i] = r.Float32()
		}
		if err := proposer.Propose(context.Background()); err != nil {
			t.Fatal(err)
		}
		for w := range count {
			k := 0
			for i := n - 1; i >= start; i-- {
				k = p.Colours()*k + int(batch.Proposal[w*n+i])
			}
			if !slices.Equal(batch.Proposal[w*n:w*n+n], states[k*n:k*n+n]) {
				t.Fatalf("a proposal from site %d on changes sites before", start)
			}
			if drawn[k]++; math.Abs(float64(batch.Forward[w])-lnQ[aim][k]) > 1e-4 {
				t.Fatalf("ln q is %v sampled and %v evaluated", batch.Forward[w], lnQ[aim][k])
			}
		}
	}
	chi2, cells := 0.0, 0.0
	for k, x := range lnQ[aim] {
		if expected := float64(rounds*count) * math.Exp(x); expected >= 5 {
			chi2 += (drawn[k] - expected) * (drawn[k] - expected) / expected
			cells++
		}
	}
	if z := (chi2 - cells) / math.Sqrt(2*cells); math.Abs(z) > 4.5 {
		t.Errorf("chi-square %.1f over %.0f configurations", chi2, cells)
	}
	if count > 512 {
		return
	}

	lnG := make([]float64, p.Levels())
	for i := range lnG {
		lnG[i] = 2 * r.NormFloat64()
	}
	// move is the probability of s -> s', up to a factor, with the target of s uniform in the
	// window around its level and that of s' uniform among all targets.
	move := func(from, to int) (sum float64) {
		for of := levels[from] - h.Window; of <= levels[from]+h.Window; of++ {
			for at := levels[to] - h.Window; at <= levels[to]+h.Window; at++ {
				forward, reverse := lnQ[at+h.Window][to], lnQ[of+h.Window][from]
				sum += math.Exp(forward) * min(1, math.Exp(sampler.LnAcceptance(lnG[levels[from]], lnG[levels[to]], forward, reverse)))
			}
		}
		return sum
	}
	for from := range count {
		for to := range from {
			left, right := math.Exp(-lnG[levels[from]])*move(from, to), math.Exp(-lnG[levels[to]])*move(to, from)
			if math.Abs(left-right) > 1e-6*max(left, right)+1e-12 {
				t.Fatalf("flow %d -> %d is %g, back %g", from, to, left, right)
			}
		}
	}
}
