package dos

// parabola is level + slope (x-x0) + bend (x-x0)^2 about a point x0.
type parabola struct{ level, slope, bend float64 }

// fitParabola fits the points within width of centre by least squares with the weights 1 -
// (distance/width)^2 (local regression: Cleveland, J. Am. Stat. Assoc. 74, 829 (1979)). x
// ascends. The result is flat if fewer than three points leave it undetermined; at least
// one is required.
func fitParabola(x, y []float64, centre, width float64) parabola {
	var s [5]float64 // sums of w u^k, with u in units of width for good conditioning
	var t [3]float64 // sums of w u^k y
	points, origin := 0, 0.0
	for k := range x {
		u := (x[k] - centre) / width
		w := 1 - u*u
		if w <= 0 {
			continue
		}
		if points++; points == 1 {
			origin = y[k]
		}
		for n := range s {
			s[n] += w
			if n < len(t) {
				t[n] += w * (y[k] - origin)
			}
			w *= u
		}
	}
	// Cofactors of the symmetric matrix s[i+j] of the normal equations.
	c00, c01, c02 := s[2]*s[4]-s[3]*s[3], s[2]*s[3]-s[1]*s[4], s[1]*s[3]-s[2]*s[2]
	c11, c12, c22 := s[0]*s[4]-s[2]*s[2], s[1]*s[2]-s[0]*s[3], s[0]*s[2]-s[1]*s[1]
	det := s[0]*c00 + s[1]*c01 + s[2]*c02
	if points < 3 || !(det > 0) {
		return parabola{level: origin + t[0]/s[0]}
	}
	return parabola{
		level: origin + (c00*t[0]+c01*t[1]+c02*t[2])/det,
		slope: (c01*t[0] + c11*t[1] + c12*t[2]) / det / width,
		bend:  (c02*t[0] + c12*t[1] + c22*t[2]) / det / (width * width),
	}
}

// extremum returns the offset from the centre and the value of the extremum: a maximum for
// sign 1, a minimum for -1. If the parabola bends the other way, or the extremum is not
// within reach, it returns the value at the centre.
func (p parabola) extremum(sign, reach float64) (offset, value float64) {
	if p.bend*sign >= 0 {
		return 0, p.level
	}
	offset = -p.slope / (2 * p.bend)
	if offset <= -reach || offset >= reach {
		return 0, p.level
	}
	return offset, p.level + offset*p.slope/2
}
