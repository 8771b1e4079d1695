package sampler

import "time"

// Phase is a part of a run with its own rules; every number says from which
// phase it comes.
type Phase string

// The phases. Only in Production are the weights and the network constant, so
// that the walkers are Markov chains and error bars mean what they say.
const (
	Starting       Phase = "start" // the network's draws make first weights and configurations
	WangLandau     Phase = "wang-landau"
	Multicanonical Phase = "multicanonical"
	Canonical      Phase = "canonical" // weights that need no adaptation
	Tuning         Phase = "tuning"    // production's moves are tried out on copies of the walkers
	Production     Phase = "production"
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

// Count is a number of trials and how many of them were accepted. Of the heat
// bath, which rejects nothing, all count as accepted.
type Count struct{ Trials, Accepted int64 }

// Ratio is the acceptance ratio, 0 where nothing was tried.
func (c Count) Ratio() float64 {
	if c.Trials == 0 {
		return 0
	}
	return float64(c.Accepted) / float64(c.Trials)
}

// Progress sums up a run in its present phase. Trials, times and round trips
// count from the beginning of the phase.
type Progress struct {
	Phase      Phase
	Passes     int64
	LnF        float64 // modification factor, 0 but in Wang-Landau sampling
	Inverse    bool    // ln f follows the 1/t rule
	Flatness   float64 // least visited level's share of the mean since ln f last fell (in production: since its start; of iterations: in the last one)
	Levels     int     // levels seen since the start of the run
	Moves      Moves
	RoundTrips float64 // of all walkers, in halves
	Times      Times
}

// Times is wall-clock time by activity.
type Times struct{ Local, Propose, LogProb time.Duration }

// Events are callbacks of the engine, called between passes from the goroutine
// that runs it; any of them may be nil.
type Events struct {
	// Pass is called after every pass.
	Pass func(Progress)
	// StageEnded is called when a histogram was flat (or patience ran out) and ln f was
	// halved, and at the end of every multicanonical iteration.
	StageEnded func(Progress)
	// LevelsFound is called when levels were visited for the first time.
	LevelsFound func(levels []int)
}
