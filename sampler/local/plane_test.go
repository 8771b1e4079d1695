package local

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat"

	"neuralwl/internal/long"
	"neuralwl/sampler/lattice"
)

// currents are rows of a number of currents from -most to most through the bonds between two rows of sites of the
// square lattice: exp(beta cos theta) is the sum over n of I_n(beta) exp(i n theta), and the integral over the angle of
// a site leaves the currents that are conserved there.
type currents struct {
	width, most int
	ring        bool // the sites of a row are a ring
	bessel      []float64
}

func newCurrents(beta float64, width, most int, ring bool) *currents {
	c := &currents{width: width, most: most, ring: ring}
	const points = 64
	for n := range 2*most + 1 {
		i := 0.0
		for k := range points {
			theta := 2 * math.Pi * float64(k) / points
			i += math.Cos(float64(n)*theta) * math.Exp(beta*math.Cos(theta)) / points
		}
		c.bessel = append(c.bessel, i)
	}
	return c
}

func (c *currents) rows() int { return int(math.Pow(float64(2*c.most+1), float64(c.width))) }

// along multiplies by the weights of the currents, the square roots if they count half.
func (c *currents) along(x []float64, power float64) {
	for i := range x {
		weight := 1.0
		for k, rest := 0, i; k < c.width; k, rest = k+1, rest/(2*c.most+1) {
			weight *= c.bessel[max(rest%(2*c.most+1)-c.most, c.most-rest%(2*c.most+1))]
		}
		x[i] *= math.Pow(weight, power)
	}
}

// across sums over the currents between the sites of a row, each of which takes from one site what it brings to
// another.
func (c *currents) across(x []float64) []float64 {
	base := 2*c.most + 1
	stride := 1
	for k := range c.width {
		to := stride * base
		if k == c.width-1 {
			if to = 1; !c.ring {
				break
			}
		}
		y := make([]float64, len(x))
		for i, value := range x {
			if value == 0 {
				continue
			}
			a, b := i/stride%base, i/to%base
			for h := max(-a, b-base+1); h <= min(base-1-a, b); h++ {
				y[i+h*(stride-to)] += value * c.bessel[max(h, -h)]
			}
		}
		x, stride = y, to
	}
	return x
}

// lnRectangle is ln Z of a by b sites with open sides, by N ln 2 pi too small.
func lnRectangle(beta float64, a, b, most int) float64 {
	if a > b {
		a, b = b, a
	}
	c := newCurrents(beta, a, most, false)
	x := make([]float64, c.rows())
	none := len(x) / 2
	x[none] = 1
	for row := range b {
		if row > 0 {
			c.along(x, 1)
		}
		x = c.across(x)
	}
	return math.Log(x[none])
}

// lnSquareLattice is ln Z per site of the infinite lattice, by ln 2 pi too small: the sum over rectangles of what
// their ln Z has beyond that of the rectangles within them, by the finite lattice method (Enting, J. Phys. A 11, 563
// (1978)), up to a half of the circumference.
func lnSquareLattice(beta float64, half, most int) float64 {
	own := map[[2]int]float64{}
	sum := 0.0
	for of := 2; of <= half; of++ {
		for a := 1; a < of; a++ {
			b := of - a
			w := lnRectangle(beta, a, b, most)
			for i := 1; i <= a; i++ {
				for j := 1; j <= b; j++ {
					w -= float64((a-i+1)*(b-j+1)) * own[[2]int{i, j}]
				}
			}
			own[[2]int{a, b}] = w
			sum += w
		}
	}
	return sum
}

// lnTorus is ln Z of the lattice of 4x4 with periodic sides, by N ln 2 pi too small. Currents up to 3 give the energy per
// site to 6e-5 at beta = 1.
func lnTorus(beta float64, most int) float64 {
	c := newCurrents(beta, 4, most, true)
	z := 0.0
	for i := range c.rows() {
		x := make([]float64, c.rows())
		x[i] = 1
		for range 2 {
			c.along(x, 0.5)
			x = c.across(x)
			c.along(x, 0.5)
		}
		for _, value := range x {
			z += value * value
		}
	}
	return math.Log(z)
}

// energy is that of a ln Z.
func energy(lnZ func(beta float64) float64, beta float64) float64 {
	const step = 2e-4
	return -(lnZ(beta+step) - lnZ(beta-step)) / (2 * step)
}

