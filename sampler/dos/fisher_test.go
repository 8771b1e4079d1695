package dos

import (
	"math"
	"math/big"
	"math/cmplx"
	"math/rand/v2"
	"testing"
)

// TestRoots evaluates the partition function, with its exact integer coefficients and 600
// bits, at every zero that was found with logarithms and float64, and compares sum and
// product of the zeros with the coefficients (Vieta).
func TestRoots(t *testing.T) {
	for _, c := range []struct {
		name      string
		step      float64
		tolerance float64 // of sum and product; ill-conditioned zeros lose digits
	}{
		{"potts_q2_4x4", 2, 1e-12}, {"potts_q2_6x6", 2, 1e-9}, {"potts_q2_8x8", 2, 1e-6},
		{"potts_q3_3x3", 1, 1e-11}, {"potts_q4_4x4", 1, 1e-8}, {"potts_q10_3x3", 1, 1e-11}, {"potts_q10_5x5", 1, 1e-6},
		{"potts_q10_4x16", 1, math.Inf(1)}, {"potts_q2_16x16", 2, math.Inf(1)},
	} {
		p, err := readReference(t, c.name).polynomial()
		if err != nil {
			t.Fatal(err)
		}
		zeros, err := p.roots()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		degree := len(p.lnC) - 1
		if len(zeros) != degree || p.step != c.step {
			t.Errorf("%s: %d zeros, step %v", c.name, len(zeros), p.step)
		}
		counts := readCounts(t, c.name)
		lowest := math.MaxInt
		for bonds := range counts {
			lowest = min(lowest, bonds)
		}
		worst := 0.0
		var sum complex128
		lnProduct := complex128(0)
		for _, u := range zeros {
			worst = max(worst, residual(counts, lowest, int(c.step), degree, u))
			sum += u
			lnProduct += cmplx.Log(u)
		}
		if worst > 1e-12 {
			t.Errorf("%s: |Z| is %.1g of the sum of its terms' absolute values", c.name, worst)
		}
		wantSum := -math.Exp(p.lnC[degree-1] - p.lnC[degree])
		if cmplx.Abs(sum-complex(wantSum, 0)) > c.tolerance {
			t.Errorf("%s: the sum of the zeros is %v, want %v", c.name, sum, wantSum)
		}
		if want := p.lnC[0] - p.lnC[degree]; math.Abs(real(lnProduct)-want) > c.tolerance {
			t.Errorf("%s: ln of the product of the zeros is %v, want %v", c.name, real(lnProduct), want)
		}
		t.Logf("%s: %d zeros, largest residual %.1g, sum off by %.1g", c.name, degree, worst, cmplx.Abs(sum-complex(wantSum, 0)))
	}
}

// residual returns |Z(u)| over the sum of the absolute values of its terms, by Horner's
// rule with 600 bits.
func residual(counts map[int]*big.Int, lowest, step, degree int, u complex128) float64 {
	number := func(x float64) *big.Float { return new(big.Float).SetPrec(600).SetFloat64(x) }
	re, im, all := number(0), number(0), number(0)
	ur, ui := number(real(u)), number(imag(u))
	size := new(big.Float).SetPrec(600).Sqrt(number(0).Add(number(0).Mul(ur, ur), number(0).Mul(ui, ui)))
	for k := degree; k >= 0; k-- {
		r := number(0).Sub(number(0).Mul(re, ur), number(0).Mul(im, ui))
		i := number(0).Add(number(0).Mul(re, ui), number(0).Mul(im, ur))
		re, im = r, i
		all.Mul(all, size)
		if g := counts[lowest+k*step]; g != nil {
			x := number(0).SetInt(g)
			re.Add(re, x)
			all.Add(all, x)
		}
	}
	x, _ := number(0).Quo(re, all).Float64()
	y, _ := number(0).Quo(im, all).Float64()
	return math.Hypot(x, y)
}

// kaufman returns Z of the Ising model on an m x n torus (m even) at the complex coupling
// K, without the factor that vanishes nowhere,
//
//	prod 2 cosh(n g/2) + prod 2 sinh(n g/2) over odd l + the same over even l,
//
// cosh g_l = cosh 2K coth 2K - cos(pi l/m) (Kaufman, Phys. Rev. 76, 1232 (1949)), and the
// sum of its terms' absolute values.
func kaufman(m, n int, coupling complex128) (z complex128, size float64) {
	for first := range 2 {
		cosh, sinh := complex(1, 0), complex(1, 0)
		for l := first; l < 2*m; l += 2 {
			var g complex128
			switch l {
			case 0:
				g = 2*coupling + cmplx.Log(cmplx.Tanh(coupling))
			case m:
				g = 2*coupling - cmplx.Log(cmplx.Tanh(coupling))
			default:
				c := cmplx.Cosh(2*coupling)*cmplx.Cosh(2*coupling)/cmplx.Sinh(2*coupling) - complex(math.Cos(math.Pi*float64(l)/float64(m)), 0)
				g = cmplx.Log(c + cmplx.Sqrt(c*c-1))
			}
			cosh *= 2 * cmplx.Cosh(complex(float64(n)/2, 0)*g)
			sinh *= 2 * cmplx.Sinh(complex(float64(n)/2, 0)*g)
		}
		z += cosh + sinh
		size += cmplx.Abs(cosh) + cmplx.Abs(sinh)
	}
	return z, size
}

