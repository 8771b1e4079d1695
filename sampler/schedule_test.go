package sampler

import (
	"math"
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
	s := schedule{lnF: 1, flatness: 0.8}
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
	s := schedule{lnF: 1, flatness: 0.8}
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
	s := schedule{lnF: 1, flatness: 0.8}
	unvisited := histogramState{levels: 10, lowest: 0, total: 1000}
	for range 1000 {
		if s.step(1000, unvisited) {
			t.Fatal("a stage ended with a level not visited in it")
		}
	}
	s = schedule{lnF: 1, flatness: 0.8}
	found := hilly
	found.discovered = true
	for range 1000 {
		if s.step(900, found) {
			t.Fatal("a stage ended right after a new level was found")
		}
	}
	s = schedule{lnF: 1, flatness: 0.8}
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
