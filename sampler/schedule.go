package sampler

// Defaults of the Wang-Landau schedule.
const (
	// DefaultFlatness is the share of the mean histogram that every level must
	// have before ln f is halved (Wang, Landau, PRL 86, 2050 (2001)).
	DefaultFlatness = 0.8
	// patience bounds how long a stage may last without becoming flat, in units
	// of levels/(ln f), the time at which the 1/t rule itself arrives at the
	// present ln f.
	patience = 100
)

// schedule is the course of the modification factor: ln f is halved when the
// histogram is flat, and follows ln f = levels/t once that is larger (t counts
// the trials of all walkers; Belardinelli, Pereyra, PRE 75, 046701 (2007)), so
// that the error goes on falling as t^-1/2. It never grows.
//
// Deviation: a stage also ends without flatness once it has lasted patience times
// levels/(ln f), every level seen so far was visited again in it and no new one was
// found. A level that is merely hard to reach would otherwise keep ln f where it is
// for good. As long as no histogram is flat, ln f then falls as 2 patience levels/t,
// a 1/t rule with a larger constant; it must not jump to the smaller one, because a
// large ln f leaves errors in ln g that a small one could not mend in time.
type schedule struct {
	lnF      float64
	first    float64 // ln f at the beginning
	flatness float64
	inverse  bool  // the 1/t rule has taken over
	trials   int64 // since the start
	stage    int64 // trials since the last reduction or the last new level
}

func newSchedule(lnF, flatness float64) schedule {
	return schedule{lnF: lnF, first: lnF, flatness: flatness}
}

// step accounts for trials more trials and lowers ln f where that is due. It
// reports whether a stage ended, which asks for a new histogram.
func (s *schedule) step(trials int64, h histogramState) (reduced bool) {
	s.trials += trials
	s.stage += trials
	if h.discovered {
		s.stage = 0
	}
	inverse := float64(h.levels) / float64(s.trials)
	if !s.inverse {
		tired := float64(s.stage)*s.lnF > patience*float64(h.levels) && h.lowest > 0
		if h.flatness() < s.flatness && !tired {
			return false
		}
		s.lnF /= 2
		s.stage = 0
		reduced = true
		s.inverse = s.lnF <= inverse
	}
	if s.inverse {
		s.lnF = min(s.lnF, inverse)
	}
	return reduced
}

// histogramState sums up the visits to the levels seen so far since the last
// reduction of ln f.
type histogramState struct {
	levels     int   // levels seen since the start
	lowest     int64 // least visits to one of them
	total      int64 // visits to all of them
	discovered bool  // one of them was new in the last step
}

// flatness is the least visited level's share of the mean.
func (h histogramState) flatness() float64 {
	if h.total == 0 {
		return 0
	}
	return float64(h.lowest) * float64(h.levels) / float64(h.total)
}
