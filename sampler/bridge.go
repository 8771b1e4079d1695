package sampler

import (
	"math"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// bridging collects what dos.Bridge needs: the full proposals of a network that aims at levels,
// as draws, and the configurations for which they were made, with their aims, as states. Both come
// with ln q anyway. In several energy windows there is none.
type bridging struct {
	dos.Bridge
	window []int     // by level, -1 for none
	lnC    []float64 // by level: ln of C at the reference; see dos.Bridge
	low    int       // the lowest target
	lnMix  []float64 // by target, from low on: ln of the sum of n alpha
}

// The kinds of draw: for the whole window, and across to the end of low or high energies.
const (
	drawWhole = iota
	drawLow
	drawHigh
	drawKinds
)

// stateWorth is how many independent states a state is taken to be worth, of those that a walker
// is in at two proposals in a row. It decides about the size of errors alone, and little.
const stateWorth = 1

// levelsPerBridge is how many levels a window of the bridge has at least, and mostPerEnd how many
// windows each end has at most, and the levels in between twice as many.
const (
	levelsPerBridge = 16
	mostPerEnd      = 8
)

// newBridging returns one without points, nil where there cannot be any.
func (e *Engine) newBridging(blocks int) *bridging {
	m, ok := e.neural.(*targetedMove)
	if !ok || len(e.windows) > 1 {
		return nil
	}
	w := e.windows[0]
	b := &bridging{
		Bridge: dos.Bridge{LnWeight: slices.Clone(w.lnWeight)},
		window: slices.Repeat([]int{-1}, len(w.lnG)), lnC: make([]float64, len(w.lnG)),
	}
	high, low, ends := m.ends(w.Window)
	across := m.acrossIn(w)
	proposes := func(lattice.Window) float64 { return 1 }
	if !ends {
		b.divide(w.Window, 4*mostPerEnd)
	} else {
		b.divide(lattice.Window{Low: high.Low, High: m.system.PeakLevel()}, mostPerEnd)
		b.divide(lattice.Window{Low: m.system.PeakLevel() + 1, High: high.High}, mostPerEnd)
		b.divide(lattice.Window{Low: high.High + 1, High: low.Low - 1}, 2*mostPerEnd)
		b.divide(low, mostPerEnd)
		proposes = func(v lattice.Window) float64 {
			if high.Contains(v.Low) || low.Contains(v.Low) {
				return 1
			}
			return 1 - across
		}
	}
	// Walkers are to be found in proportion to the histogram that production should have.
	share := func(v lattice.Window) float64 {
		sum, all := 0.0, 0.0
		for level := w.Low; level <= w.High; level++ {
			if !w.seen[level] {
				continue
			}
			h := math.Exp(w.lnG[level] - w.lnWeight[level])
			if all += h; v.Contains(level) {
				sum += h
			}
		}
		return sum / all
	}
	const some = 1e-9 // of a kind that there is none of
	b.Draws = slices.Repeat([]float64{some}, drawKinds)
	b.Draws[drawWhole] = max(some, 1-across)
	if ends {
		b.Draws[drawLow], b.Draws[drawHigh] = max(some, across*share(high)), max(some, across*share(low))
	}
	var windows []dos.BridgeWindow
	for _, v := range b.Windows {
		reach := lattice.Window{Low: v.Low, High: v.High}
		if v.States = stateWorth * share(reach) * proposes(reach); v.States > 0 {
			windows = append(windows, v)
		}
	}
	b.Windows = windows
	e.refer(b)
	for range blocks {
		b.Blocks = append(b.Blocks, dos.NewBridgeBlock(len(b.Windows), drawKinds))
	}
	b.prepare(m, w)
	return b
}

// divide adds windows that make up a range of levels, at most so many.
func (b *bridging) divide(w lattice.Window, most int) {
	n := max(1, min(most, w.Levels()/levelsPerBridge))
	for i := range n {
		if from, to := w.Low+i*w.Levels()/n, w.Low+(i+1)*w.Levels()/n-1; from <= to {
			b.Windows = append(b.Windows, dos.BridgeWindow{Low: from, High: to})
		}
	}
}

// refer sets the references to what the estimate of the adaptation says or, where production has
// begun, as at the end of the burn-in, to what the points so far say: not in a shard, as all shards
// need the same.
func (e *Engine) refer(b *bridging) {
	w := e.windows[0]
	var known []float64
	for level, x := range w.lnG {
		if w.seen[level] {
			known = append(known, x)
		}
	}
	shift := e.o.System.LnStates() - dos.LogSumExp(known)
	var sharper []dos.BridgeEstimate
	if e.o.Shard.Of < 2 && e.samples != nil && e.samples.bridge != nil && len(e.samples.bridge.Windows) == len(b.Windows) {
		sharper = e.samples.bridge.Estimate()
	}
	for k := range b.Windows {
		v, parts := &b.Windows[k], []float64{}
		for level := v.Low; level <= v.High; level++ {
			if w.seen[level] {
				parts = append(parts, w.lnG[level]+shift-w.lnWeight[level])
			}
		}
		v.Reference = dos.LogSumExp(parts)
		if sharper != nil && sharper[k].Used {
			v.Reference = sharper[k].LnZ
		}
	}
}

// prepare makes the tables for counting, from what the bridge assumes.
func (b *bridging) prepare(m *targetedMove, w *estimate) {
	for k, v := range b.Windows {
		for level := v.Low; level <= v.High; level++ {
			b.window[level] = k
			b.lnC[level] = math.Log(v.States) - v.Reference - b.LnWeight[level] - math.Log(float64(2*m.tolerance+1))
		}
	}
	whole := m.around(w.Window)
	targets := [drawKinds]lattice.Window{drawWhole: whole, drawLow: whole, drawHigh: whole}
	high, low, ends := m.ends(w.Window)
	if ends {
		targets[drawLow], targets[drawHigh] = m.around(low), m.around(high)
	}
	b.low, b.lnMix = whole.Low, make([]float64, whole.Levels())
	for i := range b.lnMix {
		at, sum := lattice.Window{Low: b.low + i, High: b.low + i}, 0.0
		for kind, n := range b.Draws {
			if targets[kind].Contains(at.Low) {
				sum += n * math.Exp(w.histogram.lnShare(at, targets[kind]))
			}
		}
		b.lnMix[i] = math.Log(sum)
	}
}

// draw counts a draw that aimed at a level and came to another.
func (b *bridging) draw(block, kind, target, level int, lnQ float64, meets bool) {
	to := &b.Blocks[block]
	to.Drawn[kind]++
	if k := b.window[level]; meets && k >= 0 {
		to.Draws[k][kind].AddDraw(b.lnMix[target-b.low] + lnQ - b.lnC[level])
	}
}

// state counts the state of a walker with its aim.
func (b *bridging) state(block, level int, own aim) {
	if k := b.window[level]; k >= 0 {
		b.Blocks[block].States[k].AddState(b.lnMix[own.target-b.low] + own.lnQ - b.lnC[level])
	}
}

// kind of a trial's draw.
func (t *trial) kind(m *targetedMove) int {
	switch {
	case !t.crosses:
		return drawWhole
	case t.side.Low > m.system.PeakLevel():
		return drawLow
	}
	return drawHigh
}

// restoreBridge takes the points of a snapshot. Programs without a bridge have none: then points
// count from here on. An engine without a network holds them only.
func (e *Engine) restoreBridge(from *dos.Bridge) {
	s := e.samples
	if s.bridge = nil; e.neural != nil {
		s.bridge = e.newBridging(s.parts())
	}
	if from == nil {
		return
	}
	own := dos.Bridge{LnWeight: slices.Clone(from.LnWeight), Windows: slices.Clone(from.Windows), Draws: slices.Clone(from.Draws)}
	for i := range from.Blocks {
		own.Blocks = append(own.Blocks, from.Blocks[i].Clone())
	}
	if s.bridge == nil {
		s.bridge = &bridging{Bridge: own}
		return
	}
	s.bridge.Bridge = own
	for level := range s.bridge.window {
		s.bridge.window[level] = -1
	}
	s.bridge.prepare(e.neural.(*targetedMove), e.windows[0])
}

// Bridge returns the network's draws and the walkers' states for dos.FromPinnedTransitions, in
// the blocks of Transitions; nil unless the proposals have targets, and in several windows. Shared,
// valid until the next pass.
func (s *Samples) Bridge() *dos.Bridge {
	if s.bridge == nil || s.proposals.empty() {
		return nil
	}
	return &s.bridge.Bridge
}
