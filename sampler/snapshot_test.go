package sampler

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
)

func snapshotEngine(t *testing.T, workers int, local LocalMove) *Engine {
	t.Helper()
	p := mustPotts(t, 3, 4, 3)
	const walkers = 20 // fewer than minBlocks, so that production has segments
	e, err := New(Options{System: p, Seed: 5, Walkers: walkers, Workers: workers, Local: local, Proposer: newSiteProposer(p, walkers), Partial: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// clone is a deep copy of a snapshot, as writing and reading it would give.
func clone(s *Snapshot) *Snapshot {
	c := *s
	c.LnG, c.Seen, c.Hist, c.Pending = slices.Clone(s.LnG), slices.Clone(s.Seen), slices.Clone(s.Hist), slices.Clone(s.Pending)
	c.States, c.Levels, c.LastEnds, c.Turns = slices.Clone(s.States), slices.Clone(s.Levels), slices.Clone(s.LastEnds), slices.Clone(s.Turns)
	c.Generators = nil
	for _, g := range s.Generators {
		c.Generators = append(c.Generators, slices.Clone(g))
	}
	if s.Production != nil {
		p := *s.Production
		p.LnWeight, p.Blocks = slices.Clone(p.LnWeight), nil
		for _, b := range s.Production.Blocks {
			p.Blocks = append(p.Blocks, slices.Clone(b))
		}
		c.Production = &p
	}
	return &c
}

// TestRestore moves the state of an engine to a fresh one in every phase: both go on
// alike.
func TestRestore(t *testing.T) {
	for _, local := range []LocalMove{HeatBath, Metropolis, NoLocalMove} {
		e := snapshotEngine(t, 1, local)
		advance := func(e *Engine, passes int) {
			for range passes {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		for part := range 6 {
			advance(e, 37)
			if part == 3 {
				e.Produce()
			}
			if e.Samples() != nil {
				e.Samples().Segment(float64(part) / 6)
			}
			other := snapshotEngine(t, 1+part%3, local)
			advance(other, part) // whatever it did before is forgotten
			if err := other.Restore(clone(e.Snapshot())); err != nil {
				t.Fatal(err)
			}
			advance(e, 20)
			advance(other, 20)
			if a, b := e.Progress(), other.Progress(); a.Moves != b.Moves || a.RoundTrips != b.RoundTrips || a.LnF != b.LnF || a.Flatness != b.Flatness || a.Passes != b.Passes {
				t.Errorf("%v part %d: %+v and restored %+v", local, part, a, b)
			}
			x, y := e.Snapshot(), other.Snapshot()
			if !slices.Equal(x.LnG, y.LnG) || !slices.Equal(x.States, y.States) || !slices.Equal(x.Hist, y.Hist) || !slices.Equal(x.Pending, y.Pending) {
				t.Errorf("%v part %d: the restored engine goes another way", local, part)
			}
			if x.Production != nil && !slices.EqualFunc(x.Production.Blocks, y.Production.Blocks, slices.Equal) {
				t.Errorf("%v part %d: the restored engine counts otherwise", local, part)
			}
		}
	}
}

// TestRestoreRefuses finds every way in which a snapshot may not fit.
func TestRestoreRefuses(t *testing.T) {
	e := snapshotEngine(t, 1, HeatBath)
	e.Produce()
	for name, spoil := range map[string]func(*Snapshot){
		"ln g: 3 elements":           func(s *Snapshot) { s.LnG = s.LnG[:3] },
		"ln g of level 2 is NaN":     func(s *Snapshot) { s.LnG[2] = math.NaN() },
		"weight of level 1 is +Inf":  func(s *Snapshot) { s.Production.LnWeight[1] = math.Inf(1) },
		"no phase":                   func(s *Snapshot) { s.Phase = "lunch" },
		"samples of production":      func(s *Snapshot) { s.Production = nil },
		"blocks: 1 elements":         func(s *Snapshot) { s.Production.Blocks = s.Production.Blocks[:1] },
		"block 2: 0 elements":        func(s *Snapshot) { s.Production.Blocks[2] = nil },
		"segment 9 of 2":             func(s *Snapshot) { s.Production.Segment = 9 },
		"ln f is 0":                  func(s *Snapshot) { s.LnF = 0 },
		"configurations: 5 elements": func(s *Snapshot) { s.States = s.States[:5] },
		"colour 3":                   func(s *Snapshot) { s.States[7] = 3 },
		"walker 1: the level is 24":  func(s *Snapshot) { s.Levels[1] = 24 },
		"generator":                  func(s *Snapshot) { s.Generators[3] = []byte("pcg") },
		"levels: 0 elements":         func(s *Snapshot) { s.Levels = nil },
		"end 3":                      func(s *Snapshot) { s.LastEnds[0] = 3 },
	} {
		s := clone(e.Snapshot())
		spoil(s)
		err := snapshotEngine(t, 1, HeatBath).Restore(s)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEnergyCheck damages a configuration behind the engine's back: the next check
// stops the run and tells where the damage is.
func TestEnergyCheck(t *testing.T) {
	for name, spoil := range map[string]func(e *Engine){
		"walker 3: ":        func(e *Engine) { e.walkers[3].state[5] = (e.walkers[3].state[5] + 1) % 3; e.walkers[3].level++ },
		"colour 200":        func(e *Engine) { e.walkers[3].state[5] = 200 },
		"ln g of level 4":   func(e *Engine) { e.lnG[4] = math.NaN() },
		"carried along as ": func(e *Engine) { e.walkers[0].level ^= 1 },
	} {
		e := snapshotEngine(t, 1, NoLocalMove)
		spoil(e)
		err := e.CheckEnergies()
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "seed 5") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The hundredth pass looks.
	e := snapshotEngine(t, 1, HeatBath)
	for pass := 1; pass <= energyCheck; pass++ {
		if pass == energyCheck {
			e.walkers[7].level++
		}
		err := e.Pass(context.Background())
		if failed := err != nil && strings.Contains(err.Error(), "walker 7"); failed != (pass == energyCheck) {
			t.Fatalf("pass %d: %v", pass, err)
		}
	}
}
