package exact

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"

	"neuralwl/sampler/lattice"
)

// elimination is a transfer matrix for any system made of terms. Sites are added one by one, in an
// order that keeps the frontier small: the sites added so far that interact with one that is not.
// For each of the q^w configurations of a frontier of w sites the numbers of configurations of
// all sites added are known, by the sum of their gains. A site that leaves the frontier is summed over.
// (That is variable elimination along a path decomposition; Dechter, Artif. Intell. 113, 41 (1999).)
type elimination struct {
	system *lattice.Terms
	tables lattice.Tables
	steps  []eliminationStep
	joint  *joint // of pairs, nil for levels that are energies
	at     *point // where their polynomial is evaluated at present
	words  int    // of a count
	most   int    // words of all counts after any step
	Estimate
}

// eliminationStep adds a site.
type eliminationStep struct {
	site  int
	bonds []lattice.Bond // to sites added before, of the interactions that are then complete
	leave []int          // sites that leave the frontier
	gain  int            // the most that the step adds to it
}

const (
	// costElimination is the time in nanoseconds per word of a count that is moved or added.
	costElimination = 1.5
	// firstSites is how many sites are tried as the first one.
	firstSites = 16
	// maxPlanned bounds the sites of systems for which an order is looked for.
	maxPlanned = 1024
	// widestFrontier bounds the number of configurations of a frontier.
	widestFrontier = 1 << 28
)

// newElimination finds an order of the sites: the best of that in which they are numbered and of some
// that always add the site after which the frontier is smallest.
func newElimination(s *lattice.Terms) *elimination {
	best := &elimination{Estimate: Estimate{Elimination, math.Inf(1), math.Inf(1)}}
	neighbours := neighboursOf(s)
	pairs, tables := newJoint(s)
	n := s.Sites()
	natural := make([]int, n)
	for i := range natural {
		natural[i] = i
	}
	widest := int(math.Log(widestFrontier) / math.Log(float64(s.Colours())))
	orders := [][]int{natural}
	for k := range min(n, firstSites) {
		if n > maxPlanned {
			break
		}
		orders = append(orders, smallestFrontier(neighbours, k*n/min(n, firstSites), widest))
	}
	for _, order := range orders {
		if order == nil {
			continue
		}
		e := &elimination{system: s, tables: tables, joint: pairs, words: int(s.LnStates()/math.Ln2/64) + 1}
		if pairs != nil {
			e.words = 1
		}
		e.arrange(neighbours, order)
		if e.Estimate = e.plan(); e.Seconds < best.Seconds {
			best = e
		}
	}
	return best
}

// neighboursOf lists, by site, the sites with which it interacts.
func neighboursOf(s *lattice.Terms) [][]int {
	t := s.Tables()
	neighbours := make([][]int, s.Sites())
	for i := range neighbours {
		for _, b := range t.Bonds[t.First[i]:t.First[i+1]] {
			neighbours[i] = append(neighbours[i], int(b.A), int(b.B))
		}
		slices.Sort(neighbours[i])
		neighbours[i] = slices.Compact(neighbours[i])
	}
	return neighbours
}

// smallestFrontier is the order that begins at a site and goes on, each time, with the site that leaves
// the smallest frontier behind, and of several with the one that has fewest neighbours to come; nil
// if the frontier becomes wider than a bound.
func smallestFrontier(neighbours [][]int, first, widest int) (order []int) {
	left := make([]int, len(neighbours)) // neighbours yet to be added
	for i, near := range neighbours {
		left[i] = len(near)
	}
	added := make([]bool, len(neighbours))
	near := map[int]bool{} // sites next to those added
	width := 0
	growth := func(site int) (change int) {
		if left[site] > 0 {
			change = 1
		}
		for _, j := range neighbours[site] {
			if added[j] && left[j] == 1 {
				change--
			}
		}
		return change
	}
	for site := first; ; {
		width += growth(site)
		if width > widest {
			return nil
		}
		added[site] = true
		order = append(order, site)
		delete(near, site)
		for _, j := range neighbours[site] {
			if left[j]--; !added[j] {
				near[j] = true
			}
		}
		if len(order) == len(neighbours) {
			return order
		}
		next, least := -1, [2]int{}
		for j := range near {
			g := [2]int{growth(j), left[j]}
			if c := slices.Compare(g[:], least[:]); next < 0 || c < 0 || c == 0 && j < next {
				next, least = j, g
			}
		}
		if next < 0 { // in another part of the graph
			next = slices.Index(added, false)
		}
		site = next
	}
}

