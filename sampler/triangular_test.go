package sampler_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"testing"

	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// NewTriangular returns the Ising model on a periodic triangular lattice,
//
//	E = -J sum over bonds <ij> of s_i s_j, s_i = -1, 1,
//
// the colours 0 and 1. Its ground states are the two with all spins alike, and its
// transition is at beta = ln(3)/4 (Houtappel, Physica 16, 425 (1950)).
func NewTriangular(lx, ly int) (*lattice.Terms, error) {
	spin := func(colour int) int { return 2*colour - 1 }
	m := lattice.Model{
		Name: "triangular ising", Sides: []int{lx, ly}, Colours: 2,
		Kinds: []lattice.Kind{{
			Order:  2,
			Energy: func(a, b, _ int) int { return -spin(a) * spin(b) },
		}},
		Transition: 0.2746530722,
		Symmetries: []lattice.Symmetry{lattice.Translations(lx, ly), lattice.ColourPermutations(2)},
	}
	site := func(x, y int) int { return y%ly*lx + x%lx }
	for y := range ly {
		for x := range lx {
			for _, neighbour := range []int{site(x+1, y), site(x, y+1), site(x+1, y+lx*ly-1)} {
				m.Terms = append(m.Terms, lattice.Term{Sites: [3]int{site(x, y), neighbour}})
			}
		}
	}
	m.Ground = &lattice.Ground{Energy: -len(m.Terms), States: 2}
	return lattice.New(m)
}

// Example samples a system that the package does not have.
func Example() {
	system, err := NewTriangular(4, 4)
	if err != nil {
		log.Fatal(err)
	}
	engine, err := sampler.New(sampler.Options{System: system, Seed: 1, Walkers: 64, Local: local.HeatBath})
	if err != nil {
		log.Fatal(err)
	}
	for engine.LnF() > 1e-5 {
		if err := engine.Pass(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	engine.Produce()
	for range 2000 {
		if err := engine.Pass(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	g, _, err := engine.Samples().Density()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v: ln g(%g) = %.1f, known %.1f\n", system, g.Energy[0], g.LnG[0], system.LnGroundStates())
	// Output: triangular ising 4x4: ln g(-48) = 0.7, known 0.7
}

// TestSystemsPage finds the code of docs/systems.md in this file.
func TestSystemsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/systems.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("triangular_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(page), "```go\n")
	if len(blocks) != 3 {
		t.Fatalf("%d pieces of code, want 2", len(blocks)-1)
	}
	for _, block := range blocks[1:] {
		code, _, _ := strings.Cut(block, "```")
		if !strings.Contains(string(source), code) {
			t.Errorf("docs/systems.md has code that is not in triangular_test.go:\n%s", code)
		}
	}
}
