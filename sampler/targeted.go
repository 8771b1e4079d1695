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
// each q in its own frame: an independence sampler over the whole window. Or B*' is drawn
// from the other half of these targets than that of B*, with the ratio of their sizes in
// the acceptance: such a move across does not end where it began, and round trips need
// fewer of them. Where the weights h/g are to make another histogram h than a flat one, targets
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
	across  float64 // share of full proposals with a target in the other half
	frames  []*lattice.Frame
	decide  []float64 // uniform number of each walker for the decision
	crosses []bool    // the proposal aims at the other half
	aims    []int     // target of each proposal
	from    []int     // target of the state where it was drawn anew
	sides   []Window  // targets that each proposal's was drawn from
	to      []int     // level of each proposal
	levels  []int     // level that it was made for
	changed []int     // sites that it changed, -1 if it was rejected
}

// refreshPeriod is the number of full proposals after which every walker's aim is drawn
// anew even if its configuration has stayed: a configuration that is improbable in its
// frame gets another chance.
const refreshPeriod = 16

func newTargetedMove(p *lattice.Potts, proposer Proposer, partial, across float64, walkers int) *targetedMove {
	m := &targetedMove{
		system: p, proposer: proposer, tolerance: proposer.Batch().Tolerance, partial: partial, across: across,
		frames: make([]*lattice.Frame, walkers),
		decide: make([]float64, walkers), crosses: make([]bool, walkers),
		aims: make([]int, walkers), from: make([]int, walkers), to: make([]int, walkers),
		sides: make([]Window, walkers), levels: make([]int, walkers), changed: make([]int, walkers),
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

func (m *targetedMove) run(ctx context.Context, n int64, walkers []walker, window func(i int) *weights, workers int, hits func(worker, i int) []int64, samples *Samples) (int, neuralTimes, error) {
	partial := m.isPartial(n)
	evaluate := partial || n%refreshPeriod == 0
	for i := range walkers {
		evaluate = evaluate || window(i).isOpen && !walkers[i].aim.known
	}
	b := m.proposer.Batch()
	sites := b.Sites
	var times neuralTimes

	began := time.Now()
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		w, window := &walkers[i], window(i)
		r := rand.New(w.rng)
		m.frames[i].Randomise(r)
		if evaluate {
			m.frames[i].Apply(b.State[i*sites:(i+1)*sites], w.state)
			m.from[i] = around(r, w.level, m.tolerance)
			b.Current[i] = m.energy(m.from[i])
		}
		b.Start[i] = 0
		m.sides[i] = m.targets(window)
		m.aims[i] = window.targets.draw(r, m.sides[i])
		// Without an evaluation the target of the state is the one that it has.
		own := w.aim.target
		if evaluate {
			own = m.from[i]
		}
		if m.crosses[i] = r.Float64() < m.across && !partial; m.crosses[i] {
			m.sides[i] = m.sides[i].other(own)
			m.aims[i] = window.targets.draw(r, m.sides[i])
		}
		if partial {
			resampled := resampled(r.Float64(), sites)
			b.Start[i] = int32(sites - resampled)
			m.aims[i] = around(r, m.from[i], lattice.Coordination*resampled/2)
		}
		b.Target[i] = m.energy(m.aims[i])
		uniform := b.Uniform[i*sites : (i+1)*sites]
		for j := range uniform {
			uniform[j] = float32(w.rng.Uint64()>>40) * 0x1p-24
		}
		m.decide[i] = r.Float64()
	})
	if err := m.proposer.Propose(ctx); err != nil {
		return 0, times, fmt.Errorf("propose: %w", err)
	}
	times.propose = time.Since(began)
	if err := checkProposals(m.system, b, m.to); err != nil {
		return 0, times, err
	}

	began = time.Now()
	if evaluate {
		if err := m.proposer.LogProb(ctx); err != nil {
			return 0, times, fmt.Errorf("log-likelihood of the state: %w", err)
		}
		if err := checkLogProb(b.Reverse, "state"); err != nil {
			return 0, times, err
		}
	}
	times.logProb = time.Since(began)

	var accepted atomic.Int64
	parallel.Do(workers, len(walkers), walkersAtOnce, func(worker, i int) {
		w, window := &walkers[i], window(i)
		if !window.isOpen {
			return
		}
		own := w.aim
		if evaluate {
			own = aim{m.from[i], float64(b.Reverse[i]), true}
		}
		if !partial {
			w.aim = own
		}
		to := m.to[i]
		m.levels[i], m.changed[i] = w.level, -1
		if window.Contains(to) && abs(to-m.aims[i]) <= m.tolerance {
			x := LnAcceptance(window.lnWeight[w.level], window.lnWeight[to], float64(b.Forward[i]), own.lnQ)
			if h := window.targets; !partial && (h != nil || m.crosses[i]) {
				side, back := m.sides[i], m.targets(window)
				if m.crosses[i] {
					back = back.other(m.aims[i])
				}
				x += h.lnShare(Window{own.target, own.target}, back) - h.lnShare(Window{m.aims[i], m.aims[i]}, side)
			}
			if x >= 0 || m.decide[i] < math.Exp(x) {
				m.changed[i] = m.frames[i].Undo(w.state, b.Proposal[i*sites:(i+1)*sites])
				w.level = to
				w.aim = aim{m.aims[i], float64(b.Forward[i]), !partial}
				accepted.Add(1)
			}
		}
		hits(worker, i)[w.level]++
	})
	if samples != nil {
		m.record(b, walkers, window, partial, samples)
	}
	return int(accepted.Load()), times, nil
}

// record tells samples of the proposals. Of a level E that is itself a possible target,
// between w+1 and 2w+1 targets are within w; a draw that aims at one of them and hits E
// stands for all, with the weight 1/(p q) if p is the probability of a target near E.
func (m *targetedMove) record(b *Batch, walkers []walker, window func(i int) *weights, partial bool, samples *Samples) {
	for i := range walkers {
		window := window(i)
		if !window.isOpen {
			continue
		}
		samples.draws.proposed(m.levels[i], m.changed[i] >= 0, m.changed[i])
		side, to := m.sides[i], m.to[i]
		reach := Window{max(side.Low, window.Low), min(side.High, window.High)}
		if partial || reach.levels() < 1 {
			continue
		}
		lnWeight := math.Inf(-1)
		if abs(to-m.aims[i]) <= m.tolerance {
			near := Window{max(to-m.tolerance, side.Low), min(to+m.tolerance, side.High)}
			lnWeight = -window.targets.lnShare(near, side) - float64(b.Forward[i])
		}
		samples.draws.drawn(samples.segment, i, reach, to, lnWeight)
	}
}

// targets are the levels that proposals in a window may aim at.
func (m *targetedMove) targets(w *weights) Window {
	return Window{w.Low - m.tolerance, w.High + m.tolerance}
}

// other is the half of the window that a level is not in.
func (w Window) other(level int) Window {
	middle := (w.Low + w.High) / 2
	if level > middle {
		return Window{w.Low, middle}
	}
	return Window{middle + 1, w.High}
}

// energy of a level, in units of J, also of one beyond the ends.
func (m *targetedMove) energy(level int) float32 { return float32(m.system.Energy(level)) }

func abs(x int) int { return max(x, -x) }
