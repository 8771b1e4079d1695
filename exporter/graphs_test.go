package exporter_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/models"
)

// TestGraphs finds the same graphs in bundles that differ in weights, name, version and record
// alone, also after a way over the disk, and others where anything else differs.
func TestGraphs(t *testing.T) {
	s, h := models.System{Q: 3, Sides: []int{4, 3}}, models.Hyperparameters{Width: 3, Floor: 1e-3, Window: 2}
	make := func(name string, s models.System, h models.Hyperparameters, seed uint64) *exporter.Bundle {
		b, err := exporter.NewUntrained(name, models.Microcanonical, s, h, rand.New(rand.NewPCG(seed, 1)))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	graphs := func(b *exporter.Bundle) string {
		g, err := b.Graphs()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	b := make("one", s, h, 1)
	want := graphs(b)
	other := make("two", s, h, 2)
	other.Card.Training.Steps = 7
	loaded, err := exporter.Load(save(t, other, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for name, same := range map[string]*exporter.Bundle{"other weights": other, "loaded": loaded} {
		if graphs(same) != want {
			t.Errorf("%s: other graphs", name)
		}
	}
	window, width, sides := h, h, s
	window.Window, width.Width, sides.Sides = 3, 4, []int{4, 4}
	untrained := make("one", s, h, 1)
	untrained.Gradient = nil
	offset := make("one", s, h, 1)
	bundletest.Offset(offset, 0)
	for name, differs := range map[string]*exporter.Bundle{
		"window": make("one", s, window, 1), "width": make("one", s, width, 1), "size": make("one", sides, h, 1),
		"without a gradient": untrained, "another operator": offset,
	} {
		if graphs(differs) == want {
			t.Errorf("%s: the same graphs", name)
		}
	}
	if before, err := b.Weights(); err != nil || len(before) == 0 {
		t.Errorf("the digest has changed the bundle: %v", err)
	}
}

// TestReadFiles copies a bundle file by file, and refuses to follow a card out of its folder.
func TestReadFiles(t *testing.T) {
	folder := save(t, newTargeted(t, models.System{Q: 3, Sides: []int{4, 3}}), t.TempDir())
	for _, path := range []string{folder, filepath.Dir(folder)} {
		files, err := exporter.ReadFiles(path)
		if err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) != len(files) {
			t.Errorf("%d files of %d, %v", len(files), len(entries), err)
		}
		copied := filepath.Join(t.TempDir(), "copy")
		if err := disk.WriteFolder(disk.OS, copied, files); err != nil {
			t.Fatal(err)
		}
		a, err := exporter.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		b, err := exporter.Load(copied)
		if err != nil || !maps.Equal(a.Card.SHA256, b.Card.SHA256) {
			t.Errorf("the copy is another bundle: %v", err)
		}
	}
	card := filepath.Join(folder, exporter.CardFile)
	data, err := os.ReadFile(card)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte(`"sha256": {`), []byte(`"sha256": {"../../secret": "00",`), 1)
	if err := os.WriteFile(card, data, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, read := range []func() error{
		func() error { _, err := exporter.ReadFiles(folder); return err },
		func() error { _, err := exporter.Load(folder); return err },
	} {
		if err := read(); err == nil || !strings.Contains(err.Error(), "../../secret") {
			t.Errorf("a file outside: %v", err)
		}
	}
	if _, err := exporter.ReadFiles(t.TempDir()); err == nil {
		t.Error("an empty folder")
	}
	odd := t.TempDir()
	if err := os.Mkdir(filepath.Join(odd, exporter.CardFile), 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := exporter.ReadFiles(odd); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder in place of a card: %v", err)
	}
}
