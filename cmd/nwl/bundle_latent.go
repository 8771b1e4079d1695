package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"neuralwl/internal/latent"
	"neuralwl/internal/setup"
)

func newBundleLatent() *cobra.Command {
	var dos, out string
	var states int
	var seed uint64
	var files densityReader
	c := &cobra.Command{
		Use:   "latent BUNDLE [--dos FILE] [--states N] [--out DIR]",
		Short: "Look into the latent space of an autoencoder",
		Long: `Sample configurations of all energies by heat bath, in random frames, and encode them:
how the energy and the order parameter depend on the latent vector, by correlation
coefficients and by the share of the variance that a linear function of all
coordinates explains. If coordinate 0 is tied to one of them (model.energy_weight,
model.tie), proposals with shifts show where moves along it lead.

--out takes latent.csv with all configurations and their latent vectors, and latent.png
and latent.svg, which show them coloured by energy and by order.`,
		Example: "  nwl train --set system.size=8x8 --set model.energy_weight=50 --name tied --out nets\n  nwl bundle latent nets/tied --out latent",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			bundle, err := setup.OpenBundle(args[0])
			if err != nil {
				return err
			}
			of := bundle.Card.System.System()
			if len(of.Sides) != 2 {
				return fmt.Errorf("bundle %s is for %v; the latent space is looked into for two-dimensional Potts models", args[0], of)
			}
			n, err := openBundle(c.Context(), args[0], of.Q, of.Size(), runtime.GOMAXPROCS(0))
			if err != nil {
				return err
			}
			o := latent.Options{
				System: n.System, Bundle: n.Bundle, Runtime: n.Runtime, Part: n.Part,
				Seed: seed, States: states, Observe: logProgress(),
			}
			if dos != "" {
				if o.LnG, err = weightsOf(c, files, dos, n.System); err != nil {
					return err
				}
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			s, err := latent.Look(ctx, o)
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeLatent(s, out, n.Bundle.Card.Name); err != nil {
					return err
				}
			}
			return s.Print(c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&dos, "dos", "", "weights for the sampling: a density of states or run directory (default by Wang-Landau sampling)")
	c.Flags().IntVar(&states, "states", 4096, "configurations")
	c.Flags().Uint64Var(&seed, "seed", 1, "fixes every random number")
	c.Flags().StringVar(&out, "out", "", "folder for the table and the pictures")
	files.addFlags(c)
	return c
}

// writeLatent writes the files of a study into a folder.
func writeLatent(s *latent.Study, folder, title string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	figure, err := s.Figure(title)
	if err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{
		"latent.csv": s.WriteCSV,
		"latent.png": func(w io.Writer) error { return figure.Encode(w, "latent.png") },
		"latent.svg": func(w io.Writer) error { return figure.Encode(w, "latent.svg") },
	} {
		if err := output(nil, filepath.Join(folder, name), write); err != nil {
			return err
		}
	}
	return nil
}
