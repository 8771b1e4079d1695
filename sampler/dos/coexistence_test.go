package dos

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// phases returns a density of states whose P(E; beta) at beta is the sum of two Gaussians
// of standard deviation s about the energies a < b, with the given weight of the former
// relative to the latter. It omits levels that keep rejects.
func phases(beta, a, b, s, weight float64, keep func(e int) bool) *Density {
	d := &Density{}
	for e := int(a - 12*s); e <= int(b+12*s); e++ {
		if x, y := (float64(e)-a)/s, (float64(e)-b)/s; keep(e) {
			d.Energy = append(d.Energy, float64(e))
			d.LnG = append(d.LnG, beta*float64(e)+LogSumExp([]float64{math.Log(weight) - x*x/2, -y * y / 2}))
		}
	}
	return d
}

// TestCoexistenceOfGaussians: for two Gaussians all results are known, except the effect of
// the finite resolution, which adds width^2/9 to their variance, on the height between
// them.
func TestCoexistenceOfGaussians(t *testing.T) {
	const beta, a, b, s, width = 1.25, -300., -180., 24., 8.
	all := func(int) bool { return true }
	even := func(e int) bool { return e%2 == 0 }
	for _, c := range []struct {
		name   string
		weight float64
		keep   func(int) bool
		noise  float64
		start  float64
	}{
		{"equal", 1, all, 0, beta},
		{"equal, from afar", 1, all, 0, beta + 0.04},
		{"even levels", 1, even, 0, beta},
		{"seven to one", 7, all, 0, beta},
		{"noise", 1, all, 0.05, beta},
	} {
		d := phases(beta, a, b, s, c.weight, c.keep)
		r := rand.New(rand.NewPCG(3, 4))
		for i := range d.LnG {
			d.LnG[i] += c.noise * r.NormFloat64()
		}
		got, err := d.Coexistence(c.start, width, 10)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		// A change of beta by x moves the peaks by -s^2 x and changes the ratio of the
		// weights by exp((b-a) x).
		shift := -math.Log(c.weight) / (b - a)
		blurred := s*s + width*width/9
		barrier := (b-a)*(b-a)/(8*blurred) - math.Ln2
		tolerance := 1e-6 + c.noise
		for _, x := range []struct {
			name                 string
			got, want, tolerance float64
		}{
			{"equal height", got.EqualHeight, beta + shift, 1e-5 + 0.01*tolerance},
			{"equal weight", got.EqualWeight, beta + shift, 1e-5 + 0.01*tolerance},
			{"state weight", got.StateWeight, beta + shift + math.Log(10)/(b-a), 4e-4 + 0.01*tolerance},
			{"ordered", got.Ordered, a - s*s*shift, 0.5 + 40*tolerance},
			{"disordered", got.Disordered, b - s*s*shift, 0.5 + 40*tolerance},
			{"latent heat", got.LatentHeat, b - a, 1 + 60*tolerance},
			{"minimum", got.Minimum, (a + b) / 2, 0.5 + 60*tolerance + 600*math.Abs(shift)},
			{"barrier", got.Barrier, barrier, 0.05 + tolerance},
		} {
			if !(math.Abs(x.got-x.want) <= x.tolerance) {
				t.Errorf("%s: %s = %.6f, want %.6f±%.6f", c.name, x.name, x.got, x.want, x.tolerance)
			}
		}
	}
}

