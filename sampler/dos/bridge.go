package dos

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"
)

// Bridge compares independent draws from known probabilities with the states of Markov chains
// under constant weights, window by window of the energies: that gives the absolute number of
// states in each.
//
// Draws and states are points (s, B*, T): a configuration s, a level B* at which a network aimed
// or could have aimed, and the frame T in which it saw s. The measure of a point is 1/(2w+1) if the
// level of s is within w of B*, else 0, times the probability of the frame; summed over B* and T
// it is 1 for each configuration. A draw of kind i has B* from alpha_i and s from q_T(s|B*). A
// state of the chain within window k has s with the probability exp(-lnZ_k - LnWeight(E_s)), and B*
// uniform within w. With
//
//	D = sum_i n_i alpha_i(B*) q_T(s|B*),  C = m_k exp(-lnZ_k - LnWeight(E_s)) / (2w+1)
//
// for n_i draws of each kind and m_k states, lnZ_k is such that draws and states together predict
// the number of states,
//
//	sum over draws in the window and its states of u C/(C + D) = m_k,
//
// the estimate of least variance for independent points (C. H. Bennett, J. Comput. Phys. 22, 245
// (1976); X.-L. Meng, W. H. Wong, Stat. Sinica 6, 831 (1996)). Any positive n_i and m_k that do not
// depend on the points are right; u is the assumed number over the actual one.
//
// What is kept of the points are moments of a = C/(C + D) at a reference value of lnZ_k: with
// e = exp(reference - lnZ_k) - 1, C/(C + D) is
//
//	(1 + e) (a - e a^2 + e^2 a^3 - ...),
//
// so that a few moments give the equation near the reference to all digits.
type Bridge struct {
	LnWeight []float64 // of the chains, by level
	Windows  []BridgeWindow
	Draws    []float64 // n_i
	Blocks   []BridgeBlock
}

// BridgeWindow is a range of levels.
type BridgeWindow struct {
	Low, High int
	Reference float64 // of lnZ_k
	States    float64 // m_k
}

// BridgeBlock is an independent part of the data.
type BridgeBlock struct {
	Drawn  []float64      // all draws by kind, those without measure or outside of all windows included
	Draws  [][]BridgeSums // by window and kind
	States []BridgeSums   // by window
}

// bridgeMoments are kept of a.
const bridgeMoments = 10

// BridgeSums are sums over points of a window. The fields are exported for encoding.
type BridgeSums struct {
	N       float64                // points
	Moments [bridgeMoments]float64 // of a^1, a^2, ...
	// Inverse is the sum of C/D over draws, or of D/C over states, at the reference.
	Inverse float64
	Squares float64 // of what Inverse sums up
	// Ratio is the sum of D/C over draws, or of C/D over states: what the squares of the other
	// kind's Inverse add up to, as that kind sees it.
	Ratio float64
}

// AddDraw adds a draw, given ln(D/C) at the reference.
func (s *BridgeSums) AddDraw(lnRatio float64) { s.add(lnRatio, -lnRatio) }

// AddState adds a state.
func (s *BridgeSums) AddState(lnRatio float64) { s.add(lnRatio, lnRatio) }

func (s *BridgeSums) add(lnRatio, lnInverse float64) {
	inverse := math.Exp(lnInverse)
	s.N++
	s.Inverse += inverse
	s.Squares += inverse * inverse
	s.Ratio += math.Exp(-lnInverse)
	a := 1 / (1 + math.Exp(lnRatio))
	power := a
	for k := range s.Moments {
		s.Moments[k] += power
		power *= a
	}
}

// NewBridgeBlock returns a block without points.
func NewBridgeBlock(windows, kinds int) BridgeBlock {
	b := BridgeBlock{Drawn: make([]float64, kinds), Draws: make([][]BridgeSums, windows), States: make([]BridgeSums, windows)}
	for k := range b.Draws {
		b.Draws[k] = make([]BridgeSums, kinds)
	}
	return b
}

// Clone copies a block.
func (b *BridgeBlock) Clone() BridgeBlock {
	c := NewBridgeBlock(len(b.States), len(b.Drawn))
	c.plus(b, 1)
	return c
}

