//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"neuralwl/internal/long"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/bench"
	"neuralwl/internal/job"
	"neuralwl/internal/training"
)

// desk is a daemon and the commands that ask it.
type desk struct{ *served }

func newDesk(t *testing.T) desk {
	t.Helper()
	d := desk{newServed(t, "server.jobs=2", "queue.silence=8s")}
	d.start()
	// The same address the next time.
	d.settings = append(d.settings, "server.listen="+strings.TrimPrefix(d.client.URL, "http://"))
	return d
}

// command is a client of the daemon.
func (d desk) command(args ...string) *exec.Cmd {
	c := exec.Command(binary, args...)
	c.Env = append(os.Environ(), "NWL_URL="+d.client.URL)
	return c
}

// ask runs a client and returns what it printed, with its exit code.
func (d desk) ask(args ...string) (stdout, stderr string, exit int) {
	d.t.Helper()
	var out, errs bytes.Buffer
	c := d.command(args...)
	c.Stdout, c.Stderr = &out, &errs
	exit = code(c.Run())
	return out.String(), errs.String(), exit
}

// must is ask for what must succeed.
func (d desk) must(args ...string) string {
	d.t.Helper()
	stdout, stderr, exit := d.ask(args...)
	if exit != 0 {
		d.t.Fatalf("nwl %s: exit code %d\n%s", strings.Join(args, " "), exit, stderr)
	}
	return stdout
}

// run is a run as show --json prints it.
func (d desk) run(id string) (r struct {
	api.Run
	Result json.RawMessage `json:"result"`
}) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.must("show", "--json", id)), &r); err != nil {
		d.t.Fatal(err)
	}
	return r
}

// little are the arguments of the submission of a run of a second.
func little(id string, more ...string) []string {
	args := tiny(append([]string{"run.moves=local"}, more...)...)
	return append([]string{"submit", "--id", id}, args[1:]...)
}

// eternal are those of a run that does not end by itself.
func eternal(id string) []string { return little(id, "wang_landau.final_ln_f=1e-12") }

