package main

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/internal/training"
	"neuralwl/trainer"
)

func newTrain() *cobra.Command {
	var file, from, repository, name string
	var assignments []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "train [--config FILE] [--set key=value]... [--from RUN] [--out REPOSITORY] [--name NAME] [--json]",
		Short: "Train a network without a run",
		Long: `Train a network on states of all energies, drawn by local moves under the weights of
a multicanonical iteration or, with --from, under the density of states of a run. The
bundle becomes the next version of its name in the repository, with the loss curve
(loss.csv), and, for networks that are not shown a state, an evaluation by energy
(evaluation.csv) on states that it was not trained on, or for a flow of all angles by temperature
(temperatures.csv).

model.init begins with the weights of another bundle, which may be of another size of the
lattice. The first SIGINT or SIGTERM ends training in order, with what was learned.`,
		Example: `  nwl train --set model.architecture=microcanonical --set system.size=16x16 --set train.max_time=4m
  nwl train --set model.architecture=microcanonical --set system.size=32x32 --set model.init=models/microcanonical-potts-q10-16x16`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Load(file, assignments)
			if err != nil {
				return usageError{err}
			}
			if err := enoughAddresses(); err != nil {
				return err
			}
			o := training.Options{Config: cfg, Repository: repository, Name: name}
			if from != "" {
				files := densityReader{}
				if o.LnG, err = files.read(c, filepath.Join(from, report.DensityFile)); err != nil {
					return err
				}
			}
			last := time.Now()
			o.Observe = func(activity string, done float64, step trainer.StepInfo) {
				if time.Since(last) < logInterval {
					return
				}
				last = time.Now()
				args := []any{"activity", activity, "done", fmt.Sprintf("%.0f%%", 100*done)}
				if step.Loss != 0 {
					args = append(args, "loss", fmt.Sprintf("%.2f", step.Loss), "step_ms", step.Duration.Milliseconds())
				}
				slog.Info("progress", args...)
			}
			ctx, stop := interruptible(c.Context())
			defer stop()
			logTo(cfg.Log.SlogLevel())
			report, err := training.Train(ctx, o)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(c.OutOrStdout(), report)
			}
			return printTraining(c.OutOrStdout(), report)
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration")
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key, as in --set train.steps=1000")
	c.Flags().StringVar(&from, "from", "", "run directory whose density of states weighs the states")
	c.Flags().StringVar(&repository, "out", "models", "folder of the bundles")
	c.Flags().StringVar(&name, "name", "", "name of the bundle (default <architecture>-<system>)")
	addJSON(c, &asJSON)
	return c
}

// printTraining prints what came out of a training.
func printTraining(w io.Writer, r *training.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, a ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, a...)) }
	c := r.Card
	row("network", "%s, %v", c.Architecture, c.System.System())
	row("training", "%d gradient steps, loss %.2f nats", c.Training.Steps, c.Training.Loss)
	if c.Training.Dropped > 0 {
		row("", "%d gradient steps dropped: loss or gradient was not finite", c.Training.Dropped)
	}
	row("time", "weights %.1f s, training %.1f s, evaluation %.1f s", r.Seconds.Weights, r.Seconds.Training, r.Seconds.Evaluation)
	for _, e := range r.Evaluations {
		aim := ""
		if c.TakesEnergy() {
			aim = fmt.Sprintf(" with targets anywhere, %.3f of the proposals hit theirs", e.HitRate)
		}
		row("on "+e.Size, "divergence %.3f(%.3f) nats, acceptance %.3f(%.3f)%s", e.KL, e.KLError, e.Acceptance, e.AcceptanceError, aim)
	}
	for _, b := range r.Temperatures {
		row(fmt.Sprintf("at beta = %.3g", b.Beta), "ln Z %.4f(%.4f), effective share %.3f, acceptance %.3f, divergence %.3f nats", b.LnZ, b.LnZError, b.EffectiveShare, b.Acceptance, b.Divergence)
	}
	row("bundle", "%s", r.Folder)
	return t.Flush()
}