// arrange makes the steps of an order.
func (e *elimination) arrange(neighbours [][]int, order []int) {
	at, last := make([]int, len(order)), make([]int, len(order))
	for k, site := range order {
		at[site] = k
	}
	t := e.tables
	q := e.system.Colours()
	leave := make([][]int, len(order))
	for _, site := range order {
		last[site] = at[site]
		for _, j := range neighbours[site] {
			last[site] = max(last[site], at[j])
		}
		leave[last[site]] = append(leave[last[site]], site)
	}
	e.steps = nil
	for k, site := range order {
		s := eliminationStep{site: site, leave: leave[k], gain: int(slices.Max(t.Field[site*t.FieldStride:][:q]))}
		for _, b := range t.Bonds[t.First[site]:t.First[site+1]] {
			if at[b.A] < k && at[b.B] < k {
				s.bonds = append(s.bonds, b)
				size := q * q
				if b.Factor > 0 {
					size *= q
				}
				s.gain += int(slices.Max(t.Gain[b.Offset:][:size]))
			}
		}
		e.steps = append(e.steps, s)
	}
}

// plan predicts time and memory.
func (e *elimination) plan() Estimate {
	q, states, length := float64(e.system.Colours()), 1., 1.
	var moved, most float64
	for _, s := range e.steps {
		length += float64(s.gain)
		states *= q
		most = max(most, states*length)
		moved += states * length
		for range s.leave {
			moved += states * length
			states /= q
		}
	}
	e.most = int(min(most*float64(e.words), addressSpace))
	if e.joint != nil {
		moved *= costWeighted * float64(e.joint.points())
	}
	return Estimate{Elimination, seconds(moved * float64(e.words) * costElimination), 16 * most * float64(e.words)}
}

// frontier is what is known of the sites added so far.
type frontier struct {
	sites  []int    // in the order of the digits of a configuration, the first varying fastest
	states int      // q^len(sites)
	length int      // of the numbers of configurations by gain
	counts []uint64 // [states, length, words], the lowest word first
	spare  []uint64 // for the counts after the next step
}

// next returns room for that many words, which may hold anything.
func (f *frontier) next(words int) []uint64 { return f.spare[:words] }

// set makes the room that next returned the counts.
func (f *frontier) set(states, length int, counts []uint64) {
	f.states, f.length, f.counts, f.spare = states, length, counts, f.counts[:cap(f.counts)]
}

// run returns the numbers of configurations by gain.
func (e *elimination) run(ctx context.Context, workers int, progress *tracker) ([]*big.Int, error) {
	if e.joint != nil {
		return e.runJoint(ctx, workers, progress)
	}
	progress.expect(len(e.steps))
	f, err := e.sweep(ctx, 1, workers, progress)
	if err != nil {
		return nil, err
	}
	progress.finish()
	byGain := make([]*big.Int, f.length)
	word := new(big.Int)
	for gain := range byGain {
		n := new(big.Int)
		for _, w := range slices.Backward(f.counts[gain*e.words : (gain+1)*e.words]) {
			n.Lsh(n, 64).Or(n, word.SetUint64(w))
		}
		byGain[gain] = n
	}
	return byGain, nil
}