// TestClients goes through the life of runs by the commands alone.
func TestClients(t *testing.T) {
	t.Parallel()
	d := newDesk(t)

	// Submitted, watched to the end, and looked at.
	stdout, stderr, exit := d.ask(append(little("first", "production.passes=1000"), "--title", "a title", "--tag", "x", "--notes", "one\ntwo", "--wait")...)
	if first := d.run("first"); first.Attempts > 1 {
		t.Logf("%+v\n%s", first.Run, d.log)
	}
	if first := d.run("first"); first.Outcome == nil || first.Outcome.Code != exit || exit != 0 && exit != exitUnconverged {
		t.Errorf("exit code %d of %+v\n%s", exit, first.Outcome, stderr)
	}
	for _, want := range []string{"verdict", "14 of 14 seen", "runs/first/dos.csv"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in the results:\n%s", want, stdout)
		}
	}
	if !strings.Contains(stderr, "phase=production") || !strings.Contains(stderr, "state=done") {
		t.Errorf("the progress was not shown:\n%s", stderr)
	}
	show := d.must("show", "first")
	for _, want := range []string{"a title", "x\n", "two", "done", "seed 1", "verdict"} {
		if !strings.Contains(show, want) {
			t.Errorf("nwl show prints no %q:\n%s", want, show)
		}
	}
	if first := d.run("first"); !strings.Contains(first.Config, "q: 3") || !bytes.Contains(first.Result, []byte("verdict")) {
		t.Errorf("as JSON: %+v", first)
	}
	if log := d.must("logs", "-n", "1", "first"); !strings.Contains(log, "INFO  run ends converged=") || strings.Count(log, "\n") != 1 {
		t.Errorf("its log ends with %q", log)
	}
	if log := d.must("logs", "-f", "first"); !strings.Contains(log, "phase begins phase=production") {
		t.Errorf("its log:\n%s", log)
	}

	// Edited and copied.
	d.must("edit", "first", "--title", "another", "--clear", "tags,notes")
	if r := d.run("first"); r.Title != "another" || r.Tags != nil || r.Notes != "" {
		t.Errorf("edited: %+v", r.Run)
	}
	var kept job.Kept
	var spec job.Spec
	if text, err := os.ReadFile(d.folder("first", job.File)); err != nil || json.Unmarshal(text, &kept) != nil || json.Unmarshal(kept.Spec, &spec) != nil || spec.Title != "another" || spec.Tags != nil {
		t.Errorf("in its directory: %s, %v", text, err)
	}
	copies := strings.Fields(d.must("clone", "first", "--count", "2", "--set", "production.passes=20", "--tag", "copy"))
	if len(copies) != 2 {
		t.Fatalf("copies %q", copies)
	}
	for i, id := range copies {
		r := d.run(id)
		if !strings.Contains(r.Config, fmt.Sprintf("seed: %d\n", i+2)) || !strings.Contains(r.Config, "passes: 20\n") || !strings.Contains(r.Config, "q: 3\n") || r.Title != "another" {
			t.Errorf("copy %d: %+v", i, r.Run)
		}
		d.becomes(id, job.Done)
	}

	// Lists.
	var listed []api.Run
	if err := json.Unmarshal([]byte(d.must("ps", "--json", "--tag", "copy", "--state", "done")), &listed); err != nil || len(listed) != 2 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if ps := d.must("ps"); strings.Count(ps, "\n") != 4 || !strings.Contains(ps, "#copy") {
		t.Errorf("nwl ps:\n%s", ps)
	}
	if ids := d.must("__complete", "show", ""); !strings.Contains(ids, "first\tdone\n") {
		t.Errorf("completed by %q", ids)
	}
	if top := d.must("top"); !strings.Contains(top, "3 done") || !strings.Contains(top, copies[0]) || strings.ContainsRune(top, '\x1b') {
		t.Errorf("nwl top without a terminal:\n%s", top)
	}

	// Paused, gone on with, changed, cancelled, deleted.
	d.must(eternal("long")...)
	d.moves("long")
	if _, stderr, exit := d.ask("rm", "--yes", "long", "first"); exit != exitFailure || !strings.Contains(stderr, "pause or cancel it first") {
		t.Errorf("deleting what runs: exit code %d\n%s", exit, stderr)
	}
	if _, stderr, exit := d.ask("show", "first"); exit != exitFailure || !strings.Contains(stderr, "no run of this name") {
		t.Errorf("deleted beside what could not be: exit code %d\n%s", exit, stderr)
	}
	if said := d.must("pause", "long"); said != "long: running, will pause\n" {
		t.Errorf("pause says %q", said)
	}
	d.becomes("long", job.Paused)
	if stdout, stderr, exit := d.ask("wait", "long"); exit != exitInterrupted || !strings.Contains(stderr, "nwl resume long") || !strings.Contains(stdout, "  nwl resume long --set") && !strings.Contains(stdout, " nwl resume long\n") || strings.Contains(stdout, "--resume") {
		t.Errorf("waiting for a paused run: exit code %d\n%s%s", exit, stdout, stderr)
	}
	if _, stderr, exit := d.ask("resume", "long", "--set", "wang_landau.final_lnf=1"); exit != exitUsage || !strings.Contains(stderr, "did you mean wang_landau.final_ln_f") {
		t.Errorf("a change that does not exist: exit code %d\n%s", exit, stderr)
	}
	d.must("resume", "long", "--set", "run.max_time=100h")
	d.moves("long")
	if r := d.run("long"); len(r.Changes) != 1 || r.Submission != 2 {
		t.Errorf("gone on with: %+v", r.Run)
	}
	d.must("cancel", "long")
	d.becomes("long", job.Cancelled)
	if _, stderr, exit := d.ask("rm", "long"); exit != exitUsage || !strings.Contains(stderr, "--yes") {
		t.Errorf("deleting without asking: exit code %d\n%s", exit, stderr)
	}
	if said := d.must("rm", "--yes", "long"); said != "long: deleted\n" {
		t.Errorf("rm says %q", said)
	}

	// Mistyped names.
	typo := strings.Replace(copies[0], "-", "_", 1)
	for _, args := range [][]string{{"show", typo}, {"pause", typo}, {"logs", typo}, {"wait", typo}, {"clone", typo}, {"swap", typo, "potts-q2"}} {
		if _, stderr, exit := d.ask(args...); exit == 0 || !strings.HasSuffix(stderr, "; did you mean "+copies[0]+"?\n") {
			t.Errorf("%v: exit code %d, %s", args, exit, stderr)
		}
	}
	d.must("networks", "add", "pretrained/potts-q2")
	if _, stderr, exit := d.ask("networks", "rm", "pots-q2/1"); exit != exitFailure || !strings.Contains(stderr, "did you mean potts-q2/1?") {
		t.Errorf("networks rm: exit code %d, %s", exit, stderr)
	}

	// Bad input.
	for _, c := range []struct {
		args []string
		exit int
		want []string
	}{
		{[]string{"submit", "--set", "system.q=1", "--set", "sytem.q=2"}, exitUsage, []string{"system.q: ", "did you mean system.q?"}},
		{[]string{"submit", "--config", "/does/not/exist"}, exitUsage, []string{"/does/not/exist"}},
		{[]string{"submit", "--id", "../x"}, exitUsage, []string{"../x"}},
		{[]string{"submit", "--id", copies[0]}, exitFailure, []string{"already"}},
		{[]string{"submit", "train", "--set", "system.model=blume_capel"}, exitUsage, []string{"system.model"}},
		{[]string{"submit", "train", "--weights", "none"}, exitUsage, []string{"weights: none"}},
		{[]string{"submit", "bench", "--mix", "1"}, exitUsage, []string{"SWEEPS:TRIALS"}},
		{[]string{"clone", "none"}, exitUsage, []string{"none"}},
		{[]string{"clone", copies[0], "--count", "0"}, exitUsage, []string{"--count"}},
		{[]string{"edit", copies[0]}, exitUsage, []string{"nothing to change"}},
		{[]string{"edit", copies[0], "--clear", "id"}, exitUsage, []string{"title, tags or notes"}},
		{[]string{"ps", "--state", "asleep"}, exitUsage, []string{"asleep", "paused"}},
		{[]string{"pause", copies[0]}, exitFailure, []string{"it has ended"}},
		{[]string{"show", "a/b"}, exitFailure, []string{"a/b"}},
		{[]string{"wait", "none"}, exitFailure, []string{"none"}},
		{[]string{"logs", "none"}, exitFailure, []string{"none"}},
		{[]string{"top", "--server", "http://127.0.0.1:1"}, exitFailure, []string{"nwl serve", "--server", "127.0.0.1:1"}},
		{[]string{"show"}, exitUsage, []string{"usage"}},
	} {
		_, stderr, exit := d.ask(c.args...)
		if exit != c.exit || strings.Contains(stderr, "goroutine") {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, exit, c.exit, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v: no %q in: %s", c.args, want, stderr)
			}
		}
	}
}

