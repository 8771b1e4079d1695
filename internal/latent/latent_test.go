package latent_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/latent"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
	"neuralwl/trainer"
)

// learn trains a small autoencoder on states of all energies.
func learn(t *testing.T, p *lattice.Potts, weight float64, tie string, steps int) *exporter.Bundle {
	t.Helper()
	h := models.Hyperparameters{Encoder: 32, Latent: 4, Decoder: 32, Floor: 1e-3, Noise: 1, EnergyWeight: weight, Tie: tie}
	b, err := exporter.NewUntrained("small", models.Autoencoder, models.System{Model: models.Potts, Q: p.Q(), Sides: p.Sides()}, h, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	store := onnxtest.Store(t, b)
	tr, err := trainer.New(trainer.Options{System: p, Batch: 128, LearningRate: 5e-3}, b, store, inference.Runtime{Provider: inference.CPU, Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	e, err := sampler.New(sampler.Options{System: p, Walkers: 64, Local: local.HeatBath})
	if err != nil {
		t.Fatal(err)
	}
	for range steps {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i := range e.Walkers() {
			tr.Remember(e.State(i))
		}
		if err := tr.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := tr.Export(b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestLook finds the quantity to which coordinate 0 is tied in it, and that moves along it change
// that; without a tie there are no such moves.
func TestLook(t *testing.T) {
	p, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	for tie, weight := range map[string]float64{models.EnergyTie: 50, models.OrderTie: 50, "": 0} {
		b := learn(t, p, weight, tie, 200)
		s, err := latent.Look(context.Background(), latent.Options{
			System: p, Bundle: b, Runtime: inference.Runtime{Provider: inference.CPU, Workers: 1}, Part: 128, Seed: 1, States: 600,
		})
		if err != nil {
			t.Fatal(err)
		}
		tied := s.OfEnergy
		if tie == models.OrderTie {
			tied = s.OfOrder
		}
		_, largest := tied.Largest()
		t.Logf("tie %q: correlation %.3f, largest %.3f, explained %.3f", tie, tied.Coordinates[0], largest, tied.Explained)
		if s.Tie != tie || len(s.Latent) != 600 || len(s.Latent[0]) != 4 || tied.Explained < largest*largest-1e-9 || tied.Explained > 1 {
			t.Errorf("tie %q: %d latent vectors, %+v", s.Tie, len(s.Latent), tied)
		}
		if tie == "" {
			if s.Shifts != nil || math.Abs(tied.Coordinates[0]) > 0.9 {
				t.Errorf("without a tie: correlation %.3f, shifts %v", tied.Coordinates[0], s.Shifts)
			}
		} else if first, last := s.Shifts[0], s.Shifts[len(s.Shifts)-1]; tied.Coordinates[0] < 0.9 || first.Asked >= 0 || last.Moved-first.Moved < 0.25*(last.Asked-first.Asked) {
			t.Errorf("tie %q: correlation %.3f, shifts %+v", tie, tied.Coordinates[0], s.Shifts)
		}
		var table, text bytes.Buffer
		if err := s.WriteCSV(&table); err != nil || !strings.HasPrefix(table.String(), "energy,order_parameter,z0,z1,z2,z3\n") || strings.Count(table.String(), "\n") != 601 {
			t.Errorf("%v, %.100s", err, table.String())
		}
		if err := s.Print(&text); err != nil || strings.Contains(text.String(), "shift") != (tie != "") {
			t.Errorf("%v, %s", err, text.String())
		}
		figure, err := s.Figure("small")
		if err == nil {
			err = figure.Encode(io.Discard, "latent.svg")
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// TestLookRefuses names what is wrong.
func TestLookRefuses(t *testing.T) {
	p, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	b, err := exporter.NewUntrained("flat", models.Made, models.System{Model: models.Potts, Q: 3, Sides: []int{4, 4}}, models.Hyperparameters{Decoder: 8, Floor: 1e-3}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := latent.Look(context.Background(), latent.Options{System: p, Bundle: b, States: 600}); err == nil || !strings.Contains(err.Error(), "no latent space; take one of the architecture autoencoder") {
		t.Errorf("made: %v", err)
	}
	if _, err := latent.Look(context.Background(), latent.Options{System: p, Bundle: learn(t, p, 0, "", 1), States: 6}); err == nil || !strings.Contains(err.Error(), "6 configurations") {
		t.Errorf("six configurations: %v", err)
	}
}
