package exact

import (
	"errors"
	"math"
	"math/big"
	"testing"
)

// ln g of powers is known: ln(a^k) = k ln a.
func TestLnOfLongIntegers(t *testing.T) {
	for _, c := range []struct{ base, power int64 }{
		{2, 0}, {2, 1}, {2, 63}, {2, 64}, {2, 65}, {2, 4096}, {2, 100_000},
		{3, 40}, {3, 41}, {7, 1000}, {10, 15}, {10, 16}, {10, 64}, {10, 5000}, {255, 3000}, {1<<61 - 1, 777},
	} {
		g := new(big.Int).Exp(big.NewInt(c.base), big.NewInt(c.power), nil)
		counts := Spectrum{G: []*big.Int{g}}
		got, want := counts.LnG()[0], float64(c.power)*math.Log(float64(c.base))
		if ulp := math.Nextafter(want, math.Inf(1)) - want; math.Abs(got-want) > 3*ulp {
			t.Errorf("ln(%d^%d) = %v, want %v", c.base, c.power, got, want)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteCSVReportsFailure(t *testing.T) {
	if err := compute(t, 2, 3, 3, Auto).spectrum("").WriteCSV(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}
