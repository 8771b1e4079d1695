package run

import (
	"fmt"
	"math"
	"strings"

	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// WindowSummary tells how well an energy window agrees with the one before it, over
// the energies that both have visited in production.
type WindowSummary struct {
	From   float64 `json:"from"` // lowest and highest energy in common
	To     float64 `json:"to"`
	Levels int     `json:"levels"` // in common
	// Mismatch is the rms of the difference of ln g that is left when one is shifted
	// onto the other, and InErrors the same in units of the combined error.
	Mismatch float64  `json:"mismatch_rms"`
	InErrors *float64 `json:"mismatch_in_errors"` // nil where errors are unknown
}

// stitch makes the estimate of ln g from the histograms of the windows that were reached.
func (j *job) stitch(s *sampler.Samples, energy []float64) (*dos.Ensemble, []WindowSummary, error) {
	var reached []dos.Window
	for _, w := range s.Windows {
		if !waits(j.engine, w.Window) {
			reached = append(reached, dos.Window{Low: w.Low, High: w.High, LnWeight: w.LnWeight, Blocks: w.Blocks})
		}
	}
	d, overlaps, err := dos.FromWindows(energy, reached, j.system.LnStates())
	if err != nil {
		return nil, nil, err
	}
	var summary []WindowSummary
	for _, o := range overlaps {
		w := WindowSummary{From: o.From, To: o.To, Levels: o.Levels, Mismatch: o.Difference}
		if !math.IsNaN(o.RMS) {
			w.InErrors = &o.RMS
		}
		summary = append(summary, w)
	}
	return d, summary, nil
}

func waits(e *sampler.Engine, window lattice.Window) bool {
	for _, w := range e.Waiting() {
		if w == window {
			return true
		}
	}
	return false
}

// waiting says which windows no walker has come into, empty for none.
func (j *job) waiting() string {
	var names []string
	for _, w := range j.engine.Waiting() {
		names = append(names, fmt.Sprintf("E = %v..%v", j.system.Energy(w.High), j.system.Energy(w.Low)))
	}
	return strings.Join(names, ", ")
}

// warnOfWaiting says that windows were not reached and what to do.
func (j *job) warnOfWaiting() {
	if waiting := j.waiting(); waiting != "" {
		j.log.Warn("no walker has come into some energy windows: the walkers next to them do not find their energies; "+
			"take fewer windows (windows.count) or a larger overlap (windows.overlap), or give the run more time", "windows", waiting)
	}
}

// worstMismatch is the largest mismatch between windows, in units of errors.
func worstMismatch(windows []WindowSummary) float64 {
	worst := 0.0
	for _, w := range windows {
		if w.InErrors != nil {
			worst = max(worst, *w.InErrors)
		}
	}
	return worst
}
