package run

import "neuralwl/sampler"

// updates is the number of site updates that the run has made: a trial of a local move is one, a
// network's proposal one for each site.
func (j *job) updates() int64 {
	return j.at.Updates + j.updatesOf(j.counts.Progress())
}

// updatesOf is the number of site updates of a phase.
func (j *job) updatesOf(p sampler.Progress) int64 {
	return p.Moves[sampler.Local].Trials + int64(j.system.Sites())*p.Moves[sampler.Neural].Trials
}

// count adds the site updates of a phase that is over to the record. Its counts begin anew.
func (j *job) count() { j.at.Updates = j.updates() }

// adaptationMoves is the number of site updates at which the adaptation ends in any case, 0 for
// none. Each temperature has an equal part of them.
func (j *job) adaptationMoves() int64 {
	index, of := j.counts.Temperature()
	return int64((float64(index) + 1 - productionShare) / float64(of) * float64(j.c.Run.MaxMoves))
}

// spentMoves is the share of the site updates left to production that have been made, 0 without a
// limit.
func (j *job) spentMoves() float64 {
	index, of := j.counts.Temperature()
	limit := int64(j.c.Run.MaxMoves) * int64(index+1) / int64(of)
	if limit == 0 {
		return 0
	}
	if limit <= j.at.Before {
		return 1
	}
	return float64(j.updates()-j.at.Before) / float64(limit-j.at.Before)
}
