package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// TestDosExactFormats writes the same density of states in every format.
func TestDosExactFormats(t *testing.T) {
	folder := t.TempDir()
	want := reference(t, "potts_q3_4x4.csv")
	for _, name := range []string{"a.csv", "a.npz"} {
		path := filepath.Join(folder, name)
		if _, stderr, code := nwl(t, "dos", "exact", "--q", "3", "--size", "4x4", "--out", path); code != 0 {
			t.Fatal(stderr)
		}
		d, err := dos.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if difference, err := dos.Compare(d, want); err != nil || difference.Max > 1e-12 || difference.Levels != want.Len() {
			t.Errorf("%s: %+v, %v", name, difference, err)
		}
	}
	stdout, _, _ := nwl(t, "dos", "diff", filepath.Join(folder, "a.csv"), filepath.Join(folder, "a.npz"))
	if !strings.Contains(stdout, "missing in A      none\nmissing in B      none") {
		t.Errorf("the formats differ:\n%s", stdout)
	}
}

// TestDosExactOfAnySystem describes a system by its keys and by a file.
func TestDosExactOfAnySystem(t *testing.T) {
	folder := t.TempDir()
	keys := []string{"--set", "system.model=blume_capel", "--set", "system.crystal_field=0.5"}
	stdout, stderr, code := nwl(t, append([]string{"dos", "exact", "--size", "3x3"}, keys...)...)
	if code != 0 || !strings.Contains(stdout, "blume-capel D=0.5 3x3") || !strings.Contains(stdout, "\nenergy,ln_g,ln_g_error,g\n-13.5,0.6931471805599453,0,2\n") {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	file, out := filepath.Join(folder, "c.yaml"), filepath.Join(folder, "d.npz")
	if err := os.WriteFile(file, []byte("system: {model: blume_capel, crystal_field: 0.5, size: 3x3}\nrun: {seed: 3}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := nwl(t, "dos", "exact", "--config", file, "--out", out); code != 0 {
		t.Fatal(stderr)
	}
	want, err := dos.ReadCSV(strings.NewReader(stdout))
	if err != nil {
		t.Fatal(err)
	}
	d, err := dos.ReadFile(out)
	if err != nil || !slices.Equal(d.Energy, want.Energy) || !slices.Equal(d.LnG, want.LnG) || !slices.Equal(d.Error, want.Error) || d.Error[0] != 0 {
		t.Errorf("%+v, want %+v (%v)", d, want, err)
	}
	if _, stderr, code := nwl(t, append([]string{"dos", "exact", "--size", "5x5", "--method", "enumeration"}, keys...)...); code != exitFailure || !strings.Contains(stderr, "about 5 h (limit 60 min)") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestDosUsage checks that every wrong command line has exit code 2 and says what is
// wrong.
func TestDosUsage(t *testing.T) {
	a := "../../sampler/exact/testdata/potts_q3_4x4.csv"
	for _, c := range []struct {
		line string
		want []string
	}{
		{"dos bogus", []string{"bogus"}},
		{"dos exact --q 3", []string{"--size missing", "usage"}},
		{"dos exact", []string{"--q and --size missing"}},
		{"dos exact --q 1 --size 4x4", []string{"q = 1"}},
		{"dos exact --q 3 --size 4x4 --set run.seed=1", []string{"run.seed", "leave it out"}},
		{"dos exact --set system.model=blume", []string{"system.model", "blume_capel"}},
		{"dos exact --set system.model=ising --q 3 --size 4x4", []string{"system.q", "contradicts"}},
		{"dos exact --q 3 --size 4x4 --out a.parquet", []string{"a.parquet", ".csv or .npz"}},
		{"dos merge A --out F.csv", []string{"usage"}},
		{"dos merge A A", []string{"--out missing"}},
		{"dos merge A A --out f.txt", []string{"f.txt", ".csv or .npz"}},
		{"dos merge A A --out f.csv --q 3", []string{"--size missing"}},
		{"dos merge A A --out f.csv --q 3 --size 4", []string{"--size", "8x8"}},
		{"dos merge A A --out f.csv --q 1 --size 4x4", []string{"q = 1"}},
		{"dos merge A A --out f.csv --q 3 --size 4x4 --lnstates 7", []string{"--lnstates", "leave one out"}},
		{"dos merge A A --out f.csv --lnstates NaN", []string{"NaN"}},
		{"dos reweight", []string{"usage"}},
		{"dos reweight A", []string{"--beta missing"}},
		{"dos reweight A --beta x", []string{"--beta", "--help"}},
		{"dos reweight A --beta 1 --steps 3", []string{"exclude each other"}},
		{"dos reweight A --beta-min 1 --steps 3", []string{"--beta-max missing"}},
		{"dos reweight A --beta-min 1 --beta-max 1 --steps 3", []string{"--beta-min 1", "at least two"}},
		{"dos reweight A --beta-min 1 --beta-max 2 --steps 1", []string{"--steps 1"}},
		{"dos reweight A --beta 1,NaN", []string{"NaN", "decimal"}},
		{"dos plot --out a.png", []string{"usage"}},
		{"dos plot A", []string{"--out missing"}},
		{"dos plot A --out a.gif", []string{"a.gif", ".png, .svg or .pdf"}},
		{"dos plot A A A A A A A --out a.png", []string{"between 1 and 6", "usage"}},
	} {
		var args []string
		for _, word := range strings.Fields(c.line) {
			if word == "A" {
				word = a
			}
			args = append(args, word)
		}
		_, stderr, code := nwl(t, args...)
		if code != exitUsage {
			t.Errorf("%s: exit code %d", c.line, code)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%s: no %q in: %s", c.line, want, stderr)
			}
		}
	}
}

// TestDosHelp wants an example of every command.
func TestDosHelp(t *testing.T) {
	for _, command := range []string{"exact", "diff", "merge", "reweight", "plot"} {
		stdout, _, code := nwl(t, "dos", command, "--help")
		if code != 0 || !strings.Contains(stdout, "Examples:\n  nwl dos "+command+" ") {
			t.Errorf("dos %s --help:\n%s", command, stdout)
		}
	}
	if stdout, _, code := nwl(t, "dos"); code != 0 || !strings.Contains(stdout, "reweight") {
		t.Errorf("dos:\n%s", stdout)
	}
}

func reference(t *testing.T, name string) *dos.Density {
	t.Helper()
	d, err := dos.ReadFile(filepath.Join("..", "..", "sampler", "exact", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
