package checkpoint_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/disk"
)

type payload struct {
	Name    string
	Numbers []float64
	Weights map[string][]float32
	Bytes   []byte
	Inner   *payload
}

func example() *payload {
	return &payload{
		Name: "a", Numbers: []float64{1, 0.1, 1e300}, Bytes: []byte{0, 255},
		Weights: map[string][]float32{"w": {1, 0.1}, "v": nil}, Inner: &payload{Name: "b"},
	}
}

func TestRoundTrip(t *testing.T) {
	data, err := checkpoint.Encode(example())
	if err != nil {
		t.Fatal(err)
	}
	var got payload
	if err := checkpoint.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, example()) {
		t.Errorf("wrote %+v, read %+v", example(), got)
	}
}

// TestEveryDamage flips every bit and cuts at every position: all damage must be noticed.
func TestEveryDamage(t *testing.T) {
	data, err := checkpoint.Encode(example())
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		if err := checkpoint.Decode(data[:i], new(payload)); err == nil {
			t.Errorf("cut to %d bytes: no error", i)
		}
		for bit := range 8 {
			data[i] ^= 1 << bit
			var got payload
			// Changing the case of a header key or of a checksum digit is not damage.
			if err := checkpoint.Decode(data, &got); err == nil && !reflect.DeepEqual(&got, example()) {
				t.Errorf("bit %d of byte %d flipped: no error", bit, i)
			}
			data[i] ^= 1 << bit
		}
	}
}

// TestFolder writes many checkpoints: the last two are kept, the newest is read.
func TestFolder(t *testing.T) {
	f := checkpoint.Folder{FS: disk.OS, Path: filepath.Join(t.TempDir(), "checkpoints")}
	none := func(path string, reason error) { t.Errorf("%s: %v", path, reason) }
	if _, _, err := checkpoint.Read[payload](f, none); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("an empty folder: %v", err)
	}
	for k := range 12 {
		if _, err := f.Write(&payload{Numbers: []float64{float64(k)}}); err != nil {
			t.Fatal(err)
		}
	}
	value, path, err := checkpoint.Read[payload](f, none)
	if err != nil || value.Numbers[0] != 11 || filepath.Base(path) != "12.checkpoint" {
		t.Errorf("%+v from %s, %v", value, path, err)
	}
	if entries, _ := os.ReadDir(f.Path); len(entries) != checkpoint.Keep {
		t.Errorf("kept %v", entries)
	}
	if err := os.WriteFile(path, []byte("rubbish"), 0o644); err != nil {
		t.Fatal(err)
	}
	skipped := ""
	value, _, err = checkpoint.Read[payload](f, func(path string, _ error) { skipped = path })
	if err != nil || value.Numbers[0] != 10 || skipped != path {
		t.Errorf("with the newest damaged: %+v, %v, skipped %s", value, err, skipped)
	}
	if err := f.SetAside(path); err != nil {
		t.Fatal(err)
	}
	if paths, err := f.Paths(); err != nil || len(paths) != 1 || strings.HasPrefix(filepath.Base(paths[0]), "12") {
		t.Errorf("after setting it aside: %v, %v", paths, err)
	}
}

// maxGrowth is the most memory that a byte of a checkpoint may take: an element of an
// array, at least a byte in the file, is at most a slice header of 24 bytes in memory, and
// the decoder may hold it twice while growing a slice.
const maxGrowth = 64

// FuzzDecode reads arbitrary payloads under a valid header.
func FuzzDecode(f *testing.F) {
	data, err := checkpoint.Encode(example())
	if err != nil {
		f.Fatal(err)
	}
	_, seed, _ := bytes.Cut(data, []byte("\n"))
	f.Add(seed)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		damaged := bytes.Clone(seed)
		damaged[r.IntN(len(seed))] ^= 1 << r.IntN(8)
		f.Add(damaged)
	}
	f.Add([]byte{0xa1, 0x67, 'N', 'u', 'm', 'b', 'e', 'r', 's', 0x9b, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff}) // an array of 2^40 elements
	f.Fuzz(func(t *testing.T, raw []byte) {
		file, err := checkpoint.Frame(raw)
		if err != nil {
			t.Fatal(err)
		}
		var got payload
		if checkpoint.Decode(file, &got) != nil {
			return
		}
		held := 0
		for p := &got; p != nil; p = p.Inner {
			held += 8*cap(p.Numbers) + len(p.Bytes) + len(p.Name)
			for name, w := range p.Weights {
				held += len(name) + 4*cap(w)
			}
		}
		if held > maxGrowth*len(raw)+1024 {
			t.Errorf("%d bytes were allocated for %d", held, len(raw))
		}
	})
}
