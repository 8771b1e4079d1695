package sampler

import (
	"math"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// draws is what production learns from a network's proposals, accepted or not.
type draws struct {
	groupSize int // walkers of a group, which is a block in one stretch of the phase
	groups    int

	// By level of the configuration that a proposal was made for: trials, accepted ones,
	// and the sites that these changed.
	trials, accepted, changed []int64

	// weights are those of full proposals by block: inverse probabilities of what was
	// drawn, of which the numbers of states follow without any Markov chain; see
	// dos.WeightBlock. Draws is kept as its differences from level to level. Only proposals
	// with a target have weights: of those that resemble a state nearly all would be zero.
	weights []dos.WeightBlock
}

func newDraws(levels, columns, windows int, targeted bool) *draws {
	d := &draws{
		groupSize: groupSize(columns) * windows, groups: groups(columns),
		trials: make([]int64, levels), accepted: make([]int64, levels), changed: make([]int64, levels),
	}
	for range segments(columns) * d.groups {
		if !targeted {
			break
		}
		d.weights = append(d.weights, dos.NewWeightBlock(levels))
	}
	return d
}

// proposed notes a proposal for a configuration of some level, and the sites that it changed
// if it was accepted.
func (d *draws) proposed(level int, accepted bool, changed int) {
	d.trials[level]++
	if accepted {
		d.accepted[level]++
		d.changed[level] += int64(changed)
	}
}

// drawn notes a full proposal of walker i that could have been of the levels in reach, is
// of level to and has the weight exp(lnWeight), which is not used if to is out of reach.
func (d *draws) drawn(segment, i int, reach lattice.Window, to int, lnWeight float64) {
	b := &d.weights[segment*d.groups+i/d.groupSize]
	b.Draws[reach.Low]++
	if reach.High+1 < len(b.Draws) {
		b.Draws[reach.High+1]--
	}
	if reach.Contains(to) && !math.IsInf(lnWeight, -1) {
		b.Add(to, lnWeight)
	}
}

// ProposalCounts are the trials of a network's proposals by level of the configuration
// that they were made for, how many were accepted, and the number of sites that these
// changed in all.
type ProposalCounts struct{ Trials, Accepted, Changed []int64 }

// empty reports whether no proposal was made.
func (d *draws) empty() bool { return d == nil || slices.Max(d.trials) == 0 }

// Proposals returns the counts of proposals, nil if there were none. Shared, valid until
// the next pass.
func (s *Samples) Proposals() *ProposalCounts {
	if s.draws.empty() {
		return nil
	}
	return &ProposalCounts{s.draws.trials, s.draws.accepted, s.draws.changed}
}

// Weights returns the inverse probabilities of full proposals in independent blocks, as
// dos.FromWeights takes them, nil without proposals with a target.
func (s *Samples) Weights() []dos.WeightBlock {
	if s.draws.empty() || s.draws.weights == nil {
		return nil
	}
	blocks := make([]dos.WeightBlock, len(s.draws.weights))
	for k, b := range s.draws.weights {
		blocks[k] = b
		blocks[k].Draws = make([]float64, len(b.Draws))
		sum := 0.0
		for level, difference := range b.Draws {
			sum += difference
			blocks[k].Draws[level] = sum
		}
	}
	return blocks
}
