package dos

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"neuralwl/internal/disk"
)

// format is a file format of densities of states.
type format struct {
	extension string
	// read also reads the replicas, on demand, and the pairs of a joint density.
	read func(r Reader, f *os.File, replicas bool) (*Ensemble, *pairs, error)
	// write writes a file and what belongs beside it.
	write func(e *Ensemble, path string) error
}

var formats = []format{
	{".csv", readTable, func(e *Ensemble, path string) error {
		return e.Origin.WriteTable(path, e.WriteCSV)
	}},
	{".npz", func(r Reader, f *os.File, replicas bool) (*Ensemble, *pairs, error) {
		info, err := f.Stat()
		if err != nil {
			return nil, nil, err
		}
		return r.readNPZ(f, info.Size(), replicas)
	}, func(e *Ensemble, path string) error {
		var data bytes.Buffer
		if err := e.WriteNPZ(&data); err != nil {
			return err
		}
		return disk.WriteFile(disk.OS, path, data.Bytes())
	}},
}

// tables are other extensions of files that are read like .csv.
var tables = []string{".txt", ".dat", ".tsv"}

func readTable(r Reader, f *os.File, _ bool) (*Ensemble, *pairs, error) {
	d, joint, err := r.readCSV(f)
	if err != nil {
		return nil, nil, err
	}
	d.Origin, err = readMetadata(f.Name())
	return &Ensemble{Density: d}, joint, err
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
	e, err := r.readSum(path, false)
	if err != nil {
		return nil, err
	}
	return e.Density, nil
}

// ReadEnsemble is ReadFile with the replicas that Ensemble.WriteFile puts into an archive; there
// are none in other files.
func (r Reader) ReadEnsemble(path string) (*Ensemble, error) { return r.readSum(path, true) }

// readSum reads a file, and sums a joint density over the second variable.
func (r Reader) readSum(path string, replicas bool) (*Ensemble, error) {
	e, joint, err := r.readFile(path, replicas)
	if err != nil {
		return nil, err
	}
	if e, err = r.sum(e, joint); err != nil {
		return nil, fmt.Errorf("read density of states %s: %w; nwl dos project makes one of the energy alone", path, err)
	}
	return e, nil
}

func (r Reader) readFile(path string, replicas bool) (*Ensemble, *pairs, error) {
	format, err := formatOf(path)
	switch {
	case slices.Contains(tables, strings.ToLower(filepath.Ext(path))):
		format.read = readTable
	case err != nil:
		return nil, nil, fmt.Errorf("%w; tables may also end in %s", err, strings.Join(tables, " or "))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read density of states: %w", err)
	}
	defer f.Close()
	e, joint, err := format.read(r, f, replicas)
	if err != nil {
		return nil, nil, fmt.Errorf("read density of states %s: %w", path, err)
	}
	return e, joint, nil
}

// WriteFile writes the density of states to the file path, whole or not at all, in the format
// given by its extension: .csv, with its MetadataFile if the origin is known, or .npz.
func (d *Density) WriteFile(path string) error { return (&Ensemble{Density: d}).WriteFile(path) }

// WriteFile is Density.WriteFile with the replicas in an archive; see Ensemble.WriteNPZ.
func (e *Ensemble) WriteFile(path string) error {
	format, err := formatOf(path)
	if err != nil {
		return err
	}
	if err := format.write(e, path); err != nil {
		return fmt.Errorf("write density of states %s: %w", path, err)
	}
	return nil
}
