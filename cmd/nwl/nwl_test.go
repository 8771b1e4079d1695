package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/sampler/dos"
)

// binary is the program under test, built once.
var binary string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "nwl-test-")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "nwl")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("go build: %v\n%s", err, out))
	}
	for _, s := range endings {
		// What nohup or a script had this process ignore, the programs under test would
		// ignore, and never end; what it catches they meet as usual.
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// nwl runs the program and returns what it printed and its exit code.
func nwl(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	c := exec.Command(binary, args...)
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), code
}

// tiny are settings for a run of a second, without figures.
func tiny(more ...string) []string {
	args := []string{"run"}
	for _, s := range append([]string{
		"system.q=3", "system.size=3x3", "run.walkers=32", "wang_landau.final_ln_f=1e-3", "production.passes=200",
		"model.encoder=8", "model.latent=2", "model.decoder=8", "trainer.batch=16", "metrics.listen=127.0.0.1:0", "report.figures=false",
	}, more...) {
		args = append(args, "--set", s)
	}
	return args
}

func TestDosExactAndDiff(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a.csv")
	if _, stderr, code := nwl(t, "dos", "exact", "--q", "3", "--size", "4x4", "--out", path); code != 0 {
		t.Fatal(stderr)
	}
	reference := "../../sampler/exact/testdata/potts_q3_4x4.csv"
	// g by energy, in whole numbers, from columns of a file.
	counts := func(path string, energy, g int) map[string]string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		table := map[string]string{}
		for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[2:] {
			fields := strings.Split(line, ",")
			table[fields[energy]] = fields[g]
		}
		return table
	}
	if got, want := counts(path, 0, 3), counts(reference, 0, 1); !maps.Equal(got, want) {
		t.Errorf("g is %v, in the reference file %v", got, want)
	}
	stdout, stderr, code := nwl(t, "dos", "diff", path, reference, "--json")
	var d dos.Difference
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 0 {
		t.Fatalf("%v %s", err, stderr)
	}
	if d.RMS > 1e-12 || d.Levels != 29 {
		t.Errorf("difference %+v", d)
	}
	if stdout, _, _ := nwl(t, "dos", "diff", path, "../../sampler/exact/testdata/potts_q2_4x4.csv"); !strings.Contains(stdout, "missing in B") || strings.Contains(stdout, "missing in B      none") {
		t.Errorf("levels that q=2 lacks are not listed: %s", stdout)
	}
}

// TestBadInput checks the exit code and that the message names what is wrong.
func TestBadInput(t *testing.T) {
	folder := t.TempDir()
	broken := filepath.Join(folder, "broken.csv")
	if err := os.WriteFile(broken, []byte("energy,ln_g\n-1,x\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	made := filepath.Join(folder, "q10-8x8-1")
	if err := os.Mkdir(made, 0o777); err != nil {
		t.Fatal(err)
	}
	meant := []string{"did you mean " + made + "?"}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"run", "--set", "system.size=2x8", "--set", "system.q=1", "--set", "sytem.q=3"}, exitUsage, []string{"system.size", "system.q", "did you mean system.q?"}},
		{[]string{"run", "--config", filepath.Join(folder, "none.yaml")}, exitUsage, []string{"none.yaml"}},
		{[]string{"run", "--sett", "a=b"}, exitUsage, []string{"--help"}},
		{[]string{"run", "extra"}, exitUsage, []string{"extra", "usage"}},
		{[]string{"run", broken}, exitUsage, []string{"--config " + broken}},
		{[]string{"submit", broken}, exitUsage, []string{"--config " + broken}},
		{[]string{"run", "system.q=3"}, exitUsage, []string{"--set system.q=3"}},
		{[]string{"explian"}, exitUsage, []string{"did you mean explain?"}},
		{[]string{"dos", "draw"}, exitUsage, []string{"nwl dos has no command", "nwl dos --help"}},
		{[]string{"submit", "kompare"}, exitUsage, []string{"did you mean compare?"}},
		{[]string{"bundle", "verify", filepath.Join(folder, "none")}, exitFailure, []string{"none: no such file or directory"}},
		{[]string{"init", "--for", "transitions", filepath.Join(folder, "new.yaml")}, exitUsage, []string{"did you mean transition?"}},
		{[]string{"dos", "exact", "--q", "3", "--size", "4"}, exitUsage, []string{"--size", "8x8"}},
		{[]string{"dos", "exact", "--q", "10", "--size", "30x30"}, exitFailure, []string{"30x30"}},
		{[]string{"dos", "diff", broken, broken}, exitFailure, []string{"broken.csv", "line 2", "ln_g"}},
		{[]string{"dos", "diff", "a.csv"}, exitUsage, []string{"usage"}},
		{[]string{"finish", ""}, exitUsage, []string{"empty", "usage"}},
		{[]string{"verify", ""}, exitUsage, []string{"empty", "usage"}},
		{[]string{"run", "--set", "model.bundle=pretrained/potts-q1O"}, exitUsage, []string{"did you mean potts-q10?"}},
		{[]string{"bundle", "show", "pots-q10"}, exitFailure, []string{"did you mean pretrained/potts-q10?"}},
		{[]string{"bundle", "show", "pretraned/potts"}, exitFailure, []string{"did you mean pretrained/potts?"}},
		{[]string{"bundle", "show", filepath.Join(folder, "q10-8x8-l")}, exitFailure, meant},
		{[]string{"bench", "errors", "--q", "2", "--size", "4x4", "--mix", "0:8"}, exitUsage, []string{"--mix", "8 trials", "give it sweeps"}},
		{[]string{"compare", "quik"}, exitUsage, []string{"did you mean quick?"}},
		{[]string{"compare", "--resume", "--out", filepath.Join(folder, "q10-8x8-l")}, exitUsage, meant},
		{[]string{"compare", "diff", filepath.Join(folder, "q10-8x8-l"), folder}, exitFailure, meant},
		{[]string{"report", filepath.Join(folder, "q10-8x8-l")}, exitUsage, meant},
		{[]string{"finish", filepath.Join(folder, "q10-8x8-l")}, exitUsage, meant},
		{[]string{"verify", filepath.Join(folder, "q10-8x8-l")}, exitFailure, meant},
		{[]string{"dos", "diff", filepath.Join(folder, "q10-8x8-l"), broken}, exitFailure, meant},
		{tiny("metrics.listen=256.0.0.1:1"), exitFailure, []string{"metrics.listen"}},
		{tiny("inference.library=/does/not/exist.so"), exitFailure, []string{"/does/not/exist.so", "make deps"}},
	} {
		c.args = append(c.args, []string{}...)
		if c.args[0] == "run" {
			c.args = append(c.args, "--out", filepath.Join(t.TempDir(), "run"))
		}
		_, stderr, code := nwl(t, c.args...)
		if code != c.code {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v: no %q in: %s", c.args, want, stderr)
			}
		}
		if strings.Contains(stderr, "goroutine") {
			t.Errorf("%v: panic: %s", c.args, stderr)
		}
	}
}

