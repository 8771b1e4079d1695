package exact

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestFieldArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range append(fields(60, 200), newField(3), newField(97)) {
		p := new(big.Int).SetUint64(f.p)
		for range 1000 {
			a, b := rng.Uint64N(f.p), rng.Uint64N(f.p)
			x, y := new(big.Int).SetUint64(a), new(big.Int).SetUint64(b)
			for _, c := range []struct {
				name string
				got  uint64
				want *big.Int
			}{
				{"product", f.mul(f.element(a), f.element(b)), new(big.Int).Mul(x, y)},
				{"sum", f.add(f.element(a), f.element(b)), new(big.Int).Add(x, y)},
				{"difference", f.sub(f.element(a), f.element(b)), new(big.Int).Sub(x, y)},
				{"power", f.pow(f.element(a), b), new(big.Int).Exp(x, y, p)},
			} {
				if c.want.Mod(c.want, p); f.residue(c.got) != c.want.Uint64() {
					t.Fatalf("%s of %d and %d modulo %d: %d, want %v", c.name, a, b, f.p, f.residue(c.got), c.want)
				}
			}
			if a != 0 && f.mul(f.inverse(f.element(a)), f.element(a)) != f.one {
				t.Fatalf("inverse of %d modulo %d", a, f.p)
			}
		}
	}
}

func TestRootsAndInterpolation(t *testing.T) {
	const order = 3 * 7 * 64
	rng := rand.New(rand.NewPCG(3, 4))
	for _, f := range fields(order, 150) {
		if f.p%order != 1 || f.p>>primeBits != 0 {
			t.Errorf("prime %d", f.p)
		}
		w := f.pow(f.root(order), order/64)
		coefficients := make([]uint64, 64)
		for k := range coefficients {
			coefficients[k] = f.element(rng.Uint64())
		}
		values := make([]uint64, 64)
		x := f.one
		for j := range values {
			for k := 63; k >= 0; k-- {
				values[j] = f.add(f.mul(values[j], x), coefficients[k])
			}
			x = f.mul(x, w)
		}
		if x != f.one {
			t.Errorf("%d is no root of unity", w)
		}
		f.interpolate(values, w)
		for k, v := range values {
			if v != coefficients[k] {
				t.Fatalf("coefficient %d modulo %d: %d, want %d", k, f.p, v, coefficients[k])
			}
		}
	}
}

func TestReconstruction(t *testing.T) {
	list := fields(8, 500)
	crt := newReconstructor(list)
	bound := new(big.Int).Lsh(big.NewInt(1), 500)
	for _, want := range []*big.Int{
		new(big.Int), big.NewInt(1), bound, new(big.Int).Exp(big.NewInt(3), big.NewInt(300), nil),
	} {
		residues := make([]uint64, len(list))
		for i, f := range list {
			residues[i] = new(big.Int).Mod(want, new(big.Int).SetUint64(f.p)).Uint64()
		}
		if got := crt.integer(residues); got.Cmp(want) != 0 {
			t.Errorf("reconstructed %v, want %v", got, want)
		}
	}
}
