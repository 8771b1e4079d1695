package sampler

import (
	"math"
	"slices"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestGaussianChain hands a chain the mean histograms of its ensembles, made of the exact g: it goes to
// the ground states and to the other end, each ensemble is where it should be, and together they give the
// exact ln g, whatever levels have no states.
func TestGaussianChain(t *testing.T) {
	for _, c := range []struct {
		q, l   int
		name   string
		width  float64
		window lattice.Window // all levels if it is empty
	}{
		{2, 6, "potts_q2_6x6", 0, lattice.Window{}}, {3, 6, "potts_q3_6x6", 2, lattice.Window{}}, {10, 5, "potts_q10_5x5", 0, lattice.Window{}},
		{3, 6, "potts_q3_6x6", 0, lattice.Window{Low: 40, High: 72}}, {3, 6, "potts_q3_6x6", 0, lattice.Window{Low: 0, High: 15}},
	} {
		p := mustPotts(t, c.q, c.l, c.l)
		exact := make([]float64, p.Levels())
		for b := range exact {
			exact[b] = math.Inf(-1)
		}
		d := exactLnG(t, c.name)
		for i, energy := range d.Energy {
			exact[int(-energy)] = d.LnG[i]
		}
		if c.window.High == 0 {
			c.window.High = p.Levels() - 1
		}
		o := Options{System: p, Walkers: 1, Local: local.HeatBath, Adaptation: MultipleGaussian, Gaussians: Gaussians{Width: c.width}}
		o.EnsureDefaults()
		w := newEstimate(&o, c.window, 1)
		g := w.rule.(*gaussians)
		var centres []float64
		for g.stage != combined {
			if len(centres) > 200 {
				t.Fatalf("%s: the chain does not end; it went to %v", c.name, centres)
			}
			centres = append(centres, g.centre)
			most := math.Inf(-1)
			for b := c.window.Low; b <= c.window.High; b++ {
				most = max(most, exact[b]-w.lnWeight[b])
			}
			mean, all := 0.0, 0.0
			for b := c.window.Low; b <= c.window.High; b++ {
				visits := int64(1e12 * math.Exp(exact[b]-w.lnWeight[b]-most))
				w.hist[b] = visits
				w.seen[b] = w.seen[b] || visits > 0
				mean, all = mean+float64(visits)*float64(b), all+float64(visits)
			}
			if mean /= all; math.Abs(mean-g.centre) > 1.6*g.width {
				t.Errorf("%s: the ensemble of level %.1f has the mean level %.1f, its width is %.1f", c.name, g.centre, mean, g.width)
			}
			w.sumUp()
			g.counting = true
			if changed, ended := g.step(w, g.each); !changed || !ended {
				t.Fatal("an ensemble did not end")
			}
		}
		if high := float64(c.window.High); centres[len(centres)-1] > float64(c.window.Low)+2 || !slices.Contains(centres, high) {
			t.Errorf("%s: the chain went to %.1f, not to both ends of the %v", c.name, centres, c.window)
		}
		shift, first := 0.0, true
		for b := c.window.Low; b <= c.window.High; b++ {
			if math.IsInf(exact[b], -1) {
				continue
			}
			if first {
				shift, first = w.lnG[b]-exact[b], false
			}
			if diff := w.lnG[b] - exact[b] - shift; math.Abs(diff) > 1e-3 || !w.seen[b] {
				t.Errorf("%s: ln g of level %d is wrong by %g", c.name, b, diff)
			}
		}
	}
}

// TestSlopeAhead fits lines.
func TestSlopeAhead(t *testing.T) {
	lnG := []float64{9, 1, 3, 5, 7, 100}
	visits := []float64{0, 5, 1, 7, 2, 0}
	for _, ahead := range []float64{1, -1} {
		if slope := slopeAhead(lnG, visits, 2.4, ahead, 0); math.Abs(slope-2) > 1e-9 {
			t.Errorf("slope %g, want 2", slope)
		}
		if slope := slopeAhead(lnG, []float64{0, 0, 4, 0, 0, 0}, 2, ahead, -3); slope != -3 {
			t.Errorf("slope %g of one level, want the former one", slope)
		}
	}
}
