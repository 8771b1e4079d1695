package repository_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/repository"
	"neuralwl/models"
	"neuralwl/sampler"
)

// tiny are small networks by architecture.
var tiny = map[string]models.Hyperparameters{
	models.Autoencoder:    {Encoder: 8, Latent: 3, Decoder: 8, Floor: 1e-3, Noise: 0.3, EnergyWeight: 20},
	models.Made:           {Decoder: 8, Floor: 1e-3},
	models.Conv:           {Width: 4, Depth: 1, Kernel: 3, Floor: 1e-3},
	models.Microcanonical: {Width: 8, Window: 3, Floor: 1e-3},
	models.RBM:            {Hidden: 8, GibbsSteps: 2},
}

var small = models.System{Q: 3, Sides: []int{4, 4}}

// weighted returns a tiny network, in a version of its own for every factor.
func weighted(t testing.TB, architecture string, s models.System, factor float32) *exporter.Bundle {
	t.Helper()
	b := bundletest.New(t, architecture, s, tiny[architecture])
	bundletest.Scale(t, b, map[string]float32{"decoder.output": 20 * factor, "output.weight": 20 * factor, "context.weight": factor, "attraction.budget": factor, "coupling": 20 * factor})
	return b
}

// saved writes a bundle to a folder.
func saved(t testing.TB, b *exporter.Bundle) string {
	t.Helper()
	folder, err := b.Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// newFolder returns an empty repository on disk.
func newFolder(t testing.TB) *repository.Folder {
	t.Helper()
	f, err := repository.OpenFolder(disk.OS, filepath.Join(t.TempDir(), "networks"), 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// add adds a bundle.
func add(t testing.TB, f *repository.Folder, b *exporter.Bundle, name string) repository.Ref {
	t.Helper()
	ref, err := f.Add(context.Background(), os.DirFS(saved(t, b)), name)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// open opens a folder, which is closed when the test ends and leaves nothing behind.
func open(t testing.TB, f *repository.Folder, o repository.Options) *repository.Repository {
	t.Helper()
	onnxtest.Open(t)
	onnxtest.NoLeaks(t)
	o.Runtime.Provider = inference.CPU
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r := repository.Open(f, o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

func load(t testing.TB, r *repository.Repository, reference string) repository.Ref {
	t.Helper()
	ref, err := r.Load(context.Background(), reference)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func acquire(t testing.TB, r *repository.Repository, reference string) *repository.Handle {
	t.Helper()
	h, err := r.Acquire(reference)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// status returns that of a version.
func status(t testing.TB, r *repository.Repository, ref repository.Ref) repository.Status {
	t.Helper()
	all, err := r.Index()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Ref == ref {
			return s
		}
	}
	return repository.Status{}
}

// refused fails the test unless err is of that kind, if given, and has the texts.
func refused(t testing.TB, err, kind error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("accepted, wanted: %v %q", kind, texts)
		return
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("%v is not %v", err, kind)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not contain %q", err, text)
		}
	}
}

// moves returns random inputs for a network.
func moves(h *repository.Handle, m int, r rand.Source) repository.ProposeInputs {
	system, random := h.Card().System.System(), rand.New(r)
	n := system.Sites()
	in := repository.ProposeInputs{Start: make([]int32, m), Uniform: make([]float32, m*h.Card().UniformsOf())}
	sampler.Uniforms(in.Uniform, r)
	for w := range m {
		if h.KeepsSites() {
			in.Start[w] = int32(w % 2 * random.IntN(n))
			for range n {
				in.State = append(in.State, int32(random.IntN(system.Q)))
			}
		}
		if h.Card().TakesShift() {
			in.Shift = append(in.Shift, float32(random.IntN(2*n+1)-n))
		}
		if h.Card().TakesEnergy() {
			in.Energy = append(in.Energy, float32(-random.IntN(2*n+1)))
		}
	}
	return in
}

// reversed returns the inputs for ln q of proposals.
func reversed(h *repository.Handle, in repository.ProposeInputs, proposal []int32) repository.LogProbInputs {
	e := repository.LogProbInputs{State: proposal, Start: in.Start, Shift: in.Shift, Energy: in.Energy}
	if h.Card().TakesCondition() {
		e.Condition = in.State
	}
	return e
}

// packed makes an archive of files, with the given prefix of their names.
func packed(t testing.TB, files fs.FS, prefix string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	z := gzip.NewWriter(&buffer)
	w := tar.NewWriter(z)
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := fs.ReadFile(files, entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		write(t, w, tar.Header{Typeflag: tar.TypeReg, Name: prefix + entry.Name(), Mode: 0o644}, data)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func write(t testing.TB, w *tar.Writer, h tar.Header, data []byte) {
	t.Helper()
	h.Size = int64(len(data))
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
}
