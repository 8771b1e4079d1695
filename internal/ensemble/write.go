package ensemble

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"

	"neuralwl/internal/disk"
	"neuralwl/internal/plots"
)

// Write writes the result into a folder, each file whole or not at all, SummaryFile the last.
func (r *Result) Write(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	if err := r.membersTable().write(folder); err != nil {
		return err
	}
	for _, p := range r.Points {
		if err := p.write(filepath.Join(folder, filepath.FromSlash(p.Folder))); err != nil {
			return fmt.Errorf("%s: %w", p.Label, err)
		}
	}
	text, err := json.MarshalIndent(r.Summary(), "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", SummaryFile, err)
	}
	return disk.WriteFile(disk.OS, filepath.Join(folder, SummaryFile), append(text, '\n'))
}

// write writes the files of a point and removes those of an earlier result that this one does not have.
func (p *Point) write(folder string) error {
	files, err := p.files(folder)
	if err != nil {
		return err
	}
	for _, name := range p.possible() {
		if slices.Contains(files, name) {
			continue
		}
		path := filepath.Join(folder, name)
		if err := errors.Join(disk.OS.RemoveAll(path), disk.OS.RemoveAll(described(path))); err != nil {
			return err
		}
	}
	return nil
}

// files writes the files of a point, if it has a result, and returns their names.
func (p *Point) files(folder string) (names []string, err error) {
	tables := p.tables()
	if len(tables) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	for _, t := range tables {
		if err := t.write(folder); err != nil {
			return nil, err
		}
		names = append(names, t.name)
	}
	if p.Merged != nil {
		for _, name := range []string{DensityFile, ArchiveFile} {
			if err := p.Merged.WriteFile(filepath.Join(folder, name)); err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	f, err := p.figure()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if err := f.Encode(&text, FigureFile); err != nil {
		return nil, err
	}
	return append(names, FigureFile), disk.WriteFile(disk.OS, filepath.Join(folder, FigureFile), text.Bytes())
}

// paler lets what is drawn above a band be seen.
var paler = color.RGBA{R: 0xb8, G: 0xd8, B: 0xec, A: 0xff}

// figure draws energy and specific heat over beta: of averages the mean with its error, on a band that holds the
// middle 68 % of the realisations; nothing beyond the Reach. Of a merged density of states it also draws ln g.
func (p *Point) figure() (plots.Figure, error) {
	title := p.System
	if p.Averaged != nil {
		title = fmt.Sprintf("Means over %d realisations, as of %s", len(p.Averaged), p.System)
	}
	var f plots.Figure
	for k, label := range []string{"", "E / N", "C / N"} {
		if label == "" {
			continue
		}
		panel := plots.NewPanel(title, "", label)
		title = ""
		var mean, band plots.Series
		for i, beta := range p.Betas {
			if math.Abs(beta) > p.Reach {
				continue
			}
			if p.Averaged == nil {
				mean = append(mean, plots.Point{X: beta, Y: p.curves.values[k][i], Error: p.curves.errors[k][i]})
				continue
			}
			a := p.Averages[k][i]
			low, high := a.Quantiles[2], a.Quantiles[6]
			band = append(band, plots.Point{X: beta, Y: (low + high) / 2, Error: (high - low) / 2})
			mean = append(mean, plots.Point{X: beta, Y: a.Mean, Error: a.Error})
		}
		panel.Band(band, paler)
		panel.Points("", mean, plots.Colours[0])
		panel.LabelX("inverse temperature")
		f = append(f, panel)
	}
	if p.Merged == nil {
		return f, nil
	}
	lnG, err := plots.LnG([]plots.Curve{{Name: "merged", Density: p.Merged.Density}}, nil)
	return append(lnG, f...), err
}
