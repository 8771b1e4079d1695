// Package setup makes the parts that a configuration names: options of the sampler's
// engine, energy windows, ONNX Runtime and the network. Runs, training, benchmarks and
// verification all use it.
package setup

import (
	"math"
	"runtime"

	"neuralwl/internal/config"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Workers is the number of threads that share the work of a configuration, one per core
// that Go may use unless it says otherwise.
func Workers(c *config.Config) int {
	if c.Run.Workers > 0 {
		return c.Run.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// Engine returns the options of the engine of a configuration, without a network and
// without what its method decides.
func Engine(c *config.Config, system lattice.System, workers int) sampler.Options {
	o := sampler.Options{
		System: system, Seed: c.Run.Seed, Walkers: c.Run.Walkers, Workers: workers,
		Sweeps: c.Local.Sweeps, Schedule: sampler.Schedule(c.WangLandau.Schedule), LnF: c.WangLandau.LnF,
		Exploration: c.WangLandau.Exploration, Flatness: c.WangLandau.Flatness,
		Hills:     sampler.Hills{Height: c.Metadynamics.Height, Width: c.Metadynamics.Width, BiasFactor: c.Metadynamics.BiasFactor},
		Gaussians: sampler.Gaussians{Width: c.MultipleGaussian.Width, Sweeps: c.MultipleGaussian.Sweeps},
		Beta:      c.Run.Beta, Windows: lattice.Windows(system, c.Windows.Count, c.Windows.Overlap),
	}
	if c.Metadynamics.BiasFactor == config.OneHeight {
		o.Hills.BiasFactor = math.Inf(1)
	}
	if c.Run.Has(config.LocalMoves) {
		o.Local = LocalMove(c)
	}
	return o
}

// LocalMove is the local move that a configuration describes, whether run.moves has it
// or not.
func LocalMove(c *config.Config) local.Move {
	switch {
	case c.Local.Move == config.Metropolis:
		return local.Metropolis
	case c.Local.Move == config.Cluster:
		return local.Cluster
	case c.Local.Move == config.Overrelaxation:
		return local.Overrelaxation
	case c.Local.Order == config.Random:
		return local.RandomHeatBath
	}
	return local.HeatBath
}
