package dos_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
)

// toy is a system of a few configurations, with a network that aims at levels badly and a chain
// whose weights are bad as well.
type toy struct {
	levels    []int // by configuration
	lnG       []float64
	energy    []float64
	tolerance int
	// q by target (offset by tolerance) and configuration; alpha by kind and target, likewise.
	q, alpha [][]float64
	state    []float64 // by configuration: the chain's probability
	bridge   dos.Bridge
}

func newToy(r *rand.Rand, lnG []float64) *toy {
	levels := len(lnG)
	t := &toy{tolerance: 1, lnG: lnG}
	for b, x := range lnG {
		n := math.Round(math.Exp(x))
		lnG[b] = math.Log(n)
		for range int(n) {
			t.levels = append(t.levels, b)
		}
		t.energy = append(t.energy, -float64(b))
	}
	targets := levels + 2*t.tolerance
	for target := range targets {
		var row []float64
		sum := 0.0
		for _, b := range t.levels {
			x := r.ExpFloat64() * math.Exp(-lnG[b]-math.Abs(float64(b-target+t.tolerance)))
			row = append(row, x)
			sum += x
		}
		for i := range row {
			row[i] /= sum
		}
		t.q = append(t.q, row)
	}
	// One kind of draw aims everywhere, one at the lower half of the levels.
	everywhere, low := make([]float64, targets), make([]float64, targets)
	for k := range targets {
		everywhere[k] = 1 / float64(targets)
		if k < targets/2 {
			low[k] = 1 / float64(targets/2)
		}
	}
	t.alpha = [][]float64{everywhere, low}
	t.bridge = dos.Bridge{Draws: []float64{300, 500}, LnWeight: make([]float64, levels)}
	sum := 0.0
	for b := range levels {
		t.bridge.LnWeight[b] = lnG[b] + 0.5*r.NormFloat64()
	}
	for _, b := range t.levels {
		x := math.Exp(-t.bridge.LnWeight[b])
		t.state = append(t.state, x)
		sum += x
	}
	for i := range t.state {
		t.state[i] /= sum
	}
	const size = 4
	for low := 0; low+size <= levels; low += size {
		w := dos.BridgeWindow{Low: low, High: low + size - 1, States: 200}
		w.Reference = t.lnZ(w) + 0.4*r.Float64() - 0.2
		t.bridge.Windows = append(t.bridge.Windows, w)
	}
	return t
}

// lnZ is what a bridge is to find.
func (t *toy) lnZ(w dos.BridgeWindow) float64 {
	var parts []float64
	for b := w.Low; b <= w.High; b++ {
		parts = append(parts, t.lnG[b]-t.bridge.LnWeight[b])
	}
	return dos.LogSumExp(parts)
}

// point is the window of a configuration and ln(D/C), false if the point has no measure.
func (t *toy) point(target, s int) (window int, lnRatio float64, ok bool) {
	b := t.levels[s]
	if max(b-target+t.tolerance, target-t.tolerance-b) > t.tolerance {
		return 0, 0, false
	}
	for k, w := range t.bridge.Windows {
		if b >= w.Low && b <= w.High {
			sum := 0.0
			for i, n := range t.bridge.Draws {
				sum += n * t.alpha[i][target] * t.q[target][s]
			}
			return k, math.Log(sum) - math.Log(w.States) + w.Reference + t.bridge.LnWeight[b] + math.Log(float64(2*t.tolerance+1)), true
		}
	}
	return 0, 0, false
}

// TestBridgeExact enumerates all draws and states with their probabilities instead of drawing: the
// number of states in each window is exact, whatever numbers of draws and states are assumed, from
// draws and states together and by either alone.
func TestBridgeExact(t *testing.T) {
	toy := newToy(rand.New(rand.NewPCG(1, 2)), []float64{0, 1, 2, 3, 3.5, 3.6, 3, 2, 1.5, 1, 0.7, 0})
	block := dos.NewBridgeBlock(len(toy.bridge.Windows), 2)
	block.Drawn = []float64{70, 1e4}
	add := func(s *dos.BridgeSums, lnRatio, weight, inverse float64) {
		var one dos.BridgeSums
		one.AddDraw(lnRatio)
		s.N += weight
		s.Inverse += weight * inverse
		for k, m := range one.Moments {
			s.Moments[k] += weight * m
		}
	}
	for target := range toy.q {
		for s := range toy.levels {
			k, lnRatio, ok := toy.point(target, s)
			if !ok {
				continue
			}
			for i, n := range block.Drawn {
				add(&block.Draws[k][i], lnRatio, n*toy.alpha[i][target]*toy.q[target][s], math.Exp(-lnRatio))
			}
			add(&block.States[k], lnRatio, 1e5*toy.state[s]/float64(2*toy.tolerance+1), math.Exp(lnRatio))
		}
	}
	toy.bridge.Blocks = []dos.BridgeBlock{block}
	for k, e := range toy.bridge.Estimate() {
		want := toy.lnZ(toy.bridge.Windows[k])
		for name, x := range map[string]float64{"together": e.LnZ, "draws": e.Forward, "states": e.Reverse} {
			// The moments that are left out have a part of 1e-5.
			if math.Abs(x-want) > 1e-5 {
				t.Errorf("window %d: ln Z is %.9f by %s, want %.9f", k+1, x, name, want)
			}
		}
		if !(e.Overlap > 0.1 && e.Overlap < 0.95) {
			t.Errorf("window %d: overlap %v", k+1, e.Overlap)
		}
	}
}

