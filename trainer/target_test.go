package trainer

import (
	"math/rand/v2"
	"testing"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler/lattice"
)

// TestTargetsLieInTheWindow fills batches for a network that takes energies: targets
// are uniform within the window around the energies of the states shown.
func TestTargetsLieInTheWindow(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{4, 4}}
	h := models.Hyperparameters{Width: 4, Floor: 1e-3, Window: 2}
	r := rand.New(rand.NewPCG(1, 2))
	b := bundletest.New(t, models.Microcanonical, s, h)
	p, err := lattice.NewPotts(s.Q, s.Sides[0], s.Sides[1])
	if err != nil {
		t.Fatal(err)
	}
	const batch = 500
	tr, err := New(Options{System: p, Batch: batch}, b, onnxtest.Store(t, b), inference.Runtime{Provider: inference.CPU, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	state := make([]uint8, p.Sites())
	for range 200 {
		for i := range state {
			state[i] = uint8(r.IntN(s.Q))
		}
		tr.Remember(state, p.Bonds(state))
	}
	tr.fillBatch()
	var counts [5]int
	for i := range batch {
		level := p.BondsInt32(tr.gradient.State[i*p.Sites() : (i+1)*p.Sites()])
		off := int(tr.gradient.Energy[i]-float32(p.Energy(level))) + h.Window
		if off < 0 || off >= len(counts) {
			t.Fatalf("target %v for a state of energy %g", tr.gradient.Energy[i], p.Energy(level))
		}
		counts[off]++
	}
	for off, n := range counts {
		// Five standard deviations.
		if n < 100-45 || n > 100+45 {
			t.Errorf("%d targets of %d lie at %d, expected about 100", n, batch, off-h.Window)
		}
	}
}

// TestUpright learns from states as they are, and by default from their images in random frames.
func TestUpright(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := models.System{Q: 3, Sides: []int{4, 4}}
	p, err := lattice.NewPotts(s.Q, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	b, err := exporter.NewUntrained("flat", models.Made, s, models.Hyperparameters{Decoder: 8, Floor: 1e-3}, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, upright := range []bool{false, true} {
		tr, err := New(Options{System: p, Batch: 20, Upright: upright}, b, onnxtest.Store(t, b), inference.Runtime{Provider: inference.CPU, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		state := []uint8{0, 1, 2, 0, 0, 0, 1, 2, 2, 1, 0, 2, 1, 1, 0, 0}
		tr.Remember(state, p.Bonds(state))
		tr.fillBatch()
		framed := 0
		for i, c := range tr.gradient.State {
			if c != int32(state[i%len(state)]) {
				framed++
			}
		}
		if upright == (framed > 0) {
			t.Errorf("upright %v: %d sites of another colour", upright, framed)
		}
	}
}
