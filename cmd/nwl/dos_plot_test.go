package main

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDosPlot(t *testing.T) {
	folder := t.TempDir()
	exact := "../../sampler/exact/testdata/potts_q3_6x6.csv"
	whole := reference(t, "potts_q3_6x6.csv")
	a := writeWindow(t, filepath.Join(folder, "a.csv"), whole, -72, 0, 0)
	b := writeWindow(t, filepath.Join(folder, "b.npz"), whole, -60, -10, 2)
	picture := func(name string, args ...string) []byte {
		t.Helper()
		path := filepath.Join(folder, name)
		if _, stderr, code := nwl(t, append([]string{"dos", "plot", "--out", path}, args...)...); code != 0 {
			t.Fatal(stderr)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if _, err := png.Decode(bytes.NewReader(picture("p.png", a))); err != nil {
		t.Error(err)
	}
	svg := picture("p.svg", a, b, "--exact", exact)
	for _, want := range []string{"a.csv", "b.npz", "exact", "deviation of ln g"} {
		if !bytes.Contains(svg, []byte(want)) {
			t.Errorf("no %q in the plot", want)
		}
	}
	other := filepath.Join(folder, "other.csv")
	if err := os.WriteFile(other, []byte("energy,ln_g\n-0.5,1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := nwl(t, "dos", "plot", a, other, "--out", filepath.Join(folder, "q.png")); code != exitFailure || !strings.Contains(stderr, "other.csv") || !strings.Contains(stderr, "same system") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	nowhere := filepath.Join(folder, "none", "p.png")
	if _, stderr, code := nwl(t, "dos", "plot", a, "--out", nowhere); code != exitFailure || !strings.Contains(stderr, nowhere) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
