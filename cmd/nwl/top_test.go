//go:build linux

package main

import (
	"fmt"
	"io"
	"neuralwl/internal/long"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal of 80 columns and 12 lines. Its other end collects what is
// written.
type terminal struct {
	t             *testing.T
	master, slave *os.File
	shown         record
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("SKIPPED: no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 12, Col: 80}); err != nil {
		t.Fatal(err)
	}
	p := &terminal{t: t, master: master, slave: slave}
	go io.Copy(&p.shown, master)
	return p
}

// settings are those of the terminal, such as its echo.
func (p *terminal) settings() unix.Termios {
	p.t.Helper()
	s, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *s
}

// shows waits until a text was written after what was there at a position, and returns the
// position behind.
func (p *terminal) shows(text string, after int) int {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		all := p.shown.String()
		if i := strings.Index(all[after:], text); i >= 0 {
			return after + i + len(text)
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the terminal does not show %q after %d bytes:\n%q", text, after, all)
		}
	}
}

// on lets a command have the terminal.
func (p *terminal) on(c *exec.Cmd) *exec.Cmd {
	c.Stdin, c.Stdout, c.Stderr = p.slave, p.slave, p.slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return c
}

// TestTop watches runs in a terminal, also while the daemon is away, and leaves the terminal as
// it was however it ends.
func TestTop(t *testing.T) {
	long.Only(t, "what is drawn is compared by TestScreen")
	t.Parallel()
	d := newDesk(t)
	d.must(eternal("watched")...)
	d.moves("watched")
	end := map[string]func(*terminal, *exec.Cmd) error{
		"q":        func(p *terminal, _ *exec.Cmd) error { _, err := p.master.WriteString("xq"); return err },
		"Ctrl-C":   func(p *terminal, _ *exec.Cmd) error { _, err := p.master.WriteString("\x03"); return err },
		"a signal": func(_ *terminal, c *exec.Cmd) error { return c.Process.Signal(syscall.SIGTERM) },
	}
	for _, how := range []string{"a signal", "Ctrl-C", "q"} {
		p := newTerminal(t)
		before := p.settings()
		c := p.on(d.command("top"))
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		at := p.shows("watched", p.shows("1 running", p.shows(enterScreen, 0)))
		at = p.shows(home, at) // again, in place
		if p.settings() == before {
			t.Errorf("%s: keys are echoed", how)
		}
		if how == "q" {
			d.kill()
			at = p.shows("unreachable", at)
			at = p.shows("watched", at)
			d.start()
			p.shows("1 running", p.shows(home, at))
		}
		if err := end[how](p, c); err != nil {
			t.Fatal(err)
		}
		if exit := code(c.Wait()); exit != 0 {
			t.Errorf("%s: exit code %d\n%q", how, exit, p.shown.String())
		}
		p.shows(leaveScreen, 0)
		if p.settings() != before {
			t.Errorf("%s: the terminal is not as it was", how)
		}
		for picture := range strings.SplitSeq(p.shown.String(), home) {
			if strings.Count(picture, "\n") > 11 {
				t.Errorf("%s: a picture scrolls:\n%q", how, picture)
			}
		}
		if strings.Contains(p.shown.String(), "crashed") {
			t.Errorf("%s: shown\n%q", how, p.shown.String())
		}
	}
}

// TestRmAsks asks on a terminal before it deletes.
func TestRmAsks(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must(append(little("one"), "--wait")...)
	for _, c := range []struct {
		answer string
		exit   int
		left   bool
	}{{"\n", exitFailure, true}, {"no\n", exitFailure, true}, {"y\n", 0, false}} {
		p := newTerminal(t)
		command := p.on(d.command("rm", "one"))
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		p.shows("Delete one with all results? [y/N]", 0)
		if _, err := p.master.WriteString(c.answer); err != nil {
			t.Fatal(err)
		}
		if exit := code(command.Wait()); exit != c.exit {
			t.Errorf("%q: exit code %d: %s", c.answer, exit, p.shown.String())
		}
		if _, err := os.Stat(d.folder("one")); (err == nil) != c.left {
			t.Errorf("%q: %v", c.answer, err)
		}
	}
}

// TestWaitBars waits for a run in a terminal, with a bar that ends when the waiting does.
func TestWaitBars(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := newTerminal(t)
	d.must(eternal("watched")...)
	c := p.on(d.command("wait", "watched"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p.shows("ln f", p.shows("wang-landau", 0))
	if _, err := p.master.WriteString("\x03"); err != nil {
		t.Fatal(err)
	}
	if exit := code(c.Wait()); exit != exitDetached {
		t.Errorf("exit code %d: %q", exit, p.shown.String())
	}
	p.shows("nwl wait watched", 0)
	if !strings.Contains(p.shown.String(), "\x1b[") {
		t.Errorf("nothing was redrawn:\n%q", p.shown.String())
	}
}
