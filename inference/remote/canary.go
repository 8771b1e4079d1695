package remote

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler"
)

// canary is a proposal whose ln q is known from an evaluation of the bundle in pure Go.
type canary struct {
	card     *exporter.Card
	logProb  *onnxpb.ModelProto
	propose  values // inputs of propose, one row
	inputs   values // of log_prob, for the proposal
	proposal []int32
	want     float64 // ln q of it

	// other is another proposal that was drawn from the same inputs, and otherWant its ln q.
	mutex     sync.Mutex
	other     []int32
	otherWant float64
}

// test asks for the canary's proposal and compares its ln q, as the server draws it and as it
// evaluates it, with the bundle's.
func (s *Server) test(ctx context.Context, b *exporter.Bundle) error {
	sites, colours := b.Card.System.System().Sites(), b.Card.System.Q
	r := rand.New(sampler.Stream(s.o.Seed, sampler.VerifyStream, 2))
	state, uniform := make([]int32, sites), make([]float32, b.Card.UniformsOf())
	for i := range state {
		state[i] = int32(r.IntN(colours))
	}
	sampler.Uniforms(uniform, r)
	c := &canary{card: &s.card, logProb: b.LogProb, propose: values{
		models.State: state, models.Start: []int32{0}, models.Uniform: uniform,
		models.Shift: []float32{float32(r.IntN(2*sites+1) - sites)}, models.Energy: []float32{-float32(r.IntN(2*sites + 1))},
	}}
	drawn, err := s.propose.evaluate(ctx, 0, none(s.propose), c.propose, values{}, 0)
	if err != nil {
		return err
	}
	c.proposal = drawn[models.Proposal].([]int32)
	if c.want, err = c.reference(c.proposal); err != nil {
		return err
	}
	c.inputs = values{
		models.Condition: state, models.State: c.proposal, models.Start: c.propose[models.Start],
		models.Shift: c.propose[models.Shift], models.Energy: c.propose[models.Energy],
	}
	s.canary = c
	if err := s.drawn(drawn); err != nil {
		return err
	}
	evaluated, err := s.logProb.evaluate(ctx, 0, none(s.logProb), c.inputs, values{}, 0)
	if err != nil {
		return err
	}
	return s.evaluated(evaluated)
}

// none are the inputs of no rows.
func none(n *network) values {
	v := values{}
	for _, t := range n.inputs {
		if v[t.Name] = any([]float32{}); t.Type == "INT32" {
			v[t.Name] = []int32{}
		}
	}
	return v
}

// reference is ln q of a proposal by the bundle's log_prob in pure Go.
func (c *canary) reference(proposal []int32) (float64, error) {
	n := len(proposal)
	for i, colour := range proposal {
		if colour < 0 || int(colour) >= c.card.System.Q {
			return 0, fmt.Errorf("the server proposes colour %d at site %d, allowed are 0..%d", colour, i, c.card.System.Q-1)
		}
	}
	in := map[string]graph.Tensor{models.State: graph.Int32s(proposal, 1, n), models.Start: graph.Int32s([]int32{0}, 1)}
	if c.card.TakesCondition() {
		in[models.Condition] = graph.Int32s(c.propose[models.State].([]int32), 1, n)
	}
	if c.card.TakesShift() {
		in[models.Shift] = graph.Float32s(c.propose[models.Shift].([]float32), 1)
	}
	if c.card.TakesEnergy() {
		in[models.Energy] = graph.Float32s(c.propose[models.Energy].([]float32), 1)
	}
	out, err := reference.Evaluate(c.logProb, in)
	if err != nil {
		return 0, err
	}
	return out[models.LogQ].Float64s()[0], nil
}

// drawn checks the canary in an answer of propose. Another machine may round a uniform number to
// the other side of a probability, and so draw another proposal.
func (s *Server) drawn(sample values) error {
	want, err := s.canary.lnQ(sample[models.Proposal].([]int32))
	if err != nil {
		return s.impostor(s.propose, err)
	}
	return s.compare(s.propose, sample[models.LogQ].([]float32)[0], want)
}

// lnQ is that of a proposal from the canary's inputs.
func (c *canary) lnQ(proposal []int32) (want float64, err error) {
	if slices.Equal(proposal, c.proposal) {
		return c.want, nil
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !slices.Equal(proposal, c.other) {
		if c.otherWant, err = c.reference(proposal); err != nil {
			return 0, err
		}
		c.other = proposal
	}
	return c.otherWant, nil
}

// evaluated checks the canary in an answer of log_prob.
func (s *Server) evaluated(sample values) error {
	return s.compare(s.logProb, sample[models.LogQ].([]float32)[0], s.canary.want)
}

func (s *Server) compare(n *network, got float32, want float64) error {
	allowed := reference.Rounding(len(s.canary.proposal), want)
	if d := math.Abs(float64(got) - want); d <= allowed {
		return nil
	}
	return s.impostor(n, fmt.Errorf("ln q of a proposal is %v by the server and %v by the bundle's file, at most %.2g apart is right", got, want, allowed))
}

// impostor is the error of a server that has another network.
func (s *Server) impostor(n *network, err error) error {
	return fmt.Errorf("what the model server has as %s version %s is not bundle %s version %d: %w; serve this bundle (nwl bundle export --triton, nwl networks add), or correct model.bundle or inference.model",
		n.name, s.o.Version, s.card.Name, s.card.Version, err)
}
