package daemon

import (
	"log/slog"
	"strings"
	"testing"

	"neuralwl/internal/queue"
	"neuralwl/internal/runtest"
)

// TestHear has the log tell once of each line that a worker says, and how many could not be passed on.
func TestHear(t *testing.T) {
	t.Parallel()
	log, text := runtest.Log(slog.LevelInfo)
	d := &Daemon{log: log}
	says := func(lines ...queue.Line) *queue.Worker {
		return &queue.Worker{Name: "node7", Instance: "i", Said: lines}
	}
	first := says(queue.Line{Number: 1, Text: "one"}, queue.Line{Number: 2, Text: "two"})
	d.hear(nil, first)
	d.hear(first, first)
	d.hear(first, says(queue.Line{Number: 2, Text: "two"}, queue.Line{Number: 5, Text: "five"}))
	all := text.String()
	for _, line := range []string{"one", "two", "five"} {
		if strings.Count(all, "worker=node7/i line="+line) != 1 {
			t.Errorf("%s is not there once", line)
		}
	}
	if !strings.Contains(all, "lines=2") {
		t.Error("it is not said that lines are missing")
	}
	if t.Failed() {
		t.Log(all)
	}
}
