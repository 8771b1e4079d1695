package sampler

import (
	"context"
	"reflect"
	"testing"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestTogether lets columns count together where there are very many levels: results do not
// depend on the workers, nothing is lost, and a snapshot with a block for each column is
// folded.
func TestTogether(t *testing.T) {
	p, err := lattice.NewBlumeCapel(1.97, 8, 8)
	if err != nil {
		t.Fatal(err)
	}
	const walkers = 128
	var first *Samples
	for _, workers := range []int{1, 3} {
		e, err := New(Options{System: p, Walkers: walkers, Workers: workers, Local: local.HeatBath})
		if err != nil {
			t.Fatal(err)
		}
		e.Produce()
		for range 3 {
			if err := e.Pass(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		s := e.Samples()
		if len(s.Windows[0].Blocks) != minBlocks {
			t.Fatalf("%d blocks of %d levels", len(s.Windows[0].Blocks), p.Levels())
		}
		visits := int64(0)
		for _, block := range s.Windows[0].Blocks {
			for _, n := range block {
				visits += n
			}
		}
		if want := int64(3 * walkers * p.Sites()); visits != want {
			t.Errorf("%d visits, want %d", visits, want)
		}
		if first == nil {
			first = s
		} else if !reflect.DeepEqual(first.Windows, s.Windows) {
			t.Error("results depend on the number of workers")
		}

		old := clone(t, e.Snapshot())
		old.Production.Blocks[0] = unfold(old.Production.Blocks[0], walkers)
		again, err := New(Options{System: p, Walkers: walkers, Workers: workers, Local: local.HeatBath})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Restore(old); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Samples().Windows, s.Windows) {
			t.Error("an older snapshot is not restored")
		}
	}
}

// unfold puts blocks into the first of the columns that they are of.
func unfold(blocks [][]int64, columns int) [][]int64 {
	old := make([][]int64, columns)
	for i := range old {
		old[i] = make([]int64, len(blocks[0]))
		if each := columns / len(blocks); i%each == 0 {
			old[i] = blocks[i/each]
		}
	}
	return old
}
