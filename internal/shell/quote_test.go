package shell

import (
	"os/exec"
	"testing"
)

// TestQuote has a shell read words back.
func TestQuote(t *testing.T) {
	for _, word := range []string{"", "runs/q10-8x8-1", "my runs/1", "it's", `a"b`, "$HOME", "a;b", "*", "~", "a\nb", "#1", "über", "-x", "!x", "a\\b"} {
		out, err := exec.Command("sh", "-c", "printf %s "+Quote(word)).Output()
		if word == "-x" {
			out, err = exec.Command("sh", "-c", "printf -- %s "+Quote(word)).Output()
		}
		if err != nil || string(out) != word {
			t.Errorf("%q is quoted as %s, which is read as %q (%v)", word, Quote(word), out, err)
		}
	}
	if Quote("runs/q10-8x8-1") != "runs/q10-8x8-1" {
		t.Error("a plain path is quoted")
	}
}
