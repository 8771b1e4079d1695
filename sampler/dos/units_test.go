package dos

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestCompareOtherUnits wants the conversion named that takes the energies of one file to
// those of the other, and none where the energies are the same or those of two windows.
func TestCompareOtherUnits(t *testing.T) {
	read := func(name string) *Density {
		d, err := ReadFile(filepath.Join("..", "exact", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	convert := func(d *Density, f func(e float64) float64) *Density {
		c := &Density{LnG: append([]float64{}, d.LnG...)}
		for _, e := range d.Energy {
			c.Energy = append(c.Energy, f(e))
		}
		c.sort()
		return c
	}
	part := func(d *Density, from, to int) *Density {
		return &Density{Energy: d.Energy[from:to], LnG: d.LnG[from:to]}
	}
	digits := func(n int) func(e float64) float64 {
		return func(e float64) float64 {
			x, _ := strconv.ParseFloat(strconv.FormatFloat(e/36, 'f', n, 64), 64)
			return x
		}
	}
	ising, potts := read("potts_q2_8x8.csv"), read("potts_q3_6x6.csv")
	for name, c := range map[string]struct {
		a, b *Density
		want string // empty for no error
	}{
		"per site":             {ising, convert(ising, func(e float64) float64 { return e / 64 }), "the energies of B are those of A divided by 64 ("},
		"per site, reversed":   {convert(ising, func(e float64) float64 { return e / 64 }), ising, "those of A times 64 ("},
		"per site, q = 3":      {potts, convert(potts, func(e float64) float64 { return e / 36 }), "divided by 36 ("},
		"five digits":          {potts, convert(potts, digits(5)), "divided by 36 ("},
		"three digits":         {potts, convert(potts, digits(3)), "divided by 36 ("},
		"per bond":             {potts, convert(potts, func(e float64) float64 { return e / 72 }), "divided by 72 ("},
		"a run misses the top": {potts, part(convert(potts, func(e float64) float64 { return e / 36 }), 0, 60), "divided by 36 ("},
		"a run misses ends":    {part(potts, 2, 64), convert(potts, func(e float64) float64 { return e / 36 }), "divided by 36 ("},
		"Ising":                {ising, convert(ising, func(e float64) float64 { return 2*e + 128 }), "those of A times 2 plus 128 ("},
		"Ising to Potts":       {convert(ising, func(e float64) float64 { return 2*e + 128 }), ising, "those of A divided by 2 minus 64 ("},
		"twice":                {potts, convert(potts, func(e float64) float64 { return 2 * e }), "those of A times 2 ("},
		"sign":                 {potts, convert(potts, func(e float64) float64 { return -e }), "those of A with the sign reversed ("},
		"sign and per site":    {potts, convert(potts, func(e float64) float64 { return -e / 36 }), "with the sign reversed divided by 36 ("},
		"above the ground":     {potts, convert(potts, func(e float64) float64 { return e + 72 }), "those of A plus 72 ("},
		"Ising per site":       {ising, convert(ising, func(e float64) float64 { return (2*e + 128) / 64 }), "those of A divided by 32 plus 2 ("},
		"three halves":         {potts, convert(potts, func(e float64) float64 { return 1.5 * e }), "those of A times 1.5 ("},
		"rounded":              {convert(potts, digits(12)), convert(potts, digits(4)), "write them in full"},
		"the same":             {potts, potts, ""},
		"a run with gaps":      {potts, part(potts, 3, 50), ""},
		"two windows":          {part(potts, 2, 40), part(potts, 30, 67), ""},
		"windows, few shared":  {part(potts, 0, 33), part(potts, 30, 67), ""},
		"a wide window":        {part(potts, 10, 30), part(potts, 20, 59), ""},
		"halves, symmetric":    {part(ising, 0, ising.Len()-20), part(ising, 20, ising.Len()), ""},
		"apart":                {part(potts, 10, 30), part(potts, 40, 60), "no energy in common"},
		"another size":         {ising, read("potts_q2_6x6.csv"), ""},
		"another q":            {potts, read("potts_q10_5x5.csv"), ""},
	} {
		_, err := Compare(c.a, c.b)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if _, _, err := Deviation(c.b, c.a); (err == nil) != (c.want == "") {
			t.Errorf("%s: deviation %v", name, err)
		}
	}
	few := &Density{Energy: []float64{-2, 0}, LnG: []float64{0, 1}}
	if d, err := Compare(few, potts); err != nil || d.Levels != 2 || math.IsNaN(d.RMS) {
		t.Errorf("two levels: %+v, %v", d, err)
	}
}
