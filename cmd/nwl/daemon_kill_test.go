//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
)

var daemonKills = flag.Int("daemon-kills", 0, "how often TestDaemonKill kills, a few times by default")

// killed are the runs of TestDaemonKill: methods, seeds, with a network and without.
var killed = [][]string{
	{"run.seed=1"},
	{"run.seed=2", "run.moves=[local, neural]", "model.encoder=8", "model.latent=2", "model.decoder=8", "trainer.batch=16", "trainer.export_every=20"},
	{"run.seed=3", "run.method=multicanonical"},
	{"run.seed=4", "run.method=wang-landau", "system.model=ising", "system.q=2", "system.size=4x4"},
	{"run.seed=5", "run.method=van-wang-landau", "run.moves=[neural]", "model.decoder=8", "trainer.batch=16", "production.passes=100", "wang_landau.final_ln_f=0.1"},
	{"run.seed=6", "run.method=canonical", "run.beta=0.8"},
	{"run.seed=7", "run.moves=[local, neural]", "model.architecture=microcanonical", "model.width=8", "model.window=2", "trainer.batch=16", "production.passes=1000", "wang_landau.final_ln_f=1e-3"},
	{"run.seed=8", "windows.count=2"},
}

// TestDaemonKill kills the daemon and its children with SIGKILL at random times, while runs are
// submitted, performed and finished: each run that was accepted ends once, with exactly the
// dos.csv of the undisturbed run.
func TestDaemonKill(t *testing.T) {
	kills := *daemonKills
	if kills == 0 {
		kills = long.Or(8, 4)
	}
	kinds := killed[:long.Or(len(killed), 2)]
	settings := func(kind int) []string {
		// On a busy machine a checkpoint may take longer than the interval of least, and every pass would make one.
		return least(append([]string{"run.walkers=64", "wang_landau.final_ln_f=1e-4", "checkpoint.interval=200ms", fmt.Sprintf("production.passes=%d", long.Or(3000, 1000))}, kinds[kind]...)...)
	}
	undisturbed := make([][]byte, len(kinds))
	for kind := range kinds {
		undisturbed[kind] = alone(t, settings(kind)...)
	}
	s := newServed(t, "server.jobs=2")
	s.start()
	r := rand.New(rand.NewPCG(71, 72))
	counts := map[string]int{}
	var written = map[string]time.Time{} // dos.csv of runs that are done
	for round := 0; round == 0 || counts["daemon"]+counts["child"]+counts["submitting"]+counts["finishing"] < kills; round++ {
		name := func(kind int) string { return fmt.Sprintf("round-%d.%d", round, kind) }
		open := map[int]bool{}
		for kind := range kinds {
			s.submitUntilTaken(name(kind), settings(kind), r, kills, counts)
			open[kind] = true
		}
		next := time.Now().Add(time.Duration(r.IntN(1500)) * time.Millisecond)
		for deadline := time.Now().Add(10 * time.Minute); len(open) > 0; time.Sleep(20 * time.Millisecond) {
			patience, finishing := true, false
			for kind := range open {
				run := s.get(name(kind))
				switch {
				case run.State == job.Done:
					delete(open, kind)
					about, err := os.Stat(s.folder(run.ID, "dos.csv"))
					if err != nil {
						t.Fatal(err)
					}
					written[run.ID] = about.ModTime()
				case run.State.Final() || run.State == job.Paused || run.Submission > kills+2:
					t.Fatalf("%+v\n%s", run, s.log)
				case run.Attempts > 2:
					patience = false // five in a row without a checkpoint would be a failure
				case run.State == job.Running:
					_, err := os.Stat(s.folder(run.ID, "summary.json"))
					finishing = finishing || err == nil
				}
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d runs of round %d do not end\n%s", len(open), round, s.log)
			}
			spent := counts["daemon"] + counts["child"] + counts["submitting"] + counts["finishing"]
			if spent >= kills || !patience || time.Now().Before(next) && !finishing {
				continue
			}
			children := s.children()
			switch {
			case finishing && r.IntN(2) == 0:
				s.kill()
				s.start()
				counts["finishing"]++
			case r.IntN(2) == 0:
				s.kill()
				s.start()
				counts["daemon"]++
			case len(children) > 0:
				if syscall.Kill(children[r.IntN(len(children))], syscall.SIGKILL) == nil {
					counts["child"]++
				}
			}
			next = time.Now().Add(time.Duration(300+r.IntN(1200)) * time.Millisecond)
		}
		for kind := range kinds {
			s.same(name(kind), undisturbed[kind])
		}
	}
	list, err := s.client.List(t.Context(), api.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for list.Next != "" {
		more, err := s.client.List(t.Context(), api.Filter{Before: list.Next})
		if err != nil {
			t.Fatal(err)
		}
		list.Runs, list.Next = append(list.Runs, more.Runs...), more.Next
	}
	folders, err := filepath.Glob(s.folder("*"))
	if err != nil || len(folders) != len(written) || len(list.Runs) != len(written) {
		t.Errorf("%d folders and %d runs on record of %d that were done (%v)", len(folders), len(list.Runs), len(written), err)
	}
	for id, at := range written {
		if about, err := os.Stat(s.folder(id, "dos.csv")); err != nil || !about.ModTime().Equal(at) {
			t.Errorf("%s was done again after it was done (%v)", id, err)
		}
		if run := s.get(id); run.State != job.Done || run.Outcome == nil {
			t.Errorf("at last: %+v", run)
		}
	}
	t.Logf("killed %v, %d runs done", counts, len(written))
	s.stop()
}

// submitUntilTaken submits a run, now and then to a daemon that is killed meanwhile, until it has
// been taken.
func (s *served) submitUntilTaken(id string, settings []string, r *rand.Rand, kills int, counts map[string]int) {
	s.t.Helper()
	for {
		var killing sync.WaitGroup
		doomed := counts["daemon"]+counts["child"]+counts["submitting"]+counts["finishing"] < kills && r.IntN(4) == 0
		if doomed {
			after := time.Duration(r.IntN(15000)) * time.Microsecond
			process := s.cmd.Process
			killing.Go(func() {
				time.Sleep(after)
				process.Kill()
			})
		}
		_, err := s.client.Submit(context.Background(), api.Submission{ID: id, Set: settings})
		killing.Wait()
		if doomed {
			s.kill()
			s.start()
			counts["submitting"]++
		}
		// A run whose submission was not answered may be on record all the same.
		if p := (*api.Problem)(nil); errors.As(err, &p) && p.Status == http.StatusConflict || err == nil {
			if _, err := s.client.Get(context.Background(), id); err != nil {
				s.t.Fatalf("%s was submitted and is not there: %v\n%s", id, err, s.log)
			}
			return
		} else if !unreachable(err) {
			s.t.Fatalf("submit %s: %v\n%s", id, err, s.log)
		}
	}
}

// TestDaemonKillSwapped kills the daemon and the run's process while the run exchanges its network:
// the run ends with the numbers of an undisturbed one that makes the same exchanges.
func TestDaemonKillSwapped(t *testing.T) {
	long.Only(t, "a run with a network, killed six times")
	tiny := []string{"model.encoder=8", "model.latent=2", "model.decoder=8", "trainer.batch=16"}
	s := newServed(t, "server.jobs=1")
	for seed := range 2 {
		args := []string{"train", "--out", filepath.Join(s.data, "networks"), "--name", "other", "--set", "train.steps=20"}
		for _, a := range append(tiny, "system.q=3", "system.size=3x3", fmt.Sprintf("run.seed=%d", 80+seed), "log.level=warn") {
			args = append(args, "--set", a)
		}
		if _, stderr, code := nwl(t, args...); code != 0 {
			t.Fatal(stderr)
		}
	}
	settings := least(append(tiny, "run.seed=9", "run.moves=[local, neural]", "run.walkers=64", "wang_landau.final_ln_f=2e-6",
		"production.passes=500", "checkpoint.interval=100ms")...)
	s.start()
	s.submit("run", settings...)
	r := rand.New(rand.NewPCG(91, 92))
	killed := 0
	for ; killed < 6 && !s.get("run").State.Final(); killed++ {
		s.until("run", "under way", func(r *api.Run) bool {
			return r.State.Final() || r.State == job.Running && r.Attempts < 3 && len(s.children()) == 1
		})
		time.Sleep(time.Duration(r.IntN(800)) * time.Millisecond)
		client := *s.client // of this life of the daemon
		var asking sync.WaitGroup
		asking.Go(func() {
			// The answer, if there is one, does not matter here: what is on record does.
			client.Swap(context.Background(), "run", api.SwapRequest{Bundle: fmt.Sprintf("other/%d", 1+killed%2)})
		})
		time.Sleep(time.Duration(r.IntN(400)) * time.Millisecond)
		if children := s.children(); killed%2 == 0 && len(children) > 0 {
			syscall.Kill(children[0], syscall.SIGKILL)
		} else {
			s.kill()
			s.start()
		}
		asking.Wait()
	}
	s.becomes("run", job.Done)
	again := filepath.Join(t.TempDir(), "again")
	if err := os.MkdirAll(again, 0o777); err != nil {
		t.Fatal(err)
	}
	record, err := os.ReadFile(s.folder("run", "swaps.jsonl"))
	if err != nil || len(record) == 0 {
		t.Fatalf("no exchange is on record: %v\n%s", err, s.log)
	}
	if err := errors.Join(os.CopyFS(filepath.Join(again, "swaps"), os.DirFS(s.folder("run", "swaps"))), os.WriteFile(filepath.Join(again, "swaps.jsonl"), record, 0o666)); err != nil {
		t.Fatal(err)
	}
	args := []string{"run", "--out", again}
	for _, a := range settings {
		args = append(args, "--set", a)
	}
	if _, stderr, code := nwl(t, args...); code != 0 && code != exitUnconverged {
		t.Fatal(stderr)
	}
	undisturbed, err := os.ReadFile(filepath.Join(again, "dos.csv"))
	if err != nil {
		t.Fatal(err)
	}
	s.same("run", undisturbed)
	t.Logf("killed %d times, %d exchanges", killed, bytes.Count(record, []byte("\n")))
	s.stop()
}
