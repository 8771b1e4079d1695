package exporter

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"neuralwl/models"
	"neuralwl/sampler/lattice"
)

// Files of a bundle.
const (
	CardFile     = "card.json"
	ProposeFile  = "propose.onnx"
	LogProbFile  = "log_prob.onnx"
	GradientFile = "gradient.onnx"
)

// Card describes a bundle: what the network is, which system it is for, and how it was
// trained.
type Card struct {
	Contract        int                    `json:"contract"` // version of the proposal contract
	Name            string                 `json:"name"`
	Version         int                    `json:"version"`
	Architecture    string                 `json:"architecture"`
	Hyperparameters models.Hyperparameters `json:"hyperparameters"`
	System          CardSystem             `json:"system"`
	// Conditions of the network: "state" is the present configuration, "shift" how far the
	// energy should move from that of the state, "energy" a target energy, both in units of J.
	Conditions []string `json:"conditions"`
	// Symmetries under which q is invariant by construction, "colours" or none.
	Symmetries []string `json:"symmetries"`
	Training   Training `json:"training"`
	// SHA256 of every other file of the bundle, in hexadecimal digits.
	SHA256 map[string]string `json:"sha256"`
}

// CardSystem is the system that a network was trained for.
type CardSystem struct {
	Model string `json:"model"` // as system.model of a configuration has it
	Q     int    `json:"q"`
	Size  []int  `json:"size"` // sides of the lattice
}

// System is the system as models knows it.
func (s CardSystem) System() models.System {
	return models.System{Model: s.Model, Q: s.Q, Sides: s.Size}
}

// check returns an error unless there can be such a system. Which models there are is not
// asked: a run compares the whole with its own system.
func (s CardSystem) check() error {
	if s.Model == "" {
		return errors.New("system.model is missing")
	}
	if err := lattice.CheckSize(s.Q, s.Size...); err != nil {
		return fmt.Errorf("system: %w", err)
	}
	return nil
}

// Training is the record of a network's training so far.
type Training struct {
	Seed    uint64  `json:"seed"`
	Steps   int64   `json:"steps"`   // gradient steps applied
	Dropped int64   `json:"dropped"` // gradient steps taken back because of a NaN or an infinity
	Loss    float64 `json:"loss"`    // recent mean of -ln q of the states shown, or of ln q - ln p of those drawn, in nats; 0 if never trained
	Seconds float64 `json:"seconds"` // wall-clock time spent on gradient steps
	// Data says which states it was trained on; empty for the states visited by a run.
	Data string `json:"data,omitempty"`
	// KL is the mean of -ln q(s|E*) - ln g(E) - ln n(E*), in nats, over states that it was not
	// trained on, equally many at each level: the Kullback-Leibler divergence of its proposals
	// from states that are equally frequent at each of the n levels within w of the target.
	// Nil if it was not measured.
	KL *float64 `json:"kl,omitempty"`
	// Acceptance is the share of accepted proposals from such states, with targets anywhere.
	Acceptance *float64 `json:"acceptance,omitempty"`
}

// Conditions of networks.
const (
	ConditionState  = models.State  // proposals depend on the present configuration
	ConditionShift  = models.Shift  // and on how far the energy should move from there
	ConditionEnergy = models.Energy // proposals aim at an energy
)

// TakesState reports whether the network is conditioned on the present configuration.
func (c *Card) TakesState() bool { return slices.Contains(c.Conditions, ConditionState) }

// TakesShift reports whether the network takes a shift of the energy of the present
// configuration.
func (c *Card) TakesShift() bool { return slices.Contains(c.Conditions, ConditionShift) }

// TakesEnergy reports whether the network is conditioned on a target energy.
// Hyperparameters.Window then says how far from it the energy of a state may be.
func (c *Card) TakesEnergy() bool { return slices.Contains(c.Conditions, ConditionEnergy) }

// ParseCard reads a card and checks everything that does not need the files. It reports all
// faults at once.
func ParseCard(data []byte) (*Card, error) {
	c := &Card{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w", CardFile, err)
	}
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if c.Contract != models.ContractVersion {
		fault("contract version %d, this program knows version %d", c.Contract, models.ContractVersion)
	}
	// Versions of the bundle are saved in a folder of that name.
	if !filepath.IsLocal(c.Name) || c.Name != filepath.Base(c.Name) || strings.HasPrefix(c.Name, ".") {
		fault("name %q is not the plain name of a folder", c.Name)
	}
	if err := c.System.check(); err != nil {
		faults = append(faults, err)
	} else if w, bonds := c.Hyperparameters.Window, len(c.System.Size)*c.System.System().Sites(); w < 0 || w > bonds {
		fault("hyperparameters.window = %d, must be between 0 and the number of bonds, %d", w, bonds)
	}
	for _, condition := range c.Conditions {
		if condition != ConditionState && condition != ConditionShift && condition != ConditionEnergy {
			fault("condition %q, this program supplies %q, %q and %q", condition, ConditionState, ConditionShift, ConditionEnergy)
		}
	}
	if c.TakesState() && c.TakesEnergy() {
		fault("conditions %q, a network that aims at an energy does so whatever the state is", c.Conditions)
	}
	if c.TakesShift() && (!c.TakesState() || c.TakesEnergy()) {
		fault("conditions %q, a shift goes with a state and without an energy", c.Conditions)
	}
	for file := range c.SHA256 {
		if !filepath.IsLocal(file) || file != filepath.Base(file) || file == CardFile {
			fault("sha256 of %q, which is not the plain name of another file", file)
		}
	}
	for _, file := range []string{ProposeFile, LogProbFile} {
		if c.SHA256[file] == "" {
			fault("no sha256 of %s", file)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("%s: %w", CardFile, err)
	}
	return c, nil
}

// CheckSystem returns an error unless the network was made for that system.
func (c *Card) CheckSystem(s models.System) error {
	own := c.System.System()
	if own.Name() == s.Name() && own.Q == s.Q && slices.Equal(own.Sides, s.Sides) {
		return nil
	}
	remedy := "system.q and system.size"
	if own.Name() != s.Name() {
		remedy = "system.model"
	}
	return fmt.Errorf("bundle %s version %d was made for %v, the run is %v; choose another bundle or change %s", c.Name, c.Version, own, s, remedy)
}
