package dos

// bisect returns where f, with f(low) <= 0 <= f(high), changes sign, to float64 precision.
// low may be above high.
func bisect(f func(float64) float64, low, high float64) float64 {
	for {
		middle := low + (high-low)/2
		if middle == low || middle == high {
			return middle
		}
		if f(middle) < 0 {
			low = middle
		} else {
			high = middle
		}
	}
}
