package tune

import (
	"math"
	"slices"

	"neuralwl/internal/config"
	"neuralwl/sampler/dos"
)

// rung is a mix of moves with what was measured of it.
type rung struct {
	mix        config.Mix
	passes     int64
	roundTrips float64
	variance   float64 // of the result of all these passes; known if freedom > 0
	freedom    float64 // how many independent deviations the variance comes from
	fault      error   // why the last measurement gave no variance
}

// add adds a measurement, of an unknown variance NaN. Results are averaged by their passes.
func (r *rung) add(passes int64, roundTrips, variance float64, blocks int) {
	r.roundTrips += roundTrips
	r.passes += passes
	if !(variance > 0) || math.IsInf(variance, 0) || blocks < 2 {
		return
	}
	if r.freedom > 0 {
		own := float64(passes) / float64(r.passes)
		variance = own*own*variance + (1-own)*(1-own)*r.variance
	}
	r.variance = variance
	r.freedom += float64(blocks - 1)
}

// known reports whether there is a variance.
func (r rung) known() bool { return r.freedom > 0 }

// cost is the time that moves take per pass of all walkers, in seconds: a sweep's and a
// neural trial's.
type cost struct{ sweep, trial float64 }

func (c cost) of(m config.Mix) float64 {
	return c.sweep*float64(m.Sweeps) + c.trial*float64(m.Trials)
}

// seconds that the passes measured would take at these costs.
func (r rung) seconds(c cost) float64 { return float64(r.passes) * c.of(r.mix) }

// cost is the variance times the seconds.
func (r rung) cost(c cost) dos.Estimate {
	x := r.variance * r.seconds(c)
	return dos.NewEstimate(x, x*r.uncertainty())
}

// uncertainty is the standard error of the logarithm of the variance.
func (r rung) uncertainty() float64 { return math.Sqrt(2 / r.freedom) }

// gain is the logarithm of how many times as much another rung costs, with its error; none where one of both
// is unknown.
func (r rung) gain(over rung, c cost) (gain, deviation float64) {
	if !r.known() || !over.known() {
		return 0, math.Inf(1)
	}
	return math.Log(over.variance * over.seconds(c) / (r.variance * r.seconds(c))), math.Hypot(r.uncertainty(), over.uncertainty())
}

// better reports whether the cost of a rung is below that of another by more than the
// standard error of the difference.
func (r rung) better(than rung, c cost) bool {
	gain, deviation := r.gain(than, c)
	return gain > deviation
}

// The ladder reaches from one sweep per neural trial up to mostLocal times as many as make
// equal shares of time, and ends with local moves alone, at most 1 + 1/mostLocal times as
// many of which fit into a second.
const mostLocal = 4

// newLadder lists mixes by their share of local moves, each with twice the sweeps of the one
// before and the last without neural trials, and finds the one whose local and neural moves
// take equal times.
//
// If the information of a pass of s sweeps, one over the variance, is an increasing concave function T(s), as it
// is where every further sweep helps less than the one before, its rate T(s)/(s a + b)
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

// maxMeasurements is how often a mix is measured in all, and worth the gain, as a logarithm, that
// one more measurement is made for.
const (
	maxMeasurements = 8
	worth           = 0.1
)

// climb looks for the best of the rungs, starting from the one of equal shares, when so many
// measurements are left. It returns the best so far and the one to be measured next, -1 if
// the search is over: where nothing is known of equal shares they are kept, as no other mix costs less than half.
// Local moves alone are measured in any case, at the end at the latest.
func climb(rungs []rung, equal int, c cost, left int) (at, next int) {
	last := len(rungs) - 1
	at, next = ascend(rungs, equal, c)
	switch {
	case rungs[equal].passes > 0 && !rungs[equal].known():
		return equal, -1
	case next >= 0 && left > 1:
		return at, next
	case rungs[last].passes == 0 && left > 0:
		return at, last
	case rungs[last].better(rungs[at], c):
		at = last
	}
	return at, -1
}

// ascend goes to better rungs, by a factor of 4 in the number of sweeps at first and then by
// 2, until neither neighbour is better beyond its error. One that may
// yet be much better is measured again. It returns the rung that it came to and the one to
// be measured next, -1 for none.
func ascend(rungs []rung, at int, c cost) (best, next int) {
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
			if rungs[k].better(rungs[at], c) {
				better = k
				break
			}
		}
		if better >= 0 {
			at = better
			continue
		}
		for _, k := range neighbours {
			gain, deviation := rungs[k].gain(rungs[at], c)
			if k != at && rungs[k].known() && gain+deviation > worth {
				if rungs[at].freedom < rungs[k].freedom {
					k = at
				}
				return at, k
			}
		}
		stride--
	}
	return at, -1
}
