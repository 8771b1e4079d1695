package telemetry

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/event"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// clocked is a recorder and what moves its clock.
func clocked() (*Recorder, func(time.Duration)) {
	r, at := NewRecorder(), time.Now()
	r.now = func() time.Time { return at }
	return r, func(d time.Duration) { at = at.Add(d) }
}

// TestPhases counts by phase, from zero in the next phase, and further where production begins
// anew.
func TestPhases(t *testing.T) {
	r, _ := clocked()
	l := r.Listener()
	p := sampler.Progress{Phase: sampler.WangLandau, Passes: 3, LnF: 0.5, Flatness: math.Inf(1), Levels: 10, RoundTrips: 1.5}
	p.Moves[sampler.Local] = sampler.Count{Trials: 100, Accepted: 60}
	p.Moves[sampler.Neural] = sampler.Count{Trials: 10, Accepted: 2}
	p.Times.Local = 2 * time.Second
	l.Pass(event.Pass{Progress: p})
	p.Passes, p.RoundTrips = 5, 4
	p.Moves[sampler.Local] = sampler.Count{Trials: 150, Accepted: 90}
	p.Times.Local = 3 * time.Second
	l.Pass(event.Pass{Progress: p})
	p = sampler.Progress{Phase: sampler.Production, Passes: 1}
	p.Moves[sampler.Local] = sampler.Count{Trials: 7, Accepted: 7}
	l.Pass(event.Pass{Progress: p})
	l.PhaseBegan(event.PhaseBegan{Phase: sampler.Production}) // anew
	p.Moves[sampler.Local] = sampler.Count{Trials: 3, Accepted: 3}
	l.Pass(event.Pass{Progress: p})
	got := r.Snapshot()
	times := func(local float64) map[string]float64 {
		return map[string]float64{"local": local, "propose": 0, "log_prob": 0}
	}
	want := map[string]Phase{
		"wang-landau": {5, 4, map[string]Moves{"local": {150, 90}, "neural": {10, 2}}, times(3)},
		"production":  {2, 0, map[string]Moves{"local": {10, 10}}, times(0)},
	}
	if !reflect.DeepEqual(got.Phases, want) {
		t.Errorf("%+v, want %+v", got.Phases, want)
	}
	if got.Phase != "production" || got.Flatness != 0 || got.LnF != 0 {
		t.Errorf("%+v", got)
	}
	// What was handed out does not change any more.
	p.Passes = 9
	l.Pass(event.Pass{Progress: p})
	if !reflect.DeepEqual(got.Phases, want) {
		t.Errorf("a snapshot has changed: %+v", got.Phases)
	}
}

// TestCounts counts what else happens in a run, and goes through JSON unchanged.
func TestCounts(t *testing.T) {
	r, after := clocked()
	l := r.Listener()
	l.RunBegan(event.RunBegan{Version: "v", System: "s", Method: "m", Seed: 7, Architecture: "made", Provider: "cpu", Network: "net/1", Levels: 30})
	l.GradientStep(trainer.StepInfo{Loss: 4, Norm: 2, Duration: time.Second, Replay: 0.25})
	l.GradientStep(trainer.StepInfo{Dropped: true, Loss: math.NaN(), Replay: 0.5})
	l.WeightsPublished(event.WeightsPublished{Steps: 1})
	l.BundleExported(event.BundleExported{Folder: "/runs/x/models/net/2"})
	l.BundleExported(event.BundleExported{Err: errors.New("disk full")})
	if n := r.Snapshot().Network; n != "net/2" {
		t.Errorf("the network in use is %q", n)
	}
	l.NetworkSwapped(event.NetworkSwapped{Name: "other/3", Took: time.Second, Pause: time.Millisecond})
	l.NetworkSwapped(event.NetworkSwapped{Name: "bad/1", Err: errors.New("damaged")})
	after(time.Minute)
	l.CheckpointWritten(event.CheckpointWritten{Took: time.Second, Bytes: 100})
	l.CheckpointWritten(event.CheckpointWritten{Took: time.Second, Err: errors.New("disk full")})
	var all sync.WaitGroup
	for range 10 { // workers side by side
		all.Go(func() { r.Evaluated("propose", 2*time.Millisecond) })
	}
	all.Wait()
	r.Evaluated("propose", time.Hour)
	rms := 0.125
	r.Look(nil, []sampler.WindowView{{Index: 0, LnF: 1}}, nil)
	if w := r.Snapshot().Windows; len(w) > 0 {
		t.Errorf("one window is shown as %v", w)
	}
	r.Look(map[string]Region{"ordered": {10, 5, 0.5}}, []sampler.WindowView{{Index: 0, LnF: 1, Flatness: math.Inf(1)}, {Index: 2, Flatness: 0.5}}, nil)
	l.RunEnded(event.RunEnded{Converged: true, LnGError: &rms})
	s := r.Snapshot()
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"training", s.Training, TrainingCounts{Steps: 1, Dropped: 1, Loss: 4, Norm: 2, Seconds: 1, Replay: 0.5, Published: 1, PublishedAt: s.Training.PublishedAt, Exported: 1}},
		{"age of the weights", s.Heard.Sub(s.Training.PublishedAt), time.Minute},
		{"network", s.Network, "other/3"},
		{"swaps", [2]int64{s.Swaps.Applied, s.Swaps.Failed}, [2]int64{1, 1}},
		{"pauses", s.Swaps.Pause.Sum, 1e-3},
		{"checkpoints", s.Checkpoints, Checkpoints{1, 1, 2, 100, s.Heard}},
		{"evaluations", s.Evaluations["propose"].Counts, []uint64{0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
		{"end", *s.End, End{Converged: true}},
		{"levels", s.Known, 30},
		{"regions", s.Regions, map[string]Region{"ordered": {10, 5, 0.5}}},
		{"windows", s.Windows, map[string]Window{"0": {1, 0}, "2": {0, 0.5}}},
		{"error of ln g", *s.LnGError, rms},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, c.got, c.want)
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(&back); err != nil || string(again) != string(text) {
		t.Errorf("%v: %s became %s", err, text, again)
	}
	if len(text) > 4<<10 {
		t.Errorf("%d bytes of JSON", len(text))
	}
}

