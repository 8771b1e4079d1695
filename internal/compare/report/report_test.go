package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image/png"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"neuralwl/inference"
	"neuralwl/internal/child"
	"neuralwl/internal/compare"
	"neuralwl/internal/compare/report"
)

// TestMain also serves as the process of a cell.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_REPORT") != "" {
		os.Exit(child.Serve(os.Stdin, os.Stdout, "test", slog.New(slog.NewTextHandler(io.Discard, nil))))
	}
	os.Exit(m.Run())
}

const spec = `
name: small
title: Small & quick
seeds: 2
targets: [0.5, 0.001]
target: 0.5
set: {run.walkers: 32, report.figures: false, model.encoder: 8, model.latent: 2, model.decoder: 8, trainer.batch: 16}
systems:
  - {name: q10-3x3, set: {system.q: 10, system.size: 3x3}, moves: 4e5}
samplers:
  - {name: heat bath, set: {run.moves: local}}
  - {name: network, set: {run.moves: "local, neural"}, share: 0.3}
  - {name: broken, set: {run.moves: "local, neural", inference.library: /does/not/exist}}
`

// TestReport makes a comparison and all files of its report.
func TestReport(t *testing.T) {
	t.Setenv("TEST_REPORT", "1")
	library, _ := inference.FindLibrary("")
	t.Setenv(inference.LibraryVariable, library)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := compare.Parse([]byte(spec), ".")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := compare.Run(t.Context(), compare.Options{Spec: s, Folder: folder, Work: child.Cells([]string{program}, io.Discard)}); err != nil {
		t.Fatal(err)
	}
	a, err := report.Write(folder)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}

	html := string(read(report.HTMLFile))
	for _, want := range []string{"Small &amp; quick", "What this means for you", "/does/not/exist", "2 seeds cannot decide", "Not measured", "break-even", "q10-3x3"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is not in the report", want)
		}
	}
	// Nothing is fetched: no element with an address but those within the page.
	for _, found := range regexp.MustCompile(`(?i)\s(?:src|href|action|data|xlink:href)="([^"]*)"|url\(([^)]*)\)|@import`).FindAllStringSubmatch(html, -1) {
		if address := found[1] + found[2]; !strings.HasPrefix(address, "#") && !strings.HasPrefix(address, "data:image/png;base64,") {
			t.Errorf("the report refers to %q", found[0])
		}
	}
	data := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindStringSubmatch(html)
	var embedded struct {
		Manifest report.Manifest
		Tables   []compare.Table
	}
	if data == nil {
		t.Fatal("there is no data in the report")
	}
	if err := json.Unmarshal([]byte(data[1]), &embedded); err != nil || embedded.Manifest.Name != "small" || len(embedded.Tables) < 5 {
		t.Errorf("the data in the report: %+v, %v", embedded.Manifest, err)
	}

	if text := string(read(report.MarkdownFile)); !strings.Contains(text, "# Small & quick") || !strings.Contains(text, "| network | 0.5 |") {
		t.Errorf("the summary:\n%s", text)
	}
	var m report.Manifest
	if err := json.Unmarshal(read(compare.ManifestFile), &m); err != nil || len(m.Networks) != 2 || len(m.Networks[0].Digest) < 32 || m.Versions[0] != "test" {
		t.Errorf("the manifest: %+v, %v", m, err)
	}

	// Tables say the same as CSV and as Parquet.
	for _, table := range a.Tables() {
		rows, err := csv.NewReader(bytes.NewReader(read(filepath.Join(report.TableFolder, table.Name+".csv")))).ReadAll()
		if err != nil || len(rows) != len(table.Rows)+1 {
			t.Errorf("%s.csv has %d rows, %v", table.Name, len(rows), err)
		}
		file := read(filepath.Join(report.TableFolder, table.Name+".parquet"))
		p, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
		if err != nil || p.NumRows() != int64(len(table.Rows)) || len(p.Schema().Fields()) != len(table.Columns) {
			t.Errorf("%s.parquet: %v", table.Name, err)
		}
	}
	type cell struct {
		System  string   `parquet:"system"`
		Sampler string   `parquet:"sampler"`
		Seed    int64    `parquet:"seed"`
		RMS     *float64 `parquet:"rms,optional"`
		Trips   *float64 `parquet:"round_trips,optional"`
		Failed  string   `parquet:"failed"`
	}
	cells, err := parquet.ReadFile[cell](filepath.Join(folder, report.TableFolder, "cells.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	first := a.Systems[0].Samplers[0].Cells[0]
	if c := cells[0]; c.Sampler != "heat bath" || c.Seed != 1 || c.RMS == nil || *c.RMS != first.RMS || *c.Trips != first.RoundTrips {
		t.Errorf("the first cell in Parquet: %+v", c)
	}
	if c := cells[5]; c.Sampler != "broken" || c.Trips != nil || !strings.Contains(c.Failed, "/does/not/exist") {
		t.Errorf("the last cell in Parquet: %+v", c)
	}

	for _, name := range []string{"error-q10-3x3", "target-q10-3x3", "density-q10-3x3", "proposals-q10-3x3", "loss-q10-3x3", "histogram-q10-3x3-network", "latent-q10-3x3-network", "profile"} {
		if _, err := png.Decode(bytes.NewReader(read(filepath.Join(report.FigureFolder, name+".png")))); err != nil {
			t.Errorf("%s.png: %v", name, err)
		}
		if svg := read(filepath.Join(report.FigureFolder, name+".svg")); bytes.Contains(svg, []byte("NaN")) {
			t.Errorf("%s.svg has a NaN", name)
		}
		if !strings.Contains(html, "<svg role=\"img\"") {
			t.Errorf("there is no figure in the report")
		}
	}

	// A comparison that is still running also has a report.
	if err := os.Remove(filepath.Join(folder, "cells", "q10-3x3", "network", "budget-1", "seed-2", "cell.json")); err != nil {
		t.Fatal(err)
	}
	if a, err = report.Write(folder); err != nil || a.Missing != 1 || !strings.Contains(string(read(report.HTMLFile)), "the comparison is under way") {
		t.Errorf("under way: %v, %d missing", err, a.Missing)
	}
}
