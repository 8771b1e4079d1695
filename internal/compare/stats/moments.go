package stats

import (
	"math"
	"slices"
)

func steps(ratios []float64, problems int) (steps []Step) {
	slices.Sort(ratios)
	for i, r := range ratios {
		if i+1 < len(ratios) && ratios[i+1] == r {
			continue
		}
		steps = append(steps, Step{r, float64(i+1) / float64(problems)})
	}
	return steps
}

// Mean is the mean of the values that are not NaN and its standard error, NaN where there are too
// few.
func Mean(x []float64) (mean, deviation float64, n int) {
	x = slices.DeleteFunc(slices.Clone(x), math.IsNaN)
	if n = len(x); n == 0 {
		return math.NaN(), math.NaN(), 0
	}
	for _, v := range x {
		mean += v / float64(n)
	}
	square := 0.0
	for _, v := range x {
		square += (v - mean) * (v - mean)
	}
	if n == 1 {
		return mean, math.NaN(), 1
	}
	return mean, math.Sqrt(square / float64(n-1) / float64(n)), n
}
