package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"neuralwl/internal/latent"
	"neuralwl/internal/setup"
)

func newBundleLatent() *cobra.Command {
	var dos, out string
	var states int
	var seed uint64
	var asJSON bool
	var files densityReader
	c := &cobra.Command{
		Use:   "latent BUNDLE [--dos FILE] [--states N] [--out DIR] [--json]",
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
			if asJSON {
				return writeJSON(c.OutOrStdout(), studyOf(s))
			}
			return s.Print(c.OutOrStdout())
		},
	}
	c.Flags().StringVar(&dos, "dos", "", "weights for the sampling: a density of states or run directory (default by Wang-Landau sampling)")
	c.Flags().IntVar(&states, "states", 4096, "configurations")
	c.Flags().Uint64Var(&seed, "seed", 1, "fixes every random number")
	c.Flags().StringVar(&out, "out", "", "folder for the table and the pictures")
	addJSON(c, &asJSON)
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

// study is what nwl bundle latent --json writes.
type study struct {
	TiedTo         string        `json:"tied_to,omitempty"`
	Configurations int           `json:"configurations"`
	Correlations   []correlation `json:"correlations"`
	Shifts         []shift       `json:"shifts"`
}

type correlation struct {
	Quantity    string   `json:"quantity"`
	Coordinates []finite `json:"coordinates"` // correlation coefficient with each
	Explained   finite   `json:"explained"`   // by all coordinates
}

type shift struct {
	Asked     finite `json:"asked"`
	Moved     finite `json:"moved"`
	Error     finite `json:"moved_error"`
	Proposals int    `json:"proposals"`
}

func studyOf(s *latent.Study) study {
	all := study{TiedTo: s.Tie, Configurations: len(s.Energy), Shifts: []shift{}}
	for name, c := range map[string]latent.Correlation{"energy": s.OfEnergy, "order_parameter": s.OfOrder} {
		of := correlation{Quantity: name, Explained: finite(c.Explained)}
		for _, x := range c.Coordinates {
			of.Coordinates = append(of.Coordinates, finite(x))
		}
		all.Correlations = append(all.Correlations, of)
	}
	slices.SortFunc(all.Correlations, func(a, b correlation) int { return strings.Compare(a.Quantity, b.Quantity) })
	for _, x := range s.Shifts {
		all.Shifts = append(all.Shifts, shift{finite(x.Asked), finite(x.Moved), finite(x.Error), x.Proposals})
	}
	return all
}
