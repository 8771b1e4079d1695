package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
)

func newWorkerList() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "list [--json]",
		Short: "List workers: those that perform runs, and those that were invited",
		Args:  noArguments,
	}
	asking(c, func(c *cobra.Command, client *api.Client, _ []string) error {
		list, err := client.Workers(c.Context())
		if err != nil {
			return err
		}
		if asJSON {
			return writeJSON(c.OutOrStdout(), list.Workers)
		}
		return unlessClosed(printWorkers(c.OutOrStdout(), list.Workers, time.Now()))
	})
	addJSON(c, &asJSON)
	return c
}

func newWorkerDrain() *cobra.Command {
	var change api.WorkerChange
	var undo bool
	c := &cobra.Command{
		Use:   "drain NAME [--now] [--undo]",
		Short: "Have workers take no new runs",
		Long: `Have the workers of a name take no new runs, those too that come later; the runs that they have go on to
their end. With --now they hand them back, each with a checkpoint. The daemon's own worker is
called head.`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	asking(c, func(c *cobra.Command, client *api.Client, args []string) error {
		change.Drain = !undo
		list, err := client.Drain(c.Context(), args[0], change)
		if err != nil {
			return err
		}
		running := 0
		for _, w := range list.Workers {
			running += w.Running
		}
		text := fmt.Sprintf("takes no new runs; has %d", running)
		if undo {
			text = "takes runs"
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", args[0], text)
		return err
	})
	c.Flags().BoolVar(&change.Now, "now", false, "hand back the runs under way, too")
	c.Flags().BoolVar(&undo, "undo", false, "take runs again")
	c.MarkFlagsMutuallyExclusive("now", "undo")
	return c
}

// printWorkers prints a table.
func printWorkers(w io.Writer, workers []api.Worker, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WORKER\tSTATE\tRUNS\tCORES\tHEARD\tHOST\tVERSION\tCLASS")
	for _, v := range workers {
		if v.Instance == "" {
			fmt.Fprintf(t, "%s\t%s\n", v.Name, v.State)
			continue
		}
		class := v.Classes["gpu"]
		if class == "" {
			class = v.Classes["cpu"]
		}
		fmt.Fprintf(t, "%s/%s\t%s\t%d of %d\t%d\t%s ago\t%s\t%s\t%s\n", v.Name, v.Instance, v.State, v.Running, v.Jobs, v.Cores,
			now.Sub(v.Heard).Round(time.Second), clean(v.Host), clean(v.Version), clean(class))
	}
	return t.Flush()
}
