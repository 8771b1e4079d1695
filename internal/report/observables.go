package report

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"neuralwl/internal/transition"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// centre is the inverse temperature around which observables are computed. Where
// neither the transition is known nor the specific heat has a maximum it is 1. All of them are within
// the reach of bins, and have the energies that matter.
func (r *Result) centre() float64 {
	most := r.density.Reach() / transition.Reach
	if lattice.Truncated(r.System) {
		_, high := Support(r.System, r.density.Density)
		most = min(most, high/transition.Reach)
	}
	if beta := r.System.InfiniteTransition(); beta > 0 {
		return min(beta, most)
	}
	maximum, err := r.density.Density.HeatMaximum(transition.Betas(r.System, r.density.Density))
	if err != nil {
		beta := min(1, most)
		r.Log.Warn("observables are computed around another inverse temperature", "beta", beta, "reason", err)
		return beta
	}
	return min(maximum.Beta, most)
}

// writeObservables writes observables.csv: the averages of WriteCanonical and, where colours
// order or the system has an order parameter of its own, that with its susceptibility per site and its fourth-order
// cumulant; then the helicity modulus where there is one.
func (r *Result) writeObservables(w io.Writer) error {
	var order columns
	_, own := r.System.(lattice.Observed)
	if own || r.System.ColoursOrder() {
		order.names = []string{"order_parameter", "susceptibility", "fourth_order_cumulant"}
		order.row = func(i int) [][2]float64 {
			if r.order == nil {
				nan := math.NaN()
				return [][2]float64{{nan, nan}, {nan, nan}, {nan, nan}}
			}
			o := r.order[i]
			return [][2]float64{{o.Mean, o.MeanError}, {o.Susceptibility, o.SusceptibilityError}, {o.Binder, o.BinderError}}
		}
	}
	if _, ok := r.System.(lattice.Stiff); ok {
		others := order.row
		order.names = append(order.names, "helicity_modulus")
		order.row = func(i int) [][2]float64 {
			if r.helicity == nil {
				return append(others(i), [2]float64{math.NaN(), math.NaN()})
			}
			return append(others(i), r.helicity[i])
		}
	}
	return writeCanonical(w, r.canonical, r.System.Sites(), order)
}

// WriteCanonical writes a table of canonical averages per site over the inverse temperature,
// each with its standard error, an empty field where something is unknown. Free energy and
// entropy are left out where ln g has an unknown constant.
func WriteCanonical(w io.Writer, averages []dos.CanonicalEstimate, sites int) error {
	return writeCanonical(w, averages, sites, columns{})
}

// columns are further columns of a table, a value and its error for each name.
type columns struct {
	names []string
	row   func(i int) [][2]float64
}

func writeCanonical(w io.Writer, averages []dos.CanonicalEstimate, sites int, more columns) error {
	n := float64(sites)
	known := slices.ContainsFunc(averages, func(c dos.CanonicalEstimate) bool { return !math.IsNaN(c.LnZ) })
	names := []string{"energy", "specific_heat"}
	if known {
		names = append(names, "free_energy", "entropy")
	}
	var buf bytes.Buffer
	fmt.Fprint(&buf, "beta,temperature")
	for _, name := range append(names, more.names...) {
		fmt.Fprintf(&buf, ",%s,%s_error", name, name)
	}
	fmt.Fprintln(&buf)
	for i, c := range averages {
		row := [][2]float64{{c.Energy / n, c.EnergyError / n}, {c.SpecificHeat / n, c.SpecificHeatError / n}}
		if known {
			row = append(row, [2]float64{c.FreeEnergy() / n, c.FreeEnergyError / n}, [2]float64{c.Entropy / n, c.EntropyError / n})
		}
		if more.names != nil {
			row = append(row, more.row(i)...)
		}
		fmt.Fprintf(&buf, "%s,%s", field(c.Beta, -1), field(1/c.Beta, -1))
		for _, x := range row {
			fmt.Fprintf(&buf, ",%s,%s", field(x[0], -1), field(x[1], 6))
		}
		fmt.Fprintln(&buf)
	}
	_, err := buf.WriteTo(w)
	return err
}

// field is a number of a table with so many digits, -1 for all, empty for what is unknown or
// infinite.
func field(x float64, digits int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', digits, 64)
}
