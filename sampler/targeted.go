package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"neuralwl/internal/parallel"
	"neuralwl/sampler/lattice"
)

// aim is an auxiliary variable of a walker's configuration s: a target level B*, in a
// frame, with ln q(s|B*) in that frame. Given s, it is distributed uniformly over the
// frames and the targets within the tolerance w of the level of s. It may therefore be
// drawn anew at any time; as long as the configuration stays, it need not.
type aim struct {
	target int
	lnQ    float64
	known  bool // and not out of date
}

// targetedMove proposes configurations by a network that aims at a level. The chain is
// one of configurations with their aims, of which
//
//	(s, B*, T) has the weight 1/g(E) up to a constant, if |B(s) - B*| <= w, and else 0.
//
// A proposal (s', B*', T') consists of a target drawn uniformly over all levels of the
// window and w more at both ends, a frame, and s' ~ q(.|B*') in that frame. It is rejected
// if |B(s') - B*'| > w, and else accepted with
//
//	min[1, g(E) q(s|B*) / (g(E') q(s'|B*'))],
//
// each q in its own frame: an independence sampler over the whole window. Or the move goes
// across: B*' is drawn from one end of these targets if B* is in the other one, with the
// ratio of the ends' sizes in the acceptance. Such a move does not end where it began, so
// that round trips need fewer of them. Walkers in between make no move across, which
// saves the network's time where its proposals are accepted least, between the phases. Where the weights h/g are to make another histogram h than a flat one, targets
// are drawn in proportion to it, and h(B*)/h(B*') enters the acceptance. In a partial
// refresh the first k sites in raster order of one frame T = T' stay; then B*' is drawn
// around B*, evenly up to as far as the other sites can reach, and q is that of the other
// sites given the first k.
type targetedMove struct {
	system    *lattice.Potts
	proposer  Proposer
	tolerance int
	// partial is the share of trials that are partial refreshs. They are made by all
	// walkers at a time, as the full proposals can do without most evaluations of ln q(s|B*).
	partial float64
	across  float64 // share of full proposals that go across
	frames  []*lattice.Frame

	// By walker.
	place   []int     // in the batch, -1 if it makes no proposal
	resets  []int     // sites that a proposal draws anew
	decide  []float64 // uniform number for the decision
	crosses []bool    // the proposal goes across
	aims    []int     // target of the proposal
	from    []int     // target of the state where it was drawn anew
	sides   []Window  // targets that the proposal's was drawn from
	levels  []int     // level that it was made for
	changed []int     // sites that it changed, -1 if it was rejected

	// By place in the batch.
	made []int // the walker
	to   []int // level of the proposal
}

// highEnd and lowEnd are the parts of the targets, at high and at low energies, between
// which moves go across. With q = 10 they make the most round trips; see docs/networks.md.
const highEnd, lowEnd = 0.3, 0.2

// refreshPeriod is the number of full proposals after which every walker's aim is drawn
// anew even if its configuration has stayed: a configuration that is improbable in its
// frame gets another chance.
const refreshPeriod = 16

func newTargetedMove(p *lattice.Potts, proposer Proposer, partial, across float64, walkers int) *targetedMove {
	m := &targetedMove{
		system: p, proposer: proposer, tolerance: proposer.Batch().Tolerance, partial: partial, across: across,
		frames: make([]*lattice.Frame, walkers), place: make([]int, walkers), resets: make([]int, walkers),
		decide: make([]float64, walkers), crosses: make([]bool, walkers),
		aims: make([]int, walkers), from: make([]int, walkers), sides: make([]Window, walkers),
		levels: make([]int, walkers), changed: make([]int, walkers), to: make([]int, walkers),
	}
	for i := range m.frames {
		m.frames[i] = p.NewFrame()
	}
	return m
}

// around draws a level within distance of another one, evenly.
func around(r *rand.Rand, level, distance int) int { return level - distance + r.IntN(2*distance+1) }

// isPartial tells whether the n-th trial is a partial refresh.
func (m *targetedMove) isPartial(n int64) bool {
	return math.Floor(float64(n+1)*m.partial) > math.Floor(float64(n)*m.partial)
}

func (m *targetedMove) run(ctx context.Context, n int64, walkers []walker, window func(i int) *weights, workers int, hits func(worker, i int) []int64, samples *Samples) (Count, neuralTimes, error) {
	partial := m.isPartial(n)
	evaluate := partial || n%refreshPeriod == 0
	for i := range walkers {
		evaluate = evaluate || window(i).isOpen && !walkers[i].aim.known
	}
	b := m.proposer.Batch()
	var times neuralTimes

	began := time.Now()
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		m.place[i] = -1
		if window := window(i); window.isOpen && m.plan(i, &walkers[i], window, partial, evaluate) {
			m.place[i] = 0
		}
	})
	m.made = m.made[:0]
	for i := range walkers {
		if m.place[i] == 0 {
			m.place[i] = len(m.made)
			m.made = append(m.made, i)
		}
	}
	b.Used = len(m.made)
	parallel.Do(workers, len(m.made), walkersAtOnce, func(_, k int) {
		m.fill(b, k, &walkers[m.made[k]], evaluate)
	})
	if err := m.proposer.Propose(ctx); err != nil {
		return Count{}, times, fmt.Errorf("propose: %w", err)
	}
	times.propose = time.Since(began)
	if err := checkProposals(m.system, b, m.to); err != nil {
		return Count{}, times, err
	}

	began = time.Now()
	if evaluate {
		if err := m.proposer.LogProb(ctx); err != nil {
			return Count{}, times, fmt.Errorf("log-likelihood of the state: %w", err)
		}
		if err := checkLogProb(b.Reverse[:b.Used], "state"); err != nil {
			return Count{}, times, err
		}
	}
	times.logProb = time.Since(began)

	var accepted atomic.Int64
	parallel.Do(workers, len(walkers), walkersAtOnce, func(worker, i int) {
		w, window := &walkers[i], window(i)
		if m.place[i] >= 0 && m.decideOn(b, i, w, window, partial, evaluate) {
			accepted.Add(1)
		}
		if window.isOpen {
			hits(worker, i)[w.level]++
		}
	})
	if samples != nil {
		m.record(b, window, partial, samples)
	}
	return Count{Trials: int64(len(m.made)), Accepted: accepted.Load()}, times, nil
}

