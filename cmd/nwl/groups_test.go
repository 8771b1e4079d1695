//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
)

// member are the settings of a run of random_bond that takes some hundredths of a second.
var member = []string{
	"system.model=random_bond", "system.size=4x4", "run.walkers=8", "wang_landau.final_ln_f=1e-3", "production.passes=600",
}

// sets makes flags of settings.
func sets(settings ...string) (args []string) {
	for _, s := range settings {
		args = append(args, "--set", s)
	}
	return args
}

// TestGroupClients submits groups by the command line and handles them as one.
func TestGroupClients(t *testing.T) {
	d := newDesk(t)
	args := append([]string{"submit", "--group", "glass", "--betas", "0.2,0.4", "--title", "a spin glass"}, sets(append(slices.Clone(member), "system.disorder_seed=1..6")...)...)
	if name := d.must(args...); name != "glass\n" {
		t.Errorf("%q", name)
	}
	if again := d.must(args...); again != "glass\n" {
		t.Errorf("%q", again)
	}
	if _, stderr, exit := d.ask("wait", "glass"); exit != 0 {
		t.Fatalf("%d: %s", exit, stderr)
	}
	for command, wants := range map[string][]string{
		"show glass":         {"averages over 6 of 6 realisations", "6 done", "a spin glass", "averages.csv"},
		"show glass --json":  {`"averaged": 6`, `"set": [`, `"complete": true`},
		"groups":             {"glass", "6 done"},
		"groups --json":      {`"members": 6`},
		"ps":                 {"6 of 6 done"},
		"ps --group glass":   {"glass-1", "glass-6", "converged"},
		"show glass-3":       {"group", "glass"},
		"ps --members":       {"glass-2"},
		"resume glass":       {"6 members: 6 done"},
		"ps --state running": {},
	} {
		stdout, stderr, exit := d.ask(strings.Fields(command)...)
		if exit != 0 {
			t.Errorf("nwl %s: %d %s", command, exit, stderr)
		}
		for _, want := range wants {
			if !strings.Contains(stdout, want) {
				t.Errorf("nwl %s: nothing of %q in\n%s", command, want, stdout)
			}
		}
	}
	if text := d.must("ps"); strings.Contains(text, "glass-1") {
		t.Errorf("members are listed one by one:\n%s", text)
	}
	for command, want := range map[string]string{
		"resume --failed glass":                       "no member that failed",
		"show nothing":                                "no run of this name",
		"rm nothing --yes":                            "no run of this name",
		"submit --seeds 1..3 --id x":                  "--group",
		"submit --seeds 3..1":                         "less than",
		"submit --group glass --seeds 1,2":            "asked for otherwise",
		"submit --set system.q=2..20000 --seeds 1..8": "a group has 10000 members at most",
	} {
		if _, stderr, exit := d.ask(strings.Fields(command)...); exit == 0 || !strings.Contains(stderr, want) {
			t.Errorf("nwl %s: %d %s", command, exit, stderr)
		}
	}
	// A name of its own, made of what is asked for.
	name := strings.TrimSpace(d.must(append([]string{"submit", "--seeds", "1..3"}, sets(append(slices.Clone(member), "production.passes=1000000000")...)...)...))
	if !strings.HasPrefix(name, "random_bond-4x4-") {
		t.Errorf("%q", name)
	}
	for deadline := time.Now().Add(time.Minute); !strings.Contains(d.must("groups"), "running"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no member begins")
		}
	}
	if _, stderr, exit := d.ask("rm", name, "--yes"); exit == 0 || !strings.Contains(stderr, "running") {
		t.Errorf("%d %s", exit, stderr)
	}
	d.must("pause", name)
	if _, _, exit := d.ask("wait", name); exit != exitInterrupted {
		t.Errorf("waiting for a paused group: %d", exit)
	}
	d.must("cancel", name)
	if stdout := d.must("rm", name, "glass", "--yes"); !strings.Contains(stdout, "glass: deleted") {
		t.Errorf("%s", stdout)
	}
	if left, err := os.ReadDir(d.folder()); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
	d.stop()
}

