package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundle"
)

// TestBundle looks at a bundle, copies and imports it, and finds the damage in a copy.
func TestBundle(t *testing.T) {
	folder := t.TempDir()
	must := func(args ...string) string {
		t.Helper()
		stdout, stderr, code := nwl(t, append([]string{"bundle"}, args...)...)
		if code != 0 {
			t.Fatalf("%v: exit code %d\n%s", args, code, stderr)
		}
		return stdout
	}
	archive, models, plot := filepath.Join(folder, "q2.tar.gz"), filepath.Join(folder, "models"), filepath.Join(folder, "q2.png")
	must("export", "pretrained/potts-q2", archive)
	imported := strings.TrimSpace(must("import", archive, "--out", models, "--name", "ising"))
	if want := filepath.Join(models, "ising", "1"); imported != want {
		t.Errorf("imported as %q, want %q", imported, want)
	}
	if got := must("list", models); !strings.Contains(got, filepath.Join(models, "ising")) || !strings.Contains(got, "microcanonical") {
		t.Errorf("list:\n%s", got)
	}
	if got := must("list"); !strings.Contains(got, "pretrained/potts-q10") {
		t.Errorf("list:\n%s", got)
	}
	var d bundle.Description
	if err := json.Unmarshal([]byte(must("show", imported, "--json", "--plot", plot)), &d); err != nil {
		t.Fatal(err)
	}
	if d.Card.Name != "ising" || len(d.Losses) < 400 || len(d.Evaluation) < 200 || d.Evaluation[0].KL == nil {
		t.Errorf("%+v", d.Card)
	}
	if about, err := os.Stat(plot); err != nil || about.Size() < 10_000 {
		t.Errorf("plot: %v", err)
	}
	for _, want := range []string{"ising version 1", d.Digest, "gradient steps", "learning rate", "hit their target"} {
		if got := must("show", filepath.Dir(imported)); !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	for _, want := range []string{"digests", "contract", "operator set 18", "system", "ln q", "draws"} {
		if got := must("verify", imported); !strings.Contains(got, want) || strings.Contains(got, "FAILED") {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	must("export", imported, "--size", "6x6", "--triton", filepath.Join(folder, "triton"), "--name", "ising-6")
	if _, err := os.Stat(filepath.Join(folder, "triton", "ising-6.log_prob", "1", "model.onnx")); err != nil {
		t.Error(err)
	}

	path := filepath.Join(imported, exporter.ProposeFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2]++
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"verify", imported}, exitFailure, []string{"1 of 1 checks failed"}},
		{[]string{"verify", filepath.Join(folder, "none")}, exitFailure, []string{"none"}},
		{[]string{"verify"}, exitUsage, []string{"usage"}},
		{[]string{"show", "pretrained/none"}, exitFailure, []string{"potts-q10"}},
		{[]string{"show", "pretrained/potts-q2", "--plot", "a.gif"}, exitUsage, []string{".svg"}},
		{[]string{"list", filepath.Join(folder, "none")}, exitFailure, []string{"none"}},
		{[]string{"export", imported, filepath.Join(folder, "copy")}, exitFailure, []string{"sha256"}},
		{[]string{"export", "pretrained/potts-q2"}, exitUsage, []string{"--triton"}},
		{[]string{"export", "pretrained/potts-q2", archive}, exitFailure, []string{"exists already"}},
		{[]string{"export", "pretrained/potts-q2", "x", "--size", "6"}, exitUsage, []string{"8x8"}},
		{[]string{"export", "pretrained/potts-q2", "x", "--size", "2x6"}, exitFailure, []string{"size"}},
		{[]string{"import", imported, "--out", models}, exitFailure, []string{"sha256"}},
		{[]string{"import", archive, "--out", models, "--name", "A"}, exitFailure, []string{"--name"}},
	} {
		_, stderr, code := nwl(t, append([]string{"bundle"}, c.args...)...)
		if code != c.code {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v: no %q in: %s", c.args, want, stderr)
			}
		}
	}
}
