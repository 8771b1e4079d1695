package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"neuralwl/internal/bundle"
)

func newBundleExport() *cobra.Command {
	var triton, size, name string
	c := &cobra.Command{
		Use:   "export BUNDLE (DIR | FILE.tar.gz | --triton DIR) [--size LxL] [--name NAME]",
		Short: "Copy a bundle into a folder, an archive, or a model repository of Triton's",
		Long: `Copy a bundle, after a check of digests and contract, into a new folder or an archive, which nwl
bundle import and the daemon take. With --triton its networks go into a model repository of NVIDIA's
Triton instead, as the models NAME.propose and NAME.log_prob with their config.pbtxt, for
inference.provider: remote. --size makes it the network for another size of the lattice, if its
weights fit all sizes; a server needs that, as it is not rebuilt there.`,
		Example: "  nwl bundle export pretrained/potts-q10 --size 32x32 --name potts-q10-32 --triton triton",
		Args:    arguments(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, args []string) error {
			if (len(args) == 2) == (triton != "") {
				return usageError{fmt.Errorf("name either a folder or an archive, or --triton; usage: %s", c.UseLine())}
			}
			if name != "" && triton == "" {
				return usageError{errors.New("--name is for --triton; a copy has the name in its card, and nwl bundle import gives another")}
			}
			var sides []int
			if size != "" {
				lx, ly, err := parseSize(size)
				if err != nil {
					return usageError{err}
				}
				sides = []int{lx, ly}
			}
			b, files, err := bundle.Files(args[0], sides)
			if err != nil {
				return err
			}
			if triton == "" {
				if err := bundle.Export(files, args[1]); err != nil {
					return err
				}
				_, err = fmt.Fprintln(c.OutOrStdout(), args[1])
				return err
			}
			if name == "" {
				name = b.Card.Name
			}
			models, err := bundle.ExportTriton(b, name, triton)
			for _, model := range models {
				fmt.Fprintln(c.OutOrStdout(), model)
			}
			return err
		},
	}
	c.Flags().StringVar(&triton, "triton", "", "folder of a model repository of Triton's to add the networks to")
	c.Flags().StringVar(&size, "size", "", "sides of another lattice, as in 8x8")
	c.Flags().StringVar(&name, "name", "", "name of the network on Triton (default that of the bundle)")
	return c
}
