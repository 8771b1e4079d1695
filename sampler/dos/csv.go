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

// Columns of a table and arrays of an archive. Only the first two are needed to read
// one.
const (
	energyColumn = "energy"
	lnGColumn    = "ln_g"
	errorColumn  = "ln_g_error"
)

// WriteCSV writes the columns energy, ln_g and ln_g_error, ascending in energy.
// Values are written in full; an unknown error is an empty field.
func (d *Density) WriteCSV(w io.Writer) error {
	if err := d.Validate(); err != nil {
		return fmt.Errorf("write density of states: %w", err)
	}
	buf := bufio.NewWriter(w)
	fmt.Fprintf(buf, "%s,%s,%s\n", energyColumn, lnGColumn, errorColumn)
	for i, e := range d.Energy {
		deviation := ""
		if d.Error != nil && !math.IsNaN(d.Error[i]) && !math.IsInf(d.Error[i], 0) {
			deviation = strconv.FormatFloat(d.Error[i], 'g', 6, 64)
		}
		fmt.Fprintf(buf, "%s,%s,%s\n", strconv.FormatFloat(e, 'g', -1, 64), strconv.FormatFloat(d.LnG[i], 'g', -1, 64), deviation)
	}
	return buf.Flush()
}

// ReadCSV reads a density of states. The first line that is not a # comment
// names the columns, of which energy (or E) and ln_g are needed and ln_g_error
// is used where present, an empty field of which stands for an unknown error. Lines
// may come in any order of energy.
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
			return nil, fmt.Errorf("there are two columns %s", name)
		}
		header[i] = name
	}
	energyAt := slices.Index(header, energyColumn)
	lnGAt := slices.Index(header, lnGColumn)
	errorAt := slices.Index(header, errorColumn)
	if energyAt < 0 || lnGAt < 0 {
		return nil, fmt.Errorf("columns are %q, but energy (or E) and ln_g are needed", strings.Join(header, ","))
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
