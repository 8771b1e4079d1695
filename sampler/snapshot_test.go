package sampler

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

func snapshotEngine(t *testing.T, workers, windows int, move local.Move, method Phase) *Engine {
	t.Helper()
	p := mustPotts(t, 3, 4, 3)
	const walkers = 20 // fewer than minBlocks, so that production has segments
	e, err := New(Options{
		System: p, Seed: 5, Walkers: walkers, Workers: workers, Windows: lattice.UniformWindows(p.Levels(), windows, 0.5),
		Local: move, Proposer: newSiteProposer(p, walkers), Partial: 0.5, Adaptation: method,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// clone is a deep copy of a snapshot, as writing and reading it would give.
func clone[T Snapshot | ShardRound](t *testing.T, s *T) *T {
	t.Helper()
	var buf bytes.Buffer
	c := new(T)
	if err := errors.Join(gob.NewEncoder(&buf).Encode(s), gob.NewDecoder(&buf).Decode(c)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRestore moves the state of an engine to a fresh one in every phase: both go on
// alike.
func TestRestore(t *testing.T) {
	for _, c := range []struct {
		local   local.Move
		windows int
		method  Phase
		low     bool // histogram of production
	}{
		{local.HeatBath, 1, WangLandau, true}, {local.Metropolis, 1, WangLandau, false}, {local.None, 1, WangLandau, true}, {local.HeatBath, 2, WangLandau, false},
		{local.Metropolis, 2, WangLandau, true}, {local.HeatBath, 1, Multicanonical, false}, {local.Metropolis, 2, Multicanonical, true},
		{local.HeatBath, 1, Metadynamics, false}, {local.Metropolis, 2, Metadynamics, true},
		{local.HeatBath, 1, MultipleGaussian, true}, {local.HeatBath, 2, MultipleGaussian, false},
	} {
		move := c.local
		e := snapshotEngine(t, 1, c.windows, move, c.method)
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
				if c.low {
					e.SetHistogram(e.LowHistogram())
				}
				e.Produce()
			}
			if e.Samples() != nil {
				e.Samples().Segment(float64(part) / 6)
			}
			other := snapshotEngine(t, 1+part%3, c.windows, move, c.method)
			advance(other, part) // whatever it did before is forgotten
			if err := other.Restore(clone(t, e.Snapshot())); err != nil {
				t.Fatal(err)
			}
			advance(e, 20)
			advance(other, 20)
			if a, b := e.Progress(), other.Progress(); a.Moves != b.Moves || a.RoundTrips != b.RoundTrips || a.LnF != b.LnF || a.Flatness != b.Flatness || a.Passes != b.Passes {
				t.Errorf("%v part %d: %+v and restored %+v", move, part, a, b)
			}
			x, y := clone(t, e.Snapshot()), clone(t, other.Snapshot())
			x.Times, y.Times = Times{}, Times{}
			if !reflect.DeepEqual(x, y) {
				t.Errorf("%v, part %d: the restored engine goes another way", c, part)
			}
		}
	}
}

// TestRestoreRefuses finds every way in which a snapshot may not fit.
func TestRestoreRefuses(t *testing.T) {
	e := snapshotEngine(t, 1, 1, local.HeatBath, WangLandau)
	iterating := snapshotEngine(t, 1, 1, local.HeatBath, Multicanonical).Snapshot()
	hilly := snapshotEngine(t, 1, 1, local.HeatBath, Metadynamics).Snapshot()
	chained := snapshotEngine(t, 1, 1, local.HeatBath, MultipleGaussian).Snapshot()
	e.Produce()
	for name, spoil := range map[string]func(*Snapshot){
		"ln g: 3 elements":                               func(s *Snapshot) { s.Windows[0].LnG = s.Windows[0].LnG[:3] },
		"ln g of level 2 is NaN":                         func(s *Snapshot) { s.Windows[0].LnG[2] = math.NaN() },
		"weight of level 1 is +Inf":                      func(s *Snapshot) { s.Production.LnWeight[0][1] = math.Inf(1) },
		"no phase":                                       func(s *Snapshot) { s.Phase = "lunch" },
		"samples of production":                          func(s *Snapshot) { s.Production = nil },
		"blocks: 1 elements":                             func(s *Snapshot) { s.Production.Blocks[0] = s.Production.Blocks[0][:1] },
		"block 2: 0 elements":                            func(s *Snapshot) { s.Production.Blocks[0][2] = nil },
		"0 blocks and sums of 40":                        func(s *Snapshot) { s.Production.OrderCount = nil },
		"block 3 is not of 25 levels and 3 powers":       func(s *Snapshot) { s.Production.OrderSums[3] = s.Production.OrderSums[3][:2] },
		"block 1 is not of 25 levels and 3 powers":       func(s *Snapshot) { s.Production.OrderSums[1][2] = nil },
		"block 4, level 6: the sum 2 of 0 values is 0.5": func(s *Snapshot) { s.Production.OrderSums[4][1][6] = 0.5 },
		"block 0, level 0: the sum 1 of 0 values is NaN": func(s *Snapshot) { s.Production.OrderSums[0][0][0] = math.NaN() },
		"timeline: 9 passes in 8 parts of 1":             func(s *Snapshot) { s.Production.Passes, s.Production.Timeline.Passes = 9, 9 },
		"timeline: 1 passes in 8 parts of 1":             func(s *Snapshot) { s.Production.Timeline.Passes = 1 },
		"timeline: 0 passes in 8 parts of 2":             func(s *Snapshot) { s.Production.Timeline.Width = 2 },
		"timeline: 0 windows":                            func(s *Snapshot) { s.Production.Timeline.Sums = nil },
		"timeline: window 0 has 3 chains":                func(s *Snapshot) { s.Production.Timeline.Sums[0] = s.Production.Timeline.Sums[0][:3] },
		"timeline: window 0, chain 2 has 0 parts":        func(s *Snapshot) { s.Production.Timeline.Sums[0][2] = nil },
		"chain 1: the sum of levels of part 7 is -4":     func(s *Snapshot) { s.Production.Timeline.Sums[0][1][7] = -4 },
		"segment 9 of 2":                                 func(s *Snapshot) { s.Production.Segment = 9 },
		"multicanonical iteration":                       func(s *Snapshot) { s.Windows[0].Iteration = iterating.Windows[0].Iteration },
		"there is a sum of hills: true":                  func(s *Snapshot) { s.Windows[0].Hills = hilly.Windows[0].Hills },
		"there is a chain of Gaussian ensembles: true":   func(s *Snapshot) { s.Windows[0].Gaussians = chained.Windows[0].Gaussians },
		"windows: 0 elements":                            func(s *Snapshot) { s.Windows = nil },
		"generator of the exchanges":                     func(s *Snapshot) { s.Exchanges = nil },
		"ln f is 0":                                      func(s *Snapshot) { s.Windows[0].LnF = 0 },
		"configurations: 5 elements":                     func(s *Snapshot) { s.States = s.States[:5] },
		"colour 3":                                       func(s *Snapshot) { s.States[7] = 3 },
		"walker 1: the level is 24":                      func(s *Snapshot) { s.Levels[1] = 24 },
		"generator":                                      func(s *Snapshot) { s.Generators[3] = []byte("pcg") },
		"levels: 0 elements":                             func(s *Snapshot) { s.Levels = nil },
		"aims: 1 elements":                               func(s *Snapshot) { s.Aims = s.Aims[:1] },
		"its log-likelihood is NaN":                      func(s *Snapshot) { s.Aims[4].LnQ = math.NaN() },
		"end 3":                                          func(s *Snapshot) { s.LastEnds[0] = 3 },
	} {
		s := clone(t, e.Snapshot())
		spoil(s)
		err := snapshotEngine(t, 1, 1, local.HeatBath, WangLandau).Restore(s)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]struct {
		method Phase
		spoil  func(*WindowSnapshot)
	}{
		"sum of hills of level 3 is NaN":                {Metadynamics, func(w *WindowSnapshot) { w.Hills.Bias[3] = math.NaN() }},
		"sum of hills: 2 elements":                      {Metadynamics, func(w *WindowSnapshot) { w.Hills.Bias = w.Hills.Bias[:2] }},
		"hills are 0 high":                              {Metadynamics, func(w *WindowSnapshot) { w.Hills.Stage = 0 }},
		"there is a sum of hills: false":                {Metadynamics, func(w *WindowSnapshot) { w.Hills = nil }},
		"with the slope +Inf":                           {MultipleGaussian, func(w *WindowSnapshot) { w.Gaussians.Slope = math.Inf(1) }},
		"there are 3 stages of a chain":                 {MultipleGaussian, func(w *WindowSnapshot) { w.Gaussians.Stage = 3 }},
		"there is a chain of Gaussian ensembles: false": {MultipleGaussian, func(w *WindowSnapshot) { w.Gaussians = nil }},
		"there is a multicanonical iteration: false":    {MultipleGaussian, func(w *WindowSnapshot) { w.Iteration = nil }},
	} {
		s := clone(t, snapshotEngine(t, 1, 1, local.HeatBath, c.method).Snapshot())
		c.spoil(&s.Windows[0])
		err := snapshotEngine(t, 1, 1, local.HeatBath, c.method).Restore(s)
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
		"ln g of level 4":   func(e *Engine) { e.windows[0].lnG[4] = math.NaN() },
		"carried along as ": func(e *Engine) { e.walkers[0].level ^= 1 },
	} {
		e := snapshotEngine(t, 1, 1, local.None, WangLandau)
		spoil(e)
		err := e.CheckEnergies()
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "seed 5") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The hundredth pass looks.
	e := snapshotEngine(t, 1, 1, local.HeatBath, WangLandau)
	for pass := 1; pass <= energyCheck; pass++ {
		if pass == energyCheck {
			e.walkers[7].level = abs(e.walkers[7].level - 1)
		}
		err := e.Pass(context.Background())
		if failed := err != nil && strings.Contains(err.Error(), "walker 7"); failed != (pass == energyCheck) {
			t.Fatalf("pass %d: %v", pass, err)
		}
	}
}
