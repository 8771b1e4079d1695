package exact

import (
	"maps"
	"math/big"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// levelCounts are numbers of configurations by level.
type levelCounts struct {
	system *lattice.Terms
	bin    lattice.Bin
	levels map[int]*levelCount
}

// levelCount is a number of configurations, with the sums of their places within the level, see
// lattice.Bin.Split, and of the squares of these.
type levelCount struct{ n, places, squares big.Int }

func newLevelCounts(s *lattice.Terms) *levelCounts {
	return &levelCounts{system: s, bin: s.Tables().Bin, levels: map[int]*levelCount{}}
}

// at is the count of a level.
func (l *levelCounts) at(level int) *levelCount {
	c := l.levels[level]
	if c == nil {
		c = &levelCount{}
		l.levels[level] = c
	}
	return c
}

// add adds configurations of a gain.
func (l *levelCounts) add(gain int, n *big.Int) {
	if n.Sign() == 0 {
		return
	}
	level, place := l.bin.Split(gain)
	c, at := l.at(level), big.NewInt(int64(place))
	c.n.Add(&c.n, n)
	c.places.Add(&c.places, new(big.Int).Mul(at, n))
	c.squares.Add(&c.squares, new(big.Int).Mul(at.Mul(at, at), n))
}

// spectrum lists the levels that have configurations.
func (l *levelCounts) spectrum(method Method) *Spectrum {
	s := &Spectrum{System: l.system.String(), Method: method, By: l.system.Second()}
	quotient := func(a, b *big.Int) float64 {
		x, _ := new(big.Rat).SetFrac(a, b).Float64()
		return x
	}
	width := lattice.BinWidth(l.system)
	var first, second []float64
	for _, level := range slices.Backward(slices.Sorted(maps.Keys(l.levels))) {
		c := l.levels[level]
		cell := l.system.Cell(level)
		if s.Energy, s.G = append(s.Energy, cell.Energy), append(s.G, &c.n); s.By != "" {
			s.Second = append(s.Second, cell.Second)
		}
		mean, square := quotient(&c.places, &c.n), quotient(&c.squares, &c.n)
		e, e2 := l.system.Inside(level, mean, square)
		first, second = append(first, e/width), append(second, e2/(width*width))
	}
	if l.system.Binned() {
		s.Bins = dos.NewBins(width, s.Energy, &dos.Means{Energy: s.Energy, Mean: [][]float64{first, second}})
	}
	return s
}
