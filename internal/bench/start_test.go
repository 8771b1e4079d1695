package bench

import (
	"log/slog"
	"slices"
	"testing"

	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/setup"
	"neuralwl/sampler/lattice"
)

// TestEquilibrium has a network spread walkers over all energies, from where local moves go on.
func TestEquilibrium(t *testing.T) {
	onnxtest.Open(t)
	p, err := lattice.NewPotts(10, 4, 16)
	if err != nil {
		t.Fatal(err)
	}
	o := ErrorOptions{Options: Options{System: p, Seed: 1, Runtime: onnxtest.Runtime(1), Part: 16, Walkers: 64, LocalWalkers: 64}}
	if o.LnG, err = setup.Levels(exacttest.Density(t, 10, 4, 16), p); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load("", []string{"system.q=10", "system.size=4x16", "model.bundle=pretrained/potts-q10"})
	if err != nil {
		t.Fatal(err)
	}
	if o.Bundle, err = setup.Bundle(c, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	store, err := inference.OpenStore(o.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	start, err := o.equilibrium(t.Context(), store, 0)
	if err != nil {
		t.Fatal(err)
	}
	low := 0
	for _, level := range start.Levels {
		if level < p.Levels()/2 {
			low++
		}
	}
	if low < 16 || low > 48 {
		t.Errorf("%d of 64 walkers are in the lower half of a flat histogram", low)
	}
	local := &contender{mix: Mix{Mix: config.Mix{Sweeps: 1}}}
	if err := local.open(o.Options, store); err != nil {
		t.Fatal(err)
	}
	if err := local.place(start); err != nil {
		t.Fatal(err)
	}
	if s := local.engine.Snapshot(); !slices.Equal(s.Levels, start.Levels) || !slices.Equal(s.States, start.States) {
		t.Error("local moves start elsewhere")
	}
	if err := local.engine.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}
