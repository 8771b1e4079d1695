package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/internal/disk"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
)

func newDos() *cobra.Command {
	c := &cobra.Command{
		Use:   "dos",
		Short: "Work with densities of states",
	}
	c.AddCommand(newDosExact(), newDosDiff())
	return c
}

func newDosExact() *cobra.Command {
	var q int
	var size, out, method string
	var force bool
	c := &cobra.Command{
		Use:   "exact --q Q --size LxLy [--out FILE]",
		Short: "Compute an exact density of states",
		Long: `Compute the exact density of states of the Potts model with Q colours on a periodic
Lx x Ly lattice, by the fastest method: the Kaufman-Beale solution for two colours,
a transfer matrix or enumeration. What would take too long or too much memory is
refused unless --force is given.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			lx, ly, err := parseSize(size)
			if err != nil {
				return usageError{err}
			}
			counts, err := exact.Compute(c.Context(), q, lx, ly, exact.Options{
				Method: exact.Method(method), Workers: runtime.GOMAXPROCS(0), Force: force, Progress: progress(c.ErrOrStderr()),
			})
			if err != nil {
				return err
			}
			return output(c.OutOrStdout(), out, counts.WriteCSV)
		},
	}
	c.Flags().IntVar(&q, "q", 0, "number of colours")
	c.Flags().StringVar(&size, "size", "", "sides of the lattice, as in 8x8")
	c.Flags().StringVar(&out, "out", "", "file to write (default standard output)")
	c.Flags().StringVar(&method, "method", "", "enumeration, kaufman or transfer-matrix (default the fastest)")
	c.Flags().BoolVar(&force, "force", false, "compute even what is predicted to take more than an hour or too much memory")
	for _, name := range []string{"q", "size"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return c
}

func newDosDiff() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "diff A B [--json]",
		Short: "Compare two densities of states",
		Long: `Print the difference of ln g between the files A and B, after normalising both to
the same sum over the levels that both have, and the levels that only one has.`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			a, err := dos.ReadFile(args[0])
			if err != nil {
				return err
			}
			b, err := dos.ReadFile(args[1])
			if err != nil {
				return err
			}
			d, err := dos.Compare(a, b)
			if err != nil {
				return err
			}
			w := c.OutOrStdout()
			if asJSON {
				encoder := json.NewEncoder(w)
				encoder.SetIndent("", "  ")
				return encoder.Encode(d)
			}
			fmt.Fprintf(w, "levels in common  %d\nrms difference    %.6g\nlargest           %.6g at E = %g\n", d.Levels, d.RMS, d.Max, d.MaxAt)
			fmt.Fprintf(w, "missing in A      %s\nmissing in B      %s\n", list(d.MissingA), list(d.MissingB))
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
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

// progress returns a function that shows the progress on a terminal, nil where w
// is none.
func progress(w io.Writer) func(done, total int) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(done, total int) {
		fmt.Fprintf(w, "\r%3d %%", 100*done/max(total, 1))
		if done == total {
			fmt.Fprint(w, "\r     \r")
		}
	}
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
	return disk.WriteFile(disk.OS, path, buf.Bytes())
}
