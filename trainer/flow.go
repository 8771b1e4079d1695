package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/sampler/lattice"
)

// angles is what the training of a network of angles needs beside its gradient.
type angles struct {
	energies *inference.Gradient  // by its own draws; nil where it learns from states alone
	half     bool                 // it draws one half of a checkerboard given the other
	part     map[string][]float32 // gradient of one part of the objective
}

// newAngles returns nil for a network of colours.
func newAngles(o Options, b *exporter.Bundle, r inference.Runtime) (*angles, error) {
	switch {
	case !b.Card.Angles():
		return nil, nil
	case !b.Card.TakesBeta():
		return nil, fmt.Errorf("bundle %s version %d takes no inverse temperature, at which it could be trained", b.Card.Name, b.Card.Version)
	case !(o.Coldest > 0) || math.IsInf(o.Coldest, 0):
		return nil, fmt.Errorf("coldest = %g, a network of angles needs a largest inverse temperature that is positive", o.Coldest)
	}
	weights, err := b.Weights()
	if err != nil {
		return nil, err
	}
	a := &angles{half: b.Card.TakesHalf(), part: map[string][]float32{}}
	for name, w := range weights {
		a.part[name] = make([]float32, len(w.Float32s()))
	}
	if o.Samples < 1 {
		if a.energies, err = inference.NewEnergyGradient(b, r, o.Batch); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func (a *angles) close() error {
	if a == nil || a.energies == nil {
		return nil
	}
	return a.energies.Close()
}

// stepAngles is Step for a network of angles that takes an inverse temperature beta, which is uniform up to the
// coldest. It minimises
//
//	S <-ln q(s|beta)>_remembered + (1-S) <ln q(s|beta) + beta E(s)>_drawn,
//
// with the share S of samples. The first mean is over remembered states in equilibrium at beta: maximum
// likelihood. Their levels are drawn with the probabilities g(E) exp(-beta E) of the target, of those that
// have states; within a level, as within the bins of a run, all states count alike. The second is over the
// network's own draws: the reverse Kullback-Leibler divergence up to ln Z, whose gradient goes through the draw
// (Noe et al., Science 365 (2019), training by energy). A network that draws one half of a checkerboard
// takes the other from remembered states in both.
func (t *Trainer) stepAngles(ctx context.Context) error {
	began := time.Now()
	if t.o.Samples > 0 || t.angles.half {
		if err := t.checkTarget(); err != nil {
			return err
		}
		if t.buffer.Len() == 0 {
			return errors.New("gradient step: no state is remembered to learn from")
		}
	}
	weights, err := t.sets.New(t.next)
	if err != nil {
		return fmt.Errorf("gradient step: %w", err)
	}
	for _, sum := range t.gradients {
		clear(sum)
	}
	loss := 0.0
	for _, part := range []struct {
		g     *inference.Gradient
		share float64
	}{{t.gradient, t.o.Samples}, {t.angles.energies, 1 - t.o.Samples}} {
		if part.share == 0 {
			continue
		}
		t.fillAngles(part.g)
		for i := range part.g.Weight {
			part.g.Weight[i] = float32(part.share / float64(t.o.Batch))
		}
		l, err := part.g.Evaluate(ctx, weights, t.angles.part)
		if err != nil {
			return fmt.Errorf("gradient step: %w", err)
		}
		loss += l
		for name, sum := range t.gradients {
			for i, d := range t.angles.part[name] {
				sum[i] += d
			}
		}
	}
	if t.settle(began, loss) {
		t.onTrial = false
		t.use(weights)
	}
	return nil
}

// fillAngles fills the inputs of a part of the objective: temperatures, random numbers where it draws, and
// remembered states where it takes any.
func (t *Trainer) fillAngles(g *inference.Gradient) {
	for i := range g.Beta {
		beta := t.o.Coldest * t.r.Float64()
		g.Beta[i] = float32(beta)
		if len(g.Angles) == 0 {
			continue
		}
		state := t.buffer.sampleLevel(t.r, t.canonicalLevel(beta))
		for site := range g.Sites {
			g.Angles[i*g.Sites+site] = float32(lattice.Angle(state, site))
		}
	}
	for i := range g.Uniform {
		g.Uniform[i] = t.r.Float32()
	}
}

// canonicalLevel draws a level with states by the canonical distribution of the target.
func (t *Trainer) canonicalLevel(beta float64) (level int) {
	// The largest of ln p plus independent Gumbel numbers has the probability p (Gumbel, 1954).
	most := math.Inf(-1)
	for _, b := range t.buffer.occupied {
		x := t.lnG[b] - beta*t.o.System.Energy(b) - math.Log(t.r.ExpFloat64())
		if x > most {
			most, level = x, b
		}
	}
	return level
}
