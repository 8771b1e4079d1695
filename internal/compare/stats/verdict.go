package stats

import "math"

// Verdict on the time that one way takes relative to another.
type Verdict string

// The verdicts.
const (
	Faster     Verdict = "faster"
	Slower     Verdict = "slower"
	Equivalent Verdict = "equivalent within 10 %"
	Undecided  Verdict = "undecided"
)

// Alpha is the chance, at most, that any verdict "faster" or "slower" of a family is wrong, and
// likewise that any "equivalent" is.
const Alpha = 0.05

// Margin is the ratio up to which two times are equivalent.
const Margin = 1.1

// Comparison is what pairs of times say.
type Comparison struct {
	Pairs    int `json:"pairs"`
	Censored int `json:"censored"` // pairs of which one or both are
	// Ratio is the centre of the ratios, and Interval contains it with a probability of 1 - Alpha
	// for this comparison alone. NaN and infinity where censoring leaves nothing better.
	Ratio    float64 `json:"ratio"`
	Interval Bounds  `json:"interval"`
	P        float64 `json:"p"`    // two-sided, of equal times
	Holm     float64 `json:"holm"` // adjusted for the family
	Verdict  Verdict `json:"verdict"`
}

// Judge compares the times of each way with those of another one, pair by pair, all as one family:
// faster and slower by Holm's adjusted probabilities, equivalent if the interval at Alpha over the
// number of comparisons lies within Margin.
func Judge(pairs [][2][]Time) []Comparison {
	results, p := make([]Comparison, len(pairs)), make([]float64, len(pairs))
	margin := math.Log(Margin)
	for i, pair := range pairs {
		ratios := LnRatios(pair[0], pair[1])
		d := NewDifferences(ratios)
		c := Comparison{Pairs: len(ratios), P: d.P(0)}
		for _, r := range ratios {
			if r.Low != r.High {
				c.Censored++
			}
		}
		own := d.Interval(Alpha)
		c.Interval = Bounds{math.Exp(own.Low), math.Exp(own.High)}
		c.Ratio = math.NaN()
		if centre := d.Centre(); !math.IsInf(centre.Low, 0) && !math.IsInf(centre.High, 0) {
			c.Ratio = math.Exp((centre.Low + centre.High) / 2)
		}
		c.Verdict = Undecided
		if all := d.Interval(Alpha / float64(len(pairs))); all.Low > -margin && all.High < margin {
			c.Verdict = Equivalent
		}
		results[i], p[i] = c, c.P
		// The direction is that of the smaller one-sided probability.
		if c.Verdict == Undecided {
			if d.Below(0) < d.Above(0) {
				results[i].Verdict = Faster
			} else {
				results[i].Verdict = Slower
			}
		}
	}
	for i, adjusted := range Holm(p) {
		c := &results[i]
		if c.Holm = adjusted; adjusted > Alpha && c.Verdict != Equivalent {
			c.Verdict = Undecided
		}
	}
	return results
}

// SeedsNeeded is the number of pairs with which a family of so many comparisons can be decided at
// all.
func SeedsNeeded(comparisons int) int {
	return int(math.Ceil(1 + math.Log2(float64(max(1, comparisons))/Alpha)))
}

// Typical is the geometric mean of times with an interval of 1 - Alpha; its upper end is infinite
// where too many are censored.
func Typical(times []Time) (centre float64, interval Bounds) {
	x := make([]Bounds, len(times))
	for i, t := range times {
		x[i] = t.bounds()
	}
	d := NewDifferences(x)
	c, own := d.Centre(), d.Interval(Alpha)
	return math.Exp(c.High), Bounds{math.Exp(own.Low), math.Exp(own.High)}
}

// Expected is the expected running time until the target is reached once, if runs that do not
// reach it are repeated: all time spent over the number of successes (N. Hansen et al., COCO,
// Optim. Methods Softw. 36, 114, 2021); infinite without any.
func Expected(times []Time) (seconds float64, successes int) {
	for _, t := range times {
		seconds += t.Value
		if !t.Censored {
			successes++
		}
	}
	if successes == 0 {
		return math.Inf(1), 0
	}
	return seconds / float64(successes), successes
}

// Step is a point of a performance profile: the share of problems that are solved within Ratio times
// the time of the best way.
type Step struct{ Ratio, Share float64 }

// Profiles are the performance profiles of some ways, times[way][problem] (E. D. Dolan and J. J.
// Moré, Math. Program. 91, 201, 2002). Problems that no way solves count in the denominator.
func Profiles(times [][]Time) [][]Step {
	if len(times) == 0 {
		return nil
	}
	problems := len(times[0])
	best := make([]float64, problems)
	for k := range best {
		best[k] = math.Inf(1)
		for _, way := range times {
			if t := way[k]; !t.Censored {
				best[k] = min(best[k], t.Value)
			}
		}
	}
	profiles := make([][]Step, len(times))
	for i, way := range times {
		var ratios []float64
		for k, t := range way {
			if !t.Censored {
				ratios = append(ratios, t.Value/best[k])
			}
		}
		profiles[i] = steps(ratios, problems)
	}
	return profiles
}

// BreakEven is the time beyond which a way that takes ratio times as long, after so much time of
// training, is ahead; infinite if it never is.
func BreakEven(training, ratio float64) float64 {
	switch {
	case training <= 0 && ratio < 1:
		return 0
	case !(ratio < 1):
		return math.Inf(1)
	}
	return training / (1 - ratio)
}

// Reached is the first place of a curve of errors from which on they stay at or below a target,
// -1 if there is none.
func Reached(errors []float64, target float64) int {
	at := -1
	for i := len(errors) - 1; i >= 0 && errors[i] <= target; i-- {
		at = i
	}
	return at
}
