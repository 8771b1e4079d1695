package dos

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"neuralwl/internal/parallel"
)

// Pin is a level whose ln g is known exactly, as that of the ground states often is.
type Pin struct {
	Level int
	LnG   float64
}

// Pinned is an estimate from transitions that meets what is known at both ends of the energies.
type Pinned struct {
	*Ensemble
	// Free is the estimate without the pins, which says whether they are believable, and
	// Deviations is by how many of its errors it is off at each pin; NaN for a level that it
	// lacks or without errors.
	Free       *Ensemble
	Deviations []float64
	// Inflation is kappa of FromPinnedTransitions by level, from all blocks: how much more
	// the differences of ln g near the level scatter than independent counts would. Nil where
	// there are too few blocks to tell; it is then taken as 1.
	Inflation []float64
	// Bridge is what independent draws say, by window; nil without.
	Bridge []BridgeEstimate
}

// FromPinnedTransitions is FromTransitions with ln g known at some levels, as well as the sum of
// g. Every x = ln g is such that
//
//	sum over edges of (x_j - x_i - y_ij)^2 / (kappa_ij v_ij)
//
// is least among all x with those values and with ln sum e^x = lnTotal, where y_ij is the
// difference measured between the levels i and j and v_ij its variance if counts were
// independent. Between two ends that are both known the errors of x are those of a bridge, not of
// a walk. The discrepancy at the ends is spread where differences are least certain: kappa
// is how much more they scatter than counting says, since a walker's visits to a
// level follow each other. It is measured for stretches of levels by the jackknife.
//
// Each half of the blocks is solved with the kappa of the other half, and the two
// solutions are averaged: kappa steers the efficiency alone, and cannot bias the result. The
// errors are those of the jackknife over all blocks.
//
// Pins of levels that were not visited are ignored.
//
// A bridge, if it is not nil, adds the number of states in windows of levels, absolute, where the transitions of each
// half, and of each half without a block, join all levels of the window that were visited. With
//
//	F_k(x) = ln sum over levels of the window of exp(x - LnWeight),
//
// the sum above gets the terms (F_k(x) - lnZ_k)^2/v_k of the windows that are used. lnZ_k is that
// of the half, and its variance v_k that of the other half. Its blocks must be those of the
// transitions.
//
// Levels that transitions do not join with those of the most visits have ln g where pins or windows say what it is on
// both sides. Without pins and windows that are left the estimate is the free one.
func FromPinnedTransitions(energy []float64, changes []int, blocks [][]int64, lnTotal float64, pins []Pin, bridge *Bridge) (*Pinned, error) {
	free, err := FromTransitions(energy, changes, blocks, lnTotal)
	if err != nil {
		return nil, err
	}
	p := &Pinned{Ensemble: free, Free: free}
	place := make(map[float64]int, free.Len())
	for i, e := range free.Energy {
		place[e] = i
	}
	var met []Pin
	for _, pin := range pins {
		z := math.NaN()
		if i, ok := place[energy[pin.Level]]; ok {
			met = append(met, pin)
			z = (free.LnG[i] - pin.LnG) / free.Error[i]
		}
		p.Deviations = append(p.Deviations, z)
	}
	s := &pinning{energy: energy, changes: changes, blocks: blocks, lnTotal: lnTotal, pins: met, omitted: omissions(len(blocks), free.Len())}
	if bridge != nil {
		if err := bridge.Check(len(energy), len(blocks)); err != nil {
			return nil, fmt.Errorf("density of states from transitions and draws: %w", err)
		}
		p.Bridge = bridge.Estimate()
		s.bridge = bridge
		joined := s.joined()
		for k := range p.Bridge {
			if e := &p.Bridge[k]; e.Used {
				if e.Used = joined[k] && s.anchored(k); e.Used {
					s.windows = append(s.windows, k)
				}
			}
		}
	}
	if len(met) == 0 && len(s.windows) == 0 {
		return p, nil
	}
	p.Ensemble, err = s.solve()
	if err != nil && len(s.windows) > 0 && len(met) > 0 { // the ends are known without draws
		for _, k := range s.windows {
			p.Bridge[k].Used = false
		}
		s.windows = nil
		p.Ensemble, err = s.solve()
	}
	if err != nil {
		return nil, fmt.Errorf("density of states from transitions, with known ends: %w", err)
	}
	p.Inflation = s.inflation(blocks).without(nil)
	return p, nil
}

// pinning holds the arguments of FromPinnedTransitions.
type pinning struct {
	energy  []float64
	changes []int
	blocks  [][]int64
	lnTotal float64
	pins    []Pin
	bridge  *Bridge  // nil without
	windows []int    // of it, those used
	omitted [][2]int // blocks, by replica
}

