package sampler

// Defaults of the Wang-Landau schedule.
const (
	// DefaultFlatness is the share of the mean histogram that every level must
	// have before ln f is halved (Wang, Landau, PRL 86, 2050 (2001)).
	DefaultFlatness = 0.8
	// patience bounds how long an iteration may last without a flat histogram, in units of
	// levels/(ln f), the time at which the 1/t rule reaches the present ln f.
	patience = 100
)

// schedule is the course of the modification factor. ln f is halved at the end of each
// iteration, when the histogram is flat. Once ln f = levels/t is larger, ln f follows that
// (t counts the trials of all walkers; Belardinelli, Pereyra, PRE 75, 046701 (2007)), so
// that the error keeps falling as t^-1/2. ln f never grows.
//
// Deviation: an iteration also ends without flatness if it has lasted patience times
// levels/(ln f), has visited every level seen so far, and has found no new level. Otherwise
// a level that is merely hard to reach would keep ln f constant for good. Without any flat
// histogram, ln f then falls as 2 patience levels/t, a 1/t rule with a larger constant. It
// must not jump to the smaller one: a large ln f leaves errors in ln g that a small ln f
// could not repair in time.
type schedule struct {
	lnF       float64
	first     float64 // ln f at the beginning
	flatness  float64
	inverse   bool  // the 1/t rule has taken over
	trials    int64 // since the start
	iteration int64 // trials since the last reduction or the last new level
}

func newSchedule(lnF, flatness float64) schedule {
	return schedule{lnF: lnF, first: lnF, flatness: flatness}
}

// step accounts for more trials and lowers ln f if that is due. It reports whether an
// iteration ended: the next one needs a new histogram.
func (s *schedule) step(trials int64, h histogramState) (reduced bool) {
	s.trials += trials
	s.iteration += trials
	if h.discovered {
		s.iteration = 0
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
		s.inverse = s.lnF <= inverse
	}
	if s.inverse {
		s.lnF = min(s.lnF, inverse)
	}
	return reduced
}

// histogramState summarises the visits, since the last reduction of ln f, to the levels
// seen so far.
type histogramState struct {
	levels     int   // levels seen since the start
	lowest     int64 // visits to the least visited of them
	total      int64 // visits to all of them
	discovered bool  // the last step found one of them
}

// flatness is the visits to the least visited level over their mean.
func (h histogramState) flatness() float64 {
	if h.total == 0 {
		return 0
	}
	return float64(h.lowest) * float64(h.levels) / float64(h.total)
}
