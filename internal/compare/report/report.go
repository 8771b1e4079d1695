// Package report makes the report of a comparison: one HTML file that needs nothing else, a
// summary in Markdown, tables as CSV and Parquet, figures, and a manifest.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/compare"
	"neuralwl/internal/disk"
	"neuralwl/internal/live"
	runreport "neuralwl/internal/report"
)

// Files of a report, in the folder of the comparison.
const (
	HTMLFile     = "report.html"
	MarkdownFile = "report.md"
	TableFolder  = "tables"
	FigureFolder = "figures"
)

// Manifest says what a comparison was made of.
type Manifest struct {
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	Made     time.Time `json:"made"`
	Versions []string  `json:"versions"` // of nwl that made the cells
	Go       string    `json:"go"`
	// Machines are those that made the cells.
	Machines []string `json:"machines"`
	Seeds    int      `json:"seeds"`
	Missing  int      `json:"missing_cells"`
	// Networks are those that cells used, by the digest of their contents.
	Networks []Network `json:"networks"`
	// Spec is the complete specification, YAML.
	Spec string `json:"spec"`
	// NotMeasured says what one might look for in vain.
	NotMeasured []string `json:"not_measured"`
}

// Network is one that cells used.
type Network struct {
	System       string  `json:"system"`
	Sampler      string  `json:"sampler"`
	Seed         uint64  `json:"seed"`
	Architecture string  `json:"architecture"`
	Digest       string  `json:"digest"`
	Steps        int64   `json:"steps"`
	Bytes        float64 `json:"bytes"`
}

// report under way.
type report struct {
	*compare.Analysis
	manifest Manifest
	tables   []*compare.Table
	figures  []systemFigures
	profile  *figure
	lacking  []string // figures that could not be made, and why
}

// systemFigures are those of one system and budget.
type systemFigures struct {
	y        *compare.SystemResults
	figures  []*figure
	lattices []latticeRow
}

// latticeRow are configurations of one run.
type latticeRow struct {
	Sampler  string
	Lattices []live.Lattice
	Sides    []int
	Colours  int
}

// Write makes the report of what the folder of a comparison holds, and returns the analysis.
func Write(folder string) (*compare.Analysis, error) {
	r, err := compare.Collect(folder)
	if err != nil {
		return nil, err
	}
	rep := &report{Analysis: compare.Analyse(r)}
	if rep.manifest, err = manifest(r); err != nil {
		return nil, err
	}
	rep.tables = rep.Tables()
	rep.draw()
	for _, sub := range []string{TableFolder, FigureFolder} {
		if err := os.MkdirAll(filepath.Join(folder, sub), 0o777); err != nil {
			return nil, err
		}
	}
	var faults []error
	put := func(name string, data []byte, err error) {
		if err == nil {
			err = disk.WriteFile(disk.OS, filepath.Join(folder, name), data)
		}
		faults = append(faults, err)
	}
	for _, t := range rep.tables {
		put(filepath.Join(TableFolder, t.Name+".csv"), t.CSV(), nil)
		data, err := parquetOf(t)
		put(filepath.Join(TableFolder, t.Name+".parquet"), data, err)
	}
	for _, f := range rep.all() {
		for _, extension := range extensions {
			data, err := f.encode(extension)
			put(filepath.Join(FigureFolder, f.Name+extension), data, err)
		}
	}
	text, err := json.MarshalIndent(rep.manifest, "", "  ")
	put(compare.ManifestFile, append(text, '\n'), err)
	put(MarkdownFile, rep.markdown(), nil)
	html, err := rep.html()
	put(HTMLFile, html, err)
	return rep.Analysis, errors.Join(faults...)
}

// all are all figures.
func (r *report) all() (all []*figure) {
	if r.profile != nil {
		all = append(all, r.profile)
	}
	for _, s := range r.figures {
		all = append(all, s.figures...)
	}
	return all
}

