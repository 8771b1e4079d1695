package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// What --json writes: a table is an array with an object per row, whose fields are called as in the files
// of a run; a command with several tables, or with more to say, writes an object that holds them by
// name. A number that is not known, or infinite, is null. Commands that print lines as they come write
// an object per line.

// addJSON adds --json to a command that prints a table.
func addJSON(c *cobra.Command, to *bool) { c.Flags().BoolVar(to, "json", false, "write JSON") }

func writeJSON(w io.Writer, data any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return unlessClosed(e.Encode(data))
}

// finite is a number that may not be known.
type finite float64

func (x finite) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(x))
}

// namedRow is a row of a table of names and texts.
type namedRow struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// printNamed prints rows with their texts below each other.
func printNamed(w io.Writer, rows []namedRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%s\n", r.Name, r.Text)
	}
	return t.Flush()
}

// namedRows are rows that come one by one.
type namedRows struct{ rows []namedRow }

func (n *namedRows) add(name, format string, a ...any) {
	n.rows = append(n.rows, namedRow{name, fmt.Sprintf(format, a...)})
}

// json returns the rows; one that continues the row before it has that one's name.
func (n *namedRows) json() []namedRow {
	rows := append([]namedRow{}, n.rows...)
	for i := range rows {
		if rows[i].Name == "" && i > 0 {
			rows[i].Name = rows[i-1].Name
		}
	}
	return rows
}

// tableWriter writes a table of CSV, or as JSON with the columns' names.
func tableWriter(asJSON bool, write func(io.Writer) error) func(io.Writer) error {
	if !asJSON {
		return write
	}
	return func(w io.Writer) error {
		var text bytes.Buffer
		if err := write(&text); err != nil {
			return err
		}
		return csvToJSON(w, &text)
	}
}

// onlyPrinted refuses --json with --out, whose file has a format of its own.
func onlyPrinted(asJSON bool, out string) error {
	if asJSON && out != "" {
		return usageError{errors.New("--json is for what is printed, and --out for a file in its own format; leave one out")}
	}
	return nil
}

// jsonNumber matches numbers that JSON can hold, of any length.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// csvToJSON writes a table with names in its first row as an array of objects, in the order of its
// columns. Numbers keep all of their digits, and what is no number becomes null.
func csvToJSON(w io.Writer, r io.Reader) error {
	reader := csv.NewReader(r)
	reader.Comment = '#'
	records, err := reader.ReadAll()
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return errors.New("the table is empty")
	}
	var b bytes.Buffer
	b.WriteString("[")
	for i, record := range records[1:] {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		for k, name := range records[0] {
			if k > 0 {
				b.WriteString(", ")
			}
			value := strings.TrimSpace(record[k])
			if !jsonNumber.MatchString(value) {
				value = "null"
			}
			fmt.Fprintf(&b, "%q: %s", name, value)
		}
		b.WriteString("}")
	}
	b.WriteString("\n]\n")
	_, err = w.Write(b.Bytes())
	return unlessClosed(err)
}
