package dos

import (
	"math"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// configurations visits all configurations of the q-state Potts model on a periodic
// square of side l. state is valid until visit returns.
func configurations(q, l int, visit func(state []int, energy float64)) {
	state := make([]int, l*l)
	for {
		bonds := 0
		for y := range l {
			for x := range l {
				if state[y*l+x] == state[y*l+(x+1)%l] {
					bonds++
				}
				if state[y*l+x] == state[(y+1)%l*l+x] {
					bonds++
				}
			}
		}
		visit(state, float64(-bonds))
		i := 0
		for ; i < len(state); i++ {
			if state[i]++; state[i] < q {
				break
			}
			state[i] = 0
		}
		if i == len(state) {
			return
		}
	}
}

// enumerate lists the energies of all configurations.
func enumerate(q, l int) (energies []float64) {
	configurations(q, l, func(_ []int, energy float64) { energies = append(energies, energy) })
	return energies
}

func near(a, b, tolerance float64) bool {
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}

func readReference(t testing.TB, name string) *Density {
	t.Helper()
	d, err := ReadFile(filepath.Join("..", "exact", "testdata", name+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestCanonicalAgainstEnumeration compares with sums over all configurations, each with its
// Boltzmann probability p = exp(-beta E)/Z; the entropy is -sum p ln p.
func TestCanonicalAgainstEnumeration(t *testing.T) {
	d := readReference(t, "potts_q3_3x3")
	energies := enumerate(3, 3)
	for _, beta := range []float64{-0.7, 0, 1e-3, 0.3, math.Log(1 + math.Sqrt(3)), 2.5} {
		z := 0.0
		for _, e := range energies {
			z += math.Exp(-beta * e)
		}
		var mean, variance, entropy float64
		for _, e := range energies {
			p := math.Exp(-beta*e) / z
			mean += p * e
			entropy -= p * math.Log(p)
		}
		for _, e := range energies {
			variance += math.Exp(-beta*e) / z * (e - mean) * (e - mean)
		}
		c := d.At(beta)
		if c.Beta != beta {
			t.Errorf("beta = %v is reported as %v", beta, c.Beta)
		}
		for _, x := range []struct {
			name      string
			got, want float64
		}{
			{"ln Z", c.LnZ, math.Log(z)},
			{"U", c.Energy, mean},
			{"C", c.SpecificHeat, beta * beta * variance},
			{"S", c.Entropy, entropy},
		} {
			if !near(x.got, x.want, 1e-11) {
				t.Errorf("beta = %v: %s = %v, by enumeration %v", beta, x.name, x.got, x.want)
			}
		}
		if beta != 0 {
			// F = U - TS.
			if want := mean - entropy/beta; !near(c.FreeEnergy(), want, 1e-10) {
				t.Errorf("beta = %v: F = %v, by enumeration %v", beta, c.FreeEnergy(), want)
			}
		}
	}
}

// TestCanonicalDerivatives checks U = -d ln Z/d beta, C = beta^2 d^2 ln Z/d beta^2 and C =
// -beta dS/d beta by central differences. Their errors are of the order h^2 times a
// derivative of ln Z plus rounding over h or h^2.
func TestCanonicalDerivatives(t *testing.T) {
	for _, name := range []string{"potts_q10_4x4", "potts_q2_8x8", "potts_q3_4x16"} {
		d := readReference(t, name)
		for _, beta := range []float64{0.2, 0.88, 1.2, 1.6} {
			const h = 1e-3
			below, at, above := d.At(beta-h), d.At(beta), d.At(beta+h)
			// The neglected terms are h^2/6 of the third and h^2/12 of the fourth
			// derivative of ln Z, the cumulants of E.
			third, fourth := cumulants(d, beta)
			tolerance := 2*h*h/6*math.Abs(third) + 1e-9
			if got := -(above.LnZ - below.LnZ) / (2 * h); math.Abs(got-at.Energy) > tolerance {
				t.Errorf("%s, beta = %v: U = %v, by difference %v", name, beta, at.Energy, got)
			}
			tolerance = beta*beta*2*h*h/12*math.Abs(fourth) + 1e-6
			if got := beta * beta * (above.LnZ - 2*at.LnZ + below.LnZ) / (h * h); math.Abs(got-at.SpecificHeat) > tolerance {
				t.Errorf("%s, beta = %v: C = %v, by difference %v", name, beta, at.SpecificHeat, got)
			}
			// The third derivative of S = ln Z + beta U is 2 k3 - beta k4 in terms of the
			// cumulants k.
			tolerance = beta*2*h*h/6*(2*math.Abs(third)+beta*math.Abs(fourth)) + 1e-7
			if got := -beta * (above.Entropy - below.Entropy) / (2 * h); math.Abs(got-at.SpecificHeat) > tolerance {
				t.Errorf("%s, beta = %v: C = %v, from the entropy %v", name, beta, at.SpecificHeat, got)
			}
		}
	}
}

// cumulants returns the third and fourth cumulants of the energy at beta.
func cumulants(d *Density, beta float64) (third, fourth float64) {
	c := d.At(beta)
	var m2, m3, m4 float64
	for i, e := range d.Energy {
		p, x := math.Exp(d.LnG[i]-beta*e-c.LnZ), e-c.Energy
		m2 += p * x * x
		m3 += p * x * x * x
		m4 += p * x * x * x * x
	}
	return m3, m4 - 3*m2*m2
}

// TestCanonicalLimits: at beta = 0 all q^N configurations are equally likely, so S = N ln
// q, U = -2N/q and var E = 2N (1 - 1/q)/q (bonds are pairwise independent); at large beta
// only the q ground states remain.
func TestCanonicalLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		q, n float64
	}{{"potts_q2_16x16", 2, 256}, {"potts_q10_5x5", 10, 25}, {"potts_q3_4x16", 3, 64}} {
		d := readReference(t, c.name)
		hot := d.At(0)
		if want := c.n * math.Log(c.q); !near(hot.Entropy, want, 1e-12) || !near(hot.LnZ, want, 1e-12) {
			t.Errorf("%s: S = %v and ln Z = %v at beta = 0, want %v", c.name, hot.Entropy, hot.LnZ, want)
		}
		if want := -2 * c.n / c.q; !near(hot.Energy, want, 1e-11) {
			t.Errorf("%s: U = %v at beta = 0, want %v", c.name, hot.Energy, want)
		}
		if hot.SpecificHeat != 0 {
			t.Errorf("%s: C = %v at beta = 0", c.name, hot.SpecificHeat)
		}
		const small = 1e-7
		if got, want := d.At(small).SpecificHeat/(small*small), 2*c.n*(1-1/c.q)/c.q; !near(got, want, 1e-4) {
			t.Errorf("%s: var E = %v at beta -> 0, want %v", c.name, got, want)
		}
		const large = 1e4 // exp(-beta E) is far outside the range of a float64
		cold := d.At(large)
		if cold.Energy != -2*c.n || cold.SpecificHeat != 0 {
			t.Errorf("%s: U = %v, C = %v at large beta", c.name, cold.Energy, cold.SpecificHeat)
		}
		if got, want := cold.LnZ, 2*c.n*large+math.Log(c.q); !near(got, want, 1e-15) {
			t.Errorf("%s: ln Z = %v at large beta, want %v", c.name, got, want)
		}
		// The difference of two numbers of the order beta N.
		if math.Abs(cold.Entropy-math.Log(c.q)) > 4e-16*large*2*c.n {
			t.Errorf("%s: S = %v at large beta, want ln %v", c.name, cold.Entropy, c.q)
		}
	}
}

// TestIsingCriticalEnergy compares with a result that does not come from counting states:
// at the critical point of the Ising model, beta = ln(1+sqrt 2) in the Potts convention, an
// infinite lattice has U/N = -(1 + 1/sqrt 2) (Onsager, Phys. Rev. 65, 117 (1944)), and an L
// x L torus is lower by
//
//	theta2 theta3 theta4/(theta2+theta3+theta4)/L + O(L^-3)
//
// with elliptic theta functions of the nome exp(-pi) (Ferdinand, Fisher, Phys. Rev. 185,
// 832 (1969)).
func TestIsingCriticalEnergy(t *testing.T) {
	var theta2, theta3, theta4 float64
	for n := -5.; n <= 5; n++ {
		theta2 += math.Exp(-math.Pi * (n + 0.5) * (n + 0.5))
		theta3 += math.Exp(-math.Pi * n * n)
		theta4 += math.Cos(math.Pi*n) * math.Exp(-math.Pi*n*n)
	}
	amplitude := theta2 * theta3 * theta4 / (theta2 + theta3 + theta4)
	for _, c := range []struct {
		name string
		l    float64
	}{{"potts_q2_6x6", 6}, {"potts_q2_8x8", 8}, {"potts_q2_16x16", 16}} {
		got := readReference(t, c.name).At(math.Log(1+math.Sqrt2)).Energy / (c.l * c.l)
		want := -(1 + 1/math.Sqrt2) - amplitude/c.l
		if deviation := (got - want) * c.l * c.l * c.l; math.Abs(deviation) > 0.15 {
			t.Errorf("%s: U/N = %.6f at the critical point, want %.6f up to 0.15/L^3; %.2f/L^3 are missing", c.name, got, want, deviation)
		}
	}
}

// TestCanonicalInRationals compares U and C at exp(beta) = 2, 3 and 4 with sums of exact
// integers: Z = sum of g(B) exp(beta)^B over the satisfied bonds B.
func TestCanonicalInRationals(t *testing.T) {
	for _, name := range []string{"potts_q10_5x5", "potts_q10_4x16", "potts_q2_16x16", "potts_q3_6x6"} {
		d := readReference(t, name)
		counts := readCounts(t, name)
		for _, y := range []int64{2, 3, 4} {
			var z, first, second big.Int
			for bonds, g := range counts {
				b := big.NewInt(int64(bonds))
				term := new(big.Int).Exp(big.NewInt(y), b, nil)
				z.Add(&z, term.Mul(term, g))
				first.Add(&first, term.Mul(term, b))
				second.Add(&second, term.Mul(term, b))
			}
			mean, square := new(big.Rat).SetFrac(&first, &z), new(big.Rat).SetFrac(&second, &z)
			u, _ := mean.Float64()
			variance, _ := square.Sub(square, new(big.Rat).Mul(mean, mean)).Float64()
			beta := math.Log(float64(y))
			c := d.At(beta)
			if !near(c.Energy, -u, 1e-12) || !near(c.SpecificHeat, beta*beta*variance, 1e-11) {
				t.Errorf("%s, exp(beta) = %d: U = %v, C = %v, exactly %v, %v", name, y, c.Energy, c.SpecificHeat, -u, beta*beta*variance)
			}
			p, lnZ := d.Distribution(beta)
			sum := 0.0
			for i, e := range d.Energy {
				sum += p[i]
				if want := math.Exp(d.LnG[i] - beta*e - lnZ); !near(p[i], want, 1e-13) {
					t.Errorf("%s: P(%v; %v) = %v, want %v", name, e, beta, p[i], want)
				}
			}
			if lnZ != c.LnZ || !near(sum, 1, 1e-13) {
				t.Errorf("%s: ln Z = %v and %v, the sum of P is %v", name, lnZ, c.LnZ, sum)
			}
		}
	}
}

// readCounts reads the exact number of states by the number of satisfied bonds.
func readCounts(t testing.TB, name string) map[int]*big.Int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "exact", "testdata", name+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[int]*big.Int{}
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[2:] {
		fields := strings.Split(line, ",")
		energy, err := strconv.Atoi(fields[0])
		g, ok := new(big.Int).SetString(fields[1], 10)
		if err != nil || !ok {
			t.Fatalf("%s: %q", name, line)
		}
		counts[-energy] = g
	}
	return counts
}
