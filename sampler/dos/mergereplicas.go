package dos

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Part is an ensemble to merge, with its name for messages.
type Part struct {
	Name string
	*Ensemble
}

// minMerged and mostMerged bound the replicas of a merged ensemble: each part has as many as
// make mostMerged in all, but minMerged in any case.
const (
	minMerged  = 8
	mostMerged = 256
)

// MergeEnsembles is Merge for parts of which all have replicas: the errors come from a
// jackknife over the blocks of all parts together, so that levels that err alike are accounted
// for. Each replica repeats the whole merge, shifts included, with one part replaced by its
// replica. If a part has no replicas, the result is that of Merge.
//
// A jackknife over n blocks in all takes the sum of the squared deviations times (n-1)/n, that
// over the R blocks of one part times (R-1)/R; the deviations of replicas are scaled by the root
// of the ratio.
func MergeEnsembles(parts []Part, lnTotal float64) (*Ensemble, []Overlap, error) {
	pieces := make([]Piece, len(parts))
	blocks := true
	for i, p := range parts {
		pieces[i] = Piece{p.Name, p.Density}
		blocks = blocks && len(p.Replicas) > 1
	}
	d, overlaps, err := Merge(pieces, lnTotal)
	if err != nil {
		return nil, nil, err
	}
	d.Origin = mergedOrigin(pieces)
	e := &Ensemble{Density: d}
	if !blocks {
		return e, overlaps, nil
	}
	most := max(minMerged, mostMerged/len(parts))
	n := 0
	for _, p := range parts {
		n += min(most, len(p.Replicas))
	}
	for m, p := range parts {
		rows := p.deviations(most)
		r := float64(len(rows))
		scale := math.Sqrt((r - 1) / r / (float64(n-1) / float64(n)))
		mean := meanRow(rows)
		var means, variances [][]float32
		if p.Bins != nil {
			means, variances = p.binDeviations(most)
			means, variances = about(means), about(variances)
		}
		for k, row := range rows {
			replica := &Density{Energy: p.Energy, LnG: slices.Clone(p.LnG), Error: p.Error}
			if p.Bins != nil {
				replica.Bins = p.Bins.changed(means[k], variances[k], scale)
			}
			for i, x := range row {
				// A level that the replica lacks stays as it is.
				if change := scale * (float64(x) - mean[i]); !math.IsNaN(change) {
					replica.LnG[i] += change
				}
			}
			pieces[m].Density = replica
			merged, _, err := Merge(pieces, lnTotal)
			if err != nil {
				return nil, nil, err
			}
			e.Replicas = append(e.Replicas, merged)
		}
		pieces[m].Density = p.Density
	}
	unknown := slices.Clone(e.Error)
	e.estimateErrors()
	for i, x := range unknown {
		if math.IsNaN(x) { // no part knows the error
			e.Error[i] = x
		}
	}
	return e, overlaps, nil
}

// about are rows minus their mean.
func about(rows [][]float32) [][]float32 {
	mean := meanRow(rows)
	var all [][]float32
	for _, row := range rows {
		own := slices.Clone(row)
		for i := range own {
			own[i] -= float32(mean[i])
		}
		all = append(all, own)
	}
	return all
}

// meanRow is the mean of the rows, NaN in a column with one.
func meanRow(rows [][]float32) []float64 {
	mean := make([]float64, len(rows[0]))
	for _, row := range rows {
		for i, x := range row {
			mean[i] += float64(x) / float64(len(rows))
		}
	}
	return mean
}

// mergedOrigin is the origin of what was merged, nil unless all origins are known.
func mergedOrigin(pieces []Piece) *Origin {
	o := &Origin{Method: MergedMethod, Converged: true}
	for _, p := range pieces {
		if p.Origin == nil {
			return nil
		}
		o.Program, o.System, o.Sites = p.Origin.Program, p.Origin.System, p.Origin.Sites
		o.Converged = o.Converged && p.Origin.Converged
		o.Of = append(o.Of, *p.Origin)
	}
	return o
}

// minAlike is the number of levels at which two estimates must be the same to be copies:
// normalisation alone makes one or two the same.
const minAlike = 3

// CheckIndependent returns an error if pieces are not independent estimates for one system,
// by their origins, as far as these are known, and by their numbers: the same run twice,
// two estimates from one run, runs with one seed, another system, or an exact density.
// Averages of such would claim errors that are too small.
func CheckIndependent(pieces []Piece) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	for i, p := range pieces {
		if p.Origin != nil && p.Origin.Method == ExactMethod {
			fault("merge %s: it is exact and needs no average; compare the others with it by nwl dos diff", p.Name)
		}
		for _, earlier := range pieces[:i] {
			if copies(p.Density, earlier.Density) {
				fault("merge %s: it has the same numbers as %s and adds nothing; leave one out", p.Name, earlier.Name)
				continue
			}
			if p.Origin == nil || earlier.Origin == nil {
				continue
			}
			if a, b := p.Origin.System.Name, earlier.Origin.System.Name; a != b {
				fault("merge %s: it is of %s, and %s of %s", p.Name, a, earlier.Name, b)
			} else if why := p.Origin.dependent(earlier.Origin); why != "" {
				fault("merge %s: it is not independent of %s, for %s; leave one out, or make a run with another run.seed", p.Name, earlier.Name, why)
			}
		}
	}
	return errors.Join(faults...)
}

// copies reports whether two densities are the same at all their common levels, up to a
// constant and the digits of a file.
func copies(a, b *Density) bool {
	levels := common(a.Energy, b.Energy)
	if len(levels) < minAlike {
		return false
	}
	shift := a.LnG[levels[0].a] - b.LnG[levels[0].b]
	for _, l := range levels {
		if math.Abs(a.LnG[l.a]-b.LnG[l.b]-shift) > 1e-9*max(1, math.Abs(a.LnG[l.a])) {
			return false
		}
	}
	return true
}

// CheckComplete returns an error unless a density of states has all levels that matter for its
// sum over all states: its lowest and highest levels are those of the spectrum, or negligible
// at infinite temperature. lowest and highest are the energies at which the spectrum ends, NaN
// where that is not known.
func (d *Density) CheckComplete(lowest, highest float64) error {
	p, _ := d.Distribution(0)
	most := slices.Max(p)
	edge := func(i int, end float64, name string) error {
		if d.Energy[i] == end || p[i] <= negligible*most {
			return nil
		}
		return fmt.Errorf("its %s energy is %g, where a state of all has the probability %.2g: it lacks states that count, and its sum cannot be made that of all states; add the missing energies, or leave the normalisation out", name, d.Energy[i], p[i])
	}
	return errors.Join(edge(0, lowest, "lowest"), edge(d.Len()-1, highest, "highest"))
}
