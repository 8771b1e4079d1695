package repository_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/long"
	"neuralwl/internal/repository"
	"neuralwl/models"
)

// TestLoad follows the states of three versions through loads, handles, a rollback and an
// unloading.
func TestLoad(t *testing.T) {
	folder := newFolder(t)
	var refs []repository.Ref
	for k := range 3 {
		refs = append(refs, add(t, folder, weighted(t, models.Made, small, 1+float32(k)), "net"))
	}
	r := open(t, folder, repository.Options{})
	states := func(want ...string) {
		t.Helper()
		for k, ref := range refs {
			s := status(t, r, ref)
			got := string(s.State)
			if s.Served {
				got += " served"
			}
			if s.LastGood {
				got += " last good"
			}
			if got != want[k] {
				t.Errorf("version %d is %q, want %q", k+1, got, want[k])
			}
		}
	}
	_, err := r.Acquire("net")
	refused(t, err, repository.ErrNotLoaded, "load it first")
	_, err = r.Rollback(context.Background(), "net")
	refused(t, err, repository.ErrNotLoaded)
	states("UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE")

	load(t, r, "net/1")
	states("READY served", "UNAVAILABLE", "UNAVAILABLE")
	first := acquire(t, r, "net")
	_, err = r.Rollback(context.Background(), "net")
	refused(t, err, nil, "no version was served before version 1")

	load(t, r, "net/2")
	states("DRAINING last good", "READY served", "UNAVAILABLE")
	_, err = r.Acquire("net/1")
	refused(t, err, repository.ErrNotLoaded, "version 2 is")
	second := acquire(t, r, "net/2")
	if first.Ref() != refs[0] || second.Ref() != refs[1] || first.Digest() == second.Digest() || first.Card().Version != 1 {
		t.Errorf("handles of %v and %v", first.Ref(), second.Ref())
	}
	// The draining one serves those who have it until they release it, once.
	if _, _, err := first.Propose(context.Background(), moves(first, 3, rand.NewPCG(1, 2))); err != nil {
		t.Error(err)
	}
	again := acquire(t, r, "net")
	again.Release()
	again.Release()
	if s := status(t, r, refs[1]); s.Users != 1 {
		t.Errorf("%d users", s.Users)
	}
	first.Release()
	first.Release()
	states("UNAVAILABLE last good", "READY served", "UNAVAILABLE")
	_, _, err = first.Propose(context.Background(), moves(first, 3, rand.NewPCG(1, 2)))
	refused(t, err, nil, "released")

	load(t, r, "net/latest")
	states("UNAVAILABLE", "DRAINING last good", "READY served")
	if ref, err := r.Rollback(context.Background(), "net"); err != nil || ref != refs[1] {
		t.Errorf("rolled back to %v, %v", ref, err)
	}
	states("UNAVAILABLE", "READY served", "UNAVAILABLE")
	// What drained before is another entry than what is served now, which has the same digest.
	if h := acquire(t, r, "net"); h.Digest() != second.Digest() {
		t.Error("another digest after the rollback")
	} else {
		h.Release()
	}
	_, err = r.Rollback(context.Background(), "net")
	refused(t, err, nil, "rolled back already")

	// Unloading waits for users, and admits none meanwhile.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	refused(t, r.Unload(ctx, second.Digest()), context.DeadlineExceeded, "still has users")
	_, err = r.Acquire("net")
	refused(t, err, repository.ErrNotLoaded)
	states("UNAVAILABLE", "DRAINING", "UNAVAILABLE")
	unloaded := make(chan error)
	go func() { unloaded <- r.Unload(context.Background(), second.Digest()) }()
	second.Release()
	if err := <-unloaded; err != nil && !errors.Is(err, repository.ErrNotLoaded) {
		t.Error(err)
	}
	refused(t, r.Unload(context.Background(), second.Digest()), repository.ErrNotLoaded)
	states("UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE")
}

