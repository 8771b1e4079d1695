package draft_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"neuralwl/internal/config"
	"neuralwl/internal/draft"
	"neuralwl/internal/long"
)

// requests are all answers, in sizes on both sides of every change of method.
func requests() (all []draft.Request) {
	beta := 0.7
	for _, model := range config.Models {
		colours, sizes, set := []int{0}, long.Or([]string{"", "3x3", "8x8", "24x24", "32x32", "70x70", "9x30"}, []string{"", "32x32"}), [][]string{nil}
		switch model {
		case config.Potts:
			colours = long.Or([]int{0, 2, 3, 4, 5, 8, 10, 12, 13, 255}, []int{0, 4, 20})
		case config.Potts3D:
			colours, sizes = []int{0, 2, 3}, []string{"", "3x3x3", "10x10x10"}
		case config.BaxterWu:
			sizes = []string{"", "3x3", "27x27", "36x36"}
		case config.BlumeCapel:
			set = [][]string{nil, {"system.crystal_field=1.75"}, {"system.crystal_field=1.97"}}
		case config.IsingField:
			set = [][]string{nil, {"system.field=0.5"}}
		case config.File:
			ring := "i j J\n"
			for i := range 30 {
				ring += fmt.Sprintf("%d %d %d\n", i, (i+1)%30, i%3-1)
			}
			sizes, set = []string{"", "6x5"}, [][]string{{"system.couplings=" + ring, "system.title=ring"}, {"system.couplings=" + ring, "system.bin=0.5"}}
		case config.RandomBond:
			set = [][]string{nil, {"system.antiferromagnetic=0.2", "system.disorder_seed=7"}}
		}
		for _, q := range colours {
			for _, size := range sizes {
				for _, s := range set {
					for _, wish := range draft.Wishes {
						for _, limit := range []time.Duration{0, 90 * time.Second} {
							r := draft.Request{Model: model, Colours: q, Size: size, Wish: wish, Time: limit, Set: s}
							if wish == draft.Canonical {
								r.Beta = &beta
							}
							all = append(all, r)
						}
					}
				}
			}
		}
	}
	return all
}

