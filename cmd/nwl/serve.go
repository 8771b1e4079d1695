package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"neuralwl/internal/audit"
	"neuralwl/internal/child"
	"neuralwl/internal/config"
	"neuralwl/internal/daemon"
	"neuralwl/internal/server"
	"neuralwl/metrics"
)

func newServe() *cobra.Command {
	var file, data string
	var assignments []string
	c := &cobra.Command{
		Use:   "serve [--config FILE] [--set key=value]... [--data DIR]",
		Short: "Take runs over HTTP and perform them, for weeks",
		Long: `Serve a queue of runs, which nwl submit and the other clients fill and watch. Each run
is performed by a process of its own in DIR/runs/ID, a run directory like any other. It needs
no configuration file; nwl config --server prints every key.

SIGINT and SIGTERM let the runs under way end in order, with a checkpoint, within
server.grace; a second one ends the daemon at once. The next nwl serve with the same DIR goes
on with them, with the same numbers as if they had never stopped. SIGHUP has it read tokens
and certificate again.`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if data != "" {
				assignments = append(assignments, "server.data="+data)
			}
			cfg, err := config.LoadServer(file, assignments)
			if err != nil {
				return usageError{err}
			}
			ctx, stop := interruptible(c.Context(), reloadings...)
			defer stop()
			log, closeLog, err := daemonLogger(cfg.Log)
			if err != nil {
				return err
			}
			err = serve(ctx, cfg, log)
			if err != nil && cfg.Log.File != "" {
				log.Error("the daemon ends", "reason", err)
			}
			return errors.Join(err, closeLog())
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration of the daemon")
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key, as in --set server.jobs=2")
	c.Flags().StringVar(&data, "data", "", "folder of queue, runs and networks (default nwl-data)")
	return c
}

func newLogger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// serve runs a daemon until ctx ends.
func serve(ctx context.Context, c *config.Server, log *slog.Logger) (err error) {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	jobs, cores := c.Server.Share(runtime.GOMAXPROCS(0))
	if !c.Server.Work {
		jobs = 0
	}
	// The address first: a second daemon learns here that there is one.
	listener, err := net.Listen("tcp", c.Server.Listen)
	if err != nil {
		return fmt.Errorf("server.listen: %w; choose a free address", err)
	}
	defer listener.Close()
	o, err := daemonOptions(c, []string{program, "child"}, jobs, cores, log)
	if err != nil {
		return err
	}
	if err := openStore(ctx, c, &o); err != nil {
		return err
	}
	d, err := daemon.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	models := modelServer(c, d, log)
	defer models.Close()
	record, err := audit.Open(filepath.Join(c.Server.Data, audit.File))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, record.Close()) }()
	s, err := server.New(server.Options{
		Daemon: d, Models: models, Registry: metrics.NewRegistry(), Version: version(), Log: log, Audit: record,
		Secrets: func() (server.Secrets, error) { return readSecrets(&c.Server) },
		Hosts:   c.Server.OwnHosts(), BasePath: c.Server.BasePath, Streams: c.Server.Streams,
	})
	if err != nil {
		return err
	}
	defer reloadOnSignal(s, log)()
	models.Preload(c.Serving.Load)
	if at := d.Queue().Address(); at != "" {
		log.Info("the queue takes workers (nwl worker)", "url", at)
	}
	log.Info("the daemon takes runs", "url", c.Server.URL(listener.Addr()), "data", c.Server.Data, "jobs", jobs, "cores", cores)
	if !c.Server.Loopback() && c.Server.Certificate == "" {
		log.Warn("tokens travel in clear text; set server.certificate and server.key, or put a proxy with HTTPS before the daemon")
	}
	// The interface answers until the runs have ended.
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving, listener) }()
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	worked := make(chan error, 1)
	go func() { worked <- d.Run(running) }()
	defer tellManager(ctx, d, log)()
	select {
	case err := <-served:
		cancel(err)
		return errors.Join(err, <-worked)
	case err := <-worked:
		end()
		return errors.Join(err, <-served)
	}
}

// newChild is the command by which the daemon performs one run.
func newChild() *cobra.Command {
	return &cobra.Command{
		Use:    "child",
		Short:  "Perform one run for the daemon, which speaks with it over its standard input and output",
		Hidden: true,
		Args:   noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if code := child.Serve(os.Stdin, os.Stdout, version(), newLogger(slog.LevelInfo)); code != 0 {
				return unfinished{code: code}
			}
			return nil
		},
	}
}
