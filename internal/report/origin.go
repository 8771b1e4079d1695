package report

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"

	"neuralwl/internal/config"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// What ln g is estimated from, as the origin of a density of states names it.
const (
	byHistograms  = "histograms"
	byTransitions = "transitions"
	byAll         = "joint"
	byDraws       = "inverse probabilities"
)

// setOrigins gives the densities of states of a run their origin.
func (r *Result) setOrigins(s *Summary) {
	o := origin(s, r.Config, r.System)
	o.Estimator = r.Evaluation.estimator
	r.cells.Origin = &o
	if r.joint != nil {
		r.joint.Cells.Origin = &o
		r.density.Origin = o.Alone()
	}
	if r.transitions != nil {
		o.Estimator = byAll
		for part, estimator := range map[*dos.Ensemble]string{r.histogram: byHistograms, r.transitions.Free: byTransitions} {
			of := o
			of.Estimator = estimator
			part.Origin = &of
		}
	}
}

// origin is that of a run.
func origin(s *Summary, c *config.Config, system lattice.System) dos.Origin {
	return dos.Origin{
		Program: "nwl " + s.Version, System: s.System, Method: s.Method, Seed: &s.Seed,
		Run: runName(s.Folder), Config: digest(c), Sites: system.Sites(), Converged: s.Verdict.Converged,
	}
}

// runName is the name of a run's folder, whatever the path to it.
func runName(folder string) string {
	if path, err := filepath.Abs(folder); err == nil {
		folder = path
	}
	return filepath.Base(folder)
}

// digest is the SHA-256 of a configuration.
func digest(c *config.Config) string {
	text, err := c.YAML()
	if err != nil {
		return "" // it cannot be written anywhere
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// ExactOrigin is the origin of the exact density of states of a system.
func ExactOrigin(version string, c config.System, s lattice.System) *dos.Origin {
	return &dos.Origin{Program: "nwl " + version, System: systemOf(c, s), Method: dos.ExactMethod, Sites: s.Sites(), Converged: true}
}

// SystemOf makes the system that an origin names, nil if it cannot be made.
func SystemOf(o *dos.Origin) (lattice.System, error) {
	c, err := config.SystemOf(o.System.Model, o.System.Q, o.System.Size, o.System.Parameters, o.System.DisorderSeed)
	if err != nil {
		return nil, err
	}
	return c.New()
}
