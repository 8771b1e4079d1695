package main

import (
	"fmt"
	"io"
	"strings"

	"neuralwl/internal/scaling"
	"neuralwl/sampler/dos"
)

// printRuns writes the results for each size.
func printRuns(w io.Writer, runs []lattice, q []quantity) {
	fmt.Fprintln(w, "| L | beta, specific-heat maximum | equal height | equal weight | weight ratio q | 2 sigma | round trips | minutes |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, r := range runs {
		c := r.Transition.Coexistence
		fmt.Fprintf(w, "| %g | %s | %s | %s | %s | %s | %.0f | %.1f |\n", r.L, r.Transition.HeatMaximum,
			c.EqualHeight, c.EqualWeight, c.StateWeight, c.InterfaceTension, r.Phases[len(r.Phases)-1].RoundTrips, r.Seconds/60)
	}
	fmt.Fprintln(w, "\n| L | latent heat, distance of the peaks | height of the specific heat | weights of the phases |")
	fmt.Fprintln(w, "|---|---|---|---|")
	for i, r := range runs {
		fmt.Fprintf(w, "| %g |", r.L)
		for _, k := range []int{peakDistance, heatHeight, weights} {
			p := q[k].points[i]
			fmt.Fprintf(w, " %s |", dos.NewEstimate(p.Value, p.Error))
		}
		fmt.Fprintln(w)
	}
}

// printFits writes the limits beside the exact values.
func printFits(w io.Writer, quantities []quantity) {
	fmt.Fprintln(w, "\n| | fit | L from | limit | exact | difference in errors | chi^2/freedom | coefficients |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|")
	for _, q := range quantities {
		for _, f := range q.fits {
			var powers, coefficients []string
			for k, p := range f.Powers {
				powers = append(powers, fmt.Sprintf("L^-%g", p))
				coefficients = append(coefficients, dos.NewEstimate(f.Coefficients[k+1], f.Errors[k+1]).String())
			}
			value, deviation := f.Limit()
			fmt.Fprintf(w, "| %s, %s | %s | %g | %s | %.6f | %+.1f | %.1f/%d | %s |\n", q.symbol, q.name, strings.Join(powers, ", "), q.points[f.first].L,
				dos.NewEstimate(value, deviation), q.exact, (value-q.exact)/deviation, f.ChiSquare, f.Freedom, strings.Join(coefficients, ", "))
		}
	}
	fmt.Fprintf(w, "\nCoefficient of L^-2 in T by theory, specific-heat maximum and equal weight: %.4f\n", scaling.Shift(colours))
}
