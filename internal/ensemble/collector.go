package ensemble

import (
	"slices"
	"strings"

	"neuralwl/internal/job"
)

// Collector makes results of members as they end. It remembers what it made of those that had ended
// before, so that one more costs little. It is not safe for concurrent use.
type Collector struct {
	matrix *Matrix
	made   map[place]made
}

// place is a realisation in a matrix.
type place struct{ point, realisation int }

// made is what was made of the outcomes with a signature.
type made struct {
	signature    string
	*realisation                  // nil if nothing could be made
	faults       map[string]error // of members that are not in it, by name
}

// NewCollector returns one for the members of a matrix.
func NewCollector(m *Matrix) *Collector { return &Collector{matrix: m, made: map[place]made{}} }

// Result is what is known of all members.
type Result struct {
	Members []Outcome // in order
	Points  []*Point
}

// Collect makes the result of outcomes, one for each member in their order. Results of a member that cannot
// be read leave it out, with the reason. The result is a function of the outcomes and their files
// alone, whatever was collected before.
func (c *Collector) Collect(all []Outcome) *Result {
	m := c.matrix
	r := &Result{Members: slices.Clone(all)}
	averaging := m.Averages()
	per := m.seeds()
	for point := range m.Points() {
		p := &Point{
			Label: m.Label(point), Folder: m.Folder(point), Settings: m.Settings(point), Betas: m.Betas,
			Members: m.realisations() * per, Realisations: m.realisations(),
		}
		var done []*realisation
		for k := range m.realisations() {
			from := (point*m.realisations() + k) * per
			members := r.Members[from : from+per]
			if one := c.realise(place{point, k}, members, averaging); one != nil {
				done = append(done, one)
			}
			for _, o := range members {
				if o.lost() {
					p.LeftOut = append(p.LeftOut, o)
				}
			}
		}
		p.collect(done, averaging)
		r.Points = append(r.Points, p)
	}
	return r
}

// lost reports whether a member has ended, for now, without a result that is used.
func (o *Outcome) lost() bool {
	return !o.Done && slices.Contains([]string{string(job.Failed), string(job.Cancelled), Deleted, Unreadable}, o.State)
}

// States beside those of jobs.
const (
	Deleted    = "deleted"
	Unreadable = "unreadable" // done, with results that cannot be used
)

// realise makes a realisation of the members that are done, nil if none is. Those that cannot be used are
// marked.
func (c *Collector) realise(at place, members []Outcome, averaging bool) *realisation {
	var done []Outcome
	for _, o := range members {
		if o.Done {
			done = append(done, o)
		}
	}
	if len(done) == 0 {
		return nil
	}
	known := c.made[at]
	if s := signature(done); known.signature != s {
		known = made{signature: s}
		known.realisation, known.faults = realise(done, c.matrix.Betas)
		if known.realisation != nil && averaging {
			known.forget()
		}
		c.made[at] = known
	}
	var used []Outcome // which may say something else of their verdict than before
	for i := range members {
		o := &members[i]
		if fault := known.faults[o.ID]; o.Done && fault != nil {
			o.Done, o.State, o.Reason = false, Unreadable, strings.ReplaceAll(fault.Error(), "\n", "; ")
		}
		if o.Done {
			used = append(used, *o)
		}
	}
	if known.realisation != nil {
		known.of = used
	}
	return known.realisation
}
