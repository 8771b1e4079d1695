package report

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"neuralwl/internal/history"
	"neuralwl/internal/plots"
	"neuralwl/sampler/lattice"
)

// Again makes the page and the pictures of a run that has ended from its files alone, by put as in
// Result.Write. What the tables do not say, as where each proposal led, stays as it was drawn.
func Again(ctx context.Context, folder string, log *slog.Logger, put func(name string, data []byte) error) (*Summary, error) {
	l, err := Load(folder)
	if err != nil {
		return nil, err
	}
	e, err := LoadEnsemble(folder)
	if err != nil {
		return nil, err
	}
	system, err := l.Config.System.New()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	r := &Result{Input: &Input{Config: l.Config, System: system, Log: log}, energy: lattice.Energies(system), density: e, cells: e, kept: map[string][]byte{}}
	if l.Config.System.Joint != "" {
		if r.joint, err = LoadJoint(folder); err != nil {
			return nil, err
		}
	}
	if r.History, err = history.Read(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if l.Summary.Canonical == nil && l.Summary.Temperatures == nil { // else averages have other sources than ln g
		if err := complete(ctx, r); err != nil {
			return nil, fmt.Errorf("%s: %w", folder, err)
		}
	}
	for _, p := range pictures {
		for _, name := range []string{p.name + ".svg", p.name + ".png"} {
			if data, err := os.ReadFile(filepath.Join(folder, name)); err == nil {
				r.kept[name] = data
			}
		}
	}
	return l.Summary, r.WritePage(l.Summary, put)
}

// picture is a figure as a file of that name, or one kept from before; nil for neither.
func (r *Result) picture(figures map[string]plots.Figure, name string) ([]byte, error) {
	if figure, ok := figures[name[:len(name)-len(filepath.Ext(name))]]; ok {
		return encode(figure, name)
	}
	return r.kept[name], nil
}
