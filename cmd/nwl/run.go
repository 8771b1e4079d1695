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

	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/metrics"
)

func newRun() *cobra.Command {
	var file, out, resume string
	var assignments []string
	c := &cobra.Command{
		Use:   "run [--config FILE] [--set key=value]... [--out DIR | --resume DIR]",
		Short: "Estimate a density of states",
		Long: `Run a neural Wang-Landau estimate of the density of states and write it with
plots, a summary and the network to a run directory. Without a configuration it is
the Potts model with 10 colours on the 8x8 lattice; nwl config prints every key.

SIGINT or SIGTERM end the run in order, with a checkpoint and the results so far; a second
one ends it at once. --resume continues a run at its last checkpoint, however it ended,
with the same numbers as if it had never stopped; limits such as run.max_time may then be
changed with --set.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			folder, path := out, file
			if resume != "" {
				if out != "" || file != "" {
					return usageError{errors.New("--resume goes on in the directory and with the configuration of the run: leave out --out and --config, and change limits with --set")}
				}
				folder, path = resume, filepath.Join(resume, report.ConfigFile)
			}
			cfg, err := config.Load(path, assignments)
			if err != nil {
				return usageError{err}
			}
			if folder == "" {
				if folder, err = freeFolder("runs", cfg.System.Name()); err != nil {
					return err
				}
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			progress := showProgress(cfg.Log.SlogLevel())
			metrics, closeMetrics, err := serveMetrics(cfg, folder)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closeMetrics()) }()
			summary, err := run.Run(ctx, run.Options{
				Config: cfg, Folder: folder, Resume: resume != "", Version: version(), Listener: event.Tee(metrics, progress),
			})
			if err != nil {
				return err
			}
			return printSummary(c.OutOrStdout(), summary)
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration")
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key, as in --set system.q=3")
	c.Flags().StringVar(&out, "out", "", "run directory (default runs/<system>-<number>)")
	c.Flags().StringVar(&resume, "resume", "", "run directory of a run to go on with")
	return c
}

// serveMetrics serves the metrics of a run at the address that its configuration names
// and returns what updates them. Where the default address is taken, most likely by another
// run, the run continues without metrics and a warning.
func serveMetrics(c *config.Config, name string) (_ event.Listener, close func() error, err error) {
	address, none := c.Metrics.Listen, func() error { return nil }
	if address == "" {
		return event.Listener{}, none, nil
	}
	registry := metrics.NewRegistry()
	m, err := registry.Run(name)
	if err != nil {
		return event.Listener{}, nil, err
	}
	server, err := metrics.Serve(address, registry)
	if err != nil && address == config.DefaultListen {
		slog.Warn("metrics are not served; set metrics.listen to a free address", "reason", err)
		return event.Listener{}, none, nil
	}
	if err != nil {
		return event.Listener{}, nil, fmt.Errorf("%w; choose a free address, or an empty one for no metrics", err)
	}
	slog.Info("metrics are served", "url", server.URL)
	return m.Listener(), server.Close, nil
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
