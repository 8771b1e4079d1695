package sampler_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// The density of states of a small Potts model by local moves alone: Wang-Landau sampling finds the
// weights, and production under frozen weights gives ln g with its errors.
func Example_density() {
	ctx := context.Background()
	potts, err := lattice.NewPotts(10, 4, 4)
	if err != nil {
		log.Fatal(err)
	}
	engine, err := sampler.New(sampler.Options{System: potts, Walkers: 64, Seed: 1, Local: local.HeatBath})
	if err != nil {
		log.Fatal(err)
	}
	for !engine.Adapted(1e-4) { // until ln f is this small
		if err := engine.Pass(ctx); err != nil {
			log.Fatal(err)
		}
	}
	for engine.Produce(); engine.Samples().Passes() < 1000; {
		if err := engine.Pass(ctx); err != nil {
			log.Fatal(err)
		}
	}
	ground := dos.Pin{Level: potts.GroundLevel(), LnG: potts.LnGroundStates()}
	density, err := dos.FromPinnedTransitions(lattice.Energies(potts), lattice.Changes(potts),
		engine.Samples().Transitions(), potts.LnStates(), []dos.Pin{ground}, nil)
	if err != nil {
		log.Fatal(err)
	}
	// One of 16 sites has one of nine other colours than the rest, which have one of ten.
	fmt.Printf("E = %g: g within a tenth of 1440: %v\n", density.Energy[1], math.Abs(math.Exp(density.LnG[1])/1440-1) < 0.1)
	// Output: E = -28: g within a tenth of 1440: true
}