// TestSessions finds that versions with the same graphs share sessions, that versions with the
// same contents are one entry under several names, and that of idle graphs only so many keep
// their sessions.
func TestSessions(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, weighted(t, models.Made, small, 1), "net")
	add(t, folder, weighted(t, models.Made, small, 2), "net")
	add(t, folder, weighted(t, models.Autoencoder, small, 1), "net")
	add(t, folder, weighted(t, models.Microcanonical, small, 1), "net")
	add(t, folder, weighted(t, models.Made, small, 1), "other")
	r := open(t, folder, repository.Options{Idle: 1})
	before, _ := inference.Live()
	for _, c := range []struct {
		load string
		want int64 // sessions
	}{
		{"net/1", 2}, {"net/2", 2}, {"other/1", 2}, {"net/1", 2},
		{"net/3", 4}, // made is still needed by other
		{"net/4", 6}, // the autoencoder's are idle
		{"net/3", 6}, // and are used again, those of the microcanonical network idle
		{"net/1", 4}, // of two idle graphs the microcanonical one has been so for longer
	} {
		load(t, r, c.load)
		if now, _ := inference.Live(); now-before != c.want {
			t.Errorf("after %s there are %d sessions, want %d", c.load, now-before, c.want)
		}
	}
	a, b := acquire(t, r, "net"), acquire(t, r, "other")
	if a.Digest() != b.Digest() || a.Ref() == b.Ref() || status(t, r, b.Ref()).Users != 2 {
		t.Errorf("%v and %v with %d users", a.Ref(), b.Ref(), status(t, r, b.Ref()).Users)
	}
	// Another version under one name leaves the entry to the other name.
	load(t, r, "net/2")
	if s := status(t, r, b.Ref()); s.State != repository.Ready {
		t.Errorf("%v", s)
	}
	a.Release()
	b.Release()
	acquire(t, r, "other").Release()
	if err := r.Unload(context.Background(), b.Digest()); err != nil {
		t.Error(err)
	}
	acquire(t, r, "net").Release()
}