// TestWaitThroughRestart waits for a run while the daemon is killed and started again, and
// leaves off waiting for another.
func TestWaitThroughRestart(t *testing.T) {
	long.Only(t, "a daemon that is killed and started again takes seconds")
	t.Parallel()
	d := newDesk(t)
	d.must(eternal("left")...)
	left := d.command("wait", "left")
	var said bytes.Buffer
	left.Stderr = &said
	if err := left.Start(); err != nil {
		t.Fatal(err)
	}
	d.moves("left")
	time.Sleep(100 * time.Millisecond)
	if err := left.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if exit := code(left.Wait()); exit != exitDetached || !strings.Contains(said.String(), "nwl wait left") {
		t.Errorf("detached: exit code %d\n%s", exit, said.String())
	}
	if r := d.run("left"); r.State != job.Running || r.Wish != job.Run {
		t.Errorf("it does not go on: %+v", r.Run)
	}
	d.must("cancel", "left")

	waiting := d.command(append(little("waited", "wang_landau.final_ln_f=1e-5", "production.passes=20000"), "--wait")...)
	var out, progress bytes.Buffer
	waiting.Stdout, waiting.Stderr = &out, &progress
	if err := waiting.Start(); err != nil {
		t.Fatal(err)
	}
	following := d.command("logs", "-f", "waited", "--json")
	var log bytes.Buffer
	following.Stdout = &log
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := d.client.Get(t.Context(), "waited"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	d.moves("waited")
	if err := following.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	d.kill()
	time.Sleep(700 * time.Millisecond)
	d.start()
	exit := code(waiting.Wait())
	if r := d.run("waited"); r.State != job.Done || r.Outcome.Code != exit {
		t.Errorf("exit code %d of %+v", exit, r.Run)
	}
	for _, want := range []string{"unreachable", "answers again", "state=done"} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("no %q in the progress:\n%s", want, progress.String())
		}
	}
	if !strings.Contains(out.String(), "verdict") {
		t.Errorf("results:\n%s", out.String())
	}
	if err := following.Wait(); err != nil {
		t.Error(err)
	}
	if whole, err := os.ReadFile(d.folder("waited", "events.jsonl")); err != nil || !bytes.Equal(whole, log.Bytes()) {
		t.Errorf("the log that was followed has %d bytes, the file %d: %v\n%s", log.Len(), len(whole), err, log.String())
	}
}

