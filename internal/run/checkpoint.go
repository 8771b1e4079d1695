package run

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// saved is the payload of a checkpoint: everything that a run needs to continue as if it
// had never stopped. Fields are exported for encoding.
type saved struct {
	Program     string // version of nwl
	Written     time.Time
	Elapsed     time.Duration // time of the run
	Config      []byte        // YAML
	Place       place
	Phases      []report.PhaseSummary // that are over
	Tuning      *tune.Summary         // nil if the mix of moves was not looked for, or not yet found
	Resumptions []report.Resumption
	Checkpoints report.CheckpointSummary
	Engine      *sampler.Snapshot            // of walkers, with shards that of the end of the adaptation, or
	VAN         *sampler.VANSnapshot         `cbor:"Global"` // of a network's draws alone
	Variational *sampler.VariationalSnapshot // of a network's draws at temperatures
	Shards      []*sampler.Snapshot          // of production with run.shards, else nil
	Trainer     *trainer.Snapshot            // nil if the network is not trained
	Network     *savedNetwork                // nil without neural moves
	Machine     string                       // class of the machine that wrote it, empty where nobody said
}

// savedNetwork says which bundle was in use.
type savedNetwork struct {
	Name      string // of the run's exports, and Version of the last of them
	Version   int
	Folder    string            // of the bundle in use, in the run directory; empty in checkpoints of older programs for that version
	SHA256    map[string]string // of its files
	Provider  string            // with a model server also what that is
	Exported  int64             // gradient steps at the latest export
	Swaps     []report.Swap     // that were made
	Since     baseline          // of the last of them
	Untrained bool              // training ended with one of them
}

// folder is that of the bundle in use, in a run directory.
func (s *savedNetwork) folder(run string) string {
	if s.Folder == "" {
		return filepath.Join(run, ModelsFolder, s.Name, strconv.Itoa(s.Version))
	}
	return filepath.Join(run, filepath.FromSlash(s.Folder))
}

// checkpointer writes the checkpoints of a run.
type checkpointer struct {
	folder checkpoint.Folder
	last   time.Time // when the last one was tried
	slow   int       // checkpoints that took longer than checkpointShare allows
}

// checkpointShare is the share of the interval that writing a checkpoint may take without a
// warning.
const checkpointShare = 0.01

// checkpoint writes the state of the run. A failed write is reported and counted; the
// checkpoint before is kept, and the run continues, unless the caller knows better.
func (j *job) checkpoint() error {
	c, summary := &j.checkpoints, &j.course.Checkpoints
	began := time.Now()
	size, err := c.folder.Write(j.save())
	took := time.Since(began)
	c.last = time.Now()
	summary.Seconds += took.Seconds()
	if err != nil {
		summary.Failed++
	} else {
		summary.Written++
		summary.Bytes = size
		if j.network != nil {
			j.network.checkpointed()
		}
	}
	j.listener.CheckpointWritten(event.CheckpointWritten{Bytes: size, Took: took, Err: err})
	if limit := time.Duration(checkpointShare * float64(j.c.Checkpoint.Interval)); limit > 0 && took > limit {
		c.slow++
		if event.Often(c.slow) {
			j.log.Warn("writing checkpoints takes long; raise checkpoint.interval or take a faster disk", "took", took.Round(time.Millisecond),
				"share_of_interval", fmt.Sprintf("%.1f%%", 100*took.Seconds()/j.c.Checkpoint.Interval.Seconds()), "times", c.slow)
		}
	}
	return err
}

// save collects the state of the run.
func (j *job) save() *saved {
	c := &j.course
	s := &saved{
		Program: c.Version, Written: time.Now(), Elapsed: j.elapsed(), Config: j.yaml, Place: j.at,
		Phases: c.Phases, Tuning: c.Tuning, Resumptions: c.Resumptions, Checkpoints: c.Checkpoints,
		Machine: j.o.Machine,
	}
	j.process.save(s)
	if n := j.network; n != nil {
		s.Network = &savedNetwork{
			Name: n.bundle.Card.Name, Version: n.bundle.Card.Version, SHA256: n.bundle.Card.SHA256,
			Provider: n.evaluator(), Exported: n.exported,
			Swaps: j.swaps.recorded[:j.swaps.made], Since: j.swaps.since, Untrained: n.untrained,
			Folder: j.relative(n.folder),
		}
		if n.trainer != nil {
			s.Trainer = n.trainer.Snapshot()
		}
	}
	return s
}

// relative is a folder of the run directory as seen from there, with slashes.
func (j *job) relative(folder string) string {
	path, err := filepath.Rel(j.folder, folder)
	if err != nil {
		return ""
	}
	return filepath.ToSlash(path)
}

// check finds what is missing in a checkpoint of a way to sample, with the network of a run
// that is to go on from it or nil.
func (s *saved) check(by *sampling, n *network) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf("checkpoint: "+format, a...)) }
	phase, at := by.phase(s), s.Place
	if phase == "" {
		fault("the sampler's state is missing")
	}
	if n != nil && (s.Network == nil || n.trainer != nil && s.Trainer == nil) {
		fault("the network's state is missing")
	}
	if !slices.Contains(by.stages, at.Stage) {
		fault("%w", errNoStage(at.Stage))
	} else if produced := at.Stage == burningIn || at.Stage == producing; phase != "" && produced != (phase == sampler.Production) {
		fault("the stage is %s and the sampler is in the phase %s", at.Stage, phase)
	}
	if n := s.Network; n != nil && !filepath.IsLocal(n.folder(".")) {
		fault("the network is in %s, outside of the run directory", n.folder("."))
	}
	if m := at.Mix; m.Sweeps < 0 || m.Trials < 0 || at.Planned < 0 {
		fault("the mix of moves %v, for %d passes, is impossible", m, at.Planned)
	}
	if at.Pass < 0 || s.Elapsed < 0 {
		fault("pass %d or time %v is impossible", at.Pass, s.Elapsed)
	}
	return errors.Join(faults...)
}
