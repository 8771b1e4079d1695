package exact

// rowSpace is the set of colourings of one row of the torus, given a first row that uses
// the colours 0..fixed-1. Those colours are distinguished; the q-fixed others are
// equivalent, so a state is a row in which they are numbered fixed, fixed+1, ... in the
// order of their first site. States are numbered in lexicographic order.
type rowSpace struct {
	width, q, fixed int
	// extensions[m][k] is the number of ways to colour m further sites when k
	// colours are in use.
	extensions [][]int
	states     int
	// colours is the number of colours in use, including those of the first row; bonds is
	// the number of satisfied bonds within the row. Indexed by state.
	colours, bonds []uint8
	fibres         []fibre
	// location[j][s] is the position in memory of the row that reads s after rotation by j
	// sites, each of which makes the last site the first. So a sweep always updates the
	// last site of the rotated row and moves no data: after a full turn every row is back
	// in its place.
	location [][]uint32
}

// fibre is a set of states that differ only in the colour of the last site: one state for
// each of the known colours 0..known-1 and, unless known = q, one for a colour of its own.
// They are consecutive.
type fibre struct {
	first uint32
	known uint8
	// left and right are the colours of the first and the last but one site: after
	// rotation, the neighbours on either side.
	left, right uint8
}

// extensionTable returns rowSpace.extensions for rows of the given width; it depends only
// on q, for k up to q. Float64 numbers are for Plan, which must not overflow.
func extensionTable[T int | float64](width, q int) [][]T {
	table := make([][]T, width+1)
	top := min(q, 2*width) // no state uses more colours
	for m := range table {
		table[m] = make([]T, top+1)
		for k := range table[m] {
			switch {
			case m == 0:
				table[m][k] = 1
			case k < top:
				table[m][k] = T(k)*table[m-1][k] + table[m-1][k+1]
			default:
				table[m][k] = T(k) * table[m-1][k]
			}
		}
	}
	return table
}

func newRowSpace(width, q, fixed int) *rowSpace {
	r := &rowSpace{width: width, q: q, fixed: fixed, extensions: extensionTable[int](width, q)}
	r.states = r.extensions[width][fixed]
	r.colours = make([]uint8, r.states)
	r.bonds = make([]uint8, r.states)
	rotation := make([]uint32, r.states)
	rotated := make([]uint8, width)
	r.each(func(state int, row []uint8, colours int) {
		r.colours[state] = uint8(colours)
		for i, c := range row {
			if c == row[(i+1)%width] {
				r.bonds[state]++
			}
		}
		last := row[width-1]
		if last == 0 { // the first state of its fibre: colour 0 is always known
			r.fibres = append(r.fibres, fibre{uint32(state), uint8(colours), row[0], row[width-2]})
		}
		rotated[0] = last
		copy(rotated[1:], row)
		rotation[state] = uint32(r.number(rotated))
	})

	r.location = make([][]uint32, width)
	r.location[0] = make([]uint32, r.states)
	for s := range r.location[0] {
		r.location[0][s] = uint32(s)
	}
	for j := 1; j < width; j++ {
		r.location[j] = make([]uint32, r.states)
		for s, to := range rotation {
			r.location[j][to] = r.location[j-1][s]
		}
	}
	return r
}

// size returns the number of states of the fibre.
func (r *rowSpace) size(f fibre) int { return min(int(f.known)+1, r.q) }

// each visits the states in order.
func (r *rowSpace) each(visit func(state int, row []uint8, colours int)) {
	row := make([]uint8, r.width)
	state := 0
	var extend func(i, colours int)
	extend = func(i, colours int) {
		if i == r.width {
			visit(state, row, colours)
			state++
			return
		}
		for c := range min(colours+1, r.q) {
			row[i] = uint8(c)
			extend(i+1, max(colours, c+1))
		}
	}
	extend(0, r.fixed)
}

// number renumbers the colours from fixed on in the order of their first site, in place,
// and returns the number of the state.
func (r *rowSpace) number(row []uint8) int {
	canonical(row, r.fixed)
	state, colours := 0, r.fixed
	for i, c := range row {
		state += int(c) * r.extensions[r.width-1-i][colours]
		colours = max(colours, int(c)+1)
	}
	return state
}

// canonical renumbers the colours from fixed on in the order of their first
// site, in place.
func canonical(row []uint8, fixed int) {
	var name [256]uint8
	next := uint8(fixed)
	for i, c := range row {
		if int(c) < fixed {
			continue
		}
		if name[c] == 0 {
			next++
			name[c] = next // the new number plus one, 0 means none
		}
		row[i] = name[c] - 1
	}
}
