package report

import (
	"context"
	"math"
	"path/filepath"
	"time"

	"neuralwl/internal/config"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// endsTime is how long finding the ends of a small system's spectrum may take, on one core.
const endsTime = 50 * time.Millisecond

// Support is the range of inverse temperatures for which a density of states has data; see
// dos.Density.Support. Nothing lies beyond the ends of the system's own spectrum.
func Support(system lattice.System, d *dos.Density) (low, high float64) {
	low, high = d.Support()
	lowest, highest := d.Energy[0], d.Energy[d.Len()-1]
	if lattice.LowestKnown(system) && lowest == system.Energy(system.GroundLevel()) {
		high = math.Inf(1)
	}
	if highest == system.Energy(0) && !lattice.IsContinuous(system) { // whose range may end below the highest energies
		low = math.Inf(-1)
	}
	return max(low, -d.Reach()), min(high, d.Reach())
}

// within widens a range of inverse temperatures at the ends that a density has in common with the exact one.
func within(low, high float64, d, truth *dos.Density) (float64, float64) {
	same := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }
	if same(d.Energy[0], truth.Energy[0]) {
		high = math.Inf(1)
	}
	if same(d.Energy[d.Len()-1], truth.Energy[truth.Len()-1]) {
		low = math.Inf(-1)
	}
	return low, high
}

// Supported is the Support of a density that was read, as far as its origin says of what system it is.
func Supported(d *dos.Density) (low, high float64) {
	if d.Origin == nil {
		return d.Support()
	}
	system, err := SystemOf(d.Origin)
	switch {
	case d.Origin.Method == dos.ExactMethod && (err != nil || !lattice.Truncated(system)):
		return -d.Reach(), d.Reach()
	case err != nil:
		return d.Support()
	}
	if low, high = Support(system, d); lattice.IsContinuous(system) {
		return low, high
	}
	if truth, err := exact.Density(context.Background(), system, endsTime); err == nil && truth != nil {
		low, high = within(low, high, d, truth)
	}
	return max(low, -d.Reach()), min(high, d.Reach())
}

// Complete reports whether a folder is that of a run which has all levels of the exact density of states, with
// which it was compared: there is nothing beyond its ends.
func Complete(folder string) bool {
	s, err := ReadSummary(filepath.Join(folder, SummaryFile))
	return err == nil && s.Exact != nil && s.Levels.Known > 0 && len(s.Levels.Missing) == 0
}

// SupportedInField is Supported for the sum of a joint density in a field.
func SupportedInField(j *dos.Joint, field float64) (low, high float64) {
	d := InField(j, field).Density
	low, high = Supported(d)
	o := j.Cells.Origin
	if o == nil || math.IsInf(low, -1) && math.IsInf(high, 1) {
		return low, high
	}
	c, err := config.SystemOf(o.System.Model, o.System.Q, o.System.Size, o.System.Parameters, o.System.DisorderSeed)
	if err != nil {
		return low, high
	}
	c.Joint = j.Name
	system, err := c.New()
	if err != nil {
		return low, high
	}
	if truth, err := exact.Joint(context.Background(), system, endsTime); err == nil && truth != nil {
		return within(low, high, d, truth.Project(field).Density)
	}
	// No state has less than the ground states' energy and the most favourable second variable.
	if t := lattice.JointOf(system); lattice.LowestKnown(system) {
		total := j.InField(field)
		first, last := lattice.Row(t, t.GroundLevel())
		energy := t.Cell(first).Energy
		bound := min(total(energy, t.Cell(first).Second), total(energy, t.Cell(last).Second))
		if d.Energy[0] <= bound+1e-9*max(1, math.Abs(bound)) {
			high = math.Inf(1)
		}
	}
	return low, high
}
