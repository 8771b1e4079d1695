package run

import (
	"context"
	"fmt"

	"neuralwl/exporter"
	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// method is what differs between the values of run.method.
type method struct {
	by         *sampling
	adaptation sampler.Phase     // before production
	evaluation report.Evaluation // of production
}

var methods = map[string]method{
	config.WangLandauMethod:       {walking, sampler.WangLandau, report.Walkers},
	config.NeuralWangLandauMethod: {walking, sampler.WangLandau, report.Walkers},
	config.MulticanonicalMethod:   {walking, sampler.Multicanonical, report.Walkers},
	config.MetadynamicsMethod:     {walking, sampler.Metadynamics, report.Walkers},
	config.MultipleGaussianMethod: {walking, sampler.MultipleGaussian, report.Walkers},
	config.CanonicalMethod:        {walking, sampler.Canonical, report.Canonical},
	config.VANWangLandauMethod:    {drawing, sampler.WangLandau, report.Draws},
	config.VANMethod:              {annealing, sampler.Annealing, report.Variational},
}

// Evaluation is how the results of a configuration's method are made.
func Evaluation(c *config.Config) report.Evaluation { return methods[c.Run.Method].evaluation }

// sampling is a way to sample: by walkers, or by a network's draws alone, towards a flat histogram or
// at a temperature.
type sampling struct {
	// open makes the process, with a number of workers. Without a network j.network is nil.
	open func(j *job, workers int) (process, error)
	// stages of a run.
	stages []stage
	// phase of the sampler's state in a checkpoint, empty if the state is missing.
	phase func(*saved) sampler.Phase
	// revive checks the sampler's state in a checkpoint and makes of it what it has counted,
	// without a network.
	revive func(method, *saved, *config.Config, lattice.System) (counts, *Inspection, error)
}

// counts are what a run has to evaluate. The samplers share the first methods.
type counts interface {
	Progress() sampler.Progress
	Seen() []bool
	LnG() []float64
	// Temperature is which of how many temperatures is the present one, from 0 on. A run goes
	// through adaptation and production at each of them.
	Temperature() (index, of int)
	// View is what there is to see at present.
	View() *sampler.View
	// results hands in what production counted.
	results(*report.Input)
}

// process is what a run drives pass after pass. The samplers share the first methods.
type process interface {
	counts
	Pass(ctx context.Context) error
	Adapted(final float64) bool
	AdaptationProgress(final float64) float64
	// Next goes on from production to the adaptation at the next temperature. It reports whether
	// there is one.
	Next() bool

	// begin returns the stage in which a new run begins.
	begin() (stage, error)
	// step makes a step of a stage that only this process has.
	step(ctx context.Context) error
	// learn trains the network after a pass of the adaptation.
	learn(ctx context.Context) error
	// beginProduction freezes the weights and returns the first stage of production, and
	// endBurnIn starts the counts of production.
	beginProduction() (stage, error)
	endBurnIn()
	// adaptAgain returns from production to the adaptation, which had come as far as p says.
	adaptAgain(p sampler.Progress)
	// at is told which share of production is done before each of its passes.
	at(done float64)
	// admit returns an error if another network cannot take the place of the run's, and renew
	// takes what is now the run's network into use; counts of production begin anew.
	admit(*exporter.Bundle, proposer) error
	renew() error

	save(*saved)
	restore(*saved) error
}

// errNoStage is the error of a stage that a process does not have.
func errNoStage(s stage) error { return fmt.Errorf("there is no stage %q in this run", s) }

// samplerEvents passes on what a sampler reports.
func (j *job) samplerEvents() sampler.Events {
	return sampler.Events{
		IterationEnded: j.listener.IterationEnded,
		LevelsFound:    func(levels []int) { j.listener.LevelsFound(event.LevelsFound{Levels: levels}) },
	}
}