// TestGroupKill kills the daemon with SIGKILL while a group is submitted and performed: its merged files are
// those of one that was never disturbed, to the last byte.
func TestGroupKill(t *testing.T) {
	n, kills := long.Or(60, 12), long.Or(8, 3)
	submission := api.GroupSubmission{Name: "glass", Set: append(slices.Clone(member), fmt.Sprintf("system.disorder_seed=1..%d", n))}
	done := func(s *served) bool {
		g, err := s.client.Group(context.Background(), "glass")
		return err == nil && g.State == job.Done && g.Merged == n
	}
	await := func(s *served, what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not %s\n%s", what, s.log)
			}
		}
	}
	undisturbed := newServed(t, "server.jobs=2")
	undisturbed.start()
	if _, err := undisturbed.client.SubmitGroup(t.Context(), submission); err != nil {
		t.Fatal(err)
	}
	await(undisturbed, "done", func() bool { return done(undisturbed) })
	undisturbed.stop()

	s := newServed(t, "server.jobs=2")
	s.start()
	r := rand.New(rand.NewPCG(11, 12))
	// Amid the submission, whose answer is lost; the same again goes on.
	var killing sync.WaitGroup
	process := s.cmd.Process
	killing.Go(func() {
		time.Sleep(time.Duration(10+r.IntN(30)) * time.Millisecond)
		process.Kill()
	})
	s.client.SubmitGroup(t.Context(), submission)
	killing.Wait()
	s.kill()
	s.start()
	if g, err := s.client.SubmitGroup(t.Context(), submission); err != nil || g.Members != n {
		t.Fatalf("%+v, %v\n%s", g, err, s.log)
	}
	killed := 1
	for ; killed < kills && !done(s); killed++ {
		before := ended(t, s)
		await(s, "further", func() bool { return done(s) || ended(t, s) > before })
		time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		s.kill()
		s.start()
	}
	await(s, "done", func() bool { return done(s) })
	s.stop()
	a, b := filepath.Join(undisturbed.data, "groups", "glass"), filepath.Join(s.data, "groups", "glass")
	files := 0
	err := fs.WalkDir(os.DirFS(a), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "group.yaml" || name == ".collected" {
			return err
		}
		files++
		x, errX := os.ReadFile(filepath.Join(a, name))
		y, errY := os.ReadFile(filepath.Join(b, name))
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v, %v)", name, errX, errY)
		}
		return nil
	})
	if err != nil || files < 8 {
		t.Errorf("%d files, %v", files, err)
	}
	t.Logf("killed %d times, %d members, %d files alike", killed, n, files)
}

// ended counts the members that are done.
func ended(t *testing.T, s *served) int {
	t.Helper()
	g, err := s.client.Group(t.Context(), "glass")
	if err != nil {
		t.Fatal(err)
	}
	return g.States[string(job.Done)]
}

// TestDosAverage averages run directories without a daemon.
func TestDosAverage(t *testing.T) {
	folder := t.TempDir()
	var runs []string
	for k, settings := range [][]string{{"system.disorder_seed=3", "run.seed=1"}, {"system.disorder_seed=1", "run.seed=2"}, {"system.disorder_seed=3", "run.seed=3"}, {"system.disorder_seed=2", "run.seed=3"}} {
		out := filepath.Join(folder, fmt.Sprint("run-", k))
		if _, stderr, code := nwl(t, append([]string{"run", "--out", out}, sets(append(append(slices.Clone(member), "report.figures=false", "metrics.listen="), settings...)...)...)...); code != 0 && code != exitUnconverged {
			t.Fatal(stderr)
		}
		runs = append(runs, out)
	}
	out := filepath.Join(folder, "averages")
	stdout, stderr, code := nwl(t, append([]string{"dos", "average", "--betas", "0.2,0.6", "--out", out}, runs...)...)
	if code != 0 || !strings.Contains(stdout, "4 runs of 3 realisations averaged") || !strings.Contains(stderr, "same run.seed 3") {
		t.Errorf("%d\n%s\n%s", code, stdout, stderr)
	}
	for _, name := range []string{ensemble.AveragesFile, ensemble.QuantilesFile, ensemble.MembersFile, ensemble.FigureFile, ensemble.SummaryFile} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	stdout, _, _ = nwl(t, append([]string{"dos", "average", "--betas", "0.2,0.6", "--json"}, runs...)...)
	var v struct {
		Averages []struct{ Beta, Mean, Error float64 }
		Points   []ensemble.PointSummary
	}
	if err := json.Unmarshal([]byte(stdout), &v); err != nil || len(v.Averages) != 6 || v.Points[0].Averaged != 3 {
		t.Errorf("%+v, %v", v, err)
	}
	for want, args := range map[string][]string{
		"nwl dos merge":         {runs[0], runs[2]},
		"same numbers":          {runs[0], runs[0], runs[1]},
		"there is no run in it": {runs[0], folder},
	} {
		if _, stderr, code := nwl(t, append([]string{"dos", "average"}, args...)...); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%v: %d %s", args, code, stderr)
		}
	}
}
