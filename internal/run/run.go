// Package run carries one run from its configuration to its results: it puts
// sampler, network, trainer and metrics together, owns the run directory and judges
// whether the result is converged.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"neuralwl/internal/config"
	"neuralwl/metrics"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// Options of a run beside its configuration.
type Options struct {
	Config *config.Config
	// Folder is the run directory, which must not hold a run yet.
	Folder string
	// Version of the program, for the record.
	Version string
	// Observe is told of the run's progress; nil for nobody.
	Observe Observer
}

// Observer follows a run, as a progress bar or a log does. Its methods are called
// from the goroutine that runs.
type Observer interface {
	// Pass tells the state after a pass and how much of the phase is done, 0..1.
	Pass(p sampler.Progress, done float64)
	// Step tells of a gradient step.
	Step(s trainer.StepInfo)
	// Close is called at the end of the run.
	Close()
}

// job is a run under way.
type job struct {
	c       *config.Config
	o       Options
	folder  string
	system  *lattice.Potts
	engine  *sampler.Engine
	network *network // nil without neural moves
	metrics *metrics.Metrics

	began       time.Time
	phases      []PhaseSummary
	cut         bool  // run.max_time ended the Wang-Landau phase
	interrupted error // why the run ended before its time
}

// Run performs a run and returns its summary. When ctx is cancelled the run ends in
// order, with the results it has.
func Run(ctx context.Context, o Options) (_ *Summary, err error) {
	j := &job{c: o.Config, o: o, folder: o.Folder, began: time.Now()}
	size := j.c.System.Size
	if j.system, err = lattice.NewPotts(j.c.System.Q, size[0], size[1]); err != nil {
		return nil, err
	}
	if err := j.createFolder(); err != nil {
		return nil, err
	}
	workers := j.c.Run.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	info := metrics.Info{Version: o.Version, System: j.system.String(), Architecture: "none", Provider: "none"}
	if j.c.Run.Has(config.NeuralMoves) {
		if j.network, err = j.openNetwork(workers); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, j.network.close()) }()
		info.Architecture, info.Provider = j.network.bundle.Card.Architecture, string(j.network.provider)
	}
	j.metrics = metrics.New(info)
	server, err := j.serveMetrics()
	if err != nil {
		return nil, err
	}
	if server != nil {
		defer func() { err = errors.Join(err, server.Close()) }()
	}
	if err := j.newEngine(workers); err != nil {
		return nil, err
	}
	if o.Observe != nil {
		defer o.Observe.Close()
	}

	if err := j.wangLandau(ctx); err != nil {
		return nil, err
	}
	if err := j.production(ctx); err != nil {
		return nil, err
	}
	return j.finish()
}

func (j *job) newEngine(workers int) (err error) {
	o := sampler.Options{
		System: j.system, Seed: j.c.Run.Seed, Walkers: j.c.Run.Walkers, Workers: workers,
		Sweeps: j.c.Local.Sweeps, Flatness: j.c.WangLandau.Flatness,
		Events: sampler.Events{
			LnFReduced: func(p sampler.Progress) {
				slog.Debug("histogram flat", "ln_f", p.LnF, "pass", p.Passes, "flatness", p.Flatness)
			},
			LevelsFound: func(levels []int) { slog.Debug("levels found", "bonds", levels) },
		},
	}
	if j.c.Run.Has(config.LocalMoves) {
		o.Local = sampler.HeatBath
		if j.c.Local.Move == config.Metropolis {
			o.Local = sampler.Metropolis
		}
	}
	if j.network != nil {
		o.Proposer = j.network.proposer
		o.Partial = j.network.partial()
	}
	j.engine, err = sampler.New(o)
	return err
}

// serveMetrics starts the endpoint. Where only the default address is taken, by
// another run most likely, the run goes on without metrics and says so.
func (j *job) serveMetrics() (*metrics.Server, error) {
	address := j.c.Metrics.Listen
	if address == "" {
		return nil, nil
	}
	server, err := metrics.Serve(address, j.metrics)
	if err != nil && address == config.DefaultListen {
		slog.Warn("metrics are not served; set metrics.listen to a free address", "reason", err)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; choose a free address, or an empty one for no metrics", err)
	}
	slog.Info("metrics are served", "url", server.URL)
	return server, nil
}

// observe reports a pass to metrics and observer.
func (j *job) observe(done float64) {
	p := j.engine.Progress()
	j.metrics.Progress(p)
	if j.o.Observe != nil {
		j.o.Observe.Pass(p, done)
	}
}

// PhaseSummary is the record of one phase.
type PhaseSummary struct {
	Name       sampler.Phase          `json:"phase"`
	Passes     int64                  `json:"passes"`
	LnF        float64                `json:"ln_f"`
	Flatness   float64                `json:"flatness"`
	Levels     int                    `json:"levels_seen"`
	RoundTrips float64                `json:"round_trips"`
	Moves      map[string]MoveSummary `json:"moves"`
	Seconds    map[string]float64     `json:"seconds"` // wall-clock time by activity, "all" together
}

// MoveSummary counts the trials of one kind of move.
type MoveSummary struct {
	Trials     int64   `json:"trials"`
	Acceptance float64 `json:"acceptance"`
}
