package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"neuralwl/internal/disk"
)

func newDos() *cobra.Command {
	c := &cobra.Command{
		Use:   "dos",
		Short: "Work with densities of states",
		Long: `Compute, combine, compare, plot and reweight densities of states. Files end in .csv
(columns energy, ln_g, ln_g_error) or .npz (NumPy arrays of the same names). Read are
also tables of other programs, in .csv, .txt, .dat or .tsv: with other separators and
decimal commas, with g for ln g, or without names of the columns. What is taken for
granted is printed; what may be read in two ways is refused.`,
		Args: noArguments,
		RunE: help,
	}
	c.AddCommand(newDosExact(), newDosDiff(), newDosMerge(), newDosAverage(), newDosReweight(), newDosPlot(), newDosProject(), newDosInverse())
	return c
}

// required returns a usage error that names the flags of these which were not given.
func required(c *cobra.Command, names ...string) error {
	var missing []string
	for _, name := range names {
		if !c.Flags().Changed(name) {
			missing = append(missing, "--"+name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("%s missing; usage: %s", strings.Join(missing, " and "), c.UseLine())}
}

// parseSize reads LxLy.
func parseSize(s string) (lx, ly int, err error) {
	a, b, ok := strings.Cut(strings.ToLower(s), "x")
	if ok {
		lx, err = strconv.Atoi(a)
		if err == nil {
			ly, err = strconv.Atoi(b)
		}
	}
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("--size %q: write the sides as in 8x8", s)
	}
	return lx, ly, nil
}

// output writes to a file, whole or not at all, or to w if no path is given.
func output(w io.Writer, path string, write func(io.Writer) error) error {
	if path == "" {
		return write(w)
	}
	var buf bytes.Buffer
	if err := write(&buf); err != nil {
		return err
	}
	if err := disk.WriteFile(disk.OS, path, buf.Bytes()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
