package honest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"neuralwl/exporter/reference"
)

// checkReversible tests an unnormalised network. First, as for any other, proposals keep the sites before
// start, and both graphs give the same ln p. Second, its moves must be reversible for p. If only the last m
// sites are drawn, there are so few configurations that p is known from all their ln p: with s drawn
// from p and s' by a move from there, the move s -> s' is then as frequent as s' -> s. The likelihood ratio
// of any other hypothesis, which tilts the odds of the two by exp(t f) with some property f that changes
// sign in the reverse move, is evidence against that, without any approximation: see evidence, where the
// move is the draw a, its reverse the alternative b, and q(a) = q(b). Moves of all sites are tested in the same
// way if all configurations are few.
func (c *checker) checkReversible() error {
	n, q := c.o.System.Sites(), c.o.System.Colours()
	last := min(n, max(1, int(math.Log(Rows)/math.Log(float64(q))+1e-9)))
	var whole *class
	if c.o.System.LnStates() <= math.Log(enumerable)+1e-9 {
		var err error
		if whole, err = c.newClass(make([]int32, n), 0); err != nil {
			return err
		}
	} else if !c.own {
		c.report.Untested = fmt.Sprintf("only moves of the last %d sites were tested to be reversible: there are too many configurations for a test of all", last)
	}
	r := rand.New(c.rng)
	for total := c.draws(); c.report.Draws < total; {
		drawn, _, err := c.draw()
		if err != nil {
			return err
		}
		c.count(drawn)
		c.earlier = drawn
		some := whole
		if whole == nil || c.report.Draws/Rows%2 == 1 {
			if some, err = c.newClass(drawn[r.IntN(Rows)].to, n-last); err != nil {
				return err
			}
		}
		if err := c.moves(r, some); err != nil {
			return err
		}
	}
	return nil
}

// class are all configurations that agree before a site.
type class struct {
	states []trial
	lnP    []float64
	sums   []float64 // of exp(lnP) up to a constant, cumulative
}

func (c *checker) newClass(like []int32, start int) (*class, error) {
	n, q := len(like), c.o.System.Colours()
	states := 1
	for range n - start {
		states *= q
	}
	all := &class{}
	for k := range states {
		to := slices.Clone(like)
		for i, rest := start, k; i < n; i, rest = i+1, rest/q {
			to[i] = int32(rest % q)
		}
		all.states = append(all.states, trial{from: like, to: to, start: int32(start)})
	}
	var err error
	if all.lnP, err = c.logProb(all.states); err != nil {
		return nil, err
	}
	most, sum := slices.Max(all.lnP), 0.0
	for k, x := range all.lnP {
		if math.IsInf(x, -1) {
			return nil, fmt.Errorf("log_prob (%s) is %v, a p of 0; %s", c.describe(all.states[k]), x, c.remedy())
		}
		sum += math.Exp(x - most)
		all.sums = append(all.sums, sum)
	}
	return all, nil
}

// draw draws a configuration from p, by its number.
func (k *class) draw(r *rand.Rand) int {
	i, _ := slices.BinarySearch(k.sums, r.Float64()*k.sums[len(k.sums)-1])
	return min(i, len(k.sums)-1)
}

// number is that of a configuration of the class.
func (k *class) number(state []int32, q int) int {
	number := 0
	for i := len(state) - 1; i >= int(k.states[0].start); i-- {
		number = number*q + int(state[i])
	}
	return number
}

// moves makes moves within a class and takes the evidence of them.
func (c *checker) moves(r *rand.Rand, k *class) error {
	b := c.proposer.Batch()
	n := b.Sites
	from := make([]int, Rows)
	for w := range Rows {
		from[w] = k.draw(r)
		copy(b.State[w*n:], k.states[from[w]].to)
		b.Start[w] = k.states[0].start
	}
	for w := range Rows {
		u := b.Uniforms(w)
		for i := range u {
			u[i] = float32(r.Uint64()>>40) * 0x1p-24
		}
	}
	if err := c.proposer.Propose(c.ctx); err != nil {
		return err
	}
	for w := range Rows {
		t := k.states[from[w]]
		proposal := b.Proposal[w*n : (w+1)*n]
		for i, colour := range proposal {
			if colour < 0 || int(colour) >= c.o.System.Colours() || i < int(t.start) && colour != t.to[i] {
				return fmt.Errorf("test of the contract: propose gives site %d the colour %d (start %d); %s", i, colour, t.start, c.remedy())
			}
		}
		to := k.number(proposal, c.o.System.Colours())
		if d, allowed := math.Abs(float64(b.Forward[w])-k.lnP[to]), reference.Rounding(n, k.lnP[to]); !(d <= allowed) {
			return fmt.Errorf("test of the contract: ln p of a proposal (start %d) is %v by propose and %v by log_prob, at most %.2g apart is right; %s",
				t.start, b.Forward[w], k.lnP[to], allowed, c.remedy())
		}
		if to == from[w] {
			continue
		}
		d := c.differences(k.states[to], t, k.lnP[from[w]]-k.lnP[to])
		d[c.evidence.ofMoves+turning], d[c.evidence.ofMoves+passing] = turned(t.to, proposal, c.o.System.Colours()), passed(t.to, proposal)
		for f := range d {
			d[f] *= 2 // from the move to its reverse
		}
		groups := []int{everything, partial}
		if t.start == 0 {
			groups[1] = whole
		}
		c.evidence.add(0, d, groups)
	}
	c.report.Draws += Rows
	c.report.Evidence = c.evidence.log10()
	if c.report.Evidence >= math.Log10(Refused) {
		return fmt.Errorf("test of moves: they are not reversible for ln p, the evidence against it after %d moves is 10^%.1f and an honest network has 10^%.0f with a probability of at most %.0e (%s); %s",
			c.report.Draws, c.report.Evidence, math.Log10(Refused), 1/Refused, c.evidence.worst(), c.remedy())
	}
	return nil
}

// turned is the property turning of the reverse of a move, half of its difference from that of the move.
func turned(from, to []int32, q int) (back float64) {
	for i, a := range from {
		b := to[i]
		switch d := (int(b) - int(a) + q) % q; {
		case 2*d == q || d == 0: // as far either way
		case 2*d < q:
			back--
		default:
			back++
		}
	}
	return back
}

// passed is the property passing of the reverse of a move, half of its difference from that of the move.
func passed(from, to []int32) (back float64) {
	for j := range from {
		for i := range j {
			if to[i] == from[j] {
				back--
			}
			if from[i] == to[j] {
				back++
			}
		}
	}
	return back
}
