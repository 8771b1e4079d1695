package sampler

import (
	"context"
	"math"
	"slices"

	"neuralwl/sampler/lattice"
)

// Shards are the engines of all shards of a production, in their order. They make it pass by pass,
// one after another.
type Shards []*Engine

// Pass has every shard make a pass.
func (s Shards) Pass(ctx context.Context) error {
	for _, e := range s {
		if err := e.Pass(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Produce starts the counts of all shards.
func (s Shards) Produce() {
	for _, e := range s {
		e.Produce()
	}
}

// Segment is Samples.Segment of all shards.
func (s Shards) Segment(fraction float64) {
	for _, e := range s {
		e.samples.Segment(fraction)
	}
}

// Samples returns the counts of all shards together, nil before production. Shared as by Join.
func (s Shards) Samples() (*Samples, error) {
	var samples []*Samples
	for _, e := range s {
		samples = append(samples, e.samples)
	}
	return Join(samples)
}

// Progress summarises production.
func (s Shards) Progress() Progress {
	p := s[0].Progress()
	p.Flatness = s.flatness()
	for _, e := range s[1:] {
		own := e.Progress()
		for k, c := range own.Moves {
			p.Moves[k].Trials += c.Trials
			p.Moves[k].Accepted += c.Accepted
		}
		p.Times.add(own.Times)
		p.RoundTrips += own.RoundTrips
		p.Passes = min(p.Passes, own.Passes)
	}
	return p
}

// flatness is that of the least flat window.
func (s Shards) flatness() float64 {
	least := math.Inf(1)
	for k := range s[0].windows {
		if s.open(k) {
			least = min(least, s.windowFlatness(k))
		}
	}
	return least
}

// open reports whether a shard has walkers in a window.
func (s Shards) open(window int) bool {
	return slices.ContainsFunc(s, func(e *Engine) bool { return e.windows[window].isOpen })
}

func (s Shards) windowFlatness(k int) float64 {
	var blocks [][]int64
	for _, e := range s {
		blocks = append(blocks, e.samples.Windows[k].Blocks...)
	}
	return flatness(blocks, s[0].windows[k])
}

// Waiting lists the windows that no walker has entered yet.
func (s Shards) Waiting() (waiting []lattice.Window) {
	for k, w := range s[0].windows {
		if !s.open(k) {
			waiting = append(waiting, w.Window)
		}
	}
	return waiting
}

// View returns what there is to look at.
func (s Shards) View() *View {
	v := s[0].View()
	visits := []func() []int64{v.Visits}
	if v.Proposals != nil {
		sum := newProposalCounts(len(v.Seen))
		sum.add(v.Proposals)
		v.Proposals = sum
	}
	for _, e := range s[1:] {
		own := e.View()
		v.States, v.Levels = append(v.States, own.States...), append(v.Levels, own.Levels...)
		visits = append(visits, own.Visits)
		if v.Proposals != nil {
			v.Proposals.add(own.Proposals)
		}
	}
	v.Visits = func() []int64 {
		sum := visits[0]()
		for _, of := range visits[1:] {
			for b, n := range of() {
				sum[b] += n
			}
		}
		return sum
	}
	v.Windows = nil
	for k := range s[0].windows {
		if s.open(k) {
			v.Windows = append(v.Windows, WindowView{Index: k, Flatness: s.windowFlatness(k)})
		}
	}
	return v
}