// TestWeightsLeave finds that the weights of an unloaded version leave memory, though the
// sessions stay.
func TestWeightsLeave(t *testing.T) {
	folder := newFolder(t)
	b := weighted(t, models.Made, small, 1)
	add(t, folder, b, "net")
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	r := open(t, folder, repository.Options{})
	load(t, r, "net")
	h := acquire(t, r, "net")
	if _, _, err := h.Propose(context.Background(), moves(h, 3, rand.NewPCG(1, 2))); err != nil {
		t.Fatal(err)
	}
	h.Release()
	before, tensors := inference.Live()
	digest := h.Digest()
	h = nil
	if err := r.Unload(context.Background(), digest); err != nil {
		t.Fatal(err)
	}
	left := tensors
	for range 200 {
		if _, left = inference.Live(); left <= tensors-int64(len(weights)) {
			break
		}
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
	if sessions, _ := inference.Live(); sessions != before || left > tensors-int64(len(weights)) {
		t.Errorf("%d sessions of %d, and %d tensors of %d are left, of which %d were weights", sessions, before, left, tensors, len(weights))
	}
}

// TestWithdraw unloads one of two names of a network, and then the other: only then it leaves.
func TestWithdraw(t *testing.T) {
	folder := newFolder(t)
	b := weighted(t, models.Made, small, 1)
	add(t, folder, b, "aa")
	add(t, folder, b, "bb")
	r := open(t, folder, repository.Options{})
	load(t, r, "aa")
	load(t, r, "bb")
	h := acquire(t, r, "aa")
	if ref, err := r.Withdraw("aa"); err != nil || ref.Version != 1 {
		t.Errorf("%v, %v", ref, err)
	}
	_, err := r.Withdraw("aa")
	refused(t, err, repository.ErrNotLoaded, "unload network aa")
	_, err = r.Acquire("aa")
	refused(t, err, repository.ErrNotLoaded)
	acquire(t, r, "bb").Release()
	if _, err := r.Withdraw("bb"); err != nil {
		t.Error(err)
	}
	if s := status(t, r, repository.Ref{Name: "bb", Version: 1}); s.State != repository.Draining {
		t.Errorf("with a user it is %s", s.State)
	}
	h.Release()
	if s := status(t, r, repository.Ref{Name: "bb", Version: 1}); s.State != repository.Unavailable {
		t.Errorf("without users it is %s", s.State)
	}
}

// TestUnloadMeanwhile unloads a network while another name is given to it.
func TestUnloadMeanwhile(t *testing.T) {
	folder := newFolder(t)
	names := []string{"net", "other", "third"}
	for _, name := range names {
		add(t, folder, weighted(t, models.Made, small, 1), name)
	}
	r := open(t, folder, repository.Options{})
	load(t, r, "net")
	h := acquire(t, r, "net")
	digest := h.Digest()
	h.Release()
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond) // do not wait
	defer cancel()
	var wait sync.WaitGroup
	for _, name := range names {
		wait.Go(func() {
			for range long.Or(100, 20) {
				if _, err := r.Load(context.Background(), name); err != nil {
					t.Error(err)
				}
				h, err := r.Acquire(name)
				if errors.Is(err, repository.ErrNotLoaded) {
					continue
				} else if err != nil {
					t.Error(err)
					continue
				}
				if _, _, err := h.Propose(context.Background(), moves(h, 3, rand.NewPCG(1, 2))); err != nil {
					t.Error(err)
				}
				h.Release()
			}
		})
	}
	wait.Go(func() {
		for range 2000 {
			if err := r.Unload(ctx, digest); err != nil && !errors.Is(err, repository.ErrNotLoaded) && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	wait.Wait()
}

// TestFailedLoads finds that a version that fails a test does so as often as it is tried, with
// the reason, and that the one in use stays.
func TestFailedLoads(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, weighted(t, models.Autoencoder, small, 1), "net")
	path := func(ref repository.Ref, file string) string {
		return filepath.Join(folder.Path(), ref.Name, fmt.Sprint(ref.Version), file)
	}
	bad := map[repository.Ref][]string{}
	put := func(b *exporter.Bundle, want ...string) repository.Ref {
		ref := add(t, folder, b, "net")
		bad[ref] = want
		return ref
	}
	lying := weighted(t, models.Autoencoder, small, 2)
	bundletest.Offset(lying, 0.5)
	put(lying, "test of")
	forward := weighted(t, models.Autoencoder, small, 2)
	other := weighted(t, models.Autoencoder, small, 3)
	forward.Propose = other.Propose // its draws are those of other weights
	forward.Propose.ProducerName = proto.String("another program")
	if _, err := folder.Add(context.Background(), os.DirFS(saved(t, forward)), "net"); err == nil {
		t.Error("files with different weights were accepted")
	}
	put(weighted(t, models.Autoencoder, models.System{Q: 2, Sides: []int{4, 4}}, 1), "made for potts q=2, size 4x4", "unload the network first")
	unknown := weighted(t, models.Made, small, 1)
	unknown.Card.System.Model = "heisenberg"
	put(unknown, "heisenberg")
	broken := weighted(t, models.Autoencoder, small, 2)
	broken.Propose.Graph.Node[3].OpType = proto.String("Erf2")
	put(broken, "ONNX Runtime does not accept it")
	damage(t, path(put(weighted(t, models.Autoencoder, small, 2), "sha256", exporter.LogProbFile), exporter.LogProbFile))
	if err := os.Remove(path(put(weighted(t, models.Autoencoder, small, 2), exporter.ProposeFile), exporter.ProposeFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path(put(weighted(t, models.Autoencoder, small, 2), exporter.CardFile), exporter.CardFile), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}

	r := open(t, folder, repository.Options{})
	ref := repository.Ref{Name: "net", Version: 3}
	_, err := r.Load(context.Background(), ref.String()) // the first of all
	if err != nil {
		t.Error(err) // q = 2 is right as long as nothing else is served
	}
	h := acquire(t, r, "net")
	h.Release()
	if err := r.Unload(context.Background(), h.Digest()); err != nil {
		t.Fatal(err)
	}
	load(t, r, "net/1")
	_, tensors := inference.Live()
	for range 2 {
		for ref, want := range bad {
			_, err := r.Load(context.Background(), ref.String())
			refused(t, err, nil, append(want, ref.String())...)
			s := status(t, r, ref)
			if s.State != repository.Unavailable || err != nil && s.Reason != err.Error() {
				t.Errorf("%v: %s %q after %v", ref, s.State, s.Reason, err)
			}
			h := acquire(t, r, "net")
			if h.Ref().Version != 1 {
				t.Errorf("version %d is served", h.Ref().Version)
			}
			in := moves(h, 5, rand.NewPCG(1, 2))
			if _, _, err := h.Propose(context.Background(), in); err != nil {
				t.Error(err)
			}
			h.Release()
		}
	}
	if _, now := inference.Live(); now > tensors+100 {
		t.Errorf("%d tensors more after failures", now-tensors)
	}
	_, err = r.Load(context.Background(), "net/99")
	refused(t, err, repository.ErrUnknown)
	_, err = r.Load(context.Background(), "../net")
	refused(t, err, nil, "cannot be a name")
}

// TestFaultsInTests lets evaluations fail, hang or give wrong numbers while a version is tested.
func TestFaultsInTests(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, weighted(t, models.Made, small, 1), "net")
	add(t, folder, weighted(t, models.Made, small, 2), "net")
	var fault atomic.Pointer[func(context.Context, inference.Evaluation) error]
	evaluating := inference.Runtime{Intercept: func(ctx context.Context, e inference.Evaluation) error {
		if f := fault.Load(); f != nil {
			return (*f)(ctx, e)
		}
		return e.Run(ctx)
	}}
	r := open(t, folder, repository.Options{Runtime: evaluating})
	load(t, r, "net/1")
	crash := errors.New("crash")
	var first atomic.Int64
	for what, f := range map[string]func(context.Context, inference.Evaluation) error{
		"an error": func(context.Context, inference.Evaluation) error { return crash },
		"a panic":  func(context.Context, inference.Evaluation) error { panic(crash) },
		"one wrong number": func(ctx context.Context, e inference.Evaluation) error {
			err := e.Run(ctx)
			if e.Network == "log_prob" {
				e.Outputs[0][1] += 0.01
			}
			return err
		},
		"the same wrong number in both": func(ctx context.Context, e inference.Evaluation) error {
			err := e.Run(ctx)
			for i := range e.Outputs[0] {
				e.Outputs[0][i] += 0.01
			}
			return err
		},
		"wrong numbers at first": func(ctx context.Context, e inference.Evaluation) error {
			err := e.Run(ctx)
			if first.Add(1) <= 2 {
				e.Outputs[0][1] += 0.01
			}
			return err
		},
		"no number": func(ctx context.Context, e inference.Evaluation) error {
			err := e.Run(ctx)
			e.Outputs[0][0] = float32(math.NaN())
			return err
		},
	} {
		fault.Store(&f)
		if ref, err := r.Load(context.Background(), "net/2"); err == nil {
			t.Errorf("%s: %v was loaded", what, ref)
		}
		fault.Store(nil)
		h := acquire(t, r, "net")
		h.Release()
		if h.Ref().Version != 1 {
			t.Fatalf("%s: version %d is served", what, h.Ref().Version)
		}
	}
	// A caller who gives up, while others wait for their turn.
	began := make(chan struct{})
	var once sync.Once
	hang := func(ctx context.Context, _ inference.Evaluation) error {
		once.Do(func() { close(began) })
		<-ctx.Done()
		return ctx.Err()
	}
	fault.Store(&hang)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := r.Load(ctx, "net/2")
		ended <- err
	}()
	select {
	case <-began:
	case err := <-ended:
		t.Fatalf("a load that hangs ended: %v", err)
	}
	if s := status(t, r, repository.Ref{Name: "net", Version: 2}); s.State != repository.Loading {
		t.Errorf("while it is loaded, version 2 is %s", s.State)
	}
	refused(t, r.Remove(repository.Ref{Name: "net", Version: 2}), repository.ErrInUse, "being loaded")
	waiting, stop := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer stop()
	_, err := r.Load(waiting, "net/1")
	refused(t, err, context.DeadlineExceeded)
	cancel()
	refused(t, <-ended, context.Canceled)
	if reason := status(t, r, repository.Ref{Name: "net", Version: 2}).Reason; strings.Contains(reason, "cancel") {
		t.Errorf("version 2 is to blame that a caller gave up: %s", reason)
	}
	fault.Store(nil)
	load(t, r, "net/2")
}

// TestLoadTimeout ends a load that does not end by itself.
func TestLoadTimeout(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, weighted(t, models.Made, small, 1), "net")
	r := open(t, folder, repository.Options{LoadTimeout: 300 * time.Millisecond, Runtime: inference.Runtime{
		Intercept: func(ctx context.Context, _ inference.Evaluation) error {
			<-ctx.Done()
			return ctx.Err()
		},
	}})
	_, err := r.Load(context.Background(), "net")
	refused(t, err, context.DeadlineExceeded, "takes too long", "300ms")
	if s := status(t, r, repository.Ref{Name: "net", Version: 1}); s.State != repository.Unavailable || s.Reason != err.Error() {
		t.Errorf("%v", s)
	}
	_, err = r.Acquire("net")
	refused(t, err, repository.ErrNotLoaded, "takes too long")
}

