package run

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/config"
	"neuralwl/internal/report"
)

// mayChange are the keys that may change when a run is resumed: its limits, and keys that do
// not affect its numbers.
var mayChange = []string{
	"run.workers", "run.max_time", "run.max_moves", "run.resume", "wang_landau.final_ln_f", "metadynamics.final_height", "production.passes", "trainer.export_every", "trainer.keep",
	"inference.provider", "inference.library", "inference.timeout", "inference.url", "inference.model", "inference.retries",
	"checkpoint.interval", "checkpoint.margin", "metrics.listen", "log.level",
}

// lastCheckpoint reads the last checkpoint of the run directory that can be used, with the
// paths of the damaged ones after it.
func (j *job) lastCheckpoint() (s *saved, path string, damaged []string, err error) {
	s, path, err = checkpoint.Read[saved](j.checkpoints.folder, func(path string, reason error) {
		damaged = append(damaged, path)
		j.log.Error("checkpoint cannot be used; falling back to the one before", "file", path, "reason", reason)
	})
	return s, path, damaged, err
}

// load reads the last checkpoint of the run directory, nil if the run was stopped before
// its first one, and compares the run's configuration with the present one.
func (j *job) load() (*saved, error) {
	s, path, damaged, err := j.lastCheckpoint()
	if errors.Is(err, checkpoint.ErrNone) {
		j.log.Warn("the run was stopped before its first checkpoint and starts from the beginning", "folder", j.folder)
		err = nil
	} else if err == nil {
		j.log.Info("resuming", "checkpoint", path, "stage", s.Place.Stage, "pass", s.Place.Pass, "after", s.Elapsed.Round(time.Second))
	}
	if err != nil {
		return nil, fmt.Errorf("resume %s: %w", j.folder, err)
	}
	before, err := j.configBefore(s)
	if err != nil {
		return nil, err
	}
	changes := config.Changes(before, j.c)
	faults := refused(changes)
	for _, c := range changes {
		switch {
		case (c.Key == "wang_landau.final_ln_f" || c.Key == "metadynamics.final_height") && s != nil && s.Place.Stage != adapting && s.Place.Stage != starting &&
			(!s.Place.Cut || j.c.Run.Resume == config.ResumeProduction):
			faults = append(faults, fmt.Errorf("%v: the weights of the run are frozen; start a new run, or extend this one with production.passes", c))
		case c.Key == "production.passes" && len(j.c.Run.Betas) > 1:
			faults = append(faults, fmt.Errorf("%v: at most the last of several temperatures could be extended; start a new run", c))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("resume %s: %w", j.folder, errors.Join(faults...))
	}
	for _, path := range damaged {
		if err := j.checkpoints.folder.SetAside(path); err != nil {
			return nil, fmt.Errorf("resume %s: %w", j.folder, err)
		}
	}
	r := report.Resumption{Time: time.Now(), Stage: string(adapting), Changes: changes}
	if s != nil {
		r.Stage, r.Pass = string(s.Place.Stage), s.Place.Pass
		j.course.Resumptions = s.Resumptions
		if s.Machine != "" && j.o.Machine != "" && s.Machine != j.o.Machine {
			r.Machine, r.MachineBefore = j.o.Machine, s.Machine
			j.log.Warn("the run goes on in another class of machines: results are as good, but their last digits differ from those of the uninterrupted run",
				"before", s.Machine, "now", j.o.Machine)
		}
	}
	j.course.Resumptions = append(j.course.Resumptions, r)
	return s, nil
}

// refused are the faults of changes that would make a run another one.
func refused(changes []config.Change) (faults []error) {
	for _, c := range changes {
		if !slices.Contains(mayChange, c.Key) {
			faults = append(faults, fmt.Errorf("%v: it cannot change when a run is resumed; start a new run, or leave it as it was (these keys may change: %s)",
				c, strings.Join(mayChange, ", ")))
		}
	}
	return faults
}

// configBefore is the configuration of the run so far.
func (j *job) configBefore(s *saved) (*config.Config, error) {
	data, from := []byte(nil), "its checkpoint"
	if s != nil {
		data = s.Config
	} else {
		from = filepath.Join(j.folder, report.ConfigFile)
		var err error
		if data, err = j.fs.ReadFile(from); err != nil {
			return nil, fmt.Errorf("resume: there is no run in %s: %w", j.folder, err)
		}
	}
	c, err := config.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("resume %s: configuration in %s: %w", j.folder, from, err)
	}
	return c, nil
}

