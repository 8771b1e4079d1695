package exact

import (
	"context"
	"math"
	"math/big"
)

// enumerationLimit is the largest number of configurations that enumerate can count.
const enumerationLimit = math.MaxInt64

// enumerate visits all configurations with colour 0 at site 0 in the order of a reflected
// q-ary Gray code, in which successive ones differ at one site by one colour (Knuth, The
// Art of Computer Programming 4A, section 7.2.1.1, algorithm H). By colour symmetry each
// stands for q configurations. It returns the numbers of configurations by satisfied bonds.
func enumerate(ctx context.Context, q, lx, ly int, progress *tracker) ([]*big.Int, error) {
	n := lx * ly
	neighbours := make([][4]int, n)
	for y := range ly {
		for x := range lx {
			neighbours[y*lx+x] = [4]int{
				y*lx + (x+1)%lx, y*lx + (x+lx-1)%lx,
				(y+1)%ly*lx + x, (y+ly-1)%ly*lx + x,
			}
		}
	}

	const batch = 1 << 20 // configurations between two checks of the context
	progress.expect(int(math.Pow(float64(q), float64(n-1))/batch) + 1)

	colours := make([]uint8, n)
	step := make([]uint8, n) // +1 or -1 (as 255): the direction of a site's next change
	focus := make([]int, n+1)
	for i := range n {
		step[i] = 1
		focus[i] = i
	}
	focus[n] = n
	count := make([]int64, 2*n+1)
	bonds := 2 * n
	for {
		for range batch {
			count[bonds]++
			site := focus[1]
			focus[1] = 1
			if site == n {
				return scaled(count, q), nil
			}
			before := colours[site]
			after := before + step[site]
			for _, k := range neighbours[site] {
				if colours[k] == before {
					bonds--
				}
				if colours[k] == after {
					bonds++
				}
			}
			colours[site] = after
			if after == 0 || int(after) == q-1 {
				step[site] = -step[site]
				focus[site] = focus[site+1]
				focus[site+1] = site + 1
			}
		}
		progress.add(1)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// scaled returns factor times every count.
func scaled(count []int64, factor int) []*big.Int {
	g := make([]*big.Int, len(count))
	for k, c := range count {
		g[k] = new(big.Int).Mul(big.NewInt(c), big.NewInt(int64(factor)))
	}
	return g
}
