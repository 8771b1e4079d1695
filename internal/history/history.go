// Package history keeps what a run was like after its passes, in a table in its run directory.
package history

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"neuralwl/sampler"
)

// File is the name of the table in the run directory: one line per Point and as many passes apart
// as keep it below MostPoints lines.
const File = "history.csv"

// MostPoints of a history. Every second one goes when there are more.
const MostPoints = 2000

// Point is the state of a run after a pass.
type Point struct {
	Pass    int64   // made by the run over all phases
	Seconds float64 // that the run has taken, over all resumptions
	Phase   string
	LnF     float64 // of Wang-Landau sampling, height of the highest hill in metadynamics, else 0
	// Flatness is the visits to the least visited level over their mean; see sampler.Progress.
	Flatness   float64
	Levels     int     // visited so far
	RoundTrips float64 // since the phase began, as the following counts
	// Trials and acceptances of local moves, and of the network's proposals.
	Local, Neural sampler.Count
	Steps         int64 // gradient steps of the run's present process
	// Loss is the mean loss of the steps since the point before, 0 without any.
	Loss float64
}

var columns = []string{"pass", "seconds", "phase", "ln_f", "flatness", "levels", "round_trips",
	"local_trials", "local_accepted", "neural_trials", "neural_accepted", "steps", "loss"}

func (p *Point) record() []string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{
		count(p.Pass), strconv.FormatFloat(p.Seconds, 'f', 3, 64), p.Phase, number(p.LnF), number(p.Flatness),
		count(int64(p.Levels)), number(p.RoundTrips), count(p.Local.Trials), count(p.Local.Accepted),
		count(p.Neural.Trials), count(p.Neural.Accepted), count(p.Steps), number(p.Loss),
	}
}

// parse reads the fields of a line.
func (p *Point) parse(fields []string) error {
	var errs []error
	number := func(i int) float64 {
		x, err := strconv.ParseFloat(fields[i], 64)
		errs = append(errs, err)
		return x
	}
	count := func(i int) int64 {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		errs = append(errs, err)
		return n
	}
	*p = Point{
		Pass: count(0), Seconds: number(1), Phase: fields[2], LnF: number(3), Flatness: number(4), Levels: int(count(5)), RoundTrips: number(6),
		Local: sampler.Count{Trials: count(7), Accepted: count(8)}, Neural: sampler.Count{Trials: count(9), Accepted: count(10)},
		Steps: count(11), Loss: number(12),
	}
	return errors.Join(errs...)
}

// Read reads the history of a run directory, an fs.ErrNotExist where there is none. A last line that
// is not complete is left out: another process may be writing it.
func Read(folder string) ([]Point, error) {
	path := filepath.Join(folder, File)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	points, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return points, nil
}

func decode(data []byte) (points []Point, err error) {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = len(columns)
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !slices.Equal(header, columns) {
		return nil, fmt.Errorf("the columns are %s, this program knows %s", strings.Join(header, ","), strings.Join(columns, ","))
	}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return points, nil
		}
		if err != nil {
			return nil, err
		}
		var p Point
		if err := p.parse(fields); err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		points = append(points, p)
	}
}

// Writer writes a run's history.
type Writer struct {
	path    string
	points  []Point
	every   int64 // passes between points
	written int   // points that are in the file
	flushed time.Time
}

// flushEvery is how often the file is to be written, at most.
const flushEvery = time.Second

// Open begins the history of a new run, or goes on with that of one that is resumed. With an error
// there is a writer, too: what was there before is lost.
func Open(folder string, resumed bool) (*Writer, error) {
	h := &Writer{path: filepath.Join(folder, File), every: 1}
	if !resumed {
		return h, nil
	}
	points, err := Read(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	h.points = points
	for len(points) > 1 && !slices.ContainsFunc(points, func(p Point) bool { return p.Pass%(2*h.every) != 0 }) {
		h.every *= 2
	}
	return h, err
}

// Add adds a point unless there is one nearby. Points from later passes are of a run that was
// interrupted and makes these passes again.
func (h *Writer) Add(p Point) (added bool) {
	if n := len(h.points); n > 0 && h.points[n-1].Pass >= p.Pass {
		keep, _ := slices.BinarySearchFunc(h.points, p.Pass, func(p Point, pass int64) int { return int(min(1, max(-1, p.Pass-pass))) })
		h.points, h.written = h.points[:keep], 0
	}
	if p.Pass%h.every != 0 {
		return false
	}
	h.points = append(h.points, p)
	for len(h.points) > MostPoints {
		h.every *= 2
		h.points = slices.DeleteFunc(h.points, func(p Point) bool { return p.Pass%h.every != 0 })
		h.written = 0
	}
	return true
}

// Due reports whether it is time for a Flush.
func (h *Writer) Due() bool { return time.Since(h.flushed) >= flushEvery }

// Flush writes what the file has not.
func (h *Writer) Flush() error {
	h.flushed = time.Now()
	if h.written > 0 && h.written == len(h.points) {
		return nil
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	if h.written == 0 {
		w.Write(columns)
	}
	for i := range h.points[h.written:] {
		w.Write(h.points[h.written+i].record())
	}
	w.Flush()
	if err := w.Error(); err != nil { // of no buffer
		return err
	}
	if err := h.put(text.Bytes()); err != nil {
		h.written = 0 // nobody knows how much of it is there
		return err
	}
	h.written = len(h.points)
	return nil
}

// put writes the whole file or, once it is there, appends to it.
func (h *Writer) put(text []byte) (err error) {
	if h.written == 0 {
		if err := os.WriteFile(h.path+".new", text, 0o666); err != nil {
			return err
		}
		return os.Rename(h.path+".new", h.path)
	}
	f, err := os.OpenFile(h.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(text)
	return err
}
