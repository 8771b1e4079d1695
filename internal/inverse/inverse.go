// Package inverse estimates numbers of states from a network alone: by configurations
// drawn from it and their inverse probabilities.
package inverse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Options of an estimate.
type Options struct {
	System  *lattice.Potts
	Bundle  *exporter.Bundle // of a network that is shown no state
	Runtime inference.Runtime
	Part    int // configurations per call
	Seed    uint64
	Draws   int // configurations to draw, rounded up to whole batches
	// Observe is called with the share of an activity that is done, 0..1; may be nil.
	Observe func(activity string, done float64)
}

// Blocks is the number of parts of the draws, from which errors are estimated.
const Blocks = 32

// batch is the number of configurations drawn at a time.
const batch = 512

// Estimate draws configurations that aim at targets c_1, ..., c_n, equally often at
// each, which lie so close together that several of them are within w, the network's
// window, of every level. A draw s that misses its own target by more than w has no
// weight, any other
//
//	w(s) = n / sum over |B(s) - c_k| <= w of q(s|c_k),
//
// the balance heuristic (Veach, Guibas, SIGGRAPH 1995) among the targets that could have
// been meant. A network that does not aim at energies has one target, which all levels are
// near: w(s) = 1/q(s). The expectation of w on a level is the number of states there,
// whatever the network has learned.
func Estimate(ctx context.Context, o Options) (_ *dos.Absolute, err error) {
	if err := o.Bundle.Card.CheckNormalised("an estimate by inverse probabilities"); err != nil {
		return nil, err
	}
	if o.Bundle.Card.TakesState() {
		return nil, fmt.Errorf("the proposals of the network %s (%s) depend on a state that they start from; take one of another architecture", o.Bundle.Card.Name, o.Bundle.Card.Architecture)
	}
	store, err := inference.OpenStore(o.Bundle)
	if err != nil {
		return nil, err
	}
	p, err := inference.NewProposer(o.Bundle, store, o.Runtime, batch, o.Part)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	d := &drawer{system: o.System, proposer: p, rng: sampler.Stream(o.Seed, sampler.VerifyStream, 2)}
	if p.Batch().Target != nil {
		d.targets = targets(o.System.Levels(), p.Batch().Tolerance)
	}
	batches := max(Blocks, (o.Draws+batch-1)/batch)
	blocks := make([]dos.WeightBlock, Blocks)
	for k := range blocks {
		blocks[k] = dos.NewWeightBlock(o.System.Levels())
	}
	for n := range batches {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if err := d.draw(ctx, &blocks[n*Blocks/batches]); err != nil {
			return nil, err
		}
		if o.Observe != nil {
			o.Observe("draws", float64(n+1)/float64(batches))
		}
	}
	energy := make([]float64, o.System.Levels())
	for b := range energy {
		energy[b] = float64(o.System.Energy(b))
	}
	return dos.FromWeights(energy, blocks)
}

// targets are levels half a window apart, from w below the lowest to w above the highest.
func targets(levels, window int) []int {
	step := max(1, window/2)
	var all []int
	for c := -window; c < levels+window; c += step {
		all = append(all, c)
	}
	return all
}

// drawer draws batch after batch.
type drawer struct {
	system   *lattice.Potts
	proposer *inference.Proposer
	targets  []int // nil if the network does not aim at energies
	rng      rand.Source
	drawn    int
}

func (d *drawer) draw(ctx context.Context, block *dos.WeightBlock) error {
	b, n := d.proposer.Batch(), len(d.targets)
	aims := make([]int, batch)
	for i := range aims {
		if n > 0 {
			aims[i] = d.drawn % n
			d.drawn++
			b.Target[i] = float32(d.system.Energy(d.targets[aims[i]]))
		}
		b.Start[i] = 0
	}
	sampler.Uniforms(b.Uniform, d.rng)
	if err := d.proposer.Propose(ctx); err != nil {
		return err
	}
	for b := range block.Draws {
		block.Draws[b] += batch
	}
	levels := make([]int, batch)
	for i := range batch {
		levels[i] = d.system.BondsInt32(b.Proposal[i*b.Sites : (i+1)*b.Sites])
	}
	if n == 0 {
		for i, level := range levels {
			block.Add(level, -float64(b.Forward[i]))
		}
		return nil
	}
	copy(b.State, b.Proposal)
	lnSum := make([]float64, batch) // of q over the targets within the window
	first := make([]int, batch)     // of these
	for i := range batch {
		lnSum[i] = math.Inf(-1)
		for first[i] < n && d.targets[first[i]] < levels[i]-b.Tolerance {
			first[i]++
		}
	}
	for round := 0; ; round++ {
		any := false
		for i := range batch {
			k := first[i] + round
			if any = any || d.within(k, levels[i]); !d.within(k, levels[i]) {
				k = aims[i] // its result is not used
			}
			b.Current[i] = float32(d.system.Energy(d.targets[k]))
		}
		if !any {
			break
		}
		if err := d.proposer.LogProb(ctx); err != nil {
			return err
		}
		for i := range batch {
			k := first[i] + round
			if !d.within(k, levels[i]) {
				continue
			}
			x := float64(b.Reverse[i])
			if k == aims[i] {
				x = float64(b.Forward[i])
			}
			lnSum[i] = dos.LogSumExp([]float64{lnSum[i], x})
		}
	}
	for i := range batch {
		if d.within(aims[i], levels[i]) {
			block.Add(levels[i], math.Log(float64(n))-lnSum[i])
		}
	}
	return nil
}

// within reports whether there is a k-th target within the window around a level.
func (d *drawer) within(k, level int) bool {
	w := d.proposer.Batch().Tolerance
	return k < len(d.targets) && d.targets[k]-level <= w && level-d.targets[k] <= w
}
