package report

import (
	"bytes"
	"fmt"
	"strings"
)

// markdown is the summary.
func (r *report) markdown() []byte {
	var b bytes.Buffer
	p := func(format string, a ...any) { fmt.Fprintf(&b, format, a...) }
	m := &r.manifest
	title := m.Title
	if title == "" {
		title = m.Name
	}
	p("# %s\n\n", title)
	if r.Spec.Notes != "" {
		p("%s\n\n", strings.TrimSpace(r.Spec.Notes))
	}
	p("%s\n\n", r.about())
	for _, w := range r.warnings() {
		p("**%s**\n\n", w)
	}
	picture := func(f *figure) { p("![%s](%s/%s.svg)\n\n*%s*\n\n", f.Title, FigureFolder, f.Name, f.Text) }
	if r.profile != nil {
		picture(r.profile)
	}
	for i := range r.Systems {
		y := &r.Systems[i]
		p("## %s\n\n", heading(y))
		p("Errors are counted from %s.\n\n", reference(y))
		for _, a := range r.Advice(y.System.Name, y.Budget) {
			p("- %s\n", a)
		}
		p("\n")
		for _, a := range r.Told() {
			if a.System.Name == y.System.Name && a.Budget == y.Budget {
				p("- %s (p = %.2g, adjusted %.2g)\n", a.Words(), a.P, a.Holm)
			}
		}
		p("\n")
		for _, t := range r.systemTables(y) {
			p("%s\n\n| %s |\n|%s\n", t.Caption, strings.Join(t.Head, " | "), strings.Repeat("---|", len(t.Head)))
			for _, row := range t.Rows {
				p("| %s |\n", strings.Join(row, " | "))
			}
			p("\n")
		}
		for _, f := range r.figures[i].figures {
			if f.Main {
				picture(f)
			}
		}
	}
	if f := r.failures(); len(f) > 0 {
		p("## Cells without results\n\n")
		for _, x := range f {
			p("- %s\n", x)
		}
		p("\n")
	}
	p("## How it was measured\n\n%s\n\n", strings.Join(r.method(), "\n\n"))
	return b.Bytes()
}
