package dos

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCSVRoundTrip checks that every energy and ln g is recovered to the last bit. Errors
// are written with six digits; unknown ones are an empty field.
func TestCSVRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	d := &Density{
		Energy: []float64{-math.MaxFloat64, -512, -0.1, 5e-324, 1. / 3, 1e22},
		LnG:    []float64{math.MaxFloat64, -5e-324, 1. / 3, math.Pi * 1e5, math.Log(2), math.Copysign(0, -1)},
		Error:  []float64{0.25, math.NaN(), 1e-17, math.Inf(1), 123456, 0.0123456},
	}
	for e := 1e23; len(d.Energy) < 500; e *= 1.01 {
		d.Energy = append(d.Energy, e*(1+1e-3*r.Float64()))
		d.LnG = append(d.LnG, math.Ldexp(r.NormFloat64(), r.IntN(60)-30))
		d.Error = append(d.Error, r.ExpFloat64())
	}
	var file bytes.Buffer
	if err := d.WriteCSV(&file); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(file.String(), "\n")
	if lines[0] != "energy,ln_g,ln_g_error" {
		t.Errorf("the first line is %q", lines[0])
	}
	for _, line := range []string{lines[2], lines[4]} {
		if !strings.HasSuffix(line, ",") {
			t.Errorf("line %q should end with an empty field for an unknown error", line)
		}
	}
	got, err := ReadCSV(&file)
	if err != nil {
		t.Fatal(err)
	}
	sameBits := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
	if !slices.EqualFunc(got.Energy, d.Energy, sameBits) || !slices.EqualFunc(got.LnG, d.LnG, sameBits) {
		t.Error("energies or ln g differ from those written")
	}
	for i, want := range d.Error {
		known := !math.IsNaN(want) && !math.IsInf(want, 0)
		if known && !(math.Abs(got.Error[i]-want) <= 5e-6*want) || !known && !math.IsNaN(got.Error[i]) {
			t.Errorf("error %v came back as %v", want, got.Error[i])
		}
	}

	d.Error = nil
	file.Reset()
	if err := d.WriteCSV(&file); err != nil {
		t.Fatal(err)
	}
	if got, err = ReadCSV(&file); err != nil {
		t.Fatal(err)
	}
	for i, deviation := range got.Error {
		if !math.IsNaN(deviation) {
			t.Fatalf("error at %v is %v, none was written", got.Energy[i], deviation)
		}
	}
}

// shortWriter fails after n bytes.
type shortWriter struct{ n int }

var errFull = errors.New("no space left")

func (w *shortWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		return w.n, errFull
	}
	w.n -= len(p)
	return len(p), nil
}

func TestWriteCSVFails(t *testing.T) {
	d := &Density{Energy: []float64{-1, 0}, LnG: []float64{0, 1}}
	for n := range 20 {
		if err := d.WriteCSV(&shortWriter{n}); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", n, err)
		}
	}
	d.LnG[1] = math.NaN()
	var file bytes.Buffer
	if err := d.WriteCSV(&file); err == nil || file.Len() > 0 {
		t.Errorf("a NaN was written: %q, %v", file.String(), err)
	}
}

func TestReadCSVForms(t *testing.T) {
	want := []float64{-2, -0.5, 3}
	for _, text := range []string{
		"energy,ln_g\n-2,1\n-0.5,2\n3,3\n",
		"# a remark\nenergy,ln_g\n# another\n3,3\n-2,1\n-0.5,2",
		"E,g,ln_g\n3,20,3\n-0.5,7,2\n-2,2,1\n",
		"Energy , LN_G, ln_g_error\r\n -2 , 1 , \r\n-0.5, 2 , 0.25\r\n3, 3,\r\n",
		"ln_g,E\n1,-2\n2,-5e-1\n3,3\n",
	} {
		d, err := ReadCSV(strings.NewReader(text))
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if !slices.Equal(d.Energy, want) || !slices.Equal(d.LnG, []float64{1, 2, 3}) {
			t.Errorf("%q: energies %v, ln g %v", text, d.Energy, d.LnG)
		}
		if strings.Contains(text, "error") != (d.Error != nil) {
			t.Errorf("%q: errors %v", text, d.Error)
		}
		if d.Error != nil && !(math.IsNaN(d.Error[0]) && d.Error[1] == 0.25 && math.IsNaN(d.Error[2])) {
			t.Errorf("%q: errors %v", text, d.Error)
		}
	}
}

