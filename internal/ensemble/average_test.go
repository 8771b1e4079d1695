package ensemble

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
)

// TestDisorder averages runs of as many realisations of random_bond and compares with the enumeration of the
// same ones: means within the errors of the runs, spreads and quantiles within what these errors allow,
// and the error of each mean within its relation to the exact spread.
func TestDisorder(t *testing.T) {
	n := long.Or(400, 12)
	m := expand(t, Spec{Set: append(slices.Clone(tiny), fmt.Sprintf("%s=1..%d", DisorderKey, n)), Betas: "0.1..1.5:0.1"})
	all := perform(t, m, t.TempDir())
	r := NewCollector(m).Collect(all)
	p := r.Points[0]
	if len(p.Averaged) != n || len(p.LeftOut) > 0 || p.Runs != n {
		t.Fatalf("%d of %d averaged, %d left out", len(p.Averaged), n, len(p.LeftOut))
	}
	var truth []*curves
	var lowest []float64
	for _, o := range all {
		d := enumerated(t, *o.Disorder, 4, 4)
		c := &curves{values: make([][]float64, len(quantities)), errors: make([][]float64, len(quantities))}
		for k, q := range quantities {
			for _, beta := range m.Betas {
				c.values[k], c.errors[k] = append(c.values[k], q.of(d.At(beta))/16), append(c.errors[k], 0)
			}
		}
		truth, lowest = append(truth, c), append(lowest, d.Energy[0]/16)
	}
	want := averages(truth, m.Betas)
	for k, q := range quantities {
		covered(t, q.name+" of single realisations", n, func(r int) float64 {
			const i = 5 // beta 0.6
			return (p.Averaged[r].curves.values[k][i] - truth[r].values[k][i]) / p.Averaged[r].curves.errors[k][i]
		})
	}
	worst, sum, count := 0., 0., 0
	for k, q := range quantities {
		for i, beta := range m.Betas {
			got, want := p.Averages[k][i], want[k][i]
			z := (got.Mean - want.Mean) / got.Own
			sum, count, worst = sum+z*z, count+1, max(worst, math.Abs(z))
			if math.Abs(z) > 5 {
				t.Errorf("%s at %g: mean %g, exact %g, of which the runs' own error is %g", q.name, beta, got.Mean, want.Mean, got.Own)
			}
			// The spread's own standard error is spread/sqrt(2n) for a normal distribution; the runs add theirs.
			slack := 5 * math.Sqrt(got.Own*got.Own*2+want.Spread*want.Spread*0.02/float64(n))
			if math.Abs(got.Spread-want.Spread) > slack+got.Own {
				t.Errorf("%s at %g: spread %g, exact %g, allowed %g", q.name, beta, got.Spread, want.Spread, slack)
			}
			// The error of the mean is that of the exact values, made larger by the runs' own errors.
			if total := math.Hypot(want.Error, got.Own); math.Abs(got.Error/total-1) > long.Or(0.08, 0.5) {
				t.Errorf("%s at %g: error %g, expected %g", q.name, beta, got.Error, total)
			}
			for j, x := range got.Quantiles {
				if j == 0 || j == len(Levels)-1 {
					continue
				}
				if math.Abs(x-want.Quantiles[j]) > 0.25*want.Spread+5*got.Own*math.Sqrt(float64(n)) {
					t.Errorf("%s at %g: quantile %g is %g, exact %g", q.name, beta, Levels[j], x, want.Quantiles[j])
				}
			}
		}
	}
	t.Logf("%d realisations: means differ from enumeration by %.2f of the runs' own errors (rms), %.2f at most; %d did not converge; shares %v", n, math.Sqrt(sum/float64(count)), worst, len(p.Unconverged), p.ownShare())
	for k, q := range quantities {
		for _, i := range []int{2, 5, 9} {
			a, x := p.Averages[k][i], want[k][i]
			t.Logf("%s at beta %g: %.6f(%.6f, own %.6f), enumerated %.6f; spread %.5f, enumerated %.5f; median %.5f, enumerated %.5f", q.name, m.Betas[i], a.Mean, a.Error, a.Own, x.Mean, a.Spread, x.Spread, a.Quantiles[4], x.Quantiles[4])
		}
	}
	if exactly := average(lowest, make([]float64, n)); p.Lowest.Mean != exactly.Mean || !slices.Equal(p.Lowest.Quantiles, exactly.Quantiles) {
		t.Errorf("lowest energies %+v, exact %+v", p.Lowest, exactly)
	}
	// ln g at each energy that all have.
	for i, e := range p.Energy {
		mean := 0.
		for _, o := range all {
			d := enumerated(t, *o.Disorder, 4, 4)
			at, found := slices.BinarySearch(d.Energy, e)
			if !found {
				t.Fatalf("the realisation %d has no energy %g", *o.Disorder, e)
			}
			mean += d.LnG[at] / float64(n)
		}
		if z := (p.LnG[i].Mean - mean) / p.LnG[i].Own; math.Abs(z) > 5 {
			t.Errorf("ln g at %g: %g, exact %g, %.1f errors", e, p.LnG[i].Mean, mean, z)
		}
	}
	folder := t.TempDir()
	if err := r.Write(folder); err != nil {
		t.Fatal(err)
	}
	for name, rows := range map[string]int{MembersFile: n, AveragesFile: len(m.Betas), QuantilesFile: 3 * len(m.Betas), RealisationsFile: n} {
		f, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if all, err := csv.NewReader(f).ReadAll(); err != nil || len(all) != rows+1 {
			t.Errorf("%s: %d rows of %d, %v", name, len(all)-1, rows, err)
		}
	}
}

