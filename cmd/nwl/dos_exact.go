package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
)

func newDosExact() *cobra.Command {
	var q int
	var size, file, out, method string
	var assignments []string
	var force, asJSON bool
	c := &cobra.Command{
		Use:   "exact --q Q --size LxLy | --set system.KEY=VALUE... | --config FILE [--out FILE] [--json]",
		Short: "Compute an exact density of states",
		Long: `Compute the exact density of states of a system. --q and --size alone are those of the
Potts model on a periodic square lattice, for which the fastest method is taken: the
Kaufman-Beale solution for two colours, a transfer matrix or enumeration. Any other
system is described as for nwl run, by --set system.model=MODEL and other keys of
system, or by the configuration of a run. Its sites are added one by one and summed over
as soon as all their neighbours are there (elimination), which takes seconds for 8x8
Ising spins of any couplings and for random graphs of some 60 sites, or it is
enumerated. With system.joint it is the joint density of the energy and a second variable, in
minutes for 8x8 Ising spins. What is predicted to take more than an hour or too much memory is refused
unless --force is given.

The columns are those of a run, energy, ln_g and ln_g_error (0), and the whole number g
in a .csv file.`,
		Example: `  nwl dos exact --q 10 --size 6x6 --out exact.csv
  nwl dos exact --set system.model=blume_capel --set system.crystal_field=1.97 --set system.size=4x4
  nwl dos exact --config runs/q10-6x6-1/config.yaml --out exact.npz`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := onlyPrinted(asJSON, out); err != nil {
				return err
			}
			if out != "" {
				if err := dos.CheckPath(out); err != nil {
					return usageError{err}
				}
			}
			var of config.System
			var err error
			if file == "" && assignments == nil {
				if err := required(c, "q", "size"); err != nil {
					return err
				}
				of, err = potts(q, size)
			} else {
				if c.Flags().Changed("q") {
					assignments = append(assignments, "system.q="+strconv.Itoa(q))
				}
				if c.Flags().Changed("size") {
					assignments = append(assignments, "system.size="+size)
				}
				of, err = configured(file, assignments)
			}
			if err != nil {
				return usageError{err}
			}
			system, err := of.New()
			if err != nil {
				return usageError{err}
			}
			spectrum, err := exact.Of(c.Context(), system, exact.Options{
				Method: exact.Method(method), Workers: runtime.GOMAXPROCS(0), Force: force, Progress: progress(c.ErrOrStderr()),
			})
			if err != nil {
				return err
			}
			if out == "" {
				return tableWriter(asJSON, spectrum.WriteCSV)(c.OutOrStdout())
			}
			origin := report.ExactOrigin(version(), of, system)
			npz := strings.EqualFold(filepath.Ext(out), ".npz")
			if npz && spectrum.Second != nil {
				j := spectrum.Joint()
				j.Cells.Origin = origin
				return j.WriteFile(out)
			}
			if npz {
				d := spectrum.Density()
				d.Error, d.Origin = make([]float64, d.Len()), origin
				return d.WriteFile(out)
			}
			return origin.WriteTable(out, spectrum.WriteCSV)
		},
	}
	c.Flags().IntVar(&q, "q", 0, "number of colours")
	c.Flags().StringVar(&size, "size", "", "sides of the lattice, as in 8x8")
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key of system, as in --set system.model=ising_field")
	c.Flags().StringVar(&file, "config", "", "YAML file with a configuration, of which system is used")
	c.Flags().StringVar(&out, "out", "", "file to write, .csv or .npz (default CSV to standard output)")
	c.Flags().StringVar(&method, "method", "", "enumeration, kaufman, transfer-matrix or elimination (default the fastest)")
	c.Flags().BoolVar(&force, "force", false, "compute even what is predicted to take more than an hour or too much memory")
	addJSON(c, &asJSON)
	return c
}

// potts is the Potts model that --q and --size describe.
func potts(q int, size string) (config.System, error) {
	lx, ly, err := parseSize(size)
	return config.System{Model: config.Potts, Q: q, Size: []int{lx, ly}}, err
}

// configured is the system of a configuration.
func configured(file string, assignments []string) (config.System, error) {
	for _, a := range assignments {
		if !strings.HasPrefix(strings.ToLower(strings.TrimSpace(a)), "system.") {
			return config.System{}, fmt.Errorf("--set %s: only keys of system matter to an exact density of states; leave it out", a)
		}
	}
	c, err := config.Load(file, assignments)
	if err != nil {
		return config.System{}, err
	}
	return c.System, nil
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
