package main

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"runtime"

	"github.com/spf13/cobra"

	"neuralwl/internal/inverse"
	"neuralwl/sampler/dos"
)

func newDosInverse() *cobra.Command {
	var q, draws int
	var size, bundle, out string
	var seed uint64
	var asJSON bool
	c := &cobra.Command{
		Use:   "inverse --q Q --size LxL [--bundle BUNDLE] [--draws N] [--out FILE] [--json]",
		Short: "Estimate ln g from a network alone, by inverse probabilities",
		Long: `Draw configurations from a network that is shown no state and estimate the number of
states of every energy from their inverse probabilities. The estimate is absolute: nothing
is normalised, and the sum over all energies is compared with q^N. No Markov chain has
a part in it. The columns are the energy, ln of the number of states, one standard error
(jackknife over 32 blocks) and the effective number of draws; where that is far below a
hundred, the error is not to be trusted.`,
		Example: "  nwl dos inverse --bundle pretrained/potts-q10 --q 10 --size 5x5 --draws 200000 --out inverse.csv",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := onlyPrinted(asJSON, out); err != nil {
				return err
			}
			if err := required(c, "q", "size"); err != nil {
				return err
			}
			n, err := openBundle(c.Context(), bundle, q, size, runtime.GOMAXPROCS(0))
			if err != nil {
				return err
			}
			o := inverse.Options{
				System: n.System, Bundle: n.Bundle, Runtime: n.Runtime, Part: n.Part,
				Seed: seed, Draws: draws, Observe: logProgress(),
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			a, err := inverse.Estimate(ctx, o)
			if err != nil {
				return err
			}
			if err := output(c.OutOrStdout(), out, tableWriter(asJSON, func(w io.Writer) error { return writeAbsolute(w, a) })); err != nil {
				return err
			}
			z := (a.LnTotal - o.System.LnStates()) / a.LnTotalError
			_, err = fmt.Fprintf(c.ErrOrStderr(), "ln of the sum of states %.4f(%.4f), N ln q = %.4f: %.1f standard errors\n", a.LnTotal, a.LnTotalError, o.System.LnStates(), z)
			return err
		},
	}
	c.Flags().StringVar(&bundle, "bundle", "", "the network, also one trained on another size if its weights fit all sizes (default pretrained/potts-qQ)")
	c.Flags().IntVar(&q, "q", 0, "number of colours")
	c.Flags().StringVar(&size, "size", "", "sides of the lattice, as in 5x5")
	c.Flags().IntVar(&draws, "draws", 100_000, "configurations to draw")
	c.Flags().Uint64Var(&seed, "seed", 1, "fixes every random number")
	c.Flags().StringVar(&out, "out", "", "CSV file to write (default standard output)")
	addJSON(c, &asJSON)
	return c
}

// writeAbsolute writes an absolute estimate as CSV, an empty field for an unknown error.
func writeAbsolute(w io.Writer, a *dos.Absolute) error {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, "energy,ln_g,ln_g_error,effective_draws")
	for i, e := range a.Energy {
		deviation := ""
		if !math.IsNaN(a.Error[i]) {
			deviation = fmt.Sprintf("%.6g", a.Error[i])
		}
		fmt.Fprintf(&buf, "%g,%.12g,%s,%.4g\n", e, a.LnG[i], deviation, a.Effective[i])
	}
	_, err := w.Write(buf.Bytes())
	return err
}
