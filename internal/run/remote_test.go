package run_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/event"
	"neuralwl/internal/exacttest"
	"neuralwl/internal/long"
	"neuralwl/internal/oiptest"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/internal/setup"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
)

// served is a model server that has the pretrained network of the Ising model for 4x4, and the
// settings of a run with it.
func served(t *testing.T) (*oiptest.Server, []string) {
	t.Helper()
	b, err := setup.OpenBundle("pretrained/potts-q2")
	if err == nil {
		b, err = setup.Rebuild(b, b.Card.System.System().Q, []int{4, 4})
	}
	if err != nil {
		t.Fatal(err)
	}
	s := oiptest.New(t, oiptest.State{Bundles: map[string]*exporter.Bundle{"q2/3": b}})
	return s, runtest.With(runtest.Brief, "system.q=2", "model.bundle=pretrained/potts-q2", "trainer.every=0",
		"inference.provider=remote", "inference.url="+s.URL, "inference.model=q2/3", "inference.retries=2")
}

// TestRemote makes runs whose network a model server evaluates: the numbers do not depend on the
// workers here, ln g is right, the record names the server, and verify finds nothing wrong.
func TestRemote(t *testing.T) {
	long.Only(t, "runs with a model server; TestRemoteServe of cmd/nwl has one")
	onnxtest.NoLeaks(t)
	_, settings := served(t)
	folder := t.TempDir()
	for name, more := range map[string][]string{"one": nil, "windows": {"windows.count=2", "windows.overlap=0.7"}} {
		var want []byte
		counts := []int{1, 3}
		if more != nil {
			counts = []int{1}
		}
		for _, workers := range long.Or([]int{1, 3}, counts) {
			path := filepath.Join(folder, fmt.Sprint(name, workers))
			var began event.RunBegan
			s, err := runtest.Run(t.Context(), t, run.Options{Folder: path, Listener: event.Listener{RunBegan: func(e event.RunBegan) { began = e }}},
				runtest.With(runtest.With(settings, more...), fmt.Sprint("run.workers=", workers), fmt.Sprint("production.passes=", long.Or(400, 200)))...)
			if err != nil {
				t.Fatal(err)
			}
			density := runtest.Read(t, path, report.DensityFile)
			if want == nil {
				want = density
			} else if !bytes.Equal(want, density) {
				t.Errorf("%s: %d workers have another result", name, workers)
			}
			if n := s.Network; n.Provider != "remote" || n.Server == nil || n.Server.Name != "oiptest" || n.Server.Version != "1.2" || n.Server.Model != "q2/3" ||
				began.Provider != "remote" || !strings.Contains(began.Server, "oiptest 1.2 at http://") {
				t.Errorf("%s: network %+v, server %+v, began %+v", name, n, n.Server, began)
			}
			if s.Proposals == nil || s.Proposals.Acceptance < 0.2 {
				t.Errorf("%s: proposals %+v", name, s.Proposals)
			}
			if failed, passed := runtest.Verify(t, path); len(failed) > 0 || passed < 8 {
				t.Errorf("%s: %d checks hold, not %+v", name, passed, failed)
			}
		}
		d, err := dos.ReadFile(filepath.Join(folder, name+"1", report.DensityFile))
		if err != nil {
			t.Fatal(err)
		}
		deviation, _, err := dos.Deviation(d, exacttest.Density(t, 2, 4, 4))
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, x := range deviation.LnG {
			sigma := max(deviation.Error[i], 1e-6) // known ends have none
			sum += x * x / (sigma * sigma)
		}
		if z := math.Sqrt(sum / float64(d.Len())); !(z < 2) {
			t.Errorf("%s: ln g is off by %.2f errors (rms)", name, z)
		}
	}
}

