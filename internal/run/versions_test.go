package run

import (
	"slices"
	"testing"
)

// TestSuperfluous exports versions one after another and thins them each time: never many
// more than twice as many stay as are to be kept, the first and the latest always, and the
// largest gap between two of them is a power of two.
func TestSuperfluous(t *testing.T) {
	for _, keep := range []int{1, 3, 10} {
		var versions []int
		for v := 1; v <= 3000; v++ {
			versions = append(versions, v)
			drop := superfluous(versions, keep)
			versions = slices.DeleteFunc(versions, func(v int) bool { return slices.Contains(drop, v) })
			if versions[0] != 1 || len(versions) > 2*keep+2 || len(versions) < min(v, keep) {
				t.Fatalf("keep %d, version %d: %v", keep, v, versions)
			}
			for k := range min(v, keep) {
				if !slices.Contains(versions, v-k) {
					t.Fatalf("keep %d, version %d: the latest %d are not in %v", keep, v, keep, versions)
				}
			}
			largest := 0
			for i := 1; i < len(versions); i++ {
				largest = max(largest, versions[i]-versions[i-1])
			}
			if largest > max(2, 4*v/keep) {
				t.Fatalf("keep %d, version %d: a gap of %d in %v", keep, v, largest, versions)
			}
		}
	}
	if drop := superfluous([]int{1, 2, 3, 4}, 0); drop != nil {
		t.Errorf("keep 0 drops %v", drop)
	}
}
