package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

func newDosMerge() *cobra.Command {
	var q int
	var size, out string
	var lnStates float64
	var files densityReader
	c := &cobra.Command{
		Use:   "merge A B [C...] --out FILE",
		Short: "Combine independent runs and energy windows",
		Long: `Combine densities of states of the same system from independent runs. Files with the
same levels are averaged, weighted by their errors. Pieces from windows of energy that
overlap are joined from the lowest energies upward, each shifted by the weighted mean
difference of ln g in the overlap.

The sum of g becomes exp(X) by --lnstates X, Q^N by --q and --size for a Potts model,
and else remains that of the first file over its levels. Only a result that covers the
whole range of energies, at least the maximum of g, can be normalised rightly.

Printed is for every file how it fits to those before it in the order of the table:
the shift with its error, the rms difference in units of the combined errors and chi
square per degree of freedom (well above 1: the errors are too small, or a run is not
converged; well below 1: neighbouring levels err alike), and the rms difference itself.`,
		Example: "  nwl dos merge low.csv middle.csv high.npz --q 10 --size 16x16 --out dos.csv",
		Args:    arguments(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, paths []string) error {
			if err := required(c, "out"); err != nil {
				return err
			}
			if err := dos.CheckPath(out); err != nil {
				return usageError{err}
			}
			lnTotal := math.NaN()
			var system *lattice.Potts
			flags := c.Flags()
			switch potts := flags.Changed("q") || flags.Changed("size"); {
			case potts && flags.Changed("lnstates"):
				return usageError{errors.New("--lnstates and --q with --size both give the number of states; leave one out")}
			case potts:
				if err := required(c, "q", "size"); err != nil {
					return err
				}
				lx, ly, err := parseSize(size)
				if err != nil {
					return usageError{err}
				}
				if system, err = lattice.NewPotts(q, lx, ly); err != nil {
					return usageError{err}
				}
				lnTotal = system.LnStates()
			case flags.Changed("lnstates"):
				if lnTotal = lnStates; math.IsNaN(lnTotal) || math.IsInf(lnTotal, 0) {
					return usageError{fmt.Errorf("--lnstates %v: it must be a finite number, the logarithm of the number of states", lnStates)}
				}
			}
			pieces := make([]dos.Piece, len(paths))
			for i, path := range paths {
				d, err := files.read(c, path)
				if err != nil {
					return err
				}
				if err := within(d, system); err != nil {
					return fmt.Errorf("merge %s: %w", path, err)
				}
				pieces[i] = dos.Piece{Name: path, Density: d}
			}
			merged, overlaps, err := dos.Merge(pieces, lnTotal)
			if err != nil {
				return err
			}
			if err := merged.WriteFile(out); err != nil {
				return err
			}
			if err := printOverlaps(c.OutOrStdout(), overlaps); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d files merged to %d levels, E = %g..%g, in %s\n",
				len(paths), merged.Len(), merged.Energy[0], merged.Energy[merged.Len()-1], out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write, .csv or .npz")
	c.Flags().Float64Var(&lnStates, "lnstates", 0, "logarithm of the number of states in all")
	c.Flags().IntVar(&q, "q", 0, "number of colours of the Potts model")
	c.Flags().StringVar(&size, "size", "", "sides of its lattice, as in 16x16")
	files.addFlags(c)
	return c
}

// within returns an error if a density has energies that the system, if known, lacks.
func within(d *dos.Density, system *lattice.Potts) error {
	if system == nil {
		return nil
	}
	low, high, ground := d.Energy[0], d.Energy[d.Len()-1], system.Energy(system.GroundLevel())
	if low < ground || high > 0 {
		return fmt.Errorf("its energies %g..%g are not all within %g..0, those of %v; check --q and --size", low, high, ground, system)
	}
	return nil
}

// printOverlaps prints a table of how well the pieces fit together.
func printOverlaps(w io.Writer, overlaps []dos.Overlap) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "file\tlevels in common\tshift\trms/error\tchi2/dof\trms")
	for _, o := range overlaps {
		fmt.Fprintf(t, "%s\t%d, E = %g..%g\t%s\t%s\t%s\t%.3g\n", o.Piece, o.Levels, o.From, o.To,
			withError(o.Shift, o.ShiftError), number(o.RMS), number(o.ChiSquare), o.Difference)
	}
	return t.Flush()
}

// withError writes value(error), without the error where that is zero or unknown.
func withError(value, deviation float64) string {
	if deviation > 0 {
		return fmt.Sprintf("%.4f(%.4f)", value, deviation)
	}
	return fmt.Sprintf("%.4f", value)
}

// number writes x, or a dash where it is unknown.
func number(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return fmt.Sprintf("%.3g", x)
}
