package sampler

import "time"

// Phase is a part of a run with rules of its own; every number names its phase.
type Phase string

// The phases. Only in Production are the weights and the network constant, so that the
// walkers are Markov chains and error bars hold.
const (
	Starting       Phase = "start" // draws of the network yield first weights and configurations
	WangLandau     Phase = "wang-landau"
	Multicanonical Phase = "multicanonical"
	Metadynamics   Phase = "metadynamics"
	// MultipleGaussian is that of Gaussian ensembles one after another, and of the iterations under their
	// combined weights.
	MultipleGaussian Phase = "multiple-gaussian"
	Canonical        Phase = "canonical" // the weights need no adaptation
	Annealing        Phase = "annealing" // a network learns one temperature after another
	Tuning           Phase = "tuning"    // copies of the walkers try out the moves of production
	BurnIn           Phase = "burn-in"   // production's beginning, thrown away; the engine does not know it
	Production       Phase = "production"
)

// MoveKind is a kind of move in counts and times.
type MoveKind int

// The kinds of move, in the order of a pass.
const (
	Local MoveKind = iota
	Neural
	Exchange // of configurations between windows
	moveKinds
)

func (k MoveKind) String() string { return [moveKinds]string{"local", "neural", "exchange"}[k] }

// Moves are counts by kind of move.
type Moves [moveKinds]Count

// Count is a number of trials and how many of them were accepted. The heat bath rejects
// nothing, so all its trials count as accepted.
type Count struct{ Trials, Accepted int64 }

// Ratio is the acceptance ratio, 0 without trials.
func (c Count) Ratio() float64 {
	if c.Trials == 0 {
		return 0
	}
	return float64(c.Accepted) / float64(c.Trials)
}

// Progress summarises a run in its present phase. Trials, times and round trips count from
// the beginning of the phase.
type Progress struct {
	Phase   Phase
	Passes  int64
	LnF     float64 // modification factor in Wang-Landau sampling, height of the highest hill in metadynamics, else 0
	Inverse bool    // ln f follows the 1/t rule
	// Flatness is the visits to the least visited level over their mean: since ln f last
	// fell or hills were last half as high, in the last iteration, or since production began.
	Flatness   float64
	Levels     int // levels seen since the start of the run
	Moves      Moves
	RoundTrips float64 // of all walkers, in halves
	Times      Times
}

// Times is wall-clock time by activity.
type Times struct{ Local, Propose, LogProb time.Duration }

func (t *Times) add(other Times) {
	t.Local += other.Local
	t.Propose += other.Propose
	t.LogProb += other.LogProb
}

// Events are callbacks of the engine, called between passes from the goroutine
// that runs it; any of them may be nil.
type Events struct {
	// Pass is called after every pass.
	Pass func(Progress)
	// IterationEnded is called when ln f is halved, because the histogram is flat or patience
	// ran out, when hills are half as high, and at the end of every multicanonical iteration and every
	// Gaussian ensemble.
	IterationEnded func(Progress)
	// LevelsFound is called after the first visits to levels.
	LevelsFound func(levels []int)
}