// TestOtherJobs trains and measures by the daemon; an interrupted training begins again.
func TestOtherJobs(t *testing.T) {
	long.Only(t, "trainings and benchmarks take seconds; those of internal/child are in make test")
	t.Parallel()
	d := newDesk(t)
	network := []string{"system.q=3", "system.size=4x4", "model.architecture=microcanonical", "model.width=8", "model.window=2", "trainer.batch=32", "run.walkers=32"}
	settings := func(args []string, more ...string) []string {
		for _, s := range append(network, more...) {
			args = append(args, "--set", s)
		}
		return args
	}
	// Cut short: it keeps what it learned, and says that it will begin again.
	d.must(settings([]string{"submit", "train", "--id", "lesson", "--name", "tiny"}, "train.steps=1000000")...)
	d.until("lesson", "learning", func(r *api.Run) bool { return r.Progress != nil && r.Progress.Steps > 0 })
	if r := d.run("lesson"); r.Kind != job.WorkTrain || r.Progress.Phase != "training" || r.Progress.Loss == 0 {
		t.Errorf("%+v, %+v", r.Run, r.Progress)
	}
	d.must("pause", "lesson")
	d.becomes("lesson", job.Paused)
	if log := d.must("logs", "lesson"); !strings.Contains(log, "would begin again") {
		t.Errorf("its log:\n%s", log)
	}
	bundle := d.folder("lesson", "models", "tiny", "1")
	if _, err := os.Stat(bundle); err != nil {
		t.Error(err)
	}
	d.must("resume", "lesson", "--set", "train.steps=100")
	stdout, stderr, exit := d.ask("wait", "lesson")
	if exit != 0 || !strings.Contains(stdout, "100 gradient steps") || !strings.Contains(stdout, "runs/lesson/models/tiny/1\n") {
		t.Errorf("exit code %d\n%s%s", exit, stdout, stderr)
	}
	var trained training.Report
	if err := json.Unmarshal(d.run("lesson").Result, &trained); err != nil || trained.Card.Training.Steps != 100 || len(trained.Evaluations) != 1 {
		t.Errorf("%+v, %v", trained, err)
	}

	// A measurement with that network, under the weights of a run.
	d.must(little("run", "system.size=4x4")...)
	d.becomes("run", job.Done)
	d.must(settings([]string{"submit", "bench", "--id", "speed", "--weights", "run", "--mix", "2:1", "--flat", "--time", "500ms"}, "model.bundle="+filepath.Dir(bundle))...)
	stdout, stderr, exit = d.ask("wait", "speed")
	if exit != 0 || !strings.Contains(stdout, "2 sweeps, 1 trials") {
		t.Errorf("exit code %d\n%s%s", exit, stdout, stderr)
	}
	var measured []bench.Result
	if err := json.Unmarshal(d.run("speed").Result, &measured); err != nil || len(measured) != 2 || measured[1].Acceptance == 0 {
		t.Errorf("%+v, %v", measured, err)
	}
	if ps := d.must("ps"); !strings.Contains(ps, "lesson") || strings.Count(ps, "converged") != 1 { // of the run
		t.Errorf("nwl ps:\n%s", ps)
	}
	// Without weights it fails, and says whose.
	d.must(settings([]string{"submit", "bench", "--id", "none", "--weights", "lesson"}, "model.bundle="+filepath.Dir(bundle))...)
	if _, stderr, exit := d.ask("wait", "none"); exit != exitFailure || !strings.Contains(stderr, "lesson has no density of states") {
		t.Errorf("exit code %d\n%s", exit, stderr)
	}
}

