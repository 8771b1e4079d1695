package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMetricsOfTwoRuns starts two runs with the default address: each has its own, says which
// it is, and serves its own identity there.
func TestMetricsOfTwoRuns(t *testing.T) {
	url := regexp.MustCompile(`msg="metrics are served" url=(\S+)`)
	seen := map[string]bool{}
	for _, seed := range []string{"11", "12"} {
		out := filepath.Join(t.TempDir(), "run.with.dots")
		c := exec.Command(binary, append(tiny("wang_landau.final_ln_f=1e-12", "run.moves=local", "run.seed="+seed, "metrics.listen=127.0.0.1:9464"), "--out", out)...)
		log, _ := underWay(t, c)
		match := url.FindStringSubmatch(log.String())
		if match == nil {
			t.Fatalf("no address in the log:\n%s", log)
		}
		if seen[match[1]] {
			t.Errorf("two runs at %s", match[1])
		}
		seen[match[1]] = true
		body := get(t, match[1])
		if !strings.Contains(body, `run="`+out+`"`) || !strings.Contains(body, `seed="`+seed+`"`) || strings.Count(body, "nwl_run_info{") != 1 {
			t.Errorf("%s does not serve the run in %s:\n%.2000s", match[1], out, body)
		}
	}
}
