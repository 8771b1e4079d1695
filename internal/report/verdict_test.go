package report_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
)

// TestAdvice asks for too little: each check that fails says what to do, with a command that
// can be copied, and every plot carries the stamp.
func TestAdvice(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a run")
	s := runtest.Perform(t, folder, "run.moves=local", "production.passes=1", "run.walkers=16", "wang_landau.final_ln_f=1e-3", runtest.Drawn)
	if s.Verdict.Converged {
		t.Fatal("a single pass converges: the test shows nothing")
	}
	for _, c := range s.Verdict.Checks {
		if c.Passed != (c.Advice == "") {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{"ln_g.svg", "energy.svg"} {
		if !bytes.Contains(runtest.Read(t, folder, name), []byte("NOT CONVERGED")) {
			t.Errorf("%s has no stamp", name)
		}
	}
	k := slices.IndexFunc(s.Verdict.Checks, func(c report.Check) bool { return c.Name == "round trips" })
	advice := s.Verdict.Checks[k].Advice
	if !strings.Contains(advice, "production.passes") && !strings.Contains(advice, "fewer walkers") || strings.Contains(advice, " "+folder) {
		t.Errorf("advice: %s", advice)
	}
	good := runtest.Perform(t, filepath.Join(t.TempDir(), "good"), "run.moves=local", runtest.Drawn)
	for _, c := range good.Verdict.Checks {
		if c.Advice != "" {
			t.Errorf("advice of a run that converged: %+v", c)
		}
	}
	if bytes.Contains(runtest.Read(t, good.Folder, "ln_g.svg"), []byte("NOT CONVERGED")) {
		t.Error("a run that converged carries the stamp")
	}
}
