package exact

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"neuralwl/sampler/lattice"
)

// Enumerable reports whether Enumerate takes at most a few seconds: up to 2^27
// configurations.
func Enumerable(s lattice.System) bool { return s.LnStates() < 27.5*math.Ln2 }

// ofTerms is Of for a system made of terms.
func ofTerms(ctx context.Context, s *lattice.Terms, opts Options) (*Spectrum, error) {
	fail := func(err error) error {
		return fmt.Errorf("exact: compute density of states of %v: %w", s, err)
	}
	if opts.Method != Auto && opts.Method != Enumeration && opts.Method != Elimination {
		return nil, fail(fmt.Errorf("method %s is for the Potts model on the square lattice: choose %s or %s", opts.Method, Enumeration, Elimination))
	}
	estimate := planTerms(s, opts.Method)
	workers := max(opts.Workers, 1)
	if err := checkTerms(s, estimate, workers, opts.Force); err != nil {
		return nil, fail(err)
	}
	progress := &tracker{report: opts.Progress}
	if estimate.Method == Enumeration {
		counts, err := enumerateTerms(ctx, s, progress)
		if err != nil {
			return nil, err
		}
		return counts.levels().spectrum(Enumeration), nil
	}
	e := newElimination(s)
	byGain, err := e.run(ctx, workers, progress)
	if err != nil {
		return nil, fail(err)
	}
	return e.spectrum(byGain)
}

// planTerms predicts the given method, or the faster one for Auto.
func planTerms(s *lattice.Terms, method Method) Estimate {
	enumeration := Estimate{Enumeration, seconds(math.Exp(s.LnStates()) * costTerms), float64(100*s.Sites() + 32*s.Levels())}
	if method == Enumeration || method == Auto && s.LnStates() < 12*math.Ln2 {
		return enumeration
	}
	e := newElimination(s).Estimate
	if method == Auto && (enumeration.Seconds < e.Seconds || !e.within(timeLimit.Seconds(), memoryLimit())) && enumeration.Seconds < timeLimit.Seconds() {
		return enumeration
	}
	return e
}

// checkTerms returns why a computation is refused, or nil.
func checkTerms(s *lattice.Terms, e Estimate, workers int, force bool) error {
	limit := memoryLimit()
	took := e.Seconds
	if e.Method == Elimination {
		took /= float64(workers)
	}
	needs := fmt.Sprintf("method %s needs about %s (limit %s) and %s of memory (limit %s)",
		e.Method, duration(took), duration(timeLimit.Seconds()), size(e.Bytes), size(limit))
	switch {
	case e.Method == Enumeration && s.LnStates() > math.Log(enumerationLimit):
		return fmt.Errorf("%s, and its counters end at 2^63: choose a smaller system: %w", needs, ErrTooCostly)
	case e.Bytes > limit/memoryShare:
		return fmt.Errorf("%s: too many sites interact across any cut; choose a smaller system: %w", needs, ErrTooCostly)
	case !force && (took > timeLimit.Seconds() || e.Bytes > limit):
		return fmt.Errorf("%s: choose a smaller system, or force it: %w", needs, ErrTooCostly)
	}
	return nil
}

// enumerated are numbers of configurations by level, with the sums of their places within it and of
// the squares of these, in two words.
type enumerated struct {
	system        *lattice.Terms
	count, places []int64
	squares       [][2]uint64 // the high word first
}

// Enumerate counts, by level, the configurations of any system made of terms. It visits
// them in the order of enumerate.
func Enumerate(ctx context.Context, s *lattice.Terms) ([]int64, error) {
	e, err := enumerateTerms(ctx, s, &tracker{})
	if err != nil {
		return nil, err
	}
	return e.count, nil
}

func enumerateTerms(ctx context.Context, s *lattice.Terms, progress *tracker) (*enumerated, error) {
	if s.LnStates() > math.Log(enumerationLimit) {
		return nil, fmt.Errorf("exact: enumerate %v: too many configurations for the counters: %w", s, ErrTooCostly)
	}
	const batch = 1 << 20 // configurations between two checks of the context
	progress.expect(int(math.Exp(s.LnStates())/batch) + 1)
	t := s.Tables()
	n, q := s.Sites(), int32(s.Colours())
	state := make([]uint8, n)
	step := make([]uint8, n) // +1 or -1 (as 255): the direction of a site's next change
	focus := make([]int, n+1)
	for i := range n {
		step[i] = 1
		focus[i] = i
	}
	focus[n] = n
	e := &enumerated{system: s, count: make([]int64, s.Levels())}
	if s.Binned() {
		e.places, e.squares = make([]int64, s.Levels()), make([][2]uint64, s.Levels())
	}
	gain := s.Gain(state)
	for {
		for range batch {
			if e.places == nil {
				e.count[gain]++
			} else {
				e.add(t.Bin.Split(gain))
			}
			site := focus[0]
			focus[0] = 0
			if site == n {
				progress.finish()
				return e, nil
			}
			before := int32(state[site])
			after := int32(state[site] + step[site])
			field := t.Field[site*t.FieldStride:]
			change := field[after] - field[before]
			for _, b := range t.Bonds[t.First[site]:t.First[site+1]] {
				at := b.Offset + (int32(state[b.A])+b.Factor*int32(state[b.B]))*q
				change += t.Gain[at+after] - t.Gain[at+before]
			}
			gain += int(change)
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

// add adds a configuration.
func (e *enumerated) add(level, place int) {
	e.count[level]++
	e.places[level] += int64(place)
	s := &e.squares[level]
	var carry uint64
	s[1], carry = bits.Add64(s[1], uint64(place)*uint64(place), 0)
	s[0] += carry
}

// levels are the counts in numbers without a limit.
func (e *enumerated) levels() *levelCounts {
	l := newLevelCounts(e.system)
	for level, n := range e.count {
		if n == 0 {
			continue
		}
		c := l.at(level)
		c.n.SetInt64(n)
		if e.places != nil {
			c.places.SetInt64(e.places[level])
			high := new(big.Int).SetUint64(e.squares[level][0])
			c.squares.Or(high.Lsh(high, 64), new(big.Int).SetUint64(e.squares[level][1]))
		}
	}
	return l
}
