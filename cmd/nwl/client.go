package main

import (
	"os"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
)

// defaultURL is where nwl serve listens by default.
const defaultURL = "http://127.0.0.1:9465"

// clientFlags adds the flags that name the daemon and returns what makes a client of them.
func clientFlags(c *cobra.Command) func() *api.Client {
	url := os.Getenv(config.URLVariable)
	if url == "" {
		url = defaultURL
	}
	c.Flags().StringVar(&url, "server", url, "URL of the daemon, or the environment variable "+config.URLVariable)
	return func() *api.Client { return &api.Client{URL: url, Token: os.Getenv(config.TokenVariable)} }
}
