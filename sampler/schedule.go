package sampler

import (
	"fmt"
	"math"
	"slices"
)

// Defaults of the Wang-Landau schedule.
const (
	// DefaultFlatness is the share of the mean histogram that every level must
	// have before ln f is halved (Wang, Landau, PRL 86, 2050 (2001)).
	DefaultFlatness = 0.8
	// patience bounds how long an iteration may last without a flat histogram, in units of
	// levels/(ln f), the time at which the 1/t rule reaches the present ln f.
	patience = 100
	// DefaultExploration is the default of Options.Exploration.
	DefaultExploration = 4
)

// Schedule is a course of the modification factor.
type Schedule string

// The schedules. All but the first give ln g with errors that do not vanish however long they go on:
// their ln f is not small enough soon enough, or stays. Production under the frozen weights has none.
const (
	// InverseTime halves ln f at flat histograms and goes over to levels/t.
	InverseTime Schedule = "1/t"
	// Halving halves ln f at flat histograms (Wang, Landau, PRL 86, 2050 (2001)).
	Halving Schedule = "halving"
	// ConstantLnF leaves ln f as it is until the whole range of levels has been explored, as in the
	// algorithm of M. Riedel, J. Zierenberg and M. Weigel (2024); see Options.Exploration.
	ConstantLnF Schedule = "constant"
)

// Schedules lists them.
func Schedules() []Schedule { return []Schedule{InverseTime, Halving, ConstantLnF} }

// checkSchedule returns the fault of a schedule.
func checkSchedule(s Schedule) error {
	if !slices.Contains(Schedules(), s) {
		return fmt.Errorf("schedule %q, there are %v", s, Schedules())
	}
	return nil
}

// schedule follows the course of the modification factor. By InverseTime ln f is halved at the end of each
// iteration, when the histogram is flat. Once ln f = levels/t is larger, ln f follows that
// (t counts the trials of all walkers; Belardinelli, Pereyra, PRE 75, 046701 (2007)), so
// that the error keeps falling as t^-1/2. ln f never grows.
//
// Deviation, also by Halving: an iteration also ends without flatness if it has lasted patience times
// levels/(ln f), has visited every level seen so far, and has found no new level. Otherwise
// a level that is merely hard to reach would keep ln f constant for good. Without any flat
// histogram, ln f then falls as 2 patience levels/t, a 1/t rule with a larger constant. It
// must not jump to the smaller one: a large ln f leaves errors in ln g that a small ln f
// could not repair in time.
type schedule struct {
	kind      Schedule
	lnF       float64
	first     float64 // ln f at the beginning
	flatness  float64
	explore   float64 // Options.Exploration
	inverse   bool    // the 1/t rule has taken over
	trials    int64   // since the start
	iteration int64   // trials since the last reduction or the last new level
}

func newSchedule(kind Schedule, lnF, flatness, exploration float64) schedule {
	return schedule{kind: kind, lnF: lnF, first: lnF, flatness: flatness, explore: exploration}
}

// lower lets the schedule begin with a smaller ln f.
func (s *schedule) lower(lnF float64) {
	*s = newSchedule(s.kind, min(s.lnF, lnF), s.flatness, s.explore)
}

// step accounts for more trials and lowers ln f if that is due. It reports whether an
// iteration ended: the next one needs a new histogram.
func (s *schedule) step(trials int64, h histogramState) (reduced bool) {
	s.trials += trials
	s.iteration += trials
	if h.discovered {
		s.iteration = 0
	}
	if s.kind == ConstantLnF {
		return false
	}
	inverse := float64(h.levels) / float64(s.trials)
	if !s.inverse {
		tired := float64(s.iteration)*s.lnF > patience*float64(h.levels) && h.lowest > 0
		if h.flatness() < s.flatness && !tired {
			return false
		}
		s.lnF /= 2
		s.iteration = 0
		reduced = true
		s.inverse = s.kind == InverseTime && s.lnF <= inverse
	}
	if s.inverse {
		s.lnF = min(s.lnF, inverse)
	}
	return reduced
}

// adapted reports whether the schedule has come to its end: ln f has reached the final one and at
// least one iteration has ended (even if ln f is small from the start), or the whole range of levels
// has been explored.
func (s *schedule) adapted(finalLnF float64, h histogramState) bool {
	if s.kind == ConstantLnF {
		return s.explored(h) >= 1
	}
	return s.lnF <= finalLnF && s.lnF < s.first
}

// progress estimates how far the schedule has come, 0..1.
func (s *schedule) progress(finalLnF float64, h histogramState) float64 {
	switch {
	case s.kind == ConstantLnF:
		return s.explored(h)
	case finalLnF >= s.first:
		return 0
	}
	return min(1, math.Log(s.first/s.lnF)/math.Log(s.first/finalLnF))
}

// explored is how far the exploration of the levels has come, 1 at its end: all levels that have states,
// as far as these are known, have been visited, and s.explore times as many trials were made as when the
// last new one was found.
func (s *schedule) explored(h histogramState) float64 {
	if s.trials == 0 {
		return 0
	}
	visited := 1.0
	if h.possible > 0 {
		visited -= float64(h.missing) / float64(h.possible)
	}
	return visited * min(1, float64(s.trials)/(s.explore*float64(s.trials-s.iteration)))
}

// histogramState summarises the visits, since the last reduction of ln f, to the levels
// seen so far.
type histogramState struct {
	levels     int   // levels seen since the start
	lowest     int64 // visits to the least visited of them
	total      int64 // visits to all of them
	discovered bool  // the last step found one of them
	possible   int   // levels that have states, 0 if they are not known
	missing    int   // those of them without a visit
}

// flatness is the visits to the least visited level over their mean.
func (h histogramState) flatness() float64 {
	if h.total == 0 {
		return 0
	}
	return float64(h.lowest) * float64(h.levels) / float64(h.total)
}
