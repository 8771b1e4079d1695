// Package training trains a network on its own: classical sampling supplies states of
// all energies while gradient steps are made, and what the network has learned is
// measured on states that it was not trained on.
package training

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/networks"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// Options of a training.
type Options struct {
	Config *config.Config
	// LnG is an estimate of the density of states, under whose inverse the states are
	// drawn; nil for one to be made first.
	LnG *dos.Density
	// Repository is the folder in which the bundle becomes the next version of Name, by
	// default the architecture and system.
	Repository, Name string
	FS               disk.FS // by default the operating system's file system
	// Observe is told of progress, 0..1 of the activity; nil for nobody.
	Observe func(activity string, done float64, step trainer.StepInfo)
}

// Report says what came out.
type Report struct {
	Folder     string // of the bundle
	Card       exporter.Card
	Evaluation *Evaluation // nil for networks that do not aim at energies
	Seconds    struct{ Weights, Training, Evaluation float64 }
}

// session is a training under way.
type session struct {
	o       Options
	c       *config.Config
	system  *lattice.Potts
	engine  *sampler.Engine
	trainer *trainer.Trainer
	losses  []lossRow
}

// observe reports progress.
func (s *session) observe(activity string, done float64, step trainer.StepInfo) {
	if s.o.Observe != nil {
		s.o.Observe(activity, min(done, 1), step)
	}
}

// Train trains the network of a configuration and writes its bundle. When ctx is
// cancelled, training ends with what it has learned so far.
func Train(ctx context.Context, o Options) (_ *Report, err error) {
	if o.FS == nil {
		o.FS = disk.OS
	}
	s := &session{o: o, c: o.Config}
	c := s.c
	if !c.System.HasNetworks() {
		return nil, fmt.Errorf("there are networks for system.model %s and %s, not for %s", config.Potts, config.Ising, c.System.Model)
	}
	if s.system, err = lattice.NewPotts(c.System.Q, c.System.Size[0], c.System.Size[1]); err != nil {
		return nil, err
	}
	workers := c.Run.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	run, err := networks.Runtime(c, workers)
	if err != nil {
		return nil, err
	}
	bundle, err := networks.Bundle(c)
	if err != nil {
		return nil, err
	}
	if o.Name != "" {
		bundle.Card.Name = o.Name
	}
	report := &Report{}
	began := time.Now()
	if err := s.sample(ctx, workers); err != nil {
		return nil, err
	}
	report.Seconds.Weights = time.Since(began).Seconds()

	began = time.Now()
	if err := s.train(ctx, bundle, run); err != nil {
		return nil, err
	}
	report.Seconds.Training = time.Since(began).Seconds()
	bundle.Card.Training.Data = fmt.Sprintf("states of a flat histogram by local moves (%s) of %d walkers, seed %d", c.Local.Move, c.Run.Walkers, c.Run.Seed)

	began = time.Now()
	bundle.Records = map[string][]byte{LossFile: lossTable(s.losses)}
	if bundle.Card.TakesEnergy() {
		// A person who stops the training waits for this.
		if report.Evaluation, err = s.evaluate(context.WithoutCancel(ctx), bundle, run); err != nil {
			return nil, err
		}
		bundle.Records[EvaluationFile] = report.Evaluation.table()
		bundle.Card.Training.KL, bundle.Card.Training.Acceptance = &report.Evaluation.KL, &report.Evaluation.Acceptance
	}
	report.Seconds.Evaluation = time.Since(began).Seconds()
	if report.Folder, err = bundle.Save(o.FS, o.Repository); err != nil {
		return nil, err
	}
	report.Card = bundle.Card
	return report, nil
}

// flatEnough is the flatness of the histogram of states to train on: the buffer gives every
// level as many states, however often it is visited.
const flatEnough = 0.2

