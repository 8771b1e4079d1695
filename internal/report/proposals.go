package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"

	"neuralwl/internal/plots"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// InverseSummary compares the absolute estimate by inverse probabilities with that from
// histograms.
type InverseSummary struct {
	Levels int `json:"levels"`
	// LnTotal is ln of the number of configurations; N ln q is known.
	LnTotal dos.Estimate `json:"ln_total"`
	Known   float64      `json:"known"`
	// Discrepancy is the root of the mean square of the differences between both
	// estimates, each in units of the two errors together, and ErrorRatio the median of its
	// errors in units of the histogram's. Both are 0 where it is the only estimate.
	Discrepancy float64 `json:"discrepancy"`
	ErrorRatio  float64 `json:"error_ratio"`
	// Effective is the least effective number of draws of a level.
	Effective float64 `json:"effective_draws_least"`
}

func (s *InverseSummary) String() string {
	if s.ErrorRatio == 0 {
		return fmt.Sprintf("%d levels, ln of their sum %s, N ln q = %.4f; at least %.0f effective draws", s.Levels, s.LnTotal, s.Known, s.Effective)
	}
	return fmt.Sprintf("%d levels, ln of their sum %s, N ln q = %.4f; errors %.1f of the histogram's, discrepancy %.2f, at least %.0f effective draws",
		s.Levels, s.LnTotal, s.Known, s.ErrorRatio, s.Discrepancy, s.Effective)
}

// ProposalSummary is what became of the network's proposals in production.
type ProposalSummary struct {
	Acceptance float64 `json:"acceptance"`
	// Changed is the mean share of the sites that an accepted proposal changed, and
	// ChangedMedian the median over the energies: an acceptance says little where nothing moves.
	Changed       float64 `json:"changed"`
	ChangedMedian float64 `json:"changed_median"`
	// Time is the share of production's moves that the network took, in wall-clock time.
	Time float64 `json:"time"`
	// Remark says so where the network did not pay; else empty.
	Remark string `json:"remark,omitempty"`
}

// littleChanged is the median share of the sites below which a network's accepted proposals
// move walkers less than the sweeps do that fit into their time.
const littleChanged = 0.05

// summariseProposals returns nil without proposals.
func (r *Result) summariseProposals(phases []PhaseSummary) *ProposalSummary {
	p := r.proposals
	if p == nil {
		return nil
	}
	n := float64(r.System.Sites())
	var trials, accepted, changed float64
	var shares []float64
	for b, t := range p.Trials {
		trials += float64(t)
		accepted += float64(p.Accepted[b])
		changed += float64(p.Changed[b])
		if p.Accepted[b] > 0 {
			shares = append(shares, float64(p.Changed[b])/float64(p.Accepted[b])/n)
		}
	}
	s := &ProposalSummary{Acceptance: accepted / trials}
	if accepted > 0 {
		slices.Sort(shares)
		s.Changed, s.ChangedMedian = changed/accepted/n, shares[len(shares)/2]
	}
	for _, phase := range phases {
		if t := phase.Seconds; phase.Name == sampler.Production {
			if network := t["propose"] + t["log_prob"]; network > 0 {
				s.Time = network / (network + t["local"])
			}
		}
	}
	if s.ChangedMedian < littleChanged && s.Time > 0 && s.Time < 1 {
		s.Remark = fmt.Sprintf("the network did not pay: over half of the energies its accepted proposals change less than %.0f %% of the sites; "+
			"local moves alone (run.method=wang-landau) make %.1f times as many sweeps in the same time", 100*littleChanged, 1/(1-s.Time))
	}
	return s
}

// byWeights makes the estimate from inverse probabilities, nil where there is none.
func (r *Result) byWeights() *dos.Absolute {
	blocks := r.Samples.Weights()
	if blocks == nil {
		return nil
	}
	a, err := dos.FromWeights(r.energy, blocks)
	if err != nil {
		r.Log.Warn("no estimate from inverse probabilities of proposals", "reason", err)
		return nil
	}
	return a
}

// compareInverse sums up the estimate from inverse probabilities, nil without.
func (r *Result) compareInverse() *InverseSummary {
	a := r.absolute
	if a == nil {
		return nil
	}
	s := &InverseSummary{Levels: a.Len(), LnTotal: dos.NewEstimate(a.LnTotal, a.LnTotalError), Known: r.System.LnStates(), Effective: math.Inf(1)}
	for _, n := range a.Effective {
		s.Effective = min(s.Effective, n)
	}
	if r.histogram != nil {
		s.Discrepancy, s.ErrorRatio = difference(a.Density, r.histogram.Density)
	}
	return s
}

