package dos

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

// FuzzReadCSV reads arbitrary bytes. Accepted input must be a density of states that is the
// same after writing and reading it.
func FuzzReadCSV(f *testing.F) {
	reference, err := os.ReadFile(filepath.Join("..", "exact", "testdata", "potts_q2_4x4.csv"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reference)
	f.Add([]byte("# a remark\nE , LN_G,other, ln_g_error\r\n-2,1, x,\r\n-0.5,\"2\",,1e-3\r\n"))
	f.Add([]byte("\xef\xbb\xbf;E;ln g\r\n0;-2,5;1,25\r\n1;-1,5;nan\r\n2;-0,5;2\r\n"))
	f.Add([]byte("\xff\xfe-\x001\x00\t\x002\x00.\x005\x00\n\x00"))
	f.Add([]byte("! E g\n  -0.2D+01   0.2D+01\n  -0.1D+01   0.3D+400 # many\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d *Density
		var err error
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if d, err = (Reader{Note: func(string) {}}).ReadCSV(bytes.NewReader(data)); err != nil {
			_ = err.Error()
		}
		runtime.ReadMemStats(&after)
		// A field of one byte becomes a string, its position and three numbers, in slices
		// that double.
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(256*len(data)+1<<20); used > most {
			t.Errorf("%d bytes allocated for %d, want at most %d", used, len(data), most)
		}
		if err != nil {
			return
		}
		if err := d.Validate(); err != nil {
			t.Error(err)
		}
		var first, second bytes.Buffer
		if err := d.WriteCSV(&first); err != nil {
			t.Fatal(err)
		}
		again, err := ReadCSV(bytes.NewReader(first.Bytes()))
		if err != nil {
			t.Fatalf("cannot be read again: %v\n%s", err, first.String())
		}
		if !slices.Equal(again.Energy, d.Energy) || !slices.Equal(again.LnG, d.LnG) {
			t.Errorf("read %v %v, read again %v %v", d.Energy, d.LnG, again.Energy, again.LnG)
		}
		for i := range d.Error { // written with six digits
			if x, y := d.Error[i], again.Error[i]; !(math.IsNaN(x) && math.IsNaN(y) || math.Abs(x-y) <= 1e-5*x) {
				t.Errorf("error %v became %v", x, y)
			}
		}
		if err := again.WriteCSV(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("wrote %q, then %q (%v)", first.String(), second.String(), err)
		}
	})
}