// sample makes the walkers that supply states: under the weights given, or under those
// of a multicanonical iteration.
func (s *session) sample(ctx context.Context, workers int) error {
	o := sampler.Options{
		System: s.system, Seed: s.c.Run.Seed, Walkers: s.c.Run.Walkers, Workers: workers,
		Local: sampler.HeatBath, Sweeps: s.c.Local.Sweeps, Flatness: flatEnough,
		Adaptation: sampler.Multicanonical,
	}
	if s.c.Local.Move == config.Metropolis {
		o.Local = sampler.Metropolis
	}
	if s.o.LnG != nil {
		lnG, err := s.levels(s.o.LnG)
		if err != nil {
			return err
		}
		o.LnG = lnG
	}
	var err error
	if s.engine, err = sampler.New(o); err != nil {
		return err
	}
	if s.o.LnG == nil {
		for !s.engine.Adapted(0) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("training: %w before there were states of all energies; give a density of states with --from, or more time", context.Cause(ctx))
			}
			if err := s.engine.Pass(ctx); err != nil {
				return err
			}
			s.observe("weights", s.engine.AdaptationProgress(0), trainer.StepInfo{})
		}
		slog.Info("weights found", "levels", s.engine.Progress().Levels, "round_trips", s.engine.Progress().RoundTrips)
	}
	s.engine.Produce()
	return nil
}

// levels is ln g by level, NaN at levels without.
func (s *session) levels(d *dos.Density) ([]float64, error) {
	lnG := make([]float64, s.system.Levels())
	for b := range lnG {
		lnG[b] = math.NaN()
	}
	for i, e := range d.Energy {
		b := -int(e)
		if e != math.Trunc(e) || b < 0 || b >= len(lnG) {
			return nil, fmt.Errorf("the density of states has the energy %g, which %v has not; give that of the same system", e, s.system)
		}
		lnG[b] = d.LnG[i]
	}
	return lnG, nil
}

// rateFloor is the learning rate at the end of training as a part of that at its beginning.
const rateFloor = 0.01

// train makes gradient steps on states that the walkers visit meanwhile. The learning
// rate falls along a cosine.
func (s *session) train(ctx context.Context, b *exporter.Bundle, run inference.Runtime) (err error) {
	store, err := newStore(b)
	if err != nil {
		return err
	}
	var last trainer.StepInfo
	s.trainer, err = trainer.New(trainer.Options{
		System: s.system, Seed: s.c.Run.Seed, Batch: s.c.Trainer.Batch, LearningRate: s.c.Trainer.LearningRate,
		Clip: s.c.Trainer.Clip, Buffer: s.c.Trainer.Buffer,
		Events: trainer.Events{Step: func(info trainer.StepInfo) { last = info }},
	}, b, store, run)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.trainer.Close()) }()
	began := time.Now()
	for step := 0; ctx.Err() == nil; step++ {
		done := float64(step) / float64(s.c.Train.Steps)
		if limit := s.c.Train.MaxTime; limit > 0 {
			done = max(done, time.Since(began).Seconds()/limit.Seconds())
		}
		if done >= 1 {
			break
		}
		rate := s.c.Trainer.LearningRate * (rateFloor + (1-rateFloor)*(1+math.Cos(math.Pi*done))/2)
		s.trainer.SetLearningRate(rate)
		if err := s.pass(ctx); err != nil {
			return err
		}
		if err := s.trainer.Step(ctx); err != nil {
			return err
		}
		s.losses = append(s.losses, lossRow{step + 1, time.Since(began).Seconds(), last.Loss, last.Norm, rate})
		s.observe("training", done, last)
	}
	if ctx.Err() != nil {
		slog.Warn("training ends early with what was learned", "reason", context.Cause(ctx), "steps", s.trainer.Record().Steps)
	}
	return s.trainer.Export(b)
}

// pass moves the walkers and remembers their states.
func (s *session) pass(ctx context.Context) error {
	if err := s.engine.Pass(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for i := range s.engine.Walkers() {
		s.trainer.Remember(s.engine.State(i))
	}
	return nil
}
