package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"neuralwl/internal/config"
	"neuralwl/internal/run"
)

func newRun() *cobra.Command {
	var file, out string
	var assignments []string
	c := &cobra.Command{
		Use:   "run [--config FILE] [--set key=value]... [--out DIR]",
		Short: "Estimate a density of states",
		Long: `Run a neural Wang-Landau estimate of the density of states and write it with
plots, a summary and the network to a run directory. Without a configuration it is
the Potts model with 10 colours on the 8x8 lattice; nwl config prints every key.

SIGINT or SIGTERM end the run in order, with the results it has; a second one ends
it at once.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, assignments)
			if err != nil {
				return usageError{err}
			}
			if out == "" {
				if out, err = freeFolder("runs", fmt.Sprintf("q%d-%dx%d", cfg.System.Q, cfg.System.Size[0], cfg.System.Size[1])); err != nil {
					return err
				}
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			terminal := term.IsTerminal(int(os.Stderr.Fd()))
			observer := newLogObserver()
			var o run.Observer = observer
			log := os.Stderr
			handler := slog.NewTextHandler(log, &slog.HandlerOptions{Level: cfg.Log.SlogLevel()})
			slog.SetDefault(slog.New(handler))
			if terminal {
				bar := newBarObserver(os.Stderr)
				slog.SetDefault(slog.New(slog.NewTextHandler(bar, &slog.HandlerOptions{Level: cfg.Log.SlogLevel()})))
				o = bar
			}
			summary, err := run.Run(ctx, run.Options{Config: cfg, Folder: out, Version: version(), Observe: o})
			if err != nil {
				return err
			}
			return printSummary(c.OutOrStdout(), summary)
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration")
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key, as in --set system.q=3")
	c.Flags().StringVar(&out, "out", "", "run directory (default runs/<system>-<number>)")
	return c
}

// freeFolder returns parent/name-N with the least N that does not exist.
func freeFolder(parent, name string) (string, error) {
	for n := 1; ; n++ {
		path := filepath.Join(parent, fmt.Sprintf("%s-%d", name, n))
		_, err := os.Lstat(path)
		if errors.Is(err, os.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", fmt.Errorf("run directory: %w; choose one with --out", err)
		}
	}
}

// interruptible returns a context that the first SIGINT or SIGTERM cancels, with
// the signal as the cause; the second has its usual effect.
func interruptible(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(fmt.Errorf("interrupted by the signal %q", s))
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