// solve makes the estimate with its replicas.
func (s *pinning) solve() (*Ensemble, error) {
	numbers := s.halves()
	halves := len(numbers)
	parts := make([]pinnedHalf, halves)
	for h := range parts {
		parts[h].numbers = numbers[h]
		for _, k := range numbers[h] {
			parts[h].blocks = append(parts[h].blocks, s.blocks[k])
		}
	}
	if halves == 2 {
		parts[0].by, parts[1].by = s.inflation(parts[1].blocks), s.inflation(parts[0].blocks)
	}
	for h := range parts {
		if len(s.windows) == 0 {
			break
		}
		if parts[h].anchors = s.bridge.anchorsOf(s.windows, parts[h].numbers); parts[h].anchors == nil {
			return nil, errors.New("half of the draws do not suffice")
		}
	}
	solutions := make([]*Density, halves)
	for h := range parts {
		parts[h].total = sumOf(parts[h].blocks)
		var err error
		if parts[h].corrections, err = s.transitions(parts[h].total).corrections(parts[h].by.without(nil), s.pins); err != nil {
			return nil, err
		}
		if solutions[h], err = s.part(parts, h, make([][]int, halves)); err != nil {
			return nil, err
		}
	}
	d, err := s.average(solutions)
	if err != nil {
		return nil, err
	}
	e := &Ensemble{Density: d}
	if len(s.blocks) > 1 {
		e.Replicas = s.replicas(parts)
	}
	e.estimateErrors()
	for _, pin := range s.pins {
		if i, ok := slices.BinarySearch(e.Energy, s.energy[pin.Level]); ok && e.LnG[i] == pin.LnG && e.Replicas != nil {
			e.Error[i] = 0
		}
	}
	return e, nil
}

// transitions are counts, with all levels of which ln g follows.
func (s *pinning) transitions(counts []float64) *transitions {
	p := newTransitions(s.changes, counts)
	var windows []BridgeWindow
	for _, k := range s.windows {
		windows = append(windows, s.bridge.Windows[k])
	}
	var lnG []float64
	if s.bridge != nil {
		lnG = s.bridge.LnWeight
	}
	p.anchor(s.pins, windows, lnG)
	return p
}

// halves divides the blocks, by their numbers, into two halves, or one where there are too few.
func (s *pinning) halves() [][]int {
	n := 1
	if len(s.blocks) >= 2*minStretchBlocks {
		n = 2
	}
	numbers := make([][]int, n)
	for k := range s.blocks {
		numbers[k%n] = append(numbers[k%n], k) // neighbours may be segments of the same walkers
	}
	return numbers
}

// joined reports by window of the bridge whether transitions join all levels that were visited there: those of each
// half, and of each replica's. Draws say how many states there are on all of these levels together, which says nothing
// where one of them is missing.
func (s *pinning) joined() []bool {
	joined := make([]bool, len(s.bridge.Windows))
	for k := range joined {
		joined[k] = true
	}
	all := newTransitions(s.changes, sumOf(s.blocks)).visits
	var access sync.Mutex
	check := func(p *transitions) {
		for k, w := range s.bridge.Windows {
			if !p.joins(w, all) {
				access.Lock()
				joined[k] = false
				access.Unlock()
			}
		}
	}
	halves := s.halves()
	totals := make([][]float64, len(halves))
	for h, numbers := range halves {
		var blocks [][]int64
		for _, k := range numbers {
			blocks = append(blocks, s.blocks[k])
		}
		totals[h] = sumOf(blocks)
		check(newTransitions(s.changes, totals[h]))
	}
	parallel.Do(runtime.GOMAXPROCS(0), len(s.omitted), 1, func(_, k int) {
		for h, total := range totals {
			rest := slices.Clone(total)
			for b := s.omitted[k][0]; b < s.omitted[k][1]; b++ {
				if b%len(halves) == h {
					subtract(rest, s.blocks[b])
				}
			}
			check(newTransitions(s.changes, rest))
		}
	})
	return joined
}

// anchored reports whether each half of the draws says how many states a window has.
func (s *pinning) anchored(window int) bool {
	for _, half := range s.halves() {
		if s.bridge.anchorsOf([]int{window}, half) == nil {
			return false
		}
	}
	return true
}

// pinnedHalf is a half of the blocks, which has its own solution.
type pinnedHalf struct {
	blocks  [][]int64
	numbers []int      // of them
	total   []float64  // of blocks
	by      *inflation // weights its edges, nil for 1
	// corrections of its pairs, also without some of the blocks
	corrections []float64
	anchors     *anchors // nil without draws
}

