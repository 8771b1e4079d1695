package ensemble

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"neuralwl/internal/disk"
)

// Files of a group, of which those of a point are in its Folder.
const (
	MembersFile = "members.csv"
	SummaryFile = "summary.json"

	DensityFile      = "dos.csv" // with dos.npz, which has replicas
	ArchiveFile      = "dos.npz"
	AveragesFile     = "averages.csv"
	QuantilesFile    = "quantiles.csv"
	RealisationsFile = "realisations.csv"
	LnGFile          = "ln_g.csv"
	FigureFile       = "figure.svg"
)

// possible are the files that the point may have, and no others, which may be anybody's.
func (p *Point) possible() []string {
	if p.Realisations > 1 {
		return []string{AveragesFile, QuantilesFile, RealisationsFile, LnGFile, FigureFile}
	}
	return []string{DensityFile, ArchiveFile, AveragesFile, FigureFile}
}

// column is one of a table, with a description that has its unit.
type column struct{ name, kind, text string }

// table is a file of columns, beside which a description of them is written after the W3C recommendation
// "Metadata Vocabulary for Tabular Data" (2015).
type table struct {
	name    string
	columns []column
	rows    [][]string
}

// add adds a row. Numbers are written in full, an empty field for what is unknown.
func (t *table) add(fields ...any) {
	var row []string
	for _, f := range fields {
		text := ""
		switch x := f.(type) {
		case float64:
			if !math.IsNaN(x) && !math.IsInf(x, 0) {
				text = strconv.FormatFloat(x, 'g', -1, 64)
			}
		case *uint64:
			if x != nil {
				text = strconv.FormatUint(*x, 10)
			}
		default:
			text = fmt.Sprint(f)
		}
		row = append(row, text)
	}
	t.rows = append(t.rows, row)
}

