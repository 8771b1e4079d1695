package run

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/config"
	"neuralwl/models"
	"neuralwl/sampler"
)

// learner is what processes have in common whose network's draws are all there is, and from which
// it learns.
type learner struct {
	j *job
	// rate is the learning rate of the next step, nil for the trainer's.
	rate func() float64
}

// open returns an error unless the network's draws depend on nothing, and opens its trainer.
func (l *learner) open() error {
	if err := unconditional(l.j.c.Run.Method, &l.j.network.bundle.Card); err != nil {
		return fmt.Errorf("model.bundle: %w", err)
	}
	return l.j.network.openTrainer(l.j.c.Run.Walkers)
}

// unconditional returns an error unless a network's draws depend on nothing.
func unconditional(method string, card *exporter.Card) error {
	if err := card.CheckNormalised("run.method " + method); err != nil {
		return err
	}
	if !card.TakesState() && !card.TakesEnergy() {
		return nil
	}
	return fmt.Errorf("proposals of %s (%s) depend on %s, %s needs draws that depend on nothing; take a network without conditions (model.architecture %s or %s), or run.method %s",
		card.Name, card.Architecture, strings.Join(card.Conditions, " and "), method, models.Made, models.Conv, config.NeuralWangLandauMethod)
}

func (l *learner) admit(b *exporter.Bundle, _ proposer) error {
	return unconditional(l.j.c.Run.Method, &b.Card)
}

func (l *learner) begin() (stage, error) { return adapting, nil }

func (l *learner) step(context.Context) error { return errNoStage(l.j.at.Stage) }

// learn has nothing to do: a pass trains the network itself, before it counts its draws.
func (l *learner) learn(context.Context) error { return nil }

func (l *learner) at(float64) {}

// lesson trains the network on a batch, nil for one that stays as it is.
func (l *learner) lesson() func(context.Context, sampler.Drawn) error {
	if l.j.network.trainer == nil {
		return nil
	}
	return l.train
}

// train makes a gradient step on a batch of the network's own draws when one is due, or
// when the batch has no likelihoods, which takes the step before back.
func (l *learner) train(ctx context.Context, d sampler.Drawn) error {
	pass, every := l.j.at.Pass+1, int64(l.j.c.Trainer.Every)
	if usable := !math.IsNaN(float64(d.LnQ[0])); usable && pass%every != 0 {
		return nil
	}
	began := time.Now()
	defer func() { l.j.at.Train += time.Since(began) }()
	t := l.j.network.trainer
	if l.rate != nil {
		t.SetLearningRate(l.rate())
	}
	if err := t.StepReverse(ctx, d.States, d.LnQ, d.LnP); err != nil {
		return err
	}
	l.j.network.exportIfDue()
	return nil
}
