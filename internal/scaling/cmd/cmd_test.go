package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/internal/scaling"
	"neuralwl/sampler/dos"
)

// summary returns that of a run whose quantities are at their limits plus the leading
// corrections.
func summary(l float64) *report.Summary {
	t, heat := scaling.TransitionTemperature(colours), scaling.LatentHeat(colours)
	beta := dos.NewEstimate(1/(t+scaling.Shift(colours)/(l*l)), 1e-5)
	height := dos.NewEstimate(math.Pow(heat*l*beta.Value/2, 2), 1e-3)
	return &report.Summary{
		System:  dos.System{Model: config.Potts, Q: colours, Size: []int{int(l), int(l)}},
		Verdict: report.Verdict{Converged: true},
		Phases:  []report.PhaseSummary{{Name: "production", RoundTrips: 100}},
		Transition: &report.TransitionSummary{
			HeatMaximum: &beta, Height: &height,
			Coexistence: &report.CoexistenceSummary{
				EqualHeight: beta, EqualWeight: beta,
				StateWeight:         dos.NewEstimate(beta.Value+math.Log(colours)/(l*l*heat), 1e-5),
				LatentHeat:          dos.NewEstimate(heat+5/(l*l), 1e-3),
				LatentHeatByWeights: dos.NewEstimate(heat, 1e-3),
				InterfaceTension:    dos.NewEstimate(scaling.InterfaceTension, 1e-3),
			},
		},
	}
}

func save(t *testing.T, folder, name string, s *report.Summary) string {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExtrapolate(t *testing.T) {
	folder := t.TempDir()
	var paths []string
	for _, l := range []float64{24, 8, 16} {
		paths = append(paths, save(t, folder, fmt.Sprint(l), summary(l)))
	}
	runs, err := readRuns(paths)
	if err != nil {
		t.Fatal(err)
	}
	quantities, err := analyse(runs)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{heatMaximum, equalHeight, equalWeight, peakDistance, heatHeight, weights} {
		q := quantities[k]
		if value, _ := q.fits[0].Limit(); math.Abs(value-q.exact) > 1e-9 {
			t.Errorf("%s, %s: limit %v, want %v", q.symbol, q.name, value, q.exact)
		}
	}
	figure := filepath.Join(folder, "figure.svg")
	if err := extrapolate(paths, figure); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(figure); err != nil || !strings.Contains(string(text), "fits to L = 8, 16, 24<") {
		t.Errorf("no figure that says what was fitted: %v", err)
	}
}

func TestUnusableRuns(t *testing.T) {
	folder := t.TempDir()
	for want, spoil := range map[string]func(*report.Summary){
		"go on with nwl run --resume":    func(s *report.Summary) { s.Interrupted = "run.max_time" },
		"has not converged":              func(s *report.Summary) { s.Verdict.Converged = false },
		"not the Potts model of 10":      func(s *report.Summary) { s.System.Q = 3 },
		"on a square":                    func(s *report.Summary) { s.System.Size[1] = 16 },
		"no first-order transition":      func(s *report.Summary) { s.Transition.Coexistence = nil },
		"equal height, L = 8: the error": func(s *report.Summary) { s.Transition.Coexistence.EqualHeight.Error = nil },
		"more sizes are needed":          func(*report.Summary) {},
	} {
		s := summary(8)
		spoil(s)
		err := extrapolate([]string{save(t, folder, "summary.json", s)}, filepath.Join(folder, "figure.png"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if err := extrapolate(nil, filepath.Join(folder, "figure.png")); err == nil {
		t.Error("no error without runs")
	}
}
