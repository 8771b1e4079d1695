package dos

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Tables are written in many ways: see Reader.ReadCSV. Here they are told apart.

// separators between the fields of a line, in the order in which they are tried; a blank
// stands for any number of blanks and tabs.
var separators = []byte{';', '\t', ',', ' '}

// decode returns the text of a file in UTF-8, or UTF-16 with a byte order mark, with lines
// that end in \n.
func decode(data []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		data = data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	}
	if order != nil {
		units := make([]uint16, (len(data)-2)/2)
		if len(data)%2 != 0 {
			return "", errors.New("it is truncated: its text in UTF-16 ends within a character")
		}
		for i := range units {
			units[i] = order.Uint16(data[2+2*i:])
		}
		data = []byte(string(utf16.Decode(units)))
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return "", fmt.Errorf("it is not a text in UTF-8, or in UTF-16 with a byte order mark: byte %d is zero", i)
	}
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2212", "-").Replace(string(data)), nil
}

// line is a line of a table without comments.
type line struct {
	number int
	text   string
}

// lines returns the lines of a text that are not blank, without comments, and the comments
// before the first of them.
func lines(text string) (content, comments []line) {
	number := 0
	for s := range strings.Lines(text) {
		number++
		s = strings.TrimSuffix(s, "\n")
		mark := strings.TrimLeft(s, " \t")
		comment := mark != "" && strings.IndexByte("#%!", mark[0]) >= 0
		switch {
		case comment && content == nil:
			comments = append(comments, line{number, strings.TrimLeft(mark, "#%! ")})
		case !comment:
			s, _, _ = strings.Cut(s, "#")
			if strings.Trim(s, " \t;,\"") != "" { // a spreadsheet's empty row has separators
				content = append(content, line{number, s})
			}
		}
	}
	return content, comments
}

// split returns the fields of a line without blanks and quotes around them.
func split(text string, separator byte) (fields []string) {
	quoted, begin := false, 0
	end := func(i int) {
		field := strings.Trim(text[begin:i], " \t")
		if n := len(field); n >= 2 && field[0] == '"' && field[n-1] == '"' {
			field = strings.Trim(field[1:n-1], " \t")
		}
		if field != "" || separator != ' ' {
			fields = append(fields, field)
		}
		begin = i + 1
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == separator || separator == ' ' && c == '\t'):
			end(i)
		}
	}
	end(len(text))
	return fields
}

// spacedName is ln g written with a blank.
var spacedName = regexp.MustCompile(`(?i)\b(ln|log)[ \t]+g\b`)

// names splits a line of column names.
func names(text string, separator byte) []string {
	if separator == ' ' {
		text = spacedName.ReplaceAllString(text, "${1}_g")
	}
	return split(text, separator)
}

// fit removes the empty fields beyond n at the end.
func fit(fields []string, n int) []string {
	for len(fields) > n && fields[len(fields)-1] == "" {
		fields = fields[:len(fields)-1]
	}
	return fields
}

// dialect is how a table is written.
type dialect struct {
	separator byte
	names     []string // of the columns, nil if there are none
	columns   int
	at        [quantities]int // columns of the quantities, -1 for none
}

// detect finds the dialect of a table, and its lines that hold levels.
func detect(content, comments []line) (d dialect, rows []line, err error) {
	allowed := separators
	if len(content) > 0 { // Excel's way to name the separator
		if s, ok := strings.CutPrefix(strings.ToLower(content[0].text), "sep="); ok && len(s) == 1 {
			allowed, content = []byte(s), content[1:]
		}
	}
	if len(content) == 0 {
		return d, nil, errors.New("the file is empty")
	}
	if slices.ContainsFunc(content, func(l line) bool { return !strings.Contains(l.text, "\t") }) {
		allowed = slices.DeleteFunc(slices.Clone(allowed), func(s byte) bool { return s == '\t' }) // tabs among blanks
	}
	first := content[0].text
	// A first line of numbers has no names, unless in a comment before it.
	for _, s := range allowed {
		fields := split(first, s)
		if !numeric(fields) {
			continue
		}
		d = dialect{separator: s, columns: len(fields)}
		for _, comment := range slices.Backward(comments) {
			for _, by := range separators {
				list := fit(names(comment.text, by), len(fields))
				if at, err := find(list); len(list) == len(fields) && complete(at) {
					d.names, d.at = list, at
					return d, content, err
				}
			}
		}
		if d.columns > 3 {
			return d, nil, fmt.Errorf("line %d: %d columns have no names, only two (energy, ln g) or three (energy, ln g, error) are understood; name them in a first line: %s", content[0].number, d.columns, wanted)
		}
		d.at = none
		d.at[energyOf], d.at[lnGOf] = 0, 1
		if d.columns == 3 {
			d.at[errorOf] = 2
		}
		return d, content, nil
	}
	for _, s := range allowed {
		list := names(first, s)
		at, err := find(list)
		if err != nil {
			return d, nil, fmt.Errorf("line %d: %w", content[0].number, err)
		}
		if !complete(at) {
			continue
		}
		d, rows = dialect{s, list, len(list), at}, content[1:]
		// numpy.savetxt writes its header as it is told, whatever the separator.
		for _, by := range append([]byte{s}, allowed...) {
			if len(rows) > 0 && len(fit(split(rows[0].text, by), d.columns)) == d.columns {
				d.separator = by
				break
			}
		}
		return d, rows, nil
	}
	return d, nil, fmt.Errorf("line %d: columns are %q, but %s", content[0].number, first, wanted)
}