// TestPlane compares the energy of chains of either move at given temperatures with the exact one of 4x4, and that of
// 16x16 with the infinite lattice's by the finite lattice method, whose error grows with beta and is taken from the last
// rectangles, or at low temperatures with that of Wolff's clusters, which share nothing with the kernels. The method
// itself gives the first terms of the series in beta.
func TestPlane(t *testing.T) {
	series := func(beta float64) float64 { return -(beta + 3./8*math.Pow(beta, 3) + math.Pow(beta, 5)/48) }
	infinite := func(beta float64, half int) float64 {
		return energy(func(beta float64) float64 { return lnSquareLattice(beta, half, 3) }, beta)
	}
	if got, want := infinite(0.1, 8), series(0.1); math.Abs(got-want) > 1e-8 {
		t.Errorf("finite lattice method at 0.1: %.9f, series %.9f", got, want)
	}
	for _, beta := range []float64{0.5, 1} {
		exact := energy(func(beta float64) float64 { return lnTorus(beta, 3) }, beta) / 16
		t.Logf("4x4, beta = %g: exact energy per site %.6f", beta, exact)
		for _, move := range []Move{Metropolis, Overrelaxation} {
			mean, sigma := chain(t, move, beta, 4, long.Or(4000, 1000))
			t.Logf("%s: %.5f(%.5f)", move, mean, sigma)
			if !(math.Abs(mean-exact) < 4.5*sigma) || sigma > 0.02 {
				t.Errorf("4x4, beta = %g, %s: energy %.5f(%.5f), exact %.6f", beta, move, mean, sigma, exact)
			}
		}
	}
	long.Only(t, "chains of 16x16")
	for _, beta := range []float64{0.3, 0.6, 0.9, 1.1199} {
		mean, sigma := chain(t, Overrelaxation, beta, 16, 1500)
		var want, error float64
		if beta < 0.7 {
			want = infinite(beta, 10)
			error = math.Abs(want - infinite(beta, 9))
		} else {
			want, error = wolff(beta, 16, 200, 200, 1)
		}
		t.Logf("16x16, beta = %g: energy per site %.5f(%.5f), independently %.6f(%.6f)", beta, mean, sigma, want, error)
		if !(math.Abs(mean-want) < 4.5*math.Hypot(sigma, error)) {
			t.Errorf("16x16, beta = %g: energy %.5f(%.5f), independently %.5f(%.5f)", beta, mean, sigma, want, error)
		}
	}
}

// chain returns the mean energy per site of a chain of sweeps at a temperature, with its error by 20 blocks.
func chain(t *testing.T, move Move, beta float64, l, sweeps int) (mean, sigma float64) {
	t.Helper()
	const bin = 0.5
	s, err := lattice.NewXY(bin, -2, 2, l, l)
	if err != nil {
		t.Fatal(err)
	}
	k := New(s, move, lattice.Window{High: s.Levels() - 1}, 1)
	lnWeight := make([]float64, s.Levels())
	for level := range lnWeight {
		lnWeight[level] = beta * s.Energy(level)
	}
	k.Fill(lnWeight)
	pcg := rand.NewPCG(uint64(l), uint64(1e4*beta))
	state, hits, situations := make([]uint8, s.StateBytes()), make([]int64, s.Levels()), make([]int64, s.Levels()*lattice.Steps(s))
	s.Randomise(state, rand.New(pcg))
	level := s.Level(state)
	const blocks = 20
	var means []float64
	for block := range blocks + 1 {
		sum, weights := 0.0, 0.0
		for range sweeps / blocks * 10 {
			level, _ = k.Sweep(0, state, level, hits, situations, pcg)
			within := bin * s.Place(state)
			w := math.Exp(-beta * within) // the kernel weighs levels
			sum, weights = sum+w*(s.Energy(level)+within), weights+w
		}
		if block > 0 { // the first is for equilibrium
			means = append(means, sum/weights/float64(l*l))
		}
	}
	mean, sigma = stat.MeanStdDev(means, nil)
	return mean, sigma / math.Sqrt(blocks)
}

// wolff returns the mean energy per site of the XY model by single clusters (Wolff, Phys. Rev. Lett. 62, 361 (1989)), with
// its error by blocks: the spins of a cluster are reflected on a line, across which a bond joins its sites with the
// probability 1 - exp(-2 beta x y) for the components x and y along the line's normal.
func wolff(beta float64, l, blocks, each int, seed uint64) (mean, sigma float64) {
	r := rand.New(rand.NewPCG(seed, 1))
	theta := make([]float64, l*l)
	neighbours := func(i int) [4]int {
		x, y := i%l, i/l
		return [4]int{y*l + (x+1)%l, (y+1)%l*l + x, y*l + (x+l-1)%l, (y+l-1)%l*l + x}
	}
	var means []float64
	for block := range blocks + blocks/10 {
		sum := 0.0
		for range each {
			normal := 2 * math.Pi * r.Float64()
			along := func(i int) float64 { return math.Cos(theta[i] - normal) }
			reflect := func(i int) { theta[i] = math.Pi + 2*normal - theta[i] }
			stack := []int{r.IntN(l * l)}
			reflect(stack[0])
			for len(stack) > 0 {
				i := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				for _, j := range neighbours(i) {
					// Site i is reflected: its component has the other sign.
					if r.Float64() < 1-math.Exp(min(0, 2*beta*along(i)*along(j))) {
						reflect(j)
						stack = append(stack, j)
					}
				}
			}
			for i := range theta {
				n := neighbours(i)
				sum -= math.Cos(theta[i]-theta[n[0]]) + math.Cos(theta[i]-theta[n[1]])
			}
		}
		if block >= blocks/10 {
			means = append(means, sum/float64(each*l*l))
		}
	}
	mean, sigma = stat.MeanStdDev(means, nil)
	return mean, sigma / math.Sqrt(float64(len(means)))
}
