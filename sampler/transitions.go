package sampler

import "neuralwl/sampler/lattice"

// maxStep is the largest change of the Potts model's level in a trial of one site.
const maxStep = lattice.Coordination

// transitions counts what would happen to the walkers at infinite temperature, whatever
// then really happens to them (Wang, Swendsen, J. Stat. Phys. 106, 245 (2002)). The
// conditional probability of a new level given the configuration is known before each
// trial; its sum over the visits to a level estimates the infinite-temperature
// transition matrix between levels.
//
// Sweeps count situations, one increment per trial, in blocks of walkers that belong
// together in the error analysis. What a situation means for the level is worked out
// only when the counts are asked for.
type transitions struct {
	q     int
	width int // number of situations
	// situations are counted at [block][level*width + situation]. Of the Potts model's heat
	// bath a situation is what situationOf says; else it is a change of the level that was
	// proposed, or could have been made, + MaxStep, and changes are the same slices.
	situations [][]int64
	changes    [][]int64 // worked out so far, [block][level*Steps + change + MaxStep]
}

// situations of a site in the heat bath: its neighbours' colours can be alike in five
// ways, and its own colour is that of one of the runs or none of them. situationOf
// numbers them by pattern and bonds present.
var (
	situationOf [patterns][maxStep + 1]uint8
	// situationAt is a pattern and a number of bonds present for each number.
	situationAt [][2]int
	// insideSituation is the number of a site inside a domain.
	insideSituation int
)

func init() {
	numbers := map[[4]uint8]int{} // first number by the runs' lengths, ascending
	for pattern := range patterns {
		var lengths [4]uint8
		for i, n := range runStart[pattern] {
			lengths[i] = n
			for k := i; k > 0 && lengths[k] < lengths[k-1]; k-- {
				lengths[k], lengths[k-1] = lengths[k-1], lengths[k]
			}
		}
		first, known := numbers[lengths]
		if !known {
			first = len(situationAt)
			numbers[lengths] = first
		}
		next := first
		for present := range maxStep + 1 {
			possible := present == 0
			for _, n := range lengths {
				possible = possible || int(n) == present
			}
			if !possible {
				continue
			}
			if !known {
				situationAt = append(situationAt, [2]int{pattern, present})
			}
			situationOf[pattern][present] = uint8(next)
			next++
		}
	}
	insideSituation = int(situationOf[patterns-1][maxStep])
}

// maxTransitions is how many counts there may be in all blocks together, half a GiB of
// them. Systems with small common units of energy have many levels and large steps; they
// do without.
const maxTransitions = 1 << 26

// newTransitions counts in the given number of blocks. It returns nil where there would be
// more than maxTransitions counts.
func newTransitions(s lattice.System, move LocalMove, blocks int) *transitions {
	if s.Levels() > maxTransitions/lattice.Steps(s)/blocks {
		return nil
	}
	t := &transitions{q: s.Colours(), width: lattice.Steps(s), situations: make([][]int64, blocks)}
	_, potts := s.(*lattice.Potts)
	worked := potts && move != Metropolis
	if worked {
		t.width = len(situationAt)
	}
	for i := range t.situations {
		t.situations[i] = make([]int64, s.Levels()*t.width)
	}
	t.changes = t.situations
	if worked {
		t.changes = make([][]int64, blocks)
		for i := range t.changes {
			t.changes[i] = make([]int64, s.Levels()*lattice.Steps(s))
		}
	}
	return t
}

// counts returns the changes of the level by block, at [level*Steps + change + MaxStep],
// in colours: each trial adds the number of colours (of the heat bath all q, of
// Metropolis one, drawn at random) that lead to that change. Shared, not to be written.
func (t *transitions) counts() [][]int64 {
	if len(t.changes) == 0 || &t.changes[0] == &t.situations[0] {
		return t.changes
	}
	const steps = 2*maxStep + 1
	for block, situations := range t.situations {
		for i, n := range situations {
			if n != 0 {
				situations[i] = 0
				level := i / t.width
				t.add(t.changes[block][level*steps:(level+1)*steps], i%t.width, n)
			}
		}
	}
	return t.changes
}

// add adds n times a situation of the Potts model's heat bath to the changes of a level.
func (t *transitions) add(row []int64, situation int, n int64) {
	pattern, present := situationAt[situation][0], situationAt[situation][1]
	row[maxStep-present] += n * int64(max(t.q-runs[pattern], 0))
	for _, bonds := range runStart[pattern] {
		if bonds > 0 {
			row[int(bonds)-present+maxStep] += n
		}
	}
}
