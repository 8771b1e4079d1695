package remote

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
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
	takes    []exporter.Tensor // inputs of log_prob
	propose  values            // inputs of propose, one row
	inputs   values            // of log_prob, for the proposal
	proposal any               // []int32 of colours or []float32 of angles
	want     float64           // ln q of it

	// other is another proposal that was drawn from the same inputs, and otherWant its ln q.
	mutex     sync.Mutex
	other     any
	otherWant float64
}

// test asks for the canary's proposal and compares its ln q, as the server draws it and as it
// evaluates it, with the bundle's.
func (s *Server) test(ctx context.Context, b *exporter.Bundle) error {
	r := rand.New(sampler.Stream(s.o.Seed, sampler.VerifyStream, 2))
	c := &canary{card: &s.card, logProb: b.LogProb, takes: s.logProb.inputs, propose: drawInputs(&s.card, r)}
	drawn, err := s.propose.evaluate(ctx, 0, none(s.propose), c.propose, values{}, 0)
	if err != nil {
		return err
	}
	c.proposal = drawn[models.Proposal]
	c.inputs = maps.Clone(c.propose)
	c.inputs[models.Condition], c.inputs[models.State] = c.propose[models.State], c.proposal
	if c.want, err = c.reference(c.proposal); err != nil {
		return err
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

// drawInputs returns random inputs of propose, one row.
func drawInputs(card *exporter.Card, r *rand.Rand) values {
	sites, uniform := card.System.System().Sites(), make([]float32, card.UniformsOf())
	if card.Angles() {
		state := make([]float32, sites)
		sampler.Uniforms(state, r)
		sampler.Uniforms(uniform, r)
		return values{models.State: state, models.Uniform: uniform, models.Beta: []float32{r.Float32()}}
	}
	state := make([]int32, sites)
	for i := range state {
		state[i] = int32(r.IntN(card.System.Q))
	}
	sampler.Uniforms(uniform, r)
	return values{
		models.State: state, models.Start: []int32{0}, models.Uniform: uniform,
		models.Shift: []float32{float32(r.IntN(2*sites+1) - sites)}, models.Energy: []float32{-float32(r.IntN(2*sites + 1))},
	}
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
func (c *canary) reference(proposal any) (float64, error) {
	if err := c.allowed(proposal); err != nil {
		return 0, err
	}
	in := map[string]graph.Tensor{}
	for _, t := range c.takes {
		shape := []int{1}
		if t.Width > 0 {
			shape = append(shape, t.Width)
		}
		x := c.inputs[t.Name]
		if t.Name == models.State {
			x = proposal
		}
		switch x := x.(type) {
		case []int32:
			in[t.Name] = graph.Int32s(x, shape...)
		case []float32:
			in[t.Name] = graph.Float32s(x, shape...)
		}
	}
	out, err := reference.Evaluate(c.logProb, in)
	if err != nil {
		return 0, err
	}
	return out[models.LogQ].Float64s()[0], nil
}

// allowed returns an error unless a proposal is a configuration.
func (c *canary) allowed(proposal any) error {
	switch proposal := proposal.(type) {
	case []int32:
		for i, colour := range proposal {
			if colour < 0 || int(colour) >= c.card.System.Q {
				return fmt.Errorf("the server proposes colour %d at site %d, allowed are 0..%d", colour, i, c.card.System.Q-1)
			}
		}
	case []float32:
		for i, angle := range proposal {
			if !(angle >= 0 && float64(angle) < 2*math.Pi) {
				return fmt.Errorf("the server proposes the angle %v at site %d, allowed are 0 to below 2 pi", angle, i)
			}
		}
	}
	return nil
}

// drawn checks the canary in an answer of propose. Another machine may round a uniform number to
// the other side of a probability, or round an angle otherwise, and so draw another proposal.
func (s *Server) drawn(sample values) error {
	want, err := s.canary.lnQ(sample[models.Proposal])
	if err != nil {
		return s.impostor(s.propose, err)
	}
	return s.compare(s.propose, sample[models.LogQ].([]float32)[0], want)
}

// lnQ is that of a proposal from the canary's inputs.
func (c *canary) lnQ(proposal any) (want float64, err error) {
	if reflect.DeepEqual(proposal, c.proposal) {
		return c.want, nil
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !reflect.DeepEqual(proposal, c.other) {
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
	allowed := reference.Rounding(s.card.System.System().Sites(), want)
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
