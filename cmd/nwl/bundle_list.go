package main

import (
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/internal/bundle"
)

// usualFolders are where the program puts bundles by default.
var usualFolders = []string{"models", "runs", "nwl-data"}

func newBundleList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [FOLDER...] [--json]",
		Short: "List the bundles in folders and below",
		Long: `List the bundles in folders and below them, a line for each with its highest version: in run
directories, in repositories, or anywhere. Without a FOLDER, those that come with the
program and those in models, runs and nwl-data.`,
		Example: "  nwl bundle list runs/q10-8x8-1",
		RunE: func(c *cobra.Command, folders []string) error {
			var all []bundle.Found
			if len(folders) == 0 {
				all = bundle.Pretrained()
				for _, folder := range usualFolders {
					if about, err := os.Stat(folder); err == nil && about.IsDir() {
						folders = append(folders, folder)
					}
				}
			}
			for _, folder := range folders {
				found, err := bundle.Find(folder)
				if err != nil {
					return err
				}
				all = append(all, found...)
			}
			if asJSON {
				if all == nil {
					all = []bundle.Found{}
				}
				return writeJSON(c.OutOrStdout(), all)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "bundle\tversions\tarchitecture\tsystem\tsteps\tloss\tdivergence\tMB")
			for _, f := range all {
				versions := "1"
				switch n := len(f.Versions); {
				case n > 1:
					versions = fmt.Sprintf("%d, up to %d", n, f.Versions[n-1])
				case n == 1:
					versions = fmt.Sprint(f.Versions[0])
				case f.Card != nil:
					versions = fmt.Sprint(f.Card.Version)
				}
				if f.Card == nil {
					fmt.Fprintf(t, "%s\t%s\tcannot be used: %s\n", clean(f.Path), versions, clean(f.Fault))
					continue
				}
				divergence := ""
				if kl := f.Card.Training.KL; kl != nil {
					divergence = fmt.Sprintf("%.3f", *kl)
				}
				fmt.Fprintf(t, "%s\t%s\t%s\t%v\t%d\t%.2f\t%s\t%.1f\n", clean(f.Path), versions, clean(f.Card.Architecture), clean(f.Card.System.System().String()),
					f.Card.Training.Steps, f.Card.Training.Loss, divergence, float64(f.Bytes)/1e6)
			}
			return t.Flush()
		},
	}
	c.Args = arguments(cobra.ArbitraryArgs)
	addJSON(c, &asJSON)
	return c
}
