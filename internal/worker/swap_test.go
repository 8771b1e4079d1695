package worker

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/child"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/long"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/models"
)

// TestSwap exchanges the network of a run in a child process, in both phases and over a pause, and
// gets an answer that names the fault where it is not.
func TestSwap(t *testing.T) {
	h := models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 16, Floor: 1e-3, Noise: 0.3}
	b, err := exporter.NewUntrained("other", models.Autoencoder, models.System{Q: 3, Sides: []int{4, 4}}, h, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := b.Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := newOffice(t)
	ask := func(r SwapRequest) (SwapAnswer, run.SwapFault) {
		t.Helper()
		a, err := Swap(t.Context(), o.queue, "run-1", r)
		if fault := (*run.SwapError)(nil); errors.As(err, &fault) {
			return a, fault.Fault
		}
		if err != nil {
			t.Fatal(err)
		}
		return a, ""
	}
	unreachable := func(when string) {
		t.Helper()
		if _, err := Swap(t.Context(), o.queue, "run-1", SwapRequest{Bundle: bundle}); !errors.Is(err, queue.ErrUnreachable) {
			t.Errorf("%s: %v", when, err)
		}
	}
	unreachable("before")
	o.submit("run-1", "run.walkers=16", "run.moves=[local, neural]", "trainer.every=5", "wang_landau.final_ln_f=1e-9", "production.passes=1000000")
	o.event("run-1", child.Pass, 0)
	if a, fault := ask(SwapRequest{Bundle: bundle, Name: "other/1"}); fault != "" || a.Name != "other/1" || a.Pass < 1 || a.Training == "" || a.Restarted || a.LoadingSeconds <= 0 {
		t.Errorf("%+v, %s", a, fault)
	}
	var told child.SwappedData
	if e := o.event("run-1", child.Swapped, 0); json.Unmarshal(e.Data, &told) != nil || told.Name != "other/1" || told.Err() != nil {
		t.Errorf("event %+v", told)
	}
	if a, fault := ask(SwapRequest{Bundle: filepath.Join(bundle, "missing"), Name: "missing"}); fault != run.SwapBundle {
		t.Errorf("%+v, %s", a, fault)
	}
	if data, err := o.queue.Control(t.Context(), "run-1", []byte("what?")); err != nil || json.Unmarshal(data, &told) != nil || told.Fault != run.SwapFailed {
		t.Errorf("another request: %s, %v", data, err)
	}
	if err := o.queue.Want(t.Context(), "run-1", job.Pause); err != nil {
		t.Fatal(err)
	}
	o.wait("run-1", job.Paused)
	unreachable("paused")
	if !long.Or(true, false) {
		return // package run exchanges networks in production
	}
	spec, err := json.Marshal(job.Spec{Changes: []string{"wang_landau.final_ln_f=0.9"}})
	if err != nil {
		t.Fatal(err)
	}
	at := o.event("run-1", child.Ended, 0).Sequence
	if _, err := o.queue.Again(t.Context(), "run-1", spec); err != nil {
		t.Fatal(err)
	}
	for phase := (child.PassData{}); phase.Phase != "production"; {
		e := o.event("run-1", child.Pass, at)
		if at = e.Sequence; json.Unmarshal(e.Data, &phase) != nil {
			t.Fatal("an event cannot be read")
		}
	}
	if a, fault := ask(SwapRequest{Bundle: bundle, Name: "other/1"}); fault != run.SwapPhase {
		t.Errorf("%+v, %s", a, fault)
	}
	if a, fault := ask(SwapRequest{Bundle: bundle, Name: "other/1", Restart: true}); fault != "" || !a.Restarted || a.Dropped < 1 || a.Stage != "production" {
		t.Errorf("%+v, %s", a, fault)
	}
	if err := o.queue.Want(t.Context(), "run-1", job.Pause); err != nil {
		t.Fatal(err)
	}
	o.wait("run-1", job.Paused)
	folder := filepath.Join(o.folder, "run-1")
	if s, err := report.ReadSummary(filepath.Join(folder, report.SummaryFile)); err != nil || len(s.Network.Swaps) != 2 {
		t.Errorf("%+v, %v", s, err)
	}
}
