package main

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestDosReweight compares with averages at infinite temperature, at zero temperature
// and in between with derivatives of ln Z.
func TestDosReweight(t *testing.T) {
	file := "../../sampler/exact/testdata/potts_q3_4x4.csv"
	stdout, stderr, code := nwl(t, "dos", "reweight", file, "--beta", "0,100,1,0.999,1.001", "--sites", "1")
	if code != 0 {
		t.Fatal(stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("%v:\n%s", err, stdout)
	}
	if got := strings.Join(rows[0], ","); got != "beta,temperature,energy,energy_error,specific_heat,specific_heat_error,free_energy,free_energy_error,entropy,entropy_error" {
		t.Errorf("columns %s", got)
	}
	value := func(row, column int) float64 {
		x, err := strconv.ParseFloat(rows[row][column], 64)
		if err != nil {
			t.Error(err)
		}
		return x
	}
	check := func(what string, got, want, tolerance float64) {
		t.Helper()
		if !(math.Abs(got-want) <= tolerance) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	// 16 sites, 32 bonds.
	if rows[1][1] != "" || rows[1][6] != "" || rows[1][3] != "" {
		t.Errorf("infinite values at beta = 0: %q", rows[1])
	}
	check("U(0)", value(1, 2), -32./3, 1e-9)
	check("C(0)", value(1, 4), 0, 0)
	check("S(0)", value(1, 8), 16*math.Log(3), 1e-12)
	check("U(100)", value(2, 2), -32, 1e-9)
	check("S(100)", value(2, 8), math.Log(3), 1e-9)
	check("F(100)", value(2, 6), -32-math.Log(3)/100, 1e-9)
	lnZ := func(row int) float64 { return -value(row, 0) * value(row, 6) }
	check("U(1)", value(3, 2), -(lnZ(5)-lnZ(4))/0.002, 1e-4)
	check("C(1)", value(3, 4), -(value(5, 2)-value(4, 2))/0.002, 1e-4)
	check("S(1)", value(3, 8), value(3, 2)-value(3, 6), 1e-12)
}

// TestDosReweightSupport asks for temperatures that the data do not reach.
func TestDosReweightSupport(t *testing.T) {
	folder := t.TempDir()
	part := writeWindow(t, filepath.Join(folder, "part.csv"), reference(t, "potts_q10_4x16.csv"), -110, -10, 0)
	out := filepath.Join(folder, "out.csv")
	for _, c := range []struct {
		beta string
		want string
	}{{"1.3,5", "lowest energy, -110"}, {"0", "highest energy, -10"}} {
		_, stderr, code := nwl(t, "dos", "reweight", part, "--sites", "64", "--beta", c.beta, "--out", out)
		if code != exitFailure || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "part.csv") ||
			!strings.Contains(stderr, "support beta = 0.") || !strings.Contains(stderr, "--force") {
			t.Errorf("beta = %s: exit code %d: %s", c.beta, code, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failed command wrote a file")
	}
	if _, stderr, code := nwl(t, "dos", "reweight", part, "--sites", "64", "--beta", "5", "--force", "--out", out); code != 0 {
		t.Error(stderr)
	}
	if _, stderr, code := nwl(t, "dos", "reweight", part, "--sites", "64", "--beta-min", "1", "--beta-max", "1.125", "--steps", "5", "--out", out); code != 0 {
		t.Error(stderr)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(strings.TrimSpace(string(data)), "\n"); len(lines) != 6 || !strings.HasPrefix(lines[1], "1,1,") || !strings.HasPrefix(lines[5], "1.125,") {
		t.Errorf("wrote\n%s", data)
	}
}

// TestDosReweightSites refuses averages per site of an unknown number of sites.
func TestDosReweightSites(t *testing.T) {
	file := "../../sampler/exact/testdata/potts_q3_4x4.csv"
	if _, stderr, code := nwl(t, "dos", "reweight", file, "--beta", "1"); code != exitUsage || !strings.Contains(stderr, "--sites") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	whole, _, _ := nwl(t, "dos", "reweight", file, "--beta", "0", "--sites", "1")
	site, _, _ := nwl(t, "dos", "reweight", file, "--beta", "0", "--sites", "16")
	if !strings.Contains(whole, "\n0,,-10.66666") || !strings.Contains(site, "\n0,,-0.66666") {
		t.Errorf("%s%s", whole, site)
	}
	exact := filepath.Join(t.TempDir(), "exact.csv")
	if _, stderr, code := nwl(t, "dos", "exact", "--q", "3", "--size", "4x4", "--out", exact); code != 0 {
		t.Fatal(stderr)
	}
	if own, stderr, code := nwl(t, "dos", "reweight", exact, "--beta", "0"); code != 0 || !strings.Contains(own, "\n0,,-0.66666") {
		t.Errorf("exit code %d: %s%s", code, own, stderr)
	}
}

// TestDosOfRuns reweights and merges run directories: averages and errors are those of
// observables.csv, what depends on each other is refused, and the merged file has smaller
// errors.
func TestDosOfRuns(t *testing.T) {
	folder := t.TempDir()
	var runs []string
	for _, seed := range []string{"1", "2", "2"} {
		run := filepath.Join(folder, strconv.Itoa(len(runs)))
		if _, stderr, code := nwl(t, append(tiny("run.moves=local", "system.size=4x4", "run.walkers=64", "metrics.listen=", "run.seed="+seed), "--out", run)...); code != 0 && code != exitUnconverged {
			t.Fatal(stderr)
		}
		runs = append(runs, run)
	}
	table, err := os.ReadFile(filepath.Join(runs[0], "observables.csv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(table), "\n")
	row := lines[40]
	beta, _, _ := strings.Cut(row, ",")
	for _, path := range []string{runs[0], filepath.Join(runs[0], "dos.npz")} {
		got, stderr, code := nwl(t, "dos", "reweight", path, "--beta", beta)
		if code != 0 {
			t.Fatal(stderr)
		}
		got = strings.Split(got, "\n")[1]
		for k, field := range strings.Split(got, ",") {
			a, _ := strconv.ParseFloat(field, 64)
			b, _ := strconv.ParseFloat(strings.Split(row, ",")[k], 64)
			if !(math.Abs(a-b) <= 1e-5*math.Abs(b)) {
				t.Errorf("%s: %s, observables.csv has %s", path, got, row)
			}
		}
	}
	csv := filepath.Join(runs[0], "dos.csv")
	if _, stderr, code := nwl(t, "dos", "reweight", csv, "--beta", beta); code != 0 || !strings.Contains(stderr, "dos.npz") {
		t.Errorf("exit code %d: %s", code, stderr)
	}

	out := filepath.Join(folder, "merged.npz")
	stdout, stderr, code := nwl(t, "dos", "merge", runs[0], runs[1], "--out", out)
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"specific heat maximum", "Fisher zero", "chi2"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	errorAt := func(path string) float64 {
		t.Helper()
		got, stderr, code := nwl(t, "dos", "reweight", path, "--beta", "1")
		if code != 0 {
			t.Fatal(stderr)
		}
		x, err := strconv.ParseFloat(strings.Split(strings.Split(got, "\n")[1], ",")[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	if a, b, m := errorAt(runs[0]), errorAt(runs[1]), errorAt(out); !(m < min(a, b)) || m < min(a, b)/2 {
		t.Errorf("errors of the energy: %v and %v, merged %v", a, b, m)
	}
	for want, paths := range map[string][]string{
		"same numbers": {runs[0], runs[0]},
		"seed 1":       {csv, filepath.Join(runs[0], "dos_transitions.csv")},
		"seed 2":       {out, filepath.Join(runs[1], "dos_transitions.csv")},
		"adds nothing": {runs[0], runs[1], runs[2]},
	} {
		if _, stderr, code := nwl(t, append([]string{"dos", "merge", "--out", filepath.Join(folder, "no.npz")}, paths...)...); code != exitFailure || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d: %s", paths, code, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "no.npz")); err == nil {
		t.Error("a refused merge wrote a file")
	}
}
