package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
	"neuralwl/internal/setup"
)

func newBundle() *cobra.Command {
	c := &cobra.Command{
		Use:   "bundle",
		Short: "Look at networks on disk, check them, give them to other programs",
		Long: `A network is a bundle: a folder with card.json and the ONNX files that it lists. BUNDLE is such a
folder, a folder with numbered versions, of which the highest is taken, or pretrained/NAME for a
network that comes with the program. Those of a run are in models/ of its run directory, those of
a daemon in networks/ of its data folder; nwl networks asks the daemon itself.`,
		Args: noArguments,
		RunE: help,
	}
	c.AddCommand(newBundleList(), newBundleShow(), newBundleVerify(), newBundleExport(), newBundleImport(), newBundleLatent())
	return c
}

// openBundle opens a bundle, by default the pretrained one, for q colours and a size as in
// 16x16, and tests its draws.
func openBundle(ctx context.Context, bundle string, q int, size string, workers int) (*setup.Tested, error) {
	c, err := config.Load("", []string{fmt.Sprintf("system.q=%d", q), "system.size=" + size, "model.bundle=" + setup.PretrainedIfNone(bundle, q)})
	if err != nil {
		return nil, usageError{err}
	}
	logTo(c.Log.SlogLevel())
	return setup.Test(ctx, c, workers, slog.Default())
}

// logProgress returns a callback that logs how much is done every so often.
func logProgress() func(activity string, done float64) {
	last := time.Now()
	return func(activity string, done float64) {
		if time.Since(last) > logInterval {
			last = time.Now()
			slog.Info("progress", "activity", activity, "done", fmt.Sprintf("%.0f%%", 100*done))
		}
	}
}
