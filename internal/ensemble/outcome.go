package ensemble

import (
	"errors"
	"fmt"
	"math"

	"neuralwl/internal/config"
	"neuralwl/sampler/dos"
)

// Outcome is what has become of a member.
type Outcome struct {
	Member
	ID string // its name
	// State is that of its job, in a word; Done that it ended as planned and has results, which are in
	// Folder. Converged is its own verdict.
	State     string
	Done      bool
	Converged bool
	Reason    string // why it failed, or was paused; empty for no reason
	Folder    string
	// Version tells results of a run from those that it had before it went on.
	Version string
}

// mergeAtOnce is how many densities are merged in one go. More are merged in parts of so many, and the
// parts then, as the time for a merge with replicas grows with the square of their number.
const mergeAtOnce = 64

// merge merges independent estimates of one density of states, as nwl dos merge does, with the sum that the
// first one has.
func merge(parts []dos.Part) (*dos.Ensemble, error) {
	all, each := parts, 1 // so many of all are in one of parts
	for len(parts) > mergeAtOnce {
		var merged []dos.Part
		each *= mergeAtOnce
		for from := 0; from < len(parts); from += mergeAtOnce {
			e, err := merge(parts[from:min(from+mergeAtOnce, len(parts))])
			if err != nil {
				return nil, err
			}
			first := len(merged) * each
			merged = append(merged, dos.Part{Name: together(all[first:min(first+each, len(all))]), Ensemble: e})
		}
		parts = merged
	}
	if len(parts) == 1 {
		return parts[0].Ensemble, nil
	}
	e, _, err := dos.MergeEnsembles(parts, math.NaN())
	return e, err
}

// together names what was merged.
func together(parts []dos.Part) string {
	if n := len(parts) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", parts[0].Name, n)
	}
	return parts[0].Name
}

// read reads the density of states of a member.
func (o *Outcome) read(path string) (*dos.Ensemble, error) {
	e, err := dos.Reader{}.ReadEnsemble(path)
	switch {
	case err != nil:
		return nil, err
	case e.Origin == nil || e.Origin.Sites == 0:
		return nil, fmt.Errorf("%s does not say of what system it is; make its results again by nwl finish", path)
	case e.Origin.Method == config.CanonicalMethod || e.Origin.Method == config.VANMethod:
		return nil, fmt.Errorf("%s: a run by %s has no density of states of all energies", path, e.Origin.Method)
	}
	return e, nil
}

// Check returns an error if runs of a configuration leave no density of states of all energies, and of the
// energy alone, so that nothing can be merged or averaged.
func Check(c *config.Config) error {
	if m := c.Run.Method; m == config.CanonicalMethod || m == config.VANMethod {
		return errors.New("run.method: a group merges densities of states of all energies, which runs by " + m + " do not have; submit them one by one")
	}
	if c.System.Joint != "" {
		return errors.New("system.joint: a group merges densities of states of the energy alone, not joint ones of the energy and the " + c.System.Joint + "; submit them one by one, or leave system.joint out")
	}
	return nil
}
