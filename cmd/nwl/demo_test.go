package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/onnxtest"
)

// TestDemo makes the demonstration on a small lattice: it ends with the report's path, and the report
// shows the course of the run and its states.
func TestDemo(t *testing.T) {
	onnxtest.Open(t)
	out := filepath.Join(t.TempDir(), "run")
	stdout, stderr, code := nwl(t, "demo", "--out", out, "--set", "system.size=4x4", "--set", "run.max_time=4s", "--set", "metrics.listen=")
	if code != 0 && code != exitUnconverged {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	report := filepath.Join(out, "report.html")
	if lines := strings.Split(strings.TrimSpace(stdout), "\n"); !strings.HasPrefix(lines[len(lines)-1], "report ") || !strings.HasSuffix(lines[len(lines)-1], report) {
		t.Errorf("the last line is %q", lines[len(lines)-1])
	}
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Course of the run, Potts model, q = 10, 4 x 4", "production begins", "proposals accepted", "loss (nats)", "Configurations at the end"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the report has no %q", want)
		}
	}
	for _, name := range []string{"history.png", "history.svg", "states.png", "states.svg"} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, stderr, code := nwl(t, "demo", "--set", "system.sizes=4x4"); code != exitUsage || !strings.Contains(stderr, "system.sizes") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