// proposalBins is the number of bins of the energy in which proposals are drawn, at most.
const proposalBins = 40

// bin is a range of energies.
type bin struct {
	energy                    float64 // sum over the trials
	trials, accepted, changed float64
	inverse, weight           float64 // sums of the weighted deviations and of the weights
}

// binned sums proposals up by energy.
func (r *Result) binned() []bin {
	levels := r.System.Levels()
	n := min(proposalBins, levels)
	of := func(level int) int { return level * n / levels }
	bins := make([]bin, n)
	for level, trials := range r.proposals.Trials {
		b := &bins[of(level)]
		b.energy += float64(trials) * r.System.Energy(level)
		b.trials += float64(trials)
		b.accepted += float64(r.proposals.Accepted[level])
		b.changed += float64(r.proposals.Changed[level])
	}
	if r.absolute != nil {
		place := make(map[float64]int, levels)
		for level := range levels {
			place[r.System.Energy(level)] = level
		}
		for i, e := range r.absolute.Energy {
			k, ok := slices.BinarySearch(r.density.Energy, e)
			if deviation := r.absolute.Error[i]; ok && deviation > 0 {
				b, weight := &bins[of(place[e])], 1/(deviation*deviation)
				b.inverse += weight * (r.absolute.LnG[i] - r.density.LnG[k])
				b.weight += weight
			}
		}
	}
	return slices.DeleteFunc(bins, func(b bin) bool { return b.trials == 0 })
}

// wilson is the centre of the interval of one standard error for a probability, and half its
// width, of so many trials (E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927)).
func wilson(successes, trials float64) (centre, half float64) {
	p := successes / trials
	return (p + 0.5/trials) / (1 + 1/trials), math.Sqrt(p*(1-p)/trials+0.25/(trials*trials)) / (1 + 1/trials)
}

// plotProposals draws acceptance and changes in bins of the energy and, where there is one, how
// far the estimate by inverse probabilities is from that by histograms.
func (r *Result) plotProposals() plots.Figure {
	n := float64(r.System.Sites())
	var acceptance, changed, inverse plots.Series
	for _, b := range r.binned() {
		x := b.energy / b.trials / n
		centre, half := wilson(b.accepted, b.trials)
		acceptance = append(acceptance, plots.Point{X: x, Y: centre, Error: half})
		if b.accepted > 0 {
			changed = append(changed, plots.Point{X: x, Y: b.changed / b.accepted / n, Error: math.NaN()})
		}
		if b.weight > 0 {
			inverse = append(inverse, plots.Point{X: x, Y: b.inverse / b.weight, Error: 1 / math.Sqrt(b.weight)})
		}
	}
	upper := plots.NewPanel("Proposals of the network, "+r.title(), "", "acceptance")
	upper.IncludeY(0)
	upper.Points("", acceptance, estimateColour)
	label := "E / N" // below the last panel
	if r.absolute != nil {
		label = ""
	}
	middle := plots.NewPanel("", label, "sites changed / N")
	middle.IncludeY(0, 1)
	middle.AlignX(upper)
	middle.Points("", changed, estimateColour)
	figure := plots.Figure{upper, middle}
	if r.absolute != nil {
		lower := plots.NewPanel("", "E / N", "ln Omega (inverse) - ln g")
		lower.IncludeY(0)
		lower.AlignX(upper)
		lower.Points("", inverse, estimateColour)
		figure = append(figure, lower)
	}
	return figure
}

// writeProposals writes proposals.csv: by energy of the configuration that a proposal was
// made for, the number of proposals, the share that was accepted, and the mean share of the
// sites that an accepted one changed.
func (r *Result) writeProposals(w io.Writer) error {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, "energy,proposals,acceptance,changed_share")
	p := r.proposals
	for b := len(p.Trials) - 1; b >= 0; b-- {
		trials, accepted := float64(p.Trials[b]), float64(p.Accepted[b])
		if trials == 0 {
			continue
		}
		changed := math.NaN()
		if accepted > 0 {
			changed = float64(p.Changed[b]) / accepted / float64(r.System.Sites())
		}
		fmt.Fprintf(&buf, "%g,%d,%s,%s\n", r.System.Energy(b), p.Trials[b], field(accepted/trials, 6), field(changed, 6))
	}
	_, err := buf.WriteTo(w)
	return err
}
