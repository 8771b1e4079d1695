package run

import (
	"math"
	"time"

	"neuralwl/internal/config"
	"neuralwl/sampler"
)

// stage is a part of a run.
type stage string

// The stages, in their order. The last one ends with the run.
const (
	starting  stage = "start" // the network's draws make first weights and configurations
	adapting  stage = "adaptation"
	tuning    stage = "tuning"  // looks for production's mix of moves
	dividing  stage = "shards"  // production is to be made in shards, each of which has come as far as its own checkpoint says
	burningIn stage = "burn-in" // production's beginning, thrown away
	producing stage = "production"
)

// place is how far a run has come, beside the states of its parts. Fields are exported for
// encoding.
type place struct {
	Stage    stage
	Pass     int64            // passes made in the stage
	Made     int64            // passes made by the run, but for those of its start and of tuning, which begin anew when it is resumed
	Adaptive int64            // passes made in the phase of adaptation, once that is over
	Began    time.Duration    // time of the run at which the phase began
	Train    time.Duration    // of the phase spent on training
	Cut      bool             // run.max_time or run.max_moves ended the phase of adaptation
	Adapted  sampler.Progress // of the phase of adaptation, if it was cut
	Mix      config.Mix       // of production; zero before, and where it stays the same
	Updates  int64            // site updates of the adaptation and the burn-in, as far as they are over
	Before   int64            // those of the adaptation
	Lessons  int64            // gradient steps that are due before the next pass
	Planned  int64            // passes of production that take as long as the adaptation, where the mix was looked for
}

// enter begins a stage.
func (p *place) enter(s stage) {
	p.Stage, p.Pass = s, 0
}

// inPhase reports whether a phase is under way whose record is not complete.
func (p *place) inPhase() bool { return p.Stage == adapting || p.Stage == producing }

// endless is a number of passes that is never reached.
const endless = math.MaxInt64

// planned is the number of passes of production.
func (j *job) planned() int64 {
	switch {
	case j.c.Production.Passes > 0:
		return int64(j.c.Production.Passes)
	case j.c.Run.MaxMoves > 0 || (j.at.Cut || j.at.Adaptive == 0) && j.c.Run.MaxTime > 0:
		// What the weights lack is made up for by longer counting, and weights that needed
		// no adaptation say nothing about the length of production.
		return endless
	case j.at.Planned > 0:
		return j.at.Planned
	}
	return j.at.Adaptive
}

// elapsed is the time that the run has taken, over all resumptions.
func (j *job) elapsed() time.Duration { return j.before + time.Since(j.began) }

// burnInPasses is the number of passes of the burn-in of a production of so many.
func burnInPasses(planned int64) int64 { return int64(math.Floor(burnIn * float64(planned))) }
