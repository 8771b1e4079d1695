package dos

import (
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// scarcePair is how many transitions one way make a pair of levels scarce, scarceShare the share of such pairs from
// which the most likely ln g is taken, and refinements how many steps of Newton's method that takes. With less than
// 32 transitions in a third of the pairs the least squares are off by 3 errors (TestScarceTransitions), with that in none
// of 18 pairs per level still by 0.3 (TestNarrowLevels with twice the visits).
const (
	scarcePair  = 256
	scarceShare = 0.1
	refinements = 3
	// longestStep is the most that the difference of a pair may change in one of these steps, in nats.
	longestStep = 3
)

// scarce reports whether many pairs of levels have few transitions one way, as levels do that are narrow
// in units of the changes. The least squares of logarithms are then biased: pairs are only used that were seen both
// ways, so that the mean of the logarithm of the rarer way is too large, and all of these errors point the same way.
func (p *transitions) scarce() bool {
	n := 0
	for _, e := range p.edges {
		if e.least < scarcePair {
			n++
		}
	}
	return float64(n) > scarceShare*float64(len(p.edges))
}

// refined makes edges of which the least squares are a step of Newton's method towards the most likely ln g, from a
// known one: of C + C' transitions between two levels, C are those there with the probability
//
//	p = 1/(1 + (H'/H) exp(-d)),  d = ln g(E') - ln g(E),
//
// where H and H' are the visits. Pairs seen one way alone, or seldom, then say what they know, and no more; those of
// levels that nothing joins both ways are left out, as the distance of such parts is not known from transitions.
// The slope of the logarithm of the likelihood is C - (C + C') p, its curvature (C + C') p (1 - p) or, where d is far off and that
// nearly nothing, such that the step is longestStep. more, of pairs, is added to both C and C', nil for
// 0.
func (p *transitions) refined(lnG, more []float64) []edge {
	var edges []edge
	n := len(p.changes)
	for i := range p.visits {
		for k := (n + 1) / 2; k < n && i+p.changes[k] < len(p.visits); k++ {
			j := i + p.changes[k]
			there, back := p.counts[i*n+k], p.counts[j*n+n-1-k]
			d := lnG[j] - lnG[i]
			if there+back <= 0 || p.visits[i] <= 0 || p.visits[j] <= 0 || p.part[i] != p.part[j] || math.IsNaN(d) {
				continue
			}
			if more != nil {
				there += more[i*n+k]
				back += more[i*n+k]
			}
			share := 1 / (1 + math.Exp(math.Log(p.visits[j]/p.visits[i])-d))
			slope := there - (there+back)*share
			if weight := max((there+back)*share*(1-share), math.Abs(slope)/longestStep); weight > 0 {
				edges = append(edges, edge{i: i, j: j, difference: d + slope/weight, weight: weight, least: min(there, back)})
			}
		}
	}
	return edges
}

// corrections returns what the most likely ln g adds to the transitions of each pair, both ways, so that its bias
// vanishes to first order: kappa h/2, where h is the weight of the pair times the variance of its difference (Firth,
// Biometrika 80, 27 (1993), section 3.2; a pair alone, h = 1, gets the half of Haldane and Anscombe). It is nil where
// the least squares of logarithms are used.
func (p *transitions) corrections(kappa []float64, pins []Pin) ([]float64, error) {
	if !p.scarce() {
		return nil, nil
	}
	place := make(map[int]int, len(p.changes))
	for k, change := range p.changes {
		place[change] = k
	}
	more := make([]float64, len(p.counts))
	edges := p.edges
	for range refinements {
		l, x, err := p.leastSquares(edges, kappa, pins)
		if err != nil {
			return nil, err
		}
		lnG := l.spread(x, len(p.visits))
		seen := p.refined(lnG, nil)
		if l, _, err = p.leastSquares(seen, kappa, pins); err != nil {
			return nil, err
		}
		variances := l.variances(seen)
		for k, e := range seen {
			more[e.i*len(p.changes)+place[e.j-e.i]] = e.weight * variances[k] / 2 // kappa is in the variance
		}
		edges = p.refined(lnG, more)
	}
	return more, nil
}

// variances returns those of the differences of ln g that edges between its levels measure, 0 for others. They need
// the inverse of the matrix within its band alone, which follows row by row from the Cholesky factor (Takahashi,
// Fagan, Chen (1973); Erisman, Tinney, Commun. ACM 18, 177 (1975), eq. 8).
func (l *ladder) variances(edges []edge) []float64 {
	inverse := bandInverse(l.factor)
	variances := make([]float64, len(edges))
	for k, e := range edges {
		i, j := l.at(e.i), l.at(e.j)
		switch {
		case i < 0 || j < 0 || l.held[i] && l.held[j]:
		case l.held[i]:
			variances[k] = inverse.At(j, j)
		case l.held[j]:
			variances[k] = inverse.At(i, i)
		default:
			variances[k] = max(0, inverse.At(i, i)+inverse.At(j, j)-2*inverse.At(i, j))
		}
	}
	return variances
}

// bandInverse returns the elements of the inverse of a matrix within its band, given its Cholesky factor.
func bandInverse(u blas64.TriangularBand) *mat.SymBandDense {
	n, band := u.N, u.K
	inverse := mat.NewSymBandDense(n, band, nil)
	for i := n - 1; i >= 0; i-- {
		row := u.Data[i*u.Stride : i*u.Stride+min(band, n-1-i)+1] // of U from the diagonal on
		for j := i + len(row) - 1; j >= i; j-- {
			sum := 0.0
			for k := 1; k < len(row); k++ {
				sum += row[k] * inverse.At(i+k, j)
			}
			if x := -sum / row[0]; j > i {
				inverse.SetSymBand(i, j, x)
			} else {
				inverse.SetSymBand(i, i, x+1/(row[0]*row[0]))
			}
		}
	}
	return inverse
}

// spread writes x of a ladder by level, NaN for levels that it lacks.
func (l *ladder) spread(x []float64, levels int) []float64 {
	lnG := make([]float64, levels)
	for b := range lnG {
		lnG[b] = math.NaN()
	}
	for place, b := range l.levels {
		lnG[b] = x[place]
	}
	return lnG
}
