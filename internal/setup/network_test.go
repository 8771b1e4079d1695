package setup_test

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/setup"
	"neuralwl/models"
)

// TestOrder builds microcanonical networks of both orders: the card has the order, which
// stays with a bundle on another lattice, while model.init takes the weights alone.
func TestOrder(t *testing.T) {
	bundle := func(settings string) *exporter.Bundle {
		t.Helper()
		c, err := config.Load("", strings.Fields("system.q=3 model.width=4 model.window=2 "+settings))
		if err != nil {
			t.Fatal(err)
		}
		b, err := setup.Bundle(c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if !b.Own() {
			t.Errorf("%s: the graphs are not those of the card", settings)
		}
		return b
	}
	diagonal := bundle("system.size=6x4 model.architecture=microcanonical model.order=diagonal")
	folder, err := diagonal.Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for settings, want := range map[string]string{
		"model.bundle=" + folder + " system.size=6x4":                                    models.Diagonal,
		"model.bundle=" + folder + " system.size=7x5":                                    models.Diagonal,
		"model.init=" + folder + " system.size=7x5 model.architecture=microcanonical":    "",
		"system.size=6x4 model.architecture=microcanonical model.order=" + models.Raster: "",
	} {
		if got := bundle(settings).Card.Hyperparameters.Order; got != want {
			t.Errorf("%s: order %q, want %q", settings, got, want)
		}
	}
}

// TestColours rebuilds a network for another number of colours where its weights do not depend
// on it, and else refuses it.
func TestColours(t *testing.T) {
	config := func(settings string) *config.Config {
		t.Helper()
		c, err := config.Load("", strings.Fields("system.size=6x4 "+settings))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	log := slog.New(slog.DiscardHandler)
	from, err := setup.OpenBundle("pretrained/potts-q10")
	if err != nil {
		t.Fatal(err)
	}
	b, err := setup.Fit(config("system.q=8"), from, log)
	if err != nil {
		t.Fatal(err)
	}
	if s := b.Card.System.System(); s.Q != 8 || s.Size() != "6x4" {
		t.Errorf("rebuilt for %v", s)
	}
	before, err := from.Weights()
	if err != nil {
		t.Fatal(err)
	}
	if after, err := b.Weights(); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("the weights changed, %v", err)
	}
	fixed, err := setup.Bundle(config("system.q=3 model.architecture=made model.decoder=8"), log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := setup.Fit(config("system.q=4"), fixed, log); err == nil || !strings.Contains(err.Error(), "was made for") {
		t.Errorf("a network of three colours for four: %v", err)
	}
}
