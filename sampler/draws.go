package sampler

import (
	"math"
	"slices"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// draws are the statistics of a network's proposals in production, accepted or not.
type draws struct {
	groupSize int // walkers of a group; a group in one stretch of the phase is a block
	groups    int

	// inverse holds the inverse probabilities of full proposals by block, which yield the
	// numbers of states without any Markov chain; see dos.WeightBlock. Its Draws hold the
	// differences from level to level. Proposals without a target have none: they resemble a
	// state, so nearly all contributions would vanish.
	inverse []dos.WeightBlock
}

func newDraws(levels int, of division, windows int, targeted bool) *draws {
	d := &draws{groupSize: of.group * windows, groups: of.groups()}
	for range of.parts() {
		if !targeted {
			break
		}
		d.inverse = append(d.inverse, dos.NewWeightBlock(levels))
	}
	return d
}

// drawn counts a full proposal of walker i of level to, for which the levels in reach were
// possible. Its inverse probability exp(lnInverse) counts only if to is in reach.
func (d *draws) drawn(segment, i int, reach lattice.Window, to int, lnInverse float64) {
	b := &d.inverse[segment*d.groups+i/d.groupSize]
	b.Draws[reach.Low]++
	if reach.High+1 < len(b.Draws) {
		b.Draws[reach.High+1]--
	}
	if reach.Contains(to) && !math.IsInf(lnInverse, -1) {
		b.Add(to, lnInverse)
	}
}

// ProposalCounts counts a network's proposals by level of the configuration that they were
// made for: trials, acceptances, and sites changed by all accepted proposals together.
type ProposalCounts struct{ Trials, Accepted, Changed []int64 }

func newProposalCounts(levels int) *ProposalCounts {
	return &ProposalCounts{make([]int64, levels), make([]int64, levels), make([]int64, levels)}
}

// count adds a proposal for a configuration of a level, and the sites that it changed if it was
// accepted.
func (c *ProposalCounts) count(level int, accepted bool, changed int) {
	c.Trials[level]++
	if accepted {
		c.Accepted[level]++
		c.Changed[level] += int64(changed)
	}
}

// add adds the counts of another shard.
func (c *ProposalCounts) add(other *ProposalCounts) {
	for b := range c.Trials {
		c.Trials[b] += other.Trials[b]
		c.Accepted[b] += other.Accepted[b]
		c.Changed[b] += other.Changed[b]
	}
}

func (c *ProposalCounts) clear() {
	clear(c.Trials)
	clear(c.Accepted)
	clear(c.Changed)
}

// empty reports whether there were no proposals.
func (c *ProposalCounts) empty() bool { return c == nil || slices.Max(c.Trials) == 0 }

// Proposals returns the counts of the network's proposals, nil if there were none. Shared,
// valid until the next pass.
func (s *Samples) Proposals() *ProposalCounts {
	if s.proposals.empty() {
		return nil
	}
	return s.proposals
}

// Weights returns the inverse probabilities of full proposals in independent blocks for
// dos.FromWeights; nil unless the proposals have targets.
func (s *Samples) Weights() []dos.WeightBlock {
	if s.proposals.empty() || s.draws.inverse == nil {
		return nil
	}
	blocks := make([]dos.WeightBlock, len(s.draws.inverse))
	for k, b := range s.draws.inverse {
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
