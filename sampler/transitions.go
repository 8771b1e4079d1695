package sampler

import "neuralwl/sampler/lattice"

// maxStep is the largest change of the level in a trial of one site.
const maxStep = lattice.Coordination

// Steps is the number of level changes -maxStep..maxStep of a trial.
const Steps = 2*maxStep + 1

// transitions counts what would happen to the walkers at infinite temperature, whatever
// then really happens to them (Wang, Swendsen, J. Stat. Phys. 106, 245 (2002)). The
// conditional probability of a new level given the configuration is known before each
// trial; its sum over the visits to a level estimates the infinite-temperature
// transition matrix between levels.
//
// A worker counts situations, one increment per trial; the situations are turned into
// changes of the level once per pass.
type transitions struct {
	move LocalMove
	q    int
	// situations are counted at [worker][level*width + situation]: of the heat bath
	// the situation is pattern*bondCounts + bonds present, of Metropolis the change of
	// the level that was proposed, + maxStep.
	situations [][]int64
	width      int
}

// bondCounts is the number of values that the bonds of a site can take.
const bondCounts = maxStep + 1

func newTransitions(p *lattice.Potts, move LocalMove, workers int) *transitions {
	t := &transitions{move: move, q: p.Q(), width: Steps}
	if move == HeatBath {
		t.width = patterns * bondCounts
	}
	t.situations = make([][]int64, workers)
	for i := range t.situations {
		t.situations[i] = make([]int64, p.Levels()*t.width)
	}
	return t
}

// add moves the counts to block, [level*Steps + change + maxStep], where they are
// colours: each trial adds the number of colours (of the heat bath all q, of Metropolis
// one, drawn at random) that lead to that change.
func (t *transitions) add(block []int64) {
	for _, counts := range t.situations {
		for i, n := range counts {
			if n == 0 {
				continue
			}
			counts[i] = 0
			level, situation := i/t.width, i%t.width
			row := block[level*Steps : (level+1)*Steps]
			if t.move == Metropolis {
				row[situation] += n
				continue
			}
			pattern, present := situation/bondCounts, situation%bondCounts
			row[maxStep-present] += n * int64(max(t.q-runs[pattern], 0))
			for _, bonds := range runStart[pattern] {
				if bonds > 0 {
					row[int(bonds)-present+maxStep] += n
				}
			}
		}
	}
}

// newTransitionBlocks returns empty blocks for add.
func newTransitionBlocks(levels int) [][]int64 {
	blocks := make([][]int64, minBlocks)
	for i := range blocks {
		blocks[i] = make([]int64, levels*Steps)
	}
	return blocks
}
