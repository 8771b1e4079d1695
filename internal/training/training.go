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
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/setup"
	"neuralwl/models"
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
	FS               disk.FS      // by default the operating system's file system
	Log              *slog.Logger // by default slog's
	// Hurry leaves out the evaluation of a training that ctx ends.
	Hurry bool
	// Observe is told of progress, 0..1 of the activity; nil for nobody.
	Observe func(activity string, done float64, step trainer.StepInfo)
}

// Evaluating is the activity after training.
const Evaluating = "evaluation"

// Report says what came out.
type Report struct {
	Folder string        `json:"folder"` // of the bundle
	Card   exporter.Card `json:"card"`
	// Evaluations by number of colours and size of the lattice, the bundle's first; none for networks whose
	// ln q is given a state, and for those of angles, which have Temperatures.
	Evaluations []*Evaluation `json:"evaluations"`
	// Temperatures of a network that draws all angles, for the bundle's size of the lattice.
	Temperatures []Temperature `json:"temperatures,omitempty"`
	Seconds      Seconds       `json:"seconds"`
}

// Seconds is the time that the parts of a training took.
type Seconds struct {
	Weights    float64 `json:"weights"`
	Training   float64 `json:"training"`
	Evaluation float64 `json:"evaluation"`
}

// session is a training under way.
type session struct {
	o       Options
	run     inference.Runtime
	courses []*course
	losses  []trainer.LossRow
}

// course is the part of a training that concerns one size of the lattice and number of colours.
type course struct {
	s       *session
	c       *config.Config
	system  lattice.System
	engine  *sampler.Engine
	trainer *trainer.Trainer
	bundle  *exporter.Bundle
	last    trainer.StepInfo
}

// observe reports progress.
func (s *session) observe(activity string, done float64, step trainer.StepInfo) {
	if s.o.Observe != nil {
		s.o.Observe(activity, min(done, 1), step)
	}
}

// Check returns an error for a configuration with which no network is trained without a run.
func Check(c *config.Config) error {
	switch a := c.Model.Architecture; {
	case c.System.Model == config.XY && c.Model.Bundle == "" && a != models.Flow:
		return fmt.Errorf("model.architecture: %s draws colours, but the sites of system.model %s have angles; take %s", a, config.XY, models.Flow)
	case c.System.IsPotts() || c.System.Model == config.XY:
		return nil
	}
	if c.System.Joint != "" {
		return fmt.Errorf("system.joint: networks are trained without a run under weights of the energy alone; leave it out, or take nwl run with run.moves [%s, %s], which trains one on the way",
			config.LocalMoves, config.NeuralMoves)
	}
	return fmt.Errorf("system.model: networks are trained without a run for %s, %s and %s, not for %s; take nwl run with run.moves [%s, %s], which trains one on the way",
		config.Potts, config.Ising, config.XY, c.System.Model, config.LocalMoves, config.NeuralMoves)
}

// Train trains the network of a configuration and writes its bundle. When ctx is
// cancelled, training ends with what it has learned so far.
func Train(ctx context.Context, o Options) (_ *Report, err error) {
	if o.FS == nil {
		o.FS = disk.OS
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &session{o: o}
	c := o.Config
	if err := Check(c); err != nil {
		return nil, err
	}
	workers := setup.Workers(c)
	if s.run, err = setup.Runtime(c, workers, o.Log); err != nil {
		return nil, err
	}
	report := &Report{}
	began := time.Now()
	all, err := c.Courses()
	if err != nil {
		return nil, err
	}
	for i, c := range all {
		course, err := s.newCourse(ctx, c, i == 0, workers)
		if err != nil {
			return nil, err
		}
		s.courses = append(s.courses, course)
	}
	report.Seconds.Weights = time.Since(began).Seconds()

	began = time.Now()
	if err := s.train(ctx); err != nil {
		return nil, err
	}
	report.Seconds.Training = time.Since(began).Seconds()

	began = time.Now()
	bundle := s.courses[0].bundle
	if o.Name != "" {
		bundle.Card.Name = o.Name
	}
	bundle.Card.Training.Data = fmt.Sprintf("states of a flat histogram by local moves (%s) of %d walkers, seed %d, sizes %s",
		setup.LocalMove(c), c.Run.Walkers, c.Run.Seed, strings.Join(append([]string{s.courses[0].size()}, c.Train.Sizes...), ", "))
	if len(c.Train.Colours) > 0 {
		bundle.Card.Training.Data += fmt.Sprintf(", q = %d and %v", c.System.Q, c.Train.Colours)
	}
	bundle.Records = map[string][]byte{trainer.LossFile: trainer.LossTable(thinned(s.losses))}
	for i, course := range s.courses {
		if bundle.Card.TakesCondition() || bundle.Card.TakesHalf() || o.Hurry && ctx.Err() != nil {
			break
		}
		// A person who stops the training waits for this.
		if bundle.Card.Angles() {
			if report.Temperatures, err = course.temperatures(context.WithoutCancel(ctx)); err != nil {
				return nil, err
			}
			bundle.Records[TemperaturesFile] = table(report.Temperatures)
			break
		}
		e, err := course.evaluate(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		report.Evaluations = append(report.Evaluations, e)
		if i == 0 {
			bundle.Records[EvaluationFile] = e.table()
			bundle.Card.Training.KL, bundle.Card.Training.Acceptance = &e.KL, &e.Acceptance
		}
	}
	report.Seconds.Evaluation = time.Since(began).Seconds()
	if report.Folder, err = bundle.Save(o.FS, o.Repository); err != nil {
		return nil, err
	}
	report.Card = bundle.Card
	return report, nil
}

// newCourse prepares training at one size: the network, and walkers that supply states.
func (s *session) newCourse(ctx context.Context, c *config.Config, first bool, workers int) (_ *course, err error) {
	r := &course{s: s, c: c}
	if r.system, err = c.System.New(); err != nil {
		return nil, err
	}
	if r.bundle, err = setup.Bundle(c, s.o.Log); err != nil {
		return nil, err
	}
	var lnG *dos.Density
	if first {
		lnG = s.o.LnG
	}
	return r, r.sample(ctx, lnG, workers)
}

func (r *course) size() string { return fmt.Sprintf("%dx%d", r.c.System.Size[0], r.c.System.Size[1]) }

// name tells courses apart: by size and, where they differ, by the number of colours.
func (r *course) name() string {
	if len(r.s.o.Config.Train.Colours) == 0 {
		return r.size()
	}
	return fmt.Sprintf("q=%d %s", r.c.System.Q, r.size())
}

// flatEnough is the flatness of the histogram of states to train on: the buffer gives every
// level as many states, however often it is visited.
const flatEnough = 0.7

// sample makes the walkers that supply states: under the weights given, or under those
// of a multicanonical iteration.
func (r *course) sample(ctx context.Context, d *dos.Density, workers int) error {
	o := setup.Engine(r.c, r.system, workers)
	o.Local, o.Adaptation, o.Flatness, o.Windows = setup.LocalMove(r.c), sampler.Multicanonical, flatEnough, nil
	if d != nil {
		lnG, err := setup.Levels(d, r.system)
		if err != nil {
			return err
		}
		o.LnG = lnG
	}
	var err error
	if r.engine, err = sampler.New(o); err != nil {
		return err
	}
	if d == nil {
		for !r.engine.Adapted(0) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("training: %w before there were states of all energies; give a density of states with --from, or more time", context.Cause(ctx))
			}
			if err := r.engine.Pass(ctx); err != nil {
				return err
			}
			r.s.observe("weights", r.engine.AdaptationProgress(0), trainer.StepInfo{})
		}
		r.s.o.Log.Info("weights found", "of", r.name(), "levels", r.engine.Progress().Levels, "round_trips", r.engine.Progress().RoundTrips)
	}
	r.engine.Produce()
	return nil
}

