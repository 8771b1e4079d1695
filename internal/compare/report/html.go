package report

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"neuralwl/internal/compare"
	"neuralwl/internal/plots"
	"neuralwl/internal/sheet"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Parse(page))

// pageView is what the template shows.
type pageView struct {
	Name, Title, About string
	Notes              []string
	Warnings           []string
	Profile            *drawn
	Systems            []systemView
	Failures, Method   []string
	Spec               string
	Networks           []Network
	Files              []string
	Data               template.JS
	Style              template.CSS
}

type systemView struct {
	ID, Heading, Reference string
	Advice                 []string
	Answers                []string
	Tables                 []words
	Figures                []drawn
	Lattices               []latticeView
}

type drawn struct {
	Name, Title, Text string
	SVG               template.HTML
}

type latticeView struct {
	Sampler  string
	Pictures []picture
}

type picture struct {
	Address       template.URL // which holds the picture
	Text          string
	Width, Height int
}

// html is the whole report in one file.
func (r *report) html() ([]byte, error) {
	m := &r.manifest
	v := pageView{Name: m.Name, Title: m.Title, About: r.about(), Warnings: r.warnings(), Failures: r.failures(), Method: r.method(), Spec: m.Spec, Networks: m.Networks, Style: sheet.Style}
	if v.Title == "" {
		v.Title = m.Name
	}
	for part := range strings.SplitSeq(strings.TrimSpace(r.Spec.Notes), "\n\n") {
		if part != "" {
			v.Notes = append(v.Notes, part)
		}
	}
	var err error
	draw := func(f *figure) (d drawn) {
		if f == nil || err != nil {
			return d
		}
		var svg template.HTML
		var data []byte
		if data, err = f.encode(".svg"); err == nil {
			svg, err = sheet.Element(data, f.Title+". "+f.Text)
		}
		return drawn{f.Name, f.Title, f.Text, svg}
	}
	if r.profile != nil {
		d := draw(r.profile)
		v.Profile = &d
	}
	for i, s := range r.figures {
		y := s.y
		sv := systemView{ID: fmt.Sprintf("system-%d", i+1), Heading: heading(y), Reference: reference(y), Advice: r.Advice(y.System.Name, y.Budget), Tables: r.systemTables(y)}
		for _, a := range r.Told() {
			if a.System.Name == y.System.Name && a.Budget == y.Budget {
				sv.Answers = append(sv.Answers, a.Words())
			}
		}
		for _, f := range s.figures {
			sv.Figures = append(sv.Figures, draw(f))
		}
		for _, row := range s.lattices {
			sv.Lattices = append(sv.Lattices, viewLattices(row))
		}
		v.Systems = append(v.Systems, sv)
	}
	if err != nil {
		return nil, err
	}
	for _, t := range r.tables {
		v.Files = append(v.Files, TableFolder+"/"+t.Name+".csv", TableFolder+"/"+t.Name+".parquet")
	}
	data, err := json.Marshal(struct {
		Manifest Manifest         `json:"manifest"`
		Tables   []*compare.Table `json:"tables"`
	}{r.manifest, r.embedded()})
	if err != nil {
		return nil, err
	}
	// Marshal escapes <, > and &, so that no text in it can end the element.
	v.Data = template.JS(data)
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, v); err != nil {
		return nil, fmt.Errorf("%s: %w", HTMLFile, err)
	}
	return text.Bytes(), nil
}

// embedded are the tables that the page carries: those by cell, not by energy.
func (r *report) embedded() (tables []*compare.Table) {
	for _, t := range r.tables {
		if t.Name != "energies" {
			tables = append(tables, t)
		}
	}
	return tables
}

// viewLattices draws configurations.
func viewLattices(row latticeRow) (v latticeView) {
	v.Sampler = row.Sampler
	width, height := plots.LatticeSize(row.Sides)
	for _, l := range row.Lattices {
		data, err := plots.Lattice(l.State, row.Sides, row.Colours)
		if err != nil {
			continue // of a picture that says other than its configuration
		}
		v.Pictures = append(v.Pictures, picture{
			template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(data)), fmt.Sprintf("E = %g", l.Energy), 160, 160 * height / width,
		})
	}
	return v
}
