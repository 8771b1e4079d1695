package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/internal/bundle"
	"neuralwl/internal/plots"
)

func newBundleShow() *cobra.Command {
	var asJSON bool
	var plot string
	c := &cobra.Command{
		Use:   "show BUNDLE [--plot FILE] [--json]",
		Short: "Show what a bundle says of itself, and draw it",
		Long: `Print a bundle's card, the loss of the gradient steps that made it (loss.csv) and what it had
learned then, by energy (evaluation.csv), in some twenty lines each; --json has all of them. For a
folder of versions that hold no such record, also steps and loss by version. --plot draws them.
Only networks that are not shown a state, trained by nwl train, have an evaluation.`,
		Example: "  nwl bundle show pretrained/potts-q10 --plot potts-q10.svg",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if plot != "" {
				if err := plots.CheckPath(plot); err != nil {
					return usageError{err}
				}
			}
			d, err := bundle.Describe(args[0])
			if err != nil {
				return err
			}
			if plot != "" {
				figure, err := d.Figure()
				if err != nil {
					return err
				}
				if err := output(nil, plot, func(w io.Writer) error { return figure.Encode(w, plot) }); err != nil {
					return err
				}
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), d)
			}
			return printBundle(c.OutOrStdout(), d)
		},
	}
	addJSON(c, &asJSON)
	c.Flags().StringVar(&plot, "plot", "", "file to draw to, .png, .svg or .pdf")
	return c
}

// printBundle prints what a bundle says of itself.
func printBundle(w io.Writer, d *bundle.Description) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, a ...any) {
		fmt.Fprintf(t, "%s\t%s\n", name, clean(fmt.Sprintf(format, a...)))
	}
	card, training := d.Card, d.Card.Training
	row("bundle", "%s version %d", card.Name, card.Version)
	row("digest", "%s", d.Digest)
	row("architecture", "%s", card.Architecture)
	row("system", "%v", card.System.System())
	conditions := "none"
	if len(card.Conditions) > 0 {
		conditions = strings.Join(card.Conditions, ", ")
	}
	row("conditions", "%s", conditions)
	if training.Steps > 0 {
		row("training", "%d gradient steps in %.0f s, seed %d, loss %.2f nats", training.Steps, training.Seconds, training.Seed, training.Loss)
	} else {
		row("training", "none")
	}
	if training.Dropped > 0 {
		row("", "%d gradient steps dropped: loss or gradient was not finite", training.Dropped)
	}
	if training.Data != "" {
		row("", "on %s", training.Data)
	}
	if training.KL != nil && training.Acceptance != nil {
		row("evaluation", "divergence %.3f nats, acceptance %.3f", *training.KL, *training.Acceptance)
	}
	for i, file := range slices.Sorted(maps.Keys(d.Bytes)) {
		name := ""
		if i == 0 {
			name = "files"
		}
		row(name, "%s, %d bytes", file, d.Bytes[file])
	}
	if len(d.Versions) > 1 {
		fmt.Fprintf(t, "\nversion\tsteps\tloss\tseconds\n")
		for _, v := range d.Versions {
			if v.Fault != "" {
				fmt.Fprintf(t, "%d\tcannot be used: %s\n", v.Version, clean(v.Fault))
				continue
			}
			fmt.Fprintf(t, "%d\t%d\t%.2f\t%.0f\n", v.Version, v.Steps, v.Loss, v.Seconds)
		}
	}
	if len(d.Losses) > 0 {
		fmt.Fprintf(t, "\nstep\tsize\tseconds\tloss\tgradient norm\tlearning rate\n")
		for _, l := range some(d.Losses) {
			fmt.Fprintf(t, "%d\t%s\t%.0f\t%s\t%s\t%.2g\n", l.Step, clean(l.Size), l.Seconds, numberOr(l.Loss, "%.2f"), numberOr(l.Norm, "%.3g"), l.Rate)
		}
	}
	if len(d.Evaluation) > 0 {
		fmt.Fprintf(t, "\nenergy\tstates\tdivergence\tproposals\thit their target\teffective\n")
		for _, l := range some(d.Evaluation) {
			fmt.Fprintf(t, "%g\t%d\t%s\t%d\t%s\t%s\n", l.Energy, l.States, numberOr(l.KL, "%.3f"), l.Proposals, numberOr(l.HitRate, "%.3f"), numberOr(l.EffectiveShare, "%.3f"))
		}
	}
	return t.Flush()
}

// someRows is about the number of lines of a long table that are printed.
const someRows = 20

// some are rows of a table, evenly spread, with the first and the last.
func some[T any](rows []T) []T {
	if len(rows) <= someRows {
		return rows
	}
	kept := make([]T, someRows)
	for i := range kept {
		kept[i] = rows[i*(len(rows)-1)/(someRows-1)]
	}
	return kept
}

// numberOr is a number, or a dash where it is not known.
func numberOr(x *float64, format string) string {
	if x == nil {
		return "-"
	}
	return fmt.Sprintf(format, *x)
}
