package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"neuralwl/internal/token"
)

func newToken() *cobra.Command {
	var file string
	role := string(token.Operate)
	c := &cobra.Command{
		Use:   "token NAME --file FILE [--role read|operate]",
		Short: "Make a token for nwl serve",
		Long: `Make a token, add its hash to FILE, which is for server.tokens, and print the token. It
is shown this once: clients need it in the environment variable NWL_TOKEN. The name is
that of its bearer in the daemon's log. A daemon that runs reads FILE again on SIGHUP;
without its line, a token is worth nothing.`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if file == "" {
				return usageError{fmt.Errorf("--file is missing; usage: %s", c.UseLine())}
			}
			secret, entry, err := token.New(args[0], token.Role(role))
			if err != nil {
				return usageError{err}
			}
			if err := token.Append(file, entry); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), secret)
			return err
		},
	}
	c.Flags().StringVar(&file, "file", "", "file of tokens, made if it is not there")
	c.Flags().StringVar(&role, "role", role, "read, to see everything, or operate, to submit, change and delete runs, too")
	return c
}
