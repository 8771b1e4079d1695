package sampler_test

import (
	"context"
	"fmt"
	"log"
	"math"
	"testing"

	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Walkers in two windows estimate the density of states of the 4x4 Ising model.
func ExampleSamples_Density() {
	system, err := lattice.NewPotts(2, 4, 4)
	if err != nil {
		log.Fatal(err)
	}
	engine, err := sampler.New(sampler.Options{
		System: system, Seed: 1, Walkers: 64, Local: local.HeatBath,
		Windows: lattice.UniformWindows(system.Levels(), 2, 0.5),
	})
	if err != nil {
		log.Fatal(err)
	}
	pass := func() {
		if err := engine.Pass(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	for !engine.Adapted(1e-4) {
		pass()
	}
	engine.Produce()
	for range 4000 {
		pass()
	}
	g, overlaps, err := engine.Samples().Density()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d energies, %d overlap\n", g.Len(), len(overlaps))
	for _, known := range []struct{ energy, states float64 }{{-32, 2}, {-28, 32}, {-16, 20524}} {
		for i, energy := range g.Energy {
			if energy == known.energy {
				fmt.Printf("ln g(%g) = %.1f, known %.1f, error below 0.1: %v\n", energy, g.LnG[i], math.Log(known.states), g.Error[i] < 0.1)
			}
		}
	}
	// Output:
	// 15 energies, 1 overlap
	// ln g(-32) = 0.7, known 0.7, error below 0.1: true
	// ln g(-28) = 3.5, known 3.5, error below 0.1: true
	// ln g(-16) = 9.9, known 9.9, error below 0.1: true
}

// TestDensity compares Density with what it is short for, and leaves out windows without
// visits.
func TestDensity(t *testing.T) {
	system, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sampler.New(sampler.Options{System: system, Seed: 1, Walkers: 32, Local: local.Metropolis})
	if err != nil {
		t.Fatal(err)
	}
	engine.Produce()
	if _, _, err := engine.Samples().Density(); err == nil {
		t.Error("an estimate was made of nothing")
	}
	for range 50 {
		if err := engine.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	s := engine.Samples()
	want, err := dos.FromHistograms(lattice.Energies(system), s.Windows[0].LnWeight, s.Windows[0].Blocks, system.LnStates())
	if err != nil {
		t.Fatal(err)
	}
	got, overlaps, err := s.Density()
	if err != nil || len(overlaps) != 0 || got.Len() != want.Len() || got.Len() == 0 {
		t.Fatalf("%d levels, %d overlaps (%v), want %d levels", got.Len(), len(overlaps), err, want.Len())
	}
	for i := range want.LnG {
		same := got.Error[i] == want.Error[i] || math.IsNaN(got.Error[i]) && math.IsNaN(want.Error[i])
		if got.LnG[i] != want.LnG[i] || !same {
			t.Errorf("ln g(%g) = %v(%v), want %v(%v)", got.Energy[i], got.LnG[i], got.Error[i], want.LnG[i], want.Error[i])
		}
	}
	// Windows far from the peak, where all walkers begin, wait for walkers.
	if system, err = lattice.NewPotts(10, 8, 8); err != nil {
		t.Fatal(err)
	}
	engine, err = sampler.New(sampler.Options{System: system, Seed: 1, Walkers: 36, Local: local.Metropolis, Windows: lattice.UniformWindows(system.Levels(), 6, 0.5)})
	if err != nil {
		t.Fatal(err)
	}
	engine.Produce()
	if err := engine.Pass(context.Background()); err != nil {
		t.Fatal(err)
	}
	got, _, err = engine.Samples().Density()
	waiting := engine.Waiting()
	if err != nil || len(waiting) == 0 || got.Energy[0] <= system.Energy(waiting[0].High) {
		t.Errorf("%v: windows %v wait, estimate %+v", err, waiting, got)
	}
	// What is seen of the others adds up to the whole.
	flatness, windows := math.Inf(1), engine.View().Windows
	for _, w := range windows {
		flatness = min(flatness, w.Flatness)
	}
	if len(windows)+len(waiting) != 6 || flatness != engine.Progress().Flatness {
		t.Errorf("windows %+v, the flatness is %g", windows, engine.Progress().Flatness)
	}
}