// sweep adds all sites to a lattice without any, whose number of configurations is one.
func (e *elimination) sweep(ctx context.Context, one uint64, workers int, progress *tracker) (*frontier, error) {
	f := &frontier{states: 1, length: 1, counts: make([]uint64, e.most), spare: make([]uint64, e.most)}
	f.counts[0] = one
	for _, s := range e.steps {
		if err := e.add(ctx, f, s, workers); err != nil {
			return nil, err
		}
		for _, site := range s.leave {
			if err := e.sum(ctx, f, site, workers); err != nil {
				return nil, err
			}
		}
		progress.add(1)
	}
	return f, nil
}

// statesAtOnce is how many configurations of the frontier a worker takes at a time.
const statesAtOnce = 64

// add adds a site, whose colour becomes the last digit.
func (e *elimination) add(ctx context.Context, f *frontier, s eliminationStep, workers int) error {
	t := e.tables
	q := e.system.Colours()
	place := map[int]int{} // of a site's digit: q to its power
	for k, power := 0, 1; k < len(f.sites); k++ {
		place[f.sites[k]] = power
		power *= q
	}
	length := f.length + s.gain
	counts := f.next(f.states * q * length * e.words)
	err := inChunks(ctx, workers, f.states, statesAtOnce, func(_, from, to int) {
		for state := from; state < to; state++ {
			own := f.counts[state*f.length*e.words : (state+1)*f.length*e.words]
			for c := range q {
				gain := int(t.Field[s.site*t.FieldStride+c])
				for _, b := range s.bonds {
					others := state / place[int(b.A)] % q
					if b.Factor > 0 {
						others += int(b.Factor) * (state / place[int(b.B)] % q)
					}
					gain += int(t.Gain[int(b.Offset)+others*q+c])
				}
				into := counts[(c*f.states+state)*length*e.words:][:length*e.words]
				clear(into[:gain*e.words])
				copy(into[gain*e.words:], own)
				if e.at != nil {
					e.at.weigh(into[gain:gain+len(own)], c)
				}
				clear(into[gain*e.words+len(own):])
			}
		}
	})
	f.sites = append(f.sites, s.site)
	f.set(f.states*q, length, counts)
	return err
}

// sum sums over the colours of a site, which leaves the frontier.
func (e *elimination) sum(ctx context.Context, f *frontier, site, workers int) error {
	q, k := e.system.Colours(), slices.Index(f.sites, site)
	low := 1 // configurations of the digits below
	for range k {
		low *= q
	}
	states, size := f.states/q, f.length*e.words
	counts := f.next(states * size)
	err := inChunks(ctx, workers, states, statesAtOnce, func(_, from, to int) {
		for state := from; state < to; state++ {
			into := counts[state*size : (state+1)*size]
			first := state/low*low*q + state%low
			copy(into, f.counts[first*size:(first+1)*size])
			for c := 1; c < q; c++ {
				at := (first + c*low) * size
				if e.at != nil {
					e.at.accumulate(into, f.counts[at:at+size])
				} else {
					accumulate(into, f.counts[at:at+size]) // no sum of counts carries into the next one
				}
			}
		}
	})
	f.sites = slices.Delete(f.sites, k, k+1)
	f.set(states, f.length, counts)
	return err
}

// spectrum makes levels of the numbers of configurations by gain.
func (e *elimination) spectrum(byGain []*big.Int) (*Spectrum, error) {
	all := new(big.Int)
	levels := newLevelCounts(e.system)
	for gain, n := range byGain {
		all.Add(all, n)
		levels.add(gain, n)
	}
	q := big.NewInt(int64(e.system.Colours()))
	if all.Cmp(q.Exp(q, big.NewInt(int64(e.system.Sites())), nil)) != 0 {
		return nil, fmt.Errorf("exact: compute density of states of %v: bug in method %s: its levels do not add up to q^N; please report it", e.system, Elimination)
	}
	return levels.spectrum(Elimination), nil
}
