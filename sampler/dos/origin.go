package dos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"neuralwl/internal/disk"
)

// Origin is where a density of states comes from. Files keep it: an archive as the text of its
// array origin, a table in a file beside it; see MetadataFile.
type Origin struct {
	Program string `json:"program,omitempty"` // and its version
	System  System `json:"system"`
	Method  string `json:"method"` // run.method, Exact or Merged
	// Estimator is what ln g was estimated from: histograms, transitions or inverse
	// probabilities.
	Estimator string `json:"estimator,omitempty"`
	// Seed fixes the random numbers of the run; nil where there are none, or several.
	Seed *uint64 `json:"seed,omitempty"`
	Run  string  `json:"run,omitempty"` // its folder's name
	// Config is the SHA-256 of the run's configuration, in hexadecimal digits.
	Config string `json:"config_sha256,omitempty"`
	// Sites is their number N, and Converged whether every check of the verdict holds.
	Sites     int  `json:"sites"`
	Converged bool `json:"converged"`
	// Of are the origins of what was merged.
	Of []Origin `json:"of,omitempty"`
}

// Methods of an Origin beside those of runs.
const (
	ExactMethod  = "exact"
	MergedMethod = "merged"
)

// System describes the system of a density of states.
type System struct {
	Name  string `json:"name"` // for people, with all parameters
	Model string `json:"model"`
	Q     int    `json:"q"` // states of a site
	Size  []int  `json:"size"`
	// Parameters are the couplings of the model by the names of their configuration keys.
	Parameters map[string]float64 `json:"parameters,omitempty"`
	// DisorderSeed fixes the quenched bonds of random_bond; nil for other models.
	DisorderSeed *uint64 `json:"disorder_seed,omitempty"`
	// Joint is the second variable of a joint density.
	Joint string `json:"joint,omitempty"`
}

func (s System) String() string { return s.Name }

// UnmarshalJSON also reads the bare name that older summaries of runs hold.
func (s *System) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &s.Name) == nil {
		return nil
	}
	type plain System
	return json.Unmarshal(data, (*plain)(s))
}

// sources are the runs that contributed, an Origin that is not merged itself.
func (o *Origin) sources() []Origin {
	if o.Method != MergedMethod {
		return []Origin{*o}
	}
	var all []Origin
	for _, of := range o.Of {
		all = append(all, of.sources()...)
	}
	return all
}

// dependent says what two origins have in common that makes their estimates dependent,
// empty if they are independent.
func (o *Origin) dependent(other *Origin) string {
	for _, a := range o.sources() {
		for _, b := range other.sources() {
			if a.System.Name == b.System.Name && a.Seed != nil && b.Seed != nil && *a.Seed == *b.Seed {
				return fmt.Sprintf("both come from a run with the seed %d", *a.Seed)
			}
		}
	}
	return ""
}

// MetadataFile is the name of the file beside a table that describes its columns and holds
// its origin, after the W3C recommendation "Metadata Vocabulary for Tabular Data" (2015), section
// 5.2 of its model.
func MetadataFile(table string) string { return table + "-metadata.json" }

// metadata is the content of a MetadataFile.
type metadata struct {
	Context string      `json:"@context"`
	URL     string      `json:"url"`
	Schema  tableSchema `json:"tableSchema"`
	Origin  *Origin     `json:"nwl:origin,omitempty"`
}

type tableSchema struct {
	Columns []column `json:"columns"`
}

type column struct {
	Name        string `json:"name"`
	Datatype    string `json:"datatype"`
	Description string `json:"dc:description"`
}

// tableColumns are the columns of the tables that this package writes.
var tableColumns = []column{
	{energyColumn, "number", "energy of the whole system in units of J, where levels are bins the centre"},
	{lnGColumn, "number", "natural logarithm of the number of states"},
	{errorColumn, "number", "one standard error of ln_g, empty where unknown"},
	{widthColumn, "number", "width of the bin that the level is, in units of J"},
	{meanColumn, "number", "mean of the energies in the bin, each state counting once"},
	{varianceColumn, "number", "variance of the energies in the bin"},
	{countColumn, "integer", "measurements of the energy in the bin, 0 where energies are taken to be spread evenly"},
	{"ln_omega", "number", "the same from inverse probabilities of a network's draws, without normalisation"},
	{"ln_omega_error", "number", "one standard error of ln_omega"},
	{"effective_draws", "number", "effective number of draws behind ln_omega"},
	{"g", "integer", "number of states"},
	{"magnetisation", "number", "sum of the spins, beside the energy of a joint density of states"},
	{crystal, "number", "sum of the squares of the spins, beside the energy of a joint density of states"},
	{"colour", "number", "number of sites of colour 0, beside the energy of a joint density of states"},
}

// WriteMetadata writes the MetadataFile of a table, given its name and its text, of which the
// first line that is not a remark names the columns.
func (o *Origin) WriteMetadata(w io.Writer, table string, text []byte) error {
	m := metadata{Context: "http://www.w3.org/ns/csvw", URL: table, Origin: o}
	header := ""
	for line := range bytes.Lines(text) {
		if header = strings.TrimSpace(string(line)); !strings.HasPrefix(header, "#") {
			break
		}
	}
	for _, name := range strings.Split(header, ",") {
		k := slices.IndexFunc(tableColumns, func(c column) bool { return c.Name == name })
		if k < 0 {
			return fmt.Errorf("metadata of %s: column %q has no description", table, name)
		}
		m.Schema.Columns = append(m.Schema.Columns, tableColumns[k])
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(m)
}

// WriteTable writes a table, and its MetadataFile if the origin is known, to files.
func (o *Origin) WriteTable(path string, write func(io.Writer) error) error {
	var text, about bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	if err := disk.WriteFile(disk.OS, path, text.Bytes()); err != nil {
		return err
	}
	beside := MetadataFile(path)
	if o == nil {
		// One that is there describes another table.
		if err := os.Remove(beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := o.WriteMetadata(&about, filepath.Base(path), text.Bytes()); err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, beside, about.Bytes())
}

// readMetadata returns the origin of a table, nil if it has none.
func readMetadata(table string) (*Origin, error) {
	path := MetadataFile(table)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var m metadata
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return nil, fmt.Errorf("origin of %s: %s: %w; repair or remove that file", table, path, err)
	}
	return m.Origin, nil
}
