package main

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// TestDosJoint takes an exact joint density through every command: its sum in a field is the exact density in
// this field, and so are averages; commands for energies alone sum it and say so.
func TestDosJoint(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	run := func(args ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, code := nwl(t, args...)
		if code != 0 {
			t.Fatalf("%v: %s", args, stderr)
		}
		return stdout, stderr
	}
	for _, name := range []string{"joint.csv", "joint.npz"} {
		run("dos", "exact", "--size", "3x3", "--set", "system.model=ising_field", "--set", "system.joint=magnetisation", "--out", path(name))
	}
	for _, field := range []string{"0", "0.25", "-1"} {
		run("dos", "exact", "--size", "3x3", "--set", "system.model=ising_field", "--set", "system.field="+field, "--out", path("in.csv"))
		run("dos", "project", path("joint.csv"), "--field", field, "--out", path("projected.csv"))
		run("dos", "project", path("joint.npz"), "--field", field, "--out", path("projected.npz"))
		want, err := dos.ReadFile(path("in.csv"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"projected.csv", "projected.npz"} {
			d, err := dos.ReadFile(path(name))
			if err != nil {
				t.Fatal(err)
			}
			if difference, err := dos.Compare(d, want); err != nil || difference.Max > 1e-12 || difference.Levels != want.Len() || len(difference.MissingB) > 0 {
				t.Errorf("field %s: %s: %+v, %v", field, name, difference, err)
			}
			if d.Origin.System.Name != want.Origin.System.Name {
				t.Errorf("field %s: of %s, want %s", field, d.Origin.System.Name, want.Origin.System.Name)
			}
		}
		single, _ := run("dos", "reweight", path("in.csv"), "--beta", "0.4", "--force")
		joint, _ := run("dos", "reweight", path("joint.csv"), "--beta", "0.4", "--field", field, "--force")
		values := func(text string, from int) []string {
			return strings.Split(strings.Split(text, "\n")[1], ",")[from:]
		}
		one, both := values(single, 2), values(joint, 3)
		for k := 0; k < len(one); k += 2 {
			a, fault := strconv.ParseFloat(one[k], 64)
			b, other := strconv.ParseFloat(both[k], 64)
			if fault != nil || other != nil || math.Abs(a-b) > 1e-12 {
				t.Errorf("field %s: column %d is %s, alone %s", field, k, both[k], one[k])
			}
		}
		if both[1] != "0" {
			t.Errorf("an error of %q of what is exact", both[1])
		}
	}
	for _, args := range [][]string{
		{"dos", "plot", path("joint.npz"), "--out", path("a.png")},
		{"dos", "plot", path("joint.csv"), "--beta", "0.4", "--field", "0.1", "--out", path("b.svg")},
	} {
		run(args...)
		if info, err := os.Stat(args[len(args)-1]); err != nil || info.Size() == 0 {
			t.Errorf("%v: %v", args, err)
		}
	}
	if stdout, stderr := run("dos", "diff", path("joint.csv"), path("joint.npz")); stderr != "" || !strings.Contains(stdout, "levels in common  22") {
		t.Errorf("it says %q, %q", stdout, stderr)
	}
	run("dos", "project", path("joint.csv"), "--out", path("sum.csv"))
	if stdout, stderr := run("dos", "diff", path("joint.csv"), path("sum.csv")); !strings.Contains(stderr, "summed over the magnetisation") || !strings.Contains(stdout, "rms difference    0\n") {
		t.Errorf("it says %q, %q", stdout, stderr)
	}
	// All states are in an exact density, so that there is nothing beyond its ends, at any beta.
	run("dos", "reweight", path("joint.csv"), "--beta", "-3,0.1,5", "--field", "-0.123,0.5")
	run("dos", "reweight", path("in.csv"), "--beta", "-3,0.1,5")
	// Nor is there beyond those of a small system, whoever sampled it; but levels that it lacks may matter.
	forget := func(name string, lines ...int) {
		t.Helper()
		metadata, err := os.ReadFile(path("joint.csv" + "-metadata.json"))
		if err != nil {
			t.Fatal(err)
		}
		metadata = bytes.ReplaceAll(metadata, []byte(`"exact"`), []byte(`"wang-landau"`))
		table, err := os.ReadFile(path("joint.csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows := strings.SplitAfter(string(table), "\n")
		for _, k := range lines {
			rows[k] = ""
		}
		if err := errors.Join(os.WriteFile(path(name+"-metadata.json"), metadata, 0o666), os.WriteFile(path(name), []byte(strings.Join(rows, "")), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	forget("run.csv")
	run("dos", "reweight", path("run.csv"), "--beta", "-3,0.1,5", "--field", "-0.123,0.5")
	forget("lacks.csv", 2, 3)
	if _, stderr, code := nwl(t, "dos", "reweight", path("lacks.csv"), "--beta", "3", "--field", "0.5"); code == 0 || !strings.Contains(stderr, "beta = 3 is not supported") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	for want, args := range map[string][]string{
		"not a joint density":      {"dos", "project", path("in.csv")},
		"are for a single joint":   {"dos", "plot", path("in.csv"), "--beta", "1", "--out", path("c.png")},
		"no second variable":       {"dos", "exact", "--size", "3x3", "--set", "system.model=ising_field", "--set", "system.joint=colour"},
		"is for the Potts model":   {"dos", "exact", "--size", "3x3", "--set", "system.model=ising_field", "--set", "system.joint=magnetisation", "--method", "kaufman"},
		"must end in .csv or .npz": {"dos", "project", path("joint.csv"), "--out", path("x.txt")},
	} {
		if _, stderr, code := nwl(t, args...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
}
