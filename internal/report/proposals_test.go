package report_test

import (
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/runtest"
)

// TestProposals sums up what proposals did, and says so where they moved nothing.
func TestProposals(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings []string
		pays     bool
	}{
		{"whole configurations", []string{"model.architecture=microcanonical", "model.width=8", "model.window=3", "wang_landau.final_ln_f=2e-3", "production.passes=100"}, true},
		{"few sites", []string{"neural.partial=1", "system.size=9x9", "wang_landau.final_ln_f=0.5", "production.passes=40", "trainer.every=0"}, false},
	} {
		s := runtest.Perform(t, filepath.Join(t.TempDir(), "run"), append([]string{"run.moves=[local, neural]"}, c.settings...)...)
		p := s.Proposals
		if p == nil || p.Acceptance <= 0 || p.Acceptance > 1 || p.Changed <= 0 || p.Changed > 1 || p.Time <= 0 || p.Time >= 1 {
			t.Fatalf("%s: %+v", c.name, p)
		}
		if pays := p.Remark == ""; pays != c.pays || pays != (p.ChangedMedian >= 0.05) || !pays && !strings.Contains(p.Remark, "run.method=wang-landau") {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
	if s := runtest.Perform(t, filepath.Join(t.TempDir(), "run"), "run.moves=local", "production.passes=20"); s.Proposals != nil {
		t.Errorf("proposals of local moves: %+v", s.Proposals)
	}
}
