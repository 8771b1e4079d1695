// Package compare measures which sampler is best for which system: a matrix of systems, samplers,
// budgets and seeds, each cell of which is a run of its own, with statistics of all of them.
package compare

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"neuralwl/internal/config"
	"neuralwl/internal/near"
	"neuralwl/models/pretrained"
)

// Spec is what is to be compared.
type Spec struct {
	// Name is a short one, and Title and Notes are for people.
	Name  string `yaml:"name" json:"name"`
	Title string `yaml:"title,omitempty" json:"title,omitempty"`
	Notes string `yaml:"notes,omitempty" json:"notes,omitempty"`
	// Seeds is the number of seeds, from FirstSeed on, by default 8 from 1.
	Seeds     int    `yaml:"seeds" json:"seeds"`
	FirstSeed uint64 `yaml:"first_seed" json:"first_seed"`
	// Budgets are factors of the moves of all cells, by default 1.
	Budgets []float64 `yaml:"budgets,flow" json:"budgets"`
	// Targets are root mean square errors of ln g, by default 0.1, 0.03 and 0.01. Target is the one by which
	// samplers are judged, by default the middle one.
	Targets []float64 `yaml:"targets,flow" json:"targets"`
	Target  float64   `yaml:"target" json:"target"`
	// Baseline is the sampler with which others are compared, by default the first.
	Baseline string `yaml:"baseline" json:"baseline"`
	// Repeat is how often the cells of a block are measured again, at most, in which the speed of the
	// machine changed.
	Repeat int `yaml:"repeat" json:"repeat"`
	// Set are settings of all cells, by key of the configuration.
	Set      map[string]string `yaml:"set,omitempty" json:"set,omitempty"`
	Systems  []System          `yaml:"systems" json:"systems"`
	Samplers []Sampler         `yaml:"samplers" json:"samplers"`
}

// System is what is sampled.
type System struct {
	Name string            `yaml:"name" json:"name"`
	Set  map[string]string `yaml:"set" json:"set"`
	// Moves is the budget of a cell in site updates; see run.max_moves.
	Moves float64 `yaml:"moves" json:"moves"`
	// Reference is the density of states from which errors are counted: exact, run for that of a long
	// run of the heat bath with ReferenceMoves, or a file.
	Reference      string  `yaml:"reference" json:"reference"`
	ReferenceMoves float64 `yaml:"reference_moves,omitempty" json:"reference_moves,omitempty"`
	// Targets and Target are those of this system, by default the specification's.
	Targets []float64 `yaml:"targets,flow,omitempty" json:"targets,omitempty"`
	Target  float64   `yaml:"target,omitempty" json:"target,omitempty"`
}

// The references that are no files.
const (
	ExactReference = "exact"
	RunReference   = "run"
)

// Sampler is a way to sample.
type Sampler struct {
	Name string            `yaml:"name" json:"name"`
	Set  map[string]string `yaml:"set" json:"set"`
	// Share is the part of a system's moves that this sampler gets, by default 1: a network's cost
	// more.
	Share float64 `yaml:"share,omitempty" json:"share,omitempty"`
	// Train are settings of a training before the run, whose network the run gets; without any the
	// network of model.bundle, or one that learns in the run.
	Train map[string]string `yaml:"train,omitempty" json:"train,omitempty"`
	// Systems are those for which it is there, by default all.
	Systems []string `yaml:"systems,omitempty,flow" json:"systems,omitempty"`
}

//go:embed specs/*.yaml
var builtIn embed.FS

