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
// redrawn at any time, but need not be while the configuration stays.
type aim struct {
	target int
	lnQ    float64
	of     Version // the network that lnQ is of, 0 if the aim is unknown
}

// known reports whether the aim holds for a network; no aim holds for version 0.
func (a *aim) known(v Version) bool { return v != 0 && a.of == v }

func (a *aim) forget() { a.of = 0 }

// targetedMove proposes configurations by a network that aims at a level. The chain is
// one of configurations with their aims, of which
//
//	(s, B*, T) has the weight 1/g(E) up to a constant, if |B(s) - B*| <= w, and else 0.
//
// A proposal (s', B*', T') consists of a target drawn uniformly from all levels of the
// window and w more at each end, a frame, and s' ~ q(.|B*') in that frame. It is rejected
// if |B(s') - B*'| > w, and otherwise accepted with
//
//	min[1, g(E) q(s|B*) / (g(E') q(s'|B*'))],
//
// each q in its own frame: an independence sampler over the whole window.
//
// In a move across, if the level of s is at one end of the window, B*' is drawn from the
// other end and w more on each side of it; s' must lie at that end, and the ratio of the
// sizes of both ends enters the acceptance. Such a move does not end where it began, so that
// round trips need fewer of them. Walkers in between make no move across, which saves the
// network's time where its proposals are accepted least, between the phases. (The level
// decides, not B*: moving, or redrawing B*, depending on B* would spoil its distribution
// given s.)
//
// If the weights h/g ask for a histogram h that is not flat, targets are drawn in proportion
// to h, and h(B*)/h(B*') enters the acceptance.
//
// In a partial refresh the first k sites in raster order of a common frame T = T' stay. B*'
// is then drawn uniformly around B*, as far as the other sites can reach, and q is that of
// the other sites given the first k.
type targetedMove struct {
	system    lattice.Symmetric
	proposer  Proposer
	tolerance int
	// partial is the share of trials that are partial refreshes. All walkers make them at the
	// same time, since full proposals can do without the evaluation of ln q(s|B*) where the aim is known.
	partial   float64
	across    float64 // share of full proposals that go across
	trials    []trial // by walker
	made      []int   // by place in the batch: the walker
	evaluated int     // the first places, whose states' ln q is evaluated; the aims of the others are known
	to        []int   // by place in the batch: the level of the proposal
}

// trial is a walker's present trial.
type trial struct {
	frame    *lattice.Frame
	proposes bool
	place    int            // in the batch
	sites    int            // number of sites that the proposal resamples
	decide   float64        // uniform number for the decision
	crosses  bool           // the proposal goes across
	side     lattice.Window // levels that the proposal may have
	targets  lattice.Window // levels from which its target is drawn
	aim      int            // target of the proposal
	from     int            // target of the state, if redrawn
	level    int            // of the state
	own      aim            // of the state
	changed  int            // sites changed by the proposal, -1 if it was rejected
}

// endShare is the share of the levels between the infinite-temperature peak and the ground
// state that makes up each of the two ends connected by moves across. Levels beyond the peak
// belong to the end of high energies.
const endShare = 0.25

// refreshPeriod is the number of full proposals after which every walker's aim is redrawn
// even if its configuration has stayed, so that a configuration that is improbable in its
// frame gets another chance.
const refreshPeriod = 16

func newTargetedMove(p lattice.Symmetric, proposer Proposer, partial, across float64, frames []*lattice.Frame) *targetedMove {
	walkers := len(frames)
	m := &targetedMove{
		system: p, proposer: proposer, tolerance: proposer.Batch().Tolerance, partial: partial, across: across,
		trials: make([]trial, walkers), to: make([]int, walkers),
	}
	for i := range m.trials {
		m.trials[i].frame = frames[i]
	}
	return m
}

// near draws a level uniformly within a distance of another.
func near(r *rand.Rand, level, distance int) int { return level - distance + r.IntN(2*distance+1) }

// isPartial reports whether the n-th trial is a partial refresh.
func (m *targetedMove) isPartial(n int64) bool {
	return math.Floor(float64(n+1)*m.partial) > math.Floor(float64(n)*m.partial)
}

