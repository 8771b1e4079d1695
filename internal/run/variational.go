package run

import (
	"math"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// annealing samples canonical distributions by a network's draws, at one temperature after another.
var annealing = &sampling{
	open:   openVariational,
	stages: []stage{adapting, burningIn, producing},
	phase: func(s *saved) sampler.Phase {
		if s.Variational == nil {
			return ""
		}
		return s.Variational.Phase
	},
	revive: reviveVariational,
}

// variational is the process of a network's draws at temperatures.
type variational struct {
	*sampler.Variational
	learner
}

func openVariational(j *job, _ int) (process, error) {
	v := &variational{learner: learner{j: j}}
	v.rate = v.learningRate
	if err := v.open(); err != nil {
		return nil, err
	}
	o := variationalOptions(j.c, j.system)
	o.Proposer, o.Events = j.network.colours(), j.samplerEvents()
	o.Learn = v.lesson()
	var err error
	v.Variational, err = sampler.NewVariational(o)
	return v, err
}

// variationalOptions are the options of a configuration, without a network.
func variationalOptions(c *config.Config, system lattice.System) sampler.VariationalOptions {
	return sampler.VariationalOptions{
		System: system.(lattice.Symmetric), Seed: c.Run.Seed, Draws: c.Run.Walkers,
		Betas: c.Run.Temperatures(), Steps: int64(c.VAN.Steps), Anneal: c.VAN.Anneal,
		Frames: c.Neural.Frames, Symmetrise: c.Trainer.Symmetrise,
	}
}

// rateFloor is the learning rate at the end of a temperature as a part of that at its beginning.
const rateFloor = 0.02

// learningRate is constant while the temperature changes, and then falls along a cosine.
func (v *variational) learningRate() float64 {
	c := v.j.c
	way := c.VAN.Anneal * float64(c.VAN.Steps)
	done := min(1, max(0, float64(v.j.at.Pass)-way)/max(1, float64(c.VAN.Steps)-way))
	return c.Trainer.LearningRate * (rateFloor + (1-rateFloor)*(1+math.Cos(math.Pi*done))/2)
}

func (v *variational) renew() error { return v.SetProposer(v.j.network.colours(), v.lesson()) }

// beginProduction has a burn-in, in which the chains forget their first draws.
func (v *variational) beginProduction() (stage, error) {
	v.Produce()
	return burningIn, nil
}

func (v *variational) endBurnIn() { v.Produce() }

func (v *variational) adaptAgain(p sampler.Progress) { v.Adapt(p) }

func (v *variational) save(s *saved) { s.Variational = v.Snapshot() }

func (v *variational) restore(s *saved) error { return v.Restore(s.Variational) }

func (v *variational) results(in *report.Input) {
	in.Temperatures, in.Draws = v.Sums(), v.Weights()
}

// reviveVariational checks the sums of the draws and where the chains stand.
func reviveVariational(_ method, s *saved, c *config.Config, system lattice.System) (counts, *Inspection, error) {
	v, err := sampler.NewVariational(variationalOptions(c, system))
	if err != nil {
		return nil, nil, err
	}
	return &variational{Variational: v}, &Inspection{Checked: "the sums of the draws and the chains"}, v.Restore(s.Variational)
}
