package ensemble

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// realisation is one system: the runs of it that are done, which differ by their seeds alone.
type realisation struct {
	of     []Outcome // that are done
	system dos.System
	sites  int
	// density is what was merged of them; of realisations that are averaged its replicas are forgotten.
	density *dos.Ensemble
	curves  *curves
	// lowest is the probability of the lowest energy seen at each inverse temperature, nil where that is
	// known to be the energy of the ground states.
	lowest []float64
}

// signature tells what a realisation was made of from anything else.
func signature(of []Outcome) string {
	var all strings.Builder
	for _, o := range of {
		fmt.Fprintf(&all, "%s %s\n", o.ID, o.Version)
	}
	return all.String()
}

// realise merges the runs of a realisation that can be read and evaluates the result, nil if none can. faults
// say of the others, by name, why not.
func realise(of []Outcome, betas []float64) (r *realisation, faults map[string]error) {
	faults = map[string]error{}
	var parts []dos.Part
	for _, o := range of {
		e, err := o.read(filepath.Join(o.Folder, report.ArchiveFile))
		if err == nil && len(parts) > 0 {
			err = sameSystem(parts[0], dos.Part{Name: o.ID, Ensemble: e})
		}
		if err != nil {
			faults[o.ID] = err
			continue
		}
		parts = append(parts, dos.Part{Name: o.ID, Ensemble: e})
	}
	if len(parts) == 0 {
		return nil, faults
	}
	r, err := realiseParts(parts, betas)
	if err != nil { // of all of them together
		for _, p := range parts {
			faults[p.Name] = err
		}
		return nil, faults
	}
	return r, faults
}

// sameSystem returns an error if runs are not of one system.
func sameSystem(a, b dos.Part) error {
	if a.Origin.System.Name != b.Origin.System.Name {
		return fmt.Errorf("%s is of %s, and %s of %s", b.Name, b.Origin.System.Name, a.Name, a.Origin.System.Name)
	}
	return nil
}

func realiseParts(parts []dos.Part, betas []float64) (*realisation, error) {
	first := parts[0].Origin
	for _, p := range parts[1:] {
		if err := sameSystem(parts[0], p); err != nil {
			return nil, err
		}
	}
	e, err := merge(parts)
	if err != nil {
		return nil, err
	}
	r := &realisation{system: first.System, sites: first.Sites, density: e}
	if r.curves, err = curvesOf(e, betas, first.Sites); errors.Is(err, dos.ErrTime) {
		err = fmt.Errorf("%s: %w", parts[0].Name, err)
	}
	if err != nil {
		return nil, err
	}
	if !grounded(e.Density) {
		r.lowest = lowestShare(e.Density, betas)
	}
	return r, nil
}

// grounded reports whether the lowest energy is known to be that of the ground states.
func grounded(d *dos.Density) bool {
	system, err := report.SystemOf(d.Origin)
	return err == nil && lattice.GroundKnown(system) && d.Energy[0] == system.Energy(system.GroundLevel())
}

// lowestShare is the probability of the lowest energy at each inverse temperature, NaN beyond the Reach.
func lowestShare(d *dos.Density, betas []float64) (share []float64) {
	for _, beta := range betas {
		if math.Abs(beta) > d.Reach() {
			share = append(share, math.NaN())
			continue
		}
		share = append(share, math.Exp(d.LnG[0]-beta*d.Energy[0]-d.At(beta).LnZ))
	}
	return share
}

// converged reports whether all of its runs say so.
func (r *realisation) converged() bool {
	for _, o := range r.of {
		if !o.Converged {
			return false
		}
	}
	return true
}

// forget drops what averages over realisations do not need.
func (r *realisation) forget() {
	r.density = &dos.Ensemble{Density: r.density.Density}
	r.density.Origin = nil
}
