package curve

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"neuralwl/internal/cpu"
	"neuralwl/internal/event"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// Recorder records one run.
type Recorder struct {
	log    *slog.Logger
	folder string
	curve  Curve
	levels []int // by energy of the curve
	began  bool

	resumed bool // and has not made a pass since
	written bool // the file has all points
	ended   int  // points that a phase's end added, at the end of the curve

	cpu    float64       // at the beginning of this process' part, less what the process took before it
	train  time.Duration // wall-clock time of training since the last point
	own    time.Duration // of all points
	ownCPU time.Duration
}

// New returns a recorder whose Listener has yet to be told of a run.
func New(log *slog.Logger) *Recorder { return &Recorder{log: log} }

// Listener returns what a run is to tell of itself.
func (r *Recorder) Listener() event.Listener {
	return event.Listener{
		RunBegan:     r.begin,
		GradientStep: func(s trainer.StepInfo) { r.train += s.Duration },
		Pass: func(e event.Pass) {
			if p := e.Progress.Phase; p != sampler.Starting && p != sampler.Tuning {
				r.pass(e.Progress, e.Sight)
			}
		},
		PhaseEnded: func(e event.PhaseEnded) {
			if r.began && r.resumed { // its checkpoint was that of the phase's last pass
				r.goOn(e.Sight)
			}
			if r.began && r.last().Updates < e.Sight.Updates {
				r.add(e.Progress, e.Sight)
				r.ended = 1
			}
		},
		RunEnded: func(e event.RunEnded) {
			// A phase that was interrupted goes on when the run is resumed.
			if r.began && !e.Complete() && r.ended > 0 {
				r.curve.Points = r.curve.Points[:len(r.curve.Points)-1]
				r.written = false
				r.write()
			}
		},
	}
}

func (r *Recorder) begin(e event.RunBegan) {
	r.folder, r.began, r.resumed = e.Folder, true, e.Resumed
	energies := lattice.Energies(e.Lattice)
	for b := range energies {
		if !e.Lattice.LevelsKnown() || e.Lattice.Possible(b) {
			r.levels = append(r.levels, b)
		}
	}
	slices.SortFunc(r.levels, func(a, b int) int {
		if energies[a] < energies[b] {
			return -1
		}
		return 1
	})
	for _, b := range r.levels {
		r.curve.Energy = append(r.curve.Energy, energies[b])
	}
	r.cpu = cpu.Time().Seconds()
	if !e.Resumed {
		r.cpu = 0 // loading the network belongs to the run
		return
	}
	c, err := Read(e.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		r.log.Warn("the curve of the run so far is lost; a new one begins", "reason", err)
		return
	}
	r.curve.Points = c.Points
}

// last is the last point, or nothing.
func (r *Recorder) last() Point {
	if n := len(r.curve.Points); n > 0 {
		return r.curve.Points[n-1]
	}
	return Point{}
}

// place is that of a number of updates in the series of points.
func place(updates int64) int {
	return int(math.Floor(PerDecade * math.Log10(float64(max(1, updates)))))
}

// pass adds a point if it is time. Points from later passes are of a run that was interrupted and
// makes these passes again.
func (r *Recorder) pass(p sampler.Progress, at event.Sight) {
	if !r.began {
		return
	}
	if r.resumed {
		r.goOn(at)
	}
	r.ended = 0
	if len(r.curve.Points) == 0 || place(at.Updates) > place(r.last().Updates) {
		r.add(p, at)
	}
}

// goOn continues a curve before the first pass of a process.
func (r *Recorder) goOn(at event.Sight) {
	r.resumed = false
	r.curve.Points = slices.DeleteFunc(r.curve.Points, func(p Point) bool { return p.Passes >= at.Passes })
	r.written = false // all anew, as the last line may not be complete
	l := r.last()
	r.own, r.ownCPU = seconds(l.Own), seconds(l.OwnCPU)
	// The processor time from the last point to the checkpoint is not on record: it is taken to be
	// the same share of the time as before.
	before := l.CPU
	if l.Seconds > 0 {
		before *= max(1, (at.Elapsed.Seconds()-l.Own)/l.Seconds)
	}
	r.cpu -= before + l.OwnCPU
}

func seconds(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// add adds a point and writes it.
func (r *Recorder) add(progress sampler.Progress, at event.Sight) {
	began, beganCPU := time.Now(), cpu.Time()
	l := r.last()
	p := Point{
		Updates: at.Updates, Passes: at.Passes, Phase: string(progress.Phase), RoundTrips: progress.RoundTrips,
		Seconds: (at.Elapsed - r.own).Seconds(), CPU: beganCPU.Seconds() - r.cpu - r.ownCPU.Seconds(),
		Train: l.Train, LnG: make([]float64, len(r.levels)), Visits: make([]int64, len(r.levels)),
	}
	if wall := p.Seconds - l.Seconds; wall > 0 {
		p.Train += r.train.Seconds() * min(1, (p.CPU-l.CPU)/wall)
	}
	r.train = 0
	for i := range p.LnG {
		p.LnG[i] = math.NaN()
	}
	if d, err := at.Estimate(); err != nil {
		r.log.Debug("a point of the curve has no estimate", "reason", err)
	} else {
		for i, e := range d.Energy {
			if k, ok := slices.BinarySearch(r.curve.Energy, e); ok {
				p.LnG[k] = d.LnG[i]
			}
		}
	}
	if at.View != nil {
		if v := at.View(); v.Visits != nil {
			all := v.Visits()
			for i, b := range r.levels {
				p.Visits[i] = all[b]
			}
		}
	}
	own, ownCPU := r.own, r.ownCPU
	p.Own, p.OwnCPU = (own + time.Since(began)).Seconds(), (ownCPU + cpu.Time() - beganCPU).Seconds()
	r.curve.Points = append(r.curve.Points, p)
	r.write()
	r.own, r.ownCPU = own+time.Since(began), ownCPU+cpu.Time()-beganCPU
}

// write adds the last point to the file, or makes the file.
func (r *Recorder) write() {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	points := r.curve.Points
	if r.written {
		points = points[len(points)-1:]
	} else {
		w.Write(r.curve.header())
	}
	for i := range points {
		for _, record := range points[i].records() {
			w.Write(record)
		}
	}
	w.Flush() // into memory
	err := r.put(text.Bytes())
	if r.written = err == nil; err != nil {
		r.log.Warn("the curve of the run is not written", "reason", err)
	}
}

func (r *Recorder) put(text []byte) (err error) {
	path := filepath.Join(r.folder, File)
	if !r.written {
		if err := os.WriteFile(path+".new", text, 0o666); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(text)
	return err
}
