package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
)

func newConfig() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Print all configuration keys with their defaults",
		Args:  arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(c.OutOrStdout(), config.Default)
			return err
		},
	}
}
