package exact

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// integer reads words as a long integer.
func integer(a []uint64) *big.Int { return new(big.Int).SetBits(bigWords(a)) }

func TestPackedPolynomials(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for length := 1; length <= 21; length++ {
		for n := 1; n <= 3; n++ { // words per coefficient
			a, b := make([]uint64, length*n), make([]uint64, length*n)
			for i := range a {
				a[i], b[i] = rng.Uint64(), rng.Uint64()
				if i%n == n-1 { // room for sums
					a[i] >>= 10
					b[i] >>= 10
				}
			}
			sum := append([]uint64(nil), b...)
			if n == 1 {
				accumulateSingle(sum, a)
			} else {
				accumulate(sum, a)
			}
			if want := new(big.Int).Add(integer(a), integer(b)); integer(sum).Cmp(want) != 0 {
				t.Fatalf("%d x %d words: sum", length, n)
			}
			result := make([]uint64, (length+1)*n)
			vertical(result, sum, a, n)
			want := new(big.Int).Lsh(integer(a), uint(64*n))
			if want.Add(want, integer(b)); integer(result).Cmp(want) != 0 {
				t.Fatalf("%d x %d words: vertical bond", length, n)
			}
			product := make([]uint64, length*n)
			scale(product, a, 255)
			if want := new(big.Int).Mul(integer(a), big.NewInt(255)); integer(product).Cmp(want) != 0 {
				t.Fatalf("%d x %d words: multiple", length, n)
			}
			room := make([]uint64, (length+4)*n)
			for i := range room[:len(room)-1] {
				room[i] = ^uint64(0)
			}
			want = new(big.Int).Lsh(integer(a), uint(64*n))
			want.Add(want, integer(room))
			accumulateAt(room, bigWords(a), n)
			if integer(room).Cmp(want) != 0 {
				t.Fatalf("%d x %d words: sum at a word", length, n)
			}
		}
	}
}
