package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// writeWindow writes the part of d between two energies to a file, off by a constant
// and with errors.
func writeWindow(t *testing.T, path string, d *dos.Density, from, to, shift float64) string {
	t.Helper()
	w := &dos.Density{}
	for i, e := range d.Energy {
		if e >= from && e <= to {
			w.Energy = append(w.Energy, e)
			w.LnG = append(w.LnG, d.LnG[i]+shift+0.01*math.Sin(10*e+shift))
			w.Error = append(w.Error, 0.01)
		}
	}
	if err := w.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestDosMerge merges windows of an exact density of states, in both formats.
func TestDosMerge(t *testing.T) {
	folder := t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	whole := reference(t, "potts_q3_6x6.csv")
	high := writeWindow(t, path("high.csv"), whole, -30, 0, 3)
	low := writeWindow(t, path("low.npz"), whole, -72, -40, -8)
	middle := writeWindow(t, path("middle.csv"), whole, -50, -20, 0)
	again := writeWindow(t, path("again.csv"), whole, -50, -20, 1)
	out := path("out.npz")
	stdout, stderr, code := nwl(t, "dos", "merge", high, low, middle, again, "--out", out, "--q", "3", "--size", "6x6")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"rms/error", "31, E = -50..-20", "11, E = -50..-40", "11, E = -30..-20", "4 files merged to 69 levels, E = -72..0"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in:\n%s", want, stdout)
		}
	}
	d, err := dos.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	difference, err := dos.Compare(d, whole)
	if err != nil || difference.Max > 0.05 || len(difference.MissingA)+len(difference.MissingB) > 0 {
		t.Errorf("%+v, %v", difference, err)
	}
	if sum := dos.LogSumExp(d.LnG); math.Abs(sum-36*math.Log(3)) > 1e-9 {
		t.Errorf("normalised to exp(%v)", sum)
	}

	sum := func(flags ...string) float64 {
		t.Helper()
		if _, stderr, code := nwl(t, append([]string{"dos", "merge", middle, again, "--out", path("sum.csv")}, flags...)...); code != 0 {
			t.Fatal(stderr)
		}
		d, err := dos.ReadFile(path("sum.csv"))
		if err != nil {
			t.Fatal(err)
		}
		return dos.LogSumExp(d.LnG)
	}
	first, err := dos.ReadFile(middle)
	if err != nil {
		t.Fatal(err)
	}
	if got := sum("--lnstates", "12.5"); math.Abs(got-12.5) > 1e-12 {
		t.Errorf("--lnstates 12.5: exp(%v) states", got)
	}
	if got, want := sum(), dos.LogSumExp(first.LnG); math.Abs(got-want) > 1e-12 {
		t.Errorf("exp(%v) states, the first file has exp(%v)", got, want)
	}

	gap := writeWindow(t, path("gap.csv"), whole, -30, -10, 0)
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{low, gap}, []string{"gap.csv", "no overlap", "-30", "low.npz", "-40"}},
		{[]string{low, path("none.csv")}, []string{"none.csv"}},
		{[]string{middle, "../../sampler/exact/testdata/potts_q2_6x6.csv"}, []string{"potts_q2_6x6.csv", "same system"}},
		{[]string{low, middle, "--q", "3", "--size", "5x5"}, []string{"low.npz", "-50..0", "--size"}},
		{[]string{low, middle, "--q", "3", "--size", "6x6"}, []string{"highest energy is -20", "lacks states"}},
		{[]string{middle, again, again}, []string{"again.csv", "same numbers"}},
		{[]string{low, writeWindow(t, path("other.csv"), reference(t, "potts_q10_4x16.csv"), -60, -40, 0)}, []string{"other.csv", "combined errors", "same system"}},
	} {
		_, stderr, code := nwl(t, append([]string{"dos", "merge", "--out", path("bad.csv")}, c.args...)...)
		if code != exitFailure {
			t.Errorf("%v: exit code %d", c.args, code)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v: no %q in: %s", c.args, want, stderr)
			}
		}
	}
	if matches, _ := filepath.Glob(path("bad*")); len(matches) > 0 {
		t.Error("a failed command wrote a file")
	}
}
