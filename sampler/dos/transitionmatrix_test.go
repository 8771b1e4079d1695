package dos_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// chain makes exact transition probabilities for a given ln g: from each level to those at
// most two away, in detailed balance with g.
func chain(lnG []float64) (energy []float64, rates []float64) {
	const steps = 5
	energy = make([]float64, len(lnG))
	rates = make([]float64, len(lnG)*steps)
	for i := range lnG {
		energy[i] = -float64(i)
		rest := 1.0
		for change := -2; change <= 2; change++ {
			j := i + change
			if change == 0 || j < 0 || j >= len(lnG) || math.IsInf(lnG[i], -1) || math.IsInf(lnG[j], -1) {
				continue
			}
			p := 0.2 * math.Min(1, math.Exp(lnG[j]-lnG[i])) // Metropolis towards g
			rates[i*steps+change+2] = p
			rest -= p
		}
		rates[i*steps+2] = rest
	}
	return energy, rates
}

// exampleLnG returns ln g with a gap, as real systems have.
func exampleLnG() []float64 {
	lnG := []float64{0, 2, 3.5, 4, math.Inf(-1), 4.5, 3, 1.5, 0.5, -1}
	return lnG
}

// TestTransitionsExact recovers ln g from exact transition probabilities.
func TestTransitionsExact(t *testing.T) {
	lnG := exampleLnG()
	energy, rates := chain(lnG)
	block := make([]int64, len(rates))
	for i, p := range rates {
		block[i] = int64(p * 1e15)
	}
	e, err := dos.FromTransitions(energy, []int{-2, -1, 0, 1, 2}, [][]int64{block}, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := &dos.Density{}
	for i := len(lnG) - 1; i >= 0; i-- {
		if !math.IsInf(lnG[i], -1) {
			want.Energy, want.LnG = append(want.Energy, energy[i]), append(want.LnG, lnG[i])
		}
	}
	d, err := dos.Compare(e.Density, want)
	if err != nil || d.Max > 1e-9 || len(d.MissingA) > 0 {
		t.Errorf("difference %+v, %v", d, err)
	}
	if total := dos.LogSumExp(e.LnG); math.Abs(total-3) > 1e-12 {
		t.Errorf("ln of the sum of g is %v, want 3", total)
	}
	if !math.IsNaN(e.Error[0]) {
		t.Errorf("an error %v from one block", e.Error[0])
	}
}

// TestTransitionsErrors repeats an estimate from random counts and checks that its
// deviations match its errors.
func TestTransitionsErrors(t *testing.T) {
	lnG := exampleLnG()
	energy, rates := chain(lnG)
	want := dos.LogSumExp(lnG)
	r := rand.New(rand.NewPCG(81, 82))
	square, count := 0.0, 0.0
	for range 200 {
		blocks := make([][]int64, 32)
		for k := range blocks {
			blocks[k] = make([]int64, len(rates))
			for i, p := range rates {
				mean := 400 * p
				blocks[k][i] = int64(math.Max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
			}
		}
		e, err := dos.FromTransitions(energy, []int{-2, -1, 0, 1, 2}, blocks, want)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range e.Energy {
			z := (e.LnG[i] - lnG[int(-x)]) / e.Error[i]
			square += z * z
			count++
		}
	}
	// Correlated within a repetition: 200 independent ones make 10 % at one sigma.
	if mean := square / count; mean < 0.75 || mean > 1.35 {
		t.Errorf("mean square deviation is %.2f errors squared", mean)
	}
}

// TestTransitionsBulk omits levels connected to the rest only one way, and refuses counts
// without two connected levels.
func TestTransitionsBulk(t *testing.T) {
	lnG := exampleLnG()
	energy, rates := chain(lnG)
	block := make([]int64, len(rates))
	for i, p := range rates {
		block[i] = int64(p * 1000)
	}
	for i := range 5 {
		block[9*5+i] = 0 // the last level was reached and never left
	}
	e, err := dos.FromTransitions(energy, []int{-2, -1, 0, 1, 2}, [][]int64{block, block}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if e.Len() != 8 || e.Energy[0] != -8 {
		t.Errorf("levels %v, want all but -9 and -4", e.Energy)
	}
	if _, err := dos.FromTransitions(energy, []int{-2, -1, 0, 1, 2}, [][]int64{make([]int64, len(rates))}, 0); err == nil || !strings.Contains(err.Error(), "no two levels") {
		t.Errorf("nothing counted: %v", err)
	}
	if _, err := dos.FromTransitions(energy, []int{-2, -1, 0, 1, 2}, [][]int64{{1}}, 0); err == nil || !strings.Contains(err.Error(), "block 0") {
		t.Errorf("a short block: %v", err)
	}
}
