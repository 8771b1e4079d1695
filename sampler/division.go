package sampler

// division is how columns of walkers, that is walkers of each window, count in production.
type division struct {
	columns  int
	group    int // columns whose walkers move together and whose transitions are counted together
	together int // columns of a block of the histograms: one, or a group where there are very many levels
	segments int // of the phase
}

// minBlocks is the least number of blocks behind an error bar: with 32, the error bar
// itself has a relative error of 1/sqrt(2*31) = 13 %.
const minBlocks = 32

// maxGroups bounds the number of groups of walkers and thus the memory for their
// transitions.
const maxGroups = 64

// maxCounted bounds the number of pairs of a block and a level, unless even groups of columns
// have more: 32 MiB of visits, and four times that for the order parameter.
const maxCounted = 1 << 22

// divide divides columns of walkers of a system with so many levels. Groups are at least
// minBlocks where that can be, and are small so that workers share them evenly, unless there would
// be more than maxGroups. Segments are as many as minBlocks blocks need. A block is one column, or
// a group where one each would take too much memory.
func divide(columns, levels int) division {
	d := division{
		columns:  columns,
		group:    max(1, min(8, columns/minBlocks), (columns+maxGroups-1)/maxGroups),
		together: 1,
		segments: (minBlocks + columns - 1) / columns,
	}
	if d.segments*columns*levels > maxCounted {
		d.together = d.group
	}
	return d
}

// groups is the number of groups.
func (d division) groups() int { return (d.columns + d.group - 1) / d.group }

// perSegment is the number of blocks of the histograms in a segment.
func (d division) perSegment() int { return (d.columns + d.together - 1) / d.together }

// blocks is the number of blocks of the histograms.
func (d division) blocks() int { return d.segments * d.perSegment() }

// parts is the number of blocks of what groups count.
func (d division) parts() int { return d.segments * d.groups() }
