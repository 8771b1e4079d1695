package main

import (
	"strings"
	"testing"
	"time"

	"neuralwl/internal/event"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// TestFit keeps a line within any width, with as many words as fit.
func TestFit(t *testing.T) {
	words := []string{"ln f 5e-07", "levels 125", "round trips 7444", "flatness 0.98", "local 100.0%", "neural 24.6%", "loss 96.41"}
	shown := 0
	for width := 1; width < 200; width++ {
		line := fit(words, width)
		if len(line) >= width && line != "" {
			t.Errorf("width %d: %d columns: %q", width, len(line), line)
		}
		n := 0
		for _, word := range words {
			if strings.Contains(line, word) {
				n++
			}
		}
		if n < shown {
			t.Errorf("width %d shows %d words, a narrower line %d", width, n, shown)
		}
		shown = n
	}
	if shown != len(words) || !strings.Contains(fit(words, 20), "ln f") {
		t.Errorf("%d of %d words at the largest width, %q at 20", shown, len(words), fit(words, 20))
	}
}

// TestBars draws the bars of a run and its end.
func TestBars(t *testing.T) {
	var out strings.Builder
	l := newBars(&out).listener()
	for _, phase := range []sampler.Phase{sampler.WangLandau, sampler.Production} {
		l.GradientStep(trainer.StepInfo{Loss: 4})
		l.Pass(event.Pass{Progress: sampler.Progress{Phase: phase, Levels: 12}, Done: 0.5})
	}
	done := make(chan struct{})
	go func() {
		l.RunEnded(event.RunEnded{})
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the bars do not end")
	}
}

// TestTimeLeft says on a terminal and in lines how long a phase goes on, from its second report on.
func TestTimeLeft(t *testing.T) {
	var s state
	at := func(done float64) event.Pass {
		return event.Pass{Progress: sampler.Progress{Phase: sampler.Production}, Done: done}
	}
	if s.pass(at(0)); s.remaining() != "" {
		t.Errorf("at first it says %q", s.remaining())
	}
	time.Sleep(20 * time.Millisecond)
	if s.pass(at(0.001)); !strings.HasSuffix(s.remaining(), "s left") || s.left < 10*time.Second {
		t.Errorf("after a thousandth in 20 ms it says %q", s.remaining())
	}
	if s.pass(at(1)); s.remaining() != "" {
		t.Errorf("at the end it says %q", s.remaining())
	}
}
