package run_test

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// TestJoint performs runs of systems of pairs, also in windows of the energy and with a network: every cell
// is there and within its errors of the exact one, and so is what follows in a field.
func TestJoint(t *testing.T) {
	for name, settings := range map[string]string{
		"ising":         "system.model=ising_field system.q=2 system.joint=magnetisation system.size=4x4",
		"windows":       "system.model=ising_field system.q=2 system.joint=magnetisation system.size=4x4 windows.count=2",
		"blume-capel":   "system.model=blume_capel system.joint=squares system.size=3x3",
		"potts":         "system.model=potts system.joint=colour system.q=3 system.size=3x3",
		"with networks": "system.model=ising_field system.q=2 system.joint=magnetisation system.size=3x3 run.moves=[local,neural] model.architecture=made run.walkers=64",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "run")
			s := runtest.Perform(t, folder, append(strings.Fields(settings), "production.passes="+strconv.Itoa(long.Or(4000, 1000)))...)
			if s.Exact == nil || len(s.Exact.MissingA)+len(s.Exact.MissingB) > 0 || s.Levels.Known != s.Exact.Levels || s.Levels.Seen != s.Exact.Levels {
				t.Fatalf("levels %+v, exact %+v", s.Levels, s.Exact)
			}
			if s.GroundState == nil || s.Estimators == nil || s.Estimators.Exact == nil || s.Estimators.Pinned == 0 {
				t.Errorf("ground state %+v, estimators %+v", s.GroundState, s.Estimators)
			}
			for _, c := range s.Verdict.Checks {
				if !c.Passed && (c.Name == "levels" || c.Name == "estimators" || c.Name == "round trips" || c.Name == "windows" || c.Name == "ground state") {
					t.Errorf("%s: %s", c.Name, c.Detail)
				}
			}
			j, err := report.LoadJoint(folder)
			if err != nil {
				t.Fatal(err)
			}
			c, err := config.Load("", strings.Fields(settings))
			if err != nil {
				t.Fatal(err)
			}
			system, err := c.System.New()
			if err != nil {
				t.Fatal(err)
			}
			spectrum, err := exact.Of(t.Context(), system, exact.Options{})
			if err != nil {
				t.Fatal(err)
			}
			truth, square, n := spectrum.Joint(), 0.0, 0.0
			for i := range truth.Energy {
				if j.Energy[i] != truth.Energy[i] || j.Second[i] != truth.Second[i] {
					t.Fatalf("pair %d is (%g, %g), want (%g, %g)", i, j.Energy[i], j.Second[i], truth.Energy[i], truth.Second[i])
				}
				if j.Cells.Error[i] == 0 {
					continue // known
				}
				z := (j.Cells.LnG[i] - truth.Cells.LnG[i]) / j.Cells.Error[i]
				square, n = square+z*z, n+1
				if !(math.Abs(z) < 6) {
					t.Errorf("ln g(%g, %g) = %g(%g), exactly %g", j.Energy[i], j.Second[i], j.Cells.LnG[i], j.Cells.Error[i], truth.Cells.LnG[i])
				}
			}
			if mean := square / n; !(mean < 4) {
				t.Errorf("mean square deviation %.2f errors squared", mean)
			}
			points := []dos.Point{{Beta: 0.3, Field: 0}, {Beta: 0.4, Field: 0.3}, {Beta: 0.8, Field: -0.4}}
			got, err := j.Canonical(points)
			if err != nil {
				t.Fatal(err)
			}
			want, err := truth.Canonical(points)
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range got {
				for _, x := range [][3]float64{
					{g.Energy, g.EnergyError, want[i].Energy}, {g.SpecificHeat, g.SpecificHeatError, want[i].SpecificHeat},
					{g.Second, g.SecondError, want[i].Second}, {g.Susceptibility, g.SusceptibilityError, want[i].Susceptibility},
				} {
					if !(math.Abs(x[0]-x[2]) < 6*x[1]+1e-9) {
						t.Errorf("%v: %g(%g), exactly %g", points[i], x[0], x[1], x[2])
					}
				}
			}
			if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
				t.Errorf("verify: %+v", failed)
			}
			if _, err := dos.ReadFile(filepath.Join(folder, report.DensityFile)); err == nil {
				t.Error("the table reads as one of the energy alone")
			}
			inField(t, j, c.System)
		})
	}
}

// inField compares the sum in a field with the system in this field, of the models that are there with one.
func inField(t *testing.T, j *dos.Joint, s config.System) {
	t.Helper()
	for _, x := range []float64{0.25, -1, 0.1} {
		var system lattice.System
		var err error
		switch {
		case s.Model == config.IsingField:
			system, err = lattice.NewIsingField(x, s.Size...)
		case s.Model == config.BlumeCapel:
			system, err = lattice.NewBlumeCapel(x, s.Size...)
		default:
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		spectrum, err := exact.Of(t.Context(), system, exact.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := report.InField(j, x)
		difference, err := dos.Compare(e.Density, spectrum.Density())
		if err != nil {
			t.Fatal(err)
		}
		if difference.RMS > 0.1 || len(difference.MissingA)+len(difference.MissingB) > 0 || e.Origin.System.Name != system.String() {
			t.Errorf("in a field of %g: %+v, %s, want %v", x, difference, e.Origin.System.Name, system)
		}
	}
}