// plus adds the sums of another part, times a sign.
func (s *BridgeSums) plus(o *BridgeSums, sign float64) {
	s.N += sign * o.N
	s.Inverse += sign * o.Inverse
	s.Squares += sign * o.Squares
	s.Ratio += sign * o.Ratio
	for k := range s.Moments {
		s.Moments[k] += sign * o.Moments[k]
	}
}

// part is the sum of C/(C + D) over the points, and its derivative by e.
func (s *BridgeSums) part(e float64) (sum, slope float64) {
	power, before := 1.0, 0.0 // (-e)^k and its derivative
	series, derivative := 0.0, 0.0
	for k, m := range s.Moments {
		series += power * m
		derivative += before * m
		before = -float64(k+1) * power
		power *= -e
	}
	return (1 + e) * series, series + (1+e)*derivative
}

// BridgeEstimate is what a Bridge says of a window.
type BridgeEstimate struct {
	Low, High int
	// LnZ is ln of the sum of exp(-LnWeight) over the configurations of the window, with its
	// standard error by the jackknife.
	LnZ, Error float64
	// Forward is the estimate from the draws alone, by their inverse probabilities, and Reverse
	// that from the probabilities of the states, of which the draws need to give only the number
	// that are in the window. ForwardDeviation and ReverseDeviation are their differences from LnZ
	// in standard errors of these, NaN where there are none to be trusted.
	Forward, Reverse                   float64
	ForwardDeviation, ReverseDeviation float64
	// ForwardEffective and ReverseEffective are the effective numbers of draws and states behind
	// Forward and Reverse, (sum w)^2 / (sum w^2). Where they are a small share of all, the points
	// that would count most are likely to be missing, and errors with them. They also are where the
	// points of the other kind say so: states know how often draws should have large weights.
	ForwardEffective, ReverseEffective float64
	// Overlap is the share of the states that could have been draws, the mean of D/(C + D).
	Overlap float64
	// Used says that the window is anchored to LnZ: there are points enough, the overlap is at
	// least LeastOverlap, and transitions join its levels even without a block.
	Used bool
}

const (
	// leastEffective is the least share of effective points for errors of Forward and Reverse.
	leastEffective = 0.05
	// LeastOverlap of a window that is used: with less, the draws hardly know its states.
	LeastOverlap = 0.05
	// leastBridgePoints of each kind, draws and states, of a window that is used.
	leastBridgePoints = 32
	// mostBridgeStep bounds e: beyond, the moments do not suffice. The first that is left out has a
	// share of less than 1e-3.
	mostBridgeStep = 0.5
)

var (
	errNoPoints  = errors.New("no draw or no state in the window")
	errReference = errors.New("the number of states is too far from what it was thought to be")
)

// Check returns an error unless the bridge is for so many levels and blocks.
func (b *Bridge) Check(levels, blocks int) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if len(b.LnWeight) != levels {
		fault("there are weights of %d levels, want %d", len(b.LnWeight), levels)
	}
	if len(b.Blocks) != blocks {
		fault("there are %d blocks, the transitions have %d", len(b.Blocks), blocks)
	}
	for k, n := range b.Draws {
		if !(n > 0) {
			fault("%g draws of kind %d are assumed", n, k+1)
		}
	}
	for k, w := range b.Windows {
		if w.Low < 0 || w.High >= levels || w.Low > w.High || !(w.States > 0) {
			fault("window %d has levels %d..%d and %g states are assumed", k+1, w.Low, w.High, w.States)
		}
	}
	for i, block := range b.Blocks {
		if len(block.Drawn) != len(b.Draws) || len(block.Draws) != len(b.Windows) || len(block.States) != len(b.Windows) {
			fault("block %d counts %d kinds of draws in %d windows", i+1, len(block.Drawn), len(block.Draws))
			continue
		}
		for k := range block.Draws {
			if len(block.Draws[k]) != len(b.Draws) {
				fault("block %d counts %d kinds of draws in window %d", i+1, len(block.Draws[k]), k+1)
			}
		}
	}
	return errors.Join(faults...)
}

// bridgeTotal is the sum of some blocks.
type bridgeTotal struct {
	of *Bridge
	BridgeBlock
}

// total sums up blocks, by their numbers.
func (b *Bridge) total(blocks []int) *bridgeTotal {
	t := &bridgeTotal{b, NewBridgeBlock(len(b.Windows), len(b.Draws))}
	for _, i := range blocks {
		t.plus(&b.Blocks[i], 1)
	}
	return t
}

