package run_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// tinyBundle saves an untrained network for the system of runtest.Quick in a repository. Without
// other settings, its graphs are those of the runs' own.
func tinyBundle(t testing.TB, name string, seed uint64, architecture string, h models.Hyperparameters) (folder string) {
	t.Helper()
	if h == (models.Hyperparameters{}) {
		h = models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 16, Floor: 1e-3, Noise: 0.3}
	}
	b, err := exporter.NewUntrained(name, architecture, models.System{Q: 3, Sides: []int{4, 4}}, h, rand.New(rand.NewPCG(seed, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if folder, err = b.Save(disk.OS, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	return folder
}

// planned is an exchange that a run is to make.
type planned struct {
	pass   int64
	stage  string
	bundle string
}

// plan puts exchanges on record in a folder, as a run does that makes them.
func plan(t testing.TB, folder string, swaps ...planned) {
	t.Helper()
	var lines bytes.Buffer
	for i, s := range swaps {
		copied := filepath.Join("swaps", fmt.Sprint(i+1))
		if err := os.CopyFS(filepath.Join(folder, copied), os.DirFS(s.bundle)); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(runtest.Read(t, s.bundle, exporter.CardFile))
		if err := json.NewEncoder(&lines).Encode(report.Swap{Pass: s.pass, Stage: s.stage, Name: filepath.Base(s.bundle), Folder: copied, Digest: hex.EncodeToString(sum[:])}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, report.SwapsFile), lines.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// asker asks a run for exchanges of its network from within a listener.
type asker struct {
	t        testing.TB
	requests chan run.Swap
	answers  chan event.NetworkSwapped
}

func newAsker(t testing.TB) *asker {
	return &asker{t, make(chan run.Swap, 8), make(chan event.NetworkSwapped, 8)}
}

func (a *asker) ask(s run.Swap) {
	s.Reply = func(e event.NetworkSwapped) { a.answers <- e }
	a.requests <- s
}

func fault(err error) run.SwapFault {
	if e := (*run.SwapError)(nil); errors.As(err, &e) {
		return e.Fault
	}
	return ""
}

// swapping are settings for a run of some hundred passes of adaptation in which the network
// learns.
var swapping = runtest.With(runtest.Brief, "wang_landau.final_ln_f=3e-4")

// TestSwapLive exchanges the network of a run five times while it adapts its weights, for one
// with the same graphs, others, and another architecture. A run with the same exchanges on record
// from the beginning gives the same numbers to the last bit.
func TestSwapLive(t *testing.T) {
	noLeaks(t)
	same, wider := tinyBundle(t, "same", 11, models.Autoencoder, models.Hyperparameters{}), tinyBundle(t, "wider", 12, models.Autoencoder, models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3, Noise: 0.3})
	made := tinyBundle(t, "made", 13, models.Made, models.Hyperparameters{Decoder: 8, Floor: 1e-3})
	bundles := []string{same, wider, same, filepath.Dir(same), made}
	a := newAsker(t)
	var events []event.NetworkSwapped
	next := 0
	folder := t.TempDir()
	live := filepath.Join(folder, "live")
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: live, Swaps: a.requests, Listener: event.Listener{
		Pass: func(e event.Pass) {
			if e.Progress.Phase == sampler.WangLandau && next == len(events) && next < len(bundles) {
				a.ask(run.Swap{Bundle: bundles[next], Name: fmt.Sprint("net/", next)})
				next++
			}
			if next > len(events) {
				time.Sleep(5 * time.Millisecond) // so that the adaptation does not end before
			}
		},
		NetworkSwapped: func(e event.NetworkSwapped) { events = append(events, e) },
	}}, swapping...)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != len(bundles) {
		t.Fatalf("%d exchanges of %d: %+v", len(events), len(bundles), events)
	}
	for i, e := range events {
		want := "goes on with a new optimiser"
		if i == 4 {
			want = "ends, as the new network has another architecture (made)"
		}
		if e.Err != nil || e.Training != want || e.Stage != "adaptation" || e.Restarted || e.Took <= 0 || e.Pause <= 0 {
			t.Errorf("exchange %d: %+v", i, e)
		}
		if answer := <-a.answers; answer != e {
			t.Errorf("the answer %+v is not the event %+v", answer, e)
		}
	}
	if n := s.Network; len(n.Swaps) != 5 || n.Architecture != models.Made || n.Swaps[4].Pass != events[4].Pass || n.Swaps[4].Digest != events[4].Digest ||
		filepath.Base(n.Bundle) != "5" || n.Training.Steps != 0 {
		t.Errorf("summary %+v", s.Network)
	}
	again := filepath.Join(folder, "again")
	for _, name := range []string{"swaps", report.SwapsFile} {
		if err := os.MkdirAll(again, 0o777); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(filepath.Join(live, name)); err == nil {
			err = os.WriteFile(filepath.Join(again, name), data, 0o666)
		} else if err := os.CopyFS(filepath.Join(again, name), os.DirFS(filepath.Join(live, name))); err != nil {
			t.Fatal(err)
		}
	}
	runtest.Perform(t, again, swapping...)
	for _, name := range []string{report.DensityFile, report.SwapsFile} {
		if !bytes.Equal(runtest.Read(t, live, name), runtest.Read(t, again, name)) {
			t.Errorf("%s of a run with the same exchanges is another", name)
		}
	}
	runtest.Perform(t, filepath.Join(folder, "without"), swapping...)
	if bytes.Equal(runtest.Read(t, live, report.DensityFile), runtest.Read(t, folder, "without", report.DensityFile)) {
		t.Error("the exchanges make no difference")
	}
	if failed, _ := runtest.Verify(t, live); len(failed) > 0 {
		t.Errorf("verify: %+v", failed)
	}
}