// TestSeveralCouplings reads the couplings of several files as those of a group, and of one whose name has a comma.
func TestSeveralCouplings(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"a.csv", "b.csv"} {
		if err := os.WriteFile(name, []byte("i,j,J\n0,1,-2\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir("more", 0o777), os.WriteFile("more/a.csv", []byte("2 1\n1 2 3\n"), 0o666)); err != nil {
		t.Fatal(err)
	}
	s := api.Submission{Set: []string{"system.model=file", "system.file=a.csv,b.csv, more/a.csv"}}
	all, err := complete(&s)
	list := "i j J\n0 1 -2\n"
	want := []api.Couplings{{Title: "a", List: list}, {Title: "b", List: list}, {Title: "a-2", List: "i j J\n0 1 3\n"}}
	if err != nil || !slices.Equal(all, want) || !slices.Equal(s.Set, []string{"system.model=file"}) {
		t.Errorf("%q, %q, %v", all, s.Set, err)
	}
	s.Set = []string{"system.model=file", "system.file=a.csv,none.csv,neither.csv"}
	if _, err := complete(&s); err == nil || !strings.Contains(err.Error(), "none.csv") || !strings.Contains(err.Error(), "neither.csv") {
		t.Error(err)
	}
	s.Set = []string{"system.model=file", "system.file=a.csv,b.csv"}
	if err := os.Rename("a.csv", "a.csv,b.csv"); err != nil {
		t.Fatal(err)
	}
	if all, err := complete(&s); err != nil || all != nil {
		t.Errorf("%q, %v", all, err)
	}
	s.Set = []string{"system.model=file", "system.file=none.csv"}
	if _, err := complete(&s); err == nil {
		t.Error("a file that is not there is read")
	}
}

// TestAbsoluteBundles names bundles of the working directory by their absolute paths.
func TestAbsoluteBundles(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	if err := os.MkdirAll(filepath.Join(folder, "models", "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(folder, "models", "mine")
	for _, c := range []struct {
		text string
		set  []string
		want []string
	}{
		{"", nil, nil},
		{"", []string{"model.bundle=models/mine"}, []string{"model.bundle=models/mine", "model.bundle=" + mine}},
		{"model: {bundle: models/mine}", []string{"system.q=3"}, []string{"system.q=3", "model.bundle=" + mine}},
		{"", []string{"model.bundle=models/mine,none/1"}, []string{"model.bundle=models/mine,none/1", "model.bundle=" + mine + ",none/1"}}, // of a group
		{"model: {init: ./models/mine}", []string{"model.bundle=none/1"}, []string{"model.bundle=none/1", "model.init=" + mine}},
		{"model: {bundle: models/mine}", []string{"model.bundle=pretrained/potts-q10"}, []string{"model.bundle=pretrained/potts-q10"}},
		{"model: {bundle: " + mine + "}", nil, nil},
		{"model: [", []string{"model.bundle=models/mine"}, []string{"model.bundle=models/mine"}}, // the daemon refuses it
	} {
		s := api.Submission{Config: c.text, Set: c.set}
		if _, err := complete(&s); err != nil || strings.Join(s.Set, "|") != strings.Join(c.want, "|") || s.Config != c.text {
			t.Errorf("%q %q: %q, %v", c.text, c.set, s.Set, err)
		}
	}
}
