package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/internal/ensemble"
)

func newDosAverage() *cobra.Command {
	var betas, out string
	var asJSON bool
	c := &cobra.Command{
		Use:   "average RUN RUN... [--betas BETAS] [--out DIR] [--json]",
		Short: "Average over realisations of quenched disorder",
		Long: `Average ln Z, energy and specific heat per site over realisations: run directories of one system that differ
by system.disorder_seed, or by the couplings of their files. Those that differ by run.seed alone are merged first.
Printed is for each inverse temperature the mean over realisations with its standard error, and in
brackets the part of it that comes from the errors of the runs. With --out all tables, quantiles among
them, and a figure are written into a folder, as those of a group of nwl submit.

Averages are quenched: of ln Z and what follows from it, never of Z or g. Runs without complete results
are left out, and named; that is a bias if it has to do with their disorder. Runs that did
not converge are used, and named.`,
		Example: "  nwl dos average runs/random_bond-4x4-* --betas 0.2..1:0.2 --out averages",
		Args:    arguments(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, folders []string) error {
			at, err := ensemble.ParseBetas(betas)
			if err != nil {
				return usageError{errors.New("--" + err.Error())}
			}
			r, notes, err := ensemble.Runs(folders, at)
			if err != nil {
				return err
			}
			for _, text := range notes {
				fmt.Fprintln(c.ErrOrStderr(), "nwl:", text)
			}
			if out != "" {
				if err := r.Write(out); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), averagesOf(r))
			}
			return unlessClosed(printAverages(c.OutOrStdout(), r, out))
		},
	}
	c.Flags().StringVar(&betas, "betas", ensemble.DefaultBetas, "inverse temperatures in units of 1/J, as in 0.2,0.4 or 0..2:0.05")
	c.Flags().StringVar(&out, "out", "", "folder for tables and figure")
	addJSON(c, &asJSON)
	return c
}

// printAverages prints the averages of a result with one point.
func printAverages(w io.Writer, r *ensemble.Result, out string) error {
	p := r.Points[0]
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "beta\tln Z / N\t\tE / N\t\tC / N\t")
	for _, row := range p.Rows() {
		fmt.Fprintf(t, "%g", row.Beta)
		for _, name := range ensemble.Quantities() {
			a := row.Averages[name]
			fmt.Fprintf(t, "\t%.6f(%.6f)\t[%.6f]", a.Mean, a.Error, a.Own)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "%d runs of %d realisations averaged\n", p.Runs, len(p.Averaged))
	for _, o := range p.LeftOut {
		fmt.Fprintf(w, "left out: %s: %s\n", o.ID, o.Reason)
	}
	if len(p.Unconverged) > 0 {
		var ids []string
		for _, o := range p.Unconverged {
			ids = append(ids, o.ID)
		}
		fmt.Fprintf(w, "not converged: %s\n", strings.Join(ids, ", "))
	}
	for _, text := range p.Notes() {
		fmt.Fprintln(w, text)
	}
	if out != "" {
		fmt.Fprintf(w, "tables and figure in %s\n", out)
	}
	return nil
}

// averagesView is what nwl dos average --json writes.
type averagesView struct {
	*ensemble.Summary
	Averages []averageRow `json:"averages"`
}

type averageRow struct {
	Beta     float64 `json:"beta"`
	Quantity string  `json:"quantity"`
	Mean     finite  `json:"mean"`
	Error    finite  `json:"error"`
	Own      finite  `json:"own_error"`
	Spread   finite  `json:"spread"`
}

func averagesOf(r *ensemble.Result) averagesView {
	v := averagesView{Summary: r.Summary()}
	for _, row := range r.Points[0].Rows() {
		for _, name := range ensemble.Quantities() {
			a := row.Averages[name]
			v.Averages = append(v.Averages, averageRow{row.Beta, name, finite(a.Mean), finite(a.Error), finite(a.Own), finite(a.Spread)})
		}
	}
	return v
}
