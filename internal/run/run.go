// Package run executes one run: it puts sampler, network and trainer together, drives them
// through their phases, and owns the run directory with its checkpoints. Package report
// makes the results.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"neuralwl/inference"
	"neuralwl/internal/checkpoint"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/internal/parallel"
	"neuralwl/internal/report"
	"neuralwl/internal/shell"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// Options of a run beside its configuration.
type Options struct {
	Config *config.Config
	// Folder is the run directory. It must not hold a run yet, unless Resume is set.
	Folder string
	// Resume continues the run in Folder at its last checkpoint. Config may differ from its
	// original configuration in a few keys.
	Resume bool
	// Version of the program, for the record.
	Version string
	// Wait is how long to wait for another process to leave the run directory, and Epoch that of the
	// lease by which a queue has given the run to this one; see Claim.
	Wait  time.Duration
	Epoch int
	// Machine is the class of this machine, for the record of resumptions; empty for none.
	Machine string
	// Workers is the number of threads where run.workers leaves it open, by default one per
	// core that Go may use.
	Workers int
	// Log is the run's log, by default slog's. All that is logged also goes into the run
	// directory.
	Log *slog.Logger
	// Listener is told of everything that happens.
	Listener event.Listener
	// Swaps brings other networks for the run; nil for none. Requests are received between passes
	// until Run returns.
	Swaps <-chan Swap

	// Evaluated is told of every evaluation of the network, see inference.Runtime; nil for nobody.
	Evaluated func(graph string, took time.Duration)

	// Divide has Run end with ErrDivided where production in run.shards begins, which Shard makes in
	// other processes, instead of making it in this one. A run that comes back to it without Divide goes on with what the
	// shards have done. It also lets processes that call Help make shards of an adaptation with run.round.
	Divide bool

	// FS is where the run directory is written, by default the operating system's file
	// system.
	FS disk.FS
	// Intercept is handed to inference.Runtime. Both serve to inject faults.
	Intercept func(context.Context, inference.Evaluation) error
}

// ensureDefaults fills in the defaults.
func (o *Options) ensureDefaults() {
	if o.FS == nil {
		o.FS = disk.OS
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
}

// job is a run under way.
type job struct {
	o        Options
	c        *config.Config
	yaml     []byte // of c
	folder   string
	fs       disk.FS
	log      *slog.Logger   // also to the journal, once the run directory is open
	journal  *journal       // nil before, and if it cannot be written
	listener event.Listener // logs, and passes everything on

	method  method
	system  lattice.System
	network *network // nil without neural moves
	process process
	counts  counts // of the process, or of a checkpoint

	shard       *sampler.Shard // that this is; nil for a whole run
	made        bool           // the folder, by this run
	started     bool           // all parts were there
	began       time.Time      // of this process' part of the run
	before      time.Duration  // time that the run took before it was resumed
	allocation  time.Time      // end of the Slurm allocation, zero if there is none
	reserve     time.Duration  // predicted for the results, 0 before it is needed
	deadline    time.Time      // of the results, zero for no limit
	at          place
	stops       func() bool // the run has to end
	checkpoints checkpointer
	swaps       swaps
	course      report.Course
}

// ErrEarly is the error of a run that was interrupted before there could be any results. The
// same command starts it from the beginning, or resumes it.
var ErrEarly = errors.New("before the walkers began to move")

// ErrDivided is the error of a run whose production goes on in shards, see Options.Divide.
var ErrDivided = errors.New("its production goes on in shards")

// Run performs a run, or the rest of one, and returns its summary. When ctx is
// cancelled, or the Slurm allocation is about to end, the run ends in order, with a
// checkpoint and the results it has.
func Run(ctx context.Context, o Options) (s *report.Summary, err error) {
	j, fault := newJob(o)
	var unlock func() // once the run directory is ours
	defer func() {
		if value := recover(); value != nil {
			err = j.internalError(value)
		}
		if paths, _ := j.checkpoints.folder.Paths(); err != nil && !errors.Is(err, ErrDivided) && unlock != nil && len(paths) > 0 {
			err = fmt.Errorf("%w\nthe run can be resumed at its last checkpoint: nwl run --resume %s", err, shell.Quote(j.folder))
		}
		if errors.Is(err, ErrDivided) {
			j.listener.RunEnded(event.RunEnded{Interrupted: err.Error(), Divided: j.c.Run.Shards, Seconds: j.elapsed().Seconds()})
			j.journal.end(nil)
		} else {
			j.listener.RunEnded(ended(s, err))
			j.journal.end(err)
		}
		if unlock != nil {
			if err != nil && !j.started {
				j.abandon()
			}
			unlock()
		}
	}()
	if fault != nil {
		return nil, fault
	}
	if unlock, err = j.openFolder(); err != nil {
		return nil, err
	}
	j.openJournal()
	var last *saved
	if o.Resume {
		if last, err = j.load(); err != nil {
			return nil, err
		}
		if err := j.tidy(last); err != nil {
			return nil, err
		}
	}
	workers := j.workers()
	began := event.RunBegan{
		Folder: j.folder, Version: o.Version, Method: j.c.Run.Method, System: j.system.String(), Lattice: j.system,
		Seed: j.c.Run.Seed, Walkers: j.c.Run.Walkers, Resumed: last != nil, Levels: levels(j.system),
	}
	if j.c.Run.Has(config.NeuralMoves) {
		if j.network, err = j.openNetwork(ctx, workers, last); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, j.network.close()) }()
		began.Architecture, began.Provider = j.network.bundle.Card.Architecture, j.network.provider()
	}
	if j.network != nil && j.network.server != nil {
		began.Server = j.network.serverSummary().String()
	}
	if err := j.openSwaps(last); err != nil {
		return nil, err
	}
	if j.network != nil {
		began.Network = j.network.called()
	}
	if j.process, err = j.method.by.open(j, workers); err != nil {
		return nil, err
	}
	j.counts = j.process
	if last != nil {
		if err := j.restore(last); err != nil {
			return nil, err
		}
		if j.complete() {
			j.log.Info("the run is complete; raise production.passes to extend it", "passes", j.at.Pass)
		}
	}
	if last == nil {
		if j.at.Stage, err = j.process.begin(); err != nil {
			return nil, err
		}
	}
	j.started = true
	j.listener.RunBegan(began)
	if j.c.Checkpoint.Interval > 0 {
		j.checkpoint()
	}
	err = j.sample(ctx)
	defer j.swaps.end()()
	if err != nil {
		return nil, err
	}
	return j.finish()
}

