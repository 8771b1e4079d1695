package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"neuralwl/internal/plots"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
)

// maxTail is the largest shape of the weights' tail at which errors can be trusted, see
// dos.Tail.Shape.
const maxTail = 0.7

// maxDeviation is by how many of their errors quantities may differ that are known to agree, or
// break an inequality that holds: there are many of them in a run.
const maxDeviation = 4

// temperature is what a run has found at one inverse temperature.
type temperature struct {
	dos.WeightedEstimate
	chain dos.ChainEstimate
	tail  float64 // dos.Tail.Shape
}

// estimateVariational makes averages at every temperature whose production has begun, and the
// density of states of the energies drawn in the latest one, which is absolute.
func estimateVariational(r *Result) (err error) {
	for _, t := range r.Temperatures {
		if t.Passes > 0 {
			e := dos.FromWeighted(t.Beta, r.System.Sites(), t.Blocks)
			r.temperatures = append(r.temperatures, temperature{e, t.Chains.Estimate(), t.Tail.Shape(e.Draws)})
		}
	}
	if len(r.temperatures) > 0 && r.Draws != nil {
		a, err := dos.FromWeights(r.energy, r.Draws)
		if err != nil {
			return err
		}
		r.density = a.Ensemble
		return nil
	}
	r.density = &dos.Ensemble{Density: &dos.Density{}}
	r.unproduced = r.density.Fill(r.adaptive())
	if r.density.Len() == 0 {
		return errNothing
	}
	r.density.Normalise(r.System.LnStates())
	return nil
}

// completeVariational has the averages in the order of the temperatures, and beside them what is
// known exactly.
func completeVariational(ctx context.Context, r *Result) (err error) {
	sorted := slices.Clone(r.temperatures)
	slices.SortFunc(sorted, func(a, b temperature) int { return int(math.Copysign(1, a.Beta-b.Beta)) })
	for _, t := range sorted {
		r.canonical = append(r.canonical, t.CanonicalEstimate)
		if r.System.ColoursOrder() {
			r.order = append(r.order, t.Order)
		}
	}
	if r.exact, err = exact.Density(ctx, r.System, exactTime); err != nil && !r.leaveOut("comparison with the exact density of states", err) {
		r.Log.Warn("no comparison with the exact density of states", "reason", err)
	}
	return nil
}

// TemperatureSummary is what a network's draws say at one inverse temperature; averages are per
// site.
type TemperatureSummary struct {
	Beta  float64 `json:"beta"`
	Draws int64   `json:"draws"`
	// Effective is the effective number of the draws, and Tail the shape of the tail of their
	// weights, nil where it is unknown or there is none.
	Effective float64  `json:"effective_draws"`
	Tail      *float64 `json:"tail_shape"`
	// LnZ is ln of the partition function of the whole system and Bound the variational one.
	LnZ      dos.Estimate `json:"ln_z"`
	Bound    dos.Estimate `json:"ln_z_bound"`
	ExactLnZ *float64     `json:"ln_z_exact,omitempty"`
	// FreeEnergy is absent at beta = 0, and FreeEnergyBound the upper bound.
	FreeEnergy      *dos.Estimate `json:"free_energy,omitempty"`
	FreeEnergyBound *dos.Estimate `json:"free_energy_bound,omitempty"`
	Energy          dos.Estimate  `json:"energy"`
	SpecificHeat    dos.Estimate  `json:"specific_heat"`
	Entropy         dos.Estimate  `json:"entropy"`
	Order           *OrderSummary `json:"order,omitempty"`
	// Acceptance and Autocorrelation, in proposals, are of the Markov chains whose proposals the
	// draws are, and ChainEnergy is their average.
	Acceptance      float64       `json:"acceptance"`
	Autocorrelation *dos.Estimate `json:"autocorrelation_proposals,omitempty"`
	ChainEnergy     dos.Estimate  `json:"energy_by_chains"`
	// Drawn are the shares of the ordered phases in the network's own draws, by colour, and
	// Phases those in the average; the latter are absent with frames, which make them equal.
	Drawn  []float64      `json:"phases_drawn,omitempty"`
	Phases []dos.Estimate `json:"phases,omitempty"`
}

// deviation is how far ln Z is from the exact one, in errors; NaN where that is unknown.
func (t *TemperatureSummary) deviation() float64 {
	if t.ExactLnZ == nil || t.LnZ.Error == nil {
		return math.NaN()
	}
	return (t.LnZ.Value - *t.ExactLnZ) / *t.LnZ.Error
}

