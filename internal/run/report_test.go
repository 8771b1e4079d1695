package run_test

import (
	"bytes"
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/sampler"
)

// reportAgain makes the report of a run again.
func reportAgain(t *testing.T, folder string) (*report.Summary, error) {
	t.Helper()
	c, err := config.Load(filepath.Join(folder, report.ConfigFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := runtest.Log(0)
	return run.Report(context.Background(), run.Options{Config: c, Folder: folder, Log: log})
}

// filesOf are the files at the top of a run directory.
func filesOf(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if !e.IsDir() {
			files[e.Name()] = string(runtest.Read(t, folder, e.Name()))
		}
	}
	return files
}

func isReport(name string) bool {
	return slices.Contains([]string{".html", ".png", ".svg"}, filepath.Ext(name))
}

// TestReport makes page and pictures of a run that has ended again, to the last byte, from its last
// checkpoint and then from its tables alone, and touches nothing else.
func TestReport(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	want := runtest.Perform(t, folder, runtest.With(runtest.Brief, runtest.Drawn)...)
	before := filesOf(t, folder)
	for _, from := range []string{"checkpoint", "tables"} {
		removed := 0
		for name := range before {
			// What the tables do not say stays as it was.
			if isReport(name) && (from == "checkpoint" || !strings.HasPrefix(name, "proposals") && !strings.HasPrefix(name, "order") && !strings.HasPrefix(name, "states")) {
				removed++
				if err := os.Remove(filepath.Join(folder, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if from == "tables" {
			if err := os.RemoveAll(filepath.Join(folder, run.CheckpointFolder)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := reportAgain(t, folder)
		if err != nil {
			t.Fatalf("from the %s: %v", from, err)
		}
		if !slices.Equal(got.Verdict.Checks, want.Verdict.Checks) || got.Interrupted != "" || removed < 5 {
			t.Errorf("from the %s: it was %+v, is %+v; %d files were removed", from, want.Verdict, got.Verdict, removed)
		}
		if after := filesOf(t, folder); !maps.Equal(before, after) {
			for name := range before {
				if before[name] != after[name] {
					t.Errorf("from the %s: %s is another one, of %d instead of %d bytes", from, name, len(after[name]), len(before[name]))
				}
			}
		}
	}
	if err := os.Remove(filepath.Join(folder, report.SummaryFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := reportAgain(t, folder); err == nil || !strings.Contains(err.Error(), "neither a checkpoint nor results") {
		t.Errorf("from nothing: %v", err)
	}
}

// TestReportUnderWay makes the report of a run from within it, which goes on as if nothing had happened.
func TestReportUnderWay(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	var seen *report.Summary
	var fault error
	look := event.Listener{Pass: func(e event.Pass) {
		if e.Progress.Phase == sampler.Production && e.Progress.Passes == 30 {
			if seen, fault = reportAgain(t, folder); fault == nil {
				_, fault = os.Stat(filepath.Join(folder, report.PageFile))
			}
			if _, err := os.Stat(filepath.Join(folder, report.DensityFile)); err == nil {
				t.Error("the report left tables, too")
			}
		}
	}}
	settings := runtest.With(runtest.Brief, "checkpoint.interval=1ms", runtest.Drawn)
	if _, err := runtest.Run(context.Background(), t, run.Options{Folder: folder, Listener: look}, settings...); err != nil {
		t.Fatal(err)
	}
	if fault != nil || seen == nil || seen.Verdict.Converged || !strings.Contains(seen.Interrupted, "under way") {
		t.Errorf("%+v, %v", seen, fault)
	}
	for _, row := range seen.Rows() { // it cannot be resumed now
		if strings.Contains(row.Text, "--resume") {
			t.Errorf("%s: %s", row.Name, row.Text)
		}
	}
	if !bytes.Equal(runtest.Read(t, folder, report.DensityFile), undisturbed(t)) {
		t.Error("the run went on in another way")
	}
	if page := string(runtest.Read(t, folder, report.PageFile)); strings.Contains(page, "under way") {
		t.Error("the page of the run is not that of its end")
	}
}
