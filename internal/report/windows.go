package report

import (
	"fmt"
	"math"
	"strings"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// WindowSummary is how well an energy window agrees with the one before it over the
// energies that both have visited in production.
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
func (r *Result) stitch() (*dos.Ensemble, []WindowSummary, error) {
	d, overlaps, err := r.Samples.Density()
	if err != nil {
		return nil, nil, err
	}
	var summary []WindowSummary
	for _, o := range overlaps {
		if t := lattice.JointOf(r.System); t != nil {
			o.From, o.To = t.Numbered(o.From).Energy, t.Numbered(o.To).Energy
		}
		w := WindowSummary{From: o.From, To: o.To, Levels: o.Levels, Mismatch: o.Difference}
		if !math.IsNaN(o.RMS) {
			w.InErrors = &o.RMS
		}
		summary = append(summary, w)
	}
	return d, summary, nil
}

// WindowNames lists energy windows by their energies, empty for none.
func WindowNames(system lattice.System, windows []lattice.Window) string {
	var names []string
	for _, w := range windows {
		names = append(names, fmt.Sprintf("E = %v..%v", system.Energy(w.High), system.Energy(w.Low)))
	}
	return strings.Join(names, ", ")
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
