package config_test

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// TestModels makes the system of every model from its defaults, which depend on the model.
func TestModels(t *testing.T) {
	for model, want := range map[string]struct {
		q            int
		moves        string
		system, name string
	}{
		config.Potts:      {10, "local neural", "potts q=10 8x8", "q10-8x8"},
		config.Ising:      {2, "local neural", "potts q=2 8x8", "q2-8x8"},
		config.Potts3D:    {10, "local", "potts q=10 6x6x6", "q10-6x6x6"},
		config.BlumeCapel: {3, "local", "blume-capel D=0 8x8", "blume_capel-8x8"},
		config.IsingField: {2, "local", "ising h=0 8x8", "ising_field-8x8"},
		config.RandomBond: {2, "local", "random-bond p=0.5 disorder 1 8x8", "random_bond-8x8"},
		config.BaxterWu:   {2, "local", "baxter-wu 9x9", "baxter_wu-9x9"},
	} {
		c := load(t, "", "system.model="+model)
		s, err := c.System.New()
		if err != nil {
			t.Fatal(err)
		}
		if c.System.Q != want.q || s.Colours() != want.q || strings.Join(c.Run.Moves, " ") != want.moves || s.String() != want.system || c.System.Name() != want.name {
			t.Errorf("%s: q %d, moves %v, system %v, name %s", model, c.System.Q, c.Run.Moves, s, c.System.Name())
		}
		data, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if again := load(t, file(t, string(data))); !reflect.DeepEqual(c, again) {
			t.Errorf("%s: wrote %+v\nread %+v", model, c, again)
		}
	}
	if len(config.Models) != 7 {
		t.Errorf("%d models: add the new ones to this test", len(config.Models))
	}
	for settings, moves := range map[string]string{
		"run.method=neural-wang-landau": "local neural", "run.moves=neural": "neural", "run.method=van-wang-landau": "neural", "run.method=wang-landau": "local",
	} {
		if c := load(t, "", "system.model=potts3d", settings); strings.Join(c.Run.Moves, " ") != moves {
			t.Errorf("potts3d %s: moves %v, want %s", settings, c.Run.Moves, moves)
		}
	}
	c := load(t, "", "system.model=blume_capel", "system.crystal_field=1.95", "system.size=4x5", "local.order=random")
	if s, err := c.System.New(); err != nil || s.String() != "blume-capel D=1.95 4x5" || math.Abs(s.Energy(s.GroundLevel())+20*(2-1.95)) > 1e-9 {
		t.Errorf("%v (%v)", s, err)
	}
}

// TestModelFaults checks that errors name whatever contradicts a model, with its key and
// the remedy.
func TestModelFaults(t *testing.T) {
	for settings, want := range map[string]string{
		"system.model=heisenberg":                                                                 "system.model: \"heisenberg\" is not one of potts, ising, potts3d",
		"system.model=potts3d system.size=4x4":                                                    "system.size: [4 4] must be 3 sides",
		"system.model=potts3d system.size=4x4x2":                                                  "system.size: size = 4x4x2: each side",
		"system.size=4x4x4":                                                                       "system.size: [4 4 4] must be 2 sides",
		"system.model=baxter_wu system.size=8x9":                                                  "system.size: size = 8x9: each side must be a multiple of 3",
		"system.model=blume_capel system.q=4":                                                     "system.q: 4 contradicts system.model blume_capel",
		"system.model=blume_capel system.crystal_field=1.96582":                                   "system.crystal_field: crystal field D = 1.96582: energies have no common unit with J; take a fraction of J with a denominator up to 100, such as 1.97",
		"system.model=ising_field system.field=.nan":                                              "system.field: .nan",
		"system.model=random_bond system.antiferromagnetic=1.5":                                   "system.antiferromagnetic: p = 1.5",
		"system.field=0.5":                                                                        "system.field: system.model potts has no such parameter, but ising_field has",
		"system.model=ising_field system.crystal_field=1":                                         "system.crystal_field: system.model ising_field has no such parameter",
		"system.model=baxter_wu system.disorder_seed=2":                                           "system.disorder_seed: system.model baxter_wu has no such parameter",
		"local.order=backwards":                                                                   "local.order: \"backwards\" is not one of sequential, random",
		"system.model=random_bond run.moves=[local,neural] model.architecture=microcanonical":     "model.architecture: microcanonical counts the bonds of system.model potts and ising and has no meaning for random_bond; take autoencoder, made or conv",
		"system.model=baxter_wu run.moves=[local,neural] model.energy_weight=20":                  "model.energy_weight: 20, ties of the latent space are made for system.model potts and ising, not for baxter_wu; set it to 0",
		"system.model=blume_capel run.moves=[local,neural] model.energy_weight=20 neural.shift=4": "neural.shift: 4, shifts of the energy are made for",
		"system.model=potts3d run.moves=[local,neural] model.architecture=conv":                   "model.architecture: convolutions are made for lattices with two sides, not for system.model potts3d; take made, or autoencoder with dense",
		"system.model=potts3d run.moves=[local,neural] model.decoder_kind=convolutional":          "model.encoder_kind: convolutions are made for",
	} {
		if _, err := config.Load("", strings.Fields(settings)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", settings, err)
		}
	}
}
