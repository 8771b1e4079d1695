package run

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// drawing samples by a network's draws alone.
var drawing = &sampling{
	open:   openVAN,
	stages: []stage{adapting, producing},
	phase: func(s *saved) sampler.Phase {
		if s.VAN == nil {
			return ""
		}
		return s.VAN.Phase
	},
	revive: reviveVAN,
}

// van is the process of a network's draws.
type van struct {
	*sampler.VAN
	j *job
}

func openVAN(j *job, _ int) (_ process, err error) {
	n := j.network
	if err := unconditional(&n.bundle.Card); err != nil {
		return nil, fmt.Errorf("model.bundle: %w", err)
	}
	if err := n.openTrainer(j.c.Run.Walkers); err != nil {
		return nil, err
	}
	v := &van{j: j}
	o := sampler.VANOptions{
		System: j.system.(lattice.Symmetric), Seed: j.c.Run.Seed,
		Proposer: n.proposer, Flatness: j.c.WangLandau.Flatness,
		Events: j.samplerEvents(),
	}
	o.Learn = v.learner()
	v.VAN, err = sampler.NewVAN(o)
	return v, err
}

// unconditional returns an error unless a network's draws depend on nothing.
func unconditional(card *exporter.Card) error {
	if !card.TakesState() && !card.TakesEnergy() {
		return nil
	}
	return fmt.Errorf("proposals of %s (%s) depend on %s, %s needs draws that depend on nothing; take a network without conditions (model.architecture %s or %s), or run.method %s",
		card.Name, card.Architecture, strings.Join(card.Conditions, " and "), config.VANWangLandauMethod, models.Made, models.Conv, config.NeuralWangLandauMethod)
}

// learner trains the network, nil for one that stays as it is.
func (v *van) learner() func(context.Context, sampler.Drawn) error {
	if v.j.network.trainer == nil {
		return nil
	}
	return v.train
}

func (v *van) admit(b *exporter.Bundle, _ *inference.Proposer) error { return unconditional(&b.Card) }

func (v *van) renew() error { return v.SetProposer(v.j.network.proposer, v.learner()) }

func (v *van) begin() (stage, error) { return adapting, nil }

func (v *van) step(context.Context) error { return errNoStage(v.j.at.Stage) }

// learn has nothing to do: a pass trains the network itself, before it counts its draws.
func (v *van) learn(context.Context) error { return nil }

// train makes a gradient step on a batch of the network's own draws when one is due, or
// when the batch has no likelihoods, which takes the step before back.
func (v *van) train(ctx context.Context, d sampler.Drawn) error {
	pass, every := v.j.at.Pass+1, int64(v.j.c.Trainer.Every)
	if usable := !math.IsNaN(float64(d.LnQ[0])); usable && pass%every != 0 {
		return nil
	}
	began := time.Now()
	defer func() { v.j.at.Train += time.Since(began) }()
	if err := v.j.network.trainer.StepReverse(ctx, d.States, d.LnQ, d.LnP); err != nil {
		return err
	}
	v.j.network.exportIfDue()
	return nil
}

// beginProduction needs no burn-in: independent draws have nothing to forget.
func (v *van) beginProduction() stage {
	v.Produce()
	return producing
}

func (v *van) endBurnIn() {}

func (v *van) adaptAgain(p sampler.Progress) { v.Adapt(p) }

func (v *van) at(float64) {}

func (v *van) save(s *saved) { s.VAN = v.Snapshot() }

func (v *van) restore(s *saved) error { return v.Restore(s.VAN) }

func (v *van) results(in *report.Input) { in.Draws = v.Weights() }

// reviveVAN checks ln g and the sums of the draws.
func reviveVAN(_ method, s *saved, c *config.Config, system lattice.System) (counts, *Inspection, error) {
	v, err := sampler.NewVAN(sampler.VANOptions{System: system.(lattice.Symmetric), Draws: c.Run.Walkers, Flatness: c.WangLandau.Flatness})
	if err != nil {
		return nil, nil, err
	}
	return &van{VAN: v}, &Inspection{Checked: "ln g and the sums of the draws"}, v.Restore(s.VAN)
}
