package exact

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Spectrum is the exact density of states of any system. It lists the levels with states by
// rising energy.
type Spectrum struct {
	System string
	Method Method
	Energy []float64 // in units of J
	// Second is the second variable of levels that are pairs with it, of the name By; nil for others.
	Second []float64
	By     string
	G      []*big.Int
	Bins   *dos.Bins // nil for levels of single energies
}

// Of returns the exact density of states of a system: of the Potts model on the square
// lattice as Compute does, of others by elimination, or by enumeration on one core. It refuses what
// Compute refuses.
func Of(ctx context.Context, system lattice.System, opts Options) (*Spectrum, error) {
	switch s := system.(type) {
	case *lattice.Potts:
		lx, ly := s.Size()
		counts, err := Compute(ctx, s.Q(), lx, ly, opts)
		if err != nil {
			return nil, err
		}
		return counts.spectrum(system.String()), nil
	case *lattice.Terms:
		return ofTerms(ctx, s, opts)
	}
	return nil, fmt.Errorf("exact: compute density of states of %v: there is no method for such systems", system)
}

// spectrum is the counts as a Spectrum.
func (c *Counts) spectrum(system string) *Spectrum {
	s := &Spectrum{System: system, Method: c.Method}
	for k, e := range slices.Backward(c.Energies) {
		s.Energy = append(s.Energy, float64(e))
		s.G = append(s.G, c.G[k])
	}
	return s
}

// Density returns ln g as a density of states, of pairs summed over the second variable. It has no errors.
func (s *Spectrum) Density() *dos.Density {
	if s.Second != nil {
		d := s.Joint().Project(0).Density
		d.Error = nil
		return d
	}
	return &dos.Density{Energy: s.Energy, LnG: s.LnG(), Bins: s.Bins}
}

// Joint returns ln g of levels that are pairs, with errors of zero.
func (s *Spectrum) Joint() *dos.Joint {
	cells := &dos.Density{LnG: s.LnG(), Error: make([]float64, len(s.G))}
	for i := range s.G {
		cells.Energy = append(cells.Energy, float64(i))
	}
	return &dos.Joint{Name: s.By, Energy: s.Energy, Second: s.Second, Cells: &dos.Ensemble{Density: cells}}
}

// LnG returns ln g of every level, within two units in the last place of a float64 however
// long g is.
func (s *Spectrum) LnG() []float64 {
	lnG := make([]float64, len(s.G))
	for k, g := range s.G {
		lnG[k] = ln(g)
	}
	return lnG
}

// WriteCSV writes a comment that names the system and the method, and a line per level with
// the columns that the results of runs have, energy, ln_g and ln_g_error, which is 0, of bins also
// energy_width, energy_mean and energy_variance, of pairs the second variable after the energy, and the whole number g.
func (s *Spectrum) WriteCSV(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# exact density of states of %s; levels without states omitted; method %s\n", s.System, s.Method)
	bins, by := "", ""
	if s.Bins != nil {
		bins = ",energy_width,energy_mean,energy_variance"
	}
	if s.Second != nil {
		by = "," + s.By
	}
	fmt.Fprintf(out, "energy%s,ln_g,ln_g_error%s,g\n", by, bins)
	lnG := s.LnG()
	full := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for k, g := range s.G {
		fmt.Fprint(out, full(s.Energy[k]))
		if s.Second != nil {
			fmt.Fprintf(out, ",%s", full(s.Second[k]))
		}
		fmt.Fprintf(out, ",%s,0", full(lnG[k]))
		if b := s.Bins; b != nil {
			fmt.Fprintf(out, ",%s,%s,%s", full(b.Width), full(s.Energy[k]+b.Mean[k]), full(b.Variance[k]))
		}
		fmt.Fprintf(out, ",%d\n", g)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("exact: write density of states of %s: %w", s.System, err)
	}
	return nil
}