// part solves for half h, without blocks of each half by their places there.
func (s *pinning) part(parts []pinnedHalf, h int, out [][]int) (*Density, error) {
	p, other := &parts[h], len(parts)-1-h
	rest := p.total
	if len(out[h]) > 0 {
		rest = slices.Clone(p.total)
		for _, b := range out[h] {
			subtract(rest, p.blocks[b])
		}
	}
	var sums []lnSum
	if p.anchors != nil {
		lnZ, err := p.anchors.lnZWithout(out[h])
		if err != nil {
			return nil, err
		}
		v := parts[other].anchors.variances(out[other])
		for i, k := range s.windows {
			w := s.bridge.Windows[k]
			sums = append(sums, lnSum{w.Low, w.High, s.bridge.LnWeight, lnZ[i], v[i]})
		}
	}
	return s.pinned(rest, p.by.without(out[other]), p.corrections, sums)
}

// replicas repeats the estimate without some blocks each, nil if that fails for any. An omitted
// block is missing from its own part, and from the weights of the other.
func (s *pinning) replicas(parts []pinnedHalf) []*Density {
	replicas, faults := make([]*Density, len(s.omitted)), make([]error, len(s.omitted))
	parallel.Do(runtime.GOMAXPROCS(0), len(s.omitted), 1, func(_, k int) {
		// Block b is number b/n of part b%n.
		out := make([][]int, len(parts))
		for b := s.omitted[k][0]; b < s.omitted[k][1]; b++ {
			out[b%len(parts)] = append(out[b%len(parts)], b/len(parts))
		}
		solutions := make([]*Density, len(parts))
		for h := range parts {
			if solutions[h], faults[k] = s.part(parts, h, out); faults[k] != nil {
				return
			}
		}
		replicas[k], faults[k] = s.average(solutions)
	})
	if errors.Join(faults...) != nil {
		return nil
	}
	return replicas
}

// sumOf adds up blocks.
func sumOf(blocks [][]int64) []float64 {
	total := make([]float64, len(blocks[0]))
	for _, block := range blocks {
		for i, n := range block {
			total[i] += float64(n)
		}
	}
	return total
}

func subtract(total []float64, block []int64) {
	for i, n := range block {
		total[i] -= float64(n)
	}
}

// average is the mean of ln g over solutions, at the levels that all have. The sum of all g is
// met again by those without a known value.
func (s *pinning) average(solutions []*Density) (*Density, error) {
	if len(solutions) == 1 {
		return solutions[0], nil
	}
	d := &Density{}
	for i, e := range solutions[0].Energy {
		sum, n := solutions[0].LnG[i], 1
		for _, other := range solutions[1:] {
			if k, ok := slices.BinarySearch(other.Energy, e); ok {
				sum += other.LnG[k]
				n++
			}
		}
		if n == len(solutions) {
			d.Energy = append(d.Energy, e)
			d.LnG = append(d.LnG, sum/float64(n))
		}
	}
	if d.Len() < 2 {
		return nil, errors.New("the halves of the blocks have no levels in common")
	}
	known := make([]bool, d.Len())
	for _, pin := range s.pins {
		if i, ok := slices.BinarySearch(d.Energy, s.energy[pin.Level]); ok {
			d.LnG[i], known[i] = pin.LnG, true // without the rounding of a mean
		}
	}
	var fixed, free []float64
	for i, x := range d.LnG {
		if known[i] {
			fixed = append(fixed, x)
		} else {
			free = append(free, x)
		}
	}
	shift := s.lnTotal + math.Log1p(-math.Exp(LogSumExp(fixed)-s.lnTotal)) - LogSumExp(free)
	for i := range d.LnG {
		if !known[i] {
			d.LnG[i] += shift
		}
	}
	return d, nil
}

// lnSum is a sum of g that is known: ln of the sum of g exp(-lnWeight) over levels, lnWeight nil
// for 0, has a value with a variance, which may be zero.
type lnSum struct {
	low, high       int
	lnWeight        []float64
	value, variance float64
}

const (
	// pinningTolerance is the last step of ln g in Newton's method.
	pinningTolerance = 1e-11
	// maxPinning bounds its steps; a handful suffice.
	maxPinning = 100
)

