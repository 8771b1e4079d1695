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

// neuralMove proposes a whole configuration for every walker and accepts it with
//
//	min[1, g(E) q(s|s') / (g(E') q(s'|s))].
//
// Three choices are made for every walker and move independently of the state and
// therefore leave detailed balance exact: the frame, a random symmetry of the system in which
// the network sees the configuration; the number k of sites, in raster order of that frame,
// that keep their colour (Wu, Rossi, Carleo, PRR 3, L042024 (2021)), which are the same in s
// and s', so that only the conditionals of the other sites enter q; and, for a network that
// takes one, the shift d of the energy. The acceptance is then
//
//	min[1, g(E) q(s|s',-d) / (g(E') q(s'|s,d))].
//
// Detailed balance holds because the way back of a move with d is one with -d, which is
// drawn as often, p(d) = p(-d): the flow from s to s' under the weights 1/g by moves with d,
//
//	p(d) q(s'|s,d)/g(E) min[1, ...] = min[p(d) q(s'|s,d)/g(E), p(-d) q(s|s',-d)/g(E')],
//
// is that from s' to s by moves with -d, and the sums over all d are the same. This holds
// for any network: its use of d affects only how often moves are accepted. A p(d) that
// prefers a direction or depends on the energy would break detailed balance. (A way back with
// the same d would also be exact but hardly ever accepted, since it leads away from E.)
//
// Of an unnormalised network q(s|s')/q(s'|s) = p(s)/p(s') is known without q, also given the sites that
// keep their colour and in any frame.
type neuralMove struct {
	system   lattice.Symmetric
	proposer Proposer
	// partial is the share of proposals with N-k log-uniform in 1..N; all others have k = 0.
	partial float64
	// shift is the largest shift in units of J; 0 for none.
	shift   int
	frames  []*lattice.Frame
	decide  []float64 // by walker: uniform number for the decision
	to      []int     // level of its proposal
	from    []int     // level for which the proposal was made
	changed []int     // sites changed by the proposal, -1 if it was rejected
}

func newNeuralMove(p lattice.Symmetric, proposer Proposer, partial float64, shift int, frames []*lattice.Frame) *neuralMove {
	walkers := len(frames)
	return &neuralMove{
		system: p, proposer: proposer, partial: partial, shift: shift,
		frames:  frames,
		decide:  make([]float64, walkers),
		to:      make([]int, walkers),
		from:    make([]int, walkers),
		changed: make([]int, walkers),
	}
}

// newFrames returns the frames of the walkers' proposals.
func (o *Options) newFrames(p lattice.Symmetric) []*lattice.Frame {
	_, n := o.share()
	frames := make([]*lattice.Frame, n)
	for i := range frames {
		if frames[i] = p.NewFrame(); o.Upright {
			frames[i].Fix()
		}
	}
	return frames
}

// shiftedShare is the share of proposals whose shift is drawn, if there are shifts; all others
// have d = 0.
const shiftedShare = 0.5

// drawShift draws a shift of the energy in units of J, d as often as -d: either 0, or uniform
// in -most..most, so that one move can reach every part of the range.
func drawShift(r *rand.Rand, most int) float32 {
	if r.Float64() >= shiftedShare {
		return 0
	}
	return float32(near(r, 0, most))
}

// resampled is the number of sites, 1..n, that a partial refresh resamples, given a uniform
// number u: log-uniform, so that changes of every scale are equally frequent.
func resampled(u float64, n int) int {
	return min(n, int(math.Exp(u*math.Log(float64(n+1)))))
}

// walkersAtOnce is how many walkers a worker takes at a time.
const walkersAtOnce = 8

// neuralTimes is the wall-clock time spent in the two network evaluations.
type neuralTimes struct{ propose, logProb time.Duration }

// proposalMove is a move by a network's proposals.
type proposalMove interface {
	// run makes the n-th trial for every walker and counts every proposal in tally, in production
	// also in samples, which are nil before.
	run(ctx context.Context, n int64, walkers []walker, window func(i int) *estimate, workers int, hits func(i int) []int64, tally *ProposalCounts, samples *Samples) (Count, neuralTimes, error)
}

