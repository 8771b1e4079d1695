package daemon

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/internal/store"
)

// openStore opens a store of a server of its own.
func openStore(t *testing.T) *store.Store {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("runs"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"} {
		t.Setenv(name, value)
	}
	s, err := store.Open(t.Context(), "s3://runs/of/mine")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestGroupInStore merges all members of a group whose run directories are brought from a store: none is taken
// for unreadable that ended before its files came.
func TestGroupInStore(t *testing.T) {
	s := openStore(t)
	h := open(t, t.TempDir(), func(o *Options) { o.Store, o.Jobs = s, 2 })
	h.submitGroup(api.GroupSubmission{Name: "glass", Set: glassy("system.disorder_seed=1..2", "local.sweeps=2")})
	h.merged("glass")
}

// far is a worker that has taken a run and shares no folder with the daemon.
type far struct {
	*queue.Lease
	t      *testing.T
	path   string
	folder *store.Folder
}

// takeFar hands a run that was submitted to a worker elsewhere.
func takeFar(t *testing.T, d *Daemon, id string) *far {
	t.Helper()
	r, err := d.queue.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.queue.Release(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	l, err := d.queue.Take(t.Context(), queue.Taker{Owner: "far/1"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	w := &far{Lease: l, t: t, path: t.TempDir()}
	w.folder = d.o.Store.Folder(store.Key(id, l.Created), l.Epoch, w.path, nil, nil)
	if err := w.folder.Pull(t.Context(), l.Files); err != nil {
		t.Fatal(err)
	}
	return w
}

// write stores a file of the run, and returns the record that names it.
func (w *far) write(d *Daemon, name, text string) *queue.Record {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.path, name), []byte(text), 0o666); err != nil {
		w.t.Fatal(err)
	}
	manifest, m, err := w.folder.Push(w.t.Context())
	if err == nil {
		err = w.Filed(w.t.Context(), manifest)
	}
	if err == nil {
		err = w.folder.Recorded(w.t.Context(), manifest, m)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := d.queue.Get(w.t.Context(), w.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func stocked(t *testing.T) func(*Options) {
	s := openStore(t)
	return func(o *Options) { o.Store = s }
}

// TestBringing calls the files of a run incomplete whose record names others than its directory was made of, until
// they have come.
func TestBringing(t *testing.T) {
	d, _, _ := idle(t, t.TempDir(), stocked(t))
	submit(t, d, "run-1")
	w := takeFar(t, d, "run-1")
	for _, text := range []string{"first", "second"} {
		r := w.write(d, report.DensityFile, text)
		if d.brought(r) || !d.describe(r).Bringing {
			t.Errorf("%s: it passes for complete, made of %q, the record names %q", text, d.madeOf(r.ID), r.Files)
		}
		if err := d.pullRun(t.Context(), "run-1"); err != nil {
			t.Fatal(err)
		}
		if got := string(runtest.Read(t, d.Folder("run-1"), report.DensityFile)); got != text || !d.brought(r) || d.describe(r).Bringing {
			t.Errorf("the directory has %q, want %q, and is made of %q", got, text, d.madeOf(r.ID))
		}
	}
}

// TestDeletedInStore brings no run back that was deleted, and keeps one of the same name apart from what a late
// worker of the first still writes.
func TestDeletedInStore(t *testing.T) {
	d, _, _ := idle(t, t.TempDir(), stocked(t))
	submit(t, d, "run-1")
	late := takeFar(t, d, "run-1")
	late.write(d, report.DensityFile, "first")
	if err := late.Leave(t.Context(), job.Event{Kind: job.Fail}); err != nil {
		t.Fatal(err)
	}
	release := d.puller.alone("run-1")
	deleted := make(chan error)
	go func() { deleted <- d.Delete(context.WithoutCancel(t.Context()), "run-1") }()
	pulled := make(chan error)
	go func() { pulled <- d.pullRun(context.WithoutCancel(t.Context()), "run-1") }()
	release() // one of them first
	if err := errors.Join(<-deleted, <-pulled); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(d.Folder("run-1")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of a deleted run: %v", err)
	}
	submit(t, d, "run-1")
	second := takeFar(t, d, "run-1")
	second.write(d, report.DensityFile, "begun")
	second.write(d, report.DensityFile, "second")
	if err := os.WriteFile(filepath.Join(late.path, report.DensityFile), []byte("late"), 0o666); err != nil {
		t.Fatal(err)
	}
	if name, _, err := late.folder.Push(t.Context()); err != nil || name != "1-2.json" { // as the second
		t.Fatal(name, err)
	}
	if err := d.pullRun(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	if got := string(runtest.Read(t, d.Folder("run-1"), report.DensityFile)); got != "second" {
		t.Errorf("the second run has the file of %q", got)
	}
}

// TestLostQueueInStore goes on, when the queue and what the directory remembers are lost in part, with what the
// store has newest, under an epoch that nothing there has, and puts there what it has not.
func TestLostQueueInStore(t *testing.T) {
	data, stock := t.TempDir(), stocked(t)
	d, _, closed := idle(t, data, stock)
	submit(t, d, "run-1")
	submit(t, d, "run-2")
	remembered(t, d)
	old := runtest.Read(t, d.Folder("run-1"), job.File)
	w := takeFar(t, d, "run-1")
	newest := w.write(d, report.DensityFile, "newest")
	if err := os.WriteFile(filepath.Join(d.Folder("run-2"), report.DensityFile), []byte("here"), 0o666); err != nil {
		t.Fatal(err)
	}
	closed()
	if err := errors.Join(os.RemoveAll(filepath.Join(data, queueName)), os.WriteFile(filepath.Join(data, runsName, "run-1", job.File), old, 0o666)); err != nil {
		t.Fatal(err)
	}
	d, _, _ = idle(t, data, stock)
	if r, err := d.queue.Get(t.Context(), "run-1"); err != nil || r.Files != newest.Files || r.Epoch != newest.Epoch {
		t.Errorf("%+v, %v, want files %s", r, err, newest.Files)
	}
	for id, want := range map[string]string{"run-1": "newest", "run-2": "here"} {
		w := takeFar(t, d, id)
		if got := string(runtest.Read(t, w.path, report.DensityFile)); got != want || id == "run-1" && w.Epoch != newest.Epoch+1 {
			t.Errorf("%s goes on in epoch %d with %q, want %q", id, w.Epoch, got, want)
		}
	}
}

// TestMark lets workers tell the head's store from another one and from its folder, and the other way round.
func TestMark(t *testing.T) {
	with, _, _ := idle(t, t.TempDir(), stocked(t))
	without, _, _ := idle(t, t.TempDir())
	other, _, _ := idle(t, t.TempDir(), stocked(t)) // another server, of the same address
	type place struct{ where, mark string }
	var places []place
	for _, d := range []*Daemon{with, without, other} {
		where, mark, err := d.mark(t.Context())
		if err != nil || mark == "" {
			t.Fatal(err)
		}
		if _, again, err := d.mark(t.Context()); err != nil || again != mark {
			t.Errorf("%s has the mark %q and then %q, %v", where, mark, again, err)
		}
		places = append(places, place{where, mark})
	}
	for i, d := range []*Daemon{with, without, other} {
		if err := d.queue.KeepsFiles(t.Context(), places[i].where, places[i].mark); err != nil {
			t.Fatal(err)
		}
		for k, p := range append(places, place{where: "/empty"}) {
			err := d.queue.CheckFiles(t.Context(), p.where, p.mark)
			if (err == nil) != (i == k) || err != nil && (!strings.Contains(err.Error(), places[i].where) || !strings.Contains(err.Error(), "--files "+p.where)) {
				t.Errorf("the head has %s, the worker %s: %v", places[i].where, p.where, err)
			}
		}
	}
}

// TestNetworksInStore publishes what a worker elsewhere exports, once it has come, and refuses what only the
// daemon's machine can read.
func TestNetworksInStore(t *testing.T) {
	h := open(t, t.TempDir(), stocked(t))
	h.submit(api.Submission{ID: "teacher", Publish: true, Set: runtest.With(runtest.Quick,
		"run.moves=[local, neural]", "trainer.every=1", "trainer.export_every=20", "wang_landau.final_ln_f=1e-12", "checkpoint.interval=500ms")})
	h.wait("teacher", "published", func(r *api.Run) bool {
		if r.State.Final() {
			t.Fatalf("%+v", r)
		}
		versions, err := h.networks.Versions("teacher")
		return err == nil && len(versions) > 0
	})
	folder := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(folder, os.DirFS(filepath.Join(h.networks.Path(), "teacher"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{folder, "../pupil", "models/../../x"} {
		if err := h.publish(t.Context(), "teacher", name); err == nil || !strings.Contains(err.Error(), "not in the run directory") {
			t.Errorf("published from %s: %v", name, err)
		}
	}
	if _, err := h.Swap(t.Context(), "teacher", api.SwapRequest{Bundle: "teacher"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an exchange for a network of the repository: %v", err)
	}
	h.change("teacher", api.RunChange{Wish: job.Cancel})
	for field, s := range map[string]api.Submission{
		"model.bundle": {Set: small("run.moves=[local, neural]", "model.bundle=teacher")}, "model.init": {Set: small("run.moves=[local, neural]", "model.init="+folder)},
		"follow": {Set: small(), Follow: "teacher"},
	} {
		if err := h.Check(t.Context(), s); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), field+": run directories are in an object store") {
			t.Errorf("%s: %v", field, err)
		}
	}
	if err := h.Check(t.Context(), api.Submission{Set: small("run.moves=[local, neural]", "model.bundle=pretrained/potts")}); err != nil {
		t.Error(err)
	}
}