// pinned solves with the pins, the sum of all g, and further sums. kappa by level multiplies the
// variances, nil for 1; corrections are those of pairs. Levels are left out that are connected neither to the bulk nor
// to what is known absolutely.
func (s *pinning) pinned(counts, kappa, corrections []float64, sums []lnSum) (*Density, error) {
	l, free, err := s.transitions(counts).solve(kappa, s.pins, corrections)
	if err != nil {
		return nil, err
	}
	sums = append([]lnSum{{low: 0, high: len(s.energy) - 1, value: s.lnTotal}}, sums...)
	// Each sum to first order in x is p x = const, with p the shares of its levels. The minimum
	// is at free + sum of mu_k A^-1 p_k, in which mu_k is how far the sum is off in units of its
	// variance. Levels that are not connected with a pin may also shift together: then the sum of
	// mu_k p_k over them is 0, as nothing pulls at the level that the ladder holds.
	x, n, size := slices.Clone(free), len(sums), len(sums)+len(l.loose)
	l.placeParts(x, sums)
	for range maxPinning {
		shares, responses := make([][]float64, n), make([][]float64, n)
		a, b := mat.NewDense(size, size, nil), mat.NewVecDense(size, nil)
		for k, sum := range sums {
			lnSum := 0.0
			shares[k], lnSum = l.shares(x, sum)
			if shares[k] == nil {
				return nil, fmt.Errorf("no transition leads to the levels %d..%d, where there are draws", sum.low, sum.high)
			}
			responses[k] = l.solveFor(shares[k])
			right := sum.value - lnSum
			for i, p := range shares[k] {
				right += p * (x[i] - free[i])
			}
			b.SetVec(k, right)
		}
		for k := range sums {
			for i := range k + 1 {
				product := floats.Dot(shares[k], responses[i])
				a.Set(k, i, product)
				a.Set(i, k, product)
			}
			a.Set(k, k, a.At(k, k)+sums[k].variance)
			for c, places := range l.loose {
				sum := 0.0
				for _, i := range places {
					sum += shares[k][i]
				}
				a.Set(k, n+c, sum)
				a.Set(n+c, k, sum)
			}
		}
		var mu mat.VecDense
		if err := mu.SolveVec(a, b); err != nil && !errors.As(err, new(mat.Condition)) {
			return nil, err
		}
		shift := make([]float64, len(x))
		for c, places := range l.loose {
			for _, i := range places {
				shift[i] = mu.AtVec(n + c)
			}
		}
		change := 0.0
		for i := range x {
			if l.held[i] {
				continue
			}
			next := free[i] + shift[i]
			for k := range sums {
				next += mu.AtVec(k) * responses[k][i]
			}
			change = max(change, math.Abs(next-x[i]))
			x[i] = next
		}
		if change < pinningTolerance*max(1, math.Abs(s.lnTotal)) {
			return l.density(s.energy, x)
		}
	}
	return nil, errors.New("ln g cannot meet the numbers of configurations")
}

// placeParts shifts levels that are not connected with each other to about where a window of theirs, or without one the
// sum of all g, has them. From there Newton's method converges: the sum of all g must not seem to be that of the wrong
// part. sums begins with it.
func (l *ladder) placeParts(x []float64, sums []lnSum) {
	if len(l.loose) == 0 || len(l.loose) == 1 && !slices.Contains(l.held, true) {
		return
	}
	for _, places := range l.loose {
		own := make([]float64, len(places))
		for k, i := range places {
			own[k] = x[i]
		}
		shift := sums[0].value - LogSumExp(own)
		for _, sum := range sums[1:] { // a window is in one part
			shares, ln := l.shares(x, sum)
			if shares != nil && slices.ContainsFunc(places, func(i int) bool { return shares[i] > 0 }) {
				shift = sum.value - ln
				break
			}
		}
		for _, i := range places {
			x[i] += shift
		}
	}
}

// shares are the parts of a sum that levels have, by place, and ln of the sum. A level with a
// known x has none: it cannot move. They are nil where there is no level.
func (l *ladder) shares(x []float64, sum lnSum) (p []float64, ln float64) {
	terms := make([]float64, len(x))
	for k, b := range l.levels {
		terms[k] = math.Inf(-1)
		if b >= sum.low && b <= sum.high {
			terms[k] = x[k]
			if sum.lnWeight != nil {
				terms[k] -= sum.lnWeight[b]
			}
		}
	}
	if ln = LogSumExp(terms); math.IsInf(ln, -1) {
		return nil, ln
	}
	p = make([]float64, len(x))
	for k, t := range terms {
		if !l.held[k] {
			p[k] = math.Exp(t - ln)
		}
	}
	return p, ln
}

// inflate divides the weights of edges by kappa, which is by level; nil for 1.
func inflate(edges []edge, kappa []float64) []edge {
	if kappa == nil {
		return edges
	}
	edges = slices.Clone(edges)
	for k, e := range edges {
		edges[k].weight /= math.Sqrt(kappa[e.i] * kappa[e.j])
	}
	return edges
}
