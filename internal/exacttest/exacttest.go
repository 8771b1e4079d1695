// Package exacttest reads exact densities of states for tests.
package exacttest

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"neuralwl/sampler/dos"
)

// Density returns the exact density of states of the Potts model with q colours on lx by ly
// sites, of those that sampler/exact/testdata has.
func Density(t testing.TB, q, lx, ly int) *dos.Density {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	d, err := dos.ReadFile(filepath.Join(filepath.Dir(here), "../../sampler/exact/testdata", fmt.Sprintf("potts_q%d_%dx%d.csv", q, lx, ly)))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
