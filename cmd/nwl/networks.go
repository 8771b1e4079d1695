package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/setup"
)

func newNetworks() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "networks [--json]",
		Short: "List the daemon's repository of networks",
		Args:  noArguments,
	}
	asking(c, func(c *cobra.Command, client *api.Client, _ []string) error {
		list, err := client.Networks(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(c.OutOrStdout(), append([]api.Network{}, list.Networks...))
		}
		t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "network\tarchitecture\tsystem\tsteps\tMB\tfollowed by")
		for _, n := range list.Networks {
			if n.Fault != "" {
				fmt.Fprintf(t, "%s/%d\tcannot be used: %s\n", n.Name, n.Version, n.Fault)
				continue
			}
			fmt.Fprintf(t, "%s/%d\t%s\t%s\t%d\t%.1f\t%s\n", n.Name, n.Version, n.Architecture, n.System, n.Steps, float64(n.Bytes)/1e6, strings.Join(n.Followers, ", "))
		}
		return t.Flush()
	})
	addJSON(c, &asJSON)
	c.AddCommand(newNetworksAdd(), newNetworksRemove())
	return c
}

func newNetworksAdd() *cobra.Command {
	var name string
	c := &cobra.Command{
		Use:   "add FOLDER|pretrained/NAME [--name NAME]",
		Short: "Add a bundle, or one that comes with the program, as the next version of a network",
		Args:  arguments(cobra.ExactArgs(1)),
	}
	asking(c, func(c *cobra.Command, client *api.Client, args []string) error {
		b, err := setup.OpenBundle(args[0])
		if err != nil {
			return err
		}
		if name == "" {
			name = b.Card.Name
		}
		n, err := upload(c.Context(), client, args[0], name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s/%d\n", n.Name, n.Version)
		return err
	})
	c.Flags().StringVar(&name, "name", "", "name of the network (default that of the bundle)")
	return c
}

func newNetworksRemove() *cobra.Command {
	c := &cobra.Command{
		Use:   "rm NAME/VERSION...",
		Short: "Delete versions of networks; runs that use them have copies",
		Args:  arguments(cobra.MinimumNArgs(1)),
	}
	asking(c, func(c *cobra.Command, client *api.Client, args []string) error {
		return eachRun(c, args, func(ref string) (string, error) {
			name, version, _ := strings.Cut(ref, "/")
			return "deleted", meantNetwork(c.Context(), client, ref, client.RemoveNetwork(c.Context(), name, version))
		})
	})
	return c
}
