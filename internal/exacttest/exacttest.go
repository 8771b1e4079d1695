// Package exacttest reads exact densities of states for tests.
package exacttest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"neuralwl/sampler/dos"
)

// Density returns the exact density of states of the Potts model with q colours on lx by ly
// sites, of those that sampler/exact/testdata has.
func Density(t testing.TB, q, lx, ly int) *dos.Density {
	t.Helper()
	d, err := dos.ReadFile(filepath.Join(module(t), "sampler/exact/testdata", fmt.Sprintf("potts_q%d_%dx%d.csv", q, lx, ly)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// module is the folder of go.mod above the working directory, which for a test is that of its
// package. The path of this file would not do for a test binary on another machine.
func module(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	for ; err == nil; folder = filepath.Dir(folder) {
		if _, missing := os.Stat(filepath.Join(folder, "go.mod")); missing == nil {
			return folder
		}
		if folder == filepath.Dir(folder) {
			break
		}
	}
	t.Fatalf("no go.mod above the working directory (%v)", err)
	return ""
}
