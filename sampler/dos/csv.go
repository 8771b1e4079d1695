package dos

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Columns of a table and arrays of an archive. Reading requires only the first two.
const (
	energyColumn = "energy"
	lnGColumn    = "ln_g"
	errorColumn  = "ln_g_error"
)

// WriteCSV writes the columns energy, ln_g and ln_g_error, ascending in energy. Values are
// written in full; an unknown error is an empty field.
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
		if k, ok := place[e]; ok {
			fmt.Fprintf(buf, ",%s,%s,%s", full(a.LnG[k]), short(a.Error[k]), short(a.Effective[k]))
		} else if a != nil {
			fmt.Fprint(buf, ",,,")
		}
		fmt.Fprintln(buf)
	}
	return buf.Flush()
}

// ReadCSV reads a density of states. The first line that is not a # comment names the
// columns. energy (or E) and ln_g are required; ln_g_error is optional, and an empty field
// means an unknown error. Lines may be in any order.
func ReadCSV(r io.Reader) (*Density, error) {
	table := csv.NewReader(r)
	table.Comment = '#'
	header, err := table.Read()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return nil, err
	}
	used := []string{energyColumn, lnGColumn, errorColumn}
	for i, name := range header {
		if name = strings.ToLower(strings.TrimSpace(name)); name == "e" {
			name = energyColumn
		}
		if slices.Contains(used, name) && slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("two columns are named %s", name)
		}
		header[i] = name
	}
	energyAt := slices.Index(header, energyColumn)
	lnGAt := slices.Index(header, lnGColumn)
	errorAt := slices.Index(header, errorColumn)
	if energyAt < 0 || lnGAt < 0 {
		return nil, fmt.Errorf("columns are %q, but energy (or E) and ln_g are required", strings.Join(header, ","))
	}
	d := &Density{}
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		fault := func(column int, why string) {
			if err == nil {
				line, _ := table.FieldPos(column)
				err = fmt.Errorf("line %d, column %s: %q %s", line, header[column], row[column], why)
			}
		}
		value := func(column int) float64 {
			x, err := strconv.ParseFloat(strings.TrimSpace(row[column]), 64)
			if err != nil {
				fault(column, "is not a number")
			}
			return x
		}
		d.Energy = append(d.Energy, value(energyAt))
		d.LnG = append(d.LnG, value(lnGAt))
		if errorAt >= 0 {
			deviation := math.NaN()
			if strings.TrimSpace(row[errorAt]) != "" {
				deviation = value(errorAt)
			}
			if deviation < 0 || math.IsInf(deviation, 1) {
				fault(errorAt, "is not a standard error")
			}
			d.Error = append(d.Error, deviation)
		}
		if err != nil {
			return nil, err
		}
	}
	d.sort()
	return d, d.Validate()
}
