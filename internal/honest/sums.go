package honest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"neuralwl/exporter/reference"
	"slices"
)

// sums tests the normalisation.
type sums struct {
	c     *checker
	r     *rand.Rand
	sites []int // the sites to come, in random order
}

func newSums(c *checker) *sums { return &sums{c: c, r: rand.New(c.rng)} }

// next returns the site whose colours are tried next: the first, the last, or one of a
// random order of all.
func (s *sums) next() int {
	n := s.c.o.System.Sites()
	switch s.r.IntN(8) {
	case 0:
		return 0
	case 1:
		return n - 1
	}
	if len(s.sites) == 0 {
		s.sites = s.r.Perm(n)
	}
	k := s.sites[0]
	s.sites = s.sites[1:]
	return k
}

// add tests the normalisation at some sites of the proposals.
func (s *sums) add(drawn []trial) error {
	if !s.c.keeps {
		return nil
	}
	n, q := s.c.o.System.Sites(), s.c.o.System.Colours()
	type sum struct{ site, first, second int } // second is negative if ln q is 0 there
	var all []sum
	var trials []trial
	evaluated := len(drawn)
	if !s.c.own {
		evaluated *= rowsOfSums
	}
	for range max(1, evaluated/(2*q)) {
		t, x := drawn[s.r.IntN(len(drawn))], sum{s.next(), len(trials), -1}
		t.start = int32(x.site)
		trials = append(trials, colours(t, x.site, q)...)
		if t.start++; int(t.start) < n {
			x.second = len(trials)
			trials = append(trials, colours(t, x.site, q)...)
		}
		all = append(all, x)
	}
	logQ, err := s.c.logProb(trials)
	if err != nil {
		return err
	}
	for _, x := range all {
		total, least := 0.0, 0.0
		for colour := range q {
			l := logQ[x.first+colour]
			least = min(least, l)
			if x.second >= 0 {
				least = min(least, logQ[x.second+colour])
				l -= logQ[x.second+colour]
			}
			total += math.Exp(l)
		}
		if math.IsNaN(total) {
			continue // what follows the site has probability 0
		}
		if err := s.check(total, least, "the probabilities of the colours of site %d (%s) add up to %v", x.site, s.c.describe(trials[x.first]), total); err != nil {
			return err
		}
	}
	return nil
}

// colours returns a trial with every colour of a site.
func colours(t trial, site, q int) []trial {
	all := make([]trial, q)
	for colour := range all {
		all[colour] = t
		all[colour].to = slices.Clone(t.to)
		all[colour].to[site] = int32(colour)
	}
	return all
}

// mostRounding keeps a ln q of a size that no configuration has from passing as rounding.
const mostRounding = 0.25

// check compares a sum with 1, given the lowest ln q in it.
func (s *sums) check(total, logQ float64, format string, a ...any) error {
	d, allowed := math.Abs(total-1), min(mostRounding, reference.Rounding(s.c.o.System.Sites(), logQ))
	s.c.report.Sums++
	if s.c.report.Sum = max(s.c.report.Sum, d); !(d <= allowed) {
		return fmt.Errorf("test of normalisation: "+format+", expected is 1 within %.2g; %s", append(a, allowed, remedy)...)
	}
	return nil
}

// finish tests the normalisation of a network that keeps no sites by a sum over all
// configurations, if they are few.
func (s *sums) finish() error {
	c := s.c
	if c.keeps {
		return nil
	}
	n, q := c.o.System.Sites(), c.o.System.Colours()
	if c.o.System.LnStates() > math.Log(enumerable)+1e-9 {
		c.report.Untested = "the normalisation of ln q is untested, since the network keeps no sites: absolute numbers of states may be off by a factor"
		return nil
	}
	states := int(math.Round(math.Exp(c.o.System.LnStates())))
	low, high := c.energies()
	aims := []float64{0}
	if c.bundle.Card.TakesEnergy() {
		aims = []float64{low, math.Round((low + high) / 2), high}
	}
	for _, aim := range aims {
		total := 0.0
		for first := 0; first < states; first += Rows {
			trials := make([]trial, min(Rows, states-first))
			for k := range trials {
				to := make([]int32, n)
				for i, rest := 0, first+k; i < n; i, rest = i+1, rest/q {
					to[i] = int32(rest % q)
				}
				trials[k] = trial{from: to, to: to, energy: float32(aim)}
			}
			logQ, err := c.logProb(trials)
			if err != nil {
				return err
			}
			for _, l := range logQ {
				total += math.Exp(l)
			}
		}
		if err := s.check(total, 0, "the probabilities of all %d configurations (%s) add up to %v", states, c.describe(trial{energy: float32(aim)}), total); err != nil {
			return err
		}
	}
	return nil
}