// recall takes over what a checkpoint says of the course of the run.
func (j *job) recall(s *saved) {
	j.at, j.before = s.Place, s.Elapsed
	j.course.Phases, j.course.Tuning, j.course.Checkpoints = s.Phases, s.Tuning, s.Checkpoints
}

// restore puts the parts of the run into the state of a checkpoint.
func (j *job) restore(s *saved) error {
	if err := s.check(j.method.by, j.network); err != nil {
		return fmt.Errorf("resume %s: %w", j.folder, err)
	}
	j.recall(s)
	if n := j.network; n != nil {
		if was, is := s.Network.Provider, n.evaluator(); was != is {
			j.log.Warn("the network now runs on another provider: results are as good, but their last digits differ from those of the uninterrupted run",
				"before", was, "now", is)
		}
		n.exported = s.Network.Exported
		n.needed = [2]int{s.Network.Version, s.Network.Version}
		if n.trainer != nil {
			// First of all: what the walkers know of the network is bound to its weights.
			if err := n.trainer.Restore(s.Trainer); err != nil {
				return fmt.Errorf("resume %s: %w", j.folder, err)
			}
		}
	}
	if err := j.process.restore(s); err != nil {
		return fmt.Errorf("resume %s: %w", j.folder, err)
	}
	if s.Place.Cut && s.Place.Stage != adapting {
		j.continueCut()
	}
	return nil
}

// continueCut continues an adaptation that a limit had cut short, if that leaves room now:
// production under its rough weights is dropped and made again after it.
func (j *job) continueCut() {
	limit := j.adaptationLimit()
	switch {
	case j.c.Run.Resume == config.ResumeProduction:
		j.log.Info("run.resume: production continues under the weights of an adaptation that was cut short")
		return
	case limit > 0 && j.elapsed() > limit:
		j.log.Warn("the adaptation was cut short and there is no time to continue it; raise run.max_time to more than twice the time that the run has taken",
			"taken", j.elapsed().Round(time.Second))
		return
	case j.adaptationMoves() > 0 && j.at.Before >= j.adaptationMoves():
		return // as it was cut short by run.max_moves, so it would be again
	}
	dropped := j.at
	j.at = place{Stage: adapting, Pass: dropped.Adaptive, Began: j.elapsed()}
	phases := &j.course.Phases
	for k := len(*phases) - 1; k >= 0; k-- { // that of the present temperature is the last
		if (*phases)[k].Name != j.method.adaptation {
			continue
		}
		j.at.Began -= time.Duration((*phases)[k].Seconds["all"] * float64(time.Second))
		j.at.Train = time.Duration((*phases)[k].Seconds["train"] * float64(time.Second))
		*phases = (*phases)[:k]
		break
	}
	j.course.Tuning = nil
	j.process.adaptAgain(dropped.Adapted)
	j.log.Info("the adaptation that was cut short continues; production is made again after it (run.resume)",
		append(j.weights(j.process.Progress()), "dropped_passes", dropped.Pass)...)
}

// forgetModels removes the bundles exported after the checkpoint, or all of them without
// one: the resumed run exports them again.
func (j *job) forgetModels(s *saved) error {
	if s == nil || s.Network == nil {
		return j.fs.RemoveAll(filepath.Join(j.folder, ModelsFolder))
	}
	folder := filepath.Join(j.folder, ModelsFolder, s.Network.Name)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if version, err := strconv.Atoi(entry.Name()); err == nil && version > s.Network.Version {
			if err := j.fs.RemoveAll(filepath.Join(folder, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameFiles compares a bundle's digests with those in a checkpoint.
func (s *savedNetwork) sameFiles(sha256 map[string]string) error {
	if maps.Equal(s.SHA256, sha256) {
		return nil
	}
	return fmt.Errorf("bundle %s version %d is not the one that the checkpoint was written with: the digests of its files differ; restore the original", s.Name, s.Version)
}

// rewriteConfig keeps config.yaml true when a resumed run changed the configuration.
func (j *job) rewriteConfig() error {
	if data, err := j.fs.ReadFile(filepath.Join(j.folder, report.ConfigFile)); err == nil && bytes.Equal(data, j.yaml) {
		return nil
	}
	return j.write(report.ConfigFile, j.yaml)
}