// deviation shortens an error to the digits that say anything.
func deviation(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return math.NaN()
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// write writes the table and its description into a folder.
func (t *table) write(folder string) error {
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	header := make([]string, len(t.columns))
	about := struct {
		Context string `json:"@context"`
		URL     string `json:"url"`
		Schema  struct {
			Columns []map[string]string `json:"columns"`
		} `json:"tableSchema"`
	}{Context: "http://www.w3.org/ns/csvw", URL: t.name}
	for k, c := range t.columns {
		header[k] = c.name
		about.Schema.Columns = append(about.Schema.Columns, map[string]string{"name": c.name, "datatype": c.kind, "dc:description": c.text})
	}
	if err := w.Write(header); err != nil {
		return err
	}
	if err := w.WriteAll(t.rows); err != nil {
		return err
	}
	if err := disk.WriteFile(disk.OS, filepath.Join(folder, t.name), text.Bytes()); err != nil {
		return err
	}
	description, err := json.MarshalIndent(about, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(disk.OS, described(filepath.Join(folder, t.name)), append(description, '\n'))
}

// described is the file that describes a table.
func described(table string) string { return table + "-metadata.json" }

// numbers are columns of a quantity with its errors.
func averageColumns(name, text string) []column {
	return []column{
		{name, "number", text + ", mean over realisations"},
		{name + "_error", "number", "one standard error of " + name + " over realisations"},
		{name + "_own_error", "number", "the part of it that comes from the errors of the runs"},
		{name + "_spread", "number", "standard deviation between realisations, without the errors of the runs"},
	}
}

func (t *table) addAverages(first []any, all ...Average) {
	for _, a := range all {
		first = append(first, a.Mean, deviation(a.Error), deviation(a.Own), deviation(a.Spread))
	}
	t.add(first...)
}

var betaColumn = column{"beta", "number", "inverse temperature in units of 1/J"}

var titleColumn = column{"couplings", "string", "title of the couplings of its realisation, empty where they are not of a file"}

// membersTable lists the members.
func (r *Result) membersTable() *table {
	t := &table{name: MembersFile, columns: []column{
		{"member", "string", "name of the run"},
		{"point", "string", "values that tell its point of the matrix from others"},
		{"disorder_seed", "integer", "its realisation, empty where there is but what the configuration says"},
		titleColumn,
		{"seed", "integer", "its run.seed, empty for that of the configuration"},
		{"state", "string", "state of its job"},
		{"converged", "integer", "1 if it says so itself, 0 if not, empty before its end"},
		{"reason", "string", "why it failed"},
	}}
	for _, o := range r.Members {
		converged, reason := "", ""
		if o.Done {
			converged = "0"
			if o.Converged {
				converged = "1"
			}
		} else if o.lost() {
			reason = o.Reason
		}
		t.add(o.ID, r.Points[o.Point].Label, o.Disorder, o.Title, o.Seed, o.State, converged, reason)
	}
	return t
}

// tables are those of a point.
func (p *Point) tables() (all []*table) {
	switch {
	case p.Averaged != nil:
		all = append(all, p.averagesTable(), p.quantilesTable(), p.realisationsTable())
		if len(p.Energy) > 0 {
			all = append(all, p.lnGTable())
		}
		return all
	case p.Merged == nil:
		return nil
	}
	t := &table{name: AveragesFile, columns: []column{betaColumn}}
	for _, q := range quantities {
		t.columns = append(t.columns, column{q.name, "number", q.text}, column{q.name + "_error", "number", "one standard error of " + q.name})
	}
	for i, beta := range p.Betas {
		row := []any{beta}
		for k := range quantities {
			row = append(row, p.curves.values[k][i], deviation(p.curves.errors[k][i]))
		}
		t.add(row...)
	}
	return append(all, t)
}

func (p *Point) averagesTable() *table {
	t := &table{name: AveragesFile, columns: []column{betaColumn}}
	for _, q := range quantities {
		t.columns = append(t.columns, averageColumns(q.name, q.text)...)
	}
	if p.LowestShare != nil {
		t.columns = append(t.columns, column{"lowest_level_share", "number", "mean probability of the lowest energy seen"})
	}
	for i, beta := range p.Betas {
		row := []any{beta}
		for k := range quantities {
			a := p.Averages[k][i]
			row = append(row, a.Mean, deviation(a.Error), deviation(a.Own), deviation(a.Spread))
		}
		if p.LowestShare != nil {
			row = append(row, deviation(p.LowestShare[i]))
		}
		t.add(row...)
	}
	return t
}

func (p *Point) quantilesTable() *table {
	t := &table{name: QuantilesFile, columns: []column{{"quantity", "string", "as in " + AveragesFile + ", with its unit"}, betaColumn}}
	for _, level := range Levels {
		t.columns = append(t.columns, column{fmt.Sprintf("q%02.0f", 100*level), "number", fmt.Sprintf("value below which a share %g of the realisations lies, the errors of the runs included", level)})
	}
	for k, q := range quantities {
		for i, beta := range p.Betas {
			row := []any{q.name, beta}
			for _, x := range p.Averages[k][i].Quantiles {
				row = append(row, x)
			}
			t.add(row...)
		}
	}
	return t
}

func (p *Point) realisationsTable() *table {
	t := &table{name: RealisationsFile, columns: []column{
		{"disorder_seed", "integer", "the realisation"},
		titleColumn,
		{"runs", "integer", "number of runs that were merged"},
		{"converged", "integer", "1 if all of them say so, else 0"},
		{"lowest_energy", "number", "lowest energy seen per site in units of J"},
		{"ln_g_lowest", "number", "natural logarithm of the number of states of that energy"},
		{"ln_g_lowest_error", "number", "one standard error of ln_g_lowest"},
		{"largest_specific_heat", "number", "largest specific heat per site at the inverse temperatures of " + AveragesFile + ", in units of the Boltzmann constant"},
		{"largest_at_beta", "number", "where that is, in units of 1/J"},
	}}
	const heat = 2 // of quantities
	for _, r := range p.Averaged {
		converged, at, largest, s := 0, math.NaN(), math.NaN(), math.NaN()
		if r.converged() {
			converged = 1
		}
		for i, c := range r.curves.values[heat] {
			if c > largest || math.IsNaN(largest) && !math.IsNaN(c) {
				at, largest = p.Betas[i], c
			}
		}
		if r.density.Error != nil {
			s = r.density.Error[0]
		}
		t.add(r.of[0].Disorder, r.of[0].Title, len(r.of), converged, r.density.Energy[0]/float64(r.sites), r.density.LnG[0], deviation(s), largest, at)
	}
	return t
}

func (p *Point) lnGTable() *table {
	t := &table{name: LnGFile, columns: append([]column{{"energy", "number", "energy of the whole system in units of J, of those that all realisations have"}},
		averageColumns("ln_g", "natural logarithm of the number of states")...)}
	for i, e := range p.Energy {
		t.addAverages([]any{e}, p.LnG[i])
	}
	return t
}
