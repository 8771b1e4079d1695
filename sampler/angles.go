package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"neuralwl/internal/parallel"
	"neuralwl/sampler/lattice"
)

// AngleBatch is the exchange between a sampler and a network of angles, for M walkers on N sites, in
// radians and nats.
type AngleBatch struct {
	Walkers, Sites int
	Used           int       // walkers evaluated, the first ones: 1 to Walkers, all at first
	Half           bool      // the sites whose coordinates have an odd sum keep their angles
	State          []float32 // [M,N] present angles
	Beta           []float32 // [M] inverse temperatures, empty where the network takes none
	Uniform        []float32 // [M,N] independent, uniform in [0,1)
	Proposal       []float32 // [M,N]
	Drawn          []float32 // [M] ln q of the proposal as it was stated with the draw
	Forward        []float32 // [M] ln q of the very angles in Proposal
	Reverse        []float32 // [M] ln q of the state, the same function
}

// AngleProposer draws angles with a known probability density: all of them, or those of one half of a
// checkerboard given the other.
type AngleProposer interface {
	// Batch returns the buffers, always the same.
	Batch() *AngleBatch
	// Pin selects the latest network for all calls of Propose and LogProb until the next Pin.
	Pin() Version
	// Propose reads State, Beta and Uniform and writes Proposal, Drawn and Forward.
	Propose(ctx context.Context) error
	// LogProb reads State and Beta and writes Reverse.
	LogProb(ctx context.Context) error
}

// angleMove proposes angles for every walker, all of them or those of a half, and accepts them with
//
//	min[1, g(E) q(s) / (g(E') q(s'))].
//
// For every walker and move an inverse temperature beta of q and a translation of the lattice, in which the
// network sees the configuration unless Options.Upright, are drawn independently of the state. They are the same for both
// directions and therefore leave detailed balance exact; translations by an odd distance exchange the halves.
//
// The network sees angles rounded to single precision and draws such. q is a function of the rounded angles,
// the same for state and proposal. The moves therefore sample the density of the weights times the ratio of the
// actual density of draws to q, which differs from 1 by rounding errors of some 1e-5 (see inference.Angles).
type angleMove struct {
	system   *lattice.XY
	proposer AngleProposer
	coldest  float64
	upright  bool
	decide   []float64 // by walker: uniform number for the decision
	place    [][]int32 // of each site in the network's frame
	to       [][]uint8 // the proposal
	from     []int     // level for which it was made
	changed  []int     // sites changed by the proposal, -1 if it was rejected
}

func newAngleMove(s *lattice.XY, p AngleProposer, coldest float64, upright bool) *angleMove {
	b := p.Batch()
	m := &angleMove{system: s, proposer: p, coldest: coldest, upright: upright, decide: make([]float64, b.Walkers), from: make([]int, b.Walkers), changed: make([]int, b.Walkers)}
	for range b.Walkers {
		m.place, m.to = append(m.place, make([]int32, b.Sites)), append(m.to, make([]uint8, s.StateBytes()))
	}
	return m
}

// translate draws a translation, none if the network is to see configurations as they are.
func (m *angleMove) translate(place []int32, r *rand.Rand) {
	sides := m.system.Sides()
	dx, dy := 0, 0
	if !m.upright {
		dx, dy = r.IntN(sides[0]), r.IntN(sides[1])
	}
	for i := range place {
		x, y := (i%sides[0]+dx)%sides[0], (i/sides[0]+dy)%sides[1]
		place[i] = int32(y*sides[0] + x)
	}
}

// stays reports whether the network keeps the angle at a place of its frame.
func (m *angleMove) stays(half bool, place int32) bool {
	l := int32(m.system.Sides()[0])
	return half && (place%l+place/l)%2 == 1
}

// run makes one trial for every walker, as neuralMove.run.
func (m *angleMove) run(ctx context.Context, _ int64, walkers []walker, window func(i int) *estimate, workers int, hits func(i int) []int64, tally *ProposalCounts, _ *Samples) (Count, neuralTimes, error) {
	b := m.proposer.Batch()
	m.proposer.Pin()
	n := b.Sites
	var times neuralTimes

	began := time.Now()
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		w := &walkers[i]
		r := rand.New(w.rng)
		m.translate(m.place[i], r)
		for site, place := range m.place[i] {
			b.State[i*n+int(place)] = float32(lattice.Angle(w.state, site))
		}
		if len(b.Beta) > 0 {
			b.Beta[i] = float32(m.coldest * r.Float64())
		}
		Uniforms(b.Uniform[i*n:i*n+n], w.rng)
		m.decide[i] = r.Float64()
	})
	if err := m.proposer.Propose(ctx); err != nil {
		return Count{}, times, fmt.Errorf("propose: %w", err)
	}
	times.propose = time.Since(began)

	began = time.Now()
	if err := m.proposer.LogProb(ctx); err != nil {
		return Count{}, times, fmt.Errorf("log-likelihood of the reverse move: %w", err)
	}
	for i := range walkers {
		if !finite32(b.Forward[i]) || !finite32(b.Reverse[i]) {
			return Count{}, times, fmt.Errorf("log-likelihood of walker %d is %v, of the reverse move %v: the network is damaged", i+1, b.Forward[i], b.Reverse[i])
		}
		for _, x := range b.Proposal[i*n : i*n+n] {
			if !(x >= 0 && float64(x) < 2*math.Pi) {
				return Count{}, times, fmt.Errorf("proposal %d has the angle %v, allowed are 0 to below 2 pi: the network does not follow the contract", i+1, x)
			}
		}
	}
	times.logProb = time.Since(began)

	var trials, accepted atomic.Int64
	parallel.Do(workers, len(walkers), walkersAtOnce, func(_, i int) {
		w, window := &walkers[i], window(i)
		if !window.isOpen {
			return
		}
		trials.Add(1)
		m.from[i], m.changed[i] = w.level, -1
		drawn := 0
		copy(m.to[i], w.state)
		for site, place := range m.place[i] {
			if !m.stays(b.Half, place) {
				lattice.SetAngle(m.to[i], site, float64(b.Proposal[i*n+int(place)]))
				drawn++
			}
		}
		level := m.system.Level(m.to[i])
		if level < 0 || !window.Contains(level) {
			return
		}
		x := LnAcceptance(window.lnWeight[w.level], window.lnWeight[level], float64(b.Forward[i]), float64(b.Reverse[i]))
		if x >= 0 || m.decide[i] < math.Exp(x) {
			copy(w.state, m.to[i])
			w.level, m.changed[i] = level, drawn
			accepted.Add(1)
		}
	})
	for i := range walkers {
		if !window(i).isOpen {
			continue
		}
		hits(i)[walkers[i].level]++
		tally.count(m.from[i], m.changed[i] >= 0, m.changed[i])
	}
	return Count{Trials: trials.Load(), Accepted: accepted.Load()}, times, nil
}

func finite32(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
