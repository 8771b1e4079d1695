package report_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
)

// TestPage says in one file that stands alone what a run found, what each check shows, and, of a run
// that has not converged, what to do.
func TestPage(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		want     []string
	}{
		"converged": {[]string{"run.moves=local"}, []string{"<strong>Converged.</strong>", "ground state", "run.moves=[local]", "independent traversals"}},
		"not": {[]string{"run.moves=local", "production.passes=1", "run.walkers=16", "wang_landau.final_ln_f=1e-3"},
			[]string{"<strong>Not converged.</strong>", "(NOT CONVERGED)", "These checks fail: ", "longer production"}},
	} {
		folder := filepath.Join(t.TempDir(), name)
		s := runtest.Perform(t, folder, runtest.With(c.settings, runtest.Drawn)...)
		page := string(runtest.Read(t, folder, report.PageFile))
		want := c.want
		for _, check := range s.Verdict.Checks {
			want = append(want, `<th scope="row">`+check.Name+`</th>`)
		}
		for _, text := range append(want, "nwl run --config", "<svg role=\"img\"", "beta(E) = d ln g/dE", "Configurations at the end") {
			if !strings.Contains(page, text) {
				t.Errorf("%s: the page has no %q", name, text)
			}
		}
		if outside := regexp.MustCompile(`(?:src|href|url\()=?"?(?:https?:)?//[^"]*`).FindString(page); outside != "" {
			t.Errorf("%s: the page asks for %s", name, outside)
		}
	}
}