// covered checks that deviations in units of their errors are less than one as often as those of a normal
// distribution, within three errors of that rate. An error from some thirty blocks makes it smaller by a
// hundredth, which is allowed beside.
func covered(t *testing.T, what string, n int, deviation func(k int) float64) {
	t.Helper()
	within := 0.
	for k := range n {
		if math.Abs(deviation(k)) < 1 {
			within++
		}
	}
	const nominal = 0.6827
	rate, slack := within/float64(n), 3*math.Sqrt(nominal*(1-nominal)/float64(n))+0.01
	t.Logf("%s: %.3f within one error, nominal %.3f, allowed %.3f either way", what, rate, nominal, slack)
	if math.Abs(rate-nominal) > slack {
		t.Errorf("%s: %.3f are within one error, nominal are %.3f", what, rate, nominal)
	}
}

// TestCouplings averages realisations that are lists of couplings, in a matrix and as run directories, and compares
// with their exact densities.
func TestCouplings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var all []Couplings
	for k := range 5 {
		var list strings.Builder
		list.WriteString("i j J\n")
		for i := range 10 { // a ring with chords
			fmt.Fprintln(&list, i, (i+1)%10, 2*r.IntN(2)-1)
			if i < 5 {
				fmt.Fprintln(&list, i, i+5, 2*r.IntN(2)-1)
			}
		}
		all = append(all, Couplings{fmt.Sprintf("graph-%c", 'a'+k), list.String()})
	}
	set := slices.DeleteFunc(slices.Clone(tiny), func(s string) bool { return strings.HasPrefix(s, "system.") })
	m := expand(t, Spec{Set: append(set, "system.model=file"), Seeds: "1,2", Betas: "0.2,0.6", Couplings: all})
	if m.Len() != 10 || !m.Averages() {
		t.Fatalf("%d members", m.Len())
	}
	outcomes := perform(t, m, t.TempDir())
	p := NewCollector(m).Collect(outcomes).Points[0]
	var truth []*curves
	for _, of := range all {
		c, err := config.Compose(nil, []string{"system.model=file", "system.couplings=" + of.List})
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.System.New()
		if err != nil {
			t.Fatal(err)
		}
		d, err := exact.Density(t.Context(), s, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		curve, err := curvesOf(&dos.Ensemble{Density: d}, m.Betas, 10)
		if err != nil {
			t.Fatal(err)
		}
		truth = append(truth, curve)
	}
	want := averages(truth, m.Betas)
	for k, q := range quantities {
		for i, beta := range m.Betas {
			got := p.Averages[k][i]
			if z := (got.Mean - want[k][i].Mean) / got.Own; !(math.Abs(z) < 5) {
				t.Errorf("%s at %g: mean %g, exact %g, of which the runs' own error is %g", q.name, beta, got.Mean, want[k][i].Mean, got.Own)
			}
		}
	}
	for k, of := range p.Averaged {
		if of.of[0].Title != all[k].Title || of.of[0].Disorder != nil || len(of.of) != 2 {
			t.Errorf("realisation %d is of %+v", k, of.of)
		}
	}
	if table := p.realisationsTable(); table.rows[4][1] != "graph-e" {
		t.Errorf("%q", table.rows)
	}
	var folders []string
	for _, o := range outcomes {
		folders = append(folders, o.Folder)
	}
	alone, _, err := Runs(folders, m.Betas)
	if err != nil {
		t.Fatal(err)
	}
	if got := alone.Points[0]; len(got.Averaged) != 5 || got.Averaged[3].of[1].Title != "graph-d" || math.Abs(got.Averages[1][0].Mean-p.Averages[1][0].Mean) > 1e-12 {
		t.Errorf("of directories: %+v", got.Averages)
	}
	for want, s := range map[string]Spec{
		"same title or list": {Couplings: []Couplings{all[0], all[1], {all[0].Title, all[2].List}}},
		"leave it out":       {Couplings: all[:2], Set: []string{"system.disorder_seed=1,2"}},
		"at most 10000":      {Couplings: all, Seeds: "1..3000"},
	} {
		if _, err := Expand(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// TestCoverage averages groups of realisations, of which each knows its energy exactly, and counts how often
// the mean over very many is within the error of the average.
func TestCoverage(t *testing.T) {
	const size = 40
	groups := long.Or(500, 250)
	values := make([]float64, size*groups)
	for k := range values {
		values[k] = enumerated(t, uint64(k+1), 3, 3).At(0.6).Energy
	}
	exactly := make([]float64, len(values))
	truth := average(values, exactly)
	covered(t, "averages over 40", groups, func(k int) float64 {
		a := average(values[k*size:(k+1)*size], exactly[:size])
		return (a.Mean - truth.Mean) / a.Error
	})
}

// TestOwnShare averages equal realisations: all of the spread is then the error of the runs, and
// what is left of it is small.
func TestOwnShare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	values, errors := make([]float64, 4000), make([]float64, 4000)
	for k := range values {
		errors[k] = 0.1 + 0.1*r.Float64()
		values[k] = 3 + errors[k]*r.NormFloat64()
	}
	a := average(values, errors)
	if math.Abs(a.Mean-3) > 4*a.Own || math.Abs(a.Own/a.Error-1) > 0.05 || a.Spread > 0.03 {
		t.Errorf("%+v", a)
	}
	if one := average(values[:1], errors[:1]); !math.IsNaN(one.Error) || one.Own != errors[0] {
		t.Errorf("%+v", one)
	}
}
