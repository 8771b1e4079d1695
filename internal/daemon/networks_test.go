package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
)

// TestNetworks lets a run take the networks that another one exports, as they come, and go back;
// the repository keeps the latest of them, and knows them again after a restart.
func TestNetworks(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	two := func(o *Options) { o.Jobs = 2 }
	h := open(t, data, two)
	learning := runtest.With(runtest.Quick, "run.moves=[local, neural]", "trainer.every=1", "trainer.export_every=5", "wang_landau.final_ln_f=1e-12", "checkpoint.interval=200ms")
	h.submit(api.Submission{ID: "teacher", Set: learning, Publish: true})
	h.submit(api.Submission{ID: "pupil", Set: runtest.With(learning, "trainer.every=0", "run.seed=2"), Follow: "teacher"})
	history := func() *api.NetworkHistory {
		n, err := h.NetworkHistory(t.Context(), "pupil")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	h.wait("pupil", "taught twice", func(*api.Run) bool { return len(history().Swaps) >= 2 })
	for _, s := range history().Swaps {
		if !strings.HasPrefix(s.Bundle, "teacher/") || s.Restarted || s.Digest == "" || s.Before == "" {
			t.Errorf("exchange %+v", s)
		}
	}
	// No more lessons, so that the way back is that of the last one.
	none := ""
	h.change("pupil", api.RunChange{Follow: &none})
	h.change("teacher", api.RunChange{Wish: job.Pause})
	h.state("teacher", job.Paused)
	h.offers.Wait()
	last := history().Swaps[len(history().Swaps)-1]
	if back, err := h.Swap(t.Context(), "pupil", api.SwapRequest{Back: true}); err != nil || back.Bundle != last.Before {
		t.Errorf("back to %+v, %v; want %s", back, err, last.Before)
	}
	now, err := h.Networks()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range now {
		if has, want := slices.Contains(n.Users, "pupil"), fmt.Sprintf("%s/%d", n.Name, n.Version) == last.Before; has != want {
			t.Errorf("%s/%d is used by %v", n.Name, n.Version, n.Users)
		}
	}
	h.wait("pupil", "proposing with it", func(r *api.Run) bool { return history().Acceptance > 0 })
	// A network of another size is none for it.
	folder, err := bundletest.New(t, models.Made, models.System{Q: 3, Sides: []int{5, 5}}, models.Hyperparameters{Decoder: 8, Floor: 1e-3}).Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.networks.Add(t.Context(), os.DirFS(folder), "stranger"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id     string
		r      api.SwapRequest
		target error
		text   string
	}{
		{"pupil", api.SwapRequest{Bundle: "nobody/3"}, ErrInvalid, "there is no such network"},
		{"pupil", api.SwapRequest{Bundle: "../../x"}, ErrInvalid, "cannot be a name"},
		{"pupil", api.SwapRequest{Bundle: "stranger"}, ErrInvalid, "was made for"},
		{"pupil", api.SwapRequest{}, ErrInvalid, "name the network"},
		{"pupil", api.SwapRequest{Bundle: "teacher", Back: true}, ErrInvalid, "leave out bundle"},
		{"teacher", api.SwapRequest{Bundle: "teacher"}, job.ErrImpossible, "it is paused"},
	} {
		if _, err := h.Swap(t.Context(), c.id, c.r); !errors.Is(err, c.target) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: %v", c.r, err)
		}
	}
	if err := h.RemoveNetwork("stranger", "1"); err != nil {
		t.Error(err)
	}
	h.change("pupil", api.RunChange{Wish: job.Cancel})
	h.state("pupil", job.Cancelled)
	list, err := h.Networks()
	if err != nil || len(list) == 0 || len(list) > publishedKept {
		t.Fatalf("%d networks, %v", len(list), err)
	}
	if path := h.networks.Path(); !filepath.IsAbs(path) {
		t.Errorf("the path %s would not be that of another folder", path)
	}
	h.stop()
	if swaps, err := run.Swaps(h.Folder("pupil")); err != nil || len(swaps) < 3 {
		t.Errorf("%d exchanges on record, %v", len(swaps), err)
	}

	h = open(t, data, two)
	time.Sleep(300 * time.Millisecond) // in which the last events come again
	if again, err := h.Networks(); err != nil || len(again) != len(list) || again[len(again)-1].Version != list[len(list)-1].Version {
		t.Errorf("%d networks after a restart, before %d (%v)", len(again), len(list), err)
	}
	// A run may begin with one of them.
	h.submit(api.Submission{ID: "heir", Set: runtest.With(runtest.Quick, "run.moves=[local, neural]", "trainer.every=0", "model.bundle=teacher/latest")})
	h.state("heir", job.Done)
	if text, err := os.ReadFile(filepath.Join(h.Folder("heir"), "config.yaml")); err != nil || !strings.Contains(string(text), filepath.Join("networks", "teacher")) {
		t.Errorf("the configuration does not name the version: %v\n%s", err, text)
	}
	latest := list[len(list)-1]
	if err := h.RemoveNetwork(latest.Name, "latest"); !errors.Is(err, ErrInvalid) {
		t.Errorf("latest was deleted: %v", err)
	}
	if err := h.RemoveNetwork(latest.Name, "1000"); !Missing(err) {
		t.Errorf("a version that is not there was deleted: %v", err)
	}
}
