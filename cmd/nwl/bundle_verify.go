package main

import (
	"github.com/spf13/cobra"

	"neuralwl/internal/bundle"
	"neuralwl/internal/config"
)

func newBundleVerify() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify BUNDLE [--json]",
		Short: "Check a bundle as a run would, and more thoroughly",
		Long: `Check a bundle: the digests of its files, inputs, outputs and operators against the contract, the
system, ln q as sampled and as evaluated by ONNX Runtime against pure Go, and that draws follow
ln q. The exit code is 1 if anything does not hold.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			cfg, err := config.Load("", nil)
			if err != nil {
				return usageError{err}
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			checks, err := bundle.Verify(ctx, args[0], cfg.Inference.Library)
			if err != nil {
				return err
			}
			return printChecks(c.OutOrStdout(), args[0], checks, asJSON)
		},
	}
	addJSON(c, &asJSON)
	return c
}