func (m *targetedMove) run(ctx context.Context, n int64, walkers []walker, window func(i int) *estimate, workers int, hits func(i int) []int64, tally *ProposalCounts, samples *Samples) (Count, neuralTimes, error) {
	partial := m.isPartial(n)
	b, network := m.proposer.Batch(), m.proposer.Pin()
	var times neuralTimes

	began := time.Now()
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		m.trials[i].proposes = window(i).isOpen && m.plan(&m.trials[i], &walkers[i], window(i), partial)
	})
	// The states to be evaluated come first in the batch.
	all := partial || n%refreshPeriod == 0
	m.made = m.made[:0]
	for _, unknown := range []bool{true, false} {
		for i := range m.trials {
			if m.trials[i].proposes && (all || !walkers[i].aim.known(network)) == unknown {
				m.trials[i].place = len(m.made)
				m.made = append(m.made, i)
			}
		}
		if unknown {
			m.evaluated = len(m.made)
		}
	}
	b.Used = len(m.made)
	parallel.Do(workers, len(m.made), walkersAtOnce, func(_, k int) {
		i := m.made[k]
		m.fill(b, &m.trials[i], &walkers[i], window(i), partial)
	})
	if err := m.propose(ctx); err != nil {
		return Count{}, times, err
	}
	times.propose = time.Since(began)

	began = time.Now()
	if b.Used = m.evaluated; b.Used > 0 {
		if err := m.proposer.LogProb(ctx); err != nil {
			return Count{}, times, fmt.Errorf("log-likelihood of the state: %w", err)
		}
		if err := checkLogProb(b.Reverse[:b.Used], "state"); err != nil {
			return Count{}, times, err
		}
	}
	times.logProb = time.Since(began)

	var accepted atomic.Int64
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		if m.trials[i].proposes && m.decide(b, &m.trials[i], &walkers[i], window(i), network, partial) {
			accepted.Add(1)
		}
	})
	for i := range walkers {
		if window(i).isOpen {
			hits(i)[walkers[i].level]++
		}
	}
	for _, i := range m.made {
		tally.count(m.trials[i].level, m.trials[i].changed >= 0, m.trials[i].changed)
	}
	if samples != nil && !partial {
		m.record(b, window, samples)
	}
	return Count{Trials: int64(len(m.made)), Accepted: accepted.Load()}, times, nil
}

// propose has the network fill the places in use.
func (m *targetedMove) propose(ctx context.Context) error {
	if err := m.proposer.Propose(ctx); err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	return checkProposals(m.system, m.proposer.Batch(), m.to)
}

// plan draws what kind of proposal a walker makes, if any.
func (m *targetedMove) plan(t *trial, w *walker, window *estimate, partial bool) (proposes bool) {
	r := rand.New(w.rng)
	t.frame.Randomise(r)
	t.sites, t.side = m.system.Sites(), window.Window
	if partial {
		t.sites = resampled(r.Float64(), t.sites)
	}
	if t.crosses = !partial && r.Float64() < m.acrossIn(window); t.crosses {
		if t.side, proposes = m.otherEnd(window.Window, w.level); !proposes {
			return false
		}
	}
	t.targets = m.around(t.side)
	return true
}

// fill puts a walker's proposal into its place in the batch.
func (m *targetedMove) fill(b *Batch, t *trial, w *walker, window *estimate, partial bool) {
	r := rand.New(w.rng)
	k, sites := t.place, b.Sites
	if k < m.evaluated {
		t.from = near(r, w.level, m.tolerance)
		t.frame.Apply(b.State[k*sites:(k+1)*sites], w.state)
		b.Current[k] = m.energy(t.from)
	}
	if partial {
		t.aim = near(r, t.from, m.system.MaxStep()*t.sites/2)
	} else {
		t.aim = window.histogram.draw(r, t.targets)
	}
	b.Start[k] = int32(sites - t.sites)
	b.Target[k] = m.energy(t.aim)
	Uniforms(b.Uniforms(k), w.rng)
	t.decide = r.Float64()
}

// decide accepts or rejects a walker's proposal.
func (m *targetedMove) decide(b *Batch, t *trial, w *walker, window *estimate, network Version, partial bool) (accepted bool) {
	k, sites := t.place, b.Sites
	own := w.aim
	if k < m.evaluated {
		own = aim{t.from, float64(b.Reverse[k]), network}
	}
	if !partial {
		w.aim = own
	}
	t.level, t.own, t.changed = w.level, own, -1
	to, forward := m.to[k], float64(b.Forward[k])
	if !m.meets(t, to) {
		return false
	}
	x := LnAcceptance(window.lnWeight[w.level], window.lnWeight[to], forward, own.lnQ)
	if h := window.histogram; !partial { // the shares cancel for even targets of the whole window
		back := t.targets
		if t.crosses {
			side, _ := m.otherEnd(window.Window, to)
			back = m.around(side)
		}
		x += h.lnShare(lattice.Window{Low: own.target, High: own.target}, back) - h.lnShare(lattice.Window{Low: t.aim, High: t.aim}, t.targets)
	}
	if x < 0 && t.decide >= math.Exp(x) {
		return false
	}
	t.changed = t.frame.Undo(w.state, b.Proposal[k*sites:(k+1)*sites])
	w.level = to
	if w.aim = (aim{t.aim, forward, network}); partial {
		w.aim.forget() // forward is of the resampled sites alone
	}
	return true
}

