package honest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// compare tests draws, whose ln q is given, against alternatives.
func (c *checker) compare(drawn []trial, logQ []float64) error {
	r := rand.New(c.rng)
	others := make([]trial, len(drawn))
	changed := make([]int, len(drawn)) // sites that may differ
	for w, t := range drawn {
		others[w], changed[w] = c.alternative(r, t)
	}
	otherLogQ, err := c.logProb(others)
	if err != nil {
		return err
	}
	for w, t := range drawn {
		if changed[w] == 0 && others[w].energy == t.energy {
			continue
		}
		lnRatio := otherLogQ[w] - logQ[w]
		if math.IsInf(logQ[w], -1) {
			return fmt.Errorf("test of draws: ln q of a draw (%s) is %v; %s", c.describe(t), logQ[w], c.remedy())
		}
		if math.IsInf(lnRatio, -1) {
			continue // no hypothesis has the alternative
		}
		c.evidence.add(lnRatio, c.differences(t, others[w], lnRatio), c.groups(t, others[w], changed[w]))
	}
	c.count(drawn)
	c.report.Draws += len(drawn)
	c.report.Evidence = c.evidence.log10()
	if c.report.Evidence >= math.Log10(Refused) {
		return fmt.Errorf("test of draws: they do not follow ln q, the evidence against it after %d draws is 10^%.1f and an honest network has 10^%.0f with a probability of at most %.0e (%s); %s",
			c.report.Draws, c.report.Evidence, math.Log10(Refused), 1/Refused, c.evidence.worst(), c.remedy())
	}
	return nil
}

// alternative returns a trial that is chosen from t as often as t from it: with other colours
// at some consecutive sites of any number, either all shifted by the same amount or
// independent, or with another target energy. changed is the number of these sites.
func (c *checker) alternative(r *rand.Rand, t trial) (other trial, changed int) {
	other = t
	n, q := len(t.to), c.o.System.Colours()
	if c.bundle.Card.TakesEnergy() && r.IntN(4) == 0 {
		low, high := c.energies()
		d := float32(logUniform(r, max(1, int(high-low))))
		if r.IntN(2) == 0 {
			d = -d
		}
		if e := t.energy + d; e >= float32(low) && e <= float32(high) {
			other.energy = e
		}
		return other, 0
	}
	free := n - int(t.start)
	changed = 1
	if r.IntN(2) == 0 {
		changed = logUniform(r, free)
	}
	first := int(t.start) + r.IntN(free-changed+1)
	other.to = slices.Clone(t.to)
	sites := other.to[first : first+changed]
	if r.IntN(2) == 0 {
		d := 1 + r.IntN(q-1)
		for i := range sites {
			sites[i] = int32((int(sites[i]) + d) % q)
		}
		return other, changed
	}
	for i := range sites {
		sites[i] = int32(r.IntN(q))
	}
	if slices.Equal(other.to, t.to) {
		changed = 0
	}
	return other, changed
}

// differences returns what the properties of an alternative have more than those of t.
func (c *checker) differences(t, other trial, lnRatio float64) []float64 {
	d := make([]float64, len(c.evidence.properties))
	s := c.o.System
	d[lnProbability] = lnRatio
	d[energy] = s.Energy(s.LevelInt32(other.to)) - s.Energy(s.LevelInt32(t.to))
	d[target] = float64(other.energy - t.energy)
	most := c.evidence.ofMoves - firstColour
	for i, a := range t.to {
		b := other.to[i]
		if a == b {
			continue
		}
		if c.keeps {
			d[likeState] += indicator(b == t.from[i]) - indicator(a == t.from[i])
		}
		d[likeEarlier] += math.Log(c.frequency(i, b) / c.frequency(i, a))
		if int(a) < most {
			d[firstColour+a]--
		}
		if int(b) < most {
			d[firstColour+b]++
		}
	}
	if d[likeEarlier] != 0 {
		d[onlyEarlier] = d[likeEarlier] - lnRatio
	}
	return d
}

// groups lists the groups of draws that t and its alternative both belong to.
func (c *checker) groups(t, other trial, changed int) []int {
	g := []int{everything}
	if t.start == 0 {
		g = append(g, whole)
	} else {
		g = append(g, partial)
	}
	if changed == 1 {
		g = append(g, oneSite)
	}
	aim, otherAim := t.shift, other.shift
	if c.bundle.Card.TakesEnergy() {
		low, high := c.energies()
		middle := float32(low+high) / 2
		aim, otherAim = t.energy-middle, other.energy-middle
	}
	switch {
	case aim < 0 && otherAim < 0:
		g = append(g, lowAim)
	case aim > 0 && otherAim > 0:
		g = append(g, highAim)
	}
	return g
}

// count takes the draws into the frequencies of colours.
func (c *checker) count(drawn []trial) {
	q := c.o.System.Colours()
	for _, t := range drawn {
		for i := int(t.start); i < len(t.to); i++ {
			c.colours[i*q+int(t.to[i])]++
		}
	}
}

// frequency is about that of a colour at a site in earlier draws.
func (c *checker) frequency(site int, colour int32) float64 {
	q := c.o.System.Colours()
	total := float64(q)
	for _, k := range c.colours[site*q : (site+1)*q] {
		total += float64(k)
	}
	return (1 + float64(c.colours[site*q+int(colour)])) / total
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