// pick draws an index with probabilities that sum to 1.
func pick(r *rand.Rand, p []float64) int {
	u := r.Float64()
	for i, x := range p {
		if u -= x; u < 0 {
			return i
		}
	}
	return len(p) - 1
}

// draw fills blocks with random draws and states.
func (t *toy) draw(r *rand.Rand, blocks int) {
	t.bridge.Blocks = nil
	for range blocks {
		b := dos.NewBridgeBlock(len(t.bridge.Windows), 2)
		b.Drawn = []float64{40, 60}
		for i, n := range b.Drawn {
			for range int(n) {
				target := pick(r, t.alpha[i])
				if k, lnRatio, ok := t.point(target, pick(r, t.q[target])); ok {
					b.Draws[k][i].AddDraw(lnRatio)
				}
			}
		}
		for range 100 {
			s := pick(r, t.state)
			if k, lnRatio, ok := t.point(t.levels[s]+r.IntN(2*t.tolerance+1), s); ok {
				b.States[k].AddState(lnRatio)
			}
		}
		t.bridge.Blocks = append(t.bridge.Blocks, b)
	}
}

// TestBridgeUnjoined leaves a window out to whose last level the transitions of half of the blocks do not lead:
// there, draws of the window cannot be told from those of its other levels.
func TestBridgeUnjoined(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	lnG := []float64{0, 1, 2, 3, 3.5, 3.6, 3, 2, 1.5, 1, 0.7, 0.7}
	toy := newToy(r, lnG)
	energy, rates := chain(lnG)
	const blocks = 32
	changes := []int{-2, -1, 0, 1, 2}
	toy.draw(r, blocks)
	counts := noisy(r, rates, blocks, 2000, func(int) float64 { return 0.01 })
	last := len(lnG) - 1
	for k := 1; k < blocks; k += 2 {
		for b := range lnG {
			for i, change := range changes {
				if b == last || b+change == last {
					counts[k][b*len(changes)+i] = 0
				}
			}
		}
	}
	p, err := dos.FromPinnedTransitions(energy, changes, counts, dos.LogSumExp(lnG), nil, &toy.bridge)
	if err != nil {
		t.Fatal(err)
	}
	for k, e := range p.Bridge {
		if e.Used != (e.High < last) {
			t.Errorf("window %d, levels %d..%d: used %v", k+1, e.Low, e.High, e.Used)
		}
	}
}

// part takes the levels 4 to 7 and the way to them from counts of changes by -2..2.
func part(counts []int64) {
	gap := func(level int) bool { return level >= 4 && level < 8 }
	for level := range len(counts) / 5 {
		for i := range 5 {
			from, to := gap(level), gap(level+i-2)
			if !from && to {
				counts[level*5+2] += counts[level*5+i] // it stays
			}
			if from || to {
				counts[level*5+i] = 0
			}
		}
	}
}