// TestLeadingZeroInUnits finds the same zero in any unit of energy, shifted or not.
func TestLeadingZeroInUnits(t *testing.T) {
	d := readReference(t, "potts_q2_4x4")
	want, err := d.LeadingZero()
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range []float64{0.25, 0.1, 1. / 3, 0.01, 0.97, 2} {
		other := &Density{LnG: d.LnG}
		for _, e := range d.Energy {
			other.Energy = append(other.Energy, e*unit-7.13)
		}
		if got, err := other.LeadingZero(); err != nil || cmplx.Abs(got*complex(unit, 0)-want) > 1e-9 {
			t.Errorf("unit %g: %v (%v), want %v", unit, got, err, want/complex(unit, 0))
		}
	}
	other := &Density{LnG: d.LnG[:3], Energy: []float64{0, 1, math.Pi}}
	if _, err := other.LeadingZero(); err == nil {
		t.Error("energies without a common unit")
	}
}

// TestLeadingZeroOfIsing: Kaufman's solution, which does not use g(E), vanishes at the
// leading zero. The zero lies near the circle |sinh 2K| = 1 of the infinite lattice
// (Fisher, Lectures in Theoretical Physics VIIC (1965)) and approaches the critical point
// like 1/L, since nu = 1. K is beta/2.
func TestLeadingZeroOfIsing(t *testing.T) {
	critical := math.Log(1 + math.Sqrt2)
	for name, l := range map[string]int{"potts_q2_4x4": 4, "potts_q2_6x6": 6, "potts_q2_8x8": 8, "potts_q2_16x16": 16} {
		d := readReference(t, name)
		beta, err := d.LeadingZero()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		z, size := kaufman(l, l, beta/2)
		if ratio := cmplx.Abs(z) / size; ratio > 1e-11 {
			t.Errorf("%s: at %v Kaufman's Z is %.1g of its terms", name, beta, ratio)
		}
		// The formula itself, at real couplings.
		one, _ := kaufman(l, l, 0.4)
		two, _ := kaufman(l, l, 0.45)
		prefactor := float64(l*l) / 2 * math.Log(math.Sinh(0.9)/math.Sinh(0.8))
		if got, want := math.Log(real(two/one))+prefactor+0.1*float64(l*l), d.At(0.9).LnZ-d.At(0.8).LnZ; !near(got, want, 1e-12) {
			t.Errorf("%s: ln of Z(0.9)/Z(0.8) is %v by Kaufman's formula, %v by the density of states", name, got, want)
		}
		if r := cmplx.Abs(cmplx.Sinh(beta)); math.Abs(r-1) > 0.6/float64(l) {
			t.Errorf("%s: |sinh 2K| = %v", name, r)
		}
		if x := imag(beta) * float64(l); x < 1.5 || x > 1.8 {
			t.Errorf("%s: L Im beta = %v", name, x)
		}
		if x := (critical - real(beta)) * float64(l); x < 0.3 || x > 0.8 {
			t.Errorf("%s: L (beta_c - Re beta) = %v", name, x)
		}
		t.Logf("%s: beta = %.9f", name, beta)
	}
}

// TestLeadingZeroOfNoise checks that the leading zero does not depend on single levels.
func TestLeadingZeroOfNoise(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 3))
	for _, name := range []string{"potts_q2_8x8", "potts_q10_4x16"} {
		exact, err := readReference(t, name).LeadingZero()
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			d := readReference(t, name)
			for i := range d.LnG {
				d.LnG[i] += 0.02 * r.NormFloat64()
			}
			got, err := d.LeadingZero()
			if err != nil || cmplx.Abs(got-exact) > 0.01 {
				t.Errorf("%s: %v with noise, %v without (%v)", name, got, exact, err)
			}
		}
	}
}

func TestNoZeros(t *testing.T) {
	for name, d := range map[string]*Density{
		"nothing":   {},
		"one level": {Energy: []float64{-3}, LnG: []float64{1}},
		"no unit":   {Energy: []float64{-3, -math.Sqrt2, 0}, LnG: []float64{1, 2, 3}},
	} {
		if beta, err := d.LeadingZero(); err == nil {
			t.Errorf("%s: %v", name, beta)
		}
	}
	// Z = 1 + 4 u has its only zero on the negative axis, at beta = -ln 4 + i pi.
	d := &Density{Energy: []float64{-1, 0}, LnG: []float64{math.Log(4), 0}}
	if beta, err := d.LeadingZero(); err == nil {
		t.Errorf("negative temperature: %v", beta)
	}
	// Z = 4 + u at beta = ln 4 + i pi.
	d = &Density{Energy: []float64{-1, 0}, LnG: []float64{0, math.Log(4)}}
	if beta, err := d.LeadingZero(); err != nil || cmplx.Abs(beta-complex(math.Log(4), math.Pi)) > 1e-14 {
		t.Errorf("%v, %v", beta, err)
	}
}
