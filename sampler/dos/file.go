package dos

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"neuralwl/internal/disk"
)

// format is a file format of densities of states.
type format struct {
	extension string
	read      func(f *os.File) (*Density, error)
	write     func(d *Density, w io.Writer) error
}

var formats = []format{
	{".csv", func(f *os.File) (*Density, error) { return ReadCSV(f) }, (*Density).WriteCSV},
	{".npz", func(f *os.File) (*Density, error) {
		info, err := f.Stat()
		if err != nil {
			return nil, err
		}
		return ReadNPZ(f, info.Size())
	}, (*Density).WriteNPZ},
}

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

// CheckPath returns an error unless path has the extension of a format known to ReadFile
// and WriteFile.
func CheckPath(path string) error {
	_, err := formatOf(path)
	return err
}

// ReadFile reads the density of states in the file path. The extension determines the
// format: .csv (see ReadCSV) or .npz (see ReadNPZ).
func ReadFile(path string) (*Density, error) {
	format, err := formatOf(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read density of states: %w", err)
	}
	defer f.Close()
	d, err := format.read(f)
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
