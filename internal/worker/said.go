package worker

import (
	"log/slog"
	"strings"
	"sync"

	"neuralwl/internal/queue"
)

const (
	saidLines = 8   // that a worker announces
	saidBytes = 500 // of a line
)

// said are the last warnings and errors of a worker's log, which it announces with itself, so that the log of
// the head has them.
type said struct {
	mutex sync.Mutex
	n     int64
	lines []queue.Line
}

// log is a log that is also kept here.
func (s *said) log(to *slog.Logger) *slog.Logger {
	own := slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelWarn})
	return slog.New(slog.NewMultiHandler(to.Handler(), own))
}

// Write takes a line.
func (s *said) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line[:min(len(line), saidBytes)]))
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.n++
	s.lines = append(s.lines[max(0, len(s.lines)+1-saidLines):], queue.Line{Number: s.n, Text: strings.ToValidUTF8(text, "")})
	return len(line), nil
}

// last are the last lines.
func (s *said) last() []queue.Line {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]queue.Line(nil), s.lines...)
}
