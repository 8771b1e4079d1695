package local

import (
	"math"

	"neuralwl/sampler/lattice"
)

// bondWeights are weights W(n) by the number n of bonds of a cluster move, made to fit the weights
// w(B) of the levels; see cluster. With
//
//	Z(B) = sum over n of C(B,n) W(n),
//
// n has the distribution C(B,n) W(n)/Z(B) at the level B, and what is left for the acceptance is
// w(B)/Z(B).
type bondWeights struct {
	system      lattice.System
	window      lattice.Window
	lnFactorial []float64

	first  int       // levels below this one take no part
	ratio  []float64 // W(n+1)/W(n)
	up     []float64 // ratio[n]/(n+1)
	down   []float64 // n/ratio[n-1]
	mode   []int32   // by level: the most probable n, or nearly
	sum    []float64 // by level: Z(B) in units of the term of the mode
	lnRest []float64 // by level: ln of w(B)/Z(B), -Inf at levels that take no part
}

func newBondWeights(s lattice.System, window lattice.Window) *bondWeights {
	most := window.High
	t := &bondWeights{
		system: s, window: window, lnFactorial: make([]float64, most+1),
		ratio: make([]float64, most+1), up: make([]float64, most+1), down: make([]float64, most+1),
		mode: make([]int32, s.Levels()), sum: make([]float64, s.Levels()), lnRest: make([]float64, s.Levels()),
	}
	for n := 1; n <= most; n++ {
		t.lnFactorial[n] = t.lnFactorial[n-1] + math.Log(float64(n))
	}
	return t
}

// maxBondBeta bounds beta, so that no ratio of weights overflows; at 30, one bond in 10^13 is left out.
const maxBondBeta = 30

// fill fits W to the weights exp(-lnWeight).
//
// For w = exp(beta B), W = (e^beta - 1)^n is exact. In general ln w is replaced by its largest
// convex minorant, whose slope beta(B) ascends with B. It passes over the noise of an estimate, over levels
// that have no states, and in a straight line over levels between two phases. W(n+1)/W(n) is
// e^beta - 1 with the beta for which n = (1 - e^-beta) B. So n is most probable near that number,
// whatever the weights are; where they are not smooth, w/Z is not either, and fewer moves are accepted.
func (t *bondWeights) fill(lnWeight []float64) {
	for b := range t.lnRest {
		t.lnRest[b] = math.Inf(-1)
	}
	levels := t.minorant(lnWeight)
	t.first = levels[0]
	if len(levels) == 1 {
		return // nothing but levels of negative temperature
	}
	beta := make([]float64, len(levels)-1)
	for k := range beta {
		a, b := levels[k], levels[k+1]
		beta[k] = min((lnWeight[a]-lnWeight[b])/float64(b-a), maxBondBeta)
	}
	k := 0
	for n := range t.ratio {
		x := float64(n) + 0.5
		for k+1 < len(beta) && x > -math.Expm1(-beta[k])*float64(levels[k+1]) {
			k++
		}
		if rest := float64(levels[k]) - x; x < -math.Expm1(-beta[k])*float64(levels[k]) && rest > 0 {
			t.ratio[n] = x / rest // at this level beta goes from one slope to the next
		} else {
			t.ratio[n] = math.Expm1(beta[k])
		}
		t.up[n] = t.ratio[n] / float64(n+1)
		if n > 0 {
			t.down[n] = float64(n) / t.ratio[n-1]
		}
	}
	mode, lnW := 0, 0.0
	for b := t.first; b <= t.window.High; b++ {
		for mode < b && float64(b-mode)*t.up[mode] > 1 {
			lnW += math.Log(t.ratio[mode])
			mode++
		}
		if !t.system.Possible(b) {
			continue
		}
		t.mode[b] = int32(mode)
		_, t.sum[b] = t.walk(b, math.Inf(1))
		lnZ := t.lnFactorial[b] - t.lnFactorial[mode] - t.lnFactorial[b-mode] + lnW + math.Log(t.sum[b])
		t.lnRest[b] = -lnWeight[b] - lnZ
	}
}

// minorant returns the levels, from the one of least weight on upwards, at which the largest convex
// minorant of ln w = -lnWeight meets it.
func (t *bondWeights) minorant(lnWeight []float64) []int {
	var hull []int
	for b := t.window.Low; b <= t.window.High; b++ {
		if !t.system.Possible(b) {
			continue
		}
		for len(hull) > 1 {
			a, m := hull[len(hull)-2], hull[len(hull)-1]
			if (lnWeight[a]-lnWeight[m])*float64(b-m) < (lnWeight[m]-lnWeight[b])*float64(m-a) {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, b)
	}
	for len(hull) > 1 && !(lnWeight[hull[0]] > lnWeight[hull[1]]) {
		hull = hull[1:]
	}
	return hull
}

// negligible is the size of terms, relative to the sum, that are left out.
const negligible = 1e-18

// walk adds up the terms of Z(B) in units of that of the mode, from there outwards, until the sum
// exceeds the one given, and returns the n at which it does with the sum so far; the mode and the whole
// sum if it does not.
func (t *bondWeights) walk(level int, until float64) (n int, sum float64) {
	mode := int(t.mode[level])
	sum = 1
	if until < sum {
		return mode, sum
	}
	high, low, above, below := mode, mode, 1.0, 1.0
	for above > 0 || below > 0 {
		if above > 0 {
			above *= float64(level-high) * t.up[high]
			high++
			if sum += above; until < sum {
				return high, sum
			}
			if above < negligible*sum {
				above = 0
			}
		}
		if below > 0 {
			below *= t.down[low] / float64(level-low+1)
			low--
			if sum += below; until < sum {
				return low, sum
			}
			if below < negligible*sum {
				below = 0
			}
		}
	}
	return mode, sum
}
