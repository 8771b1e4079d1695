package run_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/disk"
	"neuralwl/internal/event"
	"neuralwl/internal/onnxtest"
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
	if reflect.DeepEqual(h, models.Hyperparameters{}) {
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
		b, err := exporter.Load(s.bundle)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.NewEncoder(&lines).Encode(report.Swap{Pass: s.pass, Stage: s.stage, Name: filepath.Base(s.bundle), Folder: copied, Digest: b.Card.Digest()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, report.SwapsFile), lines.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

// asker asks a run for exchanges of its network, one after the other, while it makes passes of a
// phase. It slows the run down until there is an answer, so that the phase does not end before.
type asker struct {
	phase    sampler.Phase
	asks     []run.Swap
	requests chan run.Swap
	answers  []event.NetworkSwapped
	asked    int
	least    time.Duration // of the pauses, which grow
	pause    time.Duration
}

func newAsker(phase sampler.Phase, asks ...run.Swap) *asker {
	return &asker{phase: phase, asks: asks, requests: make(chan run.Swap, 1), least: time.Millisecond}
}

func (a *asker) listener() event.Listener {
	return event.Listener{Pass: func(e event.Pass) {
		switch {
		case a.asked > len(a.answers):
			a.pause = min(max(2*a.pause, a.least), time.Second)
			time.Sleep(a.pause)
		case a.asked < len(a.asks) && e.Progress.Phase == a.phase:
			s := a.asks[a.asked]
			s.Reply = func(e event.NetworkSwapped) { a.answers = append(a.answers, e) }
			a.asked, a.pause = a.asked+1, 0
			a.requests <- s
		}
	}}
}

// sameSwaps lets a new run make the exchanges that another one has made.
func sameSwaps(t testing.TB, to, from string) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(to, "swaps"), os.DirFS(filepath.Join(from, "swaps"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, report.SwapsFile), runtest.Read(t, from, report.SwapsFile), 0o666); err != nil {
		t.Fatal(err)
	}
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
	onnxtest.NoLeaks(t)
	same, wider := tinyBundle(t, "same", 11, models.Autoencoder, models.Hyperparameters{}), tinyBundle(t, "wider", 12, models.Autoencoder, models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3, Noise: 0.3})
	made := tinyBundle(t, "made", 13, models.Made, models.Hyperparameters{Decoder: 8, Floor: 1e-3})
	a := newAsker(sampler.WangLandau, run.Swap{Bundle: same, Name: "net/0"}, run.Swap{Bundle: wider, Name: "net/1"}, run.Swap{Bundle: same, Name: "net/2"},
		run.Swap{Bundle: filepath.Dir(same), Name: "net/3"}, run.Swap{Bundle: made})
	var events []event.NetworkSwapped
	folder := t.TempDir()
	live := filepath.Join(folder, "live")
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: live, Swaps: a.requests, Listener: event.Tee(a.listener(), event.Listener{
		NetworkSwapped: func(e event.NetworkSwapped) { events = append(events, e) },
	})}, swapping...)
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 5 || !slices.Equal(events, a.answers) {
		t.Fatalf("events %+v, answers %+v", events, a.answers)
	}
	for i, e := range events {
		name, want := fmt.Sprint("net/", i), "goes on with a new optimiser"
		if i == 4 {
			name, want = made, "ends, as the new network has another architecture (made)"
		}
		if e.Name != name || e.Err != nil || e.Training != want || e.Stage != "adaptation" || e.Restarted || e.Took <= 0 || e.Pause <= 0 {
			t.Errorf("exchange %d: %+v", i, e)
		}
	}
	n := s.Network
	if len(n.Swaps) != 5 || n.Architecture != models.Made || n.Swaps[4].Pass != events[4].Pass || n.Swaps[4].Digest != events[4].Digest ||
		filepath.Base(n.Bundle) != "5" || n.Training.Steps != 0 {
		t.Errorf("summary %+v", s.Network)
	}
	for i, w := range n.Swaps {
		called, from := fmt.Sprint("net/", i-1), fmt.Sprint("swaps/", i)
		if i == 0 {
			called, from = "autoencoder-potts-q3-4x4/", "models/autoencoder-potts-q3-4x4/"
		}
		// It is exported in between where it goes on being trained.
		own := strings.HasPrefix(w.Before, "autoencoder-potts-q3-4x4/") && w.From == "models/"+w.Before
		if !own && (w.Before != called || w.From != from) || w.Acceptance <= 0 || w.Acceptance > 1 {
			t.Errorf("exchange %d: %+v", i, w)
		}
		if _, err := exporter.Load(filepath.Join(live, w.From)); err != nil {
			t.Errorf("there is no way back: %v", err)
		}
	}
	again := filepath.Join(folder, "again")
	sameSwaps(t, again, live)
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
