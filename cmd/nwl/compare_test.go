package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/long"
)

// TestCompare compares by the command line: a comparison, its report with another reference, more
// seeds, and the difference of one with itself.
func TestCompare(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"compare"}, "quick"},
		{[]string{"compare", "nonsense"}, "architectures"},
		{[]string{"compare", "quick", "--jobs", "0"}, "--jobs 0"},
		{[]string{"compare", "quick", "--reference", "mars=exact"}, "SYSTEM=FILE"},
		{[]string{"compare", "--resume"}, "--out"},
		{[]string{"compare", "show", "nonsense"}, "quick"},
	} {
		if stdout, stderr, code := nwl(t, c.args...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: code %d, %s%s", c.args, code, stdout, stderr)
		}
	}
	if stdout, _, code := nwl(t, "compare", "show", "quick"); code != 0 || !strings.Contains(stdout, "first_seed: 1") {
		t.Errorf("show: code %d, %s", code, stdout)
	}

	folder := t.TempDir()
	spec, out := filepath.Join(folder, "spec.yaml"), filepath.Join(folder, "out")
	text := "name: tiny\nseeds: 1\nset: {run.walkers: 32, run.moves: local, report.figures: false}\nsystems: [{name: s, set: {system.q: 3, system.size: 3x3}, moves: 1e5}]\n" +
		"samplers: [{name: heat bath}, {name: metropolis, set: {local.move: metropolis}}]\n"
	if err := os.WriteFile(spec, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := nwl(t, "compare", spec, "--out", out)
	if code != 0 || !strings.Contains(stdout, "Whether metropolis or heat bath is faster") || !strings.Contains(stdout, filepath.Join(out, "report.html")) || !strings.Contains(stderr, "2 of 2") {
		t.Fatalf("code %d\n%s%s", code, stdout, stderr)
	}
	if _, stderr, code := nwl(t, "compare", spec, "--out", out); code != exitFailure || !strings.Contains(stderr, "--resume") {
		t.Errorf("once more: code %d, %s", code, stderr)
	}
	if stdout, stderr, code := nwl(t, "compare", "--resume", "--out", out, "--seeds", "2"); code != 0 || !strings.Contains(stdout, "not decided by 2 seeds") {
		t.Errorf("another seed: code %d, %s%s", code, stdout, stderr)
	}
	reference := filepath.Join(out, "cells", "s", "heat-bath", "budget-1", "seed-1", "run", "dos.csv")
	if _, stderr, code := nwl(t, "compare", "report", out, "--reference", "s="+reference); code != 0 {
		t.Errorf("another reference: code %d, %s", code, stderr)
	}
	if cells, err := os.ReadFile(filepath.Join(out, "tables", "cells.csv")); err != nil || !strings.Contains(string(cells), "s,heat bath,1,1,,") || !strings.Contains(string(cells), ",0,0,0,") {
		t.Errorf("the first cell has errors against itself: %v\n%s", err, cells)
	}
	if stdout, stderr, code := nwl(t, "compare", "diff", out, out); code != 0 || !strings.Contains(stdout, "no regression") || !strings.Contains(stdout, "of 2 samplers are the same") {
		t.Errorf("diff: code %d, %s%s", code, stdout, stderr)
	}
}

// TestCompareRegression judges a comparison whose cells have a twentieth of the moves: it is named a
// regression, the other way round an improvement, with an exit code of its own.
func TestCompareRegression(t *testing.T) {
	long.Only(t, "two comparisons of eight seeds")
	folder := t.TempDir()
	compare := func(name, moves string) string {
		spec, out := filepath.Join(folder, name+".yaml"), filepath.Join(folder, name)
		text := "name: tiny\nseeds: 8\ntargets: [0.3]\ntarget: 0.3\nset: {run.walkers: 32, run.moves: local, report.figures: false}\nsystems: [{name: s, set: {system.q: 3, system.size: 3x3}, moves: " + moves + "}]\n" +
			"samplers: [{name: heat bath}]\n"
		if err := os.WriteFile(spec, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, stderr, code := nwl(t, "compare", spec, "--out", out); code != 0 {
			t.Fatalf("code %d: %s", code, stderr)
		}
		return out
	}
	good, bad := compare("good", "1e6"), compare("bad", "5e4")
	stdout, stderr, code := nwl(t, "compare", "diff", good, bad)
	if code != exitUnconverged || !strings.Contains(stdout, "heat bath") || !strings.Contains(stdout, "REGRESSION: heat bath on s: error of ln g at the end, ") || !strings.Contains(stderr, "regressions: 1") {
		t.Errorf("worse: code %d, %s%s", code, stdout, stderr)
	}
	if stdout, stderr, _ := nwl(t, "compare", "diff", bad, good); !strings.Contains(stdout, "better: heat bath on s: error of ln g at the end, ") {
		t.Errorf("better: %s%s", stdout, stderr)
	}
}