// TestAllAnswers writes a file for every answer that config.Load reads back as the configuration meant,
// and in which no key but those of the system and the method could be left out.
func TestAllAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.yaml")
	methods := map[string]int{}
	for _, r := range requests() {
		name := fmt.Sprintf("%+v", r)
		d, err := draft.New(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := os.WriteFile(path, d.Text, 0o644); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(path, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if changes := config.Changes(d.Config, c); len(changes) > 0 {
			t.Errorf("%s: it reads back with %v", name, changes)
		}
		methods[c.Run.Method]++
		if c.Run.MaxTime != r.Time {
			t.Errorf("%s: run.max_time %v", name, c.Run.MaxTime)
		}
		var file map[string]map[string]any
		if err := yaml.Unmarshal(d.Text, &file); err != nil {
			t.Fatal(err)
		}
		for section, values := range file {
			for key := range values {
				if !strings.Contains(string(d.Text), "# "+section+"."+key+": ") {
					t.Errorf("%s: %s.%s has no comment", name, section, key)
				}
				if section == "system" || key == "method" {
					continue
				}
				value := values[key]
				delete(values, key)
				text, err := yaml.Marshal(file)
				if err != nil {
					t.Fatal(err)
				}
				if without, err := config.Compose(text, nil); err == nil && len(config.Changes(c, without)) == 0 {
					t.Errorf("%s: %s.%s changes nothing", name, section, key)
				}
				values[key] = value
			}
		}
	}
	for _, method := range []string{config.MulticanonicalMethod, config.WangLandauMethod, config.NeuralWangLandauMethod, config.CanonicalMethod} {
		if methods[method] == 0 {
			t.Errorf("%s was never chosen: %v", method, methods)
		}
	}
}

// TestChoice chooses what the table of README.md says.
func TestChoice(t *testing.T) {
	for _, c := range []struct {
		r    draft.Request
		want []string // of the configuration's changes
		note string
	}{
		{draft.Request{Size: "16x16"}, []string{"method: multicanonical"}, "four seconds"},
		{draft.Request{Size: "32x32"}, []string{"method: neural-wang-landau", "bundle: pretrained/potts-q10-checkerboard", "every: 0", "sweeps: 100", "walkers: 128"}, "20 minutes"},
		{draft.Request{Size: "33x32"}, []string{"bundle: pretrained/potts-q10"}, "20 minutes"},
		{draft.Request{Size: "32x32", Wish: draft.Transition}, []string{"bundle: pretrained/potts-q10-checkerboard", "histogram: phases", "phase_share: 0.9"}, ""},
		{draft.Request{Colours: 8, Size: "32x32", Wish: draft.Transition}, []string{"bundle: pretrained/potts", "sweeps: 20", "trials: 2"}, ""},
		{draft.Request{Colours: 100, Size: "32x32"}, []string{"method: multicanonical"}, "few round trips"},
		{draft.Request{Model: config.Ising, Size: "32x32", Wish: draft.Transition}, []string{"method: wang-landau", "count: 4"}, "not known to be of first order"},
		{draft.Request{Model: config.RandomBond}, []string{"method: multicanonical"}, "another run.seed"},
		{draft.Request{Size: "80x80"}, nil, "beyond which nothing was tried"},
		{draft.Request{Wish: draft.Canonical, Beta: new(1.42)}, []string{"method: canonical", "beta: 1.42", "passes: 10000"}, "stay in the phase"},
		{draft.Request{Set: []string{"run.seed=7", "model.bundle="}}, []string{"seed: 7"}, ""},
	} {
		d, err := draft.New(c.r)
		if err != nil {
			t.Errorf("%+v: %v", c.r, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(string(d.Text), "  "+want+"\n") {
				t.Errorf("%+v: no %q in\n%s", c.r, want, d.Text)
			}
		}
		if c.note == "" == (len(d.Notes) > 0) && c.note != "" || !strings.Contains(strings.Join(d.Notes, " "), c.note) {
			t.Errorf("%+v: no %q in %q", c.r, c.note, d.Notes)
		}
	}
}

// TestRefused names what is wrong with a request.
func TestRefused(t *testing.T) {
	for want, r := range map[string]draft.Request{
		"system.size":             {Size: "2x2"},
		"system.q":                {Colours: 1},
		"potts":                   {Model: "heisenberg"},
		"did you mean system.q?":  {Set: []string{"system.qq=3"}},
		"write --set key=value":   {Set: []string{"seed"}},
		"is not one of density":   {Wish: "weather"},
		"inverse temperature":     {Wish: draft.Canonical},
		"has a meaning for":       {Beta: new(1.0)},
		"is negative":             {Time: -1},
		"run.beta: NaN":           {Wish: draft.Canonical, Beta: new(math.NaN())},
		"has no such parameter":   {Set: []string{"system.field=1"}},
		"contradicts system.mode": {Model: config.Ising, Colours: 3},
	} {
		if _, err := draft.New(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: no %q in %v", r, want, err)
		}
	}
}

// TestFirstOrder tells the orders of the transitions that are known.
func TestFirstOrder(t *testing.T) {
	for _, c := range []struct {
		config.System
		want bool
	}{
		{config.System{Model: config.Potts, Q: 4}, false},
		{config.System{Model: config.Potts, Q: 5}, true},
		{config.System{Model: config.Potts3D, Q: 2}, false},
		{config.System{Model: config.Potts3D, Q: 3}, true},
		{config.System{Model: config.BlumeCapel, CrystalField: 1.75}, false},
		{config.System{Model: config.BlumeCapel, CrystalField: 1.97}, true},
		{config.System{Model: config.BlumeCapel, CrystalField: 2}, false},
		{config.System{Model: config.BaxterWu, Q: 2}, false},
	} {
		if got := draft.FirstOrder(c.System); got != c.want {
			t.Errorf("%+v: %v", c.System, got)
		}
	}
}
