package child

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"neuralwl/internal/bench"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/internal/job"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/setup"
	"neuralwl/internal/training"
	"neuralwl/sampler/dos"
	"neuralwl/trainer"
)

// Files of the folder of a job that is no run, beside report.EventsFile.
const (
	TrainConfigFile = "train.yaml"    // the complete configuration
	TrainingFile    = "training.json" // training.Report, with the bundle's folder within the run directory
	BenchConfigFile = "bench.yaml"    // the complete configuration
	BenchFile       = "bench.json"    // []bench.Result

	CompareConfigFile = "compare.yaml"    // the specification
	ComparisonFile    = "comparison.json" // Comparison
	ComparisonFolder  = "comparison"      // its cells and its report
)

// kind is a kind of work other than a run. What such a job writes is there once it has ended; it
// begins again after an interruption.
type kind struct {
	config, result string // files
	// check finds faults of a specification before it is accepted.
	check func(*job.Spec, *config.Config) error
	// perform does the work and returns what the result file is to hold.
	perform func(*work, context.Context) (result any, err error)
}

// kinds are all of them. A further one needs an entry here and a job.Work.
var kinds = map[job.Work]kind{
	job.WorkTrain: {TrainConfigFile, TrainingFile, checkTraining, (*work).train},
	job.WorkBench: {BenchConfigFile, BenchFile, checkBench, (*work).bench},

	job.WorkCompare: {CompareConfigFile, ComparisonFile, checkComparison, (*work).compare},
}

// other returns how a kind of work other than a run is done, nil for a run.
func other(w job.Work) (*kind, error) {
	if w == "" || w == job.WorkRun {
		return nil, nil
	}
	if k, ok := kinds[w]; ok {
		return &k, nil
	}
	return nil, fmt.Errorf("this version of nwl knows no work of the kind %q", w)
}

// Check returns an error for a specification with which a job would fail at once, c being its
// configuration.
func Check(s job.Spec, c *config.Config) error {
	k, err := other(s.Work)
	if k != nil {
		err = k.check(&s, c)
	}
	return err
}

// work is a task of a kind under way.
type work struct {
	Task
	config *config.Config
	log    *slog.Logger
	w      *reporter
}

// serve performs a task and returns its exit code.
func (k kind) serve(ctx context.Context, task Task, fs disk.FS, version string, log *slog.Logger, w *reporter) int {
	began := time.Now()
	var interrupted string
	err := k.in(task, fs, log, func(log *slog.Logger) (any, error) {
		c, err := config.Parse([]byte(task.Config))
		if err != nil {
			return nil, err
		}
		if c.Run.Workers == 0 {
			c.Run.Workers = task.Workers
		}
		system, err := c.System.New()
		if err != nil {
			return nil, err
		}
		w.recorder.Listener().RunBegan(event.RunBegan{Version: version, System: fmt.Sprint(system), Method: string(task.Work), Seed: c.Run.Seed, Walkers: c.Run.Walkers})
		w.say(Began, BeganData{System: fmt.Sprint(system), Method: string(task.Work), Seed: c.Run.Seed, Walkers: c.Run.Walkers})
		w.count()
		log.Info(string(task.Work) + " begins")
		result, err := k.perform(&work{Task: task, config: c, log: log, w: w}, ctx)
		if ctx.Err() != nil {
			interrupted = context.Cause(ctx).Error()
			log.Warn(string(task.Work)+" ends early; it keeps no checkpoint and would begin again", "reason", interrupted)
			return nil, nil
		}
		if err != nil {
			log.Error(string(task.Work)+" fails", "reason", err)
		}
		return result, err
	})
	if !w.counted.IsZero() { // it began
		w.recorder.Listener().RunEnded(event.RunEnded{Converged: err == nil && interrupted == "", Interrupted: interrupted, Err: err})
		w.count()
	}
	switch {
	case err != nil:
		w.say(Failed, FailedData{Error: err.Error()})
		return 1
	case interrupted != "":
		w.say(Ended, EndedData{Interrupted: interrupted, Seconds: time.Since(began).Seconds()})
		return 4
	}
	w.say(Ended, EndedData{Converged: true, Seconds: time.Since(began).Seconds()})
	return 0
}

