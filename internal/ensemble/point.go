package ensemble

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/sampler/dos"
)

// Point is the result of all members at one point of the matrix.
type Point struct {
	Label, Folder string   // see Matrix
	Settings      []string // of the form key=value
	// Members are all of them, Runs those that are done and used.
	Members, Runs int
	// LeftOut are members that have ended without a result that could be used; Unconverged are used, but
	// did not converge.
	LeftOut, Unconverged []Outcome
	// System is that of the first realisation, with Sites; empty before there is one.
	System string
	Sites  int
	Betas  []float64
	// Reach is the largest inverse temperature, in size, at which anything is known of all realisations; infinite
	// unless levels are bins.
	Reach float64

	// Merged is the density of states, nil where realisations are averaged or nothing is done, and Curves
	// what follows from it.
	Merged *dos.Ensemble
	curves *curves

	// Realisations are how many there are to be, and Averaged those that are averaged, in the order of
	// the matrix.
	Realisations int
	Averaged     []*realisation
	Averages     [][]Average // by quantity and beta
	// LowestShare is, at each beta, the mean probability of the lowest energy seen; nil where the ground
	// states are known.
	LowestShare []float64
	// Lowest is the lowest energy seen per site.
	Lowest Average
	// LnG is the mean of ln g at the energies that all realisations have; Apart is how many others
	// there are.
	Energy []float64
	LnG    []Average
	Apart  int
	// Shift is by how much averages would change without the unconverged realisations, at most, in units
	// of their errors; NaN where there are none.
	Shift float64
}

// collect makes the result of a point of the realisations that are done, in their order.
func (p *Point) collect(done []*realisation, averaging bool) {
	p.Shift, p.Reach = math.NaN(), math.Inf(1)
	for _, r := range done {
		p.Reach = min(p.Reach, r.density.Reach())
		p.Runs += len(r.of)
		for _, o := range r.of {
			if !o.Converged {
				p.Unconverged = append(p.Unconverged, o)
			}
		}
	}
	if len(done) == 0 {
		return
	}
	p.System, p.Sites = done[0].system.Name, done[0].sites
	if !averaging {
		p.Merged, p.curves = done[0].density, done[0].curves
		return
	}
	p.Averaged = done
	var all, sure []*curves
	for _, r := range done {
		all = append(all, r.curves)
		if r.converged() {
			sure = append(sure, r.curves)
		}
	}
	p.Averages = averages(all, p.Betas)
	if 0 < len(sure) && len(sure) < len(all) {
		p.Shift = shift(p.Averages, averages(sure, p.Betas))
	}
	p.lowest()
	p.averageLnG()
}

// shift is the largest difference of two tables in units of the errors of the first.
func shift(a, b [][]Average) float64 {
	largest := math.NaN()
	for k := range a {
		for i := range a[k] {
			if a[k][i].Error == 0 {
				continue
			}
			if z := math.Abs(a[k][i].Mean-b[k][i].Mean) / a[k][i].Error; z > largest || math.IsNaN(largest) {
				largest = z
			}
		}
	}
	return largest
}

// lowest averages the lowest energies seen, and their probabilities where nobody knows whether they are
// those of the ground states.
func (p *Point) lowest() {
	var values []float64
	for _, r := range p.Averaged {
		values = append(values, r.density.Energy[0]/float64(r.sites))
		for i, x := range r.lowest {
			if p.LowestShare == nil {
				p.LowestShare = make([]float64, len(p.Betas))
			}
			p.LowestShare[i] += x / float64(len(p.Averaged))
		}
	}
	p.Lowest = average(values, make([]float64, len(values)))
}

// averageLnG averages ln g, the quenched average of the microcanonical entropy, at the energies that all
// realisations have: elsewhere it would be one over those alone that happen to have the energy.
func (p *Point) averageLnG() {
	times := map[float64]int{}
	for _, r := range p.Averaged {
		for _, e := range r.density.Energy {
			times[e]++
		}
	}
	p.Apart = len(times)
	for e, n := range times {
		if n == len(p.Averaged) {
			p.Energy = append(p.Energy, e)
		}
	}
	slices.Sort(p.Energy)
	p.Apart -= len(p.Energy)
	next := make([]int, len(p.Averaged))
	for _, e := range p.Energy {
		var values, errors []float64
		for k, r := range p.Averaged {
			for r.density.Energy[next[k]] != e {
				next[k]++
			}
			s := math.NaN()
			if r.density.Error != nil {
				s = r.density.Error[next[k]]
			}
			values, errors = append(values, r.density.LnG[next[k]]), append(errors, s)
		}
		p.LnG = append(p.LnG, average(values, errors))
	}
}

// Notes say what is missing in the result, and what that does to it.
func (p *Point) Notes() (notes []string) {
	note := func(format string, a ...any) { notes = append(notes, fmt.Sprintf(format, a...)) }
	what := "runs"
	averaging := p.Realisations > 1
	if averaging {
		what = "realisations"
	}
	if n := p.Members - p.Runs - len(p.LeftOut); n > 0 {
		note("%d of %d members have not ended. Until then the result is of those that end first, which need not be typical.", n, p.Members)
	}
	if n := len(p.LeftOut); n > 0 && averaging {
		note("%d members failed, were cancelled or are gone, and %d of %d realisations are not in the averages for want of any other run. That is a bias if it has to do with the disorder, as when those fail that are hard to sample.",
			n, p.Realisations-len(p.Averaged), p.Realisations)
	} else if n > 0 {
		note("%d members failed, were cancelled or are gone, and are left out.", n)
	}
	if n := len(p.Unconverged); n > 0 {
		text := fmt.Sprintf("%d runs did not converge. They are used all the same, as %s that are hard to sample would be missing else; their errors may be too small.", n, what)
		if !math.IsNaN(p.Shift) {
			text += fmt.Sprintf(" Without the realisations that they belong to, averages would differ by up to %.2g of their errors.", p.Shift)
		}
		note("%s", text)
	}
	if slices.ContainsFunc(p.Betas, func(beta float64) bool { return math.Abs(beta) > p.Reach }) {
		note("Levels are bins of energies (system.bin), which say nothing at inverse temperatures beyond %.6g: values there are left out. Narrower bins reach further.", p.Reach)
	}
	if p.LowestShare != nil {
		note("The ground states are not known: averages rest on the lowest energies seen where these have a share (lowest_level_share). A ground state that no walker found would be missing.")
	}
	if p.Apart > 0 && len(p.Energy) == 0 {
		note("ln g is not averaged, as there is no energy that all realisations have.")
	} else if p.Apart > 0 {
		note("ln g is averaged at the %d energies that all realisations have; %d others, which only some have, are left out.", len(p.Energy), p.Apart)
	}
	return notes
}
