package exact

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files in testdata were computed by an independent program and are the reference of
// the whole project. Everything except the comment line must agree.

func TestReferenceFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/potts_q*_*x*.csv")
	if err != nil || len(files) < 18 {
		t.Fatalf("%d reference files, want 18 (%v)", len(files), err)
	}
	for _, file := range files {
		var q, lx, ly int
		if _, err := fmt.Sscanf(filepath.Base(file), "potts_q%d_%dx%d.csv", &q, &lx, &ly); err != nil {
			t.Fatalf("name of %s: %v", file, err)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, method := range affordable(q, lx, ly, 1) {
			t.Run(fmt.Sprintf("q=%d/%dx%d/%s", q, lx, ly, method), func(t *testing.T) {
				compareTables(t, table(compute(t, q, lx, ly, method)), string(want))
			})
		}
	}
}

// table writes counts in the form of the reference files.
func table(c *Counts) string {
	var b strings.Builder
	fmt.Fprintln(&b, "# the system\nE,g,ln_g")
	for k, g := range c.G {
		fmt.Fprintf(&b, "%d,%d,%.15g\n", c.Energies[k], g, ln(g))
	}
	return b.String()
}

// compareTables compares everything from the header of the table on.
func compareTables(t *testing.T, got, want string) {
	t.Helper()
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(gotLines) != len(wantLines) {
		t.Fatalf("%d lines, want %d", len(gotLines), len(wantLines))
	}
	for i := 1; i < len(wantLines); i++ {
		if g, w := gotLines[i], wantLines[i]; g != w {
			t.Errorf("line %d: %q, want %q", i+1, g, w)
		}
	}
}

// affordable lists the methods predicted to take at most the given time.
func affordable(q, lx, ly int, seconds float64) []Method {
	var list []Method
	for _, method := range []Method{Enumeration, Kaufman, TransferMatrix} {
		if method == Kaufman && q != 2 {
			continue
		}
		if plan(method, q, lx, ly).Seconds < seconds {
			list = append(list, method)
		}
	}
	if len(list) == 0 {
		list = append(list, Auto)
	}
	return list
}

func compute(t *testing.T, q, lx, ly int, method Method) *Counts {
	t.Helper()
	counts, err := Compute(context.Background(), q, lx, ly, Options{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}