func (t *TemperatureSummary) String() string {
	var text strings.Builder
	if t.FreeEnergy != nil {
		fmt.Fprintf(&text, "F/N %s, bound %s, ", t.FreeEnergy, t.FreeEnergyBound)
	}
	if z := t.deviation(); !math.IsNaN(z) {
		fmt.Fprintf(&text, "%+.1f errors of ln Z from exact, ", z)
	}
	fmt.Fprintf(&text, "U/N %s, C/N %s", t.Energy, t.SpecificHeat)
	if t.Order != nil {
		fmt.Fprintf(&text, ", m %s", t.Order.Mean)
	}
	fmt.Fprintf(&text, "; %.3g %% of %.3g draws effective, %.3g %% accepted", 100*t.Effective/float64(t.Draws), float64(t.Draws), 100*t.Acceptance)
	if t.Autocorrelation != nil {
		fmt.Fprintf(&text, ", autocorrelation %s proposals", t.Autocorrelation)
	}
	return text.String()
}

func (r *Result) summariseTemperatures() (all []TemperatureSummary) {
	n := float64(r.System.Sites())
	for _, t := range r.temperatures {
		s := TemperatureSummary{
			Beta: t.Beta, Draws: t.Draws, Effective: t.Effective,
			LnZ: dos.NewEstimate(t.LnZ, t.LnZError), Bound: dos.NewEstimate(t.Bound, t.BoundError),
			Energy: dos.NewEstimate(t.Energy/n, t.EnergyError/n), SpecificHeat: dos.NewEstimate(t.SpecificHeat/n, t.SpecificHeatError/n),
			Entropy: dos.NewEstimate(t.Entropy/n, t.EntropyError/n), Acceptance: t.chain.Acceptance,
			ChainEnergy: dos.NewEstimate(t.chain.Energy/n, t.chain.EnergyError/n), Drawn: t.Drawn,
		}
		if !math.IsNaN(t.tail) && !math.IsInf(t.tail, 0) {
			s.Tail = &t.tail
		}
		if t.Beta != 0 {
			free, bound := dos.NewEstimate(t.FreeEnergy()/n, t.FreeEnergyError/n), dos.NewEstimate(-t.Bound/t.Beta/n, math.Abs(t.BoundError/t.Beta)/n)
			s.FreeEnergy, s.FreeEnergyBound = &free, &bound
		}
		if r.exact != nil {
			lnZ := r.exact.At(t.Beta).LnZ
			s.ExactLnZ = &lnZ
		}
		if o := t.Order; isKnown(o) {
			s.Order = &OrderSummary{t.Beta, dos.NewEstimate(o.Mean, o.MeanError), dos.NewEstimate(o.Susceptibility, o.SusceptibilityError), dos.NewEstimate(o.Binder, o.BinderError)}
		}
		if !math.IsNaN(t.chain.Autocorrelation) {
			tau := dos.NewEstimate(t.chain.Autocorrelation, t.chain.AutocorrelationError)
			s.Autocorrelation = &tau
		}
		for c, x := range t.Phases {
			if !r.Config.Neural.Frames {
				s.Phases = append(s.Phases, dos.NewEstimate(x, t.PhaseErrors[c]))
			}
		}
		all = append(all, s)
	}
	return all
}

// phasesAlike reports whether a symmetry makes the phases of all colours alike.
func (r *Result) phasesAlike() bool {
	s, ok := r.System.(lattice.Symmetric)
	return ok && r.System.ColoursOrder() && len(s.Phases()) == r.System.Colours()
}

