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
	// EnergyGradientFile is there in bundles of angles alone.
	EnergyGradientFile = "energy_gradient.onnx"
)

// AngleState is Card.State of contract version 2.
const AngleState = "angles"

// Card describes a bundle: what the network is, which system it is for, and how it was
// trained.
type Card struct {
	Contract        int                    `json:"contract"` // version of the proposal contract: 1 for colours, 2 for angles
	Name            string                 `json:"name"`
	Version         int                    `json:"version"`
	Architecture    string                 `json:"architecture"`
	Hyperparameters models.Hyperparameters `json:"hyperparameters"`
	System          CardSystem             `json:"system"`
	// State says what a site has: AngleState, or a colour where it is empty.
	State string `json:"state,omitempty"`
	// Conditions of the network: "state" is the present configuration, "shift" how far the
	// energy should move from that of the state, "energy" a target energy, both in units of J. Of
	// angles, "beta" is the inverse temperature at which they should be in equilibrium, and "half" the
	// odd half of a checkerboard, which stays.
	Conditions []string `json:"conditions"`
	// Unnormalised says that log_q is ln p up to a constant, where moves are reversible for p; see
	// package models.
	Unnormalised bool `json:"unnormalised,omitempty"`
	// Uniforms is the number of random numbers of a proposal of an unnormalised network; 0 for one per
	// site, as all others have.
	Uniforms int `json:"uniforms,omitempty"`
	// Symmetries under which q is invariant by construction, "colours" or none, of angles "rotations"
	// and "reflections".
	Symmetries []string `json:"symmetries"`
	Training   Training `json:"training"`
	// SHA256 of every other file of the bundle, in hexadecimal digits.
	SHA256 map[string]string `json:"sha256"`
}

// CardSystem is the system that a network was trained for.
type CardSystem struct {
	Model string `json:"model"`       // as system.model of a configuration has it
	Q     int    `json:"q,omitempty"` // number of colours, none for angles
	Size  []int  `json:"size"`        // sides of the lattice
}

// System is the system as models knows it.
func (s CardSystem) System() models.System {
	return models.System{Model: s.Model, Q: s.Q, Sides: s.Size}
}

// check returns an error unless there can be such a system, of angles or of colours. Which models there
// are is not asked: a run compares the whole with its own system.
func (s CardSystem) check(angles bool) error {
	if s.Model == "" {
		return errors.New("system.model is missing")
	}
	q := s.Q
	if angles {
		if q != 0 {
			return fmt.Errorf("system: q = %d, angles have no colours; leave it out", q)
		}
		q = lattice.MinColours
	}
	if err := lattice.CheckSize(q, s.Size...); err != nil {
		return fmt.Errorf("system: %w", err)
	}
	return nil
}

// Training is the record of a network's training so far.
type Training struct {
	Seed    uint64  `json:"seed"`
	Steps   int64   `json:"steps"`   // gradient steps applied
	Dropped int64   `json:"dropped"` // gradient steps taken back because of a NaN or an infinity
	Loss    float64 `json:"loss"`    // mean over about the last hundred steps of the latest training of -ln q of the states shown, or of ln q - ln p of those drawn, in nats; 0 if never trained
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

// maxUniforms bounds the random numbers of a proposal, so that buffers for many can be allocated.
const maxUniforms = 1 << 20

// Conditions of networks.
const (
	ConditionState  = models.State  // proposals depend on the present configuration
	ConditionShift  = models.Shift  // and on how far the energy should move from there
	ConditionEnergy = models.Energy // proposals aim at an energy
	ConditionBeta   = models.Beta   // angles: at an inverse temperature
	ConditionHalf   = models.Half   // angles: proposals keep the odd half of the sites
)

// Angles reports whether the network draws angles, by contract version 2.
func (c *Card) Angles() bool { return c.State == AngleState }

// TakesBeta reports whether a network of angles is conditioned on the inverse temperature.
func (c *Card) TakesBeta() bool { return slices.Contains(c.Conditions, ConditionBeta) }

// TakesHalf reports whether a network of angles keeps the odd half of the sites and is conditioned on it.
func (c *Card) TakesHalf() bool { return slices.Contains(c.Conditions, ConditionHalf) }

// TakesState reports whether the network is conditioned on the present configuration.
func (c *Card) TakesState() bool { return slices.Contains(c.Conditions, ConditionState) }

// TakesCondition reports whether log_prob and gradient take the configuration that a move starts from:
// ln q depends on it, unlike the ln p of unnormalised networks.
func (c *Card) TakesCondition() bool { return c.TakesState() && !c.Unnormalised }

// UniformsOf is the number of random numbers of a proposal.
func (c *Card) UniformsOf() int {
	if c.Uniforms > 0 {
		return c.Uniforms
	}
	return c.System.System().Sites()
}

// CheckNormalised returns an error for an unnormalised network, which names it and what needs the
// probabilities of its draws.
func (c *Card) CheckNormalised(what string) error {
	if !c.Unnormalised {
		return nil
	}
	return fmt.Errorf("the network %s (%s) is unnormalised: its log_q is known up to a constant alone, %s needs the probability of each draw; take a network of another architecture, such as %s or %s",
		c.Name, c.Architecture, what, models.Made, models.Conv)
}

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
	supplied := []string{ConditionState, ConditionShift, ConditionEnergy}
	switch c.Contract {
	case models.ContractVersion:
		if c.State != "" {
			fault("state %q, contract version %d knows only colours; leave it out, or use version %d", c.State, c.Contract, models.AngleContractVersion)
		}
	case models.AngleContractVersion:
		supplied = []string{ConditionBeta, ConditionHalf}
		if c.State != AngleState {
			fault("state %q, of contract version %d it must be %q", c.State, c.Contract, AngleState)
		}
	default:
		fault("contract version %d, this program knows versions %d and %d", c.Contract, models.ContractVersion, models.AngleContractVersion)
	}
	// Versions of the bundle are saved in a folder of that name.
	if !filepath.IsLocal(c.Name) || c.Name != filepath.Base(c.Name) || strings.HasPrefix(c.Name, ".") {
		fault("name %q is not the plain name of a folder", c.Name)
	}
	if err := c.System.check(c.Angles()); err != nil {
		faults = append(faults, err)
	} else if w, bonds := c.Hyperparameters.Window, len(c.System.Size)*c.System.System().Sites(); w < 0 || w > bonds {
		fault("hyperparameters.window = %d, must be between 0 and the number of bonds, %d", w, bonds)
	}
	for _, condition := range c.Conditions {
		if !slices.Contains(supplied, condition) {
			fault("condition %q, of contract version %d this program supplies %q", condition, c.Contract, supplied)
		}
	}
	if c.TakesState() && c.TakesEnergy() {
		fault("conditions %q, a network that aims at an energy does so whatever the state is", c.Conditions)
	}
	if c.TakesShift() && (!c.TakesState() || c.TakesEnergy()) {
		fault("conditions %q, a shift goes with a state and without an energy", c.Conditions)
	}
	if c.Unnormalised && (len(c.Conditions) != 1 || !c.TakesState()) {
		fault("conditions %q, those of an unnormalised network are %q alone", c.Conditions, []string{ConditionState})
	}
	if c.Uniforms < 0 || c.Uniforms > maxUniforms || c.Uniforms > 0 && !c.Unnormalised {
		fault("uniforms = %d, must be within 0..%d, and 0 unless the network is unnormalised", c.Uniforms, maxUniforms)
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
