package sampler

import (
	"math"
	"slices"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// flat and hilly histograms over ten levels.
var (
	flat  = histogramState{levels: 10, lowest: 90, total: 1000}
	hilly = histogramState{levels: 10, lowest: 10, total: 1000}
)

func TestHalving(t *testing.T) {
	s := newSchedule(InverseTime, 1, 0.8, 4)
	if s.step(1, hilly) || s.lnF != 1 {
		t.Errorf("a hilly histogram lowered ln f to %v", s.lnF)
	}
	if !s.step(1, flat) || s.lnF != 0.5 {
		t.Errorf("a flat histogram left ln f at %v", s.lnF)
	}
}

// TestInverseTime follows the schedule with a histogram that is always flat: ln f is
// halved until levels/t is larger, and is levels/t from then on (Belardinelli, Pereyra,
// PRE 75, 046701 (2007)), also when no histogram is flat any more.
func TestInverseTime(t *testing.T) {
	s := newSchedule(InverseTime, 1, 0.8, 4)
	const trials = 50
	for k := 1; !s.inverse; k++ {
		before := s.lnF
		s.step(trials, flat)
		inverse := 10 / float64(k*trials)
		if s.inverse != (before/2 <= inverse) {
			t.Fatalf("step %d: ln f %v, levels/t %v, 1/t rule %v", k, before/2, inverse, s.inverse)
		}
		if k > 100 {
			t.Fatal("the 1/t rule never took over")
		}
	}
	for range 1000 {
		before := s.lnF
		s.step(trials, hilly)
		if want := 10 / float64(s.trials); s.lnF != min(before, want) {
			t.Fatalf("after %d trials ln f = %v, want %v", s.trials, s.lnF, want)
		}
	}
	// Levels that are found late make levels/t larger: ln f must not follow.
	before := s.lnF
	s.step(1, histogramState{levels: 1000, lowest: 1, total: 5000, discovered: true})
	if s.lnF > before {
		t.Errorf("ln f grew from %v to %v", before, s.lnF)
	}
}

// TestPatience finds ln f falling as 1/t without any flat histogram, but not before
// every level was visited again and while new ones turn up.
func TestPatience(t *testing.T) {
	s := newSchedule(InverseTime, 1, 0.8, 4)
	unvisited := histogramState{levels: 10, lowest: 0, total: 1000}
	for range 1000 {
		if s.step(1000, unvisited) {
			t.Fatal("a stage ended with a level not visited in it")
		}
	}
	s = newSchedule(InverseTime, 1, 0.8, 4)
	found := hilly
	found.discovered = true
	for range 1000 {
		if s.step(900, found) {
			t.Fatal("a stage ended right after a new level was found")
		}
	}
	s = newSchedule(InverseTime, 1, 0.8, 4)
	for range 100_000 {
		s.step(100, hilly)
	}
	if c := s.lnF * float64(s.trials) / 10; c < patience || c > 2*patience {
		t.Errorf("without a flat histogram ln f = %.0f levels/t, want %d to %d", c, patience, 2*patience)
	}
}

func TestFillUnseen(t *testing.T) {
	lnG := []float64{0, 0, 3, 0, 0, 0, 7, 0}
	seen := []bool{2: true, 6: true, 7: false}
	(&estimate{Window: lattice.Window{Low: 0, High: 7}, lnG: lnG, seen: seen}).fillUnseen()
	want := []float64{3, 3, 3, 3, math.NaN(), 7, 7, 7} // the middle is as near to both
	for b, x := range want {
		if b == 4 && (lnG[b] == 3 || lnG[b] == 7) {
			continue
		}
		if lnG[b] != x {
			t.Errorf("level %d: %v, want %v", b, lnG[b], x)
		}
	}
}

// TestSegments finds the blocks of few walkers split into stretches of the phase.
func TestSegments(t *testing.T) {
	p := mustPotts(t, 3, 3, 3)
	e, err := New(Options{System: p, Walkers: 5, Local: local.HeatBath})
	if err != nil {
		t.Fatal(err)
	}
	e.Produce()
	s := e.Samples()
	if len(s.Windows[0].Blocks) < minBlocks || len(s.Windows[0].Blocks)%5 != 0 {
		t.Errorf("%d blocks for 5 walkers, at least %d are wanted", len(s.Windows[0].Blocks), minBlocks)
	}
	for _, fraction := range []float64{-1, 0, 0.3, 0.999, 1, 2} {
		s.Segment(fraction)
		for w := range 5 {
			s.row(w)[0]++
		}
	}
	if s.Windows[0].Blocks[0][0] != 2 || s.Windows[0].Blocks[len(s.Windows[0].Blocks)-1][0] != 3 {
		t.Errorf("first block %d, last block %d visits, want 2 and 3", s.Windows[0].Blocks[0][0], s.Windows[0].Blocks[len(s.Windows[0].Blocks)-1][0])
	}
}

// TestHalvingAlone never goes over to levels/t.
func TestHalvingAlone(t *testing.T) {
	s := newSchedule(Halving, 1, 0.8, 4)
	for k := range 40 {
		if s.inverse || s.lnF != math.Pow(2, -float64(k)) {
			t.Fatalf("ln f = %g after %d flat histograms, 1/t rule: %v", s.lnF, k, s.inverse)
		}
		s.step(1000, flat)
	}
}

// TestConstant leaves ln f as it is until every level that has states has been visited, whatever the
// histogram, and goes on until it has made as many times the trials as was asked for.
func TestConstant(t *testing.T) {
	for _, exploration := range []float64{1, 3} {
		s := newSchedule(ConstantLnF, 0.25, 0.8, exploration)
		h := flat
		h.possible = 12
		end := 0
		for k := 1; k <= 100 && end == 0; k++ {
			h.missing = max(0, 12-k)
			if h.discovered = h.missing > 0 || k == 12; s.step(1000, h) || s.lnF != 0.25 || s.inverse {
				t.Fatalf("step %d: ln f = %g", k, s.lnF)
			}
			if s.adapted(0.5, h) {
				end = k
			}
		}
		if want := 12 * int(exploration); end != want {
			t.Errorf("exploration %g: it ended after %d steps, want %d", exploration, end, want)
		}
	}
	// Where the levels are not known the last one found counts.
	s := newSchedule(ConstantLnF, 0.25, 0.8, 4)
	unknown := histogramState{levels: 10, lowest: 1, total: 1000}
	for k := 1; k <= 40; k++ {
		unknown.discovered = k <= 10
		if s.step(1000, unknown); s.adapted(0.5, unknown) != (k == 40) {
			t.Fatalf("step %d of 40: adapted %v, progress %g", k, s.adapted(0.5, unknown), s.progress(0.5, unknown))
		}
	}
}

// TestConstantToTheLetter makes the algorithm of the talk by walkers: with an exploration of 1 every
// update of an engine adds the same ln f for each trial, up to the very one in which the last level that has states is
// found.
func TestConstantToTheLetter(t *testing.T) {
	p := mustPotts(t, 2, 4, 4)
	const lnF = 1e-3
	e, err := New(Options{System: p, Seed: 3, Walkers: 8, Local: local.HeatBath, Schedule: ConstantLnF, LnF: lnF, Exploration: 1})
	if err != nil {
		t.Fatal(err)
	}
	found, possible := 0, 0
	for b := range p.Levels() {
		if p.Possible(b) {
			possible++
		}
	}
	w := e.windows[0]
	e.o.Events.LevelsFound = func(levels []int) {
		if found += len(levels); found == possible && e.Adapted(0) {
			return
		}
		if found == possible {
			t.Error("all levels have been found, and the adaptation goes on")
		}
	}
	for !e.Adapted(0) {
		if found == possible {
			t.Fatal("a pass after the last level was found")
		}
		lnG, seen, hist := slices.Clone(w.lnG), slices.Clone(w.seen), slices.Clone(w.hist)
		if err := e.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		gain := func(b int) float64 { return w.lnG[b] - lnG[b] - lnF*float64(w.hist[b]-hist[b]) } // up to a constant
		for b := range lnG {
			if peak := p.PeakLevel(); seen[b] && seen[peak] && math.Abs(gain(b)-gain(peak)) > 1e-9 {
				t.Fatalf("ln g of level %d gained %g beyond ln f for each of its visits, at the peak %g", b, gain(b), gain(peak))
			}
		}
	}
	if found != possible || e.Progress().LnF != lnF {
		t.Errorf("the adaptation ended with %d of %d levels and ln f = %g", found, possible, e.Progress().LnF)
	}
}
