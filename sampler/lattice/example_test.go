package lattice_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// The energy of a configuration is that of its level.
func ExampleNewPotts() {
	potts, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		log.Fatal(err)
	}
	state := make([]uint8, potts.Sites()) // all sites of colour 0: a ground state
	fmt.Println(potts, "has", potts.Levels(), "levels; E =", potts.Energy(potts.Level(state)))
	state[5] = 2 // four bonds less
	level := potts.Level(state)
	fmt.Println("level", level, "E =", potts.Energy(level))
	state[5] = 3
	fmt.Println(potts.Validate(state))
	_, err = lattice.NewPotts(1, 2, 4)
	fmt.Println(err)
	// Output:
	// potts q=3 4x4 has 33 levels; E = -32
	// level 28 E = -28
	// configuration: site 5 has colour 3, allowed are 0..2
	// potts model: q = 1: the number of colours must be 2..255
	// size = 2x4: each side of the torus must be at least 3
}

// A system of one's own: Ising spins on a chain of six sites that closes, twice, side by side.
func ExampleNew() {
	m := lattice.Model{
		Name: "two chains", Sides: []int{6, 2}, Colours: 2,
		Kinds: []lattice.Kind{{Order: 2, Energy: func(a, b, _ int) int {
			if a == b {
				return -1
			}
			return 1
		}}},
		Ground: &lattice.Ground{Energy: -12, States: 4},
	}
	for y := range 2 {
		for x := range 6 {
			m.Terms = append(m.Terms, lattice.Term{Sites: [3]int{6*y + x, 6*y + (x+1)%6}})
		}
	}
	system, err := lattice.New(m)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(system, lattice.Energies(system))
	// Output: two chains 6x2 [12 10 8 6 4 2 0 -2 -4 -6 -8 -10 -12]
}

// Networks propose in random frames, and need not learn the symmetries.
func ExampleFrame() {
	potts, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		log.Fatal(err)
	}
	state := []uint8{0, 0, 0, 0, 1, 1, 0, 0, 0}
	frame := potts.NewFrame()
	frame.Randomise(rand.New(rand.NewPCG(1, 2)))
	seen := make([]int32, len(state))
	frame.Apply(seen, state)
	fmt.Println("bonds before and after:", potts.Bonds(state), potts.BondsInt32(seen))
	// Output: bonds before and after: 12 12
}

// Windows divide the levels among walkers, and overlap.
func ExampleWindows() {
	potts, err := lattice.NewPotts(10, 16, 16)
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range lattice.Windows(potts, 3, 0.5) {
		fmt.Printf("levels %d..%d\n", w.Low, w.High)
	}
	// Output:
	// levels 0..256
	// levels 128..384
	// levels 256..512
}
