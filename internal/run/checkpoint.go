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
	"neuralwl/internal/event"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// saved is the payload of a checkpoint: all that a run needs to go on as if it had
// never stopped. Its fields are exported for encoding.
type saved struct {
	Program     string // version of nwl
	Written     time.Time
	Elapsed     time.Duration // time of the run
	Config      []byte        // YAML
	Place       place
	Phases      []PhaseSummary // that are over
	Tuning      *tune.Summary  // nil if the mix of moves was not looked for, or not yet found
	Resumptions []Resumption
	Checkpoints CheckpointSummary
	Engine      *sampler.Snapshot    // or
	Global      *sampler.VANSnapshot // of the method without walkers
	Trainer     *trainer.Snapshot    // nil if the network is not trained
	Network     *savedNetwork        // nil without neural moves
}

// savedNetwork says which bundle was in use.
type savedNetwork struct {
	Name     string
	Version  int
	SHA256   map[string]string // of its files
	Provider string
	Exported int64 // gradient steps at the latest export
}

// Resumption is one time that a run was taken up again.
type Resumption struct {
	Time    time.Time       `json:"time"`
	Stage   string          `json:"stage"`
	Pass    int64           `json:"pass"`              // passes made in the stage
	Changes []config.Change `json:"changes,omitempty"` // of the configuration
}

// CheckpointSummary counts the checkpoints of a run.
type CheckpointSummary struct {
	Written int     `json:"written"`
	Failed  int     `json:"failed"`
	Bytes   int     `json:"bytes"`   // size of the last one
	Seconds float64 `json:"seconds"` // wall-clock time spent on them
}

// checkpointer writes the checkpoints of a run.
type checkpointer struct {
	folder  checkpoint.Folder
	last    time.Time // when the last one was tried
	slow    int       // those that took longer than checkpointShare allows
	summary CheckpointSummary
}

// checkpointFolder of a run directory holds its checkpoints.
const checkpointFolder = "checkpoints"

// checkpointShare of the interval may go into writing checkpoints before the run
// says so.
const checkpointShare = 0.01

// checkpoint writes the state of the run. A failed write is reported and counted; the
// checkpoint before is kept, and the run continues.
func (j *job) checkpoint() {
	c := &j.checkpoints
	began := time.Now()
	size, err := c.folder.Write(j.save())
	took := time.Since(began)
	c.last = time.Now()
	c.summary.Seconds += took.Seconds()
	if err != nil {
		c.summary.Failed++
	} else {
		c.summary.Written++
		c.summary.Bytes = size
	}
	j.listener.CheckpointWritten(event.CheckpointWritten{Bytes: size, Took: took, Err: err})
	if limit := time.Duration(checkpointShare * float64(j.c.Checkpoint.Interval)); limit > 0 && took > limit {
		c.slow++
		if event.Often(c.slow) {
			j.log.Warn("writing checkpoints takes long; raise checkpoint.interval or take a faster disk", "took", took.Round(time.Millisecond),
				"share_of_interval", fmt.Sprintf("%.1f%%", 100*took.Seconds()/j.c.Checkpoint.Interval.Seconds()), "times", c.slow)
		}
	}
}

// save collects the state of the run.
func (j *job) save() *saved {
	s := &saved{
		Program: j.o.Version, Written: time.Now(), Elapsed: j.elapsed(), Config: j.yaml,
		Place: j.at, Phases: j.phases, Tuning: j.tuning, Resumptions: j.resumptions, Checkpoints: j.checkpoints.summary,
	}
	if j.engine != nil {
		s.Engine = j.engine.Snapshot()
	} else {
		s.Global = j.global.Snapshot()
	}
	if n := j.network; n != nil {
		s.Network = &savedNetwork{
			Name: n.bundle.Card.Name, Version: n.bundle.Card.Version, SHA256: n.bundle.Card.SHA256,
			Provider: string(n.runtime.Provider), Exported: n.exported,
		}
		if n.trainer != nil {
			s.Trainer = n.trainer.Snapshot()
		}
	}
	return s
}

// mayChange are the keys that may change when a run is resumed: those that set its
// limits, or do not touch its numbers.
var mayChange = []string{
	"run.workers", "run.max_time", "wang_landau.final_ln_f", "production.passes", "trainer.export_every",
	"inference.provider", "inference.library", "inference.timeout",
	"checkpoint.interval", "checkpoint.margin", "metrics.listen", "log.level",
}