func (t *BridgeBlock) plus(o *BridgeBlock, sign float64) {
	for i, n := range o.Drawn {
		t.Drawn[i] += sign * n
	}
	for k := range o.States {
		t.States[k].plus(&o.States[k], sign)
		for i := range o.Draws[k] {
			t.Draws[k][i].plus(&o.Draws[k][i], sign)
		}
	}
}

// without is the total without some blocks.
func (t *bridgeTotal) without(blocks []int) *bridgeTotal {
	rest := &bridgeTotal{t.of, NewBridgeBlock(len(t.of.Windows), len(t.of.Draws))}
	rest.plus(&t.BridgeBlock, 1)
	for _, i := range blocks {
		rest.plus(&t.of.Blocks[i], -1)
	}
	return rest
}

// drawn is a sum over the draws of a window, each kind with its u.
func (t *bridgeTotal) drawn(window int, of func(*BridgeSums) float64) float64 {
	sum := 0.0
	for i, n := range t.Drawn {
		if n > 0 {
			sum += t.of.Draws[i] / n * of(&t.Draws[window][i])
		}
	}
	return sum
}

// points is the number of draws and of states in a window.
func (t *bridgeTotal) points(window int) (draws, states float64) {
	for i := range t.Draws[window] {
		draws += t.Draws[window][i].N
	}
	return draws, t.States[window].N
}

// maxBridgeSteps of Newton's method, which takes a handful.
const maxBridgeSteps = 50

// solve returns lnZ of a window.
func (t *bridgeTotal) solve(window int) (float64, error) {
	w, states := &t.of.Windows[window], &t.States[window]
	if draws, states := t.points(window); draws <= 0 || states <= 0 {
		return 0, errNoPoints
	}
	e := 0.0
	for range maxBridgeSteps {
		sum, slope := states.part(e)
		sum, slope = sum*w.States/states.N-w.States, slope*w.States/states.N
		sum += t.drawn(window, func(s *BridgeSums) float64 { x, _ := s.part(e); return x })
		slope += t.drawn(window, func(s *BridgeSums) float64 { _, x := s.part(e); return x })
		if !(slope > 0) {
			return 0, errReference
		}
		step := -sum / slope
		if e += step; math.Abs(e) > mostBridgeStep {
			return 0, errReference
		}
		if math.Abs(step) < 1e-13 {
			return w.Reference - math.Log1p(e), nil
		}
	}
	return 0, errReference
}

// forward is lnZ of a window from the draws alone.
func (t *bridgeTotal) forward(window int) float64 {
	w := &t.of.Windows[window]
	return w.Reference + math.Log(t.drawn(window, func(s *BridgeSums) float64 { return s.Inverse })/w.States)
}

// reverse is lnZ of a window from the probabilities of the states.
func (t *bridgeTotal) reverse(window int) float64 {
	w, states := &t.of.Windows[window], &t.States[window]
	return w.Reference + math.Log(t.drawn(window, func(s *BridgeSums) float64 { return s.N })/w.States) - math.Log(states.Inverse/states.N)
}

// effective is the effective number of points of forward and of reverse.
func (t *bridgeTotal) effective(window int) (draws, states float64) {
	sum, squares := 0.0, 0.0
	for i, n := range t.Drawn {
		if n > 0 {
			u, s := t.of.Draws[i]/n, &t.Draws[window][i]
			sum += u * s.Inverse
			squares += u * u * s.Squares
		}
	}
	s := &t.States[window]
	return sum * sum / squares, s.Inverse * s.Inverse / s.Squares
}

// expected is effective as the points of the other kind have it. The mean square of C/D over draws is the
// mean of C/D over states, to which the draws that are too rare to be seen contribute.
func (t *bridgeTotal) expected(window int) (draws, states float64) {
	s, m := &t.States[window], t.of.Windows[window].States
	seen := t.drawn(window, func(s *BridgeSums) float64 { return s.N })
	ratio := t.drawn(window, func(s *BridgeSums) float64 { return s.Ratio })
	return m * s.N / s.Ratio, seen * seen / ratio * s.N / m
}

