package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/stat/distuv"

	"neuralwl/sampler/dos"
)

// BridgeSummary is what the network's draws add to the walkers' transitions: the number of states,
// absolute, in windows of levels.
type BridgeSummary struct {
	Windows int `json:"windows"`
	// Used is how many windows the estimate takes: those with enough draws and states, an overlap
	// of at least dos.LeastOverlap, and no level that one walker alone knows.
	Used int `json:"used"`
	// Overlap is the least one, the share of the states of a window that could have been draws.
	Overlap float64 `json:"overlap_least"`
	// Forward and Reverse are the differences of the estimates from draws and from states alone from
	// the joint one, in standard errors, the root of the mean square over the windows in which these
	// errors can be trusted; ForwardWindows and ReverseWindows is how many these are. The largest is
	// no measure: where the network is weak a few points decide about each alone, and the errors do
	// not know of those that are missing.
	Forward        float64 `json:"forward_deviation"`
	Reverse        float64 `json:"reverse_deviation"`
	ForwardWindows int     `json:"forward_windows"`
	ReverseWindows int     `json:"reverse_windows"`
	// Discrepancy is the root of the mean square of the differences between a window's number of
	// states by the draws and that by the transitions alone, each in units of both errors.
	Discrepancy float64 `json:"discrepancy"`
}

// summariseBridge returns nil without draws.
func (r *Result) summariseBridge() *BridgeSummary {
	if r.transitions == nil || r.transitions.Bridge == nil {
		return nil
	}
	s := &BridgeSummary{Windows: len(r.transitions.Bridge), Overlap: math.Inf(1)}
	for _, e := range r.transitions.Bridge {
		if math.IsNaN(e.LnZ) {
			continue
		}
		s.Overlap = min(s.Overlap, e.Overlap)
		if !e.Used {
			continue
		}
		s.Used++
		if z := e.ForwardDeviation; !math.IsNaN(z) {
			s.ForwardWindows++
			s.Forward += z * z
		}
		if z := e.ReverseDeviation; !math.IsNaN(z) {
			s.ReverseWindows++
			s.Reverse += z * z
		}
	}
	s.Forward = math.Sqrt(s.Forward / float64(max(1, s.ForwardWindows)))
	s.Reverse = math.Sqrt(s.Reverse / float64(max(1, s.ReverseWindows)))
	if math.IsInf(s.Overlap, 1) {
		s.Overlap = 0
	}
	s.Discrepancy = r.bridgeDiscrepancy()
	return s
}

// bridgeDiscrepancy compares the numbers of states in windows with those of the transitions alone.
func (r *Result) bridgeDiscrepancy() float64 {
	free, weights := r.transitions.Free, r.Samples.Windows[0].LnWeight
	lnWeight := make(map[float64]float64, len(r.energy))
	for level, e := range r.energy {
		lnWeight[e] = weights[level]
	}
	used := func(f func(e dos.BridgeEstimate)) {
		for _, e := range r.transitions.Bridge {
			if e.Used {
				f(e)
			}
		}
	}
	values, deviations, err := free.Estimate(func(d *dos.Density) (sums []float64, _ error) {
		used(func(e dos.BridgeEstimate) {
			var terms []float64
			for i, energy := range d.Energy {
				if energy <= r.energy[e.Low] && energy >= r.energy[e.High] {
					terms = append(terms, d.LnG[i]-lnWeight[energy])
				}
			}
			sums = append(sums, dos.LogSumExp(terms))
		})
		return sums, nil
	})
	if err != nil || len(values) == 0 {
		return 0
	}
	square, n := 0.0, 0
	used(func(e dos.BridgeEstimate) {
		z := (values[n] - e.LnZ) / math.Hypot(deviations[n], e.Error)
		if n++; !math.IsNaN(z) {
			square += z * z
		}
	})
	return math.Sqrt(square / float64(n))
}

func (s *BridgeSummary) String() string {
	if s.Used == 0 {
		return fmt.Sprintf("the draws are not used: in none of %d windows are there enough, with an overlap of at least %g (at least %.2f)", s.Windows, dos.LeastOverlap, s.Overlap)
	}
	return fmt.Sprintf("%d of %d windows used, overlap at least %.2f; %s", s.Used, s.Windows, s.Overlap, describe(s.differences()))
}

// fromJoint is the difference of an estimate from the joint one, the root of the mean square of deviations in some windows, in standard errors.
type fromJoint struct {
	of      string
	rms     float64
	windows int
}

func (s *BridgeSummary) differences() []fromJoint {
	return []fromJoint{
		{"transitions", s.Discrepancy, s.Used},
		{"draws alone", s.Forward, s.ForwardWindows},
		{"states alone", s.Reverse, s.ReverseWindows},
	}
}

// most is the largest rms that may be chance: of n independent normal deviations it is larger once in a
// thousand, but at least maxDiscrepancy, since those of neighbouring windows are not independent.
func (d fromJoint) most() float64 {
	return max(maxDiscrepancy, math.Sqrt(distuv.ChiSquared{K: float64(d.windows)}.Quantile(0.999)/float64(d.windows)))
}

// describe lists how far the estimates are from the joint one, where there is a comparison.
func describe(all []fromJoint) string {
	var texts []string
	for _, d := range all {
		if d.windows > 0 {
			texts = append(texts, fmt.Sprintf("%s differ by %.2f errors (rms) in %d windows", d.of, d.rms, d.windows))
		}
	}
	return strings.Join(texts, ", ")
}

// judgeBridge compares what the draws say with what the rest says.
func (r *Result) judgeBridge(s *Summary) {
	b := s.Bridge
	if b == nil || b.Used == 0 {
		return
	}
	var apart []string
	for _, d := range b.differences() {
		if d.windows > 0 && !(d.rms <= d.most()) {
			apart = append(apart, fmt.Sprintf("%s by more than %.1f", d.of, d.most()))
		}
	}
	v := &s.Verdict
	_, _, passes := s.production()
	text := "from draws and states together " + describe(b.differences())
	if len(apart) > 0 {
		text += ": " + strings.Join(apart, ", ")
	}
	v.check("draws", len(apart) == 0, "%s", text)
	v.advise("the walkers have not forgotten where they started, or the draws of the network miss states: %s", s.prolonged(3*passes))
}

// writeBridge writes bridge.csv.
func (r *Result) writeBridge(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{"lowest_energy", "highest_energy", "ln_z", "ln_z_error", "ln_z_draws", "ln_z_states",
		"draws_deviation", "states_deviation", "effective_draws", "effective_states", "overlap", "used"})
	for _, e := range r.transitions.Bridge {
		row := []string{fmt.Sprint(r.energy[e.High]), fmt.Sprint(r.energy[e.Low])}
		for _, x := range []float64{e.LnZ, e.Error, e.Forward, e.Reverse, e.ForwardDeviation, e.ReverseDeviation, e.ForwardEffective, e.ReverseEffective, e.Overlap} {
			text := ""
			if !math.IsNaN(x) {
				text = strconv.FormatFloat(x, 'g', 8, 64)
			}
			row = append(row, text)
		}
		out.Write(append(row, fmt.Sprint(e.Used)))
	}
	out.Flush()
	return out.Error()
}
