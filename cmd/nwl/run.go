package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/live"
	"neuralwl/internal/run"
	"neuralwl/internal/telemetry"
	"neuralwl/metrics"
)

func newRun() *cobra.Command {
	var file, out, resume string
	var assignments []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "run [--config FILE] [--set key=value]... [--out DIR | --resume DIR] [--json]",
		Short: "Estimate a density of states",
		Long: `Run a neural Wang-Landau estimate of the density of states and write it with
plots, a summary and the network to a run directory. Without a configuration it is
the Potts model with 10 colours on the 8x8 lattice; nwl config prints every key.

SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU end the run in order, with a checkpoint
and the results so far; a second one ends it at once. --resume continues a run at its last
checkpoint, however it ended, with the same numbers as if it had never stopped; limits such
as run.max_time may then be changed with --set.

Exit codes: 0 converged; 3 ended as planned but not converged; 4 interrupted, to be resumed
with --resume; 1 failed; 2 wrong command line or configuration.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if resume != "" {
				if out != "" || file != "" {
					return usageError{errors.New("--resume goes on in the directory and with the configuration of the run: leave out --out and --config, and change limits with --set")}
				}
				cfg, err := runConfig(resume, assignments)
				if err != nil {
					return err
				}
				return perform(c, cfg, resume, "", true, asJSON)
			}
			cfg, err := config.Load(file, assignments)
			if err != nil {
				return usageError{err}
			}
			return perform(c, cfg, out, cfg.System.Name(), false, asJSON)
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration")
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key, as in --set system.q=3")
	c.Flags().StringVar(&out, "out", "", "run directory (default runs/<system>-<number>)")
	c.Flags().StringVar(&resume, "resume", "", "run directory of a run to go on with")
	addJSON(c, &asJSON)
	return c
}

// perform makes a run, or goes on with it, shows its progress and prints its summary. Without a folder
// it takes the next one of a name in runs.
func perform(c *cobra.Command, cfg *config.Config, folder, name string, resume, asJSON bool) (err error) {
	if err := enoughAddresses(); err != nil {
		return err
	}
	if folder == "" {
		if folder, err = claimFolder("runs", name); err != nil {
			return err
		}
		defer os.Remove(folder) // of a run that did not start; any other is not empty
	}
	ctx, stop := interruptible(c.Context())
	defer stop()
	progress, _ := showProgress(cfg.Log.SlogLevel())
	recorder, lived := telemetry.NewRecorder(), live.New(slog.Default())
	lived.Telemetry = recorder
	closeMetrics, err := serveMetrics(cfg, folder, recorder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeMetrics()) }()
	summary, err := run.Run(ctx, run.Options{
		Config: cfg, Folder: folder, Resume: resume, Version: version(), Evaluated: recorder.Evaluated,
		Listener: event.Tee(recorder.Listener(), progress, lived.Listener()),
	})
	if err != nil {
		return err
	}
	return errors.Join(showSummary(c.OutOrStdout(), summary, asJSON), outcome(summary))
}

// serveMetrics serves what a recorder has of a run at the address that its configuration names.
// Where the default address is taken, most likely by another run, it takes any free port of this
// machine.
func serveMetrics(c *config.Config, name string, recorder *telemetry.Recorder) (close func() error, err error) {
	address := c.Metrics.Listen
	if address == "" {
		return func() error { return nil }, nil
	}
	registry := metrics.NewRegistry()
	if err := registry.Runs(func() []metrics.Run { return []metrics.Run{{Name: name, State: recorder.Snapshot()}} }); err != nil {
		return nil, err
	}
	server, err := metrics.Serve(address, registry)
	if err != nil && address == config.DefaultListen {
		slog.Warn("the default address of metrics is taken, by another run most likely; this one takes a free port", "reason", err)
		server, err = metrics.Serve("127.0.0.1:0", registry)
	}
	if err != nil {
		return nil, fmt.Errorf("%w; choose a free address, or an empty one for no metrics", err)
	}
	slog.Info("metrics are served", "url", server.URL, "run", name)
	return server.Close, nil
}

// claimFolder makes and returns parent/name-N with the least N that does not exist. Making
// it claims the name: of several runs that start at once each gets its own.
func claimFolder(parent, name string) (string, error) {
	err := os.MkdirAll(parent, 0o777)
	for n := 1; err == nil; n++ {
		path := filepath.Join(parent, fmt.Sprintf("%s-%d", name, n))
		if err = os.Mkdir(path, 0o777); err == nil {
			return path, nil
		}
		if errors.Is(err, os.ErrExist) {
			err = nil
		}
	}
	return "", fmt.Errorf("run directory: %w; choose one with --out", err)
}
