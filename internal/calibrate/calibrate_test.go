package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
)

// TestPerform compares trials with runs by package run: ln g is the same to the last digit,
// and so is the evidence.
func TestPerform(t *testing.T) {
	exact := exacttest.Density(t, 3, 4, 4)
	for name, more := range map[string]string{
		"walkers": "run.method=wang-landau run.walkers=40", "few walkers": "run.method=wang-landau run.walkers=6", "windows": "run.method=wang-landau run.walkers=48 windows.count=2",
		"canonical": "run.method=canonical run.beta=0.9 run.walkers=40",
	} {
		t.Run(name, func(t *testing.T) {
			settings := append(strings.Fields(more), "system.q=3", "system.size=4x4", "run.moves=local", "run.workers=1", "production.passes=60", "wang_landau.final_ln_f=1e-3", "metrics.listen=")
			c, err := config.Load("", settings)
			if err != nil {
				t.Fatal(err)
			}
			folder := filepath.Join(t.TempDir(), "run")
			s, err := run.Run(context.Background(), run.Options{Config: c, Folder: folder, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			l, err := report.Load(folder)
			if err != nil {
				t.Fatal(err)
			}
			got, err := perform(context.Background(), c, exact, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.density.LnG, l.Density.LnG) {
				t.Errorf("ln g = %v, of the run %v", got.density.LnG, l.Density.LnG)
			}
			for i, e := range got.density.Error {
				if file := l.Density.Error[i]; math.Abs(e-file) > 1e-5*e || math.IsNaN(e) != math.IsNaN(file) {
					t.Errorf("level %d: error %v, of the run %v", i, e, file)
				}
			}
			for i, c := range s.Verdict.Checks {
				if mine := got.summary.Verdict.Checks[i]; mine.Name != c.Name || mine.Passed != c.Passed || mine.Detail != c.Detail {
					t.Errorf("%+v, of the run %+v", mine, c)
				}
			}
			measured := slices.DeleteFunc(slices.Clone(got.quantities), math.IsNaN) // the lowest levels are known beforehand
			if len(measured) < len(got.quantities)-2 || slices.ContainsFunc(measured, func(z float64) bool { return math.Abs(z) > 6 }) {
				t.Errorf("deviations %v", got.quantities)
			}
		})
	}
}

// TestTables counts what is wrong among the runs that the checks let through.
func TestTables(t *testing.T) {
	made := func(failed string, quantities ...float64) *trial {
		s := &report.Summary{}
		for _, name := range []string{"levels", "ground state", "halves"} {
			s.Verdict.Checks = append(s.Verdict.Checks, report.Check{Name: name, Passed: name != failed})
		}
		return &trial{kind: kind{system: "system.q=2", walkers: 16}, summary: s, quantities: quantities, levels: []float64{0, 4, math.NaN()}}
	}
	trials := []*trial{made("", 1, -3.5), made("", 0, math.NaN()), made("halves", 5, 0), made("ground state", 9, 9), made("levels", 4, 0)}
	var text bytes.Buffer
	printVerdicts(&text, trials)
	printKinds(&text, trials)
	for _, want := range []string{
		"| all | 5 | 80.00 % | 55.56 % | 60.00 % | 50.00 % | 50.00 % |",
		"| with levels | 4 |",
		"| with halves | 3 | 66.67 % |",
		"| with ground state | 2 | 50.00 % | 33.33 % | 0.00 % | 100.00 % | 50.00 % |",
		"| refused by halves alone | 1 | 100.00 % | 50.00 % |",
		"| q=2 | 5 | 2 | 33.33 % | 50.00 % |",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no line %q in\n%s", want, &text)
		}
	}
}

// TestKinds loads the settings of all kinds, no two of which are the same.
func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range slices.Concat(walkerKinds(), canonicalKinds()) {
		if _, err := config.Load("", k.settings(1)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
		name := fmt.Sprint(k, k.adaptation)
		if seen[name] {
			t.Errorf("%s: twice", name)
		}
		seen[name] = true
	}
	t.Logf("%d kinds", len(seen))
}
