package exporter

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models"
)

// The memory that reading a file may take, in bytes: an empty message takes two
// bytes of a file and a few hundred as a Go struct, in slices that double.
const (
	memoryPerByte = 512
	memoryFixed   = 1 << 20
)

// bounded fails the test if f allocates more than a file of that size justifies.
func bounded(t *testing.T, size int, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(memoryPerByte*size+memoryFixed); used > most {
		t.Errorf("%d bytes allocated for a file of %d, at most %d are right", used, size, most)
	}
}

func smallBundle(t testing.TB) *Bundle {
	t.Helper()
	s := models.System{Q: 2, Sides: []int{3, 3}}
	h := models.Hyperparameters{Encoder: 2, Latent: 1, Decoder: 2, Floor: 1e-3, Noise: 0.5}
	m, err := models.New("autoencoder", s, h)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBundle("small", m, s, h, m.Initial(rand.New(rand.NewPCG(1, 2))))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzCard reads arbitrary bytes as the card of a bundle on a 3x3 lattice.
func FuzzCard(f *testing.F) {
	whole := smallBundle(f)
	whole.Card.SHA256 = map[string]string{ProposeFile: "00", LogProbFile: "11"}
	data, err := json.MarshalIndent(whole.Card, "", "  ")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	whole.Card.Conditions = []string{ConditionState, ConditionShift}
	if data, err = json.Marshal(whole.Card); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var c *Card
		var err error
		bounded(t, len(data), func() {
			if c, err = ParseCard(data); err != nil {
				_ = err.Error()
			}
		})
		if err != nil {
			return
		}
		b := *whole
		b.Card = *c
		size := c.System.Size
		if err := b.checkContract(); err == nil && !slices.Equal(size, []int{3, 3}) {
			t.Errorf("files for 3x3 sites agree with a card of size %v", size)
		}
		if parent := filepath.Dir(filepath.Join("models", c.Name)); parent != "models" {
			t.Errorf("name %q leads to the folder %s", c.Name, parent)
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseCard(written)
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("read %+v, read again %+v (%v)", c, again, err)
		}
	})
}

// FuzzModel reads damaged ONNX files: those of a bundle with a bit flipped and
// the end cut off, besides what the fuzzer does to them.
func FuzzModel(f *testing.F) {
	whole := smallBundle(f)
	for part, model := range []*onnxpb.ModelProto{whole.Propose, whole.LogProb, whole.Gradient} {
		data, err := Marshal(model)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint8(part), uint(0), uint8(0), uint(0))
		f.Add(data, uint8(part), uint(len(data)/2), uint8(4), uint(0))
		f.Add(data, uint8(part), uint(len(data)/3), uint8(128), uint(100))
	}
	f.Fuzz(func(t *testing.T, data []byte, part uint8, offset uint, flip uint8, cut uint) {
		if size := uint(len(data)); size > 0 {
			data = slices.Clone(data[:size-cut%size])
			data[offset%uint(len(data))] ^= flip
		}
		b := *whole
		bounded(t, len(data), func() {
			model, err := Unmarshal(data)
			if err != nil {
				return
			}
			*[]**onnxpb.ModelProto{&b.Propose, &b.LogProb, &b.Gradient}[part%3] = model
			if err := b.checkContract(); err != nil {
				_ = err.Error()
			}
			if _, err := b.Weights(); err != nil {
				_ = err.Error()
			}
			weights, err := Weights(model)
			if err != nil {
				_ = err.Error()
				return
			}
			if err := SetWeights(model, weights); err != nil {
				_ = err.Error()
				return
			}
			again, err := Weights(model)
			if err != nil || !reflect.DeepEqual(weights, again) {
				t.Errorf("weights %v became %v (%v)", weights, again, err)
			}
		})
	})
}
