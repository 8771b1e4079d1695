package dos

import (
	"errors"
	"fmt"
	"math"
	"math/cmplx"
)

// polynomial is the partition function
//
//	Z(u) = sum over k of exp(lnC[k]) u^k, u = exp(step beta),
//
// of energies Emax - k step, up to the factor exp(-beta Emax). lnC is -Inf at k without a
// level.
type polynomial struct {
	step float64
	lnC  []float64
}

// polynomial returns the partition function with the largest possible step. With q = 2 on
// even lattices every second energy has no states; with half the step, each zero would appear
// together with its negative. Energies must have a common unit.
func (d *Density) polynomial() (polynomial, error) {
	if err := d.Validate(); err != nil {
		return polynomial{}, err
	}
	if d.Bins != nil {
		return polynomial{}, errors.New("zeros of the partition function: levels are bins of many energies, not powers of one variable")
	}
	if d.Len() < 2 {
		return polynomial{}, errors.New("zeros of the partition function: there is only one level")
	}
	unit, ok := d.unit()
	if !ok {
		return polynomial{}, fmt.Errorf("zeros of the partition function: the energies have no common unit that is a fraction with a denominator up to %d", maxUnitDenominator)
	}
	place := func(i int) int { return int(math.Round((d.Energy[d.Len()-1] - d.Energy[i]) / unit)) }
	step := 0
	for i := range d.Energy {
		for a := place(i); a != 0; {
			step, a = a, step%a
		}
	}
	p := polynomial{step: unit * float64(step), lnC: make([]float64, place(0)/step+1)}
	for k := range p.lnC {
		p.lnC[k] = math.Inf(-1)
	}
	for i, x := range d.LnG {
		p.lnC[place(i)/step] = x
	}
	return p, nil
}

// maxUnitDenominator is the largest denominator of a unit of energy, that of the couplings of
// package lattice.
const maxUnitDenominator = 100

// unit returns the largest 1/n of which all differences of energies are whole multiples, up
// to the rounding of decimal digits.
func (d *Density) unit() (unit float64, ok bool) {
	for n := 1.; n <= maxUnitDenominator; n++ {
		whole := true
		for _, e := range d.Energy {
			x := (e - d.Energy[0]) * n
			whole = whole && math.Abs(x-math.Round(x)) < 1e-6
		}
		if whole {
			return 1 / n, true
		}
	}
	return 0, false
}

// newton returns Newton's correction Z/Z' at u, and |Z| in units of the sum of the absolute
// values of its terms. Terms are scaled by the largest, so that nothing overflows however
// many orders of magnitude they span. The phase of u^k comes from repeated multiplication.
func (p polynomial) newton(u complex128) (correction complex128, residual float64) {
	lnR, phase := math.Log(cmplx.Abs(u)), u/complex(cmplx.Abs(u), 0)
	largest := math.Inf(-1)
	for k, c := range p.lnC {
		largest = max(largest, c+float64(k)*lnR)
	}
	var value, slope complex128 // of Z, and of u Z'
	sum, power := 0.0, complex(1, 0)
	for k, c := range p.lnC {
		size := math.Exp(c + float64(k)*lnR - largest)
		sum += size
		value += complex(size, 0) * power
		slope += complex(size*float64(k), 0) * power
		power *= phase
	}
	residual = cmplx.Abs(value) / sum
	if value == 0 {
		return 0, 0
	}
	return u * value / slope, residual
}

// Iteration limits: for all zeros together, and for one of them.
const aberthSweeps, newtonSteps = 500, 50

// Z| in units of the sum of the absolute values of its terms: the rounding level, and
// the largest value accepted at a zero.
const roundingResidual, zeroResidual = 1e-15, 1e-11

