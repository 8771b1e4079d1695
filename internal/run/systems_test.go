package run_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/dos"
)

// check finds a check of a verdict or of Verify by its name.
func check(t *testing.T, checks []report.Check, name string) report.Check {
	t.Helper()
	k := slices.IndexFunc(checks, func(c report.Check) bool { return c.Name == name })
	if k < 0 {
		t.Fatalf("no check %q in %+v", name, checks)
	}
	return checks[k]
}

// listFile writes a list of couplings, with what a function says of each site of a square lattice, and
// returns its path.
func listFile(t *testing.T, side int, of func(x, y int) string) string {
	text := "i,j,J\n"
	for y := range side {
		for x := range side {
			text += of(x, y)
		}
	}
	path := filepath.Join(t.TempDir(), "couplings.csv")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSystems performs a run of every system small enough to be enumerated: the result is
// within its errors of the exact one, the verdict and nwl verify agree with it, and
// observables are computed around the maximum of the specific heat.
func TestSystems(t *testing.T) {
	nextNearest := listFile(t, 4, func(x, y int) string {
		at := func(dx, dy int) int { return (y+dy+4)%4*4 + (x+dx+4)%4 }
		return fmt.Sprintf("%d,%d,1\n%d,%d,1\n%d,%d,-0.3\n%d,%d,-0.3\n", at(0, 0), at(1, 0), at(0, 0), at(0, 1), at(0, 0), at(1, 1), at(0, 0), at(1, -1))
	})
	alloy := listFile(t, 3, func(x, y int) string {
		return fmt.Sprintf("%d,%d,1\n%d,%d,1\n", y*3+x, y*3+(x+1)%3, y*3+x, (y+1)%3*3+x)
	})
	randomField := listFile(t, 4, func(x, y int) string {
		i := y*4 + x
		return fmt.Sprintf("%d,%d,1\n%d,%d,1\n%d,,%g\n", i, y*4+(x+1)%4, i, (y+1)%4*4+x, i, math.Sin(float64(7*i)))
	})
	for name, c := range map[string]struct {
		q           string
		sites       float64
		settings    string
		known       bool    // ground states
		groundLevel float64 // their energy, if known
	}{
		"potts3d":              {"2", 27, "system.model=potts3d system.size=3x3x3 local.move=metropolis", true, -81},
		"blume_capel":          {"3", 12, "system.model=blume_capel system.crystal_field=1.75 system.size=3x4", true, -3},
		"ising_field":          {"2", 16, "system.model=ising_field system.field=0.5 system.size=4x4 local.order=random", true, -40},
		"random_bond":          {"2", 16, "system.model=random_bond system.size=4x4 system.disorder_seed=3", false, 0},
		"random_bond, none":    {"2", 16, "system.model=random_bond system.antiferromagnetic=0 system.size=4x4", true, -32},
		"baxter_wu":            {"2", 18, "system.model=baxter_wu system.size=6x3 production.passes=1200", true, -36},
		"random_bond, network": {"2", 16, "system.model=random_bond system.size=4x4 system.disorder_seed=3 run.moves=[local,neural] model.architecture=made run.walkers=64", false, 0},
		"next-nearest":         {"2", 16, "system.model=file system.size=4x4 system.file=" + nextNearest, false, 0},
		"alloy":                {"3", 9, "system.model=file system.size=3x3 system.interaction=table system.energies=[[-1,0.25,0],[0.25,-0.5,-0.75],[0,-0.75,0.5]] system.file=" + alloy, false, 0},
		"random field":         {"2", 16, "system.model=file system.size=4x4 system.bin=0.4 production.passes=2000 system.file=" + randomField, false, 0},
		"bins":                 {"3", 12, "system.model=blume_capel system.crystal_field=1.9655 system.bin=0.5 system.size=3x4", false, 0},
		"clock":                {"4", 9, "system.model=clock system.size=3x3", true, -18},
		"clock in bins":        {"5", 9, "system.model=clock system.size=3x3 production.passes=2000", false, 0},
		"ising, random orders": {"2", 16, "system.model=ising system.size=4x4 run.moves=local local.order=random", true, -32},
	} {
		t.Run(name, func(t *testing.T) {
			if c.sites > 20 {
				long.Only(t, "seconds of enumeration")
			}
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "run")
			s := runtest.Perform(t, folder, append(strings.Fields(c.settings), "system.q="+c.q)...)
			if !s.Verdict.Converged || s.Exact == nil || s.Exact.RMS > 0.1 || len(s.Exact.MissingA)+len(s.Exact.MissingB) > 0 {
				t.Errorf("verdict %+v, exact %+v", s.Verdict, s.Exact)
			}
			if s.Estimators == nil || s.Estimators.Exact.RMS > 0.1 {
				t.Errorf("estimate from transitions: %+v", s.Estimators)
			}
			// Where the system does not know its ground states, the exact density of states does.
			if s.GroundState == nil || s.Verdict.Remark != "" {
				t.Errorf("ground state %+v, remark %q", s.GroundState, s.Verdict.Remark)
			}
			if detail := check(t, s.Verdict.Checks, "ground state").Detail; !strings.Contains(detail, "standard errors") {
				t.Errorf("ground state: %s", detail)
			}
			d, err := dos.ReadFile(filepath.Join(folder, report.DensityFile))
			if err != nil {
				t.Fatal(err)
			}
			if c.known && d.Energy[0] != c.groundLevel {
				t.Errorf("the ground states have the energy %v, want %v", d.Energy[0], c.groundLevel)
			}
			// The maximum of the specific heat is inside the range of the observables.
			l, err := report.Load(folder)
			if err != nil {
				t.Fatal(err)
			}
			heat, energy := l.Observables.Column("specific_heat"), l.Observables.Column("energy")
			system, err := l.Config.System.New()
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range l.Observables.Columns {
				if values := l.Observables.Column(name); !slices.ContainsFunc(values, func(x float64) bool { return !math.IsNaN(x) }) {
					t.Errorf("column %s is empty", name)
				}
			}
			if (l.Observables.Column("order_parameter") != nil) != system.ColoursOrder() || l.Observables.Column("entropy") == nil {
				t.Errorf("columns %v", l.Observables.Columns)
			}
			k := slices.Index(heat, slices.Max(heat))
			if k == 0 || k == len(heat)-1 || s.Transition.HeatMaximum == nil {
				t.Errorf("specific heat largest at point %d of %d, transition %+v", k, len(heat), s.Transition)
			}
			for i, beta := range l.Observables.Column("beta") {
				if at := d.At(beta); math.Abs(at.Energy-c.sites*energy[i]) > 1e-9 {
					t.Errorf("beta = %v: energy %v per site, %v in all", beta, energy[i], at.Energy)
				}
			}
			if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
				t.Errorf("verify: %+v", failed)
			}
		})
	}
}

// TestUnknownSystem performs a run too large to be enumerated of a system of which little
// is known: what is not known is no evidence, and says so.
func TestUnknownSystem(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	s := runtest.Perform(t, folder, "system.model=random_bond", "system.q=2", "system.size=9x9", "wang_landau.final_ln_f=1e-5")
	if s.Exact != nil || s.Levels.Known != 0 || s.GroundState != nil || s.Transition.Infinite != 0 || s.Transition.Coexistence != nil {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"levels", "ground state"} {
		if c := check(t, s.Verdict.Checks, name); !c.Passed || !strings.Contains(c.Detail, "no evidence") {
			t.Errorf("%+v", c)
		}
	}
	if c := check(t, s.Verdict.Checks, "round trips"); !c.Passed {
		t.Errorf("%+v", c)
	}
}