// TestReplaced replaces the folder of a version again and again while it is loaded: whatever is
// served is one of both networks, not a mixture.
func TestReplaced(t *testing.T) {
	folder := newFolder(t)
	var digests []string
	for k := range 2 {
		b := weighted(t, models.Made, small, 1+float32(k))
		add(t, folder, b, "source")
		digests = append(digests, b.Card.Digest())
	}
	// As a careless copy does: file by file in the folder.
	target := filepath.Join(folder.Path(), "net", "1")
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	copyFiles := func(k int) {
		for _, file := range []string{exporter.CardFile, exporter.ProposeFile, exporter.LogProbFile, exporter.GradientFile} {
			data, err := os.ReadFile(filepath.Join(folder.Path(), "source", fmt.Sprint(k+1), file))
			if err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(filepath.Join(target, file), data, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
	copyFiles(0)
	r := open(t, folder, repository.Options{})
	load(t, r, "net/1")
	var stop atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for k := 1; !stop.Load(); k = 1 - k {
			copyFiles(k)
			time.Sleep(10 * time.Millisecond)
		}
	})
	refusals := 0
	for range 40 {
		if _, err := r.Load(context.Background(), "net/1"); err != nil {
			refusals++
		}
		h := acquire(t, r, "net")
		if !slices.Contains(digests, h.Digest()) {
			t.Errorf("a network with the digest %s is served", h.Digest())
		}
		in := moves(h, 5, rand.NewPCG(1, 2))
		proposal, sampled, err := h.Propose(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		evaluated, err := h.LogProb(context.Background(), reversed(h, in, proposal))
		if err != nil {
			t.Fatal(err)
		}
		for i := range sampled {
			if math.Abs(float64(sampled[i]-evaluated[i])) > 1e-4 {
				t.Errorf("ln q is %v as sampled and %v as evaluated", sampled[i], evaluated[i])
			}
		}
		h.Release()
	}
	stop.Store(true)
	wait.Wait()
	t.Logf("%d of 40 loads were refused", refusals)
}

// TestRemove removes what nobody uses, and never gives a number twice.
func TestRemove(t *testing.T) {
	folder := newFolder(t)
	for k := range 4 {
		add(t, folder, weighted(t, models.Made, small, 1+float32(k)), "net")
	}
	r := open(t, folder, repository.Options{})
	remove := func(version int) error { return r.Remove(repository.Ref{Name: "net", Version: version}) }
	load(t, r, "net/1")
	h := acquire(t, r, "net")
	load(t, r, "net/2")
	load(t, r, "net/3")
	refused(t, remove(1), repository.ErrInUse, "1 still have it")
	refused(t, remove(2), repository.ErrInUse, "rollback")
	refused(t, remove(3), repository.ErrInUse, "served")
	h.Release()
	for _, version := range []int{1, 4} {
		if err := remove(version); err != nil {
			t.Error(err)
		}
		refused(t, remove(version), repository.ErrUnknown)
	}
	for _, name := range []string{"..", "../networks", ""} {
		if err := r.Remove(repository.Ref{Name: name, Version: 1}); err == nil {
			t.Errorf("a version of %q was removed", name)
		}
	}
	if ref := add(t, folder, weighted(t, models.Made, small, 5), "net"); ref.Version != 5 {
		t.Errorf("the number %d is given again", ref.Version)
	}
	if versions, err := folder.Versions("net"); err != nil || !slices.Equal(versions, []int{2, 3, 5}) {
		t.Errorf("versions %v, %v", versions, err)
	}
}

// TestClose refuses what comes after it.
func TestClose(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, weighted(t, models.Made, small, 1), "net")
	r := open(t, folder, repository.Options{})
	load(t, r, "net")
	h := acquire(t, r, "net")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	refused(t, r.Close(ctx), context.DeadlineExceeded, "net/1 still has users")
	_, err := r.Acquire("net")
	refused(t, err, repository.ErrClosed)
	_, err = r.Load(context.Background(), "net")
	refused(t, err, repository.ErrClosed)
	h.Release()
	if err := r.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
