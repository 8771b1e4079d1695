package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMan writes a manual page of every command, which groff reads without a complaint.
func TestMan(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1764374400") // 29 November 2025
	folder := t.TempDir()
	if _, stderr, code := nwl(t, "man", folder); code != 0 {
		t.Fatal(stderr)
	}
	for name, want := range map[string][]string{
		"nwl.1": {`.TH "NWL" "1" "Nov 2025"`, "nwl-run(1)"}, "nwl-run.1": {"runs/<system>-<number>", "run.max_time", "Exit codes"}, "nwl-dos-merge.1": {"Q^N"}, "nwl-bundle-list.1": nil,
	} {
		page, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, text := range want {
			if !strings.Contains(string(page), text) {
				t.Errorf("%s: no %q in\n%s", name, text, page)
			}
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Logf("groff is not there: the pages were not set")
		return
	}
	pages, err := filepath.Glob(filepath.Join(folder, "*.1"))
	if err != nil || len(pages) < 40 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	if out, err := exec.Command(groff, append([]string{"-man", "-Tutf8", "-ww", "-z"}, pages...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}