// concludeVariational collects the evidence that a network's draws give canonical averages.
func concludeVariational(r *Result, s *Summary) {
	s.Levels = LevelSummary{Seen: r.density.Len(), Missing: []float64{}, Unproduced: append([]float64{}, r.unproduced...)}
	s.Temperatures = r.summariseTemperatures()
	v, betas := &s.Verdict, r.Config.Run.Temperatures()
	v.check("production", len(r.temperatures) == len(betas), "%d of %d temperatures", len(r.temperatures), len(betas))
	v.advise("more time (run.max_time), or fewer steps (van.steps) and temperatures in a new run")
	if len(r.temperatures) == 0 {
		return
	}
	worst := r.temperatures[0]
	heaviest := worst
	for _, t := range r.temperatures {
		if t.Effective < worst.Effective {
			worst = t
		}
		if !(t.tail <= heaviest.tail) {
			heaviest = t
		}
	}
	more := "more draws (production.passes), more steps (van.steps) or a larger network (model.decoder, or model.architecture conv) in a new run"
	v.check("draws", worst.Effective >= minEffective, "%.0f of %d draws effective at beta = %g, at least %d are needed", worst.Effective, worst.Draws, worst.Beta, minEffective)
	v.advise("%s", more)
	switch {
	case math.IsInf(heaviest.tail, -1):
		v.check("tail", true, "the largest weights are all alike")
	case math.IsNaN(heaviest.tail):
		v.check("tail", false, "too few draws at beta = %g to tell the shape of the tail of their weights", heaviest.Beta)
	default:
		v.check("tail", heaviest.tail <= maxTail, "the tail of the weights has the shape %.2f at beta = %g, at most %g is allowed: above it errors are too small", heaviest.tail, heaviest.Beta, maxTail)
	}
	v.advise("the network hardly draws states that count: %s", more)
	r.judgePhases(v)
	r.judgeTangents(v)
	off, at := 0.0, worst
	for _, t := range r.temperatures {
		if z := math.Abs(t.chain.Energy-t.Energy) / math.Hypot(t.chain.EnergyError, t.EnergyError); z > off {
			off, at = z, t
		}
	}
	v.check("chains", off <= maxDeviation, "the energies by Markov chains and by weights differ by %.1f errors at beta = %g, at most %d are allowed", off, at.Beta, maxDeviation)
	v.advise("the chains stay for long where the network hardly draws: %s", more)
	if len(betas) < 2 {
		v.Remark = "no draws show what the network never draws: temperatures from the disordered to the ordered phase (run.betas) check each other"
	}
}

// judgePhases finds out whether the network has collapsed into some of the phases that are alike.
func (r *Result) judgePhases(v *Verdict) {
	const name = "phases"
	q := r.System.Colours()
	switch {
	case r.Config.Neural.Frames:
		v.check(name, true, "alike by neural.frames")
		return
	case !r.phasesAlike():
		v.check(name, true, "no symmetry of this system takes the phases of all colours to each other, and no evidence")
		return
	}
	off, beta, colour, share := -1.0, 0.0, 0, dos.Estimate{}
	for _, t := range r.temperatures {
		for c, p := range t.Phases {
			z := math.Abs(p-1/float64(q)) / t.PhaseErrors[c]
			if p == 0 || p == 1 {
				z = math.Inf(1)
			}
			if z > off || math.IsNaN(z) {
				off, beta, colour, share = z, t.Beta, c, dos.NewEstimate(p, t.PhaseErrors[c])
			}
		}
	}
	v.check(name, off <= maxDeviation, "that of colour %d has the share %s at beta = %g, all should have 1/%d", colour, share, beta, q)
	v.advise("the network has collapsed into some of the phases, and ln Z lacks the others: --set neural.frames=true, or slower annealing (van.steps, run.betas) in a new run")
}

// judgeTangents compares ln Z, a convex function of beta with the slope -U, at every temperature with
// the tangents of all others, and with what is known at both ends: it lies above them.
func (r *Result) judgeTangents(v *Verdict) {
	type point struct {
		name                           string
		beta, lnZ, lnZError, u, uError float64
		hasValue, hasTangent           bool
	}
	var points []point
	for _, t := range r.temperatures {
		points = append(points, point{name: fmt.Sprintf("beta = %g", t.Beta), beta: t.Beta, lnZ: t.LnZ, lnZError: t.LnZError, u: t.Energy, uError: t.EnergyError, hasValue: true, hasTangent: true})
	}
	points = append(points, point{name: "beta = 0", lnZ: r.System.LnStates(), hasValue: true})
	if lattice.GroundKnown(r.System) {
		points = append(points, point{name: "the ground states", lnZ: r.System.LnGroundStates(), u: r.System.Energy(r.System.GroundLevel()), hasTangent: true})
	}
	least, below, above := math.Inf(1), "", ""
	for _, a := range points {
		for _, b := range points {
			if !a.hasValue || !b.hasTangent || a.name == b.name {
				continue
			}
			way := a.beta - b.beta
			if z := (a.lnZ - b.lnZ + way*b.u) / math.Sqrt(a.lnZError*a.lnZError+b.lnZError*b.lnZError+way*way*b.uError*b.uError); z < least || math.IsNaN(z) {
				least, below, above = z, a.name, b.name
			}
		}
	}
	side := "above"
	if least < 0 {
		side = "below"
	}
	v.check("tangents", least >= -maxDeviation, "ln Z at %s is %.1f errors %s the tangent of %s, at most %d below are allowed", below, math.Abs(least), side, above, maxDeviation)
	v.advise("one of these two misses states, most likely a phase: slower annealing (van.steps, or temperatures in between in run.betas), or annealing from the other side, in a new run")
}

