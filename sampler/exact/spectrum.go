package exact

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
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
	G      []*big.Int
}

// Of returns the exact density of states of a system: of the Potts model on the square
// lattice as Compute does, of others by enumeration on one core. It refuses what Compute
// refuses.
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
		if err := checkTerms(s, opts); err != nil {
			return nil, fmt.Errorf("exact: compute density of states of %v: %w", s, err)
		}
		counts, err := enumerateTerms(ctx, s, &tracker{report: opts.Progress})
		if err != nil {
			return nil, err
		}
		spectrum := &Spectrum{System: s.String(), Method: Enumeration}
		for level, n := range slices.Backward(counts) {
			if n > 0 {
				spectrum.Energy = append(spectrum.Energy, s.Energy(level))
				spectrum.G = append(spectrum.G, big.NewInt(n))
			}
		}
		return spectrum, nil
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

// checkTerms returns why the enumeration of a system is refused, or nil.
func checkTerms(s *lattice.Terms, opts Options) error {
	if opts.Method != Auto && opts.Method != Enumeration {
		return fmt.Errorf("method %s is for the Potts model on the square lattice: choose %s", opts.Method, Enumeration)
	}
	took := seconds(math.Exp(s.LnStates()) * costTerms)
	needs := fmt.Sprintf("method %s needs about %s (limit %s)", Enumeration, duration(took), duration(timeLimit.Seconds()))
	switch {
	case s.LnStates() > math.Log(enumerationLimit):
		return fmt.Errorf("%s, and its counters end at 2^63: choose shorter sides: %w", needs, ErrTooCostly)
	case !opts.Force && took > timeLimit.Seconds():
		return fmt.Errorf("%s: choose shorter sides, or force it: %w", needs, ErrTooCostly)
	}
	return nil
}

// Density returns ln g as a density of states. It has no errors.
func (s *Spectrum) Density() *dos.Density { return &dos.Density{Energy: s.Energy, LnG: s.LnG()} }

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
// the columns that the results of runs have, energy, ln_g and ln_g_error, which is 0, and
// the whole number g.
func (s *Spectrum) WriteCSV(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "# exact density of states of %s; levels without states omitted; method %s\n", s.System, s.Method)
	fmt.Fprintln(out, "energy,ln_g,ln_g_error,g")
	lnG := s.LnG()
	for k, g := range s.G {
		fmt.Fprintf(out, "%s,%s,0,%d\n", strconv.FormatFloat(s.Energy[k], 'g', -1, 64), strconv.FormatFloat(lnG[k], 'g', -1, 64), g)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("exact: write density of states of %s: %w", s.System, err)
	}
	return nil
}