// TestLeft guesses the time that is left of a phase by what was done since the run began, or
// went on, in it.
func TestLeft(t *testing.T) {
	r, after := clocked()
	l := r.Listener()
	begin := func(phase sampler.Phase) { l.PhaseBegan(event.PhaseBegan{Phase: phase}) }
	pass := func(d time.Duration, phase sampler.Phase, done, want float64) {
		t.Helper()
		after(d)
		l.Pass(event.Pass{Progress: sampler.Progress{Phase: phase}, Done: done})
		if got := r.Left(); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s, %g done: %g s left, want %g", phase, done, got, want)
		}
	}
	begin(sampler.WangLandau)
	pass(time.Second, sampler.WangLandau, 0.1, 0)
	pass(10*time.Second, sampler.WangLandau, 0.2, 80)
	pass(10*time.Second, sampler.WangLandau, 0.15, 340) // a guess may fall
	pass(10*time.Second, sampler.WangLandau, 0.1, 0)
	begin(sampler.Production)
	pass(time.Second, sampler.Production, 0, 0)
	pass(time.Second, sampler.Production, 0.5, 1)
	l.PhaseEnded(event.PhaseEnded{Progress: sampler.Progress{Phase: sampler.Production}})
	if s := r.Snapshot(); s.Left != 0 || s.Phase != Evaluating {
		t.Errorf("%+v", s)
	}
	r.Far("training", 0.5)
	after(time.Second)
	r.Far("training", 0.75)
	if s := r.Snapshot(); s.Left != 1 || s.Done != 0.75 || s.Phase != "training" {
		t.Errorf("%+v", s)
	}
}

// TestProcess measures this process, and reads the times of one with a strange name.
func TestProcess(t *testing.T) {
	if p := process(); p.Goroutines < 1 || p.Resident < 0 {
		t.Errorf("%+v", p)
	}
	const stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1000 1000000 3 18446744073709551615 1 1 0 0 0 0 0"
	if cpu, _, resident := parseStat(stat); cpu != 3 || resident%3 != 0 || resident < 3*4096 {
		t.Errorf("%g s, %d bytes", cpu, resident)
	}
	for _, text := range []string{"", "7 (a", "7 (a) S 1", ")"} {
		if cpu, _, resident := parseStat(text); cpu != 0 || resident != 0 {
			t.Errorf("%q: %g s, %d bytes", text, cpu, resident)
		}
	}
}

// BenchmarkRecorder reports what a run pays: for an evaluation of its network, for a pass, and for
// a report.
func BenchmarkRecorder(b *testing.B) {
	p := sampler.Progress{Phase: sampler.WangLandau}
	p.Moves = sampler.Moves{{Trials: 1}, {Trials: 1}, {Trials: 1}}
	r := NewRecorder()
	l := r.Listener()
	for name, f := range map[string]func(){
		"evaluation": func() { r.Evaluated("propose", time.Millisecond) },
		"pass":       func() { l.Pass(event.Pass{Progress: p}) },
		"report": func() {
			if _, err := json.Marshal(r.Snapshot()); err != nil {
				b.Fatal(err)
			}
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
}
