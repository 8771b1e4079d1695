package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/config"
)

// TestInit writes a configuration by flags, and never over a file.
func TestInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.yaml")
	args := []string{"init", path, "--q", "8", "--size", "32x32", "--for", "transition", "--time", "1h", "--set", "run.seed=7"}
	stdout, stderr, code := nwl(t, args...)
	if code != 0 || !strings.Contains(stdout, "nwl run --config "+path) {
		t.Fatalf("code %d, %s%s", code, stdout, stderr)
	}
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.System.Q != 8 || c.Production.Histogram != config.PhaseHistogram || c.Run.Seed != 7 || c.Run.MaxTime.Hours() != 1 {
		t.Errorf("it holds %+v", c)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, stderr, code = nwl(t, "init", path)
	if after, _ := os.ReadFile(path); code != exitFailure || !strings.Contains(stderr, "is there already") || string(after) != string(before) {
		t.Errorf("code %d, %s", code, stderr)
	}
	other := filepath.Join(filepath.Dir(path), "other.yaml")
	_, stderr, code = nwl(t, "init", other, "--size", "2x2")
	if _, err := os.Stat(other); code != exitUsage || !strings.Contains(stderr, "system.size") || err == nil {
		t.Errorf("code %d, %s, %v", code, stderr, err)
	}
}
