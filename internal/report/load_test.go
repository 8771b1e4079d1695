package report_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/dos"
)

// TestLoad reads back what runs wrote: a finished one, one that has not ended, and faults.
func TestLoad(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	want := runtest.Perform(t, folder, runtest.Brief...)
	l, err := report.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(s *report.Summary) string {
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if encoded(l.Summary) != encoded(want) || l.Summary.Folder != folder {
		t.Errorf("summary\n%s\nwritten\n%s", encoded(l.Summary), encoded(want))
	}
	system := dos.System{Name: "potts q=3 4x4", Model: "potts", Q: 3, Size: []int{4, 4}}
	if !reflect.DeepEqual(l.Summary.System, system) || l.Summary.Method != "neural-wang-landau" || l.Config.System.Q != 3 {
		t.Errorf("system %+v, method %s", l.Summary.System, l.Summary.Method)
	}
	if l.Density.Len() != 29 || l.Transitions.Len() != 29 || len(l.Order.Rows) != 29 {
		t.Errorf("%d and %d levels, %d of the order parameter", l.Density.Len(), l.Transitions.Len(), len(l.Order.Rows))
	}
	if e := l.Proposals.Column("energy"); len(e) != 29 || e[0] != -32 {
		t.Errorf("energies of proposals: %v", e)
	}
	if l.Observables.Column("nothing") != nil {
		t.Error("a column that is not there")
	}

	// Before its end a run has a configuration and nothing else.
	if err := os.WriteFile(filepath.Join(folder, report.ObservablesFile), []byte("a,b\n1,\n2,x\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := report.Load(folder); err == nil || !strings.Contains(err.Error(), "line 3, column b") {
		t.Errorf("a table with a word in it: %v", err)
	}
	for _, name := range []string{report.SummaryFile, report.DensityFile, report.ObservablesFile, report.TransitionsFile, report.OrderFile, report.ProposalsFile} {
		if err := os.Remove(filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := report.Load(folder); err != nil || l.Summary != nil || l.Density != nil || l.Observables != nil {
		t.Errorf("a run that has not ended: %+v, %v", l, err)
	}
	if _, err := report.Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no run in it") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestOldSummary reads a summary that names its system in words.
func TestOldSummary(t *testing.T) {
	path := filepath.Join(t.TempDir(), report.SummaryFile)
	if err := os.WriteFile(path, []byte(`{"system": "potts q=3 4x4", "seed": 7, "levels": {"seen": 29}}`), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := report.ReadSummary(path)
	if err != nil || s.System.Name != "potts q=3 4x4" || s.Seed != 7 || s.Levels.Seen != 29 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestSystems describes each system by its parameters.
func TestSystems(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		want     dos.System
	}{
		"blume-capel": {[]string{"system.model=blume_capel", "system.crystal_field=1.75"},
			dos.System{Model: "blume_capel", Q: 3, Size: []int{4, 4}, Parameters: map[string]float64{"crystal_field": 1.75}}},
		"potts3d": {[]string{"system.model=potts3d", "system.q=2", "system.size=3x3x4"},
			dos.System{Model: "potts3d", Q: 2, Size: []int{3, 3, 4}}},
	} {
		folder := filepath.Join(t.TempDir(), "run")
		got := runtest.Perform(t, folder, append([]string{"run.moves=local", "system.q=3", "wang_landau.final_ln_f=0.1", "production.passes=20"}, c.settings...)...).System
		if got.Name == "" {
			t.Errorf("%s has no name", name)
		}
		if got.Name = ""; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	seed := uint64(math.MaxUint64)
	data, err := json.Marshal(dos.System{DisorderSeed: &seed})
	if err != nil {
		t.Fatal(err)
	}
	var back dos.System
	if err := json.Unmarshal(data, &back); err != nil || *back.DisorderSeed != seed {
		t.Errorf("%s: %v, %v", data, back.DisorderSeed, err)
	}
}