func TestReadCSVNamesTheFault(t *testing.T) {
	for _, c := range []struct {
		text  string
		words []string // all of them must be in the error
	}{
		{"", []string{"empty"}},
		{"# only a remark\n", []string{"empty"}},
		{"energy,ln_g\n", []string{"no levels"}},
		{"beta,energy\n-2,2\n", []string{"line 1", "beta,energy", "ln_g"}},
		{"energy,ln_g,S\n-2,1,2\n", []string{"two columns are named ln_g", `"ln_g"`, `"S"`}},
		{"energy,ln_g\n-2,1\n-1,two\n", []string{"line 3", "column ln_g", `"two"`}},
		{"# remark\nE,ln_g\n-2,1\n# remark\n1 2,2\n", []string{"line 5", "column e", `"1 2"`}},
		{"energy,ln_g,ln_g_error\n-2,1,\n-1,2,small\n", []string{"line 3", "column ln_g_error", `"small"`}},
		{"energy,ln_g\n,1\n", []string{"line 2", "column energy"}},
		{"energy,ln_g\n-2,1\n-1\n", []string{"line 3", "fields"}},
		{"energy,ln_g\n-2,1,0.1\n", []string{"line 2", "fields"}},
		{"energy,ln_g\n-2,\"1\n", []string{"line 2", "column ln_g", "not a number"}},
		{"energy,ln_g\n-2,1\n\n-2,1\n", []string{"lines 2 and 4", "-2"}},
		{"energy,ln_g\n-2,-Inf\n", []string{"none of its 1 levels has ln g"}},
		{"energy,ln_g\n-2,nan\n-1,2\n", []string{"1 of 2 levels without ln g", "line 2"}},
		{"energy,ln_g\n-2,inf\n", []string{"line 2", "column ln_g", `"inf"`}},
		{"energy,ln_g\ninf,1\n", []string{"line 2", "column energy", `"inf"`}},
		{"energy,ln_g\n,1\n-1,2\n", []string{"line 2", "column energy", `""`}},
		{"energy,ln_g\n-2,1e999\n", []string{"line 2", "column ln_g", "too large"}},
		{"energy,g\n-2,-1\n", []string{"line 2", "column g", `"-1"`, "number of states"}},
		{"energy,ln_g,ln_g_error\n-2,1,-0.5\n", []string{"line 2", "column ln_g_error", `"-0.5"`, "standard error"}},
		{"energy,ln_g,ln_g_error\n-2,1,inf\n", []string{"line 2", "column ln_g_error", `"inf"`, "standard error"}},
		{"energy,ln_g,Energy\n-2,1,-2\n", []string{"two columns are named energy"}},
		{"E,ln_g,energy\n-2,1,-2\n", []string{"two columns are named energy"}},
	} {
		_, err := ReadCSV(strings.NewReader(c.text))
		if err == nil {
			t.Errorf("%q: no error", c.text)
			continue
		}
		for _, word := range c.words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q: %s is not in the error: %v", c.text, word, err)
			}
		}
	}
}

func TestReadFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.csv")
	if _, err := ReadFile(missing); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("a missing file: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "broken.csv")
	if err := os.WriteFile(broken, []byte("energy,ln_g\n0,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(broken); err == nil || !strings.Contains(err.Error(), broken) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a broken file: %v", err)
	}
}

// TestReadReferences checks the exact densities of states: q^N configurations in all, q of
// them in the ground state of energy -2N.
func TestReadReferences(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "exact", "testdata", "potts_*.csv"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no reference files: %v", err)
	}
	for _, file := range files {
		var q, lx, ly int
		if _, err := fmt.Sscanf(filepath.Base(file), "potts_q%d_%dx%d.csv", &q, &lx, &ly); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		d, err := ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Validate(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		// The files hold ln g to fifteen digits.
		sites, lnQ := float64(lx*ly), math.Log(float64(q))
		if got, want := LogSumExp(d.LnG), sites*lnQ; math.Abs(got-want) > 1e-13*want {
			t.Errorf("%s: exp(%v) configurations in all, want exp(%v)", file, got, want)
		}
		if d.Energy[0] != -2*sites || math.Abs(d.LnG[0]-lnQ) > 1e-14 {
			t.Errorf("%s: ln g(%v) = %v at the lowest energy, want ln %v at %v", file, d.Energy[0], d.LnG[0], q, -2*sites)
		}
		if d.Error != nil {
			t.Errorf("%s: exact values have errors", file)
		}
	}
}
