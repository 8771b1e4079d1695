package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/bench"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
	"neuralwl/models/pretrained"
)

func newSubmit() *cobra.Command {
	c := submitting(&cobra.Command{
		Use:   "submit [--config FILE] [--set key=value[,value]...]... [--seeds 1..N] [--id ID | --group NAME] [--wait]",
		Short: "Submit a run to nwl serve",
		Long: `Submit a run to the daemon, which performs it as nwl run would, and print its name. With --wait
show its progress until it has ended, and then its results; Ctrl-C ends the waiting, not the run.

The daemon checks the configuration. A bundle in model.bundle or model.init that is found here is
named by its absolute path; others are looked for where the daemon runs.

Several values of a setting, separated by commas or as FROM..TO, and --seeds submit a group: a run for each
combination, listed, paused, cancelled, deleted and shown as one. Runs that differ by run.seed alone are
merged into one density of states, and those of random_bond that differ by system.disorder_seed, or whose
couplings are of several files (system.file), are averaged, while they end (docs/ensembles.md). Submitted again, the same goes on where it was.

nwl submit train, nwl submit bench and nwl submit compare submit other jobs.

` + waitCodes,
		Example: "  nwl submit --set system.q=3 --set system.size=8x8 --title 'first try' --wait\n" +
			"  nwl submit --set system.q=3 --set system.size=8x8,16x16 --seeds 1..8\n" +
			"  nwl submit --set system.model=random_bond --set system.size=8x8 --set system.disorder_seed=1..100 --group glass",
	}, job.WorkRun, nil)
	c.AddCommand(newSubmitTrain(), newSubmitBench(), newSubmitCompare())
	return c
}

func newSubmitTrain() *cobra.Command {
	o := &job.Training{}
	c := submitting(&cobra.Command{
		Use:   "train [--config FILE] [--set key=value]... [--weights ID] [--name NAME]",
		Short: "Submit the training of a network without a run",
		Long: `Submit a training, as of nwl train. Its bundle, with the loss curve and the evaluation, is in models/
of its run directory. A training keeps no checkpoint: after a pause, or when the daemon
stops meanwhile, it begins again. One that is cancelled or paused leaves the bundle of what it
had learned.`,
		Example: "  nwl submit train --set model.architecture=microcanonical --set system.size=16x16 --set train.max_time=4m",
	}, job.WorkTrain, func(s *api.Submission) error {
		s.Train = o
		return nil
	})
	c.Flags().StringVar(&o.Weights, "weights", "", "run of the daemon whose density of states weighs the states (default one made first)")
	c.Flags().StringVar(&o.Name, "name", "", "name of the bundle (default <architecture>-<system>)")
	return c
}

func newSubmitBench() *cobra.Command {
	o := &job.Benchmark{}
	var duration time.Duration
	c := submitting(&cobra.Command{
		Use:   "bench [--config FILE] [--set key=value]... [--weights ID] [--mix MIX]... [--time TIME]",
		Short: "Submit a measurement of moves",
		Long: `Submit a measurement of moves, as of nwl bench moves, for the system and network of the
configuration; run.walkers is the number of walkers. Its result is bench.json in its
run directory, which nwl show prints. It keeps no checkpoint: after a pause it begins again. What
the daemon does besides disturbs it: give it a daemon that has nothing else to do.`,
		Example: "  nwl submit bench --set system.size=16x16 --set run.walkers=192 --mix 150:1:1 --weights q10-16x16-1",
	}, job.WorkBench, func(s *api.Submission) error {
		if duration <= 0 {
			return usageError{errors.New("--time must be positive")}
		}
		o.Seconds = duration.Seconds()
		s.Bench = o
		return nil
	})
	c.Flags().StringVar(&o.Weights, "weights", "", "run of the daemon under whose density of states is measured (default one made first)")
	c.Flags().StringSliceVar(&o.Mixes, "mix", bench.DefaultMixes, "mixes of moves, [cluster:]SWEEPS:TRIALS[:SHARE[:SHIFT]] per pass")
	c.Flags().DurationVar(&duration, "time", 30*time.Second, "time for each kind of move")
	c.Flags().BoolVar(&o.Flat, "flat", false, "measure with a flat histogram alone, not also with more time at low energies")
	return c
}

