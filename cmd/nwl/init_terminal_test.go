//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"neuralwl/internal/config"
)

// TestInitAsks asks on a terminal, again after a wrong answer, and not for what a flag or an earlier answer
// has settled.
func TestInitAsks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "asked.yaml")
	p := newTerminal(t)
	c := p.on(exec.Command(binary, "init", path, "--time", "10m"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, step := range [][2]string{
		{"Which model?", "weather"}, {`"weather" is none of`, "blume_capel"},
		{"Which crystal field", "1.975"}, {"How large", "2x2"}, {"system.size", "4x4"},
		{"What is to be found?", "canonical"}, {"At which inverse temperature", "0.9"},
	} {
		at = p.shows(step[0], at)
		at = p.shows("] ", at)
		if _, err := p.master.WriteString(step[1] + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	p.shows("nwl run --config", at)
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s := got.System; s.Model != config.BlumeCapel || s.CrystalField != 1.975 || s.Size[0] != 4 || got.Run.Beta != 0.9 || got.Run.MaxTime.Minutes() != 10 {
		t.Errorf("it holds %+v", got)
	}

	// What ends early leaves nothing.
	path = filepath.Join(t.TempDir(), "early.yaml")
	c = p.on(exec.Command(binary, "init", path))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.shows("[potts] ", at)
	if _, err := p.master.Write([]byte{4}); err != nil { // Ctrl-D
		t.Fatal(err)
	}
	p.shows("the answers end early", at)
	if err := c.Wait(); code(err) != exitFailure {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it left a file")
	}
}
