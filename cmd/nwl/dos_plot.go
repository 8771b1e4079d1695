package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"neuralwl/internal/plots"
	"neuralwl/sampler/dos"
)

// nameCurves gives curves the names of their runs in place of their paths, if no two are the same.
func nameCurves(curves []plots.Curve) {
	names := map[string]bool{}
	for _, c := range curves {
		if c.Origin != nil && c.Origin.Run != "" {
			names[c.Origin.Run] = true
		}
	}
	if len(names) < len(curves) {
		return
	}
	for i := range curves {
		curves[i].Name = curves[i].Origin.Run
	}
}

func newDosPlot() *cobra.Command {
	var out, exact string
	var beta, field float64
	var files densityReader
	c := &cobra.Command{
		Use:   "plot FILE [FILE...] --out PLOT [--exact FILE]",
		Short: "Plot densities of states",
		Long: `Draw ln g(E) with one standard error and, below, the deviations from the exact density
of states (--exact) or else from the first file, with the combined errors. All files are
shifted to the same sum of g over the levels that they have in common with that
reference. Below a single file without a reference is its standard error.

A joint density of states alone is drawn over both variables, with lines of equal height: ln g, or
with --beta the logarithm of the probability there, in the --field given. Among several it is summed
over its second variable, as by nwl dos project.`,
		Example: "  nwl dos plot runs/q10-6x6-1/dos.csv runs/q10-6x6-2/dos.csv --exact exact.csv --out compare.png\n" +
			"  nwl dos plot runs/ising_field-magnetisation-4x4-1 --beta 0.5 --field 0.1 --out joint.png",
		Args: arguments(cobra.RangeArgs(1, plots.MostCurves)),
		RunE: func(c *cobra.Command, paths []string) error {
			if err := required(c, "out"); err != nil {
				return err
			}
			if err := plots.CheckPath(out); err != nil {
				return usageError{err}
			}
			curves := make([]plots.Curve, len(paths))
			if len(paths) == 1 && exact == "" {
				e, j, err := files.readEither(c, paths[0])
				if err != nil {
					return err
				}
				if j != nil {
					figure := plotJoint(c, j, beta, field)
					return output(c.OutOrStdout(), out, func(w io.Writer) error { return figure.Encode(w, out) })
				}
				curves[0] = plots.Curve{Name: paths[0], Density: e.Density}
			}
			if c.Flags().Changed("beta") || c.Flags().Changed("field") {
				return usageError{errors.New("--beta and --field are for a single joint density of states, without --exact")}
			}
			for i, path := range paths {
				if curves[i].Density != nil {
					continue
				}
				d, err := files.read(c, path)
				if err != nil {
					return err
				}
				curves[i] = plots.Curve{Name: path, Density: d}
			}
			nameCurves(curves)
			var reference *dos.Density
			if exact != "" {
				var err error
				if reference, err = files.read(c, exact); err != nil {
					return err
				}
			}
			figure, err := plots.LnG(curves, reference)
			if err != nil {
				return err
			}
			return output(c.OutOrStdout(), out, func(w io.Writer) error { return figure.Encode(w, out) })
		},
	}
	c.Flags().StringVar(&out, "out", "", "file to write, .png, .svg or .pdf")
	c.Flags().Float64Var(&beta, "beta", 0, "of a joint density, draw ln P at this inverse temperature")
	c.Flags().Float64Var(&field, "field", 0, "and in this field h, or crystal field D, in units of J")
	c.Flags().StringVar(&exact, "exact", "", "exact density of states to compare with")
	files.addFlags(c)
	return c
}

// plotJoint draws a joint density of states, or at an inverse temperature its probability.
func plotJoint(c *cobra.Command, j *dos.Joint, beta, field float64) plots.Figure {
	title, sites := "Joint density of states", 0
	if o := j.Cells.Origin; o != nil {
		title, sites = o.System.Name, o.Sites
	}
	if !c.Flags().Changed("beta") && !c.Flags().Changed("field") {
		return plots.Joint(j, j.Cells.LnG, title, "ln g", sites)
	}
	lnP := j.LnP(dos.Point{Beta: beta, Field: field})
	for i, x := range lnP {
		if x < leastLnP {
			lnP[i] = math.Inf(-1)
		}
	}
	return plots.Joint(j, lnP, fmt.Sprintf("%s, beta = %g, %s = %g", title, beta, j.Field(), field), "ln P", sites)
}

// leastLnP is the logarithm of a probability too small to be of interest.
const leastLnP = -40
