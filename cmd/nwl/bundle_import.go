package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"neuralwl/internal/bundle"
)

func newBundleImport() *cobra.Command {
	var out, name string
	c := &cobra.Command{
		Use:   "import (DIR | FILE.tar.gz) [--out FOLDER] [--name NAME]",
		Short: "Add a bundle to a folder of bundles as the next version of its name",
		Long: `Add a bundle, a folder or an archive of one, to a folder of bundles as the next version of its
name, after a check of digests and contract. Nothing is kept of one that does not hold. nwl bundle
verify tests its draws; nwl networks add sends a bundle to a daemon.`,
		Example: "  nwl bundle import potts-q3.tar.gz --name potts-q3",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			path, err := bundle.Import(c.Context(), args[0], out, name)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), path)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "models", "folder of the bundles")
	c.Flags().StringVar(&name, "name", "", "name of the bundle (default that in its card)")
	return c
}
