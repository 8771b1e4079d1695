package honest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler"
)

// Reference makes a number of proposals with a bundle's proposer, at most as many as that has
// walkers, and compares ln q, as sampled and as evaluated for the reverse moves, with its
// evaluation in pure Go and double precision. It returns the largest difference in nats. The
// proposals start from Options.States first, then from random configurations.
func Reference(ctx context.Context, b *exporter.Bundle, p sampler.Proposer, proposals int, o Options) (worst float64, err error) {
	batch := p.Batch()
	batch.Used = proposals
	n := batch.Sites
	r := rand.New(sampler.Stream(o.Seed, sampler.VerifyStream, 0))
	for w := range proposals {
		for i := range n {
			batch.State[w*n+i] = int32(r.IntN(o.System.Colours()))
			if w < len(o.States) {
				batch.State[w*n+i] = int32(o.States[w][i])
			}
		}
		for i := range batch.Uniforms(w) {
			batch.Uniforms(w)[i] = r.Float32()
		}
		batch.Start[w] = int32(w % 2 * r.IntN(n))
		if b.Card.TakesShift() {
			batch.Shift[w] = float32(r.IntN(2*n+1) - n)
			batch.Back[w] = -batch.Shift[w]
		}
		if b.Card.TakesEnergy() {
			batch.Target[w], batch.Current[w] = float32(-r.IntN(2*n+1)), float32(-r.IntN(2*n+1))
		}
	}
	p.Pin()
	if err := p.Propose(ctx); err != nil {
		return 0, err
	}
	compare := func(condition, state []int32, shift, energy, got []float32, of string) error {
		inputs := map[string]graph.Tensor{
			models.State: graph.Int32s(state[:proposals*n], proposals, n),
			models.Start: graph.Int32s(batch.Start[:proposals], proposals),
		}
		if b.Card.TakesCondition() {
			inputs[models.Condition] = graph.Int32s(condition[:proposals*n], proposals, n)
		}
		if b.Card.TakesShift() {
			inputs[models.Shift] = graph.Float32s(shift[:proposals], proposals)
		}
		if b.Card.TakesEnergy() {
			inputs[models.Energy] = graph.Float32s(energy[:proposals], proposals)
		}
		out, err := reference.Evaluate(b.LogProb, inputs)
		if err != nil {
			return err
		}
		for w, want := range out[models.LogQ].Float64s() {
			d := math.Abs(float64(got[w]) - want)
			allowed := reference.Rounding(n, want)
			if worst = max(worst, d); !(d <= allowed) {
				return fmt.Errorf("ln q of %s is %v by the network and %v in pure Go, at most %.2g apart is right", of, got[w], want, allowed)
			}
		}
		return nil
	}
	if err := compare(batch.State, batch.Proposal, batch.Shift, batch.Target, batch.Forward, "a proposal"); err != nil {
		return worst, err
	}
	if err := p.LogProb(ctx); err != nil {
		return worst, err
	}
	return worst, compare(batch.Proposal, batch.State, batch.Back, batch.Current, batch.Reverse, "a reverse move")
}