// meets reports whether the level of a proposal is admissible and near enough to its target.
func (m *targetedMove) meets(t *trial, to int) bool {
	return t.side.Contains(to) && abs(to-t.aim) <= m.tolerance
}

// lnInverse is the logarithm of the contribution of a proposal that has met its target to the
// number of states of its level. Between w+1 and 2w+1 targets are within w of a level that is
// itself a possible target; a draw that aims at one of them stands for all, with the inverse
// probability 1/(p q), where p is the probability of a target near the level.
func (m *targetedMove) lnInverse(t *trial, h *spread, to int, lnQ float64) float64 {
	meant := lattice.Window{Low: max(to-m.tolerance, t.targets.Low), High: min(to+m.tolerance, t.targets.High)}
	return -h.lnShare(meant, t.targets) - lnQ
}

// record counts full proposals as draws in samples, by their inverse probabilities and, with
// the states for which they were made, for the bridge.
func (m *targetedMove) record(b *Batch, window func(i int) *estimate, samples *Samples) {
	for k, i := range m.made {
		window, t := window(i), &m.trials[i]
		to, lnInverse := m.to[k], math.Inf(-1)
		if m.meets(t, to) {
			lnInverse = m.lnInverse(t, window.histogram, to, float64(b.Forward[k]))
		}
		samples.draws.drawn(samples.segment, i, t.side, to, lnInverse)
		if bridge := samples.bridge; bridge != nil {
			block := samples.segment*samples.draws.groups + i/samples.draws.groupSize
			bridge.state(block, t.level, t.own)
			bridge.draw(block, t.kind(m), t.aim, to, float64(b.Forward[k]), abs(to-t.aim) <= m.tolerance)
		}
	}
}

// around is the window of targets for some levels: these and the tolerance on each side.
func (m *targetedMove) around(levels lattice.Window) lattice.Window {
	return lattice.Window{Low: levels.Low - m.tolerance, High: levels.High + m.tolerance}
}

// otherEnd is the end of a window to which moves across lead from a level at its opposite
// end; it reports false for levels in between.
func (m *targetedMove) otherEnd(w lattice.Window, level int) (lattice.Window, bool) {
	high, low, ok := m.ends(w)
	if !ok || high.Contains(level) {
		return low, ok
	}
	return high, low.Contains(level)
}

// leastEnd is how much of a histogram an end must have for moves across, in units of what a flat one
// has there. Engine.LowHistogram has 0.71 of it at high energies.
const leastEnd = 2. / 3

// acrossIn is the share of the full proposals in a window that go across. If the walkers are to be
// elsewhere than at the ends, as in two phases that lie between them, there are none: targets then
// follow the histogram alone.
func (m *targetedMove) acrossIn(w *estimate) float64 {
	high, low, ok := m.ends(w.Window)
	if h := w.histogram; ok && h != nil {
		even := h.sum(w.Window) / float64(w.Levels())
		for _, end := range []lattice.Window{high, low} {
			if h.sum(end) < leastEnd*even*float64(end.Levels()) {
				return 0
			}
		}
	}
	return m.across
}

// ends are the two ends of a window, that of high energies first; false for one level and beyond
// the peak, which has none.
func (m *targetedMove) ends(w lattice.Window) (high, low lattice.Window, ok bool) {
	// Low energies are at high levels.
	peak := min(max(w.Low, m.system.PeakLevel()), w.High)
	reach := int(endShare * float64(w.High-peak))
	high, low = lattice.Window{Low: w.Low, High: peak + reach}, lattice.Window{Low: w.High - reach, High: w.High}
	return high, low, high.High < low.Low
}

// energy of a level in units of J; the level may lie beyond the ends.
func (m *targetedMove) energy(level int) float32 { return float32(m.system.Energy(level)) }

func abs(x int) int { return max(x, -x) }
