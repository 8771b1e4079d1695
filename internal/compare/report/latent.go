package report

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"neuralwl/internal/compare"
	"neuralwl/internal/disk"
	"neuralwl/internal/latent"
	runreport "neuralwl/internal/report"
	"neuralwl/internal/setup"
	"neuralwl/models"
	"neuralwl/sampler/lattice"
)

// latentStates is how many configurations show a latent space.
const latentStates = 300

// latentFigure draws the latent space of the network of a sampler's first seed, nil for networks without
// one. It is made once and kept in the cell's folder, since it takes seconds.
func latentFigure(y *compare.SystemResults, p *compare.SamplerResults) (*figure, error) {
	if len(p.Cells) == 0 || p.Cells[0].Failed != "" || y.Reference == nil {
		return nil, nil
	}
	cell := p.Cells[0]
	l, err := runreport.Load(cell.Folder())
	if err != nil || l.Summary == nil || l.Summary.Network == nil || l.Summary.Network.Architecture != models.Autoencoder {
		return nil, err
	}
	system, err := y.Lattice()
	if err != nil {
		return nil, err
	}
	potts, ok := system.(*lattice.Potts)
	if !ok {
		return nil, nil
	}
	f := &figure{
		Name: "latent-" + name(y) + "-" + fileName(p.Sampler.Name), Title: "Latent space, " + p.Sampler.Name + " on " + y.System.Name,
		Text: "Latent vectors of configurations of all energies, coloured by the energy per site and by the order parameter, of the network of the first seed at the end of its training.",
		made: map[string][]byte{},
	}
	base := filepath.Join(filepath.Dir(cell.Folder()), "latent")
	for _, extension := range extensions {
		if f.made[extension], err = os.ReadFile(base + extension); err != nil {
			f.made = nil
			break
		}
	}
	if f.made != nil {
		return f, nil
	}
	c, quiet := l.Config, slog.New(slog.DiscardHandler)
	c.Model.Bundle, c.Model.Init = cell.NetworkFolder(), ""
	o := latent.Options{System: potts, Part: c.Inference.Batch, Seed: 1, States: latentStates}
	if o.Bundle, err = setup.Bundle(c, quiet); err != nil {
		return nil, err
	}
	if o.Runtime, err = setup.Runtime(c, 1, quiet); err != nil {
		return nil, err
	}
	if o.LnG, err = setup.Levels(y.Reference, potts); err != nil {
		return nil, err
	}
	study, err := latent.Look(context.Background(), o)
	if err != nil {
		return nil, err
	}
	if f.plots, err = study.Figure(f.Title); err != nil {
		return nil, err
	}
	f.made = map[string][]byte{}
	for _, extension := range extensions {
		var data bytes.Buffer
		if err := f.plots.Encode(&data, f.Name+extension); err != nil {
			return nil, err
		}
		f.made[extension] = data.Bytes()
		if err := disk.WriteFile(disk.OS, base+extension, data.Bytes()); err != nil {
			return nil, err
		}
	}
	var table bytes.Buffer
	if err := study.WriteCSV(&table); err != nil {
		return nil, err
	}
	if err := disk.WriteFile(disk.OS, base+".csv", table.Bytes()); err != nil {
		return nil, err
	}
	return f, nil
}

// extensions are the formats of figures.
var extensions = []string{".svg", ".png"}

// encode draws the figure in a format, unless that was done before.
func (f *figure) encode(extension string) ([]byte, error) {
	if f.made != nil {
		return f.made[extension], nil
	}
	var data bytes.Buffer
	err := f.plots.Encode(&data, f.Name+extension)
	return data.Bytes(), err
}

// latentSpaces are the figures of a system's latent spaces, and why one is missing.
func latentSpaces(y *compare.SystemResults) (figures []*figure, missing []string) {
	for k := range y.Samplers {
		f, err := latentFigure(y, &y.Samplers[k])
		if err != nil {
			missing = append(missing, fmt.Sprintf("The latent space of %s on %s is not shown: %v.", y.Samplers[k].Sampler.Name, heading(y), err))
		} else if f != nil {
			figures = append(figures, f)
		}
	}
	return figures, missing
}
