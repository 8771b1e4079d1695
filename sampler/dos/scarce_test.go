package dos_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/sampler/dos"
)

// TestScarceTransitions has levels so narrow that two thirds, or one, of the pairs have a handful of transitions, fewer
// upward than downward in ln g. Logarithms of the numbers alone would be off by some ten and three errors.
func TestScarceTransitions(t *testing.T) {
	for _, visits := range []float64{40000, 640000} {
		testScarceTransitions(t, visits)
	}
}

// narrow are levels of which many pairs have few transitions, each in blocks with so many visits to a level in all.
func narrow(r *rand.Rand, levels, blocks int, visits float64) (energy, lnG []float64, changes []int, counts [][]int64) {
	const slope = 0.1
	reach := 7 * levels / 10
	for change := -reach; change <= reach; change++ {
		changes = append(changes, change)
	}
	energy, lnG = make([]float64, levels), make([]float64, levels)
	counts = make([][]int64, blocks)
	for b := range counts {
		counts[b] = make([]int64, levels*len(changes))
	}
	for i := range levels {
		energy[i], lnG[i] = -float64(i), -slope*float64(i)
		left := 1.0
		for k, change := range changes {
			if j := i + change; change != 0 && j >= 0 && j < levels {
				rate := 0.004 * math.Exp(-0.03*math.Abs(float64(change))+min(0, -slope*float64(change)))
				left -= rate
				for b := range counts {
					counts[b][i*len(changes)+k] = poisson(r, visits/float64(blocks)*rate)
				}
			}
		}
		for b := range counts {
			counts[b][i*len(changes)+reach] = int64(left * visits / float64(blocks))
		}
	}
	return energy, lnG, changes, counts
}

// TestNarrowLevels repeats estimates from so many transitions that one pair of levels in 14 has less than 32 one way, and
// finds no bias. That of the least squares of logarithms is 0.4 errors more.
func TestNarrowLevels(t *testing.T) {
	const levels, repetitions, visits = 40, 80, 2e5
	sum, square := 0.0, 0.0
	for seed := range uint64(repetitions) {
		energy, lnG, changes, counts := narrow(rand.New(rand.NewPCG(5, seed)), levels, 1, visits)
		d, err := dos.FromTransitions(energy, changes, counts, dos.LogSumExp(lnG))
		if err != nil {
			t.Fatal(err)
		}
		off := d.LnG[levels-1] - lnG[0] - (d.LnG[0] - lnG[levels-1])
		sum += off / repetitions
		square += off * off / repetitions
	}
	scatter := math.Sqrt(square - sum*sum)
	t.Logf("ln g from end to end is off by %.4f on average, with a scatter of %.4f", sum, scatter)
	if math.Abs(sum) > 4*scatter/math.Sqrt(repetitions) {
		t.Errorf("a bias of %.2f errors", sum/scatter)
	}
}

func testScarceTransitions(t *testing.T, visits float64) {
	const levels = 100
	energy, lnG, changes, counts := narrow(rand.New(rand.NewPCG(1, 2)), levels, 32, visits)
	total := dos.LogSumExp(lnG)
	d, err := dos.FromTransitions(energy, changes, counts, total)
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := dos.FromPinnedTransitions(energy, changes, counts, total, []dos.Pin{{Level: levels - 1, LnG: lnG[levels-1]}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*dos.Ensemble{"free": d, "pinned": pinned.Ensemble} {
		most, square := 0.0, 0.0
		for i, energy := range e.Energy {
			if e.Error[i] > 0 {
				z := (e.LnG[i] - lnG[int(-energy)]) / e.Error[i]
				most = max(most, math.Abs(z))
				square += z * z / levels
			}
		}
		t.Logf("%g visits, %s: off by %.1f errors at most, %.1f (rms)", visits, name, most, math.Sqrt(square))
		if e.Len() != levels || most > 4 || square > 4 {
			t.Errorf("%g visits, %s: %d levels", visits, name, e.Len())
		}
	}
}

// TestScarcePair has a single pair of levels: a half is added to its transitions either way.
func TestScarcePair(t *testing.T) {
	const there, back, low, high = 10, 3, 400, 700
	block := []int64{0, low - there, there, back, high - back, 0}
	d, err := dos.FromTransitions([]float64{0, 1}, []int{-1, 0, 1}, [][]int64{block}, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := math.Log((there+0.5)/low) - math.Log((back+0.5)/high)
	if got := d.LnG[1] - d.LnG[0]; math.Abs(got-want) > 1e-5 {
		t.Errorf("ln g differ by %g, expected %g", got, want)
	}
}
