package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/report"
)

// TestReport prints what a run printed when it ended, and makes its page again.
func TestReport(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	want, stderr, code := nwl(t, append(tiny("run.moves=local", "report.figures=true"), "--out", folder)...)
	if code != 0 && code != exitUnconverged {
		t.Fatal(stderr)
	}
	page := filepath.Join(folder, report.PageFile)
	if err := os.Remove(page); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := nwl(t, "report", folder)
	if code != 0 || stdout != want || !strings.Contains(stdout, page) {
		t.Errorf("code %d, %s%s, it was %s", code, stdout, stderr, want)
	}
	if _, err := os.Stat(page); err != nil {
		t.Error(err)
	}
	stdout, _, _ = nwl(t, "report", folder, "--json")
	var s report.Summary
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || s.Levels.Seen == 0 {
		t.Errorf("%v in %s", err, stdout)
	}
	if _, stderr, code = nwl(t, "report", t.TempDir()); code != exitUsage || !strings.Contains(stderr, report.ConfigFile) {
		t.Errorf("code %d, %s", code, stderr)
	}
}