// plan draws what walker i proposes, and whether.
func (m *targetedMove) plan(i int, w *walker, window *weights, partial, evaluate bool) bool {
	r := rand.New(w.rng)
	m.frames[i].Randomise(r)
	own := w.aim.target // without an evaluation the state keeps its target
	if evaluate {
		own = around(r, w.level, m.tolerance)
		m.from[i] = own
	}
	m.resets[i] = m.system.Sites()
	m.crosses[i] = !partial && r.Float64() < m.across
	switch {
	case partial:
		m.resets[i] = resampled(r.Float64(), m.system.Sites())
		m.aims[i] = around(r, own, lattice.Coordination*m.resets[i]/2)
	case m.crosses[i]:
		side, ok := m.targets(window).otherEnd(own)
		if !ok {
			return false
		}
		m.sides[i] = side
		m.aims[i] = window.targets.draw(r, side)
	default:
		m.sides[i] = m.targets(window)
		m.aims[i] = window.targets.draw(r, m.sides[i])
	}
	m.decide[i] = r.Float64()
	return true
}

// fill puts the k-th proposal into the batch.
func (m *targetedMove) fill(b *Batch, k int, w *walker, evaluate bool) {
	i, sites := m.made[k], b.Sites
	if evaluate {
		m.frames[i].Apply(b.State[k*sites:(k+1)*sites], w.state)
		b.Current[k] = m.energy(m.from[i])
	}
	b.Start[k] = int32(sites - m.resets[i])
	b.Target[k] = m.energy(m.aims[i])
	uniform := b.Uniform[k*sites : (k+1)*sites]
	for j := range uniform {
		uniform[j] = float32(w.rng.Uint64()>>40) * 0x1p-24
	}
}

// decideOn accepts or rejects the proposal of walker i.
func (m *targetedMove) decideOn(b *Batch, i int, w *walker, window *weights, partial, evaluate bool) bool {
	k, sites := m.place[i], b.Sites
	own := w.aim
	if evaluate {
		own = aim{m.from[i], float64(b.Reverse[k]), true}
	}
	if !partial {
		w.aim = own
	}
	m.levels[i], m.changed[i] = w.level, -1
	to := m.to[k]
	if !window.Contains(to) || abs(to-m.aims[i]) > m.tolerance {
		return false
	}
	x := LnAcceptance(window.lnWeight[w.level], window.lnWeight[to], float64(b.Forward[k]), own.lnQ)
	if h := window.targets; !partial && (h != nil || m.crosses[i]) {
		side, back := m.sides[i], m.targets(window)
		if m.crosses[i] {
			back, _ = back.otherEnd(m.aims[i])
		}
		x += h.lnShare(Window{own.target, own.target}, back) - h.lnShare(Window{m.aims[i], m.aims[i]}, side)
	}
	if x < 0 && m.decide[i] >= math.Exp(x) {
		return false
	}
	m.changed[i] = m.frames[i].Undo(w.state, b.Proposal[k*sites:(k+1)*sites])
	w.level = to
	w.aim = aim{m.aims[i], float64(b.Forward[k]), !partial}
	return true
}

// record tells samples of the proposals. Of a level E that is itself a possible target,
// between w+1 and 2w+1 targets are within w; a draw that aims at one of them and hits E
// stands for all, with the weight 1/(p q) if p is the probability of a target near E.
func (m *targetedMove) record(b *Batch, window func(i int) *weights, partial bool, samples *Samples) {
	for k, i := range m.made {
		window := window(i)
		samples.draws.proposed(m.levels[i], m.changed[i] >= 0, m.changed[i])
		side, to := m.sides[i], m.to[k]
		reach := Window{max(side.Low, window.Low), min(side.High, window.High)}
		if partial || reach.levels() < 1 {
			continue
		}
		lnWeight := math.Inf(-1)
		if abs(to-m.aims[i]) <= m.tolerance {
			near := Window{max(to-m.tolerance, side.Low), min(to+m.tolerance, side.High)}
			lnWeight = -window.targets.lnShare(near, side) - float64(b.Forward[k])
		}
		samples.draws.drawn(samples.segment, i, reach, to, lnWeight)
	}
}

// targets are the levels that proposals in a window may aim at.
func (m *targetedMove) targets(w *weights) Window {
	return Window{w.Low - m.tolerance, w.High + m.tolerance}
}

// otherEnd is the end of the targets that a level at the other one has its counterparts in;
// a level in between has none.
func (w Window) otherEnd(level int) (Window, bool) {
	// Levels count satisfied bonds, low energies are at high levels.
	span := float64(w.High - w.Low)
	high, low := Window{w.Low, w.Low + int(highEnd*span)}, Window{w.High - int(lowEnd*span), w.High}
	if high.Contains(level) {
		return low, true
	}
	return high, low.Contains(level)
}

// energy of a level, in units of J, also of one beyond the ends.
func (m *targetedMove) energy(level int) float32 { return float32(m.system.Energy(level)) }

func abs(x int) int { return max(x, -x) }
