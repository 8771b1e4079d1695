package run

import (
	"context"
	"fmt"
	"time"

	"neuralwl/internal/config"
	"neuralwl/sampler"
)

const (
	// startShare of run.max_time is what a start takes at most.
	startShare = 0.25
	// leastMet is the share of draws that must have met their targets; a network that
	// meets fewer knows nothing of this system.
	leastMet = 0.1
)

// begin enters the first stage of a run: the start, if the network is to make one.
func (j *job) begin() error {
	c := j.c
	j.at = place{Stage: adapting}
	aims := j.engine != nil && j.network != nil && j.network.bundle.Card.TakesEnergy()
	switch c.Run.Start {
	case config.NetworkStart:
		if !aims {
			return fmt.Errorf("run.start: %s, but %s does not aim at energies; take a microcanonical network, or %s", c.Run.Start, j.network.bundle.Card.Name, config.RandomStart)
		}
		j.at.Stage = starting
	case config.AutomaticStart:
		if aims && (c.Model.Bundle != "" || c.Model.Init != "") {
			j.at.Stage = starting
		}
	}
	return nil
}

// start draws a batch of the start, and ends it when it is time.
func (j *job) start(ctx context.Context) error {
	if j.starter == nil {
		j.beginPhase(sampler.Starting)
		j.starter = j.engine.NewStart()
	}
	s := j.starter
	if err := s.Draw(ctx); err != nil {
		return err
	}
	p, limit := s.Progress(), time.Duration(startShare*float64(j.c.Run.MaxTime))
	j.observe(p, s.Done())
	if s.Done() < 1 && (limit == 0 || j.elapsed() < limit) {
		return nil
	}
	if met := p.Moves[sampler.Neural].Ratio(); met < leastMet {
		j.log.Warn("the network misses its targets; walkers begin in random configurations", "met", fmt.Sprintf("%.2f", met))
	} else {
		s.Finish()
		j.log.Info("walkers begin with draws of the network", "levels", p.Levels, "met", fmt.Sprintf("%.2f", met),
			"ln_sum", fmt.Sprintf("%.1f", s.LnTotal()), "ln_states", fmt.Sprintf("%.1f", j.system.LnStates()))
	}
	j.endPhase(p)
	j.starter = nil
	j.at.Began = j.elapsed()
	j.at.enter(adapting)
	j.beginPhase(j.process.Progress().Phase)
	return nil
}
