package dos

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Columns of a table and arrays of an archive as they are written; see quantity.
const (
	energyColumn = "energy"
	lnGColumn    = "ln_g"
	errorColumn  = "ln_g_error"
	// Of levels that are bins: their width, the mean energy and its variance inside, and the number
	// of measurements of these.
	widthColumn    = "energy_width"
	meanColumn     = "energy_mean"
	varianceColumn = "energy_variance"
	countColumn    = "energy_measurements"
)

// columns are the width and the mean energy of each level.
func (b *Bins) columns(energies []float64) (width, mean []float64) {
	for i, e := range energies {
		width, mean = append(width, b.Width), append(mean, e+b.Mean[i])
	}
	return width, mean
}

// WriteCSV writes the columns energy, ln_g and ln_g_error, ascending in energy. Values are
// written in full; an unknown error is an empty field. Where levels are bins, energy is the centre of
// each, and energy_width, energy_mean, energy_variance and energy_measurements follow; see Bins.
func (d *Density) WriteCSV(w io.Writer) error { return d.WriteCSVBeside(w, nil) }

// WriteCSVBeside is WriteCSV with the columns ln_omega, ln_omega_error and effective_draws
// of an absolute estimate, with empty fields where it has no value. If a is nil the columns
// are omitted.
func (d *Density) WriteCSVBeside(w io.Writer, a *Absolute) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("write density of states: %w", err)
	}
	buf := bufio.NewWriter(w)
	fmt.Fprintf(buf, "%s,%s,%s", energyColumn, lnGColumn, errorColumn)
	var width, mean []float64
	if d.Bins != nil {
		width, mean = d.Bins.columns(d.Energy)
		fmt.Fprintf(buf, ",%s,%s,%s", widthColumn, meanColumn, varianceColumn)
		if d.Bins.Count != nil {
			fmt.Fprintf(buf, ",%s", countColumn)
		}
	}
	place := map[float64]int{}
	if a != nil {
		fmt.Fprint(buf, ",ln_omega,ln_omega_error,effective_draws")
		for i, e := range a.Energy {
			place[e] = i
		}
	}
	fmt.Fprintln(buf)
	full := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	short := func(x float64) string {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return ""
		}
		return strconv.FormatFloat(x, 'g', 6, 64)
	}
	for i, e := range d.Energy {
		deviation := math.NaN()
		if d.Error != nil {
			deviation = d.Error[i]
		}
		fmt.Fprintf(buf, "%s,%s,%s", full(e), full(d.LnG[i]), short(deviation))
		if d.Bins != nil {
			fmt.Fprintf(buf, ",%s,%s,%s", full(width[i]), full(mean[i]), full(d.Bins.Variance[i]))
			if d.Bins.Count != nil {
				fmt.Fprintf(buf, ",%d", d.Bins.Count[i])
			}
		}
		if k, ok := place[e]; ok {
			fmt.Fprintf(buf, ",%s,%s,%s", full(a.LnG[k]), short(a.Error[k]), short(a.Effective[k]))
		} else if a != nil {
			fmt.Fprint(buf, ",,,")
		}
		fmt.Fprintln(buf)
	}
	return buf.Flush()
}
