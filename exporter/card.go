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

// Card describes a bundle: what the network is, what it is for and how it came
// about.
type Card struct {
	Contract        int                    `json:"contract"` // version of the proposal contract
	Name            string                 `json:"name"`
	Version         int                    `json:"version"`
	Architecture    string                 `json:"architecture"`
	Hyperparameters models.Hyperparameters `json:"hyperparameters"`
	System          CardSystem             `json:"system"`
	// Conditions that the network takes: "state" is the present configuration, "shift" how
	// far the energy should move from its own, "energy" a target energy, both in units of J.
	Conditions []string `json:"conditions"`
	// Symmetries under which q is invariant by construction, "colours" or none.
	Symmetries []string `json:"symmetries"`
	Training   Training `json:"training"`
	// SHA256 of every other file of the bundle, in hexadecimal digits.
	SHA256 map[string]string `json:"sha256"`
}

// CardSystem is the system that a network was trained for.
type CardSystem struct {
	Model string `json:"model"` // potts
	Q     int    `json:"q"`
	Size  [2]int `json:"size"` // Lx, Ly
}

// Training is the record of a network's training so far.
type Training struct {
	Seed    uint64  `json:"seed"`
	Steps   int64   `json:"steps"`   // gradient steps applied
	Dropped int64   `json:"dropped"` // gradient steps taken back because of a NaN or an infinity
	Loss    float64 `json:"loss"`    // mean of -ln q of the states shown lately, or of ln q - ln p of those drawn, in nats; 0 if never trained
	Seconds float64 `json:"seconds"` // wall-clock time spent on gradient steps
	// Data says which states it was trained on, empty for those that a run visited.
	Data string `json:"data,omitempty"`
	// KL is the mean of -ln q(s|E*) - ln g(E) - ln n(E*) over states, equally many at
	// each level, that it was not trained on, in nats: the Kullback-Leibler divergence of its proposals from
	// states that are as frequent at each of the n levels within w of the target. Nil where
	// it was not measured.
	KL *float64 `json:"kl,omitempty"`
	// Acceptance is the share of proposals with targets anywhere that is accepted from
	// such states.
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

// parseCard reads a card and checks what can be checked without the files.
func parseCard(data []byte) (*Card, error) {
	c := &Card{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, err
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
	if c.System.Model != "potts" {
		fault("system.model %q, this program knows potts", c.System.Model)
	}
	if err := lattice.Check(c.System.Q, c.System.Size[0], c.System.Size[1]); err != nil {
		fault("system: %w", err)
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
	if w := c.Hyperparameters.Window; w < 0 || w > 2*c.System.Size[0]*c.System.Size[1] {
		fault("hyperparameters.window = %d, must be between 0 and the number of bonds", w)
	}
	for _, file := range []string{ProposeFile, LogProbFile} {
		if c.SHA256[file] == "" {
			fault("no sha256 of %s", file)
		}
	}
	return c, errors.Join(faults...)
}

// CheckSystem returns an error unless the network was made for that system.
func (c *Card) CheckSystem(s models.System) error {
	if c.System.Q == s.Q && c.System.Size == [2]int{s.Lx, s.Ly} {
		return nil
	}
	return fmt.Errorf("bundle %s version %d was made for q=%d, size %dx%d, the run is q=%d, size %dx%d; choose another bundle or change system.q and system.size",
		c.Name, c.Version, c.System.Q, c.System.Size[0], c.System.Size[1], s.Q, s.Lx, s.Ly)
}
