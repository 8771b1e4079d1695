package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
)

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
refused unless --force is given. A .csv file has the whole number g beside ln g.`,
		Example: "  nwl dos exact --q 10 --size 6x6 --out exact.csv",
		Args:    arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := required(c, "q", "size"); err != nil {
				return err
			}
			lx, ly, err := parseSize(size)
			if err != nil {
				return usageError{err}
			}
			if out != "" {
				if err := dos.CheckPath(out); err != nil {
					return usageError{err}
				}
			}
			counts, err := exact.Compute(c.Context(), q, lx, ly, exact.Options{
				Method: exact.Method(method), Workers: runtime.GOMAXPROCS(0), Force: force, Progress: progress(c.ErrOrStderr()),
			})
			if err != nil {
				return err
			}
			if strings.EqualFold(filepath.Ext(out), ".npz") {
				return counts.Density().WriteFile(out)
			}
			return output(c.OutOrStdout(), out, counts.WriteCSV)
		},
	}
	c.Flags().IntVar(&q, "q", 0, "number of colours")
	c.Flags().StringVar(&size, "size", "", "sides of the lattice, as in 8x8")
	c.Flags().StringVar(&out, "out", "", "file to write, .csv or .npz (default CSV to standard output)")
	c.Flags().StringVar(&method, "method", "", "enumeration, kaufman or transfer-matrix (default the fastest)")
	c.Flags().BoolVar(&force, "force", false, "compute even what is predicted to take more than an hour or too much memory")
	return c
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
