package dos_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
)

// noisy makes blocks of counts that scatter about rates. Each block's rates between two levels are
// off by a factor that is common to a stretch of levels, and by its inverse the other way: visits
// that follow each other scatter like that. slow is the size of it by level.
func noisy(r *rand.Rand, rates []float64, blocks int, mean float64, slow func(level int) float64) [][]int64 {
	all := make([][]int64, blocks)
	for k := range all {
		all[k] = make([]int64, len(rates))
		tilt := r.NormFloat64()
		for level := range len(rates) / 5 {
			rest := int64(mean)
			for change := -2; change <= 2; change++ {
				i := level*5 + change + 2
				if change == 0 || rates[i] == 0 {
					continue
				}
				m := mean * rates[i] * math.Exp(tilt*math.Sqrt(slow(level)*slow(level+change))*float64(change))
				all[k][i] = int64(math.Max(0, math.Round(m+math.Sqrt(m)*r.NormFloat64())))
				rest -= all[k][i]
			}
			all[k][level*5+2] = max(0, rest)
		}
	}
	return all
}

// hill is ln g of 24 levels.
func hill() []float64 {
	lnG := make([]float64, 24)
	for b := range lnG {
		lnG[b] = 9 - 0.09*float64((b-10)*(b-10))
	}
	return lnG
}

