package inference_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"math/rand/v2"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// A network proposes whole configurations beside the heat bath. It has learned nothing, so that few of its
// proposals are accepted, and ln g is as exact as with any other.
func Example() {
	ctx := context.Background()
	if _, err := inference.Open(""); err != nil {
		log.Fatal(err)
	}
	potts, err := lattice.NewPotts(3, 3, 3)
	if err != nil {
		log.Fatal(err)
	}
	b, err := exporter.NewUntrained("example", models.Made, models.System{Q: 3, Sides: []int{3, 3}},
		models.Hyperparameters{Decoder: 8, Floor: 1e-3}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		log.Fatal(err)
	}
	store, err := inference.OpenStore(b)
	if err != nil {
		log.Fatal(err)
	}
	proposer, err := inference.NewProposer(b, store, inference.Runtime{Provider: inference.CPU, Workers: 1}, 64, 64)
	if err != nil {
		log.Fatal(err)
	}
	defer proposer.Close()
	engine, err := sampler.New(sampler.Options{System: potts, Walkers: 64, Seed: 1, Local: local.HeatBath, Proposer: proposer})
	if err != nil {
		log.Fatal(err)
	}
	for !engine.Adapted(1e-3) {
		if err := engine.Pass(ctx); err != nil {
			log.Fatal(err)
		}
	}
	for engine.Produce(); engine.Samples().Passes() < 500; {
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
	fmt.Println("proposals accepted:", engine.Progress().Moves[sampler.Neural].Accepted > 0)
	// One of nine sites has one of two other colours than the rest, which have one of three.
	fmt.Printf("E = %g: g within a tenth of 54: %v\n", density.Energy[1], math.Abs(math.Exp(density.LnG[1])/54-1) < 0.1)
	// Output:
	// proposals accepted: true
	// E = -14: g within a tenth of 54: true
}
