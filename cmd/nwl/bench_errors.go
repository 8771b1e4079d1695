package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/bench"
	"neuralwl/sampler/dos"
)

func newBenchErrors() *cobra.Command {
	var m benchMixes
	var seeds int
	var phases []float64
	c := &cobra.Command{
		Use:   "errors --q Q --size LxL [--bundle BUNDLE] [--dos FILE]",
		Short: "Compare moves by the errors of their results",
		Long: `Measure how precise a result is for the processor time that it took, under frozen weights: of
the sequential heat bath alone, and of mixes with a network's proposals. All make the estimate of a
run, which is held to the known ln g at both ends of the energies; with a network that aims at
energies it is also made with its draws joined. What is given is the variance times the seconds
of one core, of

  X                 ln of the ratio of the weights of the ordered and the disordered phase at the
                    transition of the infinite lattice,
  ln g              the mean over the levels from the infinite-temperature peak to the ground state,
  ln(P_max/P_min)   the barrier between the phases at equal height.

Half of it means the same error in half of the time. Variances are jackknifed over independent
walkers, their errors come from the scatter between seeds. Ratios are those to the heat bath. The
training of the network is not counted. A mix is
[cluster:]SWEEPS:TRIALS[:SHARE[:SHIFT]] as in nwl bench moves.

The weights are the inverse of a density of states, that of a run, or without one those of
Wang-Landau sampling with the network, which comes first. All start from the same configurations, in
equilibrium over all energies, to which the network has brought them.`,
		Example: "  nwl bench errors --q 10 --size 16x16\n  nwl bench errors --q 10 --size 32x32 --time 120s --mix 20:1 --dos runs/q10-32x32-1",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if seeds < 1 || m.walkers < 16 {
				return usageError{fmt.Errorf("--seeds %d, --walkers %d: at least one and 16 are needed, as errors are from the scatter between walkers", seeds, m.walkers)}
			}
			o, err := m.options(c)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(phases, func(x float64) bool { return !(x >= 0 && x <= 0.98) }) {
				return usageError{fmt.Errorf("--phases %v: shares from 0 to 0.98 are allowed", phases)}
			}
			options := bench.ErrorOptions{Options: *o, Seeds: seeds, Shares: phases}
			if err := options.Validate(); err != nil {
				return usageError{fmt.Errorf("--mix: %w", err)}
			}
			results, err := bench.Errors(c.Context(), options)
			if err != nil {
				return err
			}
			return m.show(c, results, func() error { return printErrors(c.OutOrStdout(), results, o.Bundle.Card.Training.Seconds) })
		},
	}
	m.addFlags(c, bench.DefaultErrorMixes)
	c.Flags().BoolVar(&m.low, "low", false, "measure also with more time at low energies")
	c.Flags().Float64SliceVar(&phases, "phases", []float64{0, 0.5}, "shares of the time at the two phases, 0 for a flat histogram")
	c.Flags().DurationVar(&m.time, "time", 30*time.Second, "processor time for each kind of move and seed, after a quarter as much to come to equilibrium")
	c.Flags().Uint64Var(&m.seed, "seed", 1, "the first one")
	c.Flags().IntVar(&seeds, "seeds", 3, "runs of each kind of move")
	c.Flags().IntVar(&m.walkers, "walkers", 64, "walkers of each kind of move")
	return c
}

// printErrors prints a comparison as a table.
func printErrors(w io.Writer, results []bench.Precision, training float64) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "moves\tseconds\tacceptance")
	for _, name := range bench.Quantities {
		fmt.Fprintf(t, "\t%s: variance x seconds\tratio", name)
	}
	fmt.Fprintln(t)
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.1f\t%.3f", r.Moves, r.Seconds, r.Acceptance)
		for _, c := range r.Cost {
			fmt.Fprintf(t, "\t%s\t%s", costString(c.Value, c.Error), costString(c.Ratio, c.RatioError))
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range results {
		if r.Fault != "" {
			fmt.Fprintf(w, "\n%s: not all estimates with at least one seed, measure for longer (--time): %s\n", r.Moves, r.Fault)
		}
	}
	fmt.Fprintf(w, "\nThe network was trained for %.0f s, which are not counted above. With them, and beyond so many seconds\nof one core, runs with the network are more precise than with the heat bath:\n\n", training)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "moves\t"+strings.Join(bench.Quantities[:], "\t"))
	for _, r := range results {
		if r.Mix.Trials == 0 {
			continue
		}
		fmt.Fprint(t, r.Moves)
		for _, c := range r.Cost {
			switch {
			case math.IsNaN(c.Value):
				fmt.Fprint(t, "\t")
			case math.IsInf(c.BreakEven, 1):
				fmt.Fprint(t, "\tnever")
			default:
				fmt.Fprintf(t, "\t%.0f", c.BreakEven)
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// costString writes a value with its error, as far as they are known.
func costString(x, deviation float64) string {
	switch {
	case math.IsNaN(x):
		return "unknown"
	case math.IsNaN(deviation):
		return fmt.Sprintf("%.3g", x)
	}
	return dos.NewEstimate(x, deviation).String()
}
