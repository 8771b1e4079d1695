package report_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
)

// TestManyWalkersFewTrips makes runs of many walkers, most of which never cross the energies:
// together they make round trips enough, and only their length in autocorrelation times
// tells that they have not forgotten where production began. The third is wrong by 3.6
// errors at the ground state, and its halves differ.
func TestManyWalkersFewTrips(t *testing.T) {
	for _, seed := range []string{"1", "2", "3"} {
		s := runtest.Perform(t, filepath.Join(t.TempDir(), "run"), "run.moves=local", "run.method=wang-landau", "run.seed="+seed,
			"system.q=2", "system.size=8x8", "run.walkers=1024", "local.sweeps=4", "wang_landau.final_ln_f=1e-3", "production.passes=12")
		check := func(name string) report.Check {
			k := slices.IndexFunc(s.Verdict.Checks, func(c report.Check) bool { return c.Name == name })
			if k < 0 {
				t.Fatalf("seed %s: no check %q", seed, name)
			}
			return s.Verdict.Checks[k]
		}
		for _, name := range []string{"levels", "production", "flatness", "round trips"} {
			if c := check(name); !c.Passed {
				t.Errorf("seed %s: %+v: the test shows nothing", seed, c)
			}
		}
		if c := check("autocorrelation"); c.Passed || !strings.Contains(c.Advice, "production.passes=") {
			t.Errorf("seed %s: %+v", seed, c)
		}
		if drifts := seed == "3"; check("halves").Passed == drifts || s.Halves == nil || s.Halves.Passes != 12 {
			t.Errorf("seed %s: %+v, %+v", seed, check("halves"), s.Halves)
		}
	}
}