// writeTemperatures writes temperatures.csv.
func (r *Result) writeTemperatures(w io.Writer) error {
	var buf bytes.Buffer
	fmt.Fprint(&buf, "beta,draws,effective_draws,tail_shape,ln_z,ln_z_error,ln_z_bound,ln_z_bound_error,ln_z_exact,acceptance,autocorrelation,autocorrelation_error,energy_by_chains,energy_by_chains_error")
	phases := 0
	if r.System.ColoursOrder() {
		phases = r.System.Colours()
	}
	for c := range phases {
		fmt.Fprintf(&buf, ",drawn_%d", c)
	}
	for c := range phases {
		fmt.Fprintf(&buf, ",phase_%d,phase_%d_error", c, c)
	}
	fmt.Fprintln(&buf)
	n := float64(r.System.Sites())
	for _, t := range r.temperatures {
		lnZ := math.NaN()
		if r.exact != nil {
			lnZ = r.exact.At(t.Beta).LnZ
		}
		fmt.Fprintf(&buf, "%s,%d,%s", field(t.Beta, -1), t.Draws, field(t.Effective, 6))
		for _, x := range []float64{t.tail, t.LnZ, t.LnZError, t.Bound, t.BoundError, lnZ, t.chain.Acceptance, t.chain.Autocorrelation, t.chain.AutocorrelationError, t.chain.Energy / n, t.chain.EnergyError / n} {
			fmt.Fprintf(&buf, ",%s", field(x, 12))
		}
		for c := range phases {
			fmt.Fprintf(&buf, ",%s", field(t.Drawn[c], 6))
		}
		for c := range phases {
			p, deviation := t.Phases[c], t.PhaseErrors[c]
			if r.Config.Neural.Frames {
				p, deviation = 1/float64(phases), 0
			}
			fmt.Fprintf(&buf, ",%s,%s", field(p, 6), field(deviation, 6))
		}
		fmt.Fprintln(&buf)
	}
	_, err := buf.WriteTo(w)
	return err
}

// plotTemperatures draws over beta the free energy, or its deviation from the exact one; how good the
// draws are; and the shares of the phases in the network's own draws.
func (r *Result) plotTemperatures() plots.Figure {
	n := float64(r.System.Sites())
	var free, bound, effective, acceptance plots.Series
	phases := make([]plots.Series, r.System.Colours())
	label := "-ln Z / N"
	for i := range r.canonical { // in their order
		k := slices.IndexFunc(r.temperatures, func(t temperature) bool { return t.Beta == r.canonical[i].Beta })
		t, known := r.temperatures[k], 0.0
		if r.exact != nil {
			known, label = r.exact.At(t.Beta).LnZ, "(ln Z exact - ln Z) / N"
		}
		free = append(free, plots.Point{X: t.Beta, Y: (known - t.LnZ) / n, Error: t.LnZError / n})
		bound = append(bound, plots.Point{X: t.Beta, Y: (known - t.Bound) / n, Error: t.BoundError / n})
		effective = append(effective, plots.Point{X: t.Beta, Y: t.Effective / float64(t.Draws), Error: math.NaN()})
		acceptance = append(acceptance, plots.Point{X: t.Beta, Y: t.chain.Acceptance, Error: math.NaN()})
		for c, x := range t.Drawn {
			phases[c] = append(phases[c], plots.Point{X: t.Beta, Y: x, Error: math.NaN()})
		}
	}
	upper := plots.NewPanel("Canonical sampling by a network, "+r.title(), "", label)
	upper.IncludeY(0)
	upper.Points("variational bound", bound, exactColour)
	upper.Points("by weights", free, estimateColour)
	x := "beta"
	if r.System.ColoursOrder() {
		x = ""
	}
	middle := plots.NewPanel("", x, "share of the draws")
	middle.IncludeY(0, 1)
	middle.LegendBottom()
	middle.Points("effective", effective, estimateColour)
	middle.Points("accepted by chains", acceptance, exactColour)
	middle.AlignX(upper)
	figure := plots.Figure{upper, middle}
	if r.System.ColoursOrder() {
		lower := plots.NewPanel("", "beta", "phases in the draws")
		lower.IncludeY(0, 1)
		for c, s := range phases {
			lower.Line("", s, plots.Colours[c%len(plots.Colours)], 0.8)
			lower.Points("", s, plots.Colours[c%len(plots.Colours)])
		}
		lower.AlignX(upper)
		figure = append(figure, lower)
	}
	return figure
}