// TestRemoteFlow makes runs with flows, of all angles and of a half, that a model server evaluates, in one and in
// shards: ln g is right, the record names the server, and verify finds nothing wrong.
func TestRemoteFlow(t *testing.T) {
	long.Only(t, "two runs with a model server")
	onnxtest.NoLeaks(t)
	for half, more := range map[bool][]string{false: nil, true: {"windows.count=2", "run.shards=2", "run.round=2"}} {
		folder := flowBundle(t, "flow", 11, models.Hyperparameters{Width: 6, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2}, Half: half})
		b, err := exporter.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		server := oiptest.New(t, oiptest.State{Bundles: map[string]*exporter.Bundle{"flow/1": b}})
		path := filepath.Join(t.TempDir(), "run")
		s := runtest.Perform(t, path, runtest.With(runtest.With(flowing, more...), "wang_landau.final_ln_f=3e-3", "production.passes=200", "run.walkers=32",
			"model.bundle="+folder, "trainer.every=0", "inference.provider=remote", "inference.url="+server.URL, "inference.model=flow/1")...)
		if s.Exact == nil || s.Exact.RMS > 0.25 || s.Network.Server == nil || s.Network.Server.Model != "flow/1" || s.Network.Provider != "remote" {
			t.Errorf("half %v: exact %+v, network %+v", half, s.Exact, s.Network)
		}
		if m := s.Phases[1].Moves["neural"]; m.Acceptance < 0.02 {
			t.Errorf("half %v: %.3f of the proposals were accepted", half, m.Acceptance)
		}
		if failed, passed := runtest.Verify(t, path); len(failed) > 0 || passed < 5 {
			t.Errorf("half %v: %d checks hold, not %+v", half, passed, failed)
		}
		t.Logf("half %v: rms difference %.4f, acceptance %.3f", half, s.Exact.RMS, s.Phases[1].Moves["neural"].Acceptance)
	}
}

// TestRemoteGone takes the server away in mid-run, or gives it another network. The run ends with an
// error and its checkpoints, and ends as if undisturbed once the server is well.
func TestRemoteGone(t *testing.T) {
	long.Only(t, "seconds of silence")
	server, settings := served(t)
	folder := t.TempDir()
	right := server.State().Bundles["q2/3"]
	runtest.Perform(t, filepath.Join(folder, "undisturbed"), settings...)
	want := runtest.Read(t, folder, "undisturbed", report.DensityFile)
	weights, err := right.Weights()
	if err != nil {
		t.Fatal(err)
	}
	wrong, err := setup.Rebuild(right, right.Card.System.System().Q, []int{4, 4})
	if err != nil {
		t.Fatal(err)
	}
	factors := map[string]float32{}
	for name := range weights {
		factors[name] = 1.02
	}
	bundletest.Scale(t, wrong, factors)
	for name, c := range map[string]struct {
		fail, heal func()
		want       string
	}{
		"gone":            {server.Stop, server.Start, "cannot be reached"},
		"another network": {func() { serve(server, wrong) }, func() { serve(server, right) }, "is not bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder, name)
			passes := 0
			_, err := runtest.Run(t.Context(), t, run.Options{Folder: path, Listener: event.Listener{Pass: func(e event.Pass) {
				if e.Progress.Phase == sampler.Production {
					if passes++; passes == 20 {
						c.fail()
					}
				}
			}}}, runtest.With(settings, "checkpoint.interval=1ns")...)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nwl run --resume") {
				t.Fatalf("the run ended with %v", err)
			}
			if _, err := runtest.Run(t.Context(), t, run.Options{Folder: path}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("resumed with the fault: %v", err)
			}
			c.heal()
			runtest.Perform(t, path)
			if got := runtest.Read(t, path, report.DensityFile); !bytes.Equal(got, want) {
				t.Error("another result than that of the undisturbed run")
			}
		})
	}

	// Resumed here, the last digits differ, and the log says so.
	path := filepath.Join(folder, "here")
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := runtest.Run(ctx, t, run.Options{Folder: path, Listener: runtest.StopAt(sampler.Production, 20, cancel)}, settings...); err != nil {
		t.Fatal(err)
	}
	log, text := runtest.Log(slog.LevelWarn)
	s, err := runtest.Run(t.Context(), t, run.Options{Folder: path, Log: log}, "inference.provider=cpu")
	if err != nil || s.Network.Server != nil || !strings.Contains(text.String(), "another provider") || !strings.Contains(text.String(), "remote (oiptest 1.2, q2/3)") {
		t.Errorf("resumed without the server: %v\n%s", err, text)
	}
}

func serve(s *oiptest.Server, b *exporter.Bundle) {
	s.Change(func(s *oiptest.State) { s.Bundles = map[string]*exporter.Bundle{"q2/3": b} })
}

// TestRemoteSwap refuses another network for one that a server evaluates.
func TestRemoteSwap(t *testing.T) {
	_, settings := served(t)
	requests, answer := make(chan run.Swap, 1), make(chan event.NetworkSwapped, 1)
	requests <- run.Swap{Bundle: "pretrained/potts-q2", Reply: func(e event.NetworkSwapped) { answer <- e }}
	if _, err := runtest.Run(t.Context(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Swaps: requests, Log: slog.New(slog.DiscardHandler)}, settings...); err != nil {
		t.Fatal(err)
	}
	if e := <-answer; e.Err == nil || !strings.Contains(e.Err.Error(), "inference.provider") {
		t.Errorf("answer %+v", e)
	}
}
