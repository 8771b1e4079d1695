package dos

import (
	"cmp"
	"fmt"
	"slices"
)

// Piece is a density of states to merge, with its name for messages.
type Piece struct {
	Name string
	*Density
}

// Overlap measures how well a piece agrees with the pieces merged before it.
type Overlap struct {
	Piece    string
	With     []string // names of the pieces merged earlier
	From, To float64  // lowest and highest energy in common
	Levels   int      // common levels
	// Shift was added to ln g of the piece; ShiftError is its standard error, NaN if errors
	// are unknown.
	Shift, ShiftError float64
	// Difference is the rms difference of ln g after the shift.
	Difference float64
	// Compared is the number of common levels at which both have an error. Over these, RMS
	// is the rms difference in units of the combined error, and ChiSquare the sum of its
	// squares per degree of freedom; the shift uses up one degree. NaN if there are too
	// few.
	Compared       int
	RMS, ChiSquare float64
}

// Merge combines densities of states of one system from independent runs: repetitions of
// the same levels, and pieces from overlapping energy windows.
//
// Repetitions are normalised to the same sum and averaged level by level with weights
// 1/error^2; the error of the average is (sum 1/error^2)^(-1/2). Then pieces are joined in
// order of increasing lowest energy. Each is shifted by the mean difference of ln g over
// the levels in common with the pieces joined before, with weights w = 1/(error^2 +
// error'^2), and averaged there as above. This is the least-squares solution if no level
// lies in more than two pieces.
//
// Where only one density has an error at a level, it alone counts there; where none has,
// the plain mean is taken and its error is unknown. Where one has an error of zero, it
// knows ln g, and the others do not count; a density with no other errors knows none.
//
// Errors are propagated to first order. They are assumed independent between the files and
// relative to each file's own normalisation. The n common levels of an overlap, however,
// often err together, since walkers diffuse from level to level; the scatter x =
// chi^2/(n-1) left after the shift shows it. The variance of the shift is taken as [x +
// n(1-x)] / sum w for x < 1, which is 1/sum w for independent levels and the variance of a
// single difference for levels that err alike, and as x / sum w for x > 1, where errors are
// too small (Birge, Phys. Rev. 40, 207 (1932)). A shift moves all levels above the overlap
// fully, and those in it by a share, relative to the normalisation. With s the share of a
// level and S the mean share of the states counted in the normalisation, (s-S)^2 times that
// variance adds to the variance of ln g.
//
// The sum of g becomes exp(lnTotal). If that is NaN, the sum over the levels of the first
// piece is preserved. It is an error if a piece overlaps with no other, or if the pieces
// contradict each other: by their energies, or by differences far beyond their errors.
func Merge(pieces []Piece, lnTotal float64) (*Density, []Overlap, error) {
	for _, p := range pieces {
		if err := p.Validate(); err != nil {
			return nil, nil, fmt.Errorf("merge %s: %w", p.Name, err)
		}
	}
	var overlaps []Overlap
	var windows []*merged
	for _, p := range pieces {
		own := newMerged(p)
		same := slices.IndexFunc(windows, func(m *merged) bool { return m.sameLevels(own) })
		if same < 0 {
			windows = append(windows, own)
			continue
		}
		o, err := windows[same].repeat(own)
		if err != nil {
			return nil, nil, err
		}
		overlaps = append(overlaps, o)
	}
	slices.SortStableFunc(windows, func(a, b *merged) int {
		return cmp.Or(cmp.Compare(a.energy[0], b.energy[0]), cmp.Compare(a.highest(), b.highest()))
	})
	all := windows[0]
	for _, next := range windows[1:] {
		o, err := all.chain(next)
		if err != nil {
			return nil, nil, err
		}
		overlaps = append(overlaps, o)
	}
	d := all.normalised(pieces[0].Density, lnTotal)
	if err := d.mergeBins(pieces); err != nil {
		return nil, nil, fmt.Errorf("merge: %w", err)
	}
	if err := d.Validate(); err != nil {
		return nil, nil, fmt.Errorf("merge: %w", err)
	}
	return d, overlaps, nil
}
