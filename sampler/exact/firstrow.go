package exact

import "slices"

// firstRow is a class of colourings of the first row that are equivalent under permutations
// of the colours, rotations and reflections; all contribute equally to the partition
// function.
type firstRow struct {
	row     []uint8 // canonical colouring that represents the class
	colours int
	bonds   int // satisfied bonds within the row
	images  int // canonical colourings in the class
}

// firstRows returns the classes of rows of the given width with at most q colours, by
// number of colours.
func firstRows(width, q int) [][]firstRow {
	space := &rowSpace{width: width, q: q}
	classes := make([][]firstRow, min(q, width)+1)
	image := make([]uint8, width)
	space.each(func(_ int, row []uint8, colours int) {
		fixedBy := 0 // rotations and reflections that leave the row unchanged
		for shift := range width {
			for _, step := range [2]int{1, width - 1} {
				for i := range image {
					image[i] = row[(shift+i*step)%width]
				}
				canonical(image, 0)
				switch slices.Compare(image, row) {
				case -1:
					return // the class is represented by a smaller row
				case 0:
					fixedBy++
				}
			}
		}
		class := firstRow{row: slices.Clone(row), colours: colours, images: 2 * width / fixedBy}
		for i, c := range row {
			if c == row[(i+1)%width] {
				class.bonds++
			}
		}
		classes[colours] = append(classes[colours], class)
	})
	return classes
}

// partitions returns the number of ways to divide a set of n into k nonempty
// parts, for k = 0..n (Stirling numbers of the second kind).
func partitions(n int) []float64 {
	row := make([]float64, n+1)
	row[0] = 1
	for m := 1; m <= n; m++ {
		for k := m; k > 0; k-- {
			row[k] = float64(k)*row[k] + row[k-1]
		}
		row[0] = 0
	}
	return row
}
