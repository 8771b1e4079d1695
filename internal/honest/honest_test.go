package honest_test

import (
	"context"
	"flag"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/honest"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler/lattice"
)

// tiny are small networks by architecture.
var tiny = map[string]models.Hyperparameters{
	models.Autoencoder:            {Encoder: 8, Latent: 3, Decoder: 8, Floor: 1e-3, Noise: 0.3},
	"autoencoder with shifts":     {Encoder: 8, Latent: 3, Decoder: 8, Floor: 1e-3, Noise: 0.3, EnergyWeight: 20},
	"convolutional autoencoder":   {EncoderKind: models.Convolutional, DecoderKind: models.Convolutional, Width: 4, Depth: 1, Kernel: 3, Latent: 3, Floor: 1e-3, Noise: 0.3},
	models.Made:                   {Decoder: 8, Floor: 1e-3},
	models.Conv:                   {Width: 4, Depth: 1, Kernel: 3, Floor: 1e-3},
	models.Microcanonical:         {Width: 8, Window: 3, Floor: 1e-3},
	"diagonal microcanonical":     {Width: 8, Window: 3, Floor: 1e-3, Order: models.Diagonal},
	"checkerboard microcanonical": {Width: 8, Window: 3, Floor: 1e-3, Order: models.Checkerboard},
	models.RBM:                    {Hidden: 6, GibbsSteps: 2},
	"convolutional rbm":           {Hidden: 2, HiddenKind: models.Convolutional, Kernel: 3, GibbsSteps: 1},
}

// sharpened returns a tiny network whose conditional probabilities are far from uniform, or as
// far as hotter says relative to that.
func sharpened(t testing.TB, name string, q, side int, hotter float32) *exporter.Bundle {
	t.Helper()
	architecture := name
	for _, a := range models.Architectures() {
		if strings.Contains(name, a) {
			architecture = a
		}
	}
	b := bundletest.New(t, architecture, models.System{Q: q, Sides: []int{side, side}}, tiny[name])
	bundletest.Scale(t, b, map[string]float32{"decoder.output": 20 * hotter, "output.weight": 20 * hotter, "latent.weight": 3, "context.weight": 2, "attraction.budget": hotter, "coupling": 25 * hotter, "filter": 2 * hotter})
	return b
}

func check(t testing.TB, b *exporter.Bundle, seed uint64) (*honest.Report, error) {
	t.Helper()
	onnxtest.Open(t)
	s := b.Card.System
	p, err := lattice.NewPotts(s.Q, s.Size[0], s.Size[1])
	if err != nil {
		t.Fatal(err)
	}
	return honest.Check(context.Background(), b, honest.Options{System: p, Runtime: inference.Runtime{Provider: inference.CPU, Workers: 2}, Part: 128, Seed: seed})
}

// foreign returns the bundle as another program might have written it, which is tested in
// full.
func foreign(b *exporter.Bundle) *exporter.Bundle {
	b.Propose.ProducerName = proto.String("another program")
	return b
}

// seeds is the number of networks of a kind in the statistical tests; docs/networks.md has those of
// forty.
var seeds = flag.Uint64("seeds", 8, "networks of a kind in TestPower, a fourth of them in TestHonest")

// TestHonest passes the networks of all architectures, and finds that the evidence against
// them reaches 20 as rarely as it should.
func TestHonest(t *testing.T) {
	total, high := 0, 0
	for name := range tiny {
		systems := [][2]int{{2, 3}, {3, 4}}
		if strings.Contains(name, "diagonal") {
			systems = append(systems, [2]int{3, 6}) // with two sites in a front
		}
		if strings.Contains(name, "checkerboard") {
			systems[0][1] = 4
		}
		if !strings.Contains(name, models.RBM) {
			systems = systems[long.Or(0, 1):]
		}
		for _, system := range systems {
			b := foreign(sharpened(t, name, system[0], system[1], 1))
			for seed := range long.Or(*seeds/4, 1) {
				r, err := check(t, b, seed)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if total++; r.Evidence > math.Log10(20) {
					high++
				}
				if strings.Contains(name, models.RBM) {
					if few := system[1] == 3; r.Draws != 8192 || !r.Unnormalised || (r.Untested == "") != few || r.Agreement > 5e-5 {
						t.Errorf("%s: %+v", name, r)
					}
					continue
				}
				if r.Draws != 8192 || r.Sums < 1600 || r.Sum > 2e-5 || r.Agreement > 5e-5 || r.Untested != "" {
					t.Errorf("%s: %+v", name, r)
				}
			}
		}
		if r, err := check(t, sharpened(t, name, 3, 4, 1), 1); err != nil || r.Draws != 128 {
			t.Errorf("%s as exported: %+v, %v", name, r, err)
		}
	}
	if high > total/20+3 {
		t.Errorf("evidence of 20 against %d of %d honest networks", high, total)
	}
	t.Logf("evidence of 20 against %d of %d honest networks", high, total)
}

// TestReference agrees with ONNX Runtime for all architectures, and tells weights from others.
func TestReference(t *testing.T) {
	onnxtest.Open(t)
	for name := range tiny {
		b := sharpened(t, name, 3, 6, 1)
		p, err := lattice.NewPotts(3, 6, 6)
		if err != nil {
			t.Fatal(err)
		}
		proposer := onnxtest.Proposer(t, b, 1, 32, 32)
		o := honest.Options{System: p, Seed: 1}
		if worst, err := honest.Reference(context.Background(), b, proposer, 6, o); err != nil || worst == 0 {
			t.Errorf("%s: %g, %v", name, worst, err)
		}
		if _, err := honest.Reference(context.Background(), sharpened(t, name, 3, 6, 1.2), proposer, 6, o); err == nil {
			t.Errorf("%s: other weights passed", name)
		}
		if _, err := honest.CheckProposer(context.Background(), b, proposer, o); err == nil {
			t.Errorf("%s: a proposer for 32 walkers was tested", name)
		}
	}
}
