package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

var update = flag.Bool("update", false, "write testdata instead of comparing with it")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: got\n%swant\n%s", name, text, want)
	}
}

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// sampleRuns are runs in all states.
func sampleRuns() []api.Run {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	return []api.Run{
		{ID: "potts-q10-16x16-12", Kind: job.WorkRun, State: job.Running, Wish: job.Pause, Created: ago(2 * time.Hour), Began: ago(80 * time.Minute), Title: "with the network of yesterday, longer", Tags: []string{"nightly"},
			Progress: &api.Progress{At: ago(time.Minute), Phase: "multicanonical", Done: 0.996, LnF: 1.23e-7, Levels: 511, Left: 400}},
		{ID: "train-q10-64x64-1", Kind: job.WorkTrain, State: job.Running, Created: ago(3 * time.Hour), Began: ago(3 * time.Minute), Progress: &api.Progress{At: noon, Phase: "training", Done: 0.5, Steps: 100, Loss: 3}},
		{ID: "a-name-that-is-longer-than-a-column-should-be", Kind: job.WorkRun, State: job.Queued, Created: ago(time.Second), Title: "格子模型"},
		{ID: "q2-1", Kind: job.WorkRun, State: job.Paused, Created: ago(100 * time.Hour), Began: ago(99 * time.Hour), Progress: &api.Progress{Phase: "wang-landau", Done: 0.07, LnF: 1, Levels: 21, Seconds: 40000}},
		{ID: "q3-1", Kind: job.WorkRun, State: job.Done, Created: ago(500 * time.Hour), Began: ago(499 * time.Hour), Ended: ago(time.Hour), Outcome: &job.Outcome{Code: 3},
			Progress: &api.Progress{Levels: 125, Seconds: 36}},
		{ID: "q3-2", Kind: job.WorkRun, State: job.Failed, Created: ago(2 * time.Minute), Began: ago(2 * time.Minute), Ended: ago(time.Minute), Title: "\x1b[2Jbad\nnews", Reason: "model.bundle: none.zip: no such file\nand more"},
	}
}

// TestRunTable prints runs on terminals of several widths.
func TestRunTable(t *testing.T) {
	print := func(width int) string {
		var text strings.Builder
		if err := printRuns(&text, sampleRuns(), width, noon); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	golden(t, "ps_80.txt", print(80))
	usual := sampleRuns()
	usual[0].ID, usual[0].Progress.Phase, usual[0].Progress.Done, usual[2].ID = "q10-16x16-12", "wang-landau", 0.43, "q10-16x16-13"
	var text strings.Builder
	if err := printRuns(&text, usual, 80, noon); err != nil {
		t.Fatal(err)
	}
	golden(t, "ps_usual.txt", text.String())
	golden(t, "ps_wide.txt", print(0))
	for width := 20; width < 200; width++ {
		text := print(width)
		for line := range strings.Lines(text) {
			if n := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: a line of %d columns: %q", width, n, line)
			}
		}
		if strings.ContainsRune(text, '\x1b') || strings.Count(text, "\n") != len(sampleRuns())+1 {
			t.Errorf("width %d: a title commands the terminal:\n%q", width, text)
		}
	}
}

// TestScreen draws what top shows, with the daemon and without.
func TestScreen(t *testing.T) {
	defer func(local *time.Location) { time.Local = local }(time.Local)
	time.Local = time.UTC
	draw := func(s *screen, width, height int) string {
		var text strings.Builder
		if err := s.draw(&text, width, height, noon); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(text.String(), "\n"); height > 0 && n > height {
			t.Errorf("%d lines on a screen of %d", n, height)
		}
		return text.String()
	}
	s := &screen{url: "http://127.0.0.1:9465"}
	beginning := draw(s, 80, 24)
	s.fault = os.ErrDeadlineExceeded
	never := draw(s, 80, 24)
	s.fault, s.runs, s.at = nil, sampleRuns(), noon
	well := draw(s, 80, 24)
	small := draw(s, 30, 5)
	s.fault, s.at = os.ErrDeadlineExceeded, noon.Add(-5*time.Minute)
	lost := draw(s, 80, 24)
	if strings.Contains(strings.Join([]string{never, lost}, ""), "crashed") || !strings.Contains(lost, "unreachable") || !strings.Contains(lost, "5m ago") || !strings.Contains(lost, "q3-1") {
		t.Errorf("without the daemon:\n%s", lost)
	}
	draw(s, 1, 1)
	golden(t, "top.txt", strings.Join([]string{beginning, never, well, small, lost}, "---\n"))
}

// TestShort keeps durations within a column.
func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59999 * time.Millisecond: "59s", time.Minute: "1m", 59*time.Minute + 59*time.Second: "59m",
		time.Hour: "1h00m", 9*time.Hour + 59*time.Minute: "9h59m", 99 * time.Hour: "99h", 100 * time.Hour: "4d", 9999 * 24 * time.Hour: "9999d",
	} {
		if got := short(d); got != want || len(got) > 5 {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