func TestDoctor(t *testing.T) {
	stdout, stderr, code := nwl(t, "doctor")
	if code != 0 || !strings.Contains(stdout, "provider cpu") || !strings.Contains(stdout, "works") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code = nwl(t, "doctor", "--set", "inference.library=/does/not/exist.so")
	if code != exitFailure || !strings.Contains(stderr, "make deps") {
		t.Errorf("without a library: exit code %d\n%s%s", code, stdout, stderr)
	}
}

// get reads a page.
func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestMetrics scrapes the metrics of a run that goes on until it is interrupted.
func TestMetrics(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	c := exec.Command(binary, append(tiny("run.moves=[local, neural]", "wang_landau.final_ln_f=1e-12"), "--out", out)...)
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Process.Kill()
		c.Wait()
	}()
	url := regexp.MustCompile(`url=(http://\S+)`)
	var log strings.Builder
	var match []string
	lines := bufio.NewScanner(stderr)
	for match == nil && lines.Scan() {
		fmt.Fprintln(&log, lines.Text())
		match = url.FindStringSubmatch(lines.Text())
	}
	if match == nil {
		t.Fatalf("no address of the metrics in the log: %s", log.String())
	}
	go io.Copy(io.Discard, stderr)
	// All of them are there sooner or later.
	missing := []string{
		"nwl_ln_f{", `nwl_trials_total{move="neural",phase="wang-landau",run="` + out + `"}`, "nwl_training_loss_nats{",
		`nwl_training_steps_total{result="applied",run="` + out + `"}`, `nwl_run_info{architecture="autoencoder"`,
	}
	for deadline := time.Now().Add(2 * time.Minute); len(missing) > 0; time.Sleep(20 * time.Millisecond) {
		body := get(t, match[1])
		missing = slices.DeleteFunc(missing, func(name string) bool {
			_, value, found := strings.Cut(body, name)
			return found && !strings.HasPrefix(value, " 0\n")
		})
		if time.Now().After(deadline) {
			t.Fatalf("no %q in the metrics:\n%s", missing, body)
		}
	}
}

// TestRunCommand runs a whole run and reads its table.
func TestRunCommand(t *testing.T) {
	stdout, stderr, code := nwl(t, append(tiny("run.moves=[local, neural]", "production.passes=1500"), "--out", filepath.Join(t.TempDir(), "run"))...)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	for _, want := range []string{"levels", "14 of 14 seen", "round trips", "accepted", "propose", "rms difference", "verdict"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in the table:\n%s", want, stdout)
		}
	}
}

// TestNoSpace lets no file grow beyond 8 kB, as a full disk would: the run says so
// and leaves nothing half-written.
func TestNoSpace(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: needs ulimit")
	}
	out := filepath.Join(t.TempDir(), "run")
	args := append(tiny(), "--out", out)
	c := exec.Command("bash", append([]string{"-c", `ulimit -f 8; exec "$@"`, "bash", binary}, args...)...)
	message, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(message), "too large") {
		t.Fatalf("%v: %s", err, message)
	}
	left, err := filepath.Glob(filepath.Join(out, "models", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
