package models_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/models"
)

// TestArchitecturesOfSystems builds the networks that every system has, and finds those that
// it cannot have refused with the architecture, the system and the remedy.
func TestArchitecturesOfSystems(t *testing.T) {
	cubic := models.System{Model: "potts3d", Q: 3, Sides: []int{3, 4, 5}}
	capel := models.System{Model: "blume_capel", Q: 3, Sides: []int{4, 3}}
	wu := models.System{Model: "baxter_wu", Q: 2, Sides: []int{6, 3}}
	dense := models.Hyperparameters{Encoder: 4, Latent: 2, Decoder: 4, Floor: 1e-3, Noise: 0.2}
	conv := models.Hyperparameters{Width: 2, Depth: 1, Kernel: 3, Floor: 1e-3}
	tied := dense
	tied.EnergyWeight = 20
	half := dense
	half.Encoder, half.EncoderKind, half.Width, half.Depth, half.Kernel = 0, models.Convolutional, 2, 1, 3
	for _, c := range []struct {
		architecture string
		s            models.System
		h            models.Hyperparameters
		refused      string // with these words, separated by /
	}{
		{models.Made, cubic, dense, ""},
		{models.Made, wu, dense, ""},
		{models.Autoencoder, cubic, dense, ""},
		{models.Autoencoder, capel, dense, ""},
		{models.Conv, capel, conv, ""},
		{models.Conv, wu, conv, ""},
		{models.Autoencoder, wu, half, ""},
		{models.Conv, cubic, conv, "architecture conv/potts3d q=3, size 3x4x5/take the architecture made"},
		{models.Autoencoder, cubic, half, "architecture autoencoder/potts3d/dense"},
		{models.Autoencoder, capel, tied, "architecture autoencoder/energy_weight/blume_capel q=3, size 4x3/set it to 0"},
		{models.Microcanonical, wu, models.Hyperparameters{Width: 4, Floor: 1e-3}, "architecture microcanonical/baxter_wu/take the architecture autoencoder"},
	} {
		m, err := models.New(c.architecture, c.s, c.h)
		if c.refused != "" {
			for _, word := range strings.Split(c.refused, "/") {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("%s for %v: %v does not say %q", c.architecture, c.s, err, word)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s for %v: %v", c.architecture, c.s, err)
			continue
		}
		if len(m.Initial(rand.New(rand.NewPCG(1, 2)))) == 0 {
			t.Errorf("%s for %v has no weights", c.architecture, c.s)
		}
		if _, err := m.Gradient(); err != nil {
			t.Errorf("%s for %v: %v", c.architecture, c.s, err)
		}
	}
	if s := (models.System{Q: 2, Sides: []int{3, 5}}); s.Sites() != 15 || s.String() != "potts q=2, size 3x5" {
		t.Errorf("%v has %d sites", s, s.Sites())
	}
}
