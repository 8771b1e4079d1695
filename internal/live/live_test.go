package live_test

import (
	"bytes"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/event"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/history"
	"neuralwl/internal/live"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/internal/telemetry"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// TestRun records a run with a network, and compares what it shows with what the run reports.
func TestRun(t *testing.T) {
	onnxtest.Open(t)
	folder := filepath.Join(t.TempDir(), "run")
	r := live.New(slog.New(slog.DiscardHandler))
	r.Telemetry = telemetry.NewRecorder()
	var last event.Pass
	var visits, proposals int64
	listener := event.Tee(r.Listener(), event.Listener{Pass: func(e event.Pass) {
		last = e
		v := e.Sight.View()
		visits, proposals = sum(v.Visits()), sum(v.Proposals.Trials)
	}})
	s, err := runtest.Run(t.Context(), t, run.Options{Folder: folder, Listener: listener}, runtest.Brief...)
	if err != nil {
		t.Fatal(err)
	}
	points, err := history.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	end := points[len(points)-1]
	if end.Pass != last.Sight.Passes || end.Phase != string(sampler.Production) || end.Neural != last.Progress.Moves[sampler.Neural] {
		t.Errorf("the history ends with %+v, the last pass was %+v", end, last)
	}
	steps := int64(0)
	for i, p := range points {
		if i > 0 && (p.Pass <= points[i-1].Pass || p.Seconds < points[i-1].Seconds || p.Steps < points[i-1].Steps) {
			t.Fatalf("point %d: %+v follows %+v", i, p, points[i-1])
		}
		if p.Steps > steps && p.Loss == 0 {
			t.Errorf("point %d: %d steps without a loss", i, p.Steps-steps)
		}
		steps = p.Steps
	}
	if steps == 0 {
		t.Error("no gradient step in the history")
	}
	p, err := live.ReadPicture(folder)
	if err != nil {
		t.Fatal(err)
	}
	if p.Passes != last.Sight.Passes || p.Phase != string(sampler.Production) || sum(p.Levels.Visits) != visits {
		t.Errorf("the picture is of pass %d of %s with %d visits; at the end there were %d and %d", p.Passes, p.Phase, sum(p.Levels.Visits), last.Sight.Passes, visits)
	}
	total := int64(0)
	for _, b := range p.Acceptance {
		total += b.Trials
	}
	if total != proposals || total == 0 {
		t.Errorf("%d proposals in the picture, %d made", total, proposals)
	}
	regions, known := r.ByRegion()
	if p.Transition == nil || !known || regions[0].Trials+regions[1].Trials+regions[2].Trials != total {
		t.Errorf("transition %+v, by region %+v", p.Transition, regions)
	}
	told, trials := r.Telemetry.Snapshot(), int64(0)
	for name, region := range told.Regions {
		trials += region.Trials
		if region.Changed < 0 || region.Changed > 1 || region.Accepted > region.Trials {
			t.Errorf("told of the region %s: %+v", name, region)
		}
	}
	if trials != total || told.LnGError == nil != (p.Deviation == nil) || told.LnGError != nil && *told.LnGError != *p.Deviation {
		t.Errorf("told are %+v, an error of ln g of %v; the picture has %d proposals and %v", told.Regions, told.LnGError, total, p.Deviation)
	}
	if len(p.Lattices) != 3 {
		t.Fatalf("%d lattices", len(p.Lattices))
	}
	system, err := runtest.Load(t, runtest.Brief...).System.New()
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range p.Lattices {
		if e := system.Energy(system.Level(l.State)); e != l.Energy {
			t.Errorf("lattice %d has energy %g, the picture says %g", i, e, l.Energy)
		}
	}
	if !slices.IsSortedFunc(p.Lattices, func(a, b live.Lattice) int { return int(a.Energy - b.Energy) }) {
		t.Error("lattices are not in the order of their energies")
	}
	if len(p.Traces.Energy) == 0 || len(p.Traces.Passes) != len(p.Traces.Energy[0]) {
		t.Errorf("traces of %d walkers", len(p.Traces.Energy))
	}
	if norm := sum(p.Levels.Probability); math.Abs(norm-1) > 1e-9 {
		t.Errorf("P(E) sums to %g", norm)
	}
	if s.Exact == nil || p.Deviation == nil {
		t.Errorf("the exact density is known to the run: %v, to the picture: %v", s.Exact != nil, p.Deviation != nil)
	}
}

func sum[T int64 | float64](x []T) (s T) {
	for _, v := range x {
		s += v
	}
	return s
}

// recorded tells a recorder of a run of so many passes from one to another, and returns the
// history and the log.
func recorded(t *testing.T, folder string, resumed bool, from, to int64) ([]history.Point, string) {
	t.Helper()
	system, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	l := live.New(slog.New(slog.NewTextHandler(&log, nil))).Listener()
	l.RunBegan(event.RunBegan{Folder: folder, Lattice: system, Resumed: resumed})
	for pass := from; pass <= to; pass++ {
		l.GradientStep(trainer.StepInfo{Loss: float64(pass)})
		l.Pass(event.Pass{Progress: sampler.Progress{Phase: sampler.WangLandau, LnF: 1 / float64(pass), Flatness: math.Inf(1)}, Sight: event.Sight{Passes: pass}})
	}
	l.RunEnded(event.RunEnded{})
	points, err := history.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	return points, log.String()
}

// TestThinning makes a long history, which stays short, and goes on with it from a pass that is in
// it, as a run does that was killed after its checkpoint.
func TestThinning(t *testing.T) {
	folder := t.TempDir()
	check := func(points []history.Point, last int64) {
		t.Helper()
		if n := len(points); n > history.MostPoints || n < history.MostPoints/2-1 {
			t.Errorf("%d points", n)
		}
		step := points[1].Pass - points[0].Pass
		for i := range points {
			if want := int64(i+1) * step; points[i].Pass != want {
				t.Fatalf("point %d is of pass %d, want %d", i, points[i].Pass, want)
			}
		}
		if points[len(points)-1].Pass+step <= last {
			t.Errorf("the last point is of pass %d of %d", points[len(points)-1].Pass, last)
		}
		// A point has the mean loss since the one before when it was made.
		if p := points[len(points)-1]; p.Loss > float64(p.Pass) || p.Loss < float64(p.Pass-step) {
			t.Errorf("loss %g at pass %d", p.Loss, p.Pass)
		}
	}
	points, log := recorded(t, folder, false, 1, 9000)
	check(points, 9000)
	points, more := recorded(t, folder, true, 5001, 30000)
	check(points, 30000)
	if log+more != "" {
		t.Errorf("log: %s", log+more)
	}
	// A new run in the folder starts a new history.
	if points, _ = recorded(t, folder, false, 1, 3); len(points) != 3 {
		t.Errorf("%d points of three passes", len(points))
	}
}

// TestBadDays meets a history that is torn, damaged or of another version, and a folder that
// cannot be written: the run goes on and its log says so.
func TestBadDays(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, history.File)
	recorded(t, folder, false, 1, 10)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, text string
		kept       int // points
		logged     string
	}{
		{"torn", string(whole[:len(whole)-5]), 9, ""},
		{"empty", "", 0, ""},
		{"damaged", strings.Replace(string(whole), "wang-landau,0.25", "wang-landau,a quarter", 1), 0, "line 5"},
		{"other columns", "pass,time\n1,2\n", 0, "line 1"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		points, log := recorded(t, folder, true, 11, 12)
		if len(points) != c.kept+2 || !strings.Contains(log, c.logged) || c.logged == "" && log != "" {
			t.Errorf("%s: %d points, log %q", c.name, len(points), log)
		}
	}
	gone := filepath.Join(folder, "gone")
	var log bytes.Buffer
	system, err := lattice.NewPotts(3, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	l := live.New(slog.New(slog.NewTextHandler(&log, nil))).Listener()
	l.RunBegan(event.RunBegan{Folder: gone, Lattice: system})
	l.Pass(event.Pass{Sight: event.Sight{Passes: 1}})
	l.RunEnded(event.RunEnded{})
	if !strings.Contains(log.String(), "is not written") {
		t.Errorf("log %q", log.String())
	}
}

// TestPicture makes pictures of the exact density of states: the regions are divided at the
// peaks of P(E), and where there are too many levels one stands for some.
func TestPicture(t *testing.T) {
	for _, c := range []struct {
		q, lx, ly int
		twoPeaks  bool
	}{{10, 4, 16, true}, {2, 16, 16, false}} {
		system, err := lattice.NewPotts(c.q, c.lx, c.ly)
		if err != nil {
			t.Fatal(err)
		}
		exact := exacttest.Density(t, c.q, c.lx, c.ly)
		v := &sampler.View{Seen: make([]bool, system.Levels()), LnG: make([]float64, system.Levels()), Visits: func() []int64 { return make([]int64, system.Levels()) }}
		for i, e := range exact.Energy {
			level := int(math.Round((system.Energy(0) - e) / (system.Energy(0) - system.Energy(1))))
			v.Seen[level], v.LnG[level] = true, exact.LnG[i]-7
		}
		folder := t.TempDir()
		l := live.New(slog.New(slog.DiscardHandler)).Listener()
		l.RunBegan(event.RunBegan{Folder: folder, Lattice: system})
		l.Pass(event.Pass{Progress: sampler.Progress{Phase: sampler.Production}, Sight: event.Sight{Passes: 1, View: func() *sampler.View { return v }}})
		p, err := live.ReadPicture(folder)
		if err != nil {
			t.Fatal(err)
		}
		if p.Transition == nil || p.Transition.TwoPeaks != c.twoPeaks {
			t.Fatalf("q=%d %dx%d: transition %+v", c.q, c.lx, c.ly, p.Transition)
		}
		mean := exact.At(p.Transition.Beta)
		if p.Transition.Low >= mean.Energy || p.Transition.High <= mean.Energy {
			t.Errorf("q=%d %dx%d: the regions of %+v are not on both sides of the mean %g", c.q, c.lx, c.ly, p.Transition, mean.Energy)
		}
		if d := p.Levels.LnG[0] - math.Log(float64(c.q)); math.Abs(d) > 1e-3 {
			t.Errorf("q=%d %dx%d: ln g of the ground state is %g, off by %g", c.q, c.lx, c.ly, p.Levels.LnG[0], d)
		}
		l.RunEnded(event.RunEnded{})
	}
}
