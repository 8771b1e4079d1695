package sampler

import "fmt"

// timelineParts is the largest number of parts of a Timeline. Once all are full they are
// joined in pairs: there are at least half as many full ones in every longer production.
const timelineParts = 8

// Timeline is where walkers stood in the course of production: it shows whether they were
// still on their way from where the adaptation left them. It depends neither on how many
// passes are planned nor on how often a run is resumed.
type Timeline struct {
	// Passes that it covers: all of production, or those since a run of a program without
	// timelines was resumed.
	Passes int64
	// Width of each part but the last, in passes.
	Width int64
	// Sums are those of the levels on which the walkers of a chain stood after each pass of
	// a part, by window, chain and part. A chain is a column of walkers or, where columns
	// count together, a group of them.
	Sums [][][]int64
}

func newTimeline(windows, chains int) *Timeline {
	t := &Timeline{Width: 1, Sums: make([][][]int64, windows)}
	for k := range t.Sums {
		t.Sums[k] = make([][]int64, chains)
		for i := range t.Sums[k] {
			t.Sums[k][i] = make([]int64, timelineParts)
		}
	}
	return t
}

// Parts is the number of parts that have begun.
func (t *Timeline) Parts() int { return int((t.Passes + t.Width - 1) / t.Width) }

// Mean is the mean, over passes, of the sum of the levels of a chain's walkers in the parts
// from one to before another.
func (t *Timeline) Mean(window, chain, from, to int) float64 {
	sum := int64(0)
	for _, s := range t.Sums[window][chain][from:to] {
		sum += s
	}
	return float64(sum) / float64(min(t.Passes, int64(to)*t.Width)-int64(from)*t.Width)
}

// record adds the present levels of the walkers in production.
func (e *Engine) record() {
	if e.samples == nil {
		return
	}
	t := e.samples.timeline
	if t.Passes == timelineParts*t.Width {
		t.join()
	}
	part := t.Passes / t.Width
	for i := range e.walkers {
		if k := i % len(e.windows); e.windows[k].isOpen {
			t.Sums[k][i/len(e.windows)/e.samples.together][part] += int64(e.walkers[i].level)
		}
	}
	t.Passes++
}

// join joins parts in pairs.
func (t *Timeline) join() {
	for _, chains := range t.Sums {
		for _, sums := range chains {
			for p := range timelineParts / 2 {
				sums[p] = sums[2*p] + sums[2*p+1]
			}
			clear(sums[timelineParts/2:])
		}
	}
	t.Width *= 2
}

// Timeline returns where walkers stood in the course of production. Shared, valid until the
// next pass.
func (s *Samples) Timeline() *Timeline { return s.timeline }

// restore takes over the timeline of a snapshot; without one, as older programs left it, the
// record begins here.
func (t *Timeline) restore(from *Timeline) {
	if from == nil {
		return
	}
	t.Passes, t.Width = from.Passes, from.Width
	for k, chains := range from.Sums {
		for i, sums := range chains {
			copy(t.Sums[k][i], sums)
		}
	}
}

// check returns the faults of the timeline of a snapshot, in which production has made so
// many passes, of walkers of a system with so many levels.
func (t *Timeline) check(windows, chains, walkers, levels int, passes int64) (faults []error) {
	fault := func(format string, a ...any) {
		faults = append(faults, fmt.Errorf("timeline: "+format, a...))
	}
	if t.Passes < 0 || t.Passes > passes || t.Width < 1 || t.Width > max(1, t.Passes) || (t.Passes+timelineParts-1)/timelineParts > t.Width {
		fault("%d passes in %d parts of %d, production has made %d", t.Passes, timelineParts, t.Width, passes)
	}
	if len(t.Sums) != windows {
		fault("%d windows, the run needs %d", len(t.Sums), windows)
	}
	for k, rows := range t.Sums {
		if len(rows) != chains {
			fault("window %d has %d chains, the run needs %d", k, len(rows), chains)
		}
		for i, sums := range rows {
			if len(sums) != timelineParts {
				fault("window %d, chain %d has %d parts, the run needs %d", k, i, len(sums), timelineParts)
			}
			for p, sum := range sums {
				if most := float64(t.Width) * float64(walkers) * float64(levels-1); sum < 0 || float64(sum) > most {
					fault("window %d, chain %d: the sum of levels of part %d is %d", k, i, p, sum)
				}
			}
		}
	}
	return faults
}