// TestBridgeParts has transitions that join two parts of the levels in one block of each half alone, or in none. Draws say
// how many states each part has: both are known, with their errors, and levels between them without errors, or not. What
// one block alone links makes errors too large rather than too small. The part with nearly all states needs no draws.
func TestBridgeParts(t *testing.T) {
	lnG := []float64{5, 5.5, 5.5, 5, 0, 0, 0, 0, 3, 3, 3, 2} // few in the gap: the sum of all g lacks them
	const blocks = 32
	changes := []int{-2, -1, 0, 1, 2}
	for _, c := range []struct{ joined, windows int }{{2, 3}, {0, 3}, {0, 1}} {
		joined := c.joined
		r := rand.New(rand.NewPCG(5, 6))
		toy := newToy(r, slices.Clone(lnG))
		energy, rates := chain(toy.lnG)
		toy.bridge.Windows = toy.bridge.Windows[3-c.windows:]
		square, n := 0.0, 0.0
		for range long.Or(100, 20) {
			toy.draw(r, blocks)
			counts := noisy(r, rates, blocks, 2000, func(int) float64 { return 0.01 })
			for _, block := range counts[joined:] {
				part(block)
			}
			p, err := dos.FromPinnedTransitions(energy, changes, counts, dos.LogSumExp(toy.lnG), nil, &toy.bridge)
			if err != nil {
				t.Fatal(err)
			}
			for k, e := range p.Bridge {
				if e.Used != (e.Low != 4) {
					t.Fatalf("joined in %d blocks: window %d is used: %v", joined, k+1, e.Used)
				}
			}
			seen := 0
			for i, e := range p.Energy {
				b := int(-e)
				if b >= 4 && b < 8 {
					if joined == 0 || !math.IsNaN(p.Error[i]) {
						t.Errorf("joined in %d blocks: level %d has %v(%v)", joined, b, p.LnG[i], p.Error[i])
					}
					continue
				}
				seen++
				z := (p.LnG[i] - toy.lnG[b]) / p.Error[i]
				square += z * z
				n++
			}
			if seen != 8 {
				t.Errorf("joined in %d blocks: %d levels outside of the gap, of 8", joined, seen)
			}
		}
		t.Logf("joined in %d blocks, %d windows: mean square deviation %.2f errors squared", joined, c.windows, square/n)
		if !(square/n > 0.4 && square/n < 1.4) {
			t.Errorf("joined in %d blocks, %d windows: mean square deviation is %.2f errors squared", joined, c.windows, square/n)
		}
	}
}

// evenBlock is a block of one window and one kind of draws, of which every second one hits the window: its draws and
// states have about the same probability by either, so that lnZ is about the reference.
func evenBlock(r *rand.Rand) dos.BridgeBlock {
	b := dos.NewBridgeBlock(1, 1)
	b.Drawn[0] = 20
	for range 10 {
		b.Draws[0][0].AddDraw(0.3 * r.NormFloat64())
		b.States[0].AddState(0.3 * r.NormFloat64())
	}
	return b
}

// TestBridgeFar has two parts that differ by hundreds in ln g: a window says what it is in the lower one, the sum of all
// g in the upper one.
func TestBridgeFar(t *testing.T) {
	lnG := []float64{1000, 1001, 1001.5, 1000, 700, 600, 500, 400, 300, 301, 302, 301}
	energy, rates := chain(lnG)
	r := rand.New(rand.NewPCG(9, 10))
	const blocks = 32
	b := &dos.Bridge{LnWeight: lnG, Draws: []float64{20}, Windows: []dos.BridgeWindow{{Low: 8, High: 11, Reference: math.Log(4), States: 10}}}
	changes := []int{-2, -1, 0, 1, 2}
	counts := noisy(r, rates, blocks, 2000, func(int) float64 { return 0.01 })
	for k := range counts {
		part(counts[k])
		b.Blocks = append(b.Blocks, evenBlock(r))
	}
	p, err := dos.FromPinnedTransitions(energy, changes, counts, dos.LogSumExp(lnG), nil, b)
	if err != nil {
		t.Fatal(err)
	}
	if p.Len() != 8 || !p.Bridge[0].Used {
		t.Fatalf("%d levels, %+v", p.Len(), p.Bridge)
	}
	for i, e := range p.Energy {
		if off := p.LnG[i] - lnG[int(-e)]; !(math.Abs(off) < 4*p.Error[i]) || !(p.Error[i] < 0.2) {
			t.Errorf("ln g(%g) = %.3f(%.3f), off by %.3f", e, p.LnG[i], p.Error[i], off)
		}
	}
}

// TestBridgeOneWay has two parts of few transitions, between which there is one that nothing answers: it does not join
// them.
func TestBridgeOneWay(t *testing.T) {
	lnG := []float64{1000, 1001, 1001.5, 1001, 1000, 999, 302, 303, 302, 301, 302, 301}
	energy, rates := chain(lnG)
	r := rand.New(rand.NewPCG(11, 12))
	b := &dos.Bridge{LnWeight: lnG, Draws: []float64{20}, Windows: []dos.BridgeWindow{{Low: 6, High: 11, Reference: math.Log(6), States: 10}}}
	counts := noisy(r, rates, 32, 40, func(int) float64 { return 0.01 })
	for k := range counts {
		for level := range lnG {
			for i := range 5 {
				if to := level + i - 2; level < 6 != (to < 6) {
					counts[k][level*5+i] = 0
				}
			}
		}
		b.Blocks = append(b.Blocks, evenBlock(r))
	}
	counts[0][6*5+1], counts[1][6*5+1] = 1, 1
	p, err := dos.FromPinnedTransitions(energy, []int{-2, -1, 0, 1, 2}, counts, dos.LogSumExp(lnG), nil, b)
	if err != nil {
		t.Fatal(err)
	}
	if p.Len() != len(lnG) || !p.Bridge[0].Used {
		t.Fatalf("%d levels, %+v", p.Len(), p.Bridge)
	}
	for i, e := range p.Energy {
		if !(p.Error[i] < 1) || !(math.Abs(p.LnG[i]-lnG[int(-e)]) < 1) {
			t.Errorf("ln g(%g) = %.3f(%.3f), not %.3f", e, p.LnG[i], p.Error[i], lnG[int(-e)])
		}
	}
}