// TestPinnedExact recovers ln g from exact transition probabilities, whatever the pins.
func TestPinnedExact(t *testing.T) {
	lnG := exampleLnG()
	energy, rates := chain(lnG)
	block := make([]int64, len(rates))
	for i, p := range rates {
		block[i] = int64(p * 1e15)
	}
	total := dos.LogSumExp(lnG)
	for _, pins := range [][]dos.Pin{nil, {{9, lnG[9]}}, {{9, lnG[9]}, {8, lnG[8]}}, {{4, 1}}, {{0, lnG[0]}, {9, lnG[9]}}} {
		p, err := dos.FromPinnedTransitions(energy, []int{-2, -1, 0, 1, 2}, [][]int64{block}, total, pins, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Len() != 9 {
			t.Fatalf("%d levels, want 9", p.Len())
		}
		for i, e := range p.Energy {
			if want := lnG[int(-e)]; math.Abs(p.LnG[i]-want) > 1e-9 {
				t.Errorf("pins %v: ln g(%g) = %.12f, want %.12f", pins, e, p.LnG[i], want)
			}
		}
	}
}

// TestPinned repeats an estimate from counts that scatter more than independent ones within a few
// levels: with both ends known its errors are smaller, and are as its deviations say.
func TestPinned(t *testing.T) {
	lnG := hill()
	energy, rates := chain(lnG)
	total := dos.LogSumExp(lnG)
	slow := func(level int) float64 {
		if level >= 15 && level < 19 {
			return 0.3
		}
		return 0.01
	}
	r := rand.New(rand.NewPCG(7, 8))
	var free, pinned, z, freeZ, count float64
	repetitions := long.Or(100, 30)
	for range repetitions {
		blocks := noisy(r, rates, 32, 2000, slow)
		p, err := dos.FromPinnedTransitions(energy, []int{-2, -1, 0, 1, 2}, blocks, total, []dos.Pin{{Level: 23, LnG: lnG[23]}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.Len() != len(lnG) || p.Error[0] != 0 {
			t.Fatalf("%d levels, error %v of the one that is known", p.Len(), p.Error[0])
		}
		if p.Inflation[17] < 3*p.Inflation[8] {
			t.Errorf("inflation %.2f where counts follow each other, %.2f elsewhere", p.Inflation[17], p.Inflation[8])
		}
		freeZ += p.Deviations[0] * p.Deviations[0] / float64(repetitions)
		for i, e := range p.Energy {
			if p.Error[i] == 0 {
				continue
			}
			off, freeOff := p.LnG[i]-lnG[int(-e)], p.Free.LnG[i]-lnG[int(-e)]
			free += freeOff * freeOff
			pinned += off * off
			z += off * off / (p.Error[i] * p.Error[i])
			count++
		}
	}
	t.Logf("rms deviation %.4f, without pins %.4f; mean square in errors %.2f; of the pinned level before %.2f", math.Sqrt(pinned/count), math.Sqrt(free/count), z/count, freeZ)
	if pinned > free/4 {
		t.Errorf("rms deviation %.4f, without pins %.4f", math.Sqrt(pinned/count), math.Sqrt(free/count))
	}
	more := math.Sqrt(200 / float64(repetitions)) // the levels of one repetition are correlated
	if z/count < 1-0.25*more || z/count > 1+0.35*more {
		t.Errorf("mean square deviation is %.2f errors squared", z/count)
	}
	if freeZ < 1-0.3*more || freeZ > 1+0.4*more {
		t.Errorf("the pinned level was off by %.2f errors squared before", freeZ)
	}
}

// TestSmallCounts measures the bias that logarithms of small counts leave in ln g, from independent
// Poisson counts of which the rarest transition between neighbouring levels has ten or forty: it is
// within half of the variance for the free estimate, and within a fifth of an error with the end known.
func TestSmallCounts(t *testing.T) {
	lnG := hill()
	energy, rates := chain(lnG)
	total := dos.LogSumExp(lnG)
	r := rand.New(rand.NewPCG(17, 18))
	const end = 23
	for _, visits := range []float64{500, 2000} {
		least := math.Inf(1)
		for level := range end {
			least = min(least, visits*rates[level*5+3], visits*rates[(level+1)*5+1])
		}
		runs := long.Or(500, 60)
		var bias, square, pinnedBias, pinnedSquare [end + 1]float64
		made := 0.0
		for range runs {
			blocks := make([][]int64, 32)
			for k := range blocks {
				blocks[k] = make([]int64, len(rates))
				for i, p := range rates {
					blocks[k][i] = poisson(r, visits*p/float64(len(blocks)))
				}
			}
			p, err := dos.FromPinnedTransitions(energy, []int{-2, -1, 0, 1, 2}, blocks, total, []dos.Pin{{Level: end, LnG: lnG[end]}}, nil)
			if err != nil || p.Len() != len(lnG) {
				continue // a half of the blocks without a transition both ways
			}
			made++
			for i, e := range p.Energy {
				level := int(-e)
				off, pinnedOff := p.Free.LnG[i]-lnG[level], p.LnG[i]-lnG[level]
				bias[level] += off
				square[level] += off * off
				pinnedBias[level] += pinnedOff
				pinnedSquare[level] += pinnedOff * pinnedOff
			}
		}
		if made < 0.95*float64(runs) {
			t.Errorf("%g visits: %g of %d runs have all levels", visits, made, runs)
		}
		worst, pinnedWorst := 0.0, 0.0
		for level := range lnG {
			sigma, pinnedSigma := math.Sqrt(square[level]/made), math.Sqrt(pinnedSquare[level]/made)
			chance := 4 * sigma / math.Sqrt(made)
			if b := math.Abs(bias[level] / made); b > sigma*sigma/2+chance {
				t.Errorf("%g visits: ln g of level %d is biased by %.4f, its error is %.4f", visits, level, bias[level]/made, sigma)
			}
			worst = max(worst, math.Abs(bias[level]/made)/sigma)
			if pinnedSigma == 0 {
				continue
			}
			b := math.Abs(pinnedBias[level]/made) / pinnedSigma
			if pinnedWorst = max(pinnedWorst, b); b > 0.2+4/math.Sqrt(made) {
				t.Errorf("%g visits: with the end known ln g of level %d is biased by %.2f errors", visits, level, b)
			}
		}
		t.Logf("rarest transition %.1f times: bias at most %.3f(%.3f) errors, with the end known %.3f; at the end %.4f(%.4f), its error %.3f",
			least, worst, 1/math.Sqrt(made), pinnedWorst, bias[end]/made, math.Sqrt(square[end])/made, math.Sqrt(square[end]/made))
	}
}

// poisson draws a number with a mean.
func poisson(r *rand.Rand, mean float64) int64 {
	n := int64(-1)
	for rest := mean; rest >= 0; n++ {
		rest -= r.ExpFloat64()
	}
	return n
}

// BenchmarkFromPinnedTransitions is the estimate of lattices of 32x32 and 64x64, from 64 blocks.
func BenchmarkFromPinnedTransitions(b *testing.B) {
	for _, levels := range []int{2049, 8193} {
		b.Run(fmt.Sprintf("levels=%d", levels), func(b *testing.B) {
			lnG := make([]float64, levels)
			for level := range lnG {
				x := 2*float64(level)/float64(levels-1) - 1
				lnG[level] = 0.6 * float64(levels) * (1 - x*x)
			}
			energy, rates := chain(lnG)
			blocks := noisy(rand.New(rand.NewPCG(5, 6)), rates, 64, 1000, func(int) float64 { return 0 })
			pins := []dos.Pin{{Level: 0, LnG: lnG[0]}, {Level: levels - 1, LnG: lnG[levels-1]}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := dos.FromPinnedTransitions(energy, []int{-2, -1, 0, 1, 2}, blocks, dos.LogSumExp(lnG), pins, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