// openTrainer makes the trainer of a course, that of the first one or one beside it.
func (r *course) openTrainer() error {
	store, err := inference.OpenStore(r.bundle)
	if err != nil {
		return err
	}
	o := trainer.Options{
		System: r.system, Seed: r.c.Run.Seed, Batch: r.c.Trainer.Batch, LearningRate: r.c.Trainer.LearningRate,
		Clip: r.c.Trainer.Clip, Buffer: r.c.Trainer.Buffer, Upright: !r.c.Trainer.Symmetrise,
		Regression: r.c.Trainer.Regression, Samples: r.c.Trainer.Samples, Coldest: r.c.Neural.Coldest,
		Events: trainer.Events{Step: func(info trainer.StepInfo) { r.last = info }},
	}
	if first := r.s.courses[0]; first != r {
		r.trainer, err = first.trainer.NewBeside(o, r.bundle, store, r.s.run)
	} else {
		r.trainer, err = trainer.New(o, r.bundle, store, r.s.run)
	}
	return err
}

// rateFloor is the learning rate at the end of training as a part of that at its beginning.
const rateFloor = 0.01

// train makes gradient steps, at each size in turn, on states that the walkers visit
// meanwhile. The learning rate falls along a cosine.
func (s *session) train(ctx context.Context) (err error) {
	defer func() {
		for _, r := range s.courses {
			if r.trainer != nil {
				err = errors.Join(err, r.trainer.Close())
			}
		}
	}()
	for _, r := range s.courses {
		if err := r.openTrainer(); err != nil {
			return err
		}
	}
	c := s.o.Config
	began := time.Now()
	halfway := false
	for step := 0; ctx.Err() == nil; step++ {
		done := float64(step) / float64(c.Train.Steps)
		if limit := c.Train.MaxTime; limit > 0 {
			done = max(done, time.Since(began).Seconds()/limit.Seconds())
		}
		if done >= 1 {
			break
		}
		if done >= 0.5 && !halfway {
			// The evaluation takes ln g from what is visited from now on, when the walkers
			// have forgotten where they began.
			halfway = true
			for _, r := range s.courses {
				r.engine.Produce()
			}
		}
		r := s.courses[step%len(s.courses)]
		rate := c.Trainer.LearningRate * (rateFloor + (1-rateFloor)*(1+math.Cos(math.Pi*done))/2)
		r.trainer.SetLearningRate(rate)
		if err := r.pass(ctx); err != nil {
			return err
		}
		r.trainer.Target(r.engine.LnG(), r.engine.Seen())
		// A step that ctx ended would be an error, with which all that was learned is lost.
		if err := r.trainer.Step(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		s.losses = append(s.losses, trainer.LossRow{Step: int64(step + 1), Size: r.name(), Seconds: time.Since(began).Seconds(), Loss: r.last.Loss, Norm: r.last.Norm, Rate: rate})
		s.observe("training", done, r.last)
	}
	if ctx.Err() != nil {
		s.o.Log.Warn("training ends early with what was learned", "reason", context.Cause(ctx), "steps", s.courses[0].trainer.Record().Steps)
	}
	for _, r := range s.courses {
		if err := r.trainer.Export(r.bundle); err != nil {
			return err
		}
	}
	return nil
}

// pass moves the walkers and remembers their states.
func (r *course) pass(ctx context.Context) error {
	if err := r.engine.Pass(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	for i := range r.engine.Walkers() {
		r.trainer.Remember(r.engine.State(i))
	}
	return nil
}