// Estimate returns what each window's draws and states say.
func (b *Bridge) Estimate() []BridgeEstimate {
	all := make([]int, len(b.Blocks))
	for i := range all {
		all[i] = i
	}
	whole := b.total(all)
	rest := make([]*bridgeTotal, len(all))
	for i := range all {
		rest[i] = whole.without(all[i : i+1])
	}
	estimates := make([]BridgeEstimate, len(b.Windows))
	for k, w := range b.Windows {
		e := &estimates[k]
		*e = BridgeEstimate{Low: w.Low, High: w.High, Overlap: 1 - whole.States[k].Moments[0]/max(1, whole.States[k].N)}
		nan := math.NaN()
		e.LnZ, e.Error, e.Forward, e.Reverse, e.ForwardDeviation, e.ReverseDeviation = nan, nan, nan, nan, nan, nan
		lnZ, err := whole.solve(k)
		if err != nil {
			continue
		}
		e.LnZ, e.Forward, e.Reverse = lnZ, whole.forward(k), whole.reverse(k)
		e.ForwardEffective, e.ReverseEffective = whole.effective(k)
		replicas := make([][]float64, len(rest))
		for i, t := range rest {
			lnZ, err := t.solve(k)
			if err != nil {
				lnZ = nan
			}
			replicas[i] = []float64{lnZ, t.forward(k) - lnZ, t.reverse(k) - lnZ}
		}
		errs := spread(3, replicas)
		e.Error = errs[0]
		e.ForwardDeviation, e.ReverseDeviation = (e.Forward-e.LnZ)/errs[1], (e.Reverse-e.LnZ)/errs[2]
		draws, states := whole.points(k)
		forward, reverse := whole.expected(k)
		if min(e.ForwardEffective, forward) < leastEffective*draws {
			e.ForwardDeviation = nan
		}
		if min(e.ReverseEffective, reverse) < leastEffective*states {
			e.ReverseDeviation = nan
		}
		e.Used = e.Overlap >= LeastOverlap && draws >= leastBridgePoints && states >= leastBridgePoints && e.Error > 0
	}
	return estimates
}

// anchors holds lnZ of windows of a half of the blocks.
type anchors struct {
	windows []int // of the Bridge, those used
	total   *bridgeTotal
	blocks  []int       // of the half
	lnZ     []float64   // by window used
	scatter [][]float64 // by window used and block of the half: influence of the block on lnZ
}

// anchorsOf makes the anchors of a half, nil where one of the windows cannot be solved for it.
func (b *Bridge) anchorsOf(windows, blocks []int) *anchors {
	a := &anchors{windows: windows, blocks: blocks, total: b.total(blocks)}
	n := float64(len(blocks))
	for _, k := range windows {
		lnZ, err := a.total.solve(k)
		if err != nil {
			return nil
		}
		a.lnZ = append(a.lnZ, lnZ)
		var influence []float64
		for i := range blocks {
			rest, err := a.total.without(blocks[i : i+1]).solve(k)
			if err != nil {
				return nil
			}
			influence = append(influence, (n-1)*(lnZ-rest))
		}
		a.scatter = append(a.scatter, influence)
	}
	return a
}

// lnZWithout is lnZ by window without some blocks of the half, by their places in it.
func (a *anchors) lnZWithout(omitted []int) ([]float64, error) {
	if len(omitted) == 0 {
		return a.lnZ, nil
	}
	var numbers []int
	for _, i := range omitted {
		numbers = append(numbers, a.blocks[i])
	}
	rest := a.total.without(numbers)
	lnZ := make([]float64, len(a.windows))
	for i, k := range a.windows {
		var err error
		if lnZ[i], err = rest.solve(k); err != nil {
			return nil, err
		}
	}
	return lnZ, nil
}

// variances of lnZ by window, without some blocks of the half.
func (a *anchors) variances(omitted []int) []float64 {
	v := make([]float64, len(a.windows))
	out := make(map[int]bool, len(omitted))
	for _, i := range omitted {
		out[i] = true
	}
	for i, influence := range a.scatter {
		kept := make([]float64, 0, len(influence))
		for k, x := range influence {
			if !out[k] {
				kept = append(kept, x)
			}
		}
		v[i] = stat.Variance(kept, nil) / float64(len(kept))
	}
	return v
}
