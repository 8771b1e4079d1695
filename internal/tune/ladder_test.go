package tune

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/config"
)

// information is one over the variance of a pass of a mix.
type information func(config.Mix) float64

// found climbs a ladder on which every mix is measured for the same time, with the scatter of variances from
// some blocks. It returns the mix that it came to and the number of measurements.
func found(r *rand.Rand, c cost, blocks int, of information) (at config.Mix, equal config.Mix, measured int) {
	rungs, start := newLadder(c, config.Mix{Sweeps: 4, Trials: 1})
	for {
		at, next := climb(rungs, start, c, maxMeasurements-measured)
		if next < 0 {
			return rungs[at].mix, rungs[start].mix, measured
		}
		measured++
		m := &rungs[next]
		passes := math.Ceil(30 / c.of(m.mix))
		square := 0.0 // chi squared
		for range blocks - 1 {
			x := r.NormFloat64()
			square += x * x
		}
		m.add(int64(passes), 0, square/float64(blocks-1)/(passes*of(m.mix)), blocks)
	}
}

// TestClimb finds the least variance of several kinds, with the scatter of 128 and of 32 blocks, to within a factor of
// 2 in the number of sweeps or three errors of a measurement in the cost.
func TestClimb(t *testing.T) {
	const sweep, trial = 1e-3, 0.1 // equal shares at 100 sweeps
	c := cost{sweep, trial}
	saturating := func(scale float64) information {
		return func(m config.Mix) float64 {
			if m.Trials == 0 {
				return 0.001 * float64(m.Sweeps)
			}
			return 30 * (1 - math.Exp(-float64(m.Sweeps)/scale))
		}
	}
	local := func(m config.Mix) float64 { return float64(m.Sweeps) }
	for name, of := range map[string]information{
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
		rate := func(m config.Mix) float64 { return of(m) / c.of(m) }
		for _, r := range rungs {
			if x := rate(r.mix); x > most {
				best, most = r.mix, x
			}
		}
		r := rand.New(rand.NewPCG(1, 2))
		for _, blocks := range []int{128, 32} {
			least := map[int]float64{128: 0.75, 32: 0.45}[blocks] // of the best one's information, in the worst of all trials
			const trials = 500
			good, worst, measurements := 0, math.Inf(1), 0
			for range trials {
				at, _, measured := found(r, c, blocks, of)
				near := at.Trials == best.Trials && at.Sweeps <= 2*best.Sweeps && best.Sweeps <= 2*at.Sweeps
				if near || rate(at) > (1-3*math.Sqrt(2/float64(blocks-1)))*most {
					good++
				}
				worst = min(worst, rate(at)/most)
				measurements += measured
			}
			t.Logf("%s, %d blocks: best is %v, found in %d of %d trials, never below %.2f of its information, after %.1f measurements",
				name, blocks, best, good, trials, worst, float64(measurements)/trials)
			if good < trials*95/100 || worst < least {
				t.Errorf("%s, %d blocks: the best mix is %v; found in %d of %d trials, the worst choice has %.2f of its information", name, blocks, best, good, trials, worst)
			}
		}
	}
}

// TestUndecided keeps equal shares where they have too few data to choose by, and measures nothing else.
func TestUndecided(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	at, equal, measured := found(r, cost{1e-3, 0.05}, 128, func(config.Mix) float64 { return 0 })
	if at != equal || equal != (config.Mix{Sweeps: 50, Trials: 1}) || measured != 1 {
		t.Errorf("chose %v after %d measurements, equal shares are %v", at, measured, equal)
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
// climb went, and taken if they are better.
func TestLocalAlone(t *testing.T) {
	c := cost{1e-3, 0.1}
	rungs, equal := newLadder(c, config.Mix{Sweeps: 4, Trials: 1})
	last := len(rungs) - 1
	for k := range rungs[:last] {
		rungs[k].add(10000, 0, math.Exp(math.Abs(float64(k-equal+1)))/(10000*c.of(rungs[k].mix)), 1000)
	}
	best, next := climb(rungs, equal, c, 1)
	if best != equal-1 || next != last {
		t.Errorf("came to rung %d of equal shares %d, and to measure next is %d, not local moves alone", best, equal, next)
	}
	for _, e := range []struct {
		variance float64 // in a second
		at       int
	}{{math.NaN(), best}, {2, best}, {0.5, last}} {
		rungs[last] = rung{mix: rungs[last].mix}
		rungs[last].add(250, 0, e.variance, 1000)
		if at, next := climb(rungs, equal, c, 0); at != e.at || next >= 0 {
			t.Errorf("local moves alone with a variance of %g: came to rung %d and to %d next, want %d", e.variance, at, next, e.at)
		}
	}
}

// TestAdd averages the results of two measurements by their passes.
func TestAdd(t *testing.T) {
	var r rung
	r.add(10, 1, math.NaN(), 64)
	if r.known() {
		t.Error("no variance, and yet one")
	}
	r = rung{}
	r.add(10, 1, 0.4, 64)
	r.add(30, 2, 0.2, 64)
	if want := (0.4 + 9*0.2) / 16; math.Abs(r.variance-want) > 1e-15 || r.passes != 40 || r.roundTrips != 3 || r.freedom != 126 {
		t.Errorf("%+v, want a variance of %g", r, want)
	}
}
