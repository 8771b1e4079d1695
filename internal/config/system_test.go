package config_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// TestModels makes the system of every model from its defaults, which depend on the model.
func TestModels(t *testing.T) {
	pair := pairFile(t)
	for model, want := range map[string]struct {
		q            int
		moves        string
		system, name string
	}{
		config.File:       {2, "local", "pair_1 ising f1b45e35 2", "pair_1-2"},
		config.Potts:      {10, "local neural", "potts q=10 8x8", "q10-8x8"},
		config.Ising:      {2, "local neural", "potts q=2 8x8", "q2-8x8"},
		config.Potts3D:    {10, "local", "potts q=10 6x6x6", "q10-6x6x6"},
		config.BlumeCapel: {3, "local", "blume-capel D=0 8x8", "blume_capel-8x8"},
		config.IsingField: {2, "local", "ising h=0 8x8", "ising_field-8x8"},
		config.RandomBond: {2, "local", "random-bond p=0.5 disorder 1 8x8", "random_bond-8x8"},
		config.BaxterWu:   {2, "local", "baxter-wu 9x9", "baxter_wu-9x9"},
		config.XY:         {0, "local", "xy E=-121.931..56 8x8", "xy-8x8"},
		config.Clock:      {10, "local", "clock q=10 8x8", "clock10-8x8"},
	} {
		settings := []string{"system.model=" + model}
		if model == config.File {
			settings = append(settings, "system.file="+pair)
		}
		c := load(t, "", settings...)
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
	if len(config.Models) != 10 {
		t.Errorf("%d models: add the new ones to this test", len(config.Models))
	}
	for settings, moves := range map[string]string{
		"run.method=neural-wang-landau": "local neural", "run.moves=neural": "neural", "run.method=van-wang-landau": "neural", "run.method=wang-landau": "local",
	} {
		if c := load(t, "", "system.model=potts3d", settings); strings.Join(c.Run.Moves, " ") != moves {
			t.Errorf("potts3d %s: moves %v, want %s", settings, c.Run.Moves, moves)
		}
	}
	for settings, bin := range map[string]float64{"system.q=4": 0, "system.q=5": 0.5, "system.q=6 system.bin=2": 2, "system.bin=0.1": 0.1} {
		if c := load(t, "", append(strings.Fields(settings), "system.model=clock")...); c.System.Bin != bin {
			t.Errorf("clock %s: bins of %v, want %v", settings, c.System.Bin, bin)
		}
	}
	c := load(t, "", "system.model=blume_capel", "system.crystal_field=1.95", "system.size=4x5", "local.order=random")
	if s, err := c.System.New(); err != nil || s.String() != "blume-capel D=1.95 4x5" || math.Abs(s.Energy(s.GroundLevel())+20*(2-1.95)) > 1e-9 {
		t.Errorf("%v (%v)", s, err)
	}
}

// pairFile is a file with one coupling.
func pairFile(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "Pair_1.csv")
	if err := os.WriteFile(path, []byte("i,j,J\n0,1,-2\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestModelFaults checks that errors name whatever contradicts a model, with its key and
// the remedy.
func TestModelFaults(t *testing.T) {
	for settings, want := range map[string]string{
		"system.model=heisenberg":                                  "system.model: \"heisenberg\" is not one of potts, ising, potts3d",
		"system.model=potts3d system.size=4x4":                     "system.size: [4 4] must be 3 sides, as in 8x8x8",
		"system.model=pots":                                        "baxter_wu, clock, xy, file; did you mean potts?",
		"system.size=16*16":                                        "system.size: 16*16: sides have an x between them, as in 16x16",
		"run.method=canonicl":                                      "multiple-gaussian, canonical, van; did you mean canonical?",
		"system.model=potts3d system.size=4x4x2":                   "system.size: size = 4x4x2: each side",
		"system.size=4x4x4":                                        "system.size: [4 4 4] must be 2 sides",
		"system.model=baxter_wu system.size=8x9":                   "system.size: size = 8x9: each side must be a multiple of 3",
		"system.model=blume_capel system.q=4":                      "system.q: 4 contradicts system.model blume_capel",
		"system.model=blume_capel system.crystal_field=1.96582":    "system.crystal_field: crystal field D = 1.96582: energies have no common unit with J; give the levels a width (system.bin), or take a fraction of J with a denominator up to 100, such as 1.97",
		"system.bin=0.5":                                           "system.bin: the energies of system.model potts are levels by themselves",
		"system.model=blume_capel system.bin=1e-7":                 "bin = 1e-07: it must be a multiple of 1e-06",
		"system.model=file":                                        "system.file: system.model file needs a file with couplings",
		"system.model=file system.file=nowhere.csv":                "system.file: open nowhere.csv: no such file",
		"system.model=file system.q=10 system.file=" + pairFile(t): "system.q: 10 contradicts the couplings, whose sites have 2 colours",
		"system.model=blume_capel system.bin=1 run.method=canonical run.beta=2 run.max_time=1s": "system.bin: 1 is too wide for run.beta 2",
		"system.couplings=0":                   "system.couplings: system.model potts has no such parameter, but file has",
		"system.model=file system.couplings=0": "system.couplings: \nline 1",

		"system.model=clock system.q=5 system.bin=0":                                                               "system.q: q = 5: the energies cos(2 pi k/5) have no common unit; give the levels a width (system.bin), or take q = 2, 3, 4 or 6",
		"system.model=clock local.move=cluster":                                                                    "local.move: cluster, but a pair of sites of system.model clock has more than two energies",
		"system.model=xy system.q=5":                                                                               "system.q: 5 contradicts system.model xy, whose sites have angles; leave system.q out or take system.model clock",
		"system.model=xy system.bin=0":                                                                             "system: bin = 0: angles make a continuum of energies, so that levels need a width (system.bin)",
		"system.model=xy system.lowest=-2.5":                                                                       "system: lowest = -2.5: the range of energies must begin within -2..0 per site",
		"system.model=xy system.highest=0.1":                                                                       "system: energies of -1.905..0.1 per site leave out up to 0.84 of all states",
		"system.model=xy system.size=4x2":                                                                          "system: size = 4x2: each side must be at least 3, or one of them 1 for a ring",
		"system.model=xy local.move=heat_bath":                                                                     "local.move: heat_bath moves colours, but the sites of system.model xy have angles; take metropolis or overrelaxation",
		"system.model=xy run.moves=[local,neural] model.architecture=made":                                         "model.architecture: made draws colours, but the sites of system.model xy have angles; take flow",
		"system.model=xy run.moves=[local,neural] neural.partial=0.5":                                              "neural.partial: 0.5, but proposals of a flow keep no sites",
		"system.model=xy run.moves=[local,neural] model.harmonics=[9]":                                             "model.harmonics: 9 is not within 1..8",
		"system.model=xy run.moves=[local,neural] model.harmonics=[]":                                              "model.harmonics: there are 0",
		"system.model=xy run.moves=[local,neural] neural.coldest=0":                                                "neural.coldest: 0 is not a positive number",
		"system.model=xy run.method=van run.beta=1":                                                                "run.method: van draws colours",
		"model.architecture=flow":                                                                                  "model.architecture: flow draws angles, but system.model potts has colours",
		"local.move=overrelaxation":                                                                                "local.move: overrelaxation reflects angles, but system.model potts has colours",
		"system.lowest=-1":                                                                                         "system.lowest: system.model potts has no such parameter, but xy has",
		"system.model=ising_field system.field=.nan":                                                               "system.field: .nan",
		"system.model=random_bond system.antiferromagnetic=1.5":                                                    "system.antiferromagnetic: p = 1.5",
		"system.field=0.5":                                                                                         "system.field: system.model potts has no such parameter, but ising_field has",
		"system.model=ising_field system.crystal_field=1":                                                          "system.crystal_field: system.model ising_field has no such parameter",
		"system.model=baxter_wu system.disorder_seed=2":                                                            "system.disorder_seed: system.model baxter_wu has no such parameter",
		"local.order=backwards":                                                                                    "local.order: \"backwards\" is not one of sequential, random",
		"system.model=random_bond run.moves=[local,neural] model.architecture=microcanonical":                      "model.architecture: microcanonical counts the bonds of system.model potts and ising and has no meaning for random_bond; take autoencoder, made or conv",
		"system.model=baxter_wu run.moves=[local,neural] model.energy_weight=20":                                   "model.energy_weight: 20, ties of the latent space are made for system.model potts and ising, not for baxter_wu; set it to 0",
		"system.model=blume_capel run.moves=[local,neural] model.energy_weight=20 neural.shift=4":                  "neural.shift: 4, shifts of the energy are made for",
		"system.model=potts3d run.moves=[local,neural] model.architecture=conv":                                    "model.architecture: convolutions are made for lattices with two sides, not for system.model potts3d; take made, or autoencoder with dense",
		"system.model=potts3d run.moves=[local,neural] model.decoder_kind=convolutional":                           "model.encoder_kind: convolutions are made for",
		"system.model=random_bond run.moves=[local,neural] model.architecture=rbm model.hidden_kind=convolutional": "model.hidden_kind: convolutional, which looks for equal colours of system.model potts and ising, not of random_bond; take dense",
	} {
		if _, err := config.Load("", strings.Fields(settings)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", settings, err)
		}
	}
}

// TestWithCouplings puts the couplings in the place of their file, wherever that is named.
func TestWithCouplings(t *testing.T) {
	path := pairFile(t)
	yaml := "system: {model: file, file: '" + path + "'}\n"
	for _, c := range []struct {
		text string
		set  []string
		n    int // assignments
	}{
		{"", []string{"system.model=file", "system.file=" + path}, 3},
		{yaml, nil, 3}, {yaml, []string{"system.title=other"}, 4}, {yaml, []string{"system.file=" + path}, 3},
	} {
		set, err := config.WithCouplings([]byte(c.text), c.set)
		if err != nil {
			t.Fatal(err)
		}
		if len(set) != c.n {
			t.Errorf("%q %q: %q", c.text, c.set, set)
		}
		got, err := config.Compose([]byte(c.text), set)
		if err != nil {
			t.Fatal(err)
		}
		title := "pair_1"
		if len(c.set) == 1 && strings.Contains(c.set[0], "title") {
			title = "other"
		}
		if s := got.System; s.Couplings != "i j J\n0 1 -2\n" || s.File != "" || s.Title != title {
			t.Errorf("%q %q: %+v", c.text, c.set, s)
		}
	}
	if set, err := config.WithCouplings([]byte("system: ["), []string{"run.seed=2"}); err != nil || len(set) != 1 {
		t.Errorf("%q (%v)", set, err)
	}
	if _, err := config.WithCouplings(nil, []string{"system.file=nowhere"}); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("%v", err)
	}
	if _, err := config.Compose(nil, []string{"system.model=file", "system.file=" + path}); err == nil || !strings.Contains(err.Error(), "put its couplings into system.couplings") {
		t.Errorf("a file is read where it must not be: %v", err)
	}
}

// TestManyCouplings takes a block of couplings of more than a configuration has otherwise, with commas or tabs between
// the numbers, and no such block of anything else.
func TestManyCouplings(t *testing.T) {
	block := func(separator string) string {
		var text strings.Builder
		text.WriteString("system:\n  model: file\n  couplings: |\n    i j J\n")
		for i := range 8000 {
			fmt.Fprintf(&text, "    %d%s%d%s-1\n", i, separator, i+1, separator)
		}
		return text.String()
	}
	for _, separator := range []string{" ", ",", "\t"} {
		if c, err := config.Compose([]byte(block(separator)), nil); err != nil || !strings.Contains(c.System.Couplings, "7999") {
			t.Errorf("%q: %.200v", separator, err)
		}
	}
	long := "system:\n  couplings: |\n" + strings.Repeat("    i j J\n", 30000)
	if _, err := config.Compose([]byte("system:\n  couplings: \""+strings.Repeat("0", 1000)+"\\a\"\n"), nil); err == nil || len(err.Error()) > 400 {
		t.Errorf("%.1000v", err)
	}
	if _, err := config.Compose([]byte(long), nil); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%.200v", err)
	}
}
