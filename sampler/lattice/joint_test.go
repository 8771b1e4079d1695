package lattice

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// joints are systems of pairs beside what they are made of.
var joints = []struct {
	name   string
	single func() (*Terms, error)
	second Second
}{
	{"ising", func() (*Terms, error) { return NewIsingField(0, 3, 4) }, Magnetisation(-1, 1)},
	{"blume-capel, squares", func() (*Terms, error) { return NewBlumeCapel(0, 3, 3) }, Squares(-1, 0, 1)},
	{"blume-capel, magnetisation", func() (*Terms, error) { return NewBlumeCapel(0.5, 3, 3) }, Magnetisation(-1, 0, 1)},
	{"potts 3D", func() (*Terms, error) { return NewPotts3D(4, 3, 3, 3) }, Colour(4)},
	{"random bond", func() (*Terms, error) { return NewRandomBond(0.5, 1, 3, 4) }, Magnetisation(-1, 1)},
	{"baxter-wu", func() (*Terms, error) { return NewBaxterWu(3, 3) }, Magnetisation(-1, 1)},
}

// TestJoint compares levels, cells and changes of pairs with the energy and the second variable of random
// configurations, in frames of the symmetries that are left.
func TestJoint(t *testing.T) {
	for _, test := range joints {
		single, err := test.single()
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewJoint(single, test.second)
		if err != nil {
			t.Fatal(err)
		}
		second := func(state []uint8) (sum float64) {
			for _, c := range state {
				sum += float64(test.second.Of[c])
			}
			return sum
		}
		if s.Second() != test.second.Name || JointOf(s) != s || JointOf(single) != nil {
			t.Errorf("%s: the second variable is %q", test.name, s.Second())
		}
		changes := Changes(s)
		if n := len(changes); changes[0] < -s.MaxStep() || changes[n-1] > s.MaxStep() || !slices.IsSorted(changes) {
			t.Errorf("%s: changes %v, at most %d", test.name, changes, s.MaxStep())
		}
		for k, change := range changes {
			if changes[len(changes)-1-k] != -change {
				t.Errorf("%s: the change %d is not the opposite of %d", test.name, changes[len(changes)-1-k], change)
			}
		}
		for level := range s.Levels() - 1 {
			a, b := s.Cell(level), s.Cell(level+1)
			if !(a.Energy > b.Energy || a.Energy == b.Energy && a.Second > b.Second) {
				t.Fatalf("%s: levels %d and %d are %v and %v", test.name, level, level+1, a, b)
			}
			if first, last := Row(s, level); s.Energy(first) != a.Energy || s.Energy(last) != a.Energy || last-first+1 != s.Row() {
				t.Fatalf("%s: the row of level %d is %d..%d", test.name, level, first, last)
			}
		}
		r := rand.New(rand.NewPCG(5, 6))
		f := s.NewFrame()
		state, image := make([]uint8, s.Sites()), make([]int32, s.Sites())
		for i := range state {
			state[i] = uint8(r.IntN(s.Colours()))
		}
		for range 2000 {
			level := s.Level(state)
			want := Cell{single.Energy(single.Level(state)), second(state)}
			if cell := s.Cell(level); cell != want || s.Energy(level) != want.Energy {
				t.Fatalf("%s: the cell of %v is %v, want %v", test.name, state, cell, want)
			}
			f.Randomise(r)
			if f.Apply(image, state); s.LevelInt32(image) != level {
				t.Fatalf("%s: a frame takes %v to %v", test.name, want, s.Cell(s.LevelInt32(image)))
			}
			state[r.IntN(len(state))] = uint8(r.IntN(s.Colours()))
			if change := s.Level(state) - level; !slices.Contains(changes, change) {
				t.Fatalf("%s: one site changes the level by %d, not among %v", test.name, change, changes)
			}
		}
		if GroundKnown(single) {
			if e := s.Energy(s.GroundLevel()); e != single.Energy(single.GroundLevel()) || s.LnGroundStates() != single.LnGroundStates() {
				t.Errorf("%s: the ground state is at %g", test.name, e)
			}
			if first, _ := Row(s, s.GroundLevel()); first != s.GroundLevel() {
				t.Errorf("%s: the ground level %d is not the first of its row, %d", test.name, s.GroundLevel(), first)
			}
		}
		if mean := s.Energy(s.PeakLevel()); mean != single.Energy(single.PeakLevel()) {
			t.Errorf("%s: the peak is at %g", test.name, mean)
		}
		if _, err := CouplingsOf(s); err == nil || !strings.Contains(err.Error(), "pairs of the energy") {
			t.Errorf("%s: cluster moves: %v", test.name, err)
		}
	}
}

// TestJointSymmetries counts the phases that are left: colours other than 0 remain alike, and so do spins
// where only their squares matter.
func TestJointSymmetries(t *testing.T) {
	for k, want := range []int{1, 2, 1, 3, 1} {
		single, err := joints[k].single()
		if err != nil {
			t.Fatal(err)
		}
		s, err := NewJoint(single, joints[k].second)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.Phases()); n != want {
			t.Errorf("%s: %d phases, want %d", joints[k].name, n, want)
		}
	}
}

func TestJointFaults(t *testing.T) {
	bins, err := NewIsingFieldInBins(0.3, 1, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	ising, err := NewIsingField(0, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		system *Terms
		second Second
		want   string
	}{
		{bins, Magnetisation(-1, 1), "single energies"},
		{ising, Squares(-1, 1), "the squares is the same for all colours"},
		{ising, Colour(3), "of 3 colours, the model has 2"},
	} {
		if _, err := NewJoint(test.system, test.second); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v by %s: %v, want %q", test.system, test.second.Name, err, test.want)
		}
	}
	large, err := NewIsingField(0, 80, 80)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewJoint(large, Magnetisation(-1, 1)); err == nil || !strings.Contains(err.Error(), "pairs are supported") {
		t.Errorf("80x80: %v", err)
	}
}

// TestJointWindows: pairs are divided by their energies, and as finely as these allow.
func TestJointWindows(t *testing.T) {
	single, err := NewIsingField(0, 6, 6)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewJoint(single, Magnetisation(-1, 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, count := range []int{1, 2, 3} {
		windows := Windows(s, count, 0.5)
		for k, w := range Windows(single, count, 0.5) {
			if want := (Window{w.Low * s.Row(), (w.High+1)*s.Row() - 1}); windows[k] != want {
				t.Errorf("window %d of %d is %v, want %v", k, count, windows[k], want)
			}
		}
		for err := range WindowFaults(s, windows) {
			t.Errorf("%d windows: %v", count, err)
		}
	}
	if n, want := MostWindows(s, 50, 0.5), MostWindows(single, 50, 0.5); n != want {
		t.Errorf("at most %d windows, of energies alone %d", n, want)
	}
}
