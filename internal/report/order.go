package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"

	"neuralwl/internal/plots"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// OrderSummary is the order parameter, its susceptibility per site and its fourth-order
// cumulant at one inverse temperature.
type OrderSummary struct {
	Beta           float64      `json:"beta"`
	Mean           dos.Estimate `json:"order_parameter"`
	Susceptibility dos.Estimate `json:"susceptibility"`
	Binder         dos.Estimate `json:"fourth_order_cumulant"`
}

func (s *OrderSummary) String() string {
	return fmt.Sprintf("%s, susceptibility %s per site, fourth-order cumulant %s", s.Mean, s.Susceptibility, s.Binder)
}

// measureOrder makes the microcanonical means of the order parameter and, at the inverse
// temperatures of the canonical averages, what follows from them. Temperatures that need a
// level without a measurement are left out with a warning.
func (r *Result) measureOrder() {
	m := dos.Measurements{Energy: r.energy, Replicas: len(r.density.Replicas)}
	if r.transitions != nil {
		m.Of = r.Samples.Groups()
	}
	if m.Count, m.Sums = r.Samples.Order(); m.Count == nil {
		return
	}
	var err error
	if r.means, err = m.Means(); err != nil {
		r.Log.Warn("no order parameter", "reason", err)
		return
	}
	_, own := r.System.(lattice.Observed)
	r.means.Products = lattice.BinWidth(r.System) > 0 && !own
	betas := make([]float64, len(r.canonical))
	for i, c := range r.canonical {
		betas[i] = c.Beta
	}
	if r.order, err = r.means.Order(r.density, betas, r.System.Sites()); err != nil && !r.leaveOut("order parameter over temperature", err) {
		first, _, _ := strings.Cut(err.Error(), "\n")
		unknown := 0
		for _, o := range r.order {
			if !isKnown(o) {
				unknown++
			}
		}
		r.Log.Warn("the order parameter is not known at all temperatures", "unknown", fmt.Sprintf("%d of %d", unknown, len(betas)), "first", first)
	}
	r.measureHelicity(betas)
}

// measureHelicity makes the helicity modulus at inverse temperatures. Those without a value have been warned of.
func (r *Result) measureHelicity(betas []float64) {
	s, ok := r.System.(lattice.Stiff)
	if !ok {
		return
	}
	values, deviations, _ := r.means.Canonical(r.density, betas, func(beta float64, averages []float64) []float64 {
		return []float64{s.Helicity(beta, averages)}
	})
	for i, v := range values {
		r.helicity = append(r.helicity, [2]float64{v[0], deviations[i][0]})
	}
}

// isKnown reports whether the averages are known; in total disorder the cumulant is not.
func isKnown(o dos.OrderEstimate) bool { return !math.IsNaN(o.Binder) }

// summariseOrder is the order parameter at beta, nil where it is not known.
func (r *Result) summariseOrder(beta float64) *OrderSummary {
	for _, o := range r.order {
		if o.Beta == beta && isKnown(o) {
			return &OrderSummary{beta, dos.NewEstimate(o.Mean, o.MeanError), dos.NewEstimate(o.Susceptibility, o.SusceptibilityError), dos.NewEstimate(o.Binder, o.BinderError)}
		}
	}
	return nil
}

// writeOrder writes order.csv: the microcanonical means, each with its standard error, an
// empty field where that is unknown, and the number of measurements.
func (r *Result) writeOrder(w io.Writer) error {
	var buf bytes.Buffer
	names := []string{"m", "m2", "m4"}
	if s, ok := r.System.(lattice.Observed); ok {
		names = s.Observables()
	}
	fmt.Fprint(&buf, "energy")
	for _, name := range names {
		fmt.Fprintf(&buf, ",%s,%s_error", name, name)
	}
	fmt.Fprintln(&buf, ",measurements")
	m := r.means
	for i, e := range m.Energy {
		buf.WriteString(field(e, -1))
		for k, row := range m.Mean[:len(names)] {
			fmt.Fprintf(&buf, ",%s,%s", field(row[i], -1), field(m.Error[k][i], 6))
		}
		fmt.Fprintf(&buf, ",%d\n", m.Count[i])
	}
	_, err := buf.WriteTo(w)
	return err
}

// plotOrder draws the order parameter and its fourth-order cumulant over the temperature.
func (r *Result) plotOrder() plots.Figure {
	x, label := r.abscissa()
	var mean, binder plots.Series
	for _, o := range r.order {
		if isKnown(o) {
			mean = append(mean, plots.Point{X: x(o.Beta), Y: o.Mean, Error: o.MeanError})
			binder = append(binder, plots.Point{X: x(o.Beta), Y: o.Binder, Error: o.BinderError})
		}
	}
	upper := plots.NewPanel("Order parameter, "+r.title(), "", "m")
	lower := plots.NewPanel("", label, "fourth-order cumulant")
	upper.LegendRight()
	upper.IncludeY(0, 1)
	r.drawCanonical(upper, [3]string{"exact", "estimate", "transition of the infinite lattice"}, mean, nil)
	r.drawCanonical(lower, [3]string{}, binder, nil)
	r.magnify(lower, false, binder, nil)
	return plots.Figure{upper, lower}
}
