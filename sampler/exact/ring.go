package exact

import (
	"cmp"
	"fmt"
	"math"
	"math/cmplx"
	"slices"

	"gonum.org/v1/gonum/dsp/fourier"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// Sizes of rings that Ring takes, and its numerical parameters.
const (
	leastRing  = 8  // sites: with fewer the characteristic function falls too slowly
	mostRing   = 64 // sites
	ringPoints = 512
	ringCutoff = 200.0 // of the characteristic function's argument
	mostTilt   = 12.25
	tiltStep   = 1.5
	ringDigits = 1e-7 // least share of a level in the tilted distribution that serves it
)

// Ring returns the exact density of states of the XY model on a ring of 8 to 64 sites, ln g of its levels with
// the mean and the variance of the energies in each, to some seven digits.
//
// Let C = -E, and s = t + ik. The mean of exp(s C) over all angles is the sum over n of I_n(s)^N, with the
// modified Bessel functions: the Fourier coefficients of exp(s cos theta), whose N-th powers are those of the N-fold
// convolution, the density of N angles' sum (Mattis, Phys. Lett. A 104, 357 (1984)). For given t its inverse in k is the
// density of C weighted with exp(t C); since |C| <= N, a sum over the multiples of pi/N gives it. A level takes the t
// for which the mean of that is the nearest, so that no digits cancel however rare it is.
func Ring(s *lattice.XY) (*dos.Density, error) {
	n := s.Sites()
	if sides := s.Sides(); min(sides[0], sides[1]) != 1 || n < leastRing || n > mostRing {
		return nil, fmt.Errorf("exact: %v: of the XY model only the rings of %d to %d sites are known exactly", s, leastRing, mostRing)
	}
	width := lattice.BinWidth(s)
	d := &dos.Density{Bins: &dos.Bins{Width: width}}
	var all []*tilted
	for t := -mostTilt; t <= mostTilt; t += tiltStep {
		all = append(all, newTilted(n, t))
	}
	for level := s.Levels() - 1; level >= 0; level-- {
		centre := -s.Energy(level)
		f := slices.MinFunc(all, func(a, b *tilted) int {
			return cmp.Compare(math.Abs(a.mean-centre), math.Abs(b.mean-centre))
		})
		// As far as there are energies.
		m := f.moments(max(centre-width/2, -float64(n)), min(centre+width/2, float64(n)), centre)
		if !(m[0]*math.Exp(f.t*centre) > ringDigits) {
			return nil, fmt.Errorf("exact: %v: the level at %g is too rare for the digits of a computer", s, s.Energy(level))
		}
		mean := m[1] / m[0]
		d.Energy = append(d.Energy, s.Energy(level))
		d.LnG = append(d.LnG, s.LnStates()+f.lnMean+math.Log(m[0]))
		d.Bins.Mean = append(d.Bins.Mean, -mean)
		d.Bins.Variance = append(d.Bins.Variance, max(0, m[2]/m[0]-mean*mean))
	}
	return d, nil
}

// tilted is the distribution of C on a ring weighted with exp(t C).
type tilted struct {
	sites  int
	t      float64
	mean   float64
	lnMean float64      // ln of the mean of exp(t C)
	of     []complex128 // the mean of exp((t + ik) C) over that of exp(t C), for k = 0, pi/N, 2 pi/N, ...
}

func newTilted(sites int, t float64) *tilted {
	f := &tilted{sites: sites, t: t}
	small := 0 // successive values
	fft := fourier.NewCmplxFFT(ringPoints)
	values, bessel := make([]complex128, ringPoints), make([]complex128, ringPoints)
	for j := 0; ; j++ {
		k := math.Pi * float64(j) / float64(sites)
		if k > ringCutoff {
			return f
		}
		for i := range values {
			x := math.Cos(2 * math.Pi * float64(i) / ringPoints)
			values[i] = cmplx.Exp(complex(t*x-math.Abs(t), k*x)) / ringPoints
		}
		sum := complex(0, 0)
		for _, x := range fft.Coefficients(bessel, values) {
			sum += power(x, sites)
		}
		if j == 0 {
			f.lnMean = math.Log(real(sum)) + float64(sites)*math.Abs(t)
		}
		f.of = append(f.of, sum)
		if j == 0 {
			continue
		}
		f.of[j] /= f.of[0]
		if j == 1 {
			f.mean = cmplx.Phase(f.of[1]) / k // it turns by less than half a turn, as |C| <= N
		}
		if small++; cmplx.Abs(f.of[j]) > 1e-18 {
			small = 0
		}
		if small > 16 {
			return f
		}
	}
}

func power(x complex128, n int) complex128 {
	y := complex(1, 0)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			y *= x
		}
		x *= x
	}
	return y
}

// moments returns the integrals of exp(-t C), times C - centre to the powers 0, 1 and 2, over the tilted
// distribution between two ends: the shares of all states and their moments, without the factor exp(lnMean).
func (f *tilted) moments(low, high, centre float64) (m [3]float64) {
	for j, x := range f.of {
		weight := 1 / float64(f.sites) // both signs of k, over the period 2N
		if j == 0 {
			x, weight = 1, weight/2
		}
		s := complex(f.t, math.Pi*float64(j)/float64(f.sites))
		for _, end := range []float64{low, high} {
			c := complex(end-centre, 0)
			e := complex(weight, 0) * x * cmplx.Exp(-s*complex(end, 0)) / s
			if end == high {
				e = -e
			}
			m[0] += real(e)
			m[1] += real(e * (c + 1/s))
			m[2] += real(e * (c*c + 2*c/s + 2/(s*s)))
		}
	}
	return m
}
