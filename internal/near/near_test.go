package near

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAsk(t *testing.T) {
	known := []string{"system.size", "system.q", "run.seed", "q10-16x16-2", "q10-16x16-1"}
	for name, want := range map[string]string{
		"sytem.q":     "; did you mean system.q?",
		"run.sead":    "; did you mean run.seed?",
		"q10-16x16-l": "; did you mean q10-16x16-1?", // the first of two as near
		"q10-16x16-2": "; did you mean q10-16x16-2?",
		"metrics":     "",
		"x":           "",
		"":            "",
	} {
		if got := Ask(name, known); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	if got := Ask("anything", nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func TestAskPath(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"q10-8x8-1", "ising", ".q10-8x8-2"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"q10-8x8-2":   "; did you mean " + filepath.Join(folder, "q10-8x8-1") + "?", // hidden names are left out
		"izing/":      "; did you mean " + filepath.Join(folder, "ising") + "?",
		"ising":       "", // it is there, and something else is wrong with it
		"blume-capel": "",
		"none/ising":  "",
	} {
		if got := AskPath(folder + "/" + name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"potts-q1O", "potts-q10", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
