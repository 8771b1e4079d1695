package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"neuralwl/exporter"
	"neuralwl/internal/api"
	"neuralwl/internal/repository"
	"neuralwl/internal/setup"
)

func newSwap() *cobra.Command {
	var r api.SwapRequest
	var restart bool
	c := &cobra.Command{
		Use:   "swap ID (BUNDLE | --back) [--restart]",
		Short: "Have a run go on with another network",
		Long: `Exchange the network of a run while it runs. BUNDLE is name/version of the daemon's repository
(nwl networks), name alone for its latest version, pretrained/name for a network that comes with
the program, or a folder with a bundle, which is added to the repository first. The network is
loaded and tested beside sampling and exchanged between two passes; on any fault the run keeps
the one it has.

In production the exchange is refused, unless --restart starts production over under the same
weights.`,
		Example: "  nwl swap q10-16x16-1 potts-q10/3\n  nwl swap q10-16x16-1 --back",
		Args:    arguments(cobra.RangeArgs(1, 2)),
	}
	completeRuns(c, asking(c, func(c *cobra.Command, client *api.Client, args []string) error {
		if (len(args) == 2) == r.Back {
			return usageError{fmt.Errorf("name a bundle or say --back; usage: %s", c.UseLine())}
		}
		if len(args) == 2 {
			var err error
			if r.Bundle, err = inRepository(c.Context(), c.ErrOrStderr(), client, args[1]); err != nil {
				return err
			}
		}
		if restart {
			r.Phase = api.RestartPhase
		}
		s, err := client.Swap(c.Context(), args[0], r)
		if err != nil {
			return meantNetwork(c.Context(), client, r.Bundle, meantRuns(c.Context(), client, args[:1], err))
		}
		text := fmt.Sprintf("%s goes on with %s after pass %d (%s)", args[0], s.Bundle, s.Pass, s.Stage)
		if s.Restarted {
			text += "; production starts over"
		}
		if s.Training != "" {
			text += "; training " + s.Training
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%s; loaded in %.1f s, sampling stood still for %.3f s\n", text, s.Loading, s.Pause)
		return err
	}))
	c.Flags().BoolVar(&r.Back, "back", false, "go back to the network before the last exchange")
	c.Flags().BoolVar(&restart, "restart", false, "in production: start it over")
	return c
}

// inRepository is the name of a bundle for the daemon. A folder is added to its repository.
func inRepository(ctx context.Context, log io.Writer, client *api.Client, bundle string) (string, error) {
	if about, err := os.Stat(bundle); err != nil || !about.IsDir() {
		return bundle, nil
	}
	b, err := exporter.Load(bundle)
	if err != nil {
		return "", err
	}
	n, err := upload(ctx, client, bundle, b.Card.Name)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(log, "%s is %s/%d of the repository\n", bundle, n.Name, n.Version)
	return fmt.Sprintf("%s/%d", n.Name, n.Version), nil
}

// upload sends a bundle, or the highest of its versions, to the daemon's repository.
func upload(ctx context.Context, client *api.Client, folder, name string) (*api.Network, error) {
	files, err := setup.BundleFiles(folder)
	if err != nil {
		return nil, err
	}
	in, out := io.Pipe()
	go func() { out.CloseWithError(repository.WriteArchive(out, files)) }()
	defer in.Close()
	return client.AddNetwork(ctx, name, in)
}
