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
)

// centre is the inverse temperature around which observables are computed. Where
// neither the transition is known nor the specific heat has a maximum it is 1.
func (r *Result) centre() float64 {
	if beta := r.System.InfiniteTransition(); beta > 0 {
		return beta
	}
	maximum, err := r.density.Density.HeatMaximum(transition.Betas(r.System))
	if err != nil {
		r.Log.Warn("observables are computed around the inverse temperature 1", "reason", "the specific heat has no maximum")
		return 1
	}
	return maximum.Beta
}

// writeObservables writes observables.csv: the averages of WriteCanonical and, where colours
// order, the order parameter with its susceptibility per site and its fourth-order cumulant.
func (r *Result) writeObservables(w io.Writer) error {
	var order columns
	if r.System.ColoursOrder() {
		order.names = []string{"order_parameter", "susceptibility", "fourth_order_cumulant"}
		order.row = func(i int) [][2]float64 {
			if r.order == nil {
				nan := math.NaN()
				return slices.Repeat([][2]float64{{nan, nan}}, len(order.names))
			}
			o := r.order[i]
			return [][2]float64{{o.Mean, o.MeanError}, {o.Susceptibility, o.SusceptibilityError}, {o.Binder, o.BinderError}}
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
