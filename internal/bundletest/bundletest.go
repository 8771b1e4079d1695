// Package bundletest makes bundles of small networks for tests.
package bundletest

import (
	"math/rand/v2"
	"testing"

	"neuralwl/exporter"
	"neuralwl/models"
)

// New returns a bundle with the name "tiny" and random weights, always the same ones.
func New(t testing.TB, architecture string, s models.System, h models.Hyperparameters) *exporter.Bundle {
	t.Helper()
	b, err := exporter.NewUntrained("tiny", architecture, s, h, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Scale multiplies those of the named weights that a bundle has by factors.
func Scale(t testing.TB, b *exporter.Bundle, factors map[string]float32) {
	t.Helper()
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	for name, factor := range factors {
		if w, ok := weights[name]; ok {
			for i := range w.Float32s() {
				w.Float32s()[i] *= factor
			}
		}
	}
	if err := b.SetWeights(weights); err != nil {
		t.Fatal(err)
	}
}