// roots returns all zeros by the iteration of Aberth (Math. Comput. 27, 339 (1973)) and
// Ehrlich: Newton's for every zero, with the others divided out. It starts on circles whose
// radii are the slopes of the concave hull of ln c (Bini, Numer. Algorithms 13, 179
// (1996)). It returns an error unless Z vanishes to rounding at every zero.
func (p polynomial) roots() ([]complex128, error) {
	degree := len(p.lnC) - 1
	var x, y []float64
	for k, c := range p.lnC {
		if !math.IsInf(c, -1) {
			x, y = append(x, float64(k)), append(y, c)
		}
	}
	var z []complex128
	hull := concaveHull(x, y)
	for k := 1; k < len(hull); k++ {
		i, j := hull[k-1], hull[k]
		count := x[j] - x[i]
		radius := math.Exp((y[i] - y[j]) / count)
		for n := range int(count) {
			// 0.7 keeps the start off all symmetry axes.
			angle := 2*math.Pi*(float64(n)/count+x[i]/float64(degree)) + 0.7
			z = append(z, cmplx.Rect(radius, angle))
		}
	}
	done := make([]bool, degree)
	for range aberthSweeps {
		left := 0
		for i := range z {
			if done[i] {
				continue
			}
			correction, residual := p.newton(z[i])
			var others complex128
			for j := range z {
				if z[j] != z[i] {
					others += 1 / (z[i] - z[j])
				}
			}
			shift := correction / (1 - correction*others)
			if done[i] = residual <= roundingResidual || cmplx.Abs(shift) < 4e-16*cmplx.Abs(z[i]); done[i] {
				continue
			}
			z[i] -= shift
			left++
		}
		if left == 0 {
			break
		}
	}
	for i := range z {
		if _, residual := p.newton(z[i]); !(residual <= zeroResidual) {
			return nil, fmt.Errorf("zeros of the partition function: the iteration did not converge, |Z| is still %.1g", residual)
		}
	}
	return z, nil
}

// refine applies Newton's iteration from a point near a simple zero.
func (p polynomial) refine(u complex128) (complex128, error) {
	residual := math.Inf(1)
	for range newtonSteps {
		var correction complex128
		if correction, residual = p.newton(u); residual <= roundingResidual {
			break
		}
		u -= correction
	}
	if !(residual <= zeroResidual) {
		return 0, fmt.Errorf("zeros of the partition function: Newton's iteration did not converge, |Z| is still %.1g", residual)
	}
	return u, nil
}

// LeadingZero returns the complex inverse temperature beta at which the partition function
// vanishes (a Fisher zero), with the smallest positive imaginary part among those with a
// positive real part. It approaches the transition temperature as the system grows. The
// work grows as the square of the number of levels: a second at 1000.
//
// Noise of ln g hardly moves zeros near the real axis: there Z is nearly as large as on the
// axis.
func (d *Density) LeadingZero() (complex128, error) {
	p, err := d.polynomial()
	if err != nil {
		return 0, err
	}
	zeros, err := p.roots()
	if err != nil {
		return 0, err
	}
	leading := cmplx.Inf()
	for _, u := range zeros {
		if beta := cmplx.Log(u) / complex(p.step, 0); real(beta) > 0 && imag(beta) > 0 && imag(beta) < imag(leading) {
			leading = beta
		}
	}
	if cmplx.IsInf(leading) {
		return 0, errors.New("zeros of the partition function: none is at a positive inverse temperature")
	}
	return leading, nil
}

// LeadingZero estimates the leading zero with one standard error of its real and imaginary
// parts. Each replica's zero is sought near that of the estimate.
func (e *Ensemble) LeadingZero() (value, deviation complex128, err error) {
	if value, err = e.Density.LeadingZero(); err != nil {
		return 0, 0, err
	}
	_, errs, err := e.Estimate(func(d *Density) ([]float64, error) {
		p, err := d.polynomial()
		if err != nil {
			return nil, err
		}
		u, err := p.refine(cmplx.Exp(value * complex(p.step, 0)))
		beta := cmplx.Log(u) / complex(p.step, 0)
		return []float64{real(beta), imag(beta)}, err
	})
	if err != nil {
		return 0, 0, err
	}
	return value, complex(errs[0], errs[1]), nil
}