// load reads the last checkpoint of the run directory, nil if the run was stopped
// before there was one. It compares the run's configuration with the present one.
func (j *job) load() (*saved, error) {
	var damaged []string
	s, path, err := checkpoint.Read[saved](j.checkpoints.folder, func(path string, reason error) {
		damaged = append(damaged, path)
		j.log.Error("checkpoint cannot be used; taking the one before", "file", path, "reason", reason)
	})
	if errors.Is(err, checkpoint.ErrNone) {
		j.log.Warn("the run was stopped before its first checkpoint and begins anew", "folder", j.folder)
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
	var faults []error
	for _, c := range changes {
		switch {
		case !slices.Contains(mayChange, c.Key):
			faults = append(faults, fmt.Errorf("%v: it cannot change when a run is resumed; begin a new run, or leave it as it was (of the keys, %s may change)",
				c, strings.Join(mayChange, ", ")))
		case c.Key == "wang_landau.final_ln_f" && s != nil && s.Place.Stage != adapting && s.Place.Stage != starting:
			faults = append(faults, fmt.Errorf("%v: the weights of the run are frozen; begin a new run, or prolong this one with production.passes", c))
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
	r := Resumption{Time: time.Now(), Stage: string(adapting), Changes: changes}
	if s != nil {
		r.Stage, r.Pass = string(s.Place.Stage), s.Place.Pass
		j.resumptions = s.Resumptions
	}
	j.resumptions = append(j.resumptions, r)
	return s, nil
}

// configBefore is the configuration under which the run was made so far.
func (j *job) configBefore(s *saved) (*config.Config, error) {
	data, from := []byte(nil), "its checkpoint"
	if s != nil {
		data = s.Config
	} else {
		from = filepath.Join(j.folder, ConfigFile)
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

// restore puts the parts of the run into the state of a checkpoint.
func (j *job) restore(s *saved) error {
	err := s.check(j.network, j.isGlobal())
	switch {
	case err != nil:
	case j.isGlobal():
		err = j.global.Restore(s.Global)
	default:
		err = j.engine.Restore(s.Engine)
	}
	if err != nil {
		return fmt.Errorf("resume %s: %w", j.folder, err)
	}
	if n := j.network; n != nil {
		if was, is := s.Network.Provider, string(n.runtime.Provider); was != is {
			j.log.Warn("the network is evaluated elsewhere than before: results are as good, but differ in their last digits from those of the same run without interruption",
				"before", was, "now", is)
		}
		n.exported = s.Network.Exported
		if n.trainer != nil {
			if err := n.trainer.Restore(s.Trainer); err != nil {
				return fmt.Errorf("resume %s: %w", j.folder, err)
			}
		}
	}
	j.at, j.phases, j.tuning, j.before, j.checkpoints.summary = s.Place, s.Phases, s.Tuning, s.Elapsed, s.Checkpoints
	if j.engine != nil {
		j.setMix()
	}
	return nil
}

// check finds what is missing in a checkpoint of a run with walkers, or without.
func (s *saved) check(n *network, global bool) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf("checkpoint: "+format, a...)) }
	var phase sampler.Phase
	switch {
	case global && s.Global != nil:
		phase = s.Global.Phase
	case !global && s.Engine != nil:
		phase = s.Engine.Phase
	default:
		fault("the sampler's state is missing")
	}
	if n != nil && (s.Network == nil || n.trainer != nil && s.Trainer == nil) {
		fault("the network's state is missing")
	}
	if !slices.Contains([]stage{starting, adapting, tuning, burningIn, producing}, s.Place.Stage) {
		fault("there is no stage %q", s.Place.Stage)
	} else if phase != "" && slices.Contains([]stage{starting, adapting, tuning}, s.Place.Stage) != (phase != sampler.Production) {
		fault("the stage is %s and the sampler is in the phase %s", s.Place.Stage, phase)
	}
	if global && (s.Place.Stage == tuning || s.Place.Stage == starting) {
		fault("the stage is %s, in a run without walkers", s.Place.Stage)
	}
	if m := s.Place.Mix; m.Sweeps < 0 || m.Trials < 0 || s.Place.Planned < 0 {
		fault("the mix of moves %v, for %d passes, is impossible", m, s.Place.Planned)
	}
	if s.Place.Pass < 0 || s.Elapsed < 0 {
		fault("pass %d or time %v is impossible", s.Place.Pass, s.Elapsed)
	}
	return errors.Join(faults...)
}

// forgetModels removes the bundles that were exported after a checkpoint, all of them
// if there is none: the resumed run exports them again.
func (j *job) forgetModels(s *saved) error {
	if s == nil || s.Network == nil {
		return j.fs.RemoveAll(filepath.Join(j.folder, modelsFolder))
	}
	folder := filepath.Join(j.folder, modelsFolder, s.Network.Name)
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
	return fmt.Errorf("bundle %s version %d is not the one that the checkpoint was written with: its files have other digests; put the original back", s.Name, s.Version)
}

// rewriteConfig keeps config.yaml true when a resumed run changed the configuration.
func (j *job) rewriteConfig() error {
	if data, err := j.fs.ReadFile(filepath.Join(j.folder, ConfigFile)); err == nil && bytes.Equal(data, j.yaml) {
		return nil
	}
	return j.write(ConfigFile, j.yaml)
}
