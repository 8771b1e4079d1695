package dos

// concaveHull returns the indices of the points (x, y) on the upper concave hull, the
// smallest concave function nowhere below them (A. M. Andrew, Inf. Process. Lett. 9, 216
// (1979)). x must ascend. Points on an edge are omitted.
func concaveHull(x, y []float64) []int {
	var hull []int
	for k := range x {
		for len(hull) > 1 {
			i, j := hull[len(hull)-2], hull[len(hull)-1]
			if (y[j]-y[i])*(x[k]-x[j]) > (y[k]-y[j])*(x[j]-x[i]) {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, k)
	}
	return hull
}