// TestBridgeBlind has a network that all but misses one configuration of every level in a window. Draws alone know nothing of
// these, nor do their errors, and are not compared; in the other windows they are, and states alone in all.
func TestBridgeBlind(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	toy := newToy(r, []float64{0, 1, 2, 3, 3.5, 3.6, 3, 2, 1.5, 1, 0.7, 0})
	blind := toy.bridge.Windows[1]
	for target, q := range toy.q {
		sum := 0.0
		for s, b := range toy.levels {
			q[s] = (0.5 + r.Float64()) * math.Exp(-toy.lnG[b]-math.Abs(float64(b-target+toy.tolerance)))
			if b >= blind.Low && b <= blind.High && b != toy.levels[s-1] {
				q[s] *= 1e-6
			}
			sum += q[s]
		}
		for s := range q {
			toy.q[target][s] /= sum
		}
	}
	toy.draw(r, 64)
	for k, e := range toy.bridge.Estimate() {
		want := toy.lnZ(toy.bridge.Windows[k])
		if off := (e.LnZ - want) / e.Error; !(math.Abs(off) < 3.5) {
			t.Errorf("window %d: %.1f errors off", k+1, off)
		}
		if compared := !math.IsNaN(e.ForwardDeviation); compared != (k != 1) {
			t.Errorf("window %d: draws alone, %.2f off, are compared: %v", k+1, e.Forward-want, compared)
		}
		if math.IsNaN(e.ReverseDeviation) {
			t.Errorf("window %d: states alone are not compared", k+1)
		}
	}
}

// TestBridge repeats an estimate from transitions that scatter more than counting says, and from
// random draws and states: deviations are as its errors say, those of each window and those of
// ln g, which are smaller than without the draws.
func TestBridge(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	lnG := hill()
	for b := range lnG {
		lnG[b] = max(0, lnG[b]/2)
	}
	toy := newToy(r, lnG)
	energy, rates := chain(lnG)
	total := dos.LogSumExp(lnG)
	slow := func(level int) float64 {
		if level >= 15 && level < 19 {
			return 0.3
		}
		return 0.01
	}
	repetitions := long.Or(100, 20)
	const blocks = 32
	var windows, square, count, off2, alone2, used float64
	for range repetitions {
		toy.draw(r, blocks)
		counts := noisy(r, rates, blocks, 2000, slow)
		p, err := dos.FromPinnedTransitions(energy, []int{-2, -1, 0, 1, 2}, counts, total, nil, &toy.bridge)
		if err != nil {
			t.Fatal(err)
		}
		for k, e := range p.Bridge {
			if e.Used {
				z := (e.LnZ - toy.lnZ(toy.bridge.Windows[k])) / e.Error
				windows += z * z
				used++
			}
		}
		for i, e := range p.Energy {
			off, alone := p.LnG[i]-lnG[int(-e)], p.Free.LnG[i]-lnG[int(-e)]
			square += off * off / (p.Error[i] * p.Error[i])
			off2 += off * off
			alone2 += alone * alone
			count++
		}
	}
	windows /= used
	t.Logf("mean square deviation in errors: of windows %.2f, of ln g %.2f; rms deviation of ln g %.4f, without draws %.4f", windows, square/count, math.Sqrt(off2/count), math.Sqrt(alone2/count))
	more := math.Sqrt(200 / float64(repetitions)) // the levels of one repetition are correlated
	for name, z := range map[string]float64{"windows": windows, "ln g": square / count} {
		if !(z > 1-0.25*more && z < 1+0.35*more) {
			t.Errorf("mean square deviation of %s is %.2f errors squared", name, z)
		}
	}
	if used < 0.9*float64(repetitions*len(toy.bridge.Windows)) {
		t.Errorf("%.0f windows used in %d repetitions", used, repetitions)
	}
	if off2 > alone2/2 {
		t.Errorf("rms deviation %.4f, without draws %.4f", math.Sqrt(off2/count), math.Sqrt(alone2/count))
	}
}
