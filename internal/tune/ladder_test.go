package tune

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/config"
)

// trips is the number of turns that a mix makes in a pass.
type trips func(config.Mix) float64

// found climbs a ladder on which every mix is measured for as long as equal shares take to
// make some turns on average, with the scatter of independent events. It returns the mix that
// it came to and the number of measurements.
func found(r *rand.Rand, c cost, most float64, turns trips) (at config.Mix, equal config.Mix, measured int) {
	rungs, start := newLadder(c, config.Mix{Sweeps: 4, Trials: 1})
	seconds := 30.0
	if rate := turns(rungs[start].mix) / c.of(rungs[start].mix); most > 0 {
		seconds = most / rate
	}
	for {
		at, next := climb(rungs, start, c, 64, maxMeasurements-measured)
		if next < 0 {
			return rungs[at].mix, rungs[start].mix, measured
		}
		measured++
		m := &rungs[next]
		passes := math.Ceil(seconds / c.of(m.mix))
		mean := passes * turns(m.mix)
		m.passes += int64(passes)
		n := max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64()))
		m.turns.Add(Turns{n, n})
	}
}

// TestClimb finds the maximum of rates of several kinds, with the scatter of a thousand and
// of a hundred turns, but for a factor of 2 in the number of sweeps or a rate that is within
// three errors of a measurement of the best.
func TestClimb(t *testing.T) {
	const sweep, trial = 1e-3, 0.1 // equal shares at 100 sweeps
	c := cost{sweep, trial}
	saturating := func(scale float64) trips {
		return func(m config.Mix) float64 {
			if m.Trials == 0 {
				return 0.001 * float64(m.Sweeps)
			}
			return 30 * (1 - math.Exp(-float64(m.Sweeps)/scale))
		}
	}
	local := func(m config.Mix) float64 { return float64(m.Sweeps) }
	for name, turns := range map[string]trips{
		"few sweeps":         saturating(2),
		"half of them":       saturating(30),
		"equal shares":       saturating(90),
		"many sweeps":        saturating(400),
		"local alone":        local,
		"the network alone":  func(m config.Mix) float64 { return 100 * float64(m.Trials) },
		"neither nor (ties)": func(m config.Mix) float64 { return 100 * c.of(m) },
	} {
		rungs, _ := newLadder(c, config.Mix{Sweeps: 4, Trials: 1})
		best, most := config.Mix{}, 0.0
		rate := func(m config.Mix) float64 { return turns(m) / c.of(m) }
		for _, r := range rungs {
			if x := rate(r.mix); x > most {
				best, most = r.mix, x
			}
		}
		r := rand.New(rand.NewPCG(1, 2))
		for _, counted := range []float64{1000, 100} {
			const trials = 500
			good, worst, measurements := 0, math.Inf(1), 0
			for range trials {
				at, _, measured := found(r, c, counted, turns)
				near := at.Trials == best.Trials && at.Sweeps <= 2*best.Sweeps && best.Sweeps <= 2*at.Sweeps
				if near || rate(at) > (1-3/math.Sqrt(counted))*most {
					good++
				}
				worst = min(worst, rate(at)/most)
				measurements += measured
			}
			t.Logf("%s, %.0f turns: best is %v, found in %d of %d trials, never below %.2f of its rate, after %.1f measurements",
				name, counted, best, good, trials, worst, float64(measurements)/trials)
			if good < trials*95/100 || worst < 0.75 {
				t.Errorf("%s, %.0f turns: the best mix is %v; found in %d of %d trials, the worst choice makes %.2f of its rate", name, counted, best, good, trials, worst)
			}
		}
	}
}

// TestUndecided keeps equal shares where there are too few turns to choose by, or none, and
// measures nothing else.
func TestUndecided(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	c := cost{1e-3, 0.05}
	for name, turns := range map[string]trips{
		"none": func(config.Mix) float64 { return 0 },
		"few":  func(m config.Mix) float64 { return 0.1 * c.of(m) },
	} {
		if at, equal, measured := found(r, c, 0, turns); at != equal || equal != (config.Mix{Sweeps: 50, Trials: 1}) || measured != 1 {
			t.Errorf("%s: chose %v after %d measurements, equal shares are %v", name, at, measured, equal)
		}
	}
}

// TestLadder looks at ladders of extreme costs: every rung is a mix that a configuration may
// have, each with more sweeps than the one before.
func TestLadder(t *testing.T) {
	for _, c := range []cost{{1e-3, 1e-6}, {1e-9, 1e3}, {0, 1}, {1, 0}, {0, 0}, {1e-3, 1e-3}} {
		rungs, equal := newLadder(c, config.Mix{Sweeps: 4, Trials: 2})
		for i, r := range rungs {
			if m, err := config.ParseMix(r.mix.String()); err != nil || m != r.mix || m.Sweeps < 1 || m.Sweeps > 1<<20 {
				t.Errorf("cost %v: rung %d is %v: %v", c, i, r.mix, err)
			}
			if i > 0 && i < len(rungs)-1 && r.mix.Sweeps < 2*rungs[i-1].mix.Sweeps {
				t.Errorf("cost %v: rung %d is %v after %v", c, i, r.mix, rungs[i-1].mix)
			}
		}
		if last := rungs[len(rungs)-1].mix; last != (config.Mix{Sweeps: 4}) {
			t.Errorf("cost %v: the last rung is %v", c, last)
		}
		if x := rungs[equal].mix; math.Abs(c.sweep*float64(x.Sweeps)-2*c.trial) > c.sweep/2 && x.Sweeps != 1 && x.Sweeps != maxEqual {
			t.Errorf("cost %v: equal shares at %v", c, x)
		}
	}
}

// TestLocalAlone finds local moves alone measured at the end at the latest, wherever the
// climb went, and taken only after as many turns as there are walkers.
func TestLocalAlone(t *testing.T) {
	const walkers = 64
	c := cost{1e-3, 0.1}
	rungs, equal := newLadder(c, config.Mix{Sweeps: 4, Trials: 1})
	last := len(rungs) - 1
	for k := range rungs[:last] {
		n := 10000 * math.Exp(-math.Abs(float64(k-equal+1))) * c.of(rungs[k].mix) / c.of(rungs[equal].mix)
		rungs[k].passes, rungs[k].turns = 10000, Turns{n, n}
	}
	best, next := climb(rungs, equal, c, walkers, 1)
	if best != equal-1 || next != last {
		t.Errorf("came to rung %d of equal shares %d, and to measure next is %d, not local moves alone", best, equal, next)
	}
	for _, e := range []struct {
		turns float64
		at    int
	}{{0, best}, {walkers - 1, best}, {1000, last}} {
		rungs[last].turns = Turns{e.turns, e.turns}
		rungs[last].passes = int64(max(1, e.turns/2)) // 125 turns a second
		if at, next := climb(rungs, equal, c, walkers, 0); at != e.at || next >= 0 {
			t.Errorf("%g turns of local moves alone: came to rung %d and to %d next, want %d", e.turns, at, next, e.at)
		}
	}
}
