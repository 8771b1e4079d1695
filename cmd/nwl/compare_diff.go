package main

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/internal/compare"
	"neuralwl/internal/compare/stats"
)

func newCompareDiff() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "diff A B [--json]",
		Short: "Name what became better and worse from one comparison to another",
		Long: `Compare two comparisons, folders of nwl compare, seed by seed: of every system and sampler of both
the core seconds and site updates to the target, and the error at the end. Differences are judged
as in a report, by the sign-flip test with Holm's adjustment, each quantity as a family; ratios
are those of B over A. Times compare only on one machine.

Exit codes: 0 no regression; 3 regressions, which are named; 1 failed; 2 wrong command line.`,
		Example: "  nwl compare my-networks.yaml --out new && nwl compare diff released new",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			var both [2]*compare.Results
			for i, folder := range args {
				var err error
				if both[i], err = compare.Collect(folder); err != nil {
					return err
				}
			}
			d := compare.Compare(both[0], both[1])
			var worse error
			if n := len(d.Regressions); n > 0 {
				worse = unfinished{exitUnconverged, fmt.Sprintf("regressions: %d", n)}
			}
			if asJSON {
				return errors.Join(writeJSON(c.OutOrStdout(), diffOf(d)), worse)
			}
			var b strings.Builder
			t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "system\tsampler\tquantity\tseeds\tratio\t95 % interval\tadjusted p\tverdict")
			for _, l := range d.Lines {
				system := l.System
				if l.Budget != 1 {
					system += fmt.Sprintf(" x %g", l.Budget)
				}
				ratio := "unknown"
				if !math.IsNaN(l.Ratio) {
					ratio = fmt.Sprintf("%.3g", l.Ratio)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%.3g to %.3g\t%.2g\t%s\n", system, l.Sampler, l.Quantity, l.Pairs, ratio, l.Interval.Low, l.Interval.High, l.Holm, l.Verdict)
			}
			t.Flush() // into memory
			fmt.Fprintln(&b)
			for _, text := range d.Only {
				fmt.Fprintln(&b, "note:", text)
			}
			if d.Same > 0 {
				fmt.Fprintf(&b, "note: all numbers but times of %d samplers are the same\n", d.Same)
			}
			if n := len(d.Lines); n > 0 && d.Lines[0].Pairs < d.Seeds {
				fmt.Fprintf(&b, "note: with %d seeds nothing can be decided; %d are needed for so many samplers\n", d.Lines[0].Pairs, d.Seeds)
			}
			for _, text := range d.Improvements {
				fmt.Fprintln(&b, "better:", text)
			}
			for _, text := range d.Regressions {
				fmt.Fprintln(&b, "REGRESSION:", text)
			}
			if len(d.Regressions) == 0 {
				fmt.Fprintln(&b, "no regression")
			}
			_, err := fmt.Fprint(c.OutOrStdout(), b.String())
			return errors.Join(unlessClosed(err), worse)
		},
	}
	addJSON(c, &asJSON)
	return c
}

// diff is what nwl compare diff --json writes.
type diff struct {
	Lines        []diffLine `json:"lines"`
	Regressions  []string   `json:"regressions"`
	Improvements []string   `json:"improvements"`
	Only         []string   `json:"only"` // systems and samplers that one of them lacks
	Same         int        `json:"same"` // samplers whose numbers are all the same
}

type diffLine struct {
	System       string        `json:"system"`
	Sampler      string        `json:"sampler"`
	Budget       float64       `json:"budget"`
	Quantity     string        `json:"quantity"`
	Pairs        int           `json:"pairs"`
	Ratio        finite        `json:"ratio"`
	IntervalLow  finite        `json:"interval_low"`
	IntervalHigh finite        `json:"interval_high"`
	P            finite        `json:"p"`
	Holm         finite        `json:"holm"`
	Verdict      stats.Verdict `json:"verdict"`
}

func diffOf(d *compare.Diff) diff {
	list := func(texts []string) []string { return append([]string{}, texts...) }
	all := diff{[]diffLine{}, list(d.Regressions), list(d.Improvements), list(d.Only), d.Same}
	for _, l := range d.Lines {
		all.Lines = append(all.Lines, diffLine{l.System, l.Sampler, l.Budget, l.Quantity, l.Pairs, finite(l.Ratio), finite(l.Interval.Low), finite(l.Interval.High), finite(l.P), finite(l.Holm), l.Verdict})
	}
	return all
}
