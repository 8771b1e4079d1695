//go:build linux

package main

import (
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
		kills = long.Or(12, 4)
	}
	kinds := killed[:long.Or(len(killed), 2)]
	settings := func(kind int) []string {
		return least(append([]string{"run.walkers=64", "wang_landau.final_ln_f=1e-4", fmt.Sprintf("production.passes=%d", long.Or(3000, 1000))}, kinds[kind]...)...)
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
