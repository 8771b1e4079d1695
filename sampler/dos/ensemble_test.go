package dos

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"neuralwl/internal/long"
)

// TestEstimate computes the jackknife of a ratio of visits and of ln g by hand.
func TestEstimate(t *testing.T) {
	e, err := FromHistograms([]float64{0, -1}, []float64{0, 0}, [][]int64{{20, 10}, {17, 12}, {30, 7}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Replicas) != 3 {
		t.Fatalf("%d replicas", len(e.Replicas))
	}
	ratio := func(d *Density) ([]float64, error) {
		return []float64{math.Exp(d.LnG[0] - d.LnG[1]), d.LnG[0]}, nil
	}
	values, deviations, err := e.Estimate(ratio)
	if err != nil {
		t.Fatal(err)
	}
	x := []float64{19. / 47, 17. / 50, 22. / 37} // with each block omitted
	mean := (x[0] + x[1] + x[2]) / 3
	variance := 0.0
	for _, v := range x {
		variance += 2. / 3 * (v - mean) * (v - mean)
	}
	if !near(values[0], 29./67, 1e-14) || !near(deviations[0], math.Sqrt(variance), 1e-13) {
		t.Errorf("ratio %v(%v), by hand %v(%v)", values[0], deviations[0], 29./67, math.Sqrt(variance))
	}
	if values[1] != e.LnG[0] || !near(deviations[1], e.Error[0], 1e-13) {
		t.Errorf("ln g = %v(%v), the density has %v(%v)", values[1], deviations[1], e.LnG[0], e.Error[0])
	}

	failure := errors.New("no such thing")
	_, _, err = e.Estimate(func(d *Density) ([]float64, error) {
		if d == e.Replicas[1] {
			return nil, failure
		}
		return ratio(d)
	})
	if !errors.Is(err, failure) || !strings.Contains(err.Error(), "block 2 of 3") {
		t.Errorf("a replica fails: %v", err)
	}
	if _, _, err = e.Estimate(func(*Density) ([]float64, error) { return nil, failure }); err != failure {
		t.Errorf("the estimate fails: %v", err)
	}
}

// TestReplicasWithoutLevel: a level visited by one block alone is absent from that block's
// replica, whose averages are those of the other levels and stay finite.
func TestReplicasWithoutLevel(t *testing.T) {
	e, err := FromHistograms([]float64{-2, -1, 0}, make([]float64, 3), [][]int64{{3, 9, 8}, {0, 8, 9}, {0, 9, 7}}, 5)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(e.Replicas[0].Energy, []float64{-1, 0}) || !slices.Equal(e.Replicas[1].Energy, e.Energy) {
		t.Errorf("levels of the replicas %v, %v", e.Replicas[0].Energy, e.Replicas[1].Energy)
	}
	for _, d := range e.Replicas {
		if got := LogSumExp(d.LnG); !near(got, 5, 1e-14) {
			t.Errorf("the sum of g is exp(%v) in a replica", got)
		}
	}
	if !math.IsNaN(e.Error[0]) || !(e.Error[1] > 0) {
		t.Errorf("errors %v", e.Error)
	}
	for _, c := range canonical(t, e, -1, 0.5, 30) {
		for _, x := range []float64{c.EnergyError, c.SpecificHeatError, c.FreeEnergyError, c.EntropyError} {
			if !(x > 0) || math.IsInf(x, 0) {
				t.Errorf("%+v", c)
			}
		}
	}
	// The others have more levels and an offset. Only new levels are filled in.
	filled := e.Fill(&Density{Energy: []float64{-3, -2, -1, 0}, LnG: []float64{100, 101, 103, 103}})
	if !slices.Equal(filled, []float64{-3}) {
		t.Errorf("filled %v", filled)
	}
	for i, want := range [][]float64{{-3, -1, 0}, {-3, -2, -1, 0}, {-3, -2, -1, 0}} {
		// ln g(-3) follows the nearest level that the replica has.
		r, below := e.Replicas[i], []float64{3, 1, 1}[i]
		if !slices.Equal(r.Energy, want) || !near(r.LnG[0], r.LnG[1]-below, 1e-13) {
			t.Errorf("replica %d: %v %v", i, r.Energy, r.LnG)
		}
	}
	e.Normalise(7)
	for _, d := range append(e.Replicas, e.Density) {
		if got := LogSumExp(d.LnG); !near(got, 7, 1e-14) {
			t.Errorf("normalised to exp(%v)", got)
		}
	}
}

func canonical(t *testing.T, e *Ensemble, betas ...float64) []CanonicalEstimate {
	t.Helper()
	estimates, err := e.Canonical(betas)
	if err != nil {
		t.Fatal(err)
	}
	return estimates
}

// TestOmissions omits blocks together: every one once, in ranges of nearly the same length.
func TestOmissions(t *testing.T) {
	for _, c := range []struct{ blocks, levels, want int }{
		{1, 100, 1}, {32, 1 << 24, 32}, {256, 100, 256}, {256, 120_000, 34}, {256, 1 << 24, 32}, {100, 1 << 24, 32},
	} {
		ranges := omissions(c.blocks, c.levels)
		if len(ranges) != c.want {
			t.Errorf("%+v: %d replicas", c, len(ranges))
		}
		next := 0
		for _, r := range ranges {
			if n := r[1] - r[0]; r[0] != next || n < c.blocks/c.want || n > c.blocks/c.want+1 {
				t.Errorf("%+v: range %v", c, r)
			}
			next = r[1]
		}
		if next != c.blocks {
			t.Errorf("%+v: %d blocks are omitted", c, next)
		}
	}
}

// TestDeadline refuses what would take too long, before and while it is made.
func TestDeadline(t *testing.T) {
	e := &Ensemble{Density: &Density{}, Replicas: make([]*Density, 40)}
	slow := func(took time.Duration) func(*Density) ([]float64, error) {
		return func(*Density) ([]float64, error) {
			time.Sleep(took)
			return []float64{1}, nil
		}
	}
	if _, _, err := e.Estimate(slow(time.Millisecond)); err != nil {
		t.Error(err)
	}
	e.Deadline = time.Now().Add(time.Hour)
	if _, _, err := e.Estimate(slow(time.Millisecond)); err != nil {
		t.Error(err)
	}
	calls := atomic.Int32{}
	e.Deadline = time.Now().Add(50 * time.Millisecond)
	if _, _, err := e.Estimate(func(*Density) ([]float64, error) {
		calls.Add(1)
		time.Sleep(30 * time.Millisecond * time.Duration(runtime.GOMAXPROCS(0)))
		return []float64{1}, nil
	}); err != ErrTime || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	calls.Store(0)
	e.Deadline = time.Now().Add(50 * time.Millisecond)
	if _, _, err := e.Estimate(func(*Density) ([]float64, error) {
		if calls.Add(1) > 1 { // longer than the first one said
			time.Sleep(20 * time.Millisecond * time.Duration(runtime.GOMAXPROCS(0)))
		}
		return []float64{1}, nil
	}); err != ErrTime || calls.Load() == 41 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	if _, err := e.Canonical(nil); err != ErrTime {
		t.Error(err)
	}
}

func TestEnsembleWithoutErrors(t *testing.T) {
	for _, blocks := range [][][]int64{{{1, 2}}, {{1, 2}, {0, 0}}} {
		e, err := FromHistograms([]float64{-1, 0}, make([]float64, 2), blocks, 0)
		if err != nil {
			t.Fatal(err)
		}
		c := canonical(t, e, 1)[0]
		if len(e.Replicas) != 0 || !math.IsNaN(c.EnergyError) || c.Energy != e.At(1).Energy {
			t.Errorf("blocks %v: %+v", blocks, c)
		}
	}
}

// synthetic estimates a density of states from flat histograms of its levels, drawn
// independently.
func synthetic(t testing.TB, r *rand.Rand, exact *Density, blocks, visits int) *Ensemble {
	t.Helper()
	e, err := FromHistograms(exact.Energy, exact.LnG, syntheticBlocks(r, exact, blocks, visits), LogSumExp(exact.LnG))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func syntheticBlocks(r *rand.Rand, exact *Density, blocks, visits int) [][]int64 {
	cumulative := visited(exact.LnG, exact.LnG)
	hist := make([][]int64, blocks)
	for k := range hist {
		hist[k] = make([]int64, exact.Len())
		multinomial(r, hist[k], cumulative, visits)
	}
	return hist
}

// TestCoverage repeats estimates of exactly known systems from synthetic histograms.
// Deviations in units of the quoted errors must follow Student's distribution with one
// degree of freedom fewer than there are blocks: the fraction within one and two errors may
// differ by five standard deviations of a binomial.
func TestCoverage(t *testing.T) {
	const blocks = 32
	repetitions := long.Or(125., 50)
	coexistence := func(d *Density) []float64 {
		c, err := d.Coexistence(1.34, 6, 10)
		if err != nil {
			t.Fatal(err)
		}
		return []float64{c.EqualHeight, c.EqualWeight, c.StateWeight, c.LatentHeat, c.Barrier}
	}
	betas := []float64{1, 1.3, 1.345, 1.5}
	exact := readReference(t, "potts_q10_5x5")
	truth := slices.Clone(exact.LnG)
	names := slices.Repeat([]string{"ln g"}, exact.Len())
	for _, beta := range betas {
		c := exact.At(beta)
		truth = append(truth, c.Energy, c.SpecificHeat, c.FreeEnergy(), c.Entropy)
		names = append(names, "U", "C", "F", "S")
	}
	maximum, err := exact.HeatMaximum(betas)
	if err != nil {
		t.Fatal(err)
	}
	zero, err := exact.LeadingZero()
	if err != nil {
		t.Fatal(err)
	}
	truth = append(truth, maximum.Beta, maximum.Height, real(zero), imag(zero))
	names = append(names, "beta of the maximum", "maximum of C", "Re of the zero", "Im of the zero")
	truth = append(truth, coexistence(exact)...)
	names = append(names, "equal height", "equal weight", "state weight", "latent heat", "barrier")

	within := make([][2]float64, len(truth))
	r := rand.New(rand.NewPCG(5, 6))
	for range int(repetitions) {
		e := synthetic(t, r, exact, blocks, 2000)
		values, deviations := slices.Clone(e.LnG), slices.Clone(e.Error)
		for _, c := range canonical(t, e, betas...) {
			values = append(values, c.Energy, c.SpecificHeat, c.FreeEnergy(), c.Entropy)
			deviations = append(deviations, c.EnergyError, c.SpecificHeatError, c.FreeEnergyError, c.EntropyError)
		}
		m, me, err := e.HeatMaximum(betas)
		z, ze, zeroErr := e.LeadingZero()
		c, ce, coexistenceErr := e.Coexistence(m.Beta, 6, 10)
		if err := errors.Join(err, zeroErr, coexistenceErr); err != nil {
			t.Fatal(err)
		}
		values = append(values, m.Beta, m.Height, real(z), imag(z), c.EqualHeight, c.EqualWeight, c.StateWeight, c.LatentHeat, c.Barrier)
		deviations = append(deviations, me.Beta, me.Height, real(ze), imag(ze), ce.EqualHeight, ce.EqualWeight, ce.StateWeight, ce.LatentHeat, ce.Barrier)
		for i := range truth {
			for n := range within[i] {
				if math.Abs(values[i]-truth[i]) <= float64(n+1)*deviations[i] {
					within[i][n] += 1 / repetitions
				}
			}
		}
	}
	student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: blocks - 1}
	for i := range truth {
		for n, got := range within[i] {
			p := 1 - 2*student.Survival(float64(n+1))
			if math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/repetitions) {
				t.Errorf("%s = %v: %.3f of the estimates are within %d errors, want %.3f", names[i], truth[i], got, n+1, p)
			}
		}
		if i >= exact.Len() {
			t.Logf("%s = %.6g: %.3f within one error, %.3f within two", names[i], truth[i], within[i][0], within[i][1])
		}
	}
}