// in calls f with the folder of a task prepared, and writes the result there, unless that is
// nil. A folder that has a result already is left as it is.
func (k kind) in(task Task, fs disk.FS, log *slog.Logger, f func(*slog.Logger) (any, error)) (err error) {
	if err := os.MkdirAll(task.Folder, 0o777); err != nil {
		return err
	}
	leave, err := task.claim(log).Lock(task.Folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, leave()) }()
	wanted := task.Config
	if task.Compare != nil {
		wanted = task.Compare.Spec
	}
	path := filepath.Join(task.Folder, k.result)
	text, err := os.ReadFile(filepath.Join(task.Folder, k.config))
	if _, missing := os.Stat(path); missing == nil && err == nil && string(text) == wanted {
		return nil // its worker died before the end was on record
	}
	if err := errors.Join(disk.Tidy(fs, task.Folder), fs.RemoveAll(path), fs.RemoveAll(filepath.Join(task.Folder, run.ModelsFolder))); err != nil {
		return err
	}
	if err := disk.WriteFile(fs, filepath.Join(task.Folder, k.config), []byte(wanted)); err != nil {
		return err
	}
	file, err := fs.Append(filepath.Join(task.Folder, report.EventsFile))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	result, err := f(slog.New(slog.NewMultiHandler(log.Handler(), slog.NewJSONHandler(file, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	if err != nil || result == nil {
		return err
	}
	if text, err = json.MarshalIndent(result, "", "  "); err != nil {
		return fmt.Errorf("%s: %w", k.result, err)
	}
	return disk.WriteFile(fs, path, append(text, '\n'))
}

// far reports how far an activity is, if it is time.
func (t *work) far(activity string, done float64, steps int64, loss float64) {
	if !t.w.due() {
		return
	}
	t.w.recorder.Far(activity, done)
	t.w.say(Pass, PassData{Phase: activity, Done: finite(done), Steps: steps, Loss: finite(loss), Left: t.w.recorder.Left()})
	if time.Since(t.w.counted) >= countsInterval {
		t.w.count()
	}
}

// weights reads the density of states of the run that the task names, nil without one.
func (t *work) weights(id string) (*dos.Density, error) {
	if id == "" {
		return nil, nil
	}
	// A joint density of states is summed over its second variable.
	e, err := dos.Reader{Note: func(string) {}}.ReadEnsemble(filepath.Join(cmp.Or(t.Weights, filepath.Join(filepath.Dir(t.Folder), id)), report.DensityFile))
	if err != nil {
		return nil, fmt.Errorf("weights: the run %s has no density of states: %w", id, err)
	}
	return e.Density, nil
}

func checkTraining(_ *job.Spec, c *config.Config) error { return training.Check(c) }

// train trains a network. One that is told to end keeps what it learned until it begins again.
func (t *work) train(ctx context.Context) (any, error) {
	o := training.Options{Config: t.config, Repository: filepath.Join(t.Folder, run.ModelsFolder), Log: t.log, Hurry: true}
	if of := t.Train; of != nil {
		o.Name = of.Name
		var err error
		if o.LnG, err = t.weights(of.Weights); err != nil {
			return nil, err
		}
	}
	steps, listener := int64(0), t.w.recorder.Listener()
	o.Observe = func(activity string, done float64, step trainer.StepInfo) {
		if activity == training.Evaluating && done == 0 {
			t.w.say(Evaluating, struct{}{})
		}
		if step.Duration > 0 {
			listener.GradientStep(step)
			if !step.Dropped {
				steps++
			}
		}
		t.far(activity, done, steps, step.Loss)
	}
	r, err := training.Train(ctx, o)
	if err != nil {
		return nil, err
	}
	r.Folder, err = filepath.Rel(t.Folder, r.Folder)
	return r, err
}

func checkBench(s *job.Spec, c *config.Config) error {
	if !c.System.IsPotts() {
		return fmt.Errorf("system.model: moves are measured for %s and %s, not for %s", config.Potts, config.Ising, c.System.Model)
	}
	_, err := benchMixes(s.Bench)
	return err
}

func benchMixes(of *job.Benchmark) (mixes []bench.Mix, err error) {
	texts := bench.DefaultMixes
	if of != nil && of.Mixes != nil {
		texts = of.Mixes
	}
	for _, text := range texts {
		m, err := bench.ParseMix(text)
		if err != nil {
			return nil, fmt.Errorf("bench.mixes: %w", err)
		}
		mixes = append(mixes, m)
	}
	return mixes, nil
}

// bench measures moves.
func (t *work) bench(ctx context.Context) (any, error) {
	c, of := t.config, t.Bench
	if of == nil {
		of = &job.Benchmark{}
	}
	c.Model.Bundle = setup.PretrainedIfNone(c.Model.Bundle, c.System.Q)
	n, err := setup.Test(ctx, c, 1, t.log)
	if err != nil {
		return nil, err
	}
	o := bench.Options{
		System: n.System, Seed: c.Run.Seed, Bundle: n.Bundle, Runtime: n.Runtime, Part: n.Part,
		Walkers: c.Run.Walkers, LocalWalkers: min(c.Run.Walkers, 16), Time: 30 * time.Second, Low: !of.Flat,
		Observe: func(activity string, done float64) { t.far(activity, done, 0, 0) },
	}
	if of.Seconds > 0 {
		o.Time = time.Duration(of.Seconds * float64(time.Second))
	}
	if o.Mixes, err = benchMixes(of); err != nil {
		return nil, err
	}
	d, err := t.weights(of.Weights)
	if err != nil {
		return nil, err
	}
	if d != nil {
		if o.LnG, err = setup.Levels(d, n.System); err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
	}
	return bench.Moves(ctx, o)
}
