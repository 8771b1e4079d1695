package main

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
)

func newDosReweight() *cobra.Command {
	var betas, fields []float64
	var least, largest float64
	var steps, sites int
	var out string
	var force, asJSON bool
	var files densityReader
	c := &cobra.Command{
		Use:   "reweight FILE|DIR --beta B[,B...] | --beta-min B --beta-max B --steps N [--json]",
		Short: "Compute canonical averages from a density of states",
		Long: `Print the energy U, the specific heat C, the free energy F and the entropy S per site at
inverse temperatures beta as CSV, in units of J with k_B = 1: the columns of observables.csv.
F and S are absolute if ln g is. --beta-min, --beta-max and --steps stand for N values at
equal distances, both ends included.

Each has its standard error in the next column if the replicas of ln g are known, as of a run
directory, its dos.npz and what nwl dos merge makes of them, and else an empty field.

The files of nwl say how many sites the system has. For others --sites N does; --sites 1 gives
the averages of the whole system.

A joint density of states, of a run with system.joint or of nwl dos exact, is reweighted in the
field, too: --field lists fields h, for which the energy is E - h A with A the magnetisation or the
number of sites of colour 0, or crystal fields D with E + D A, A the squares. Printed are also <A>,
its susceptibility, beta times the variance, both per site, and of the magnetisation <|A|> and the
fourth-order cumulant. Without --field it is summed over A, as by nwl dos project.

A beta at which states beyond the file's lowest or highest energy may matter is
refused unless --force is given: where the level at that edge has more than 1e-4 of the
largest probability. The ends of the system's own spectrum are no such edges, where the file
says which system it is, or shows by its numbers that it covers the whole range of a Potts
model (normalised to q^N, q ground states of energy -2N or -3N).`,
		Example: "  nwl dos reweight runs/q10-8x8-1 --beta-min 1.3 --beta-max 1.5 --steps 41 --out canonical.csv\n" +
			"  nwl dos reweight runs/ising_field-magnetisation-4x4-1 --beta 0.3,0.5 --field 0,0.1,0.5",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := onlyPrinted(asJSON, out); err != nil {
				return err
			}
			ranged := c.Flags().Changed("beta-min") || c.Flags().Changed("beta-max") || c.Flags().Changed("steps")
			switch {
			case ranged && c.Flags().Changed("beta"):
				return usageError{errors.New("--beta and --beta-min, --beta-max, --steps exclude each other")}
			case ranged:
				if err := required(c, "beta-min", "beta-max", "steps"); err != nil {
					return err
				}
				var err error
				if betas, err = equidistant(least, largest, steps); err != nil {
					return usageError{err}
				}
			default:
				if err := required(c, "beta"); err != nil {
					return err
				}
			}
			for _, beta := range betas {
				if math.IsNaN(beta) || math.IsInf(beta, 0) {
					return usageError{fmt.Errorf("beta = %v: it must be a finite number", beta)}
				}
			}
			if c.Flags().Changed("sites") && sites < 1 {
				return usageError{fmt.Errorf("--sites %d: it must be at least 1", sites)}
			}
			for _, x := range fields {
				if math.IsNaN(x) || math.IsInf(x, 0) {
					return usageError{fmt.Errorf("--field %v: it must be a finite number", x)}
				}
			}
			if len(fields) > 0 {
				return reweightJoint(c, args[0], betas, fields, sites, force, func(table func(io.Writer) error) error {
					return output(c.OutOrStdout(), out, tableWriter(asJSON, table))
				})
			}
			e, err := files.readEnsemble(c, args[0])
			if err != nil {
				return err
			}
			switch {
			case c.Flags().Changed("sites"):
			case e.Origin != nil && e.Origin.Sites > 0:
				sites = e.Origin.Sites
			default:
				return usageError{fmt.Errorf("reweight %s: it does not say how many sites the system has; add --sites N for averages per site, or --sites 1 for those of the whole system", args[0])}
			}
			low, high := report.Supported(e.Density)
			if report.Complete(args[0]) {
				low, high = -e.Reach(), e.Reach()
			}
			if err := checkSupport(e.Density, low, high, betas); err != nil && !force {
				return fmt.Errorf("reweight %s: %w", args[0], err)
			}
			if o := e.Origin; e.Replicas == nil && o != nil && o.Method != dos.ExactMethod {
				note(c, args[0], "it has no replicas of ln g, so errors are not known; give a run directory or its dos.npz")
			}
			averages, err := e.Canonical(betas)
			if err != nil {
				return err
			}
			return output(c.OutOrStdout(), out, tableWriter(asJSON, func(w io.Writer) error { return report.WriteCanonical(w, averages, sites) }))
		},
	}
	c.Flags().Float64SliceVar(&betas, "beta", nil, "inverse temperatures, separated by commas")
	c.Flags().Float64SliceVar(&fields, "field", nil, "of a joint density, fields h or crystal fields D, separated by commas")
	c.Flags().Float64Var(&least, "beta-min", 0, "lowest inverse temperature")
	c.Flags().Float64Var(&largest, "beta-max", 0, "highest inverse temperature")
	c.Flags().IntVar(&steps, "steps", 0, "number of inverse temperatures, at least 2")
	c.Flags().IntVar(&sites, "sites", 0, "number of sites of the system, 1 for averages of the whole")
	c.Flags().StringVar(&out, "out", "", "CSV file to write (default standard output)")
	c.Flags().BoolVar(&force, "force", false, "compute even what the data do not support")
	addJSON(c, &asJSON)
	files.addFlags(c)
	return c
}

// equidistant lists n numbers at equal distances, from low to high.
func equidistant(low, high float64, n int) ([]float64, error) {
	if n < 2 || !(low < high) || math.IsInf(high-low, 0) {
		return nil, fmt.Errorf("--beta-min %v --beta-max %v --steps %d: at least two steps from a lower to a higher beta are needed", low, high, n)
	}
	x := make([]float64, n)
	for i := range x {
		t := float64(i) / float64(n-1)
		x[i] = (1-t)*low + t*high
	}
	return x, nil
}

// checkSupport returns an error that names the first beta outside of the range low..high that a density
// has data for.
func checkSupport(d *dos.Density, low, high float64, betas []float64) error {
	for _, beta := range betas {
		if math.Abs(beta) > d.Reach() {
			return fmt.Errorf("beta = %g: levels that are %g wide allow no more than %g; run with a smaller system.bin, or compute it all the same with --force",
				beta, d.Bins.Width, d.Reach())
		}
		edge, further := "lowest", "lower"
		switch {
		case beta > high:
		case beta < low:
			edge, further = "highest", "higher"
		default:
			continue
		}
		// Rounded inwards.
		supported := fmt.Sprintf("beta = %.4f to %.4f", math.Ceil(low*1e4)/1e4, math.Floor(high*1e4)/1e4)
		switch {
		case low > high:
			supported = "no beta at all"
		case math.IsInf(low, -1):
			supported = fmt.Sprintf("beta up to %.4f", math.Floor(high*1e4)/1e4)
		case math.IsInf(high, 1):
			supported = fmt.Sprintf("beta from %.4f", math.Ceil(low*1e4)/1e4)
		}
		energy := d.Energy[0]
		if edge == "highest" {
			energy = d.Energy[d.Len()-1]
		}
		return fmt.Errorf("beta = %g is not supported by the data: their %s energy, %g, is not negligible there, and states of %s energy may matter; the data support %s; merge them with those of a run at %s energies, or compute it all the same with --force",
			beta, edge, energy, further, supported, further)
	}
	return nil
}
