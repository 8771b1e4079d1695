package main

import (
	"fmt"
	"io"
	"math"
	"os"

	"github.com/spf13/cobra"

	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
)

func newDosProject() *cobra.Command {
	var field float64
	var out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "project FILE|DIR [--field X] [--out FILE] [--json]",
		Short: "Sum a joint density of states over its second variable",
		Long: `Sum a joint density of states g(E, A), of a run with system.joint or of nwl dos exact, over the
second variable: to g(E), or with --field to that of the energies in a field, E - h A for the
magnetisation or the number of sites of colour 0, and E + D A for the squares, where X is D. The
result is a density of states as any other, with its errors, and in .npz with their replicas.`,
		Example: `  nwl dos project runs/ising_field-magnetisation-4x4-1 --field 0.25 --out in-field.npz
  nwl dos project joint.csv`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := onlyPrinted(asJSON, out); err != nil {
				return err
			}
			if out != "" {
				if err := dos.CheckPath(out); err != nil {
					return usageError{err}
				}
			}
			if math.IsNaN(field) || math.IsInf(field, 0) {
				return usageError{fmt.Errorf("--field %v: it must be a finite number", field)}
			}
			j, err := readJoint(c, args[0])
			if err != nil {
				return err
			}
			e := report.InField(j, field)
			if out == "" {
				return tableWriter(asJSON, e.WriteCSV)(c.OutOrStdout())
			}
			return e.WriteFile(out)
		},
	}
	c.Flags().Float64Var(&field, "field", 0, "field h, or crystal field D, in units of J")
	c.Flags().StringVar(&out, "out", "", "file to write, .csv or .npz (default CSV to standard output)")
	addJSON(c, &asJSON)
	return c
}

// readJoint reads a joint density of states from a file or a run directory.
func readJoint(c *cobra.Command, path string) (*dos.Joint, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return report.LoadJoint(path)
	}
	return dos.Reader{Note: func(text string) { note(c, path, text) }}.ReadJoint(path)
}

// reweightJoint prints averages of a joint density at every pair of an inverse temperature and a field.
func reweightJoint(c *cobra.Command, path string, betas, fields []float64, sites int, force bool, write func(func(io.Writer) error) error) error {
	j, err := readJoint(c, path)
	if err != nil {
		return err
	}
	if sites == 0 {
		o := j.Cells.Origin
		if o == nil || o.Sites < 1 {
			return usageError{fmt.Errorf("reweight %s: it does not say how many sites the system has; add --sites N for averages per site, or --sites 1 for those of the whole system", path)}
		}
		sites = o.Sites
	}
	var points []dos.Point
	complete := report.Complete(path)
	for _, field := range fields {
		low, high := report.SupportedInField(j, field)
		if complete {
			low, high = math.Inf(-1), math.Inf(1)
		}
		if err := checkSupport(j.Project(field).Density, low, high, betas); err != nil && !force {
			return fmt.Errorf("reweight %s to %s = %g: %w", path, j.Field(), field, err)
		}
		for _, beta := range betas {
			points = append(points, dos.Point{Beta: beta, Field: field})
		}
	}
	averages, err := j.Canonical(points)
	if err != nil {
		return err
	}
	return write(func(w io.Writer) error { return report.WriteJoint(w, j, averages, sites) })
}
