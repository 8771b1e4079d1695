package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// limited runs the program under a shell's limits, such as ulimit -v 1000000.
func limited(limits string, args ...string) (output string, exit int) {
	c := exec.Command("bash", append([]string{"-c", limits + `; exec "$@"`, "bash", binary}, args...)...)
	c.Env = append(os.Environ(), "GOMAXPROCS=2")
	out, err := c.CombinedOutput()
	return string(out), code(err)
}

// TestVirtualMemory limits the address space: a run starts where it suffices, and is refused with
// the figure where it does not.
func TestVirtualMemory(t *testing.T) {
	const least = (leastAddresses + 2*perThread) >> 10
	args := func(moves string) []string {
		return append(tiny("run.moves="+moves, "production.passes=50", "report.figures=true"), "--out", filepath.Join(t.TempDir(), "run"))
	}
	for _, moves := range []string{"[local]", "[local,neural]"} {
		if out, exit := limited(fmt.Sprintf("ulimit -v %d", least), args(moves)...); exit != 0 && exit != exitUnconverged {
			t.Errorf("%s with just enough: exit code %d\n%s", moves, exit, out)
		}
	}
	out, exit := limited(fmt.Sprintf("ulimit -v %d", least-1), args("[local]")...)
	if exit != exitFailure || !strings.Contains(out, "ulimit -v") || !strings.Contains(out, "GOMAXPROCS") || strings.Contains(out, "goroutine") {
		t.Errorf("with too little: exit code %d\n%s", exit, out)
	}
}

// TestBareEnvironment runs without a home directory, a path, temporary files or anything else
// of the environment, in a working directory that has gone away.
func TestBareEnvironment(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	gone := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(gone, 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("bash", append([]string{"-c", `rmdir ../gone; exec env -i TMPDIR=/none "$@"`, "bash", binary},
		append(tiny("run.moves=local", "production.passes=50", "report.figures=true"), "--out", out)...)...)
	c.Dir = gone
	if text, err := c.CombinedOutput(); code(err) != 0 && code(err) != exitUnconverged {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := os.Stat(filepath.Join(out, "dos.csv")); err != nil {
		t.Error(err)
	}
}

// TestUnwritable runs where nothing may be written: the error names the folder, and a run of
// another user is not resumed.
func TestUnwritable(t *testing.T) {
	// The superuser may write everywhere.
	as := func(args ...string) *exec.Cmd {
		c := exec.Command(binary, args...)
		if os.Getuid() == 0 {
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534, NoSetGroups: true}}
		}
		return c
	}
	parent, err := os.MkdirTemp("", "nwl-unwritable-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(parent, 0o755); os.RemoveAll(parent) })
	folder := filepath.Join(parent, "run")
	arguments := tiny("run.moves=local", "production.passes=50")
	if _, stderr, exit := nwl(t, append(arguments, "--out", folder)...); exit != 0 && exit != exitUnconverged {
		t.Fatal(stderr)
	}
	for _, path := range []string{filepath.Join(folder, ".lock"), folder, parent} {
		if err := os.Chmod(path, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(binary), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{append(arguments, "--out", filepath.Join(parent, "new")), "permission denied; choose another with --out"},
		{[]string{"run", "--resume", folder}, "cannot be written"},
		{[]string{"finish", folder}, "cannot be written"},
	} {
		out, err := as(c.args...).CombinedOutput()
		if code(err) != exitFailure || !strings.Contains(string(out), c.want) || !strings.Contains(string(out), parent) {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
	if out, err := as("verify", folder).CombinedOutput(); err != nil {
		t.Errorf("reading needs no permission to write: %v\n%s", err, out)
	}
}
