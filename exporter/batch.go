package exporter

import "neuralwl/sampler"

// NewBatch returns the buffers by which a sampler exchanges configurations with the network, for a
// number of walkers.
func (c *Card) NewBatch(walkers int) sampler.Batch {
	sites := c.System.System().Sites()
	b := sampler.Batch{
		Unnormalised: c.Unnormalised,
		Walkers:      walkers, Sites: sites, Used: walkers,
		State: make([]int32, walkers*sites), Start: make([]int32, walkers), Uniform: make([]float32, walkers*c.UniformsOf()),
		Proposal: make([]int32, walkers*sites), Forward: make([]float32, walkers), Reverse: make([]float32, walkers),
	}
	if c.TakesEnergy() {
		b.Target, b.Current = make([]float32, walkers), make([]float32, walkers)
		b.Tolerance = c.Hyperparameters.Window
	}
	if c.TakesShift() {
		b.Shift, b.Back = make([]float32, walkers), make([]float32, walkers)
	}
	return b
}

// NewAngleBatch returns those of a network of angles.
func (c *Card) NewAngleBatch(walkers int) sampler.AngleBatch {
	sites := c.System.System().Sites()
	b := sampler.AngleBatch{
		Walkers: walkers, Sites: sites, Used: walkers, Half: c.TakesHalf(),
		State: make([]float32, walkers*sites), Uniform: make([]float32, walkers*sites), Proposal: make([]float32, walkers*sites),
		Drawn: make([]float32, walkers), Forward: make([]float32, walkers), Reverse: make([]float32, walkers),
	}
	if c.TakesBeta() {
		b.Beta = make([]float32, walkers)
	}
	return b
}
