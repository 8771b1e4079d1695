package sampler

// View is what there is to look at between two passes: the present estimate by level, and the
// walkers. It shares memory with the sampler and is valid until the next pass; nothing may be
// written.
type View struct {
	Seen []bool
	LnG  []float64 // up to a constant; see Engine.LnG
	// Visits counts by level: since ln f last fell or in the present iteration, in production since
	// it began.
	Visits func() []int64
	// Proposals of the network since the phase began, for the walkers' levels; nil without a
	// network, or if it knows of no states for which it proposes. Of a phase before production they
	// are those that this engine has seen.
	Proposals *ProposalCounts
	// States are the walkers' configurations, each of N sites, and Levels their levels. A VAN has
	// no walkers.
	States [][]uint8
	Levels []int
	// Windows are the energy windows that walkers have entered.
	Windows []WindowView
}

// WindowView is the state of an energy window; see Progress.
type WindowView struct {
	Index         int // from 0, by ascending level
	LnF, Flatness float64
}

// View returns what there is to look at.
func (e *Engine) View() *View {
	v := &View{Seen: e.Seen(), LnG: e.LnG(), Visits: e.visits, Proposals: e.tally}
	for i := range e.walkers {
		v.States = append(v.States, e.walkers[i].state)
		v.Levels = append(v.Levels, e.walkers[i].level)
	}
	for k, w := range e.windows {
		if !w.isOpen {
			continue
		}
		window := WindowView{Index: k, Flatness: e.flatness(k)}
		switch e.phase {
		case WangLandau:
			window.LnF = w.schedule.lnF
		case Metadynamics:
			window.LnF = w.hill()
		}
		v.Windows = append(v.Windows, window)
	}
	return v
}

func (e *Engine) visits() []int64 {
	visits := make([]int64, e.o.System.Levels())
	for k, w := range e.windows {
		counts := [][]int64{w.hist}
		if e.samples != nil {
			counts = e.samples.Windows[k].Blocks
		}
		for _, block := range counts {
			for b, n := range block {
				visits[b] += n
			}
		}
	}
	return visits
}

// View returns what there is to look at. The visits before production are rounded sums of weights.
func (v *VAN) View() *View {
	return &View{Seen: v.seen, LnG: v.lnG, Visits: func() []int64 { return rounded(v.hist) }}
}

func rounded(hist []float64) []int64 {
	visits := make([]int64, len(hist))
	for b, n := range hist {
		visits[b] = int64(n + 0.5)
	}
	return visits
}
