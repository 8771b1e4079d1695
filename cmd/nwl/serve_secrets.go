package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"os/signal"

	"neuralwl/internal/config"
	"neuralwl/internal/server"
	"neuralwl/internal/systemd"
	"neuralwl/internal/token"
)

// readSecrets reads the tokens and the certificate of a daemon.
func readSecrets(c *config.Service) (s server.Secrets, err error) {
	if c.Tokens != "" {
		if s.Tokens, err = token.Load(c.Tokens); err != nil {
			return s, fmt.Errorf("server.tokens: %w", err)
		}
	}
	if text := os.Getenv(config.TokensVariable); text != "" {
		more, err := token.Parse([]byte(text), true)
		if err != nil {
			return s, fmt.Errorf("environment variable %s: %w", config.TokensVariable, err)
		}
		s.Tokens = append(s.Tokens, more...)
	}
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return s, fmt.Errorf("server.certificate, server.key: %w", err)
		}
		s.Certificate = &pair
	}
	return s, nil
}

// reloadOnSignal has a server read its secrets again on a signal, until the function that it
// returns is called.
func reloadOnSignal(s *server.Server, log *slog.Logger) (stop func()) {
	signals := make(chan os.Signal, 1)
	if len(reloadings) > 0 {
		signal.Notify(signals, reloadings...)
	}
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-signals:
			}
			systemd.Notify(systemd.Reloading)
			err := s.Reload()
			systemd.Notify(systemd.Ready)
			if err != nil {
				log.Error("tokens and certificate stay as they were", "reason", err)
			} else {
				log.Info("tokens and certificate were read again")
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(ended)
	}
}
