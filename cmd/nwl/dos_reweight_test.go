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
	stdout, stderr, code := nwl(t, "dos", "reweight", file, "--beta", "0,100,1,0.999,1.001")
	if code != 0 {
		t.Fatal(stderr)
	}
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 6 {
		t.Fatalf("%v:\n%s", err, stdout)
	}
	if got := strings.Join(rows[0], ","); got != "beta,temperature,energy,specific_heat,free_energy,entropy" {
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
	if rows[1][1] != "" || rows[1][4] != "" {
		t.Errorf("infinite values at beta = 0: %q", rows[1])
	}
	check("U(0)", value(1, 2), -32./3, 1e-9)
	check("C(0)", value(1, 3), 0, 0)
	check("S(0)", value(1, 5), 16*math.Log(3), 1e-12)
	check("U(100)", value(2, 2), -32, 1e-9)
	check("S(100)", value(2, 5), math.Log(3), 1e-9)
	check("F(100)", value(2, 4), -32-math.Log(3)/100, 1e-9)
	lnZ := func(row int) float64 { return -value(row, 0) * value(row, 4) }
	check("U(1)", value(3, 2), -(lnZ(5)-lnZ(4))/0.002, 1e-4)
	check("C(1)", value(3, 3), -(value(5, 2)-value(4, 2))/0.002, 1e-4)
	check("S(1)", value(3, 5), value(3, 2)-value(3, 4), 1e-12)
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
		_, stderr, code := nwl(t, "dos", "reweight", part, "--beta", c.beta, "--out", out)
		if code != exitFailure || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, "part.csv") ||
			!strings.Contains(stderr, "support beta = 0.") || !strings.Contains(stderr, "--force") {
			t.Errorf("beta = %s: exit code %d: %s", c.beta, code, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failed command wrote a file")
	}
	if _, stderr, code := nwl(t, "dos", "reweight", part, "--beta", "5", "--force", "--out", out); code != 0 {
		t.Error(stderr)
	}
	if _, stderr, code := nwl(t, "dos", "reweight", part, "--beta-min", "1", "--beta-max", "1.125", "--steps", "5", "--out", out); code != 0 {
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
