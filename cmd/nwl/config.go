package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
)

func newConfig() *cobra.Command {
	var ofServer bool
	c := &cobra.Command{
		Use:   "config [--server]",
		Short: "Print all configuration keys with their defaults",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			text := config.Default
			if ofServer {
				text = config.DefaultServer
			}
			_, err := fmt.Fprint(c.OutOrStdout(), text)
			return err
		},
	}
	c.Flags().BoolVar(&ofServer, "server", false, "the keys of nwl serve")
	return c
}
