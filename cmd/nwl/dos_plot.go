package main

import (
	"io"

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
	var files densityReader
	c := &cobra.Command{
		Use:   "plot FILE [FILE...] --out PLOT [--exact FILE]",
		Short: "Plot densities of states",
		Long: `Draw ln g(E) with one standard error and, below, the deviations from the exact density
of states (--exact) or else from the first file, with the combined errors. All files are
shifted to the same sum of g over the levels that they have in common with that
reference. Below a single file without a reference is its standard error.`,
		Example: "  nwl dos plot runs/q10-6x6-1/dos.csv runs/q10-6x6-2/dos.csv --exact exact.csv --out compare.png",
		Args:    arguments(cobra.RangeArgs(1, plots.MostCurves)),
		RunE: func(c *cobra.Command, paths []string) error {
			if err := required(c, "out"); err != nil {
				return err
			}
			if err := plots.CheckPath(out); err != nil {
				return usageError{err}
			}
			curves := make([]plots.Curve, len(paths))
			for i, path := range paths {
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
	c.Flags().StringVar(&exact, "exact", "", "exact density of states to compare with")
	files.addFlags(c)
	return c
}
