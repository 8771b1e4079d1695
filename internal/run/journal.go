package run

import (
	"log/slog"
	"path/filepath"

	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
)

// journal is the file with the run's log, at every level and over all resumptions. A line
// that cannot be written is reported and lost; the run continues.
type journal struct {
	file    disk.File
	path    string
	handler slog.Handler
	log     *slog.Logger // for its own faults, without itself
	broken  bool         // the last line has no end
	failed  int
}

// openJournal lets the run also log into its directory.
func (j *job) openJournal() {
	path := filepath.Join(j.folder, report.EventsFile)
	data, _ := j.fs.ReadFile(path) // none at first
	file, err := j.fs.Append(path)
	if err != nil {
		j.log.Warn("the run is not logged in its directory", "reason", err)
		return
	}
	w := &journal{file: file, path: path, broken: len(data) > 0 && data[len(data)-1] != '\n'}
	w.handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})
	j.journal = w
	w.log = j.log
	j.log = slog.New(slog.NewMultiHandler(j.log.Handler(), w.handler))
	j.listen()
}

// end closes the journal, with the error of a run that failed as its last line.
func (w *journal) end(err error) {
	if w == nil {
		return
	}
	if err != nil {
		slog.New(w.handler).Error("the run ends", "reason", err)
	}
	if err := w.file.Close(); err != nil {
		w.log.Warn("the run's log is not complete", "file", w.path, "reason", err)
	}
}

// Write appends a line of the handler.
func (w *journal) Write(line []byte) (int, error) {
	data := line
	if w.broken {
		data = append([]byte("\n"), line...)
	}
	n, err := w.file.Write(data)
	if w.broken = n < len(data); w.broken || err != nil {
		if w.failed++; event.Often(w.failed) {
			w.log.Warn("an event is not logged in the run directory", "reason", err, "times", w.failed)
		}
	}
	return len(line), nil
}
