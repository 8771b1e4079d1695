// Package event is what a run reports while it goes on. Logs, metrics, progress bars and
// journals listen; the sampler, the trainer and the run itself know none of them.
package event

import (
	"time"

	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// Listener is told what happens in a run. Any field may be nil. The calls come one at a
// time from the goroutine that runs, which waits for them.
type Listener struct {
	// RunBegan is called before the first pass, also of a run that is resumed.
	RunBegan func(RunBegan)
	// PhaseBegan is called before the first pass of a phase, and again when a resumed run
	// continues in it.
	PhaseBegan func(PhaseBegan)
	// PhaseEnded is called when a phase has come to its end, or the run ends in it with
	// results.
	PhaseEnded func(PhaseEnded)
	// Pass is called after every pass, or batch of draws.
	Pass func(Pass)
	// LevelsFound is called when levels were visited for the first time.
	LevelsFound func(LevelsFound)
	// IterationEnded is called when ln f was lowered, or at the end of a multicanonical
	// iteration.
	IterationEnded func(sampler.Progress)
	// GradientStep is called after a gradient step, also after a dropped one.
	GradientStep func(trainer.StepInfo)
	// WeightsPublished is called when proposals begin to use other weights of the network.
	WeightsPublished func(WeightsPublished)
	// BundleExported is called when a version of the network was written, or could not be.
	BundleExported func(BundleExported)
	// NetworkSwapped is called when another network came into use in mid-run, or could not.
	NetworkSwapped func(NetworkSwapped)
	// CheckpointWritten is called when a checkpoint was written, or could not be.
	CheckpointWritten func(CheckpointWritten)
	// RunEnded is called once, last, however the run ended.
	RunEnded func(RunEnded)
}

// RunBegan describes a run.
type RunBegan struct {
	Folder  string // the run directory
	Version string // of the program
	Method  string
	System  string
	Lattice lattice.System
	Seed    uint64
	Walkers int
	// Architecture of the network, Provider that evaluates it and Network, its name/version, all
	// empty without one.
	Architecture, Provider, Network string
	// Server is the model server that evaluates the network, in words; empty without one.
	Server string
	// Levels is how many energy levels can have states, 0 where nobody knows.
	Levels  int
	Resumed bool
}

// PhaseBegan names a phase, and how many other processes can help with it.
type PhaseBegan struct {
	Phase   sampler.Phase
	Helpers int
}

// PhaseEnded is the state at the end of a phase, which took so long.
type PhaseEnded struct {
	Progress sampler.Progress
	Took     time.Duration
	Sight    Sight
}

// Sight is where a run stands and what there is to look at.
type Sight struct {
	Passes  int64         // made by the run over all phases; those of its start and of tuning do not count
	Updates int64         // of single sites, over the same passes: a local trial is one, a network's proposal one for each site
	Elapsed time.Duration // over all resumptions
	// View may be called until the listener returns. It is nil where there is nothing to look at.
	View func() *sampler.View
	// Estimate is ln g as the run would have it if it ended now, normalised as its results are. It
	// may be called until the listener returns, and takes about as long as the end of a run; it
	// changes nothing. Nil where there is none.
	Estimate func() (*dos.Density, error)
}

// Pass is the state after a pass and a guess of how much of the phase is done, 0..1.
type Pass struct {
	Progress sampler.Progress
	Done     float64
	// Acceptance is the share of the present network's proposals that were accepted, since it came
	// in or its phase began; 0 without.
	Acceptance float64
	Sight      Sight
}

// LevelsFound lists levels.
type LevelsFound struct{ Levels []int }

// WeightsPublished counts the gradient steps made so far.
type WeightsPublished struct{ Steps int64 }

// BundleExported names the folder of a version of the network. With an error nothing was
// written.
type BundleExported struct {
	Folder string
	Steps  int64 // gradient steps that made its weights
	Err    error
}

// NetworkSwapped describes the exchange of a run's network for another one. With an error the
// former one stays, and the fields after Stage mean nothing.
type NetworkSwapped struct {
	Name  string // as the user calls it
	Pass  int64  // passes that the run had made, over all stages
	Stage string // of the run

	Digest   string // of the new network, see exporter.Card.Digest
	Training string // what becomes of training, in words; empty where there was none
	// Restarted says that production begins anew, and Dropped how many of its passes were
	// thrown away.
	Restarted bool
	Dropped   int64
	// Replayed says that the exchange was on record before, as in a run that is resumed.
	Replayed bool
	Took     time.Duration // from the request until the new network was ready, beside sampling
	Pause    time.Duration // how long sampling stood still
	Err      error
}

// CheckpointWritten is the size of a checkpoint and how long writing it took. With an error
// the checkpoint before is kept.
type CheckpointWritten struct {
	Bytes int
	Took  time.Duration
	Err   error
}

// RunEnded is the end of a run, or of one of its parts.
type RunEnded struct {
	Converged bool
	Failed    []string // names of the checks that do not hold
	// Interrupted says why the run ended before it was complete, empty if it did not; it
	// can be resumed.
	Interrupted string
	Seconds     float64 // that the run took, over all resumptions
	// Divided is the number of shards in which production goes on elsewhere, 0 for none; then the run
	// counts as interrupted, and there are no results yet.
	Divided int
	// LnGError is the root mean square error of ln g where the exact one is known, else nil.
	LnGError *float64
	Err      error // no results; the other fields mean nothing
}

// Complete reports whether the run came to its planned end.
func (e RunEnded) Complete() bool { return e.Err == nil && e.Interrupted == "" }

// Tee returns a listener that passes every call on to all of the listeners, in order.
func Tee(listeners ...Listener) Listener {
	var t Listener
	for _, l := range listeners {
		t = Listener{
			RunBegan:          both(t.RunBegan, l.RunBegan),
			PhaseBegan:        both(t.PhaseBegan, l.PhaseBegan),
			PhaseEnded:        both(t.PhaseEnded, l.PhaseEnded),
			Pass:              both(t.Pass, l.Pass),
			LevelsFound:       both(t.LevelsFound, l.LevelsFound),
			IterationEnded:    both(t.IterationEnded, l.IterationEnded),
			GradientStep:      both(t.GradientStep, l.GradientStep),
			WeightsPublished:  both(t.WeightsPublished, l.WeightsPublished),
			BundleExported:    both(t.BundleExported, l.BundleExported),
			NetworkSwapped:    both(t.NetworkSwapped, l.NetworkSwapped),
			CheckpointWritten: both(t.CheckpointWritten, l.CheckpointWritten),
			RunEnded:          both(t.RunEnded, l.RunEnded),
		}
	}
	return t
}

func both[T any](first, second func(T)) func(T) {
	switch {
	case first == nil:
		return second
	case second == nil:
		return first
	}
	return func(x T) {
		first(x)
		second(x)
	}
}

// EnsureDefaults replaces every nil field by a function that does nothing, so that all of
// them can be called.
func (l *Listener) EnsureDefaults() {
	*l = Tee(*l, Listener{
		RunBegan:          ignore[RunBegan],
		PhaseBegan:        ignore[PhaseBegan],
		PhaseEnded:        ignore[PhaseEnded],
		Pass:              ignore[Pass],
		LevelsFound:       ignore[LevelsFound],
		IterationEnded:    ignore[sampler.Progress],
		GradientStep:      ignore[trainer.StepInfo],
		WeightsPublished:  ignore[WeightsPublished],
		BundleExported:    ignore[BundleExported],
		NetworkSwapped:    ignore[NetworkSwapped],
		CheckpointWritten: ignore[CheckpointWritten],
		RunEnded:          ignore[RunEnded],
	})
}

func ignore[T any](T) {}
