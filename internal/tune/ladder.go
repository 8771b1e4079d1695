package tune

import (
	"math"
	"slices"

	"neuralwl/internal/config"
)

// rung is a mix of moves with what was measured of it.
type rung struct {
	mix    config.Mix
	passes int64
	turns  Turns
}

// cost is the time that moves take per pass of all walkers, in seconds: a sweep's and a
// neural trial's.
type cost struct{ sweep, trial float64 }

func (c cost) of(m config.Mix) float64 {
	return c.sweep*float64(m.Sweeps) + c.trial*float64(m.Trials)
}

// seconds that the passes measured would take at these costs.
func (r rung) seconds(c cost) float64 { return float64(r.passes) * c.of(r.mix) }

// rate is the number of round trips per second and its standard error.
func (r rung) rate(c cost) (rate, deviation float64) { return r.turns.Rate(r.seconds(c)) }

// better reports whether the rate of a rung is above that of another by more than the
// standard error of the difference.
func (r rung) better(than rung, c cost) bool {
	a, da := r.rate(c)
	b, db := than.rate(c)
	return a-b > math.Hypot(da, db)
}

// The ladder reaches from one sweep per neural trial up to mostLocal times as many as make
// equal shares of time, and ends with local moves alone, at most 1 + 1/mostLocal times as
// many of which fit into a second.
const mostLocal = 4

// newLadder lists mixes by their share of local moves, each with twice the sweeps of the one
// before and the last without neural trials, and finds the one whose local and neural moves
// take equal times.
//
// If the round trips of a pass of s sweeps are an increasing concave function T(s), as they
// are where every further sweep helps less than the one before, their rate T(s)/(s a + b)
// has one maximum, towards which neighbours lead from anywhere, and at equal shares s = b/a
// it is at least half of that: to the left of it T is smaller and a pass takes at least b,
// to the right T(s)/s is smaller and a pass takes at least s a.
func newLadder(c cost, configured config.Mix) (rungs []rung, equal int) {
	sweeps := maxEqual
	if s := c.trial * float64(configured.Trials) / c.sweep; s < maxEqual { // no number if no time was measured
		sweeps = max(1, int(math.Round(s)))
	}
	for s := sweeps / 2; s > 0; s /= 2 {
		rungs = append(rungs, rung{mix: config.Mix{Sweeps: s, Trials: configured.Trials}})
	}
	slices.Reverse(rungs)
	equal = len(rungs)
	for f := 1; f <= mostLocal; f *= 2 {
		rungs = append(rungs, rung{mix: config.Mix{Sweeps: f * sweeps, Trials: configured.Trials}})
	}
	return append(rungs, rung{mix: config.Mix{Sweeps: configured.Sweeps}}), equal
}

// maxEqual bounds the sweeps of equal shares.
const maxEqual = 1 << 16

// minTurns is how many turns distinguish a mix from one that is half as good: they are known
// to 1/sqrt(16) = 25 %.
const minTurns = 16

// undecided reports whether too few turns were measured to choose by: the mix of equal
// shares is then kept, as none makes more than twice as many.
func undecided(equal rung) bool { return equal.passes > 0 && equal.turns.Total < minTurns }

// maxMeasurements is how often a mix is measured in all, and worth the gain in the rate that
// one more measurement is made for.
const (
	maxMeasurements = 8
	worth           = 0.1
)

// climb looks for the best of the rungs, starting from the one of equal shares, when so many
// measurements are left. It returns the best so far and the one to be measured next, -1 if
// the search is over.
//
// Local moves alone are measured in any case, at the end at the latest, and only taken if
// they made at least as many turns as there are walkers. Up to then they live on the network:
// walkers that it has carried from one end to near the other still arrive.
func climb(rungs []rung, equal int, c cost, walkers, left int) (at, next int) {
	last := len(rungs) - 1
	at, next = ascend(rungs, equal, c, func(k int) bool { return k < last || rungs[k].turns.Total >= float64(walkers) })
	switch alone := rungs[last]; {
	case undecided(rungs[equal]):
	case next >= 0 && left > 1:
		return at, next
	case alone.passes == 0 && left > 0:
		return at, last
	case alone.turns.Total >= float64(walkers) && alone.better(rungs[at], c):
		at = last
	}
	return at, -1
}

// ascend goes to better rungs, by a factor of 4 in the number of sweeps at first and then by
// 2, until neither neighbour that can be trusted is better beyond its error. One that may
// yet be much better is measured again. It returns the rung that it came to and the one to
// be measured next, -1 for none.
func ascend(rungs []rung, at int, c cost, trusted func(k int) bool) (best, next int) {
	if rungs[at].passes == 0 {
		return at, at
	}
	for stride := 2; stride > 0; {
		better := -1
		neighbours := []int{min(at+stride, len(rungs)-1), max(at-stride, 0)}
		for _, k := range neighbours {
			if rungs[k].passes == 0 {
				return at, k
			}
			if trusted(k) && rungs[k].better(rungs[at], c) {
				better = k
				break
			}
		}
		if better >= 0 {
			at = better
			continue
		}
		for _, k := range neighbours {
			rate, deviation := rungs[at].rate(c)
			other, otherDeviation := rungs[k].rate(c)
			if k != at && trusted(k) && other-rate+math.Hypot(deviation, otherDeviation) > worth*rate {
				if rungs[at].turns.Total < rungs[k].turns.Total {
					k = at
				}
				return at, k
			}
		}
		stride--
	}
	return at, -1
}
