// Package stats judges paired measurements that may be censored: which of two ways is faster, and
// by how much. It is exact for any number of pairs, and pure: the same numbers give the same
// verdict.
package stats

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Bounds is a number of which only bounds are known; with equal ones it is known.
type Bounds struct{ Low, High float64 }

// Exactly is a number that is known.
func Exactly(x float64) Bounds { return Bounds{x, x} }

// Time is how long something took, or how long it was tried in vain if it is censored.
type Time struct {
	Value    float64 `json:"value"`
	Censored bool    `json:"censored,omitempty"`
}

// bounds of ln of the time.
func (t Time) bounds() Bounds {
	b := Exactly(math.Log(t.Value))
	if t.Censored {
		b.High = math.Inf(1)
	}
	return b
}

// LnRatios are the differences of ln time of pairs, a over b. Where one of a pair is censored one
// bound is infinite, where both are nothing is known; no pair is dropped.
func LnRatios(a, b []Time) []Bounds {
	d := make([]Bounds, len(a))
	for i := range a {
		x, y := a[i].bounds(), b[i].bounds()
		d[i] = Bounds{x.Low - y.High, x.High - y.Low}
	}
	return d
}

// mostExact is the number of differences up to which all their signs are tried. Of more, as many
// choices of signs are drawn at random.
const mostExact = 16

// Differences are paired differences, prepared for SignFlip tests and intervals.
//
// Under the hypothesis that the differences are symmetric about theta, each sign of d_i - theta
// is as likely as the other. The sum of the differences with some signs flipped reaches the sum
// that was observed if and only if the mean over the flipped ones is at most theta. So the
// sign-flip test with the sum as its statistic, and the interval that it gives by inversion,
// follow from the sorted means over all subsets (J. A. Hartigan, "Using subsample values as typical
// values", J. Am. Stat. Assoc. 64, 1303, 1969).
//
// For differences of which only bounds are known, it takes whatever values within the bounds make
// the statement least certain.
type Differences struct {
	n         int
	low, high []float64 // means over subsets of the lower and of the upper bounds, ascending
}

// NewDifferences prepares some differences.
func NewDifferences(d []Bounds) *Differences {
	low, high := make([]float64, len(d)), make([]float64, len(d))
	for i, b := range d {
		low[i], high[i] = b.Low, b.High
	}
	return &Differences{len(d), subsetMeans(low), subsetMeans(high)}
}

// subsetMeans returns the means over the subsets of x but for the empty one, ascending.
func subsetMeans(x []float64) (means []float64) {
	n := len(x)
	exact := n <= mostExact
	count := 1<<min(n, mostExact) - 1
	random := rand.New(rand.NewPCG(1, uint64(n)))
	means = make([]float64, 0, count)
	for len(means) < count {
		subset := uint64(len(means) + 1)
		if !exact {
			if subset = random.Uint64() & (1<<min(n, 63) - 1); subset == 0 {
				continue
			}
		}
		sum, of := 0.0, 0
		for i, v := range x {
			if subset>>(i%64)&1 == 1 {
				sum += v
				of++
			}
		}
		means = append(means, sum/float64(of))
	}
	slices.Sort(means)
	return means
}

// all is the number of choices of signs.
func (d *Differences) all() float64 { return float64(len(d.low) + 1) }

// Above is the probability of differences that are as large in sum if their centre is at most
// theta.
func (d *Differences) Above(theta float64) float64 {
	below, _ := slices.BinarySearch(d.low, math.Nextafter(theta, math.Inf(1)))
	return float64(1+below) / d.all()
}

// Below is the probability of differences that are as small in sum if their centre is at least
// theta.
func (d *Differences) Below(theta float64) float64 {
	below, _ := slices.BinarySearch(d.high, theta)
	return float64(1+len(d.high)-below) / d.all()
}

// P is the two-sided probability of such differences if their centre is theta.
func (d *Differences) P(theta float64) float64 {
	return min(1, 2*min(d.Above(theta), d.Below(theta)))
}

// Interval contains the centre with a probability of at least 1 - alpha: all theta with P >
// alpha. With too few differences it is infinite.
func (d *Differences) Interval(alpha float64) Bounds {
	// theta is excluded from below as long as 2 (1 + k)/all <= alpha, k subsets having means up to
	// theta.
	k := int(math.Floor(alpha*d.all()/2+1e-9)) - 1
	if k < 0 {
		return Bounds{math.Inf(-1), math.Inf(1)}
	}
	return Bounds{d.low[min(k, len(d.low)-1)], d.high[max(0, len(d.high)-1-k)]}
}

// Centre is the mean over all differences, between infinite bounds where it is not known.
func (d *Differences) Centre() Bounds {
	// The median of the means over subsets is close to it, robust, and finite with a few censored
	// pairs.
	if len(d.low) == 0 {
		return Bounds{math.Inf(-1), math.Inf(1)}
	}
	return Bounds{d.low[len(d.low)/2], d.high[len(d.high)/2]}
}

// Holm adjusts probabilities of a family of hypotheses so that the chance of rejecting any true
// one at alpha is at most alpha (S. Holm, Scand. J. Stat. 6, 65, 1979).
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	adjusted, largest := make([]float64, len(p)), 0.0
	for rank, i := range order {
		largest = max(largest, min(1, float64(len(p)-rank)*p[i]))
		adjusted[i] = largest
	}
	return adjusted
}
