package report

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"neuralwl/internal/config"
	"neuralwl/internal/near"
	"neuralwl/sampler/dos"
)

// Loaded is what a run directory holds. What a run has not, or not yet, is nil.
type Loaded struct {
	Folder  string
	Config  *config.Config // never nil
	Summary *Summary       // nil before the run has ended

	Density     *dos.Density // dos.csv, of a joint density its sum over the second variable
	Transitions *dos.Density // dos_transitions.csv

	Observables *Table // observables.csv
	Order       *Table // order.csv
	Proposals   *Table // proposals.csv

	Temperatures *Table // temperatures.csv
}

// Load reads the results of a run directory. It takes no lock and may be called while the
// run goes on: every file is written whole.
func Load(folder string) (*Loaded, error) {
	l := &Loaded{Folder: folder}
	data, err := os.ReadFile(filepath.Join(folder, ConfigFile))
	if err != nil {
		return nil, fmt.Errorf("%s: there is no run in it: %w%s", folder, err, near.AskPath(folder))
	}
	if l.Config, err = config.Parse(data); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, ConfigFile), err)
	}
	return l, errors.Join(
		read(folder, SummaryFile, &l.Summary, ReadSummary),
		read(folder, DensityFile, &l.Density, densityOf(l.Config)),
		read(folder, TransitionsFile, &l.Transitions, densityOf(l.Config)),
		read(folder, ObservablesFile, &l.Observables, readTable),
		read(folder, OrderFile, &l.Order, readTable),
		read(folder, ProposalsFile, &l.Proposals, readTable),
		read(folder, TemperaturesFile, &l.Temperatures, readTable),
	)
}

// LoadEnsemble reads the density of states of a run directory with its replicas and its origin,
// of which older programs wrote neither: then there are no replicas. A joint density is summed over the second
// variable; LoadEither reads it as it is.
func LoadEnsemble(folder string) (*dos.Ensemble, error) {
	e, j, err := LoadEither(folder)
	if j != nil {
		e = j.Project(0)
	}
	return e, err
}

// LoadEither reads the joint density of states of a run directory or, if its levels are energies alone, what
// LoadEnsemble reads; the other is nil.
func LoadEither(folder string) (*dos.Ensemble, *dos.Joint, error) {
	l, err := Load(folder)
	if err != nil {
		return nil, nil, err
	}
	if l.Summary == nil || l.Density == nil {
		return nil, nil, fmt.Errorf("%s: the run has no results yet; wait for its end, or make them by nwl finish", folder)
	}
	if l.Config.System.Joint != "" {
		j, err := LoadJoint(folder)
		return nil, j, err
	}
	e, err := loadAlone(folder, l)
	return e, nil, err
}

// loadAlone reads the density of states of a run directory whose levels are energies alone.
func loadAlone(folder string, l *Loaded) (*dos.Ensemble, error) {
	e, err := dos.Reader{}.ReadEnsemble(filepath.Join(folder, ArchiveFile))
	if errors.Is(err, fs.ErrNotExist) {
		e, err = &dos.Ensemble{Density: l.Density}, nil
	}
	if err != nil || e.Origin != nil {
		return e, err
	}
	system, err := l.Config.System.New()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	s := *l.Summary
	s.System = systemOf(l.Config.System, system)
	o := origin(&s, l.Config, system)
	e.Origin = &o
	return e, nil
}

// read reads one file, which may be absent.
func read[T any](folder, name string, to **T, f func(path string) (*T, error)) error {
	x, err := f(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		*to = x
	}
	return err
}

// ReadSummary reads a summary.json.
func ReadSummary(path string) (*Summary, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &Summary{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.Folder = filepath.Dir(path)
	return s, nil
}

// Table is a file of columns of numbers.
type Table struct {
	Columns []string
	Rows    [][]float64 // NaN for an empty field
}

// Column returns the numbers of the column of that name, nil where there is none.
func (t *Table) Column(name string) []float64 {
	for k, column := range t.Columns {
		if column != name {
			continue
		}
		values := make([]float64, len(t.Rows))
		for i, row := range t.Rows {
			values[i] = row[k]
		}
		return values
	}
	return nil
}

func readTable(path string) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := parseTable(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

func parseTable(r io.Reader) (*Table, error) {
	reader := csv.NewReader(r)
	records, err := reader.ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, errors.New("it is empty")
	}
	t := &Table{Columns: records[0]}
	for i, record := range records[1:] {
		row := make([]float64, len(record))
		for k, text := range record {
			if text == "" {
				row[k] = math.NaN()
				continue
			}
			if row[k], err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("line %d, column %s: %q is not a number", i+2, t.Columns[k], text)
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t, nil
}
