// Package lists reads spin systems from text: lists of the sites that interact, with their
// couplings, as other programs and collections of instances have them.
//
// A list has one of two forms. A table has a first line that names its columns, which are separated by
// commas, semicolons, tabs or blanks:
//
//	i,j,J
//	0,1,1
//	0,2,-0.5
//
// i, j and k are sites, counted from 0, J is the coupling. Without a k, or where it is empty or -, two
// sites interact, and without a j the coupling is a field at site i; * in the place of i stands for every
// site in turn. In the column s a field may name the one colour that it acts on.
//
// The other form is that of the spin-glass server at Cologne and of the Gset: the numbers of sites and of
// couplings in the first line, then in each line two sites, counted from 1, and their coupling, 1 if
// it is left out.
//
// Couplings of rows of the same sites add up. Lines that are empty or begin with #, and what follows a #, mean
// nothing; nor do quotes around a field.
package lists

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// List is what a system has of interactions.
type List struct {
	Sites int
	Rows  []Row
}

// Row is one interaction: of one site, which is a field, or of two or three.
type Row struct {
	Sites []int
	J     float64
	// Colour is what a field acts on, -1 where the row has none.
	Colour int
}

// maxSites bounds the number of sites, as package lattice does.
const maxSites = 1 << 20

// maxRows bounds the rows of a list, with one for each site that a * stands for.
const maxRows = 1 << 21

// byteOrderMark begins files of some spreadsheets.
const byteOrderMark = "\ufeff"

// maxFaults is how many faults are told of.
const maxFaults = 10

// Parse reads a list. It reports the first faults all at once, each with its line.
func Parse(text string) (*List, error) {
	p := &parser{list: &List{}}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		p.line = i + 1
		if p.begun {
			p.row(line)
		} else {
			p.begun = true
			p.begin(strings.TrimPrefix(line, byteOrderMark))
			if len(p.faults) > 0 {
				break // what the lines mean is not known
			}
		}
		if len(p.faults) >= maxFaults {
			break
		}
	}
	p.end()
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	return p.list, nil
}

// parser reads a list line by line.
type parser struct {
	list    *List
	line    int
	begun   bool
	columns []string // of a table; nil for the other form
	rows    int      // that the first line promises
	lowest  int      // site that is named
	every   int      // rows for every site
	faults  []error
}

func (p *parser) fault(format string, a ...any) {
	p.faults = append(p.faults, fmt.Errorf("line %d: "+format, append([]any{p.line}, a...)...))
}

// fields separates the columns of a line. An empty one counts where they are not separated by blanks.
func fields(line string) []string {
	for _, separator := range []string{",", ";", "\t"} {
		if strings.Contains(line, separator) {
			parts := strings.Split(line, separator)
			for i := range parts {
				parts[i] = unquoted(strings.TrimSpace(parts[i]))
			}
			return parts
		}
	}
	parts := strings.Fields(line)
	for i := range parts {
		parts[i] = unquoted(parts[i])
	}
	return parts
}

// unquoted is a field without the quotes around it.
func unquoted(field string) string {
	if n := len(field); n > 1 && field[0] == '"' && field[n-1] == '"' {
		return field[1 : n-1]
	}
	return field
}

// begin reads the first line.
func (p *parser) begin(line string) {
	columns := fields(line)
	numbers := make([]int, len(columns))
	for i, text := range columns {
		n, err := strconv.Atoi(text)
		if err != nil {
			p.beginTable(columns)
			return
		}
		numbers[i] = n
	}
	switch {
	case len(numbers) != 2:
		p.fault("%q is neither the names of columns, such as i,j,J, nor the numbers of sites and of couplings", line)
	case numbers[0] < 1 || numbers[0] > maxSites:
		p.fault("%d sites, allowed are 1..%d", numbers[0], maxSites)
	case numbers[1] < 1:
		p.fault("%d couplings", numbers[1])
	default:
		p.list.Sites, p.rows = numbers[0], numbers[1]
	}
}

func (p *parser) beginTable(columns []string) {
	for i, name := range columns {
		if !slices.Contains([]string{"i", "j", "k", "s", "J"}, name) {
			p.fault("there are no columns %q; those of a table are i, j, k, s and J", name)
		}
		if slices.Contains(columns[:i], name) {
			p.fault("there are two columns %q", name)
		}
	}
	for _, name := range []string{"i", "J"} {
		if !slices.Contains(columns, name) {
			p.fault("the table has no column %s", name)
		}
	}
	p.columns, p.lowest = columns, maxSites
}

