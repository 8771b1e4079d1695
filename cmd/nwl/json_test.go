package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// printsNoTable are the commands without --json, with what they print instead of a table.
var printsNoTable = map[string]string{
	"init": "sentences", "man": "nothing", "config": "YAML", "compare show": "YAML", "compare": "sentences; its tables are files", "compare report": "the same",
	"serve": "nothing", "child": "nothing", "worker": "nothing", "worker invite": "a sentence", "worker revoke": "a sentence", "worker drain": "words", "backup": "a sentence", "restore": "a sentence", "token": "a token",
	"submit": "a name", "submit train": "a name", "submit bench": "a name", "submit compare": "names", "clone": "names", "networks add": "a name",
	"wait": "what nwl show prints", "top": "what nwl ps prints", "pause": "words", "resume": "words", "cancel": "words", "rm": "words", "networks rm": "words", "swap": "a sentence",
	"dos": "help", "dos plot": "nothing", "bundle": "help", "bundle export": "a path", "bundle import": "a path", "bench": "nothing",
}

// TestEveryTableAsJSON finds --json at every command that prints a table: at all but those named above.
func TestEveryTableAsJSON(t *testing.T) {
	seen := map[string]bool{}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		name := strings.TrimPrefix(c.CommandPath(), "nwl ")
		if c.Run == nil && c.RunE == nil || name == "nwl" {
			return
		}
		seen[name] = true
		_, exempt := printsNoTable[name]
		if has := c.Flags().Lookup("json") != nil; has == exempt {
			t.Errorf("nwl %s: --json is there: %v; it prints a table: %v", name, has, !exempt)
		}
	}
	walk(newRoot())
	for name := range printsNoTable {
		if !seen[name] {
			t.Errorf("there is no nwl %s", name)
		}
	}
}

// TestJSON holds in JSON what the tables say, with the names of the columns, and null for what is not
// known.
func TestJSON(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	run := filepath.Join(folder, "run")
	stdout, stderr, code := nwl(t, append(tiny("run.moves=local", "run.seed=2"), "--out", run, "--json")...)
	if code != 0 && code != exitUnconverged {
		t.Fatal(stderr)
	}
	one := map[string]any{}
	if err := json.Unmarshal([]byte(stdout), &one); err != nil || one["seed"] != 2.0 {
		t.Errorf("nwl run --json: %v, %s", err, stdout)
	}
	exact, csv := filepath.Join(folder, "exact.csv"), filepath.Join(run, "dos.csv")
	if _, stderr, code := nwl(t, "dos", "exact", "--q", "3", "--size", "3x3", "--out", exact); code != 0 {
		t.Fatal(stderr)
	}
	for _, c := range []struct {
		args   []string
		table  string // the name of the table, empty where that is all
		fields string // of a row
		null   string // a field that is not known
	}{
		{[]string{"doctor"}, "", "name text", ""},
		{[]string{"verify", run}, "", "detail name passed", ""},
		{[]string{"dos", "exact", "--q", "3", "--size", "3x3"}, "", "energy g ln_g ln_g_error", ""},
		{[]string{"dos", "reweight", run, "--beta", "0.5,1"}, "", "beta energy energy_error entropy entropy_error free_energy free_energy_error specific_heat specific_heat_error temperature", ""},
		{[]string{"dos", "reweight", csv, "--beta", "0.5"}, "", "beta energy energy_error entropy entropy_error free_energy free_energy_error specific_heat specific_heat_error temperature", "energy_error"},
		{[]string{"dos", "merge", run, csv, "--out", filepath.Join(folder, "no.csv")}, "refused", "", ""},
		{[]string{"dos", "diff", csv, exact}, "", "", ""},
		{[]string{"bundle", "list"}, "", "bytes card path", ""},
		{[]string{"explain", "windows.count"}, "", "default key meaning", ""},
	} {
		stdout, stderr, code := nwl(t, append(c.args, "--json")...)
		if c.table == "refused" {
			if code == 0 || stdout != "" {
				t.Errorf("%v: code %d, %s", c.args, code, stdout)
			}
			continue
		}
		var all any
		if err := json.Unmarshal([]byte(stdout), &all); err != nil || code != 0 {
			t.Errorf("%v: code %d, %v, %s%s", c.args, code, err, stdout, stderr)
			continue
		}
		if c.fields == "" {
			continue
		}
		rows, ok := all.([]any)
		if !ok || len(rows) == 0 {
			t.Errorf("%v: it is no table but %s", c.args, stdout)
			continue
		}
		var fields []string
		row := rows[0].(map[string]any)
		for name := range row {
			fields = append(fields, name)
		}
		slices.Sort(fields)
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%v: the fields are %s", c.args, got)
		}
		if c.null != "" && row[c.null] != nil {
			t.Errorf("%v: %s is %v", c.args, c.null, row[c.null])
		}
	}
	if _, stderr, code := nwl(t, "dos", "exact", "--q", "3", "--size", "3x3", "--out", exact, "--json"); code != exitUsage || !strings.Contains(stderr, "leave one out") {
		t.Errorf("code %d, %s", code, stderr)
	}
}

// TestCSVToJSON keeps every digit of a number, and makes null of what is none.
func TestCSVToJSON(t *testing.T) {
	var b strings.Builder
	err := csvToJSON(&b, strings.NewReader("# a remark\nenergy,g,ln_g,error\n-8,123456789012345678901234567890,1e-5,NaN\n0,4,+Inf,\n"))
	const want = `[
  {"energy": -8, "g": 123456789012345678901234567890, "ln_g": 1e-5, "error": null},
  {"energy": 0, "g": 4, "ln_g": null, "error": null}
]
`
	if err != nil || b.String() != want {
		t.Errorf("%v, %s", err, b.String())
	}
	for x, want := range map[float64]string{1.5: "1.5", math.Inf(1): "null"} {
		if got, err := json.Marshal(finite(x)); err != nil || string(got) != want {
			t.Errorf("%v is %s, %v", x, got, err)
		}
	}
	if got, err := json.Marshal([]finite{finite(math.NaN())}); err != nil || string(got) != "[null]" {
		t.Errorf("%s, %v", got, err)
	}
}