// column names a column in messages.
func (d dialect) column(i int) string {
	if d.names == nil {
		return strconv.Itoa(i + 1)
	}
	return strings.ToLower(d.names[i])
}

var (
	number = regexp.MustCompile(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(([eEdD]|\*\^)[+-]?[0-9]+)?$`)
	// Fortran leaves the letter out before an exponent of three digits.
	bare      = regexp.MustCompile(`^([+-]?[0-9]*\.[0-9]+)([+-][0-9]{3})$`)
	thousands = regexp.MustCompile(`^[+-]?[1-9][0-9]{0,2},[0-9]{3}$`)
	exponent  = regexp.MustCompile(`[0-9.]([eEdD]|\*\^)[+-]?[0-9]`)
	infinite  = regexp.MustCompile(`(?i)^[+-]?inf(inity)?$`)
	absent    = regexp.MustCompile(`(?i)^([+-]?nan(\(.*\))?|na|n/a|null|none|missing|indeterminate|\?|--?|)$`)
)

// numeric reports whether a line holds the numbers of a level.
func numeric(fields []string) bool {
	for i, f := range fields {
		if !number.MatchString(decimal(f)) && (i == 0 || !absent.MatchString(f) && !infinite.MatchString(f)) {
			return false
		}
	}
	return len(fields) >= 2
}

// cell is a field of a table.
type cell struct {
	line   int
	column string
	text   string
}

func (c cell) fault(why string) error {
	return fmt.Errorf("line %d, column %s: %q %s", c.line, c.column, c.text, why)
}

// marks finds out, from all numbers of a table together, whether commas are decimal marks.
type marks struct {
	comma, point    cell // the first number with one
	commas, grouped int  // numbers with a comma, and those of them that look like 1,024
	plain           bool // no number has an exponent either
}

func newMarks() *marks { return &marks{plain: true} }

func (m *marks) add(c cell) {
	if m.plain && exponent.MatchString(c.text) {
		m.plain = false
	}
	if strings.Contains(c.text, ".") && m.point.line == 0 {
		m.point = c
	}
	if strings.Contains(c.text, ",") {
		if m.commas++; m.commas == 1 {
			m.comma = c
		}
		if thousands.MatchString(c.text) {
			m.grouped++
		}
	}
}

// check returns an error if commas may mean one thing or another.
func (m *marks) check(d dialect) error {
	switch {
	case m.commas > 0 && m.point.line > 0:
		return m.comma.fault(fmt.Sprintf("has a comma, but %q in line %d a point; write all numbers with the same decimal mark and nothing between thousands", m.point.text, m.point.line))
	case m.commas > 0 && m.grouped == m.commas:
		return m.comma.fault("may have a decimal comma or one between thousands, like all others here; write decimal points")
	case d.separator == ',' && d.names == nil && m.point.line == 0 && m.plain:
		return errors.New("commas may be decimal marks or separate columns, as the columns have no names and no number a decimal point; name the columns in a first line, or separate them by semicolons")
	}
	return nil
}

// parse reads a number, NaN where there is none, or returns why it is not one.
func parse(text string) (x float64, why string) {
	if strings.Trim(text, "0123456789.+-eE") == "" { // most numbers, without regular expressions
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			return x, ""
		}
	}
	switch {
	case absent.MatchString(text):
		return math.NaN(), ""
	case infinite.MatchString(text):
		if text[0] == '-' {
			return math.Inf(-1), ""
		}
		return math.Inf(1), ""
	}
	text = decimal(text)
	if !number.MatchString(text) {
		return 0, "is not a number such as -18, 1.1e+01 or 1.1D+01"
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return x, "is too large"
	}
	return x, ""
}

// decimal writes a number with a decimal point and with e before the exponent, for which
// Fortran has D or nothing and Mathematica *^.
func decimal(text string) string {
	text = bare.ReplaceAllString(strings.Replace(text, ",", ".", 1), "${1}e$2")
	if number.MatchString(text) {
		text = strings.NewReplacer("D", "e", "d", "e", "*^", "e").Replace(text)
	}
	return text
}

// parseLn reads the logarithm of a number of states of any length.
func parseLn(text string) (x float64, why string) {
	x, why = parse(text)
	switch {
	case x < 0:
		return x, "is not a number of states"
	case !math.IsInf(x, 1) || why == "":
		return math.Log(x), why
	}
	// 0.d1d2d3... times a power of ten. 25 digits are more than a float64 has.
	mantissa, power, _ := strings.Cut(strings.ToLower(decimal(text)), "e")
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "+"), ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exponent := len(whole) - (len(whole+fraction) - len(digits))
	if power != "" {
		n, err := strconv.Atoi(power)
		if err != nil {
			return x, why
		}
		exponent += n
	}
	leading, err := strconv.ParseFloat("0."+digits[:min(len(digits), 25)], 64)
	if err != nil {
		return x, why
	}
	return math.Log(leading) + float64(exponent)*math.Ln10, ""
}
