package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

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

// ask is what a client does with a daemon.
type ask func(c *cobra.Command, client *api.Client, args []string) error

// asking lets a command ask the daemon, and names the remedies of common faults. It returns
// what makes a client.
func asking(c *cobra.Command, f ask) func() *api.Client {
	client := clientFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error { return remedy(f(c, client(), args)) }
	return client
}

// remedy adds to an error of a client what to do about it.
func remedy(err error) error {
	var problem *api.Problem
	switch {
	case errors.Is(err, api.ErrUnreachable):
		return fmt.Errorf("%w; start one with `nwl serve`, or name it with --server", err)
	case errors.As(err, &problem) && (problem.Status == http.StatusUnprocessableEntity || problem.Status == http.StatusBadRequest):
		return usageError{err}
	case errors.As(err, &problem) && problem.Status == http.StatusUnauthorized:
		return fmt.Errorf("%w; put a token of the daemon into the environment variable %s", err, config.TokenVariable)
	}
	return err
}

// askingAboutRuns is asking for a command whose arguments are names of runs, which the shell
// can complete.
func askingAboutRuns(c *cobra.Command, f ask) {
	completeRuns(c, asking(c, func(c *cobra.Command, client *api.Client, ids []string) error {
		return meantRuns(c.Context(), client, ids, f(c, client, ids))
	}))
}

// completeRuns lets the shell complete the arguments of a command by names of runs.
func completeRuns(c *cobra.Command, client func() *api.Client) {
	more := c.Args
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if more(c, append(args, "x")) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		list, err := client().List(ctx, api.Filter{Single: true})
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		groups, err := client().Groups(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var ids []string
		for _, g := range groups {
			ids = append(ids, g.Name+"\tgroup, "+string(g.State))
		}
		for _, r := range list.Runs {
			ids = append(ids, r.ID+"\t"+string(r.State))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}

// eachRun does something with each of some runs, whatever becomes of the others, and prints
// what f says.
func eachRun(c *cobra.Command, ids []string, f func(id string) (string, error)) error {
	var faults []error
	for _, id := range ids {
		text, err := f(id)
		if errors.Is(err, api.ErrUnreachable) {
			return err
		}
		if err != nil {
			faults = append(faults, err)
			continue
		}
		fmt.Fprintf(c.OutOrStdout(), "%s: %s\n", id, text)
	}
	return errors.Join(faults...)
}
