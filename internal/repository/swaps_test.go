package repository_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/repository"
	"neuralwl/models"
	"neuralwl/models/pretrained"
)

var swaps = flag.Int("swaps", 0, "how often TestSwaps exchanges networks, 30 times by default; from 500 on they are of normal size")

// residentMemory returns the bytes of memory that the process occupies, 0 where that cannot be found.
func residentMemory() int64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}

// figures are what must not grow.
type figures struct {
	memory, sessions, tensors int64
	goroutines                int
}

// settled collects garbage and returns the figures.
func settled() (f figures) {
	for range 3 {
		debug.FreeOSMemory()
		time.Sleep(20 * time.Millisecond) // for cleanups
	}
	f.memory, f.goroutines = residentMemory(), runtime.NumGoroutine()
	f.sessions, f.tensors = inference.Live()
	return f
}

// TestSwaps exchanges networks under one name, between versions of the same graphs and between
// architectures, while several clients make requests. Every request must succeed; every proposal
// and its ln q must be, bit by bit, those of the version that the handle names; and ln q as
// sampled that as evaluated. Damaged versions in between must not disturb. Memory, goroutines,
// sessions and tensors must not grow.
func TestSwaps(t *testing.T) {
	n := *swaps
	if n == 0 {
		n = 30
	}
	long := n >= 500
	folder := newFolder(t)
	for k := range 8 {
		add(t, folder, version(t, k, long), "net")
	}
	bad := add(t, folder, version(t, 0, long), "net")
	damage(t, filepath.Join(folder.Path(), "net", fmt.Sprint(bad.Version), exporter.ProposeFile))

	r := open(t, folder, repository.Options{Concurrency: 2})
	// What each version answers to a fixed request, by digest.
	const m = 20
	want := map[string][]float32{}
	answer := func(h *repository.Handle) ([]float32, error) {
		in := moves(h, m, rand.NewPCG(1, 2))
		proposal, sampled, err := h.Propose(context.Background(), in)
		if err != nil {
			return nil, err
		}
		evaluated, err := h.LogProb(context.Background(), reversed(h, in, proposal))
		if err != nil {
			return nil, err
		}
		for i, q := range sampled {
			if d := math.Abs(float64(q - evaluated[i])); !(d < 1e-3) {
				return nil, fmt.Errorf("%v: ln q is %v as sampled and %v as evaluated", h.Ref(), q, evaluated[i])
			}
		}
		all := slices.Concat(sampled, evaluated)
		for _, colour := range proposal {
			all = append(all, float32(colour))
		}
		return all, nil
	}
	for k := range 8 {
		load(t, r, fmt.Sprintf("net/%d", k+1))
		h := acquire(t, r, "net")
		var err error
		if want[h.Digest()], err = answer(h); err != nil {
			t.Fatal(err)
		}
		h.Release()
	}
	if len(want) != 8 {
		t.Fatalf("%d different versions", len(want))
	}

	var stop atomic.Bool
	var requests atomic.Int64
	var served sync.Map
	var slowest atomic.Int64
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for !stop.Load() {
				began := time.Now()
				h, err := r.Acquire("net")
				if err != nil {
					t.Error(err)
					return
				}
				got, err := answer(h)
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(got, want[h.Digest()]) {
					t.Errorf("a request to %v got what another version answers", h.Ref())
				}
				served.Store(h.Ref(), true)
				h.Release()
				h.Release()
				requests.Add(1)
				if d := int64(time.Since(began)); d > slowest.Load() {
					slowest.Store(d)
				}
			}
		})
	}
	var latencies []float64
	var warm figures
	random := rand.New(rand.NewPCG(3, 4))
	present := 8
	for i := range n {
		next := 1 + random.IntN(8)
		for next == present {
			next = 1 + random.IntN(8)
		}
		present = next
		began := time.Now()
		load(t, r, fmt.Sprintf("net/%d", present))
		latencies = append(latencies, time.Since(began).Seconds())
		if i%10 == 5 {
			if _, err := r.Load(context.Background(), bad.String()); err == nil {
				t.Error("a damaged version was loaded")
			}
			if h := acquire(t, r, "net"); h.Ref().Version != present {
				t.Errorf("after a failure version %d is served instead of %d", h.Ref().Version, present)
			} else {
				h.Release()
			}
		}
		if i == n/5 {
			warm = settled()
		}
	}
	end := settled()
	stop.Store(true)
	clients.Wait()
	count := 0
	served.Range(func(any, any) bool { count++; return true })
	slices.Sort(latencies)
	quantile := func(q float64) float64 { return 1e3 * latencies[int(q*float64(len(latencies)-1))] }
	t.Logf("%d swaps while %d requests of %d proposals were answered by %d versions: a swap takes %.0f ms (median), %.0f ms (99 %%); a request at most %.0f ms",
		n, requests.Load(), m, count, quantile(0.5), quantile(0.99), float64(slowest.Load())/1e6)
	t.Logf("after %d swaps: %.1f MB resident, %d goroutines, %d sessions, %d tensors", n/5, float64(warm.memory)/1e6, warm.goroutines, warm.sessions, warm.tensors)
	t.Logf("after %d swaps: %.1f MB resident, %d goroutines, %d sessions, %d tensors", n, float64(end.memory)/1e6, end.goroutines, end.sessions, end.tensors)
	if requests.Load() < int64(n) || count < 2 {
		t.Errorf("only %d requests by %d versions", requests.Load(), count)
	}
	if long && float64(end.memory) > 1.1*float64(warm.memory) {
		t.Errorf("resident memory grew from %d to %d bytes", warm.memory, end.memory)
	}
	// A proposer more may have come into use, and weights wait for their cleanup.
	if end.sessions > warm.sessions || end.goroutines > warm.goroutines+2 || end.tensors > warm.tensors+100 {
		t.Errorf("from %+v to %+v", warm, end)
	}
}

// version makes the k-th of eight different networks: two each of four architectures, with the
// same graphs.
func version(t testing.TB, k int, long bool) *exporter.Bundle {
	t.Helper()
	architecture := []string{models.Autoencoder, models.Made, models.Conv, models.Microcanonical}[k/2]
	factor := 1 + float32(k%2)/2
	if !long {
		return weighted(t, architecture, small, factor)
	}
	s := models.System{Q: 10, Sides: []int{8, 8}}
	if architecture != models.Microcanonical {
		return weighted(t, architecture, s, factor)
	}
	files, err := pretrained.Open("potts-q10")
	if err != nil {
		t.Fatal(err)
	}
	b, err := exporter.LoadFS(files, "potts-q10")
	if err != nil {
		t.Fatal(err)
	}
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	if k%2 == 1 {
		for i := range weights["output.weight"].Float32s() {
			weights["output.weight"].Float32s()[i] *= 0.9
		}
	}
	m, err := models.New(architecture, s, b.Card.Hyperparameters)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = exporter.NewBundle("potts-q10", m, s, b.Card.Hyperparameters, weights); err != nil {
		t.Fatal(err)
	}
	return b
}

// damage flips a bit of a file.
func damage(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
