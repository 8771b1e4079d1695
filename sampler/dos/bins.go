package dos

import (
	"fmt"
	"math"
)

// Bins tell where the energies lie of levels that each hold many, as those of systems without a common
// unit of energy do. A level's Energy is then the centre of a bin, and its share of a partition
// function
//
//	g exp(-beta E + beta^2 V/2),
//
// to second order in beta times the width, with the mean E and the variance V of the energies in it,
// each state counting once.
type Bins struct {
	Width float64 // in units of J
	// Mean and Variance are E minus the centre, in units of J, and V, by level.
	Mean, Variance []float64
	// Count is how many measurements there are of each level, 0 where the energies are taken to be
	// spread evenly; nil for what is exact.
	Count []int64
}

// NewBins returns the bins of levels whose centres are given, from means of the energy's distance from the
// centre, in widths, and of its square; nil stands for no measurement. Where there is none, the energies
// are taken to be spread evenly.
func NewBins(width float64, energies []float64, m *Means) *Bins {
	if m == nil {
		b := newBins(width, energies, nil, nil)
		b.Count = make([]int64, len(energies))
		return b
	}
	b := newBins(width, energies, m.Energy, m.Mean)
	if m.Count != nil {
		b.Count = make([]int64, len(energies))
		for _, level := range common(energies, m.Energy) {
			b.Count[level.a] = m.Count[level.b]
		}
	}
	return b
}

func newBins(width float64, energies, measured []float64, means [][]float64) *Bins {
	b := &Bins{Width: width, Mean: make([]float64, len(energies)), Variance: make([]float64, len(energies))}
	for i := range energies {
		b.Variance[i] = width * width / 12
	}
	for _, level := range common(energies, measured) {
		if first, second := means[0][level.b], means[1][level.b]; !math.IsNaN(first) {
			b.Mean[level.a], b.Variance[level.a] = width*first, width*width*max(0, second-first*first)
		}
	}
	return b
}

// SetBins gives an estimate and each of its replicas the bins of a width, from means as in NewBins of
// the same blocks.
func (e *Ensemble) SetBins(width float64, m *Means) {
	e.Bins = NewBins(width, e.Energy, m)
	for k, r := range e.Replicas {
		if m != nil && len(m.Replicas) == len(e.Replicas) {
			r.Bins = newBins(width, r.Energy, m.Energy, m.Replicas[k])
		} else {
			r.Bins = NewBins(width, r.Energy, m)
		}
	}
}

// binsAt are the bins of other levels, given by their centres, among those of d.
func (d *Density) binsAt(energies []float64) *Bins {
	if d.Bins == nil {
		return nil
	}
	b := newBins(d.Bins.Width, energies, nil, nil)
	for _, level := range common(energies, d.Energy) {
		b.Mean[level.a], b.Variance[level.a] = d.Bins.Mean[level.b], d.Bins.Variance[level.b]
	}
	return b
}

// changed are bins whose means and variances are changed by deviations times a factor.
func (b *Bins) changed(means, variances []float32, factor float64) *Bins {
	c := &Bins{Width: b.Width, Count: b.Count}
	for i := range b.Mean {
		c.Mean = append(c.Mean, b.Mean[i]+factor*float64(means[i]))
		c.Variance = append(c.Variance, max(0, b.Variance[i]+factor*float64(variances[i])))
	}
	return c
}

// weight of a level's mean in one over several densities: its measurements, or where it is exact more than
// there can be.
func (b *Bins) weight(i int) float64 {
	if b.Count == nil {
		return 1e18
	}
	return float64(b.Count[i])
}

// Reach is the largest inverse temperature, in size, at which averages are good to better than a per
// cent of what bins leave out: the inverse of their width, and without bins infinite. There is nothing
// that would make them good beyond; narrower bins would.
func (d *Density) Reach() float64 {
	if d.Bins == nil {
		return math.Inf(1)
	}
	return 1 / d.Bins.Width
}

// mergeBins gives d the bins of the pieces that it was merged of, at each level the mean over the measurements
// of all that have it. It is an error if they differ in width.
func (d *Density) mergeBins(pieces []Piece) error {
	first := pieces[0]
	for _, p := range pieces {
		if a, b := first.width(), p.width(); a != b {
			return fmt.Errorf("the levels of %s are %s, those of %s %s; take runs with the same system.bin", first.Name, widthText(a), p.Name, widthText(b))
		}
	}
	if first.Bins == nil {
		return nil
	}
	b := newBins(first.Bins.Width, d.Energy, nil, nil)
	weight, mean, square := make([]float64, d.Len()), make([]float64, d.Len()), make([]float64, d.Len())
	exact := true
	b.Count = make([]int64, d.Len())
	for _, p := range pieces {
		exact = exact && p.Bins.Count == nil
		for _, level := range common(d.Energy, p.Energy) {
			w, m := p.Bins.weight(level.b), p.Bins.Mean[level.b]
			weight[level.a] += w
			mean[level.a] += w * m
			square[level.a] += w * (p.Bins.Variance[level.b] + m*m)
			if p.Bins.Count != nil {
				b.Count[level.a] += p.Bins.Count[level.b]
			}
		}
	}
	for i, w := range weight {
		if w > 0 {
			m := mean[i] / w
			b.Mean[i], b.Variance[i] = m, max(0, square[i]/w-m*m)
		}
	}
	if exact {
		b.Count = nil
	}
	d.Bins = b
	return nil
}

// width of the bins, 0 for levels of single energies.
func (d *Density) width() float64 {
	if d.Bins == nil {
		return 0
	}
	return d.Bins.Width
}

func widthText(width float64) string {
	if width == 0 {
		return "single energies"
	}
	return fmt.Sprintf("bins of %g", width)
}

// lnShare is ln of a level's share of the partition function at beta.
func (d *Density) lnShare(i int, beta float64) float64 {
	x := d.LnG[i] - beta*d.Energy[i]
	if b := d.Bins; b != nil {
		x += beta * (beta*b.Variance[i]/2 - b.Mean[i])
	}
	return x
}

// Inside returns, by level, the mean of the energy at beta among the states of the level, and its
// variance there, nil for levels of single energies.
func (d *Density) Inside(beta float64) (energy, variance []float64) {
	if d.Bins == nil {
		return d.Energy, nil
	}
	energy = make([]float64, d.Len())
	for i, e := range d.Energy {
		energy[i] = e + d.Bins.Mean[i] - beta*d.Bins.Variance[i]
	}
	return energy, d.Bins.Variance
}