// run makes one trial for every walker and counts it in the walker's hits at the level it
// ends on. It rejects proposals outside the walker's window. Windows that still wait for
// walkers take no part.
func (m *neuralMove) run(ctx context.Context, _ int64, walkers []walker, window func(i int) *estimate, workers int, hits func(i int) []int64, tally *ProposalCounts, _ *Samples) (Count, neuralTimes, error) {
	b := m.proposer.Batch()
	m.proposer.Pin()
	n := b.Sites
	var times neuralTimes

	began := time.Now()
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		w := &walkers[i]
		r := rand.New(w.rng)
		m.frames[i].Randomise(r)
		m.frames[i].Apply(b.State[i*n:i*n+n], w.state)
		b.Start[i] = 0
		if m.partial > 0 && r.Float64() < m.partial {
			b.Start[i] = int32(n - resampled(r.Float64(), n))
		}
		if m.shift > 0 {
			b.Shift[i] = drawShift(r, m.shift)
			b.Back[i] = -b.Shift[i]
		}
		Uniforms(b.Uniforms(i), w.rng)
		m.decide[i] = r.Float64()
	})
	if err := m.proposer.Propose(ctx); err != nil {
		return Count{}, times, fmt.Errorf("propose: %w", err)
	}
	times.propose = time.Since(began)

	began = time.Now()
	if err := checkProposals(m.system, b, m.to); err != nil {
		return Count{}, times, err
	}
	if err := m.proposer.LogProb(ctx); err != nil {
		return Count{}, times, fmt.Errorf("log-likelihood of the reverse move: %w", err)
	}
	if err := b.checkLogProb(b.Reverse, "reverse move"); err != nil {
		return Count{}, times, err
	}
	times.logProb = time.Since(began)

	var trials, accepted atomic.Int64
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		w, window := &walkers[i], window(i)
		if !window.isOpen {
			return
		}
		trials.Add(1)
		m.from[i], m.changed[i] = w.level, -1
		x := LnAcceptance(window.lnWeight[w.level], window.lnWeight[m.to[i]], float64(b.Forward[i]), float64(b.Reverse[i]))
		if window.Contains(m.to[i]) && (x >= 0 || m.decide[i] < math.Exp(x)) {
			m.changed[i] = m.frames[i].Undo(w.state, b.Proposal[i*n:i*n+n])
			w.level = m.to[i]
			accepted.Add(1)
		}
	})
	for i := range walkers {
		if !window(i).isOpen {
			continue
		}
		hits(i)[walkers[i].level]++
		tally.count(m.from[i], m.changed[i] >= 0, m.changed[i])
	}
	return Count{Trials: trials.Load(), Accepted: accepted.Load()}, times, nil
}

// LnAcceptance is ln of the Metropolis-Hastings ratio of a proposal s -> s' under
// the weights 1/g, given ln g at both ends, forward = ln q(s'|s) and reverse =
// ln q(s|s').
func LnAcceptance(lnGFrom, lnGTo, forward, reverse float64) float64 {
	return lnGFrom - lnGTo + reverse - forward
}

// checkProposals checks the network's output and computes the levels of the proposals.
func checkProposals(p lattice.Symmetric, b *Batch, levels []int) error {
	if err := b.checkLogProb(b.Forward, "proposal"); err != nil {
		return err
	}
	q := int32(p.Colours())
	for i := range b.Used {
		proposal := b.Proposal[i*b.Sites : (i+1)*b.Sites]
		for j, c := range proposal {
			if c < 0 || c >= q {
				return fmt.Errorf("proposal %d has colour %d at site %d, allowed are 0..%d: the network does not follow the contract", i+1, c, j, q-1)
			}
		}
		levels[i] = p.LevelInt32(proposal)
	}
	return nil
}

// checkLogProb checks the log-likelihoods of the places in use. Those of an unnormalised network may
// be any finite numbers.
func (b *Batch) checkLogProb(logQ []float32, of string) error {
	if !b.Unnormalised {
		return checkLogProb(logQ[:b.Used], of)
	}
	for i, x := range logQ[:b.Used] {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return fmt.Errorf("ln p of %s %d is %v: the network is damaged or does not follow the contract", of, i+1, x)
		}
	}
	return nil
}

// checkLogProb checks that every element is the logarithm of a positive probability, up to
// rounding.
func checkLogProb(logQ []float32, of string) error {
	const rounding = 1e-3 // of ln q near 0, where the sum's own rounding does not matter
	for i, x := range logQ {
		if !(x <= rounding) || math.IsInf(float64(x), -1) {
			return fmt.Errorf("log-likelihood of %s %d is %v: the network is damaged or does not follow the contract", of, i+1, x)
		}
	}
	return nil
}
