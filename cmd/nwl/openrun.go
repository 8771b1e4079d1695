package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"neuralwl/internal/config"
	"neuralwl/internal/near"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
)

// runConfig is the configuration of the run in a directory, with changes.
func runConfig(folder string, changes []string) (*config.Config, error) {
	path := filepath.Join(folder, report.ConfigFile)
	if _, err := os.Stat(path); err != nil {
		return nil, usageError{fmt.Errorf("%s: there is no run in it: %w%s", folder, err, near.AskPath(folder))}
	}
	c, err := config.Load(path, changes)
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// lookAt opens a run directory to make something of what is in it, logging from a level on.
func lookAt(folder string, least slog.Level) (run.Options, error) {
	c, err := runConfig(folder, nil)
	if err != nil {
		return run.Options{}, err
	}
	logTo(max(c.Log.SlogLevel(), least))
	return run.Options{Config: c, Folder: folder, Version: version()}, nil
}
