package curve_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"neuralwl/internal/curve"
	"neuralwl/internal/event"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// settings of runs that end by moves: in production, after an adaptation that was cut short, with
// a network.
var settings = map[string][]string{
	"local":   {"run.moves=local", "run.max_moves=2e6", "production.passes=0"},
	"cut":     {"run.moves=local", "wang_landau.final_ln_f=1e-12", "run.max_moves=1e6", "production.passes=0"},
	"network": {"run.max_moves=6e5", "production.passes=0", "run.walkers=32"},
	"few":     {"run.moves=local", "run.max_moves=1", "production.passes=0", "run.walkers=32"},
	"van":     {"run.method=van-wang-landau", "run.max_moves=2e5", "production.passes=0", "system.size=3x3"},
}

// repeats is what of a curve does not depend on the machine.
func repeats(t *testing.T, folder string) *curve.Curve {
	t.Helper()
	c, err := curve.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Points {
		p := &c.Points[i]
		p.Seconds, p.CPU, p.Train, p.Own, p.OwnCPU = 0, 0, 0, 0, 0
	}
	return c
}

func text(t *testing.T, folder, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestCurve makes runs with and without a curve, and one that is interrupted again and again: the
// results and the curves are the same, and the last point is the result.
func TestCurve(t *testing.T) {
	for name, settings := range settings {
		if long.Or(false, name == "van" || name == "local") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bare, whole, parts := t.TempDir(), t.TempDir(), t.TempDir()
			if _, err := runtest.Run(t.Context(), t, run.Options{Folder: bare}, settings...); err != nil {
				t.Fatal(err)
			}
			if _, err := runtest.Run(t.Context(), t, run.Options{Folder: whole, Listener: curve.New(slog.Default()).Listener()}, settings...); err != nil {
				t.Fatal(err)
			}
			if text(t, bare, report.DensityFile) != text(t, whole, report.DensityFile) {
				t.Error("the curve changes the result")
			}
			c := repeats(t, whole)
			last := c.Points[len(c.Points)-1]
			for i, p := range c.Points[1:] {
				if p.Updates <= c.Points[i].Updates {
					t.Errorf("%d site updates follow %d", p.Updates, c.Points[i].Updates)
				}
			}
			if limit := runtest.Load(t, settings...).Run.MaxMoves; name != "few" && (last.Updates < int64(limit) || last.Updates > int64(limit)*11/10) {
				t.Errorf("%d site updates, %d were wanted", last.Updates, limit)
			}
			if n := len(c.Points); name != "few" && (n < 10 || n > 50) {
				t.Errorf("%d points", n)
			}
			result, err := dos.ReadFile(filepath.Join(whole, report.DensityFile))
			if err != nil {
				t.Fatal(err)
			}
			if d, err := dos.Compare(c.Density(len(c.Points)-1), result); err != nil || d.RMS > 1e-9 || len(d.MissingA)+len(d.MissingB) > 0 {
				t.Errorf("the last point is not the result: %+v, %v", d, err)
			}

			for part := 0; ; part++ {
				ctx, cancel := context.WithCancelCause(t.Context())
				passes := 0
				stop := event.Listener{Pass: func(event.Pass) {
					if passes++; passes == 20<<part {
						cancel(errors.New("enough"))
					}
				}}
				s, err := runtest.Run(ctx, t, run.Options{Folder: parts, Listener: event.Tee(curve.New(slog.Default()).Listener(), stop)}, settings...)
				cancel(nil)
				if err != nil {
					t.Fatal(err)
				}
				if s.Interrupted == "" {
					if part < 2 && name != "few" {
						t.Errorf("only %d parts", part)
					}
					break
				}
			}
			if text(t, bare, report.DensityFile) != text(t, parts, report.DensityFile) {
				t.Error("in parts the result is another")
			}
			p := repeats(t, parts)
			if len(p.Points) != len(c.Points) {
				t.Fatalf("%d points in parts, %d in one go", len(p.Points), len(c.Points))
			}
			for i := range p.Points {
				a, b := p.Points[i], c.Points[i]
				if a.Updates != b.Updates || a.Phase != b.Phase || a.RoundTrips != b.RoundTrips || !reflect.DeepEqual(a.Visits, b.Visits) ||
					!reflect.DeepEqual(p.Density(i), c.Density(i)) {
					t.Errorf("point %d is %d updates of %s in parts, %d of %s in one go, or another estimate", i, a.Updates, a.Phase, b.Updates, b.Phase)
				}
			}
		})
	}
}

// TestResumedAtEnd resumes a run at the last pass of a phase, whose end is the first thing that the
// new process hears of: processor time goes on from that of the process before.
func TestResumedAtEnd(t *testing.T) {
	system, err := lattice.NewPotts(2, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	sight := func(passes int64) event.Sight {
		return event.Sight{Passes: passes, Updates: 1000 * passes, Elapsed: time.Duration(passes) * time.Second, Estimate: func() (*dos.Density, error) { return nil, errors.New("none") }}
	}
	progress := sampler.Progress{Phase: sampler.Production}
	before := curve.New(slog.Default()).Listener()
	before.RunBegan(event.RunBegan{Folder: folder, Lattice: system})
	for n := range int64(5) {
		before.Pass(event.Pass{Progress: progress, Sight: sight(n + 1)})
	}
	after := curve.New(slog.Default()).Listener()
	after.RunBegan(event.RunBegan{Folder: folder, Lattice: system, Resumed: true})
	after.PhaseEnded(event.PhaseEnded{Progress: progress, Sight: sight(5)})
	c, err := curve.Read(folder)
	if err != nil || len(c.Points) != 5 {
		t.Fatalf("%d points, %v", len(c.Points), err)
	}
	for i, p := range c.Points[1:] {
		if p.Passes != int64(i+2) || p.CPU < c.Points[i].CPU {
			t.Errorf("pass %d at %g s of processor time, the one before at %g s", p.Passes, p.CPU, c.Points[i].CPU)
		}
	}
}

// TestTorn reads a curve whose last point was not written to its end.
func TestTorn(t *testing.T) {
	folder := t.TempDir()
	if _, err := runtest.Run(t.Context(), t, run.Options{Folder: folder, Listener: curve.New(slog.Default()).Listener()}, settings["local"]...); err != nil {
		t.Fatal(err)
	}
	whole, err := curve.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	data := text(t, folder, curve.File)
	if err := os.WriteFile(filepath.Join(folder, curve.File), []byte(data[:len(data)-5]), 0o666); err != nil {
		t.Fatal(err)
	}
	torn, err := curve.Read(folder)
	if err != nil || len(torn.Points) != len(whole.Points)-1 {
		t.Errorf("%d points of %d, %v", len(torn.Points), len(whole.Points), err)
	}
}
