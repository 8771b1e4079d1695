package dos

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
)

// TestNPZRoundTrip checks that every number is recovered to the last bit; unknown errors
// are NaN.
func TestNPZRoundTrip(t *testing.T) {
	d := &Density{
		Energy: []float64{-math.MaxFloat64, -512, -0.1, 5e-324, 1. / 3, 1e22},
		LnG:    []float64{math.MaxFloat64, -5e-324, 1. / 3, math.Pi * 1e5, math.Log(2), math.Copysign(0, -1)},
		Error:  []float64{0.25, math.NaN(), 1e-17, math.Inf(1), 1. / 7, 0},
	}
	for e := 1e23; len(d.Energy) < 5000; e *= 1.01 { // more than one compression window
		d.Energy = append(d.Energy, e)
		d.LnG = append(d.LnG, math.Sqrt(e))
		d.Error = append(d.Error, 1/e)
	}
	var file bytes.Buffer
	if err := d.WriteNPZ(&file); err != nil {
		t.Fatal(err)
	}
	got, err := ReadNPZ(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	sameBits := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
	if !slices.EqualFunc(got.Energy, d.Energy, sameBits) || !slices.EqualFunc(got.LnG, d.LnG, sameBits) {
		t.Error("energies or ln g differ from those written")
	}
	for i, want := range d.Error {
		if x := got.Error[i]; x != want && !(math.IsNaN(x) && (math.IsNaN(want) || math.IsInf(want, 0))) {
			t.Errorf("error %v came back as %v", want, x)
		}
	}
	d.Error = nil
	file.Reset()
	if err := d.WriteNPZ(&file); err != nil {
		t.Fatal(err)
	}
	if got, err = ReadNPZ(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil || !math.IsNaN(got.Error[0]) {
		t.Errorf("without errors: %v, %v", got.Error, err)
	}
}

// TestReadNumPy reads files written by NumPy 2.4.6: numpy.savez of float64 arrays, and
// numpy.savez_compressed of big-endian ones without errors, next to another array.
func TestReadNumPy(t *testing.T) {
	for name, errors := range map[string][]float64{"numpy.npz": {math.NaN(), 0.125, 0.25}, "numpy_compressed.npz": nil} {
		d, err := ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Error(err)
			continue
		}
		same := func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
		if !slices.Equal(d.Energy, []float64{-18, -14.5, 0}) || !slices.Equal(d.LnG, []float64{1.0986122886681098, 1. / 3, 2.5}) || !slices.EqualFunc(d.Error, errors, same) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// array returns a file of NumPy's format 2 with the given description and contents.
func array(header string, contents []byte) []byte {
	data := append([]byte("\x93NUMPY\x02\x00"), binary.LittleEndian.AppendUint32(nil, uint32(len(header)))...)
	return append(append(data, header...), contents...)
}

func described(descr, shape string, values ...float64) []byte {
	contents, _ := binary.Append(nil, binary.LittleEndian, values)
	return array(fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr, shape), contents)
}

// archive makes an archive of alternating names and files.
func archive(t testing.TB, files ...any) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i].(string))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(files[i+1].([]byte)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestReadNPZTypes reads every type of number that is taken, of both byte orders, and names of
// other programs.
func TestReadNPZTypes(t *testing.T) {
	lnG := described("<f8", "(3,)", 0.5, 1.5, math.Inf(-1))
	for descr, values := range map[string]any{
		"<f4": []float32{-18, -14.5, -12}, ">f4": []float32{-18, -14.5, -12},
		"<i8": []int64{-18, -1 << 53, 1 << 62}, ">i8": []int64{-18, -1 << 53, 1 << 62},
		"<i4": []int32{-18, -1 << 31, 12}, ">i4": []int32{-18, -1 << 31, 12}, "<i2": []int16{-18, -1 << 15, 12}, "|i1": []int8{-18, -128, 12},
		"<u8": []uint64{1<<64 - 2048, 14, 12}, ">u4": []uint32{1<<32 - 1, 14, 12}, "<u2": []uint16{18, 1<<16 - 1, 12}, "|u1": []uint8{18, 255, 12},
	} {
		var order binary.ByteOrder = binary.LittleEndian
		if descr[0] == '>' {
			order = binary.BigEndian
		}
		contents, err := binary.Append(nil, order, values)
		if err != nil {
			t.Fatal(err)
		}
		data := archive(t, "E.npy", array(fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (3,), }\n", descr), contents), "S.npy", lnG)
		var notes []string
		r := Reader{Note: func(text string) { notes = append(notes, text) }}
		d, err := r.ReadNPZ(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Errorf("%s: %v", descr, err)
			continue
		}
		want := map[float64]float64{}
		for i := range 2 {
			v := reflect.ValueOf(values).Index(i)
			want[v.Convert(reflect.TypeFor[float64]()).Float()] = []float64{0.5, 1.5}[i]
		}
		for i, e := range d.Energy {
			if x, ok := want[e]; !ok || x != d.LnG[i] || d.Len() != 2 {
				t.Errorf("%s: %v, want %v", descr, d, want)
			}
		}
		if len(notes) != 1 || !strings.Contains(notes[0], "1 of 3 levels without ln g, the first in element 2") {
			t.Errorf("%s: notes %q", descr, notes)
		}
	}
	g, _ := binary.Append(nil, binary.LittleEndian, []int64{2, 0, 1<<53 + 1})
	data := archive(t, "energy.npy", described("<f8", "(3,)", -2, -1, 0), "g.npy", array("{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }\n", g))
	d, err := Reader{Note: func(string) {}}.ReadNPZ(bytes.NewReader(data), int64(len(data)))
	if err != nil || !slices.Equal(d.Energy, []float64{-2, 0}) || !slices.Equal(d.LnG, []float64{math.Ln2, 53 * math.Ln2}) {
		t.Errorf("counts: %+v, %v", d, err)
	}
}

// hostile returns archives, each with a part of the expected error.
func hostile(t testing.TB) map[string][]byte {
	energy := described("<f8", "(2,)", -1, 0)
	lnG := func(data []byte) []byte { return archive(t, "energy.npy", energy, "ln_g.npy", data) }
	whole := lnG(energy)
	flipped := bytes.Clone(archive(t, "energy.npy", energy, "ln_g.npy", described("<f8", "(2000,)", make([]float64, 2000)...)))
	flipped[bytes.Index(flipped, []byte("ln_g.npy"))+20] ^= 1
	return map[string][]byte{
		"it is not a NumPy archive":       {},
		"zip: not a valid":                whole[:len(whole)-30],
		`arrays are ["energy" "m"]`:       archive(t, "energy.npy", energy, "m.npy", energy),
		`arrays are ["ln_g"]`:             archive(t, "ln_g.npy", energy),
		"two columns are named energy":    archive(t, "ln_g.npy", energy, "E.npy", energy, "energy.npy", energy),
		"g, element 0: -1 is not":         archive(t, "energy.npy", energy, "g.npy", energy),
		"2 arrays named energy":           archive(t, "energy.npy", energy, "energy.npy", energy, "ln_g.npy", energy),
		"no levels":                       archive(t, "energy.npy", described("<f8", "(0,)"), "ln_g.npy", described("<f8", "(0,)")),
		"does not begin":                  lnG(nil),
		"is truncated":                    lnG([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr': ")),
		"NumPy does not write its header": lnG(array("{'shape': (2,), 'fortran_order': False, 'descr': '<f8'}\n", nil)),
		"version":                         lnG(append([]byte("\x93NUMPY\x03"), energy[7:]...)),
		`of type "|O"`:                    lnG(described("|O", "(2,)", 0, 0)),
		`of type "<c8"`:                   lnG(described("<c8", "(2,)", 0, 0)),
		"element 1 has more than the 53":  lnG(array("{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }\n", binary.LittleEndian.AppendUint64(make([]byte, 8), 1<<53+1))),
		`of type ""`:                      lnG(described("", "(2,)", 0, 0)),
		"one dimension":                   lnG(described("<f8", "(1, 2)", 0, 0)),
		"shape is []":                     lnG(described("<f8", "()", 0)),
		"should have 1000000000000":       lnG(described("<f8", "(1000000000000,)", 0, 0)),
		"out of range":                    lnG(described("<f8", "(99999999999999999999,)", 0, 0)),
		"have 2 elements, but 8":          lnG(described("<f8", "(2,)", 0)),
		"have 2 elements, but 24":         lnG(described("<f8", "(2,)", 0, 0, 0)),
		"ln_g has 1 elements":             lnG(described("<f8", "(1,)", 0)),
		"1 of 2 levels without ln g":      lnG(described("<f8", "(2,)", 0, math.NaN())),
		"energies must ascend":            archive(t, "energy.npy", described("<f8", "(2,)", 1, 1), "ln_g.npy", energy),
		"element 1: -1 is not":            archive(t, "energy.npy", energy, "ln_g.npy", energy, "ln_g_error.npy", described("<f8", "(2,)", 0, -1)),
		"element 0: +Inf is not":          archive(t, "energy.npy", energy, "ln_g.npy", energy, "ln_g_error.npy", described("<f8", "(2,)", math.Inf(1), 0)),
		"array ln_g":                      flipped,
		"more than the 4194304 elements":  lnG(make([]byte, headerRoom+8*maxLevels+1)),
	}
}

// TestReadNPZHostile reads archives that are broken or lie. The one that expands to 32 MB
// takes that much memory and no more.
func TestReadNPZHostile(t *testing.T) {
	for word, data := range hostile(t) {
		if d, err := ReadNPZ(bytes.NewReader(data), int64(len(data))); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in the error: %v, %+v", word, err, d)
		}
	}
}

func TestWriteNPZFails(t *testing.T) {
	d := &Density{Energy: []float64{-1, 0}, LnG: []float64{0, 1}}
	for n := range 200 {
		if err := d.WriteNPZ(&shortWriter{n}); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", n, err)
		}
	}
	d.LnG[1] = math.NaN()
	if err := d.WriteNPZ(io.Discard); err == nil {
		t.Error("a NaN was written")
	}
}

// FuzzReadNPZ reads arbitrary bytes. Accepted input must be a density of states that is the
// same after writing and reading it.
func FuzzReadNPZ(f *testing.F) {
	for _, name := range []string{"numpy.npz", "numpy_compressed.npz"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, data := range hostile(f) {
		if len(data) < 1<<12 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := ReadNPZ(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			_ = err.Error()
		}
		runtime.ReadMemStats(&after)
		// Compression shrinks data by a factor of at most 1032, and the output is kept in
		// growing slices.
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(16*1032*len(data)+1<<20); used > most {
			t.Errorf("%d bytes allocated for %d, want at most %d", used, len(data), most)
		}
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		if err := d.WriteNPZ(&first); err != nil {
			t.Fatal(err)
		}
		again, err := ReadNPZ(bytes.NewReader(first.Bytes()), int64(first.Len()))
		if err != nil {
			t.Fatalf("cannot be read again: %v", err)
		}
		if err := again.WriteNPZ(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("wrote %x, then %x (%v)", first.Bytes(), second.Bytes(), err)
		}
	})
}

// TestFiles writes and reads every format, and checks that the error for an unknown
// extension names the formats.
func TestFiles(t *testing.T) {
	d := &Density{Energy: []float64{-1, 0}, LnG: []float64{0.5, 1}, Error: []float64{0.25, 0.125}}
	for _, name := range []string{"d.csv", "d.npz", "d.NPZ"} {
		path := filepath.Join(t.TempDir(), name)
		if err := d.WriteFile(path); err != nil {
			t.Error(err)
		}
		got, err := ReadFile(path)
		if err != nil || !slices.Equal(got.Energy, d.Energy) || !slices.Equal(got.LnG, d.LnG) || !slices.Equal(got.Error, d.Error) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, name := range []string{"d.txt", "d.DAT", "d.tsv"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("# energy ln_g\n-1 0.5\n0 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := ReadFile(path); err != nil || !slices.Equal(got.LnG, d.LnG) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err := CheckPath(path); err == nil {
			t.Errorf("%s: it can be written", name)
		}
	}
	for _, name := range []string{"d.parquet", "d", "npz"} {
		path := filepath.Join(t.TempDir(), name)
		_, readErr := ReadFile(path)
		for _, err := range []error{CheckPath(path), d.WriteFile(path), readErr} {
			if err == nil || !strings.Contains(err.Error(), ".csv or .npz") || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	missing := filepath.Join(t.TempDir(), "none", "d.csv")
	if err := d.WriteFile(missing); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("into no folder: %v", err)
	}
	if err := (&Density{}).WriteFile(filepath.Join(t.TempDir(), "d.npz")); err == nil || !strings.Contains(err.Error(), "d.npz") {
		t.Errorf("a density without levels: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "broken.npz")
	if err := os.WriteFile(broken, []byte("PK"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(broken); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("a broken file: %v", err)
	}
}

// TestNPZKeys checks the arrays' names against those that numpy.load gives them.
func TestNPZKeys(t *testing.T) {
	var file bytes.Buffer
	if err := (&Density{Energy: []float64{0}, LnG: []float64{0}}).WriteNPZ(&file); err != nil {
		t.Fatal(err)
	}
	r, err := npz.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"energy.npy", "ln_g.npy", "ln_g_error.npy"}; !slices.Equal(r.Keys(), want) {
		t.Errorf("files %q, want %q", r.Keys(), want)
	}
}
