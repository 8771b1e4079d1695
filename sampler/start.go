package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"neuralwl/sampler/dos"
)

// Start gives an engine that has not moved yet a first estimate of ln g, and its walkers
// configurations of all energies, by draws of a network that aims at energies. Without it
// walkers begin in random configurations, and ln g grows from 0 by ln f per visit while they
// find one level after another.
//
// The estimate is that of inverse probabilities, without Markov chains: a draw s with a target
// B*, out of the levels of a window and w more at each end, counts 1/(p q(s|B*)) if
// |B(s) - B*| <= w and otherwise 0, with p the probability of a target within w of B(s). The
// mean count on a level is the number of its states, whatever the network has learned. One
// draw gives ln g as accurately as the network knows it; the adaptation of the weights does
// the rest. Levels without draws take the ln g of the nearest level that has some and remain
// unseen.
//
// The engine is unchanged until Finish. A start that was interrupted begins again.
type Start struct {
	e       *Engine
	m       *targetedMove
	rng     *rand.PCG
	sum     dos.WeightBlock
	states  [][]uint8 // by walker: its last draw that met its target in its window
	levels  []int     // of these states, -1 for none
	batches int       // number of batches to draw
	p       Progress
}

// NewStart returns a start with about as many draws as there are levels, nil for an engine
// without a network that aims at energies.
func (e *Engine) NewStart() *Start {
	m, ok := e.neural.(*targetedMove)
	if !ok {
		return nil
	}
	n, levels := len(e.walkers), e.o.System.Levels()
	s := &Start{
		e: e, m: m, rng: Stream(e.o.Seed, startStream, 0), sum: dos.NewWeightBlock(levels),
		states: make([][]uint8, n), levels: make([]int, n),
		batches: (levels + n - 1) / n,
		p:       Progress{Phase: Starting},
	}
	for i := range n {
		s.states[i], s.levels[i] = make([]uint8, e.o.System.Sites()), -1
	}
	return s
}

// Draw draws one configuration per walker, with targets spread evenly over the levels of
// each window.
func (s *Start) Draw(ctx context.Context) error {
	b, m, r := s.m.proposer.Batch(), s.m, rand.New(s.rng)
	columns := len(s.e.walkers) / len(s.e.windows)
	offset := r.Float64()
	b.Used = b.Walkers
	for i := range s.e.walkers {
		t := &m.trials[i]
		t.frame.Randomise(r)
		t.side = s.e.window(i).Window
		t.targets = m.around(t.side)
		share := (float64(i/len(s.e.windows)) + offset) / float64(columns)
		t.aim = min(t.targets.Low+int(share*float64(t.targets.Levels())), t.targets.High)
		b.Start[i], b.Target[i] = 0, m.energy(t.aim)
	}
	Uniforms(b.Uniform, s.rng)
	began := time.Now()
	m.proposer.Pin()
	if err := m.propose(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	s.p.Times.Propose += time.Since(began)
	for i := range s.e.walkers {
		t, to := &m.trials[i], m.to[i]
		for level := t.side.Low; level <= t.side.High; level++ {
			s.sum.Draws[level]++
		}
		if !m.meets(t, to) {
			continue
		}
		if math.IsInf(s.sum.LnSum[to], -1) {
			s.p.Levels++
		}
		s.sum.Add(to, m.lnInverse(t, nil, to, float64(b.Forward[i])))
		t.frame.Undo(s.states[i], b.Proposal[i*b.Sites:(i+1)*b.Sites])
		s.levels[i] = to
		s.p.Moves[Neural].Accepted++
	}
	s.p.Moves[Neural].Trials += int64(b.Walkers)
	s.p.Passes++
	return nil
}

// Done is the share of the draws made so far, 0..1.
func (s *Start) Done() float64 { return float64(s.p.Passes) / float64(s.batches) }

// Progress summarises the draws: passes are batches, and accepted draws have met their target.
func (s *Start) Progress() Progress { return s.p }

// LnTotal is the estimate of the logarithm of the number of all configurations.
func (s *Start) LnTotal() float64 { return dos.LogSumExp(s.lnOmega()) }

// lnOmega is the estimate of the logarithm of the number of states by level, -Inf without
// draws.
func (s *Start) lnOmega() []float64 {
	lnOmega := make([]float64, len(s.sum.LnSum))
	for level, x := range s.sum.LnSum {
		if lnOmega[level] = x; !math.IsInf(x, -1) {
			lnOmega[level] -= math.Log(s.sum.Draws[level])
		}
	}
	return lnOmega
}

// Finish hands the estimate and the configurations to the engine.
func (s *Start) Finish() {
	lnOmega := s.lnOmega()
	for _, w := range s.e.windows {
		w.begin(lnOmega)
	}
	for i := range s.e.walkers {
		if s.levels[i] >= 0 {
			w := &s.e.walkers[i]
			copy(w.state, s.states[i])
			w.level = s.levels[i]
		}
	}
	s.e.open()
}

// begin takes over ln g of the window's levels, -Inf where it is unknown.
func (w *estimate) begin(lnG []float64) {
	for level := w.Low; level <= w.High; level++ {
		if x := lnG[level]; !math.IsInf(x, -1) {
			w.lnG[level], w.seen[level] = x, true
			w.state.levels++
		}
	}
	w.fillUnseen()
	shiftToZero(w.lnG, w.seen)
	if w.rule != nil {
		w.rule.begin(w)
	}
	w.fillKernel()
}