// TestCoexistenceByScan compares with a scan: at the returned temperature the smoothed
// distribution has two maxima of the same height, up to the deviation of the fitted
// parabolas, and the weights left and right of the minimum have the right ratio.
func TestCoexistenceByScan(t *testing.T) {
	const q, width = 10., 6.
	for _, name := range []string{"potts_q10_4x4", "potts_q10_5x5", "potts_q10_4x16"} {
		d := readReference(t, name)
		c, err := d.Coexistence(1.35, width, q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		height := func(beta, e float64) float64 {
			sum := 0.0
			for i, level := range d.Energy {
				if u := (level - e) / width; math.Abs(u) < 1 {
					sum += math.Exp(d.LnG[i]-beta*level-d.At(beta).LnZ) * math.Pow(1-u*u, 2)
				}
			}
			return math.Log(sum)
		}
		// The highest points on either side of the lowest point between the phases.
		left, right := math.Inf(-1), math.Inf(-1)
		leftAt, rightAt := 0.0, 0.0
		for e := d.Energy[0]; e <= d.Energy[d.Len()-1]; e += 0.25 {
			h := height(c.EqualHeight, e)
			if e < c.Minimum && h > left {
				left, leftAt = h, e
			}
			if e > c.Minimum && h > right {
				right, rightAt = h, e
			}
		}
		lowest, lowestAt := math.Inf(1), 0.0
		for e := leftAt; e <= rightAt; e += 0.25 {
			if h := height(c.EqualHeight, e); h < lowest {
				lowest, lowestAt = h, e
			}
		}
		t.Logf("%s: %+v; by scan peaks at %.2f (%.4f) and %.2f (%.4f), minimum at %.2f (%.4f)", name, c, leftAt, left, rightAt, right, lowestAt, lowest)
		if math.Abs(left-right) > 0.05 || math.Abs((left+right)/2-lowest-c.Barrier) > 0.05 {
			t.Errorf("%s: heights %.3f, %.3f and %.3f between, the barrier is %.3f", name, left, right, lowest, c.Barrier)
		}
		if math.Abs(c.Ordered-leftAt) > width || math.Abs(c.Disordered-rightAt) > width || math.Abs(c.Minimum-lowestAt) > width {
			t.Errorf("%s: %+v, by scan %.2f, %.2f, %.2f", name, c, leftAt, lowestAt, rightAt)
		}
		for _, x := range []struct{ beta, ratio float64 }{{c.EqualWeight, 1}, {c.StateWeight, q}} {
			p, _ := d.Distribution(x.beta)
			ordered := 0.0
			for i, e := range d.Energy {
				switch {
				case e <= c.Cut()-width/2:
					ordered += p[i]
				case e < c.Cut()+width/2:
					ordered += p[i] * (c.Cut() + width/2 - e) / width
				}
			}
			if got := ordered / (1 - ordered); !near(got, x.ratio, 1e-9) {
				t.Errorf("%s: the ratio of weights at %v is %v, want %v", name, x.beta, got, x.ratio)
			}
		}
	}
}

// TestNoCoexistence checks that there is no result without a double peak, with noise, and
// for a spectrum of one level or two close ones.
func TestNoCoexistence(t *testing.T) {
	one := &Density{Energy: []float64{-5}, LnG: []float64{1}}
	near := &Density{Energy: []float64{-10, -5}, LnG: []float64{1, 6}}
	for name, d := range map[string]*Density{"one level": one, "two levels": near} {
		if c, err := d.Coexistence(1, 6, 2); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	r := rand.New(rand.NewPCG(8, 9))
	for _, name := range []string{"potts_q2_4x4", "potts_q2_6x6", "potts_q2_8x8", "potts_q2_16x16", "potts_q3_4x4", "potts_q3_5x5", "potts_q3_6x6", "potts_q3_4x16"} {
		d := readReference(t, name)
		maximum, err := d.HeatMaximum([]float64{0.3, 0.7, 0.8, 0.9, 1, 1.1, 1.5})
		if err != nil {
			t.Fatal(err)
		}
		width := max(6, math.Sqrt(-d.Energy[0]/2)/2)
		for k := range 50 {
			c, err := d.Coexistence(maximum.Beta, width, 2)
			if err == nil || !strings.Contains(err.Error(), "only one peak") {
				t.Fatalf("%s, trial %d: %+v, %v", name, k, c, err)
			}
			d = readReference(t, name)
			for i := range d.LnG {
				d.LnG[i] += 0.03 * r.NormFloat64()
			}
		}
	}
}

// TestCoexistenceSignificance checks that a shallow minimum is not accepted with the noise
// of few visits.
func TestCoexistenceSignificance(t *testing.T) {
	d := phases(1, -60, -30, 12.5, 1, func(int) bool { return true })
	exact, err := d.Coexistence(1, 6, 2)
	if err != nil || !(exact.Barrier > 0 && exact.Barrier < 0.1) {
		t.Fatalf("the example should have a shallow minimum: %+v, %v", exact, err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	if c, _, err := synthetic(t, r, d, 32, 3000).Coexistence(1, 6, 2); err == nil {
		t.Errorf("few visits: %+v", c)
	} else {
		t.Log(err)
	}
	c, e, err := synthetic(t, r, d, 32, 300_000).Coexistence(1, 6, 2)
	if err != nil || math.Abs(c.Barrier-exact.Barrier) > 5*e.Barrier {
		t.Errorf("many visits: barrier %v(%v), exact %v: %v", c.Barrier, e.Barrier, exact.Barrier, err)
	}
}
