package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"neuralwl/sampler/dos"
)

// TestDosDiffOfRun compares the two files that a run writes.
func TestDosDiffOfRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	if _, stderr, code := nwl(t, append(tiny("run.moves=[local]"), "--out", out)...); code != 0 {
		t.Fatal(stderr)
	}
	stdout, stderr, code := nwl(t, "dos", "diff", filepath.Join(out, "dos.csv"), filepath.Join(out, "dos.npz"), "--json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var d dos.Difference
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err)
	}
	if d.Levels != 14 || d.Max != 0 || len(d.MissingA)+len(d.MissingB) > 0 {
		t.Errorf("dos.csv and dos.npz differ: %+v", d)
	}
}
