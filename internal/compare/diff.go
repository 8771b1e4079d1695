package compare

import (
	"fmt"
	"math"

	"neuralwl/internal/compare/stats"
)

// Diff is what changed from one comparison to another one.
type Diff struct {
	// Lines say, for each system and sampler of both, how they compare.
	Lines []DiffLine
	// Regressions and Improvements are sentences.
	Regressions, Improvements []string
	// Only are systems and samplers that one of them lacks.
	Only []string
	// Same is the number of samplers whose numbers are all the same.
	Same int
	// Seeds are the pairs that a line needs to be decided at all.
	Seeds int
}

// DiffLine compares a quantity of a sampler on a system.
type DiffLine struct {
	System, Sampler string
	Budget          float64
	Quantity        string
	stats.Comparison
}

// quantities are compared, the smaller the better.
var quantities = []struct {
	name string
	of   func(r *Result, target float64) stats.Time
}{
	{"core seconds to the target, training not counted", func(r *Result, target float64) stats.Time {
		without, _, _ := r.ToTarget(target)
		return without
	}},
	{"core seconds to the target, all training counted", func(r *Result, target float64) stats.Time {
		_, with, _ := r.ToTarget(target)
		return with
	}},
	{"site updates to the target", func(r *Result, target float64) stats.Time {
		_, _, updates := r.ToTarget(target)
		return updates
	}},
	{"error of ln g at the end", func(r *Result, _ float64) stats.Time {
		if math.IsInf(r.RMS, 0) {
			return stats.Time{Value: tiny, Censored: true}
		}
		return stats.Time{Value: max(r.RMS, tiny)}
	}},
}

// Compare says what changed from a to b, for systems, samplers, budgets and seeds that both have.
// Each quantity is a family.
func Compare(a, b *Results) *Diff {
	d := &Diff{}
	type pair struct {
		y    *SystemResults
		a, b *SamplerResults
	}
	var pairs []pair
	name := func(y *SystemResults, p *SamplerResults) string {
		if y.Budget != 1 {
			return fmt.Sprintf("%s on %s, budget %g", p.Sampler.Name, y.System.Name, y.Budget)
		}
		return p.Sampler.Name + " on " + y.System.Name
	}
	lacks := func(from, other *Results, word string) {
		for i := range from.Systems {
			y := &from.Systems[i]
			for k := range y.Samplers {
				p := &y.Samplers[k]
				if o := other.find(y, p.Sampler.Name); o == nil {
					d.Only = append(d.Only, name(y, p)+" is "+word)
				} else if word == "gone" {
					pairs = append(pairs, pair{y, p, o})
				}
			}
		}
	}
	lacks(a, b, "gone")
	lacks(b, a, "new")
	for _, p := range pairs {
		was, is, same, of := 0, 0, 0, 0
		for _, x := range p.a.Cells {
			for _, y := range p.b.Cells {
				if x.Seed != y.Seed {
					continue
				}
				of++
				if x.Failed != "" {
					was++
				}
				if y.Failed != "" {
					is++
				}
				if x.Failed == "" && y.Failed == "" && x.RMS == y.RMS && x.Max == y.Max && x.Moves == y.Moves && x.RoundTrips == y.RoundTrips {
					same++
				}
			}
		}
		if same > 0 && same == of {
			d.Same++
		}
		if is > was {
			d.Regressions = append(d.Regressions, fmt.Sprintf("%s: %d cells fail, %d did before", name(p.y, p.a), is, was))
		} else if is < was {
			d.Improvements = append(d.Improvements, fmt.Sprintf("%s: %d cells fail, %d did before", name(p.y, p.a), is, was))
		}
	}
	for _, q := range quantities {
		families := make([][2][]stats.Time, len(pairs))
		for i, p := range pairs {
			for _, x := range p.a.Cells {
				for _, y := range p.b.Cells {
					if x.Seed == y.Seed {
						families[i][0] = append(families[i][0], q.of(y, p.y.System.Target))
						families[i][1] = append(families[i][1], q.of(x, p.y.System.Target))
					}
				}
			}
		}
		for i, c := range stats.Judge(families) {
			p := pairs[i]
			d.Lines = append(d.Lines, DiffLine{p.y.System.Name, p.a.Sampler.Name, p.y.Budget, q.name, c})
			text := fmt.Sprintf("%s: %s, %.3g times what it was, %s", name(p.y, p.a), q.name, c.Ratio, interval(c.Interval))
			if math.IsNaN(c.Ratio) {
				text = fmt.Sprintf("%s: %s, in units of those before: %s", name(p.y, p.a), q.name, interval(c.Interval))
			}
			switch c.Verdict {
			case stats.Slower:
				d.Regressions = append(d.Regressions, text)
			case stats.Faster:
				d.Improvements = append(d.Improvements, text)
			}
		}
	}
	d.Seeds = stats.SeedsNeeded(len(pairs))
	return d
}

func (a *Results) find(y *SystemResults, sampler string) *SamplerResults {
	for i := range a.Systems {
		if o := &a.Systems[i]; o.System.Name == y.System.Name && o.Budget == y.Budget {
			return o.sampler(sampler)
		}
	}
	return nil
}
