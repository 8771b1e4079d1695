package exact

import (
	"context"
	"fmt"
	"math"

	"neuralwl/sampler/lattice"
)

// Enumerable reports whether Enumerate takes at most a few seconds: up to 2^27
// configurations.
func Enumerable(s lattice.System) bool { return s.LnStates() < 27.5*math.Ln2 }

// Enumerate counts, by level, the configurations of any system made of terms. It visits
// them in the order of enumerate.
func Enumerate(ctx context.Context, s *lattice.Terms) ([]int64, error) {
	return enumerateTerms(ctx, s, &tracker{})
}

func enumerateTerms(ctx context.Context, s *lattice.Terms, progress *tracker) ([]int64, error) {
	if s.LnStates() > math.Log(enumerationLimit) {
		return nil, fmt.Errorf("exact: enumerate %v: too many configurations for the counters: %w", s, ErrTooCostly)
	}
	const batch = 1 << 20 // configurations between two checks of the context
	progress.expect(int(math.Exp(s.LnStates())/batch) + 1)
	first, bonds, gain, field := s.Tables()
	n, q := s.Sites(), int32(s.Colours())
	state := make([]uint8, n)
	step := make([]uint8, n) // +1 or -1 (as 255): the direction of a site's next change
	focus := make([]int, n+1)
	for i := range n {
		step[i] = 1
		focus[i] = i
	}
	focus[n] = n
	count := make([]int64, s.Levels())
	level := s.Level(state)
	for {
		for range batch {
			count[level]++
			site := focus[0]
			focus[0] = 0
			if site == n {
				progress.finish()
				return count, nil
			}
			before := int32(state[site])
			after := int32(state[site] + step[site])
			change := field[after] - field[before]
			for _, b := range bonds[first[site]:first[site+1]] {
				at := b.Offset + (int32(state[b.A])+b.Factor*int32(state[b.B]))*q
				change += gain[at+after] - gain[at+before]
			}
			level += int(change)
			state[site] = uint8(after)
			if after == 0 || after == q-1 {
				step[site] = -step[site]
				focus[site] = focus[site+1]
				focus[site+1] = site + 1
			}
		}
		progress.add(1)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("exact: enumerate %v: %w", s, err)
		}
	}
}
