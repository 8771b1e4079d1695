package sampler

import (
	"context"
	"slices"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestTimeline follows the levels of the walkers beside the engine, with windows and with
// several numbers of passes: before and after parts are joined.
func TestTimeline(t *testing.T) {
	for _, windows := range []int{1, 2} {
		e := snapshotEngine(t, 2, windows, local.HeatBath, WangLandau)
		for range 30 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		e.Produce()
		line := e.Samples().Timeline()
		var course [][]int // levels of all walkers after each pass
		for pass := range 45 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
			levels := make([]int, len(e.walkers))
			for i := range levels {
				levels[i] = e.walkers[i].level
			}
			if windows > 1 {
				continue // walkers have been exchanged since
			}
			course = append(course, levels)
			parts := line.Parts()
			if passes := int64(pass + 1); line.Passes != passes || parts > timelineParts || int64(parts) != (passes+line.Width-1)/line.Width || passes > timelineParts && parts <= timelineParts/2 {
				t.Fatalf("pass %d: %d passes in %d parts of %d", pass, line.Passes, parts, line.Width)
			}
			half := parts / 2
			if half == 0 {
				continue
			}
			for i := range e.walkers {
				first, second := 0.0, 0.0
				border := half * int(line.Width)
				for p, levels := range course {
					if p < border {
						first += float64(levels[i])
					} else {
						second += float64(levels[i])
					}
				}
				if got := line.Mean(0, i, 0, half); got != first/float64(border) {
					t.Fatalf("pass %d, walker %d: first half %v, want %v", pass, i, got, first/float64(border))
				}
				if got, n := line.Mean(0, i, half, parts), float64(len(course)-border); got != second/n {
					t.Fatalf("pass %d, walker %d: second half %v, want %v", pass, i, got, second/n)
				}
			}
		}
		if line.Passes != 45 || line.Width != 8 {
			t.Errorf("%d passes in parts of %d", line.Passes, line.Width)
		}
		for k, chains := range line.Sums {
			w := e.windows[k]
			for i := range chains {
				if mean := line.Mean(k, i, 0, line.Parts()); len(chains) != 20/windows || mean < float64(w.Low) || mean > float64(w.High) {
					t.Errorf("window %d, chain %d of %d: mean level %v of %v", k, i, len(chains), mean, w.Window)
				}
			}
		}
	}
}

// TestTimelineOfOlderProgram restores a snapshot without a timeline: it begins there, and
// nothing else changes.
func TestTimelineOfOlderProgram(t *testing.T) {
	e := snapshotEngine(t, 1, 1, local.HeatBath, WangLandau)
	pass := func(e *Engine, n int) {
		for range n {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	pass(e, 20)
	e.Produce()
	pass(e, 11)
	old := clone(t, e.Snapshot())
	old.Production.Timeline = nil
	other := snapshotEngine(t, 1, 1, local.HeatBath, WangLandau)
	if err := other.Restore(old); err != nil {
		t.Fatal(err)
	}
	pass(e, 7)
	pass(other, 7)
	if line := other.Samples().Timeline(); line.Passes != 7 || other.Samples().Passes() != 18 {
		t.Errorf("the timeline covers %d of %d passes", line.Passes, other.Samples().Passes())
	}
	for i, block := range e.Samples().Windows[0].Blocks {
		if !slices.Equal(block, other.Samples().Windows[0].Blocks[i]) {
			t.Fatal("counts differ")
		}
	}
}

// TestTimelineTogether has columns that count together: they share a chain.
func TestTimelineTogether(t *testing.T) {
	p, err := lattice.NewBlumeCapel(1.97, 12, 12)
	if err != nil {
		t.Fatal(err)
	}
	const walkers = 130
	d := divide(walkers, p.Levels())
	if d.together == 1 {
		t.Skipf("%d levels are too few", p.Levels())
	}
	e, err := New(Options{System: p, Seed: 1, Walkers: walkers, Workers: 1, Local: local.HeatBath})
	if err != nil {
		t.Fatal(err)
	}
	e.Produce()
	if err := e.Pass(context.Background()); err != nil {
		t.Fatal(err)
	}
	line, want := e.Samples().Timeline(), int64(0)
	for i := range e.walkers {
		want += int64(e.walkers[i].level)
	}
	for _, sums := range line.Sums[0] {
		want -= sums[0]
	}
	if chains := len(line.Sums[0]); want != 0 || chains != d.perSegment() {
		t.Errorf("%d chains, the sum is off by %d", chains, want)
	}
}
