package exporter_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/models"
)

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
