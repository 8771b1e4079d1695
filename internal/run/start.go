package run

import (
	"context"
	"fmt"
	"time"

	"neuralwl/internal/config"
	"neuralwl/sampler"
)

const (
	// startShare bounds the start, as a share of run.max_time.
	startShare = 0.25
	// leastMet is the least share of draws that must meet their targets. A network below it
	// knows nothing of this system.
	leastMet = 0.1
)

// begin begins with the start, if the network is to make one, or with the adaptation.
func (w *walkers) begin() (stage, error) {
	c, n := w.j.c, w.j.network
	aims := n != nil && n.bundle.Card.TakesEnergy()
	switch c.Run.Start {
	case config.NetworkStart:
		if !aims {
			return "", fmt.Errorf("run.start: %s, but %s does not aim at energies; take a microcanonical network, or %s", c.Run.Start, n.bundle.Card.Name, config.RandomStart)
		}
		return starting, nil
	case config.AutomaticStart:
		if aims && (c.Model.Bundle != "" || c.Model.Init != "") {
			return starting, nil
		}
	}
	return adapting, nil
}

// start draws a batch of the start, and ends it when it is time.
func (w *walkers) start(ctx context.Context) error {
	j := w.j
	if w.starter == nil {
		j.beginPhase(sampler.Starting)
		w.starter = w.NewStart()
	}
	s := w.starter
	if err := s.Draw(ctx); err != nil {
		return err
	}
	p, limit := s.Progress(), time.Duration(startShare*float64(j.c.Run.MaxTime))
	j.observe(p, s.Done())
	if s.Done() < 1 && (limit == 0 || j.elapsed() < limit) {
		return nil
	}
	if met := p.Moves[sampler.Neural].Ratio(); met < leastMet {
		j.log.Warn("the network misses its targets; walkers start in random configurations", "met", fmt.Sprintf("%.2f", met))
	} else {
		s.Finish()
		j.log.Info("walkers start from draws of the network", "levels", p.Levels, "met", fmt.Sprintf("%.2f", met),
			"ln_sum", fmt.Sprintf("%.1f", s.LnTotal()), "ln_states", fmt.Sprintf("%.1f", j.system.LnStates()))
	}
	j.endPhase(p)
	w.endStart()
	return nil
}

// endStart goes on with the adaptation.
func (w *walkers) endStart() {
	j := w.j
	w.starter = nil
	j.at.Began = j.elapsed()
	j.at.enter(adapting)
	j.beginPhase(w.Progress().Phase)
}
