package main

import (
	"context"
	"log/slog"
	"math"
	"slices"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/setup"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// trial is a run beside the exact result.
type trial struct {
	kind    kind
	summary *report.Summary
	density *dos.Ensemble
	// deviations from the exact result in standard errors: of the quantities, NaN where a
	// quantity has no error, and of ln g at all levels.
	quantities []float64
	levels     []float64
}

// burnIn is the share of production's passes made beforehand, as in a run.
const burnIn = 0.05

// perform makes a run in memory, as package run does: without a network, checkpoints,
// observables and plots, which take most of the time of so short a run. The adaptation
// ends after cut passes at the latest, unless that is 0.
func perform(ctx context.Context, c *config.Config, known *dos.Density, cut int) (*trial, error) {
	system, err := c.System.New()
	if err != nil {
		return nil, err
	}
	o := setup.Engine(c, system, 1)
	o.Adaptation = sampler.WangLandau
	if c.Run.Method == config.CanonicalMethod {
		o.Adaptation = sampler.Canonical
	}
	e, err := sampler.New(o)
	if err != nil {
		return nil, err
	}
	var course report.Course
	passes := func(n int, each func(i int)) error {
		for i := range n {
			each(i)
			if err := e.Pass(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	for n := 1; !e.Adapted(c.WangLandau.FinalLnF) && (cut == 0 || n <= cut); n++ {
		if err := e.Pass(ctx); err != nil {
			return nil, err
		}
	}
	course.Phases = append(course.Phases, report.Phase(e.Progress(), 0, 0))
	planned := c.Production.Passes
	e.Produce()
	if err := passes(int(burnIn*float64(planned)), func(int) {}); err != nil {
		return nil, err
	}
	e.Produce()
	if err := passes(planned, func(i int) { e.Samples().Segment(float64(i) / float64(planned)) }); err != nil {
		return nil, err
	}
	course.Phases = append(course.Phases, report.Phase(e.Progress(), 0, 0))
	t := &trial{}
	t.density, t.summary, err = report.Judge(ctx, &report.Input{
		Evaluation: run.Evaluation(c), Config: c, System: system, Log: slog.New(slog.DiscardHandler),
		Seen: e.Seen(), LnG: e.LnG(), Samples: e.Samples(), Waiting: e.Waiting(),
	}, course, known)
	if err != nil {
		return nil, err
	}
	return t, t.compare(c, known)
}

// names of the quantities: ln g of the two lowest levels; at the maximum of the specific heat
// energy, specific heat and free energy; and the energies in the phases on both sides of
// it. Canonical runs have the third and the fourth, at their own temperature.
var names = []string{"ln g(E_min)", "ln g(E_1)", "U", "C", "F", "U above", "U below"}

// compare fills in the deviations.
func (t *trial) compare(c *config.Config, known *dos.Density) error {
	quantities := func(d *dos.Density) ([]float64, error) {
		at := d.At(c.Run.Beta)
		return []float64{at.Energy, at.SpecificHeat}, nil
	}
	if c.Run.Method != config.CanonicalMethod {
		var betas []float64
		for beta := 0.05; beta < 20; beta *= 1.03 {
			betas = append(betas, beta)
		}
		heat, err := known.HeatMaximum(betas)
		if err != nil {
			return err
		}
		quantities = func(d *dos.Density) ([]float64, error) {
			at := d.At(heat.Beta)
			return []float64{
				lnG(d, known.Energy[1]), lnG(d, known.Energy[2]), at.Energy, at.SpecificHeat, at.FreeEnergy(),
				d.At(0.8 * heat.Beta).Energy, d.At(1.25 * heat.Beta).Energy,
			}, nil
		}
	}
	want, err := quantities(known)
	if err != nil {
		return err
	}
	have, deviations, err := t.density.Estimate(quantities)
	if err != nil {
		return err
	}
	for i := range want {
		t.quantities = append(t.quantities, inErrors(have[i]-want[i], deviations[i]))
	}
	if c.Run.Method == config.CanonicalMethod {
		return nil // its ln g has an unknown constant
	}
	for i, e := range t.density.Energy {
		t.levels = append(t.levels, inErrors(t.density.LnG[i]-lnG(known, e), t.density.Error[i]))
	}
	return nil
}

// lnG returns ln g at an energy, NaN where d has no such level.
func lnG(d *dos.Density, energy float64) float64 {
	for i, e := range d.Energy {
		if math.Abs(e-energy) < 1e-9*max(1, math.Abs(e)) {
			return d.LnG[i]
		}
	}
	return math.NaN()
}

// converged reports whether all checks hold but those named.
func (t *trial) converged(except ...string) bool {
	for _, c := range t.summary.Verdict.Checks {
		if !c.Passed && !slices.Contains(except, c.Name) {
			return false
		}
	}
	return true
}

// inErrors is a deviation in standard errors, NaN for what was known beforehand, without an error.
func inErrors(deviation, standard float64) float64 {
	if standard < rounding {
		return math.NaN()
	}
	return deviation / standard
}

// rounding is more than the rounding of what has no error.
const rounding = 1e-12
