package repository_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/repository"
	"neuralwl/models"
	"neuralwl/models/pretrained"
)

// TestEvaluate compares batches of any size with a proposer of the same network, for all
// architectures and many clients at once.
func TestEvaluate(t *testing.T) {
	folder := newFolder(t)
	for architecture := range tiny {
		add(t, folder, weighted(t, architecture, small, 1), architecture)
	}
	r := open(t, folder, repository.Options{Concurrency: 3})
	for architecture := range tiny {
		load(t, r, architecture)
		h := acquire(t, r, architecture)
		n := small.Sites()
		const m = 300 // three pieces
		in := moves(h, m, rand.NewPCG(1, 2))
		proposal, sampled, err := h.Propose(context.Background(), in)
		if err != nil {
			t.Fatalf("%s: %v", architecture, err)
		}
		evaluated, err := h.LogProb(context.Background(), reversed(h, in, proposal))
		if err != nil {
			t.Fatalf("%s: %v", architecture, err)
		}
		if len(proposal) != m*n || len(sampled) != m || len(evaluated) != m {
			t.Fatalf("%s: %d colours, %d and %d ln q", architecture, len(proposal), len(sampled), len(evaluated))
		}
		for w := range m {
			if d := math.Abs(float64(sampled[w] - evaluated[w])); !(d < 1e-3) {
				t.Errorf("%s: ln q of row %d is %v as sampled and %v as evaluated", architecture, w, sampled[w], evaluated[w])
			}
		}
		wantProposal, wantLogQ := alone(t, weighted(t, architecture, small, 1), in)
		// The last bits of a sum depend on the size of a batch, and so may a colour, rarely.
		same := 0
		for w := range m {
			if slices.Equal(wantProposal[w*n:(w+1)*n], proposal[w*n:(w+1)*n]) && math.Abs(float64(wantLogQ[w]-sampled[w])) < 1e-3 {
				same++
			}
		}
		if same < m-2 {
			t.Errorf("%s: only %d of %d proposals are those of a proposer", architecture, same, m)
		}
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() {
				for _, size := range []int{1, 17} {
					again, q, err := h.Propose(context.Background(), in)
					if err != nil || !slices.Equal(again, proposal) || !slices.Equal(q, sampled) {
						t.Errorf("%s: another answer to the same request: %v", architecture, err)
					}
					if _, err := h.LogProb(context.Background(), reversed(h, rowsOf(in, 0, size, n), proposal[:size*n])); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if proposal, q, err := h.Propose(context.Background(), repository.ProposeInputs{}); err != nil || len(proposal)+len(q) > 0 {
			t.Errorf("%s: an empty batch: %v", architecture, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, _, err := h.Propose(ctx, in); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: after the end of the context: %v", architecture, err)
		}
		h.Release()
	}
}

// alone makes proposals with a proposer of a network's own.
func alone(t testing.TB, b *exporter.Bundle, in repository.ProposeInputs) (proposal []int32, logQ []float32) {
	t.Helper()
	store := onnxtest.Store(t, b)
	m := len(in.Start)
	p, err := inference.NewProposer(b, store, onnxtest.Runtime(1), m, m)
	if err != nil {
		t.Fatal(err)
	}
	batch := p.Batch()
	copy(batch.State, in.State)
	copy(batch.Start, in.Start)
	copy(batch.Shift, in.Shift)
	copy(batch.Target, in.Energy)
	copy(batch.Uniform, in.Uniform)
	if err := p.Propose(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return batch.Proposal, batch.Forward
}

// rowsOf returns a range of the rows of a request for n sites.
func rowsOf(in repository.ProposeInputs, from, to, n int) repository.ProposeInputs {
	u := len(in.Uniform) / len(in.Start)
	in.Start, in.Uniform = in.Start[from:to], in.Uniform[from*u:to*u]
	if in.State != nil {
		in.State = in.State[from*n : to*n]
	}
	if in.Shift != nil {
		in.Shift = in.Shift[from:to]
	}
	if in.Energy != nil {
		in.Energy = in.Energy[from:to]
	}
	return in
}

// TestInputs refuses inputs that the networks could read beyond their tables with, and all faults
// at once.
func TestInputs(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, weighted(t, models.Autoencoder, small, 1), "auto")
	add(t, folder, weighted(t, models.Microcanonical, small, 1), "micro")
	r := open(t, folder, repository.Options{})
	for _, name := range []string{"auto", "micro"} {
		load(t, r, name)
		h := acquire(t, r, name)
		n := small.Sites()
		nan := float32(math.NaN())
		for _, c := range []struct {
			change func(in *repository.ProposeInputs)
			want   []string
		}{
			{func(in *repository.ProposeInputs) { in.State[2*n+3] = 3 }, []string{"state", "row 2", "colour 3 at site 3"}},
			{func(in *repository.ProposeInputs) { in.State[0] = -1 }, []string{"state", "colour -1"}},
			{func(in *repository.ProposeInputs) { in.State = in.State[1:] }, []string{"state", "63 elements", "4 rows of 16"}},
			{func(in *repository.ProposeInputs) { in.State = nil }, []string{"state", "0 elements"}},
			{func(in *repository.ProposeInputs) { in.Start[1] = 17 }, []string{"start", "row 1 is 17", "0..16"}},
			{func(in *repository.ProposeInputs) { in.Start[1] = -1 }, []string{"start"}},
			{func(in *repository.ProposeInputs) { in.Uniform[0] = 1 }, []string{"uniform", "[0,1)"}},
			{func(in *repository.ProposeInputs) { in.Uniform[0] = nan }, []string{"uniform"}},
			{func(in *repository.ProposeInputs) { in.Uniform = nil; in.Start[0] = 99 }, []string{"uniform", "start"}},
			{func(in *repository.ProposeInputs) {
				in.Shift, in.Energy = []float32{1, 2, 3, 4}, []float32{1, 2, 3, 4}
			}, []string{"does not take it"}},
			{func(in *repository.ProposeInputs) {
				for i := range in.Shift {
					in.Shift[i] = nan
				}
				for i := range in.Energy {
					in.Energy[i] = float32(math.Inf(1))
				}
			}, []string{"is no energy"}},
		} {
			in := moves(h, 4, rand.NewPCG(1, 2))
			proposal, _, err := h.Propose(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			c.change(&in)
			_, _, err = h.Propose(context.Background(), in)
			var input *repository.InputError
			if refused(t, err, nil, append(c.want, "network "+name+"/1")...); !errors.As(err, &input) {
				t.Errorf("%v is no InputError", err)
			}
			if strings.Contains(c.want[0], "uniform") {
				continue
			}
			if e := reversed(h, in, proposal); name == "auto" {
				_, err = h.LogProb(context.Background(), e)
				refused(t, err, nil, "network "+name+"/1")
			}
		}
		_, err := h.LogProb(context.Background(), repository.LogProbInputs{Start: []int32{0}, State: make([]int32, n), Condition: make([]int32, n), Energy: []float32{1}, Shift: []float32{1}})
		refused(t, err, nil, "does not take it")
		h.Release()
	}
}

// TestRows evaluates rows in batches of many sizes: each gives the same result in all, bit by bit.
func TestRows(t *testing.T) {
	folder := newFolder(t)
	names := []string{"potts-q2"}
	files, err := pretrained.Open(names[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Add(context.Background(), files, names[0]); err != nil {
		t.Fatal(err)
	}
	for architecture := range tiny {
		add(t, folder, weighted(t, architecture, models.System{Q: 10, Sides: []int{6, 6}}, 1), architecture)
		names = append(names, architecture)
	}
	r := open(t, folder, repository.Options{})
	for _, name := range names {
		load(t, r, name)
		h := acquire(t, r, name)
		n, m := h.Card().System.System().Sites(), 66
		in := moves(h, m, rand.NewPCG(1, 2))
		proposal, sampled, err := h.Propose(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		evaluated, err := h.LogProb(context.Background(), reversed(h, in, proposal))
		if err != nil {
			t.Fatal(err)
		}
		for from, size := 0, 1; from+size <= m; from, size = from+size, size+1 { // 1, 2, ... 10 rows
			part := rowsOf(in, from, from+size, n)
			p, q, err := h.Propose(context.Background(), part)
			if err != nil {
				t.Fatal(err)
			}
			e, err := h.LogProb(context.Background(), reversed(h, part, p))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p, proposal[from*n:(from+size)*n]) || !slices.Equal(q, sampled[from:from+size]) || !slices.Equal(e, evaluated[from:from+size]) {
				t.Errorf("%s: rows %d..%d depend on the others: ln q %v and %v, with them %v and %v", name, from, from+size-1, q, e, sampled[from:from+size], evaluated[from:from+size])
			}
		}
		h.Release()
	}
}

// TestConcurrency evaluates no more requests at a time than allowed, and lets the others wait or
// give up.
func TestConcurrency(t *testing.T) {
	folder := newFolder(t)
	add(t, folder, weighted(t, models.Made, small, 1), "net")
	const most = 2
	started, goOn := make(chan struct{}, 10), make(chan struct{})
	tested := false
	r := open(t, folder, repository.Options{Concurrency: most, Runtime: inference.Runtime{
		Intercept: func(ctx context.Context, e inference.Evaluation) error {
			if tested {
				started <- struct{}{}
				<-goOn
			}
			return e.Run(ctx)
		},
	}})
	load(t, r, "net")
	tested = true
	h := acquire(t, r, "net")
	defer h.Release()
	in := moves(h, 3, rand.NewPCG(1, 2))
	var wait sync.WaitGroup
	for range 2 * most {
		wait.Go(func() {
			if _, _, err := h.Propose(context.Background(), in); err != nil {
				t.Error(err)
			}
		})
	}
	for range most {
		<-started
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, _, err := h.Propose(ctx, in)
		ended <- err
	}()
	cancel()
	refused(t, <-ended, context.Canceled)
	if len(started) > 0 {
		t.Errorf("%d requests are evaluated at the same time", most+len(started))
	}
	close(goOn)
	wait.Wait()
}
