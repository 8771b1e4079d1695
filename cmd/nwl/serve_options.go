package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/daemon"
	"neuralwl/internal/modelserver"
	"neuralwl/internal/queue"
	"neuralwl/internal/rotate"
	"neuralwl/internal/store"
)

// daemonOptions are the options of a daemon by its configuration.
func daemonOptions(c *config.Server, program []string, jobs, cores int, log *slog.Logger) (daemon.Options, error) {
	secret, err := webhookSecret(c.Webhook)
	if err != nil {
		return daemon.Options{}, err
	}
	q, err := queueOptions(c)
	if err != nil {
		return daemon.Options{}, err
	}
	return daemon.Options{
		Data: c.Server.Data, Program: program, Jobs: jobs, Cores: cores, Grace: c.Server.Grace, Log: log,
		Queue:          q,
		Renew:          c.Queue.Silence / 3,
		ServingThreads: c.Serving.Threads,
		Memory:         cmp.Or(int64(c.Server.Memory)<<20, daemon.RunMemory()), GPU: daemon.HasGPU(),
		Storage: daemon.Storage{
			MinFree: int64(c.Storage.MinFree) << 20, RunBytes: int64(c.Storage.RunMegabytes) << 20, Keep: c.Storage.Keep,
		},
		Webhook: daemon.Webhook{URL: c.Webhook.URL, Secret: secret, On: c.Webhook.On},
	}, nil
}

// queueOptions are those of a daemon's queue.
func queueOptions(c *config.Server) (queue.Options, error) {
	o := queue.Options{
		URL: c.Queue.URL, Silence: c.Queue.Silence, EventAge: c.Queue.EventAge, EventBytes: int64(c.Queue.EventMegabytes) << 20, Version: version(),
	}
	if c.Queue.Listen != "" {
		o.Listen = &queue.Listen{
			Address: c.Queue.Listen, Certificate: c.Queue.Certificate, Key: c.Queue.CertificateKey, CA: c.Queue.CA, Roster: daemon.Roster(c.Server.Data),
		}
	}
	if c.Queue.Key != "" {
		i, err := queue.ReadInvitation(c.Queue.Key)
		if err != nil {
			return o, fmt.Errorf("queue.key: %w", err)
		}
		o.Access = &queue.Invitation{Seed: i.Seed}
	}
	if c.Queue.URL != "" && c.Queue.CA != "" {
		text, err := os.ReadFile(c.Queue.CA)
		if err != nil {
			return o, fmt.Errorf("queue.ca: %w", err)
		}
		if o.Access == nil {
			o.Access = &queue.Invitation{}
		}
		o.Access.CA = string(text)
	}
	return o, nil
}

// openStore opens the store of run directories, if there is one, and lets those know who are invited.
func openStore(ctx context.Context, c *config.Server, o *daemon.Options) (err error) {
	if c.Storage.Files != "" {
		if o.Store, err = store.Open(ctx, c.Storage.Files); err != nil {
			return fmt.Errorf("storage.files: %w", err)
		}
	}
	if o.Queue.Listen != nil {
		return o.Queue.Listen.Roster.SetFiles(c.Storage.Files)
	}
	return nil
}

// modelServer serves the networks of a daemon, which loads ONNX Runtime only then: its runs do that
// themselves.
func modelServer(c *config.Server, d *daemon.Daemon, log *slog.Logger) *modelserver.Server {
	return modelserver.New(modelserver.Options{
		Networks: d.Repository(), Library: func() error {
			_, err := inference.Open("")
			return err
		},
		Version: version(), Rows: c.Serving.Rows, Delay: c.Serving.Delay, Requests: c.Serving.Requests, Memory: int64(c.Serving.Memory) << 20,
		Threads: c.Serving.Threads, Log: log,
	})
}

// leastSecret is the least length of a secret that is not guessed.
const leastSecret = 16

// webhookSecret is what signs webhooks, nil for nothing.
func webhookSecret(w config.Webhook) ([]byte, error) {
	secret, from := os.Getenv(config.SecretVariable), config.SecretVariable
	if w.SecretFile != "" {
		from = "webhook.secret_file"
		f, err := os.Open(w.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		defer f.Close()
		line, err := bufio.NewReader(io.LimitReader(f, 4096)).ReadString('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		secret = strings.TrimSpace(line)
	} else if secret == "" {
		return nil, nil
	}
	if len(secret) < leastSecret {
		return nil, fmt.Errorf("%s: the secret has less than %d characters; make one by openssl rand -hex 32", from, leastSecret)
	}
	return []byte(secret), nil
}

// daemonLogger is the daemon's logger, and what closes it.
func daemonLogger(l config.ServerLog) (*slog.Logger, func() error, error) {
	if l.File == "" {
		return newLogger(l.Log().SlogLevel()), func() error { return nil }, nil
	}
	f, err := rotate.Open(l.File, int64(l.Megabytes)<<20, l.Keep)
	if err != nil {
		return nil, nil, fmt.Errorf("log.file: %w", err)
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: l.Log().SlogLevel()})), f.Close, nil
}
