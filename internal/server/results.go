package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
	"neuralwl/internal/disk"
	"neuralwl/internal/plots"
	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
)

// lnGFile is the plot of ln g in a run directory, without its extension.
const lnGFile = "ln_g"

// densityFormats are the forms of a density of states: the file of the run directory that has
// it, and its type.
var densityFormats = map[string]struct{ file, kind string }{
	"json": {report.DensityFile, "application/json"},
	"csv":  {report.DensityFile, "text/csv; charset=utf-8"},
	"npz":  {report.ArchiveFile, "application/zip"},
	"svg":  {lnGFile + ".svg", "image/svg+xml"},
	"png":  {lnGFile + ".png", "image/png"},
}

// errNone is the error of what a run has not, or not yet.
var errNone = errors.New("the run has none")

// result returns a file of results of a run, small enough for memory.
func (s *Server) result(ctx context.Context, id, name string) ([]byte, error) {
	run, err := s.o.Daemon.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	root, err := s.o.Daemon.Open(id)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, _, err := disk.OpenRegular(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is %s: there is no %s yet: %w", id, run.State, name, errNone)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// number is a number of JSON, null for NaN.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if x := float64(n); !math.IsNaN(x) && !math.IsInf(x, 0) {
		return json.Marshal(x)
	}
	return []byte("null"), nil
}

// Schema is that of a number or null.
func (number) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeNumber}, {Type: "null"}}}
}

// density is a density of states in JSON.
type density struct {
	Run     string    `json:"run"`
	Energy  []float64 `json:"energy" doc:"In units of J, ascending."`
	LnG     []float64 `json:"ln_g" doc:"Natural logarithm of the number of states."`
	LnGMiss []number  `json:"ln_g_error,omitempty" doc:"One standard error, null where it is not known."`
}

// density returns the density of states of a run in a format.
func (s *Server) density(ctx context.Context, id, format string) ([]byte, error) {
	of := densityFormats[format]
	data, err := s.result(ctx, id, of.file)
	switch {
	case format == "svg" || format == "png":
		if !errors.Is(err, errNone) {
			return data, err
		}
		// A run that was left no time for figures.
		d, err := s.readDensity(ctx, id)
		if err != nil {
			return nil, err
		}
		return draw(id, d, of.file)
	case err != nil || format != "json":
		return data, err
	}
	d, err := parseDensity(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", id, of.file, err)
	}
	out := density{Run: id, Energy: d.Energy, LnG: d.LnG}
	for _, e := range d.Error {
		out.LnGMiss = append(out.LnGMiss, number(e))
	}
	return json.Marshal(out)
}

func (s *Server) readDensity(ctx context.Context, id string) (*dos.Density, error) {
	data, err := s.result(ctx, id, report.DensityFile)
	if err != nil {
		return nil, err
	}
	return parseDensity(data)
}

// parseDensity reads dos.csv. A joint density is summed over its second variable.
func parseDensity(data []byte) (*dos.Density, error) {
	return dos.Reader{Note: func(string) {}}.ReadCSV(bytes.NewReader(data))
}

// draw draws ln g. What panics in the library that draws costs the picture alone.
func draw(id string, d *dos.Density, name string) (data []byte, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("plot of %s: %v", id, fault)
		}
	}()
	figure, err := plots.LnG([]plots.Curve{{Name: id, Density: d}}, nil)
	if err != nil {
		return nil, err
	}
	var picture bytes.Buffer
	err = figure.Encode(&picture, name)
	return picture.Bytes(), err
}

// content is an answer of bytes.
type content struct {
	Type string `header:"Content-Type"`
	ETag string `header:"ETag"`
	Body []byte
}

// registerResults registers what a run has found.
func (s *Server) registerResults() {
	bytesOf := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	op := operation(http.MethodGet, "/runs/{id}/density", "density", "The density of states of a run", 404, 409, 422)
	op.Description = "The file of the run directory; svg and png are drawn where that has none. 409 as long as the run has no results."
	op.Responses = map[string]*huma.Response{"200": {Description: "ln g over the energy.", Content: map[string]*huma.MediaType{
		"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[density](), true, "density")},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		"application/zip":  {Schema: bytesOf}, "image/svg+xml": {Schema: &huma.Schema{Type: huma.TypeString}}, "image/png": {Schema: bytesOf},
	}}}
	huma.Register(s.api, op, func(ctx context.Context, in *struct {
		RunPath
		Format string `query:"format" enum:"json,csv,npz,svg,png" default:"json" doc:"json, csv, npz for NumPy, or a picture as svg or png."`
	}) (*content, error) {
		data, err := s.density(ctx, in.ID, in.Format)
		if err != nil {
			return nil, problem(err)
		}
		return &content{Type: densityFormats[in.Format].kind, Body: data}, nil
	})
	file := func(path, id, summary, name, kind string, schema *huma.Schema) {
		op := operation(http.MethodGet, "/runs/{id}"+path, id, summary, 404, 409, 422)
		op.Responses = map[string]*huma.Response{"200": {Description: summary + ", as in the run directory.", Content: map[string]*huma.MediaType{kind: {Schema: schema}}}}
		huma.Register(s.api, op, func(ctx context.Context, in *RunPath) (*content, error) {
			data, err := s.result(ctx, in.ID, name)
			if err != nil {
				return nil, problem(err)
			}
			return &content{Type: kind, Body: data}, nil
		})
	}
	file("/summary", "summary", "The summary of a run that has ended", report.SummaryFile, "application/json",
		&huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "summary.json, which docs/files.md describes."})
	op = operation(http.MethodGet, "/runs/{id}/config", "config", "The complete configuration of a run", 404, 422)
	op.Responses = map[string]*huma.Response{"200": {Description: "YAML, as for nwl run --config. Once the run has begun it is that of the run directory.",
		Content: map[string]*huma.MediaType{"application/yaml": {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}}}}
	huma.Register(s.api, op, func(ctx context.Context, in *RunPath) (*content, error) {
		data, err := s.result(ctx, in.ID, report.ConfigFile)
		if errors.Is(err, errNone) {
			var r *api.Run
			if r, err = s.o.Daemon.Get(ctx, in.ID); err == nil {
				data = []byte(r.Config)
			}
		}
		if err != nil {
			return nil, problem(err)
		}
		return &content{Type: "application/yaml", Body: data}, nil
	})
}
