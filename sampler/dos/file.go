package dos

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"neuralwl/internal/disk"
)

// format is a file format of densities of states.
type format struct {
	extension string
	read      func(r Reader, f *os.File) (*Density, error)
	write     func(d *Density, w io.Writer) error
}

var formats = []format{
	{".csv", readTable, (*Density).WriteCSV},
	{".npz", func(r Reader, f *os.File) (*Density, error) {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		return r.ReadNPZ(f, info.Size())
	}, (*Density).WriteNPZ},
}

// tables are other extensions of files that are read like .csv.
var tables = []string{".txt", ".dat", ".tsv"}

func readTable(r Reader, f *os.File) (*Density, error) { return r.ReadCSV(f) }

// formatOf returns the format for the extension of path.
func formatOf(path string) (format, error) {
	var known []string
	for _, f := range formats {
		if strings.EqualFold(filepath.Ext(path), f.extension) {
			return f, nil
		}
		known = append(known, f.extension)
	}
	return format{}, fmt.Errorf("file %q: the name of a density of states must end in %s", path, strings.Join(known, " or "))
}

// CheckPath returns an error unless path has the extension of a format known to WriteFile.
func CheckPath(path string) error {
	_, err := formatOf(path)
	return err
}

// ReadFile reads the file path, as Reader.ReadFile does, strictly.
func ReadFile(path string) (*Density, error) { return Reader{}.ReadFile(path) }

// ReadFile reads the density of states in the file path. The extension determines the
// format: .csv, .txt, .dat or .tsv for a table (see Reader.ReadCSV), .npz for an archive
// (see Reader.ReadNPZ).
func (r Reader) ReadFile(path string) (*Density, error) {
	format, err := formatOf(path)
	switch {
	case slices.Contains(tables, strings.ToLower(filepath.Ext(path))):
		format.read = readTable
	case err != nil:
		return nil, fmt.Errorf("%w; tables may also end in %s", err, strings.Join(tables, " or "))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read density of states: %w", err)
	}
	defer f.Close()
	d, err := format.read(r, f)
	if err != nil {
		return nil, fmt.Errorf("read density of states %s: %w", path, err)
	}
	return d, nil
}

// WriteFile writes the density of states atomically to the file path, in the format given
// by its extension: .csv or .npz.
func (d *Density) WriteFile(path string) error {
	format, err := formatOf(path)
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := format.write(d, &buf); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := disk.WriteFile(disk.OS, path, buf.Bytes()); err != nil {
		return fmt.Errorf("write density of states %s: %w", path, err)
	}
	return nil
}
