package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDosReadsOthers gives every command that reads densities of states the table of another
// program, with levels never visited, and wants the note of them and what it says without.
func TestDosReadsOthers(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain.csv", "energy,ln_g\n-32,1.09\n-28,3.87\n-26,4.56\n-25,4.85\n")
	noisy := write("noisy.csv", "energy,ln_g\n-32,1.09\n-28,3.88\n-26,4.55\n-25,4.86\n")
	german := write("german.txt", "\ufeffE;ln g\r\n-32;1,09\r\n-28;3,87\r\n-27;\r\n-26;4,56\r\n-25;4,85\r\n")
	zeros := write("zeros.dat", "# E  ln g\n-32 1.09\n-31 0\n-30 0\n-29 0\n-28 3.87\n-26 4.56\n-25 4.85\n")
	out := filepath.Join(folder, "out")
	for _, command := range [][]string{
		{"dos", "diff", plain, "FILE"},
		{"dos", "diff", "FILE", plain, "--json"},
		{"dos", "plot", plain, "--exact", "FILE", "--out", out + ".svg"},
		{"dos", "plot", "FILE", "--out", out + ".png"},
		{"dos", "reweight", "FILE", "--sites", "1", "--beta", "1", "--force", "--out", out},
		{"dos", "merge", noisy, "FILE", "--out", out + ".csv"},
	} {
		run := func(path string, flags ...string) (stdout, stderr string) {
			args := append([]string{}, command...)
			for i := range args {
				if args[i] == "FILE" {
					args[i] = path
				}
			}
			stdout, stderr, code := nwl(t, append(args, flags...)...)
			if code != 0 {
				t.Fatalf("%q: %s", args, stderr)
			}
			data, _ := os.ReadFile(out)
			return strings.Join(strings.Fields(strings.ReplaceAll(stdout, path, "")+string(data)), " "), strings.TrimPrefix(stderr, "nwl: "+path)
		}
		want, note := run(plain)
		if note != "" {
			t.Errorf("%q: stderr %q", command, note)
		}
		for _, c := range []struct {
			path, note string
			flags      []string
		}{
			{german, ": 1 of 5 levels without ln g, the first in line 4", nil},
			{zeros, ": 3 of 7 levels without ln g, the first in line 3", []string{"--zeros-unvisited"}},
		} {
			stdout, note := run(c.path, c.flags...)
			if !strings.HasPrefix(note, c.note) {
				t.Errorf("%q: stderr %q, want %q", command, note, c.note)
			}
			if stdout != want {
				t.Errorf("%q of %s: %s, want %s", command, c.path, stdout, want)
			}
		}
		if command[1] != "merge" { // which notices the difference
			if _, note := run(zeros); !strings.HasPrefix(note, ": 3 levels have ln g = 0") {
				t.Errorf("%q: stderr %q", command, note)
			}
		}
	}
}
