package worker

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/internal/store"
)

// TestOver says that a run is another's by now whose lease was over before its files were stored, so that its
// end does not go on record.
func TestOver(t *testing.T) {
	q, err := queue.Open(t.Context(), queue.Options{Folder: filepath.Join(t.TempDir(), "queue")})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Submit(t.Context(), "run-1", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	l, err := q.Take(t.Context(), queue.Taker{Owner: "w"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	f := &files{lease: l, path: folder, log: slog.New(slog.DiscardHandler)} // never renewed
	if err := f.finish(t.Context()); !errors.Is(err, job.ErrFenced) {
		t.Errorf("the end of a lease: %v", err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its directory is left: %v", err)
	}
}

// openStore opens a store whose requests another handler answers as long as there is one.
func openStore(t *testing.T) (*store.Store, *atomic.Pointer[http.HandlerFunc]) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("runs"); err != nil {
		t.Fatal(err)
	}
	objects, instead := gofakes3.New(backend).Server(), &atomic.Pointer[http.HandlerFunc]{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if other := instead.Load(); other != nil {
			(*other)(w, r)
			return
		}
		objects.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"} {
		t.Setenv(name, value)
	}
	s, err := store.Open(t.Context(), "s3://runs/of/mine")
	if err != nil {
		t.Fatal(err)
	}
	return s, instead
}

// TestAway loses no attempt of a run while the store refuses its files, has the run paused while the store does
// not answer, and performs it once the store is there again. One that is damaged fails.
func TestAway(t *testing.T) {
	s, instead := openStore(t)
	o := newOffice(t, func(o *office) { o.store = s })
	o.submit("run-1")
	o.event("run-1", child.Ended, 0)
	first := o.wait("run-1", job.Done)
	refuse := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	instead.Store(&refuse)
	again := func() {
		t.Helper()
		if _, err := o.queue.Again(t.Context(), "run-1", nil); err != nil {
			t.Fatal(err)
		}
	}
	again()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r := o.wait("run-1", job.Queued, job.Failed)
		if r.State == job.Failed || r.Epoch > first.Epoch+1 && r.Attempts > 0 || time.Now().After(deadline) {
			t.Fatalf("%+v", r)
		}
		if r.Epoch > first.Epoch+1 {
			if !strings.Contains(r.Reason, "cannot be brought") {
				t.Errorf("the reason is %q", r.Reason)
			}
			break
		}
	}
	asked := make(chan struct{}, 100)
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	})
	instead.Store(&hang)
	<-asked
	if err := o.queue.Want(t.Context(), "run-1", job.Pause); err != nil {
		t.Fatal(err)
	}
	o.wait("run-1", job.Paused)
	instead.Store(nil)
	again()
	if r := o.wait("run-1", job.Done, job.Failed); r.State != job.Done {
		t.Errorf("%+v", r)
	}
	if err := s.Remove(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	again()
	if r := o.wait("run-1", job.Done, job.Failed); r.State != job.Failed || !strings.Contains(r.Reason, "missing") {
		t.Errorf("without its files: %+v", r)
	}
	left, err := os.ReadDir(o.folder)
	if err != nil || len(left) > 0 {
		t.Errorf("left here: %v, %v", left, err)
	}
}

// TestWeights brings the run whose density of states a job needs apart from its directory, which may be in use
// here, and refuses files in a store that the worker has not.
func TestWeights(t *testing.T) {
	s, _ := openStore(t)
	q, err := queue.Open(t.Context(), queue.Options{Folder: filepath.Join(t.TempDir(), "queue")})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	log := slog.New(slog.DiscardHandler)
	leases := map[string]*queue.Lease{}
	for _, id := range []string{"run-1", "bench-1"} {
		if _, err := q.Submit(t.Context(), id, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if leases[id], err = q.Take(t.Context(), queue.Taker{Owner: "w"}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	o := &worker{Options: Options{Queue: q, Folder: t.TempDir(), Store: s}}
	of, err := o.fetch(t.Context(), leases["run-1"], "", log)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(of.path, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write(report.DensityFile, "stored")
	if err := of.push(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(report.DensityFile, "live")
	write(report.SummaryFile, "live")
	f, err := o.fetch(t.Context(), leases["bench-1"], "run-1", log)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(runtest.Read(t, f.weights, report.DensityFile)); got != "stored" {
		t.Errorf("the weights are %q", got)
	}
	if err := f.remove(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{report.DensityFile, report.SummaryFile} {
		if got := string(runtest.Read(t, of.path, name)); got != "live" {
			t.Errorf("%s of the run under way is %q", name, got)
		}
	}
	if left, err := os.ReadDir(o.Folder); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
	leases["run-1"].Files = "1-1.json"
	o.Store = nil
	if _, err := o.bring(t.Context(), leases["run-1"], "", nil, log); !errors.As(err, new(away)) {
		t.Errorf("by a worker without a store: %v", err)
	}
}
