package config_test

import (
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/sampler/lattice"
)

// TestJoint makes systems of pairs, with defaults of runs without a network.
func TestJoint(t *testing.T) {
	for _, test := range []struct{ model, joint, system, name string }{
		{config.IsingField, config.Magnetisation, "ising h=0 by magnetisation 8x8", "ising_field-magnetisation-8x8"},
		{config.BlumeCapel, config.Squares, "blume-capel D=0 by squares 8x8", "blume_capel-squares-8x8"},
		{config.BlumeCapel, config.Magnetisation, "blume-capel D=0 by magnetisation 8x8", "blume_capel-magnetisation-8x8"},
		{config.Potts, config.Colour, "potts q=10 by colour 8x8", "q10-colour-8x8"},
		{config.Ising, config.Colour, "potts q=2 by colour 8x8", "q2-colour-8x8"},
		{config.RandomBond, config.Magnetisation, "random-bond p=0.5 disorder 1 by magnetisation 8x8", "random_bond-magnetisation-8x8"},
	} {
		c := load(t, "", "system.model="+test.model, "system.joint="+test.joint)
		s, err := c.System.New()
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != test.system || c.System.Name() != test.name || lattice.JointOf(s).Second() != test.joint {
			t.Errorf("%s by %s: %v, %s", test.model, test.joint, s, c.System.Name())
		}
		if strings.Join(c.Run.Moves, " ") != config.LocalMoves || c.Run.Method != config.WangLandauMethod {
			t.Errorf("%v: moves %v by %s", s, c.Run.Moves, c.Run.Method)
		}
	}
}

func TestJointFaults(t *testing.T) {
	for settings, want := range map[string]string{
		"system.model=ising system.joint=magnetisation":                                                     "take system.model ising_field",
		"system.model=ising_field system.joint=squares":                                                     "ising_field, which has magnetisation",
		"system.model=ising_field system.joint=magnetisation system.field=0.5":                              "holds all fields",
		"system.model=blume_capel system.joint=squares system.crystal_field=1":                              "holds all crystal fields",
		"system.model=ising_field system.joint=magnetisation system.bin=1":                                  "single energies",
		"system.model=ising_field system.joint=magnetisation local.move=cluster":                            "clusters are made for levels that are energies alone",
		"system.model=ising_field system.joint=magnetisation production.histogram=phases":                   "divides energies alone",
		"system.model=ising_field system.joint=magnetisation run.method=canonical run.beta=1":               "does not find a density of states of pairs",
		"system.model=ising_field system.joint=magnetisation run.method=van-wang-landau":                    "does not find a density of states of pairs",
		"system.model=potts system.joint=colour run.moves=[local,neural] model.architecture=microcanonical": "microcanonical",
		"system.model=ising_field system.joint=magnetisation run.method=metadynamics":                       "does not find a density of states of pairs",
		"system.model=ising_field system.joint=magnetisation run.method=multiple-gaussian":                  "does not find a density of states of pairs",
		"system.model=potts system.joint=magnetisation":                                                     "potts, which has colour",
		"system.model=ising_field system.joint=magnetisation system.size=4x4 windows.count=64":              "too narrow",
		"system.model=ising_field system.joint=magnetisation system.size=80x80":                             "pairs are supported",
	} {
		if _, err := config.Load("", strings.Fields(settings)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
}
