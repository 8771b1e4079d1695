package setup_test

import (
	"log/slog"
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
