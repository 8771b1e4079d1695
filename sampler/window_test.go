package sampler

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

func TestUniformWindows(t *testing.T) {
	for _, c := range []struct {
		levels, count int
		overlap       float64
		want          []lattice.Window
	}{
		{33, 1, 0.5, []lattice.Window{{Low: 0, High: 32}}},
		{33, 2, 0.5, []lattice.Window{{Low: 0, High: 22}, {Low: 11, High: 32}}},
		{513, 4, 0.5, []lattice.Window{{Low: 0, High: 205}, {Low: 102, High: 307}, {Low: 205, High: 410}, {Low: 307, High: 512}}},
	} {
		if got := lattice.UniformWindows(c.levels, c.count, c.overlap); !slices.Equal(got, c.want) {
			t.Errorf("%d levels: %v, want %v", c.levels, got, c.want)
		}
	}
}

// TestMostWindows compares the largest number of windows that fit with one found by trying
// all of them.
func TestMostWindows(t *testing.T) {
	systems := []lattice.System{
		terms(t)(lattice.NewBlumeCapel(1.75, 4, 4)), terms(t)(lattice.NewIsingField(0.25, 5, 4)), terms(t)(lattice.NewBaxterWu(6, 6)), terms(t)(lattice.NewPotts3D(3, 3, 3, 4)),
	}
	for _, sides := range [][2]int{{3, 3}, {5, 5}, {6, 6}, {8, 8}, {5, 12}} {
		p, err := lattice.NewPotts(2+sides[0]%3, sides[0], sides[1])
		if err != nil {
			t.Fatal(err)
		}
		systems = append(systems, p)
	}
	for _, s := range systems {
		for _, overlap := range []float64{0.1, 0.35, 0.5, 0.75, 0.9} {
			want := 1
			for n := 2; n <= s.Levels(); n++ {
				if lattice.WindowsFit(s, n, overlap) {
					want = n
				}
			}
			if got := lattice.MostWindows(s, s.Levels(), overlap); got != want {
				t.Errorf("%v, overlap %g: %d windows, want %d", s, overlap, got, want)
			}
		}
	}
}

// TestWindows runs Wang-Landau sampling and production in overlapping windows, with
// every kind of move, from random configurations: all walkers come into their windows
// and stay there, configurations travel through all of them, and both estimates meet
// the exact result within their errors. The number of workers does not matter.
func TestWindows(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	exact := exactLnG(t, "potts_q3_4x4")
	energy := make([]float64, p.Levels())
	for b := range energy {
		energy[b] = float64(p.Energy(b))
	}
	const walkers = 66
	windows := lattice.UniformWindows(p.Levels(), 3, 0.6)
	for name, o := range map[string]Options{
		"heat bath":        {Local: local.HeatBath, Sweeps: 2},
		"metropolis":       {Local: local.Metropolis, Sweeps: 3},
		"cluster":          {Local: local.Cluster, Sweeps: 3},
		"local and neural": {Local: local.HeatBath, Proposer: newSiteProposer(p, walkers), Partial: 0.7},
	} {
		var lnG []float64
		for workers := 1; workers <= 2; workers++ {
			o.System, o.Seed, o.Walkers, o.Workers, o.Windows = p, 6, walkers, workers, windows
			e, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			pass := func() {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			for e.LnF() > 2e-4 {
				pass()
			}
			if missing := e.Waiting(); len(missing) > 0 {
				t.Fatalf("%s: %v not reached", name, missing)
			}
			e.Produce()
			for range 200 {
				pass()
			}
			e.Produce()
			passes := long.Or(2500, 1000)
			for range passes {
				pass()
				for i := range e.Walkers() {
					if _, level := e.State(i); !e.window(i).Contains(level) {
						t.Fatalf("%s: walker %d is on level %d, its window is %v", name, i, level, e.window(i).Window)
					}
				}
			}
			progress := e.Progress()
			if c := progress.Moves[Exchange]; c.Accepted == 0 || c.Accepted == c.Trials || progress.RoundTrips < 20 {
				t.Errorf("%s: exchanges %+v, %.0f round trips", name, c, progress.RoundTrips)
			}
			s := e.Samples()
			var parts []dos.Window
			for _, w := range s.Windows {
				parts = append(parts, dos.Window{Low: w.Low, High: w.High, LnWeight: w.LnWeight, Blocks: w.Blocks})
			}
			stitched, overlaps, err := dos.FromWindows(energy, parts, p.LnStates())
			if err != nil {
				t.Fatal(err)
			}
			if len(overlaps) != 2 {
				t.Errorf("%s: overlaps %+v", name, overlaps)
			}
			if workers == 1 {
				lnG = stitched.LnG
			} else if !slices.Equal(lnG, stitched.LnG) {
				t.Errorf("%s: another result with two workers", name)
			}
			transitions, err := dos.FromTransitions(energy, lattice.Changes(p), s.Transitions(), p.LnStates())
			if err != nil {
				t.Fatal(err)
			}
			for what, d := range map[string]*dos.Ensemble{"histograms": stitched, "transitions": transitions} {
				if d.Len() != exact.Len() {
					t.Fatalf("%s, %s: %d levels of %d", name, what, d.Len(), exact.Len())
				}
				square := 0.0
				for i := range exact.Energy {
					z := (d.LnG[i] - exact.LnG[i]) / d.Error[i]
					square += z * z / float64(exact.Len())
				}
				t.Logf("%s, %s: mean square deviation %.2f errors squared", name, what, square)
				if math.IsNaN(square) || square > 4 {
					t.Errorf("%s, %s: mean square deviation %.2f errors squared", name, what, square)
				}
			}
		}
	}
}

// TestWindowOptions refuses windows that do not fit.
func TestWindowOptions(t *testing.T) {
	p := mustPotts(t, 3, 4, 4)
	_, err := New(Options{System: p, Walkers: 2, Local: local.HeatBath, Windows: []lattice.Window{{Low: -1, High: 20}, {Low: 18, High: 30}, {Low: 10, High: 14}}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"2 walkers in 3 windows", "from level -1 to 14", "windows 1 and 2", "window 3", "windows 2 and 3"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

// TestUnreachableWindow gives one window nothing but levels without states (with two
// colours on 5x5, at least one bond of each row and column is satisfied): it stays without
// walkers, is told, and keeps nobody from going on.
func TestUnreachableWindow(t *testing.T) {
	p := mustPotts(t, 2, 5, 5)
	unreachable := lattice.Window{Low: 0, High: 9}
	e, err := New(Options{System: p, Walkers: 8, Local: local.HeatBath, Windows: []lattice.Window{unreachable, {Low: 5, High: 50}}})
	if err != nil {
		t.Fatal(err)
	}
	for !e.Adapted(1e-2) {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Waiting(); !slices.Equal(got, []lattice.Window{unreachable}) {
		t.Errorf("waiting: %v", got)
	}
	before := e.Progress()
	e.Produce()
	const passes = 1000
	for range passes {
		if err := e.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	after := e.Progress()
	if after.Flatness == 0 || before.Levels != 20 || after.Moves[Exchange].Trials != 0 || after.Moves[Local].Trials != passes*4*25 {
		t.Errorf("before %+v, in production %+v", before, after)
	}
}
