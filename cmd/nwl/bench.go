package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/bench"
	"neuralwl/internal/setup"
	"neuralwl/sampler/lattice"
)

func newBench() *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure speed",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return usageError{errors.New("nwl bench needs a subcommand; `nwl bench --help` lists them")}
		},
	}
	c.AddCommand(newBenchMoves(), newBenchErrors(), newBenchNetworks())
	return c
}

func newBenchMoves() *cobra.Command {
	var m benchMixes
	c := &cobra.Command{
		Use:   "moves --q Q --size LxL [--bundle BUNDLE] [--dos FILE]",
		Short: "Compare moves by round trips per second",
		Long: `Measure round trips between the ground state and the infinite-temperature peak, per
second of one core, under frozen weights: of the sequential heat bath alone, and of mixes
with a network's proposals. The kinds of move take turns every half second, so that other
load on the machine disturbs all of them alike. A mix is SWEEPS:TRIALS per
pass, 0:TRIALS for the network alone; SWEEPS:TRIALS:SHARE makes that share of the trials go
from one end of the energies to the other, and SWEEPS:TRIALS:SHARE:SHIFT half of them shift
the energy by up to SHIFT, each of a network that can. cluster:SWEEPS:TRIALS makes a cluster move
before each sweep (local.move of runs); cluster:4:0 is those alone. All are measured with a flat histogram and, unless
--low=false, with one that spends more time at low energies (production.histogram of
runs). Ratios are those to the heat bath with a flat histogram.

The weights are the inverse of a density of states, that of a run, or without one those of
Wang-Landau sampling with the network, which comes first.`,
		Example: "  nwl bench moves --q 10 --size 16x16\n  nwl bench moves --q 10 --size 16x16 --bundle models/microcanonical-potts-q10-16x16 --dos runs/q10-16x16-1",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := m.options(c)
			if err != nil {
				return err
			}
			o.LocalWalkers = min(o.Walkers, 16)
			results, err := bench.Moves(c.Context(), *o)
			if err != nil {
				return err
			}
			return m.show(c, results, func() error { return printMoves(c.OutOrStdout(), results) })
		},
	}
	m.addFlags(c, bench.DefaultMixes)
	c.Flags().BoolVar(&m.low, "low", true, "measure also with more time at low energies")
	c.Flags().DurationVar(&m.time, "time", 30*time.Second, "time for each kind of move")
	c.Flags().Uint64Var(&m.seed, "seed", 1, "fixes every random number")
	c.Flags().IntVar(&m.walkers, "walkers", 192, "walkers of the moves with a network")
	return c
}

// weightsOf is ln g by level from a file or run directory, NaN at levels without.
func weightsOf(c *cobra.Command, files densityReader, path string, p *lattice.Potts) ([]float64, error) {
	d, err := files.read(c, path)
	if err != nil {
		return nil, err
	}
	if err := within(d, p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	lnG, err := setup.Levels(d, p)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return lnG, nil
}

// printMoves prints a comparison as a table.
func printMoves(w io.Writer, results []bench.Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "moves\tround trips\tper second\tratio\tacceptance\ttime: local, propose, log_prob")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%.0f in %.1f s\t%.2f(%.2f)\t%.2f(%.2f)\t%.3f\t%.2f, %.2f, %.2f\n",
			r.Moves, r.RoundTrips, r.Seconds, r.Rate, r.RateError, r.Ratio, r.RatioError, r.Acceptance, r.Local, r.Propose, r.LogProb)
	}
	return t.Flush()
}