// draw makes the figures.
func (r *report) draw() {
	r.profile = profileFigure(r.Analysis)
	for i := range r.Systems {
		y := &r.Systems[i]
		s := systemFigures{y: y}
		add := func(f *figure) {
			if f != nil {
				s.figures = append(s.figures, f)
			}
		}
		add(errorFigure(r.Analysis, y))
		add(targetFigure(r.Analysis, y))
		if y.Reference != nil {
			energies := map[string][]compare.ByEnergy{}
			for k := range y.Samplers {
				energies[y.Samplers[k].Sampler.Name] = y.Samplers[k].ByEnergy(y)
			}
			add(densityFigure(r.Analysis, y, energies))
			add(proposalFigure(r.Analysis, y, energies))
			add(probabilityFigure(r.Analysis, y))
		}
		add(lossFigure(r.Analysis, y))
		spaces, missing := latentSpaces(y)
		s.figures = append(s.figures, spaces...)
		r.lacking = append(r.lacking, missing...)
		for k := range y.Samplers {
			p := &y.Samplers[k]
			add(histogramFigure(r.Analysis, y, p))
			if len(p.Cells) == 0 {
				continue
			}
			if picture, err := live.ReadPicture(p.Cells[0].Folder()); err == nil && len(picture.Lattices) > 0 && len(picture.Sides) == 2 {
				s.lattices = append(s.lattices, latticeRow{p.Sampler.Name, picture.Lattices, picture.Sides, picture.Colours})
			}
		}
		r.figures = append(r.figures, s)
	}
}

// manifest puts together what a comparison was made of.
func manifest(r *compare.Results) (Manifest, error) {
	text, err := r.Spec.YAML()
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{
		Name: r.Spec.Name, Title: r.Spec.Title, Made: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(),
		Seeds: r.Spec.Seeds, Missing: r.Missing,
		Spec: string(text), NotMeasured: []string{"energy (joules) per result: machines of this kind have no meter that a program can read"},
	}
	seen := map[string]bool{}
	for i := range r.Systems {
		y := &r.Systems[i]
		for k := range y.Samplers {
			for _, c := range y.Samplers[k].Cells {
				if c.Machine != "" && !slices.Contains(m.Machines, c.Machine) {
					m.Machines = append(m.Machines, c.Machine)
				}
				l, err := runreport.Load(c.Folder())
				if err != nil || l.Summary == nil {
					continue // of a cell that failed
				}
				if v := l.Summary.Version; !seen[v] {
					seen[v] = true
					m.Versions = append(m.Versions, v)
				}
				if folder := c.NetworkFolder(); folder != "" {
					if b, err := exporter.Load(folder); err == nil {
						m.Networks = append(m.Networks, Network{y.System.Name, y.Samplers[k].Sampler.Name, c.Seed, b.Card.Architecture, b.Card.Digest(), b.Card.Training.Steps, c.ModelBytes})
					}
				}
			}
		}
	}
	return m, nil
}

// number writes a value with its standard error, as far as they are known.
func number(e compare.Estimate) string {
	switch {
	case math.IsNaN(e.Value):
		return "–"
	case math.IsInf(e.Value, 0):
		return "levels missing"
	case math.IsNaN(e.Error) || math.IsInf(e.Error, 0):
		return short(e.Value)
	}
	return short(e.Value) + " ± " + fmt.Sprintf("%.2g", e.Error)
}

func short(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.IsInf(x, 0):
		return "∞"
	}
	return fmt.Sprintf("%.3g", x)
}

// effort writes a typical time with its interval.
func effort(e compare.Effort, reached int) string {
	if reached == 0 {
		return "not reached"
	}
	if math.IsInf(e.Typical, 0) { // too many seeds did not
		if e.Interval.Low > 0 {
			return "over " + short(e.Interval.Low)
		}
		return "not by all"
	}
	return fmt.Sprintf("%s [%s, %s]", short(e.Typical), short(e.Interval.Low), short(e.Interval.High))
}
