package pretrained_test

import (
	"io/fs"
	"strings"
	"testing"

	"neuralwl/models/pretrained"
)

// TestOpen reads every network's card, checks it against the network's name, and limits the
// archives' size.
func TestOpen(t *testing.T) {
	names := pretrained.Names()
	if len(names) < 2 {
		t.Fatalf("networks %v", names)
	}
	for _, name := range names {
		files, err := pretrained.Open(pretrained.Prefix + name)
		if err != nil {
			t.Fatal(err)
		}
		card, err := fs.ReadFile(files, "card.json")
		if err != nil {
			t.Fatal(err)
		}
		_, q, one := strings.Cut(strings.TrimSuffix(name, "-checkerboard"), "-q")
		if !one {
			q = "10" // the first of its numbers of colours
		}
		if !strings.Contains(string(card), `"q": `+q+",") {
			t.Errorf("%s: %s", name, card)
		}
		archives, size := pretrained.Archives(), int64(0)
		info, err := fs.Stat(archives, name+".zip")
		if err == nil {
			size = info.Size()
		}
		if err != nil || size > 300_000 {
			t.Errorf("%s has %d bytes, want at most 300000 (%v)", name, size, err)
		}
	}
	if _, err := pretrained.Open("potts-q11"); err == nil || !strings.Contains(err.Error(), "potts-q10-checkerboard, potts-q10, potts-q2, potts") {
		t.Errorf("error %v", err)
	}
}