// submitting lets a command submit a job of a kind, completed by options unless that is nil.
func submitting(c *cobra.Command, work job.Work, options func(*api.Submission) error) *cobra.Command {
	s := api.Submission{Kind: work}
	var file string
	var waiting bool
	var group grouping
	c.Args = noArguments
	asking(c, func(c *cobra.Command, client *api.Client, _ []string) error {
		if options != nil {
			if err := options(&s); err != nil {
				return err
			}
		}
		if file != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return usageError{err}
			}
			s.Config = string(text)
		}
		var err error
		if group.couplings, err = complete(&s); err != nil {
			return err
		}
		if len(group.couplings) > 0 && work != job.WorkRun {
			return usageError{errors.New("system.file: several files make a group of runs; name one")}
		}
		if group.wanted(&s) {
			return group.submit(c, client, s, waiting)
		}
		r, err := client.Submit(c.Context(), s)
		if err != nil {
			return err
		}
		if waiting {
			logTo(slog.LevelInfo)
			slog.Info("submitted", "run", r.ID)
			return awaitRun(c, client, r.ID)
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), r.ID)
		return err
	})
	submissionFlags(c, &s)
	if work == job.WorkRun {
		group.addFlags(c)
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with the configuration")
	c.Flags().BoolVar(&waiting, "wait", false, "show the progress until the run has ended, and its results")
	return c
}

// submissionFlags adds the flags that all submissions have.
func submissionFlags(c *cobra.Command, s *api.Submission) {
	c.Flags().StringArrayVar(&s.Set, "set", nil, "set a configuration key, as in --set system.q=3")
	c.Flags().StringVar(&s.ID, "id", "", "name of the run and its directory (default <system>-<number>)")
	c.Flags().StringVar(&s.Title, "title", "", "a line about the run, for people")
	c.Flags().StringArrayVar(&s.Tags, "tag", nil, "a word by which the run can be found")
	c.Flags().IntVar(&s.Priority, "priority", 0, "runs of a higher one go first, -10..10")
	c.Flags().StringArrayVar(&s.After, "after", nil, "name of a run that must be done before; if it fails, so does this one")
	c.Flags().StringArrayVar(&s.AfterAny, "after-any", nil, "name of a run that must have ended before, however")
	c.Flags().Int64Var(&s.Memory, "memory", 0, "megabytes that it will need, instead of the daemon's estimate")
	c.Flags().StringVar(&s.Notes, "notes", "", "whatever is worth remembering of the run")
	c.Flags().StringVar(&s.Follow, "follow", "", "network of the repository whose new versions the run takes while it goes on")
	c.Flags().BoolVar(&s.Publish, "publish", false, "put the networks that it exports into the repository under its name")
}

// complete makes a submission independent of the folder that it comes from: by the absolute paths of
// bundles, and the couplings in the place of their file. It returns those of several files, for a group.
func complete(s *api.Submission) ([]api.Couplings, error) {
	paths := strings.Split(config.Given([]byte(s.Config), s.Set, "system.file"), ",")
	if _, err := os.Stat(strings.Join(paths, ",")); err == nil || len(paths) == 1 {
		set, err := config.WithCouplings([]byte(s.Config), s.Set)
		if err != nil {
			return nil, err
		}
		s.Set = set
		return nil, absoluteBundles(s)
	}
	var all []api.Couplings
	var faults []error
	for _, path := range paths {
		title, list, err := config.ReadCouplings(strings.TrimSpace(path))
		faults = append(faults, err)
		for n, first := 2, title; slices.ContainsFunc(all, func(c api.Couplings) bool { return c.Title == title }); n++ {
			title = fmt.Sprintf("%s-%d", first, n) // of another folder
		}
		all = append(all, api.Couplings{Title: title, List: list})
	}
	if err := errors.Join(faults...); err != nil {
		return nil, usageError{err}
	}
	s.Set = slices.DeleteFunc(slices.Clone(s.Set), func(a string) bool { return strings.HasPrefix(a, "system.file=") })
	return all, absoluteBundles(s)
}

// absoluteBundles names bundles that are found from the working directory, of several each, by their absolute
// paths, since that of the daemon is another one.
func absoluteBundles(s *api.Submission) error {
	for _, key := range []string{"model.bundle", "model.init"} {
		given := config.Given([]byte(s.Config), s.Set, key)
		paths := strings.Split(given, ",")
		for i, path := range paths {
			if path == "" || filepath.IsAbs(path) || strings.HasPrefix(path, pretrained.Prefix) {
				continue
			}
			if _, err := os.Stat(path); err != nil {
				continue // where the daemon runs, or in its repository
			}
			var err error
			if paths[i], err = filepath.Abs(path); err != nil {
				return err
			}
		}
		if all := strings.Join(paths, ","); all != given {
			s.Set = append(s.Set, key+"="+all)
		}
	}
	return nil
}
