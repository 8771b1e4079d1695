// Package scaling extrapolates results for first-order transitions on finite lattices to
// the infinite lattice.
package scaling

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Point is an estimate from the L x L lattice with one standard error.
type Point struct {
	L, Value, Error float64
}

// Fit is value(L) = Coefficients[0] + sum over k of Coefficients[k+1] / L^Powers[k].
type Fit struct {
	Powers               []float64
	Coefficients, Errors []float64 // in the order above, with one standard error
	// ChiSquare is the sum of the squared deviations in units of the points' errors;
	// Freedom is the number of points minus that of coefficients. At zero Freedom the curve
	// goes through all points, and its form cannot be tested.
	ChiSquare float64
	Freedom   int
}

// Limit returns the value at L = infinity with its standard error.
func (f Fit) Limit() (value, deviation float64) { return f.Coefficients[0], f.Errors[0] }

// At returns the value of the curve at x = 1/L.
func (f Fit) At(x float64) float64 {
	sum := f.Coefficients[0]
	for k, p := range f.Powers {
		sum += f.Coefficients[k+1] * math.Pow(x, p)
	}
	return sum
}

// Probability returns that of a larger ChiSquare if the form is right, 1 at zero Freedom.
func (f Fit) Probability() float64 {
	if f.Freedom == 0 {
		return 1
	}
	return distuv.ChiSquared{K: float64(f.Freedom)}.Survival(f.ChiSquare)
}

// Extrapolate fits powers of 1/L by least squares, weighted with the points' errors. It
// assumes that the points are independent and their errors right: the coefficients' errors
// follow from those, whatever chi^2 is.
func Extrapolate(points []Point, powers ...float64) (Fit, error) {
	n, m := len(points), 1+len(powers)
	if n < m {
		return Fit{}, fmt.Errorf("extrapolation of %d sizes with %d coefficients: more sizes are needed", n, m)
	}
	design, values := mat.NewDense(n, m, nil), mat.NewVecDense(n, nil)
	for i, p := range points {
		if !(p.L > 0) || !(p.Error > 0) || math.IsInf(p.Error, 0) {
			return Fit{}, fmt.Errorf("extrapolation: L = %v with value %v and error %v: both L and error must be positive", p.L, p.Value, p.Error)
		}
		values.SetVec(i, p.Value/p.Error)
		design.Set(i, 0, 1/p.Error)
		for k, power := range powers {
			design.Set(i, k+1, math.Pow(p.L, -power)/p.Error)
		}
	}
	var qr mat.QR
	qr.Factorize(design)
	var solution mat.VecDense
	if err := qr.SolveVecTo(&solution, false, values); err != nil {
		return Fit{}, fmt.Errorf("extrapolation with powers %v of 1/L: %w; are sizes repeated?", powers, err)
	}
	// The covariance is (A^T A)^-1 = R^-1 R^-T; its diagonal sums the squares of each row
	// of R^-1.
	var r mat.Dense
	qr.RTo(&r)
	var inverse mat.Dense
	if err := inverse.Inverse(r.Slice(0, m, 0, m)); err != nil {
		return Fit{}, fmt.Errorf("extrapolation with powers %v of 1/L: %w; are sizes repeated?", powers, err)
	}
	f := Fit{Powers: powers, Freedom: n - m}
	for k := range m {
		f.Coefficients = append(f.Coefficients, solution.AtVec(k))
		f.Errors = append(f.Errors, mat.Norm(inverse.RowView(k), 2))
	}
	for _, p := range points {
		z := (p.Value - f.At(1/p.L)) / p.Error
		f.ChiSquare += z * z
	}
	return f, nil
}
