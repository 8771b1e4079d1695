package dos

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// ReadCSV reads a table as WriteCSV writes it; see Reader.ReadCSV for others.
func ReadCSV(r io.Reader) (*Density, error) { return Reader{}.ReadCSV(r) }

// ReadCSV reads a density of states from a table in any of these forms:
//
//   - text in UTF-8, or UTF-16 with a byte order mark, with any line ends;
//   - fields separated by commas, semicolons, tabs or blanks, perhaps in double quotes;
//   - numbers with a decimal point, or all with a decimal comma, and exponents such as
//     e+01, D+01 (Fortran) and *^1 (Mathematica);
//   - blank lines, comment lines that begin with #, % or !, and what follows a # anywhere;
//   - names of columns in the first line, or in a comment before the first level
//     (numpy.savetxt, gnuplot): energy and ln_g, or g, are needed, ln_g_error is used, and
//     energy_width, energy_mean, energy_variance and energy_measurements, others are ignored. See quantity for other names;
//   - no names: two columns are energy and ln g, a third is the standard error. Note is told.
//
// A joint density, with a column named magnetisation, squares or colour and several levels of the same energy, is
// summed over that; Note is told. ReadJoint reads it as it is.
//
// A level without ln g (an empty field, nan, -inf, NA, null or g = 0) is left out; Note is
// told. The same in place of an error means that it is unknown. Lines may be in any order.
// What may be read in two ways is refused. Errors name line, column and text.
func (r Reader) ReadCSV(file io.Reader) (*Density, error) {
	d, joint, err := r.readCSV(file)
	if err != nil {
		return nil, err
	}
	e, err := r.sum(&Ensemble{Density: d}, joint)
	if err != nil {
		return nil, err
	}
	return e.Density, nil
}

// readCSV is ReadCSV with the pairs of a joint density.
func (r Reader) readCSV(file io.Reader) (*Density, *pairs, error) {
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, err
	}
	text, err := decode(data)
	if err != nil {
		return nil, nil, err
	}
	d, rows, err := detect(lines(text))
	if err != nil {
		return nil, nil, err
	}
	l, err := d.levels(rows)
	if err != nil {
		return nil, nil, err
	}
	if d.names == nil {
		if err := d.doubt(l); err != nil {
			return nil, nil, err
		}
		columns := "energy, ln g"
		if d.columns == 3 {
			columns += ", error of ln g"
		}
		if err := r.note("the columns have no names", "they are taken as "+columns); err != nil {
			return nil, nil, err
		}
	}
	return r.density(l, "line", d.at[errorOf] >= 0)
}

// levels reads all levels of a table.
func (d dialect) levels(rows []line) (l levels, err error) {
	used := slices.DeleteFunc(slices.Clone(d.at[:]), func(column int) bool { return column < 0 })
	row := func(k int) []string { return fit(split(rows[k].text, d.separator), d.columns) }
	m := newMarks()
	for k, line := range rows {
		fields := row(k)
		if len(fields) != d.columns {
			hint := ""
			if d.separator == ',' {
				hint = "; if it has decimal commas, separate its columns by semicolons"
			}
			return l, fmt.Errorf("line %d: %q has %d fields, the first line %d%s", line.number, line.text, len(fields), d.columns, hint)
		}
		for _, column := range used {
			m.add(cell{line.number, d.column(column), fields[column]})
		}
	}
	if err := m.check(d); err != nil {
		return l, err
	}
	for k, line := range rows {
		fields := row(k)
		var values [quantities]float64
		for of := range values {
			values[of] = math.NaN()
		}
		fault := func(of int, why string) error {
			return cell{line.number, d.column(d.at[of]), fields[d.at[of]]}.fault(why)
		}
		for of, column := range d.at {
			if column < 0 {
				continue
			}
			read := parse
			if of == gOf {
				if d.at[lnGOf] >= 0 {
					continue
				}
				read = parseLn
			}
			var why string
			if values[of], why = read(fields[column]); why != "" && of == secondOf {
				values[of] = math.NaN() // something else of that name
			} else if why != "" {
				return l, fault(of, why)
			}
		}
		lnG := values[lnGOf]
		if d.at[lnGOf] < 0 {
			lnG = values[gOf]
		}
		if of, why := l.add(line.number, values[energyOf], lnG, values[errorOf]); of >= 0 {
			return l, fault(of, why)
		}
		if d.at[secondOf] >= 0 {
			l.second, l.name = append(l.second, values[secondOf]), secondName(d.names[d.at[secondOf]])
		}
		if !binned(d.at) {
			continue
		}
		if of, why := l.addBin(values[binWidthOf], values[binMeanOf], values[binVarianceOf], values[binCountOf], d.at[binCountOf] >= 0); of >= 0 {
			return l, fault(of, why)
		}
	}
	return l, nil
}

// doubt returns an error if columns without names may be others than energy, ln g and its
// error.
func (d dialect) doubt(l levels) error {
	whole := func(x []float64) bool {
		for _, v := range x {
			if !math.IsNaN(v) && v != math.Trunc(v) {
				return false
			}
		}
		return true
	}
	counted := true
	for i, e := range l.Energy {
		counted = counted && (e == float64(i) || e == float64(i+1)) && e == l.Energy[0]+float64(i)
	}
	what := ""
	switch {
	case whole(l.LnG):
		what = "the second, of whole numbers, may be g or ln g"
	case d.columns < 3:
	case counted:
		what = "the first may be the energy or number the lines"
	case whole(l.Error) && slices.ContainsFunc(l.Error, func(x float64) bool { return x > 0 }):
		what = "the third, of whole numbers, may be errors or visits"
	}
	if what == "" {
		return nil
	}
	return fmt.Errorf("the columns have no names, and %s; name them in a first line: %s", what, wanted)
}
