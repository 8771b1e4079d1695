package honest

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/sampler/lattice"
)

// Refused is the evidence at which a bundle is refused. An honest one reaches it with a
// probability of at most 1/Refused.
const Refused = 1e7

// evidence weighs the hypothesis that draws follow ln q against many others. For the honest
// hypothesis, a draw a is itself, rather than the alternative b that was chosen as often
// from a as a would be from b, with probability p(a) = q(a)/(q(a)+q(b)). Another hypothesis
// says r(a) = q(a) exp(t f(a)) / (q(a) exp(t f(a)) + q(b) exp(t f(b))), where f is some
// property of a configuration, such as its energy. The product of r/p over all draws has an
// expectation of 1 if the bundle is honest, whatever was chosen in the light of earlier
// draws, and so has the mean over all hypotheses. By Ville's inequality (Étude critique de
// la notion de collectif, 1939) that mean ever reaches 1/alpha with a probability of at most
// alpha. There is no approximation in this, even for rare colours and few draws.
type evidence struct {
	properties []string
	ofMoves    int // properties of configurations, which those of moves follow
	groups     []string
	members    [][]member // by group and property
}

// tilts are the values of t, as shares of ln q or per unit of the property.
var tilts = []float64{0.025, 0.05, 0.1, 0.2, 0.4, 0.8, -0.025, -0.05, -0.1, -0.2, -0.4, -0.8}

// member is what a group of draws says of a property.
type member struct {
	ln                 []float64 // of the product of r/p, by tilt
	observed, variance float64   // sum of f(a) less its expectation, and the variance of that
	count              int
}

// colourProperties is the largest number of properties that are numbers of sites of a colour.
const colourProperties = 10

// Properties of configurations, before those by colour.
const (
	lnProbability = iota // ln q
	energy               // in units of J
	target               // the target energy, in units of J, of which alternatives may have another
	likeState            // sites with the colour of the state that the move starts from
	likeEarlier          // sum over the sites of ln of the frequency of their colours in earlier draws
	onlyEarlier          // the same less ln q
	firstColour
)

// Properties of moves s -> s' of an unnormalised network, after those of configurations, which change
// sign in the reverse move.
const (
	turning = iota // sites that go on to the next colour less those that go back to the one before
	passing        // pairs i < j with s'_i = s_j less those with s_i = s'_j
	moveProperties
)

// Groups of draws.
const (
	everything = iota
	whole
	partial
	oneSite
	lowAim // the lower half of the targets, or negative shifts
	highAim
)

func newEvidence(s lattice.System, ofMoves bool) *evidence {
	e := &evidence{
		properties: []string{
			lnProbability: "ln q", energy: "energy", target: "target energy", likeState: "number of sites that keep their colour",
			likeEarlier: "ln frequency in earlier draws", onlyEarlier: "ln frequency in earlier draws less ln q",
		},
		groups: []string{
			everything: "all draws", whole: "draws of all sites", partial: "draws that keep sites", oneSite: "alternatives in one site",
			lowAim: "targets in the lower half or negative shifts", highAim: "targets in the upper half or positive shifts",
		},
	}
	for colour := range min(colourProperties, s.Colours()) {
		e.properties = append(e.properties, fmt.Sprintf("number of sites of colour %d", colour))
	}
	e.ofMoves = len(e.properties)
	if ofMoves {
		e.properties = append(e.properties, "turns to the next colour", "colours of later sites that go to earlier ones")
	}
	e.members = make([][]member, len(e.groups))
	for g := range e.members {
		e.members[g] = make([]member, len(e.properties))
		for f := range e.members[g] {
			e.members[g][f].ln = make([]float64, len(tilts))
		}
	}
	return e
}

// add takes a draw, given ln q(b) - ln q(a), f(b) - f(a) by property, and the groups that it
// belongs to.
func (e *evidence) add(lnRatio float64, difference []float64, groups []int) {
	ln := lnOnePlusExp(lnRatio)
	p := math.Exp(-ln) // that it is a
	for f, d := range difference {
		if d == 0 {
			continue
		}
		gain := make([]float64, len(tilts))
		for k, t := range tilts {
			gain[k] = ln - lnOnePlusExp(lnRatio+t*d)
		}
		for _, g := range groups {
			m := &e.members[g][f]
			for k := range gain {
				m.ln[k] += gain[k]
			}
			m.observed -= (1 - p) * d
			m.variance += p * (1 - p) * d * d
			m.count++
		}
	}
}

// log10 returns the decimal logarithm of the evidence.
func (e *evidence) log10() float64 {
	var all []float64
	for _, group := range e.members {
		for _, m := range group {
			all = append(all, m.ln...)
		}
	}
	most, sum := slices.Max(all), 0.0
	for _, x := range all {
		sum += math.Exp(x - most)
	}
	return (most + math.Log(sum/float64(len(all)))) / math.Ln10
}

// worst describes the group and the property with the most evidence.
func (e *evidence) worst() string {
	text, most := "", math.Inf(-1)
	for g, group := range e.members {
		for f, m := range group {
			if x := slices.Max(m.ln); x > most {
				most = x
				text = fmt.Sprintf("%s, %s: observed - expected is %+.4g in the sum over %d draws, where the standard error is %.2g", e.groups[g], e.properties[f], m.observed, m.count, math.Sqrt(m.variance))
			}
		}
	}
	return text
}

// lnOnePlusExp is ln(1 + exp(x)).
func lnOnePlusExp(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}
