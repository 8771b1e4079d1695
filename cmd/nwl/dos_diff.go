package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"neuralwl/sampler/dos"
)

func newDosDiff() *cobra.Command {
	var asJSON bool
	var files densityReader
	c := &cobra.Command{
		Use:   "diff A B [--json]",
		Short: "Compare two densities of states",
		Long: `Print the difference of ln g between the files A and B, after normalising both to
the same sum over the levels that both have, and the levels that only one has. Two joint densities
of states are compared pair by pair; one of them is summed over its second variable.`,
		Example: "  nwl dos diff runs/q10-6x6-1/dos.csv exact.csv",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := difference(c, files, args[0], args[1])
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			if asJSON {
				return writeJSON(w, d)
			}
			fmt.Fprintf(w, "levels in common  %d\nrms difference    %.6g\nlargest           %.6g at E = %g\n", d.Levels, d.RMS, d.Max, d.MaxAt)
			fmt.Fprintf(w, "missing in A      %s\nmissing in B      %s\n", list(d.MissingA), list(d.MissingB))
			return nil
		},
	}
	addJSON(c, &asJSON)
	files.addFlags(c)
	return c
}

// difference compares two files or run directories.
func difference(c *cobra.Command, files densityReader, first, second string) (dos.Difference, error) {
	a, ja, err := files.readEither(c, first)
	if err != nil {
		return dos.Difference{}, err
	}
	b, jb, err := files.readEither(c, second)
	switch {
	case err != nil:
		return dos.Difference{}, err
	case ja != nil && jb != nil:
		return dos.CompareJoint(ja, jb)
	case ja != nil:
		a = summed(c, first, ja)
	case jb != nil:
		b = summed(c, second, jb)
	}
	return dos.Compare(a.Density, b.Density)
}

// list prints energies, or none.
func list(energies []float64) string {
	if len(energies) == 0 {
		return "none"
	}
	words := make([]string, len(energies))
	for i, e := range energies {
		words[i] = strconv.FormatFloat(e, 'g', -1, 64)
	}
	return fmt.Sprintf("%d: E = %s", len(words), strings.Join(words, ", "))
}