// BuiltIn lists the names of the specifications that come with the program.
func BuiltIn() (names []string) {
	entries, err := fs.ReadDir(builtIn, "specs")
	if err != nil {
		panic(err) // of a folder that is part of the program
	}
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Open reads a specification: a file, or one that comes with the program by its name.
func Open(name string) (*Spec, error) {
	if slices.Contains(BuiltIn(), name) {
		text, err := builtIn.ReadFile(path.Join("specs", name+".yaml"))
		if err != nil {
			return nil, err
		}
		return Parse(text, ".")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the specification %s is no file and none of those that come with the program: %s%s", name, strings.Join(BuiltIn(), ", "), cmp.Or(near.Ask(name, BuiltIn()), near.AskPath(name)))
	}
	if err != nil {
		return nil, err
	}
	s, err := Parse(text, filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Parse reads a specification whose file names are relative to a folder, fills in the defaults and
// reports all faults at once.
func Parse(text []byte, folder string) (*Spec, error) {
	s := &Spec{}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("specification: %w", err)
	}
	s.ensureDefaults(folder)
	if faults := s.Validate(); len(faults) > 0 {
		return nil, fmt.Errorf("specification:\n%w", errors.Join(faults...))
	}
	return s, nil
}

// YAML returns the complete specification as a file that Parse reads back.
func (s *Spec) YAML() ([]byte, error) { return yaml.Marshal(s) }

func (s *Spec) ensureDefaults(folder string) {
	if s.Seeds == 0 {
		s.Seeds = 8
	}
	if s.FirstSeed == 0 {
		s.FirstSeed = 1
	}
	if s.Budgets == nil {
		s.Budgets = []float64{1}
	}
	if s.Targets == nil {
		s.Targets = []float64{0.1, 0.03, 0.01}
	}
	if s.Target == 0 && len(s.Targets) > 0 {
		s.Target = s.Targets[len(s.Targets)/2]
	}
	if s.Baseline == "" && len(s.Samplers) > 0 {
		s.Baseline = s.Samplers[0].Name
	}
	for i := range s.Systems {
		y := &s.Systems[i]
		if y.Reference == "" {
			y.Reference = ExactReference
		}
		if y.Reference == RunReference && y.ReferenceMoves == 0 {
			y.ReferenceMoves = 20 * y.Moves
		}
		if y.Reference != ExactReference && y.Reference != RunReference && !filepath.IsAbs(y.Reference) {
			y.Reference = absolute(filepath.Join(folder, y.Reference))
		}
		if y.Targets == nil {
			y.Targets = s.Targets
			if y.Target == 0 {
				y.Target = s.Target
			}
		}
		if y.Target == 0 && len(y.Targets) > 0 {
			y.Target = y.Targets[len(y.Targets)/2]
		}
	}
	for i := range s.Samplers {
		p := &s.Samplers[i]
		if p.Share == 0 {
			p.Share = 1
		}
		for _, settings := range []map[string]string{p.Set, p.Train} {
			for _, key := range bundleKeys {
				if b := settings[key]; b != "" && !strings.HasPrefix(b, pretrained.Prefix) && !filepath.IsAbs(b) {
					settings[key] = absolute(filepath.Join(folder, b))
				}
			}
		}
	}
}

func absolute(path string) string {
	if a, err := filepath.Abs(path); err == nil {
		return a
	}
	return path
}

// bundleKeys name folders.
var bundleKeys = []string{"model.bundle", "model.init"}

// names are those of systems and samplers: they become folders.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._=+-]*$`)

// forbidden are the keys that a comparison sets itself, or with which numbers do not repeat.
var forbidden = map[string]string{
	"run.seed": "seeds and first_seed of the specification say it", "run.max_moves": "moves of the system says it",
	"run.max_time": "cells stop by moves, so that numbers repeat", "run.workers": "each cell has one core",
	"train.max_time":    "a training stops by train.steps, so that numbers repeat",
	"production.passes": "cells stop by moves of the system",
	"system.joint":      "densities of states of the energy alone are compared",
}

// Validate returns all faults.
func (s *Spec) Validate() (faults []error) {
	fault := func(where, format string, a ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", where, fmt.Sprintf(format, a...)))
	}
	positive := func(where string, x float64) {
		if !(x > 0) || math.IsInf(x, 0) {
			fault(where, "%g is not a positive number", x)
		}
	}
	if !names.MatchString(s.Name) {
		fault("name", "%q: take letters, digits, blanks and any of ._=+-, beginning with a letter or digit", s.Name)
	}
	if s.Seeds < 1 || s.Seeds > 1000 {
		fault("seeds", "%d is not within 1..1000", s.Seeds)
	}
	if s.Repeat < 0 || s.Repeat > 10 {
		fault("repeat", "%d is not within 0..10", s.Repeat)
	}
	for _, b := range s.Budgets {
		positive("budgets", b)
	}
	if len(s.Systems) == 0 || len(s.Samplers) == 0 {
		fault("systems, samplers", "there must be one of each at least")
	}
	seen := map[string]bool{}
	name := func(where, name string) {
		if !names.MatchString(name) {
			fault(where, "name %q: take letters, digits, blanks and any of ._=+-, beginning with a letter or digit", name)
		}
		if seen[where+folderName(name)] {
			fault(where, "two are named %q", name)
		}
		seen[where+folderName(name)] = true
	}
	keys := func(where string, settings map[string]string) {
		for key := range settings {
			if why, no := forbidden[key]; no {
				fault(where, "%s cannot be set: %s", key, why)
			}
		}
		if settings["production.mix"] == config.AutomaticMix {
			fault(where, "production.mix %s depends on the machine's speed; give a mix such as 100:1, so that numbers repeat", config.AutomaticMix)
		}
	}
	keys("set", s.Set)
	for _, y := range s.Systems {
		where := "systems: " + y.Name
		name("systems", y.Name)
		keys(where, y.Set)
		positive(where+": moves", y.Moves)
		if y.Reference == RunReference {
			positive(where+": reference_moves", y.ReferenceMoves)
		}
		if len(y.Targets) == 0 {
			fault(where+": targets", "there must be one at least")
		}
		for _, t := range y.Targets {
			positive(where+": targets", t)
		}
		if !slices.Contains(y.Targets, y.Target) {
			fault(where+": target", "%g is none of the targets %v", y.Target, y.Targets)
		}
	}
	for _, p := range s.Samplers {
		name("samplers", p.Name)
		keys("samplers: "+p.Name, p.Set)
		keys("samplers: "+p.Name+": train", p.Train)
		positive("samplers: "+p.Name+": share", p.Share)
		for _, y := range p.Systems {
			if !slices.ContainsFunc(s.Systems, func(of System) bool { return of.Name == y }) {
				fault("samplers: "+p.Name, "there is no system %q", y)
			}
		}
	}
	if !slices.ContainsFunc(s.Samplers, func(p Sampler) bool { return p.Name == s.Baseline }) {
		fault("baseline", "there is no sampler %q", s.Baseline)
	}
	if len(faults) == 0 {
		for _, c := range s.Cells() {
			if c.Seed != s.FirstSeed {
				continue
			}
			if _, err := c.RunConfig("bundle"); err != nil {
				fault(c.String(), "%v", err)
			}
			if _, err := c.TrainConfig(); err != nil {
				fault(c.String()+", train", "%v", err)
			}
		}
	}
	return faults
}
