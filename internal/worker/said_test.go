package worker

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSaid keeps the last warnings and errors of a log, with what loggers made of it add.
func TestSaid(t *testing.T) {
	t.Parallel()
	var s said
	log := s.log(slog.New(slog.DiscardHandler))
	log.Info("begins")
	for k := range 12 {
		log.With("run", fmt.Sprint("r", k)).Warn("a run lost its process", "reason", strings.Repeat("é", k*100))
	}
	lines := s.last()
	if len(lines) != saidLines {
		t.Fatalf("%d lines", len(lines))
	}
	for i, l := range lines {
		k := 12 - saidLines + i
		if l.Number != int64(k+1) || !strings.Contains(l.Text, "level=WARN") || !strings.Contains(l.Text, fmt.Sprintf("run=r%d", k)) || len(l.Text) > saidBytes {
			t.Errorf("line %d: %+v", i, l)
		}
	}
}
