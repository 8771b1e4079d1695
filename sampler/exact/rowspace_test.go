package exact

import (
	"slices"
	"testing"
)

// All q^width rows in canonical form must be exactly the states, each as often as there are
// ways to choose its new colours.
func TestRowSpaceCoversAllRows(t *testing.T) {
	for _, c := range []struct{ width, q, fixed int }{{3, 2, 1}, {4, 3, 1}, {4, 5, 2}, {5, 4, 4}, {5, 5, 3}, {4, 7, 4}} {
		space := newRowSpace(c.width, c.q, c.fixed)
		seen := make([]int64, space.states)
		row := make([]uint8, c.width)
		var fill func(i int)
		fill = func(i int) {
			if i == c.width {
				seen[space.number(slices.Clone(row))]++
				return
			}
			for colour := range c.q {
				row[i] = uint8(colour)
				fill(i + 1)
			}
		}
		fill(0)
		for state, n := range seen {
			if want := arrangements(c.q-c.fixed, int(space.colours[state])-c.fixed).Int64(); n != want {
				t.Errorf("%+v: %d rows in state %d, want %d", c, n, state, want)
			}
		}
		for j, location := range space.location {
			sorted := slices.Sorted(slices.Values(location))
			for s, at := range sorted {
				if int(at) != s {
					t.Fatalf("%+v: locations after %d rotations are no permutation", c, j)
				}
			}
		}
		next := 0
		for _, f := range space.fibres {
			if int(f.first) != next {
				t.Fatalf("%+v: fibre starts at %d, want %d", c, f.first, next)
			}
			next += space.size(f)
		}
		if next != space.states {
			t.Errorf("%+v: fibres end at %d of %d states", c, next, space.states)
		}
	}
}

// Unrestricted, the states number the partitions of a set (Bell numbers).
func TestStateCounts(t *testing.T) {
	bell := []int{1, 1, 2, 5, 15, 52, 203, 877, 4140, 21147}
	for width := 3; width <= 8; width++ {
		if got := extensionTable[int](width, 20)[width][1]; got != bell[width+1] {
			t.Errorf("width %d: %d states, want %d", width, got, bell[width+1])
		}
		rows := 0
		for colours, classes := range firstRows(width, 20) {
			images := 0
			for _, class := range classes {
				images += class.images
			}
			if want := int(partitions(width)[colours]); images != want {
				t.Errorf("width %d: %d rows with %d colours, want %d", width, images, colours, want)
			}
			rows += images
		}
		if rows != bell[width] {
			t.Errorf("width %d: %d first rows, want %d", width, rows, bell[width])
		}
	}
}