// levels is how many energy levels of a system can have states, 0 where nobody knows.
func levels(s lattice.System) (n int) {
	for b := 0; s.LevelsKnown() && b < s.Levels(); b++ {
		if s.Possible(b) {
			n++
		}
	}
	return n
}

// newJob makes what follows from the options alone. With an error, the job can still report
// its end.
func newJob(o Options) (j *job, err error) {
	o.ensureDefaults()
	j = &job{
		o: o, c: o.Config, folder: o.Folder, fs: o.FS, log: o.Log,
		method: methods[o.Config.Run.Method], began: time.Now(),
		course: report.Course{Version: o.Version, Folder: o.Folder},
	}
	j.checkpoints.folder = checkpoint.Folder{FS: j.fs, Path: filepath.Join(j.folder, CheckpointFolder)}
	j.listen()
	if j.system, err = j.c.System.New(); err != nil {
		return j, err
	}
	if j.yaml, err = j.c.YAML(); err != nil {
		return j, err
	}
	j.allocation, err = allocationEnd(j.log)
	return j, err
}

// workers is the number of threads that share the work.
func (j *job) workers() int {
	if n := j.c.Run.Workers; n > 0 {
		return n
	}
	return j.o.Workers
}

// listen makes the listener that logs and passes everything on.
func (j *job) listen() {
	j.listener = event.Tee(event.Log(j.log), j.o.Listener)
	j.listener.EnsureDefaults()
}

// ended is the end of a run as its summary or its error has it.
func ended(s *report.Summary, err error) event.RunEnded {
	if err != nil || s == nil {
		return event.RunEnded{Err: err}
	}
	e := event.RunEnded{Converged: s.Verdict.Converged, Interrupted: s.Interrupted, Seconds: s.Seconds}
	if s.Exact != nil {
		e.LnGError = &s.Exact.RMS
	}
	for _, c := range s.Verdict.Checks {
		if !c.Passed {
			e.Failed = append(e.Failed, c.Name)
		}
	}
	return e
}

// internalError turns a panic into an error and logs where it happened.
func (j *job) internalError(value any) error {
	stack := debug.Stack()
	if p := (*parallel.Panic)(nil); errors.As(asError(value), &p) {
		stack = p.Stack
	}
	j.log.Error("internal error", "panic", value, "stack", string(stack))
	return fmt.Errorf("internal error: %v; please report it with the log", value)
}

func asError(value any) error {
	if err, ok := value.(error); ok {
		return err
	}
	return fmt.Errorf("%v", value)
}