// row reads any line but the first.
func (p *parser) row(line string) {
	parts, before := fields(line), len(p.faults)
	if p.columns == nil {
		if len(parts) != 2 && len(parts) != 3 {
			p.fault("%q: two sites and their coupling are needed", line)
			return
		}
		r := Row{J: 1, Colour: -1}
		for _, text := range parts[:2] {
			r.Sites = append(r.Sites, p.number("site", text, 1, max(1, p.list.Sites))-1)
		}
		if len(parts) == 3 {
			r.J = p.coupling(parts[2])
		}
		if len(p.faults) == before {
			p.add(r)
		}
		return
	}
	if len(parts) != len(p.columns) {
		p.fault("%q has %d columns, the first line names %d", line, len(parts), len(p.columns))
		return
	}
	r, every := Row{Colour: -1}, false
	for _, name := range []string{"i", "j", "k", "s", "J"} {
		at := slices.Index(p.columns, name)
		if at < 0 || (parts[at] == "" || parts[at] == "-") && name != "i" && name != "J" {
			continue
		}
		switch text := parts[at]; name {
		case "J":
			r.J = p.coupling(text)
		case "s":
			r.Colour = p.number("colour", text, 0, 255)
		case "i":
			if every = text == "*"; every {
				p.every++
				r.Sites = append(r.Sites, -1)
				continue
			}
			fallthrough
		default:
			r.Sites = append(r.Sites, p.number("site "+name, text, 0, maxSites-1))
		}
	}
	switch {
	case len(p.faults) > before:
	case every && len(r.Sites) > 1:
		p.fault("* stands for every site in turn, and only a field acts on one site alone")
	case r.Colour >= 0 && len(r.Sites) > 1:
		p.fault("s is the colour that a field acts on, but %d sites interact here", len(r.Sites))
	default:
		p.add(r)
	}
}

// add adds a row.
func (p *parser) add(r Row) {
	for i, site := range r.Sites {
		if site >= 0 && slices.Contains(r.Sites[:i], site) {
			p.fault("a site interacts with itself")
			return
		}
	}
	if p.columns != nil {
		for _, site := range r.Sites {
			p.list.Sites = max(p.list.Sites, site+1)
			if site >= 0 {
				p.lowest = min(p.lowest, site)
			}
		}
	}
	p.list.Rows = append(p.list.Rows, r)
}

// number reads a whole number within bounds.
func (p *parser) number(what, text string, low, high int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		p.fault("%s %q: a whole number within %d..%d is needed", what, text, low, high)
		return low
	}
	return n
}

// coupling reads a coupling.
func (p *parser) coupling(text string) float64 {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		p.fault("coupling %q: a number is needed", text)
	}
	return x
}

// end looks at the list as a whole, and puts rows for single sites in the place of *.
func (p *parser) end() {
	if len(p.faults) > 0 {
		return
	}
	switch l := p.list; {
	case !p.begun:
		p.faults = append(p.faults, errors.New("the list is empty"))
	case p.columns == nil && len(l.Rows) != p.rows:
		p.faults = append(p.faults, fmt.Errorf("the first line promises %d couplings, there are %d", p.rows, len(l.Rows)))
	case l.Sites == 0:
		p.faults = append(p.faults, errors.New("no row names a site"))
	case p.columns != nil && p.lowest > 0:
		p.faults = append(p.faults, fmt.Errorf("no row names a site below %d: sites count from 0; if site 0 is really free, say so by a row with J = 0", p.lowest))
	}
	if n := len(p.list.Rows) + p.every*(p.list.Sites-1); n > maxRows {
		p.faults = append(p.faults, fmt.Errorf("%d sites and %d rows for every one of them make %d rows, at most %d are supported", p.list.Sites, p.every, n, maxRows))
		return
	}
	var rows []Row
	for _, r := range p.list.Rows {
		if r.Sites[0] >= 0 {
			rows = append(rows, r)
			continue
		}
		for site := range p.list.Sites {
			each := r
			each.Sites = []int{site}
			rows = append(rows, each)
		}
	}
	p.list.Rows = rows
}

// String is the list as a table of the fewest columns, separated by blanks, with - for what a row does
// not have. Parse reads the same list from it.
func (l *List) String() string {
	var triples, colours bool
	lowest, highest := l.Sites, 0
	for _, r := range l.Rows {
		triples = triples || len(r.Sites) == 3
		colours = colours || r.Colour >= 0
		lowest, highest = min(lowest, slices.Min(r.Sites)), max(highest, slices.Max(r.Sites))
	}
	rows := l.Rows
	if l.Sites > 1 && (lowest > 0 || highest < l.Sites-1) { // the first or the last site is free
		rows = append(slices.Clone(rows), Row{Sites: []int{0, l.Sites - 1}, Colour: -1})
	}
	var b strings.Builder
	put := func(has bool, text string) {
		if has {
			b.WriteString(text + " ")
		}
	}
	b.WriteString("i j ")
	put(triples, "k")
	put(colours, "s")
	b.WriteString("J\n")
	for _, r := range rows {
		column := func(n int) string {
			if n >= len(r.Sites) {
				return "-"
			}
			return strconv.Itoa(r.Sites[n])
		}
		put(true, column(0))
		put(true, column(1))
		put(triples, column(2))
		if r.Colour >= 0 {
			put(colours, strconv.Itoa(r.Colour))
		} else {
			put(colours, "-")
		}
		b.WriteString(strconv.FormatFloat(r.J, 'g', -1, 64) + "\n")
	}
	return b.String()
}
