package local

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// xyMetropolis turns spins of the XY model, at sites drawn at random, by an angle drawn evenly from
// -step..step, and accepts with
//
//	min[1, step(E) g(E) / (step(E') g(E'))]
//
// or, where the angle is beyond the step of the new level, not at all: the density of the proposal is
// 1/(2 step(E)) forth and 1/(2 step(E')) back (Hastings, Biometrika 57, 97 (1970)). The step depends on the level,
// as spins of low energy turn little; see Adapt. Half a turn is a new angle.
//
// Transitions count what this move does at infinite temperature, its rejections for the difference of
// the steps included: that obeys detailed balance for equal weights of all states.
type xyMetropolis struct {
	system  *lattice.XY
	window  lattice.Window
	weights weightTable
	steps   []float64 // by level
	workers []*xyScratch
}

// xyScratch is a configuration with the directions of its spins.
type xyScratch struct {
	angles []float64
	spins  []lattice.Spin
}

func newXYMetropolis(s *lattice.XY, window lattice.Window, workers int) *xyMetropolis {
	k := &xyMetropolis{system: s, window: window, weights: make(weightTable, s.Levels()), steps: make([]float64, s.Levels())}
	for b := range k.steps {
		k.steps[b] = math.Pi
	}
	for range workers {
		c := &xyScratch{make([]float64, s.Sites()), make([]lattice.Spin, s.Sites())}
		for i := range c.spins {
			c.spins[i] = lattice.SpinOf(0)
		}
		k.workers = append(k.workers, c)
	}
	return k
}

func (k *xyMetropolis) Fill(lnWeight []float64) { k.weights.fill(lnWeight, k.window) }

func (k *xyMetropolis) Transitions(blocks int) *Transitions { return newChanges(k.system, blocks) }

// xyStep is the step in units of the width of a spin's angle in the mean field of its neighbours,
// with which about half of the proposals are accepted at low energies.
const xyStep = 2.2

// Adapt takes the steps from ln g. Its slope is the inverse temperature of a level, beta; a spin in the field h
// of its neighbours has the distribution exp(beta h cos theta), of the width 1/sqrt(beta h); and the mean of
// beta h cos theta is -2 beta E/N. The slope is that over as far as one spin can change the energy.
func (k *xyMetropolis) Adapt(lnG []float64) {
	s := k.system
	reach := max(1, s.MaxStep()/2)
	for b := range k.steps {
		low, high := max(0, b-reach), min(len(lnG)-1, b+reach)
		k.steps[b] = math.Pi
		if low < high {
			beta := (lnG[low] - lnG[high]) / (s.Energy(low) - s.Energy(high))
			if field := -2 * beta * s.Energy(b) / float64(s.Sites()); field > 0 {
				k.steps[b] = min(math.Pi, xyStep/math.Sqrt(field))
			}
		}
	}
}

// begin fills in the directions of a configuration, and returns its energy.
func (k *xyMetropolis) begin(c *xyScratch, state []uint8) (energy int64) {
	for i, known := range c.angles {
		if angle := lattice.Angle(state, i); angle != known {
			c.angles[i], c.spins[i] = angle, lattice.SpinOf(angle)
		}
	}
	return k.system.Exact(c.spins)
}

func (k *xyMetropolis) Sweep(worker int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	c := k.workers[worker]
	return k.sweep(c, state, k.begin(c, state), level, hits, situations, rng)
}

// sweep makes N trials on a configuration of an energy.
func (k *xyMetropolis) sweep(c *xyScratch, state []uint8, energy int64, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	s := k.system
	sites, maxStep := uint64(len(c.spins)), s.MaxStep()
	for range c.spins {
		// One draw serves two decisions, as in metropolisSweep.
		upper, lower := bits.Mul64(rng.Uint64(), sites)
		site := int(upper)
		turn := k.steps[level] * (2*(float64(lower>>11)*0x1p-53) - 1)
		u := unit(rng)
		angle := lattice.Wrap(c.angles[site] + turn)
		spin := lattice.SpinOf(angle)
		to, change := k.after(c, site, spin, energy)
		back := 0.0 // step of the way back over that of this one
		if to >= 0 && math.Abs(turn) <= k.steps[to] {
			back = k.steps[to] / k.steps[level]
		}
		if situations != nil {
			counted := 0
			if back > 0 && u*back < 1 {
				counted = to - level
			}
			situations[level*(2*maxStep+1)+counted+maxStep]++
		}
		if back > 0 && k.weights.accepts(level, to, u*back) {
			c.set(state, site, angle, spin)
			energy += change
			level = to
			accepted++
		}
		hits[level]++
	}
	return level, accepted
}

// after returns the level of a configuration, of an energy now, with another spin at a site, -1 outside
// of the range, and the change of the energy.
func (k *xyMetropolis) after(c *xyScratch, site int, spin lattice.Spin, energy int64) (level int, change int64) {
	table, z := k.system.Neighbours()
	old := c.spins[site]
	for _, j := range table[site*z : site*z+z] {
		other := c.spins[j]
		change += old.Bond(other) - spin.Bond(other)
	}
	return k.system.LevelOf(energy + change), change
}

func (c *xyScratch) set(state []uint8, site int, angle float64, spin lattice.Spin) {
	c.angles[site], c.spins[site] = angle, spin
	lattice.SetAngle(state, site, angle)
}

// xyOverrelaxation reflects each spin in turn about the field of its neighbours and then makes a
// sweep of xyMetropolis, whose trials alone are counted. Reflections keep the energy up to rounding, and each is its own inverse and
// keeps volumes (Creutz, Phys. Rev. D 36, 515 (1987)). Where rounding changes the level, they are accepted with
// min[1, g(E)/g(E')].
type xyOverrelaxation struct{ *xyMetropolis }

func (k *xyOverrelaxation) Sweep(worker int, state []uint8, level int, hits, situations []int64, rng *rand.PCG) (newLevel, accepted int) {
	c := k.workers[worker]
	energy := k.begin(c, state)
	for site := range c.spins {
		energy, level = k.reflect(c, state, site, energy, level, rng)
	}
	return k.sweep(c, state, energy, level, hits, situations, rng)
}

// reflect reflects a spin.
func (k *xyOverrelaxation) reflect(c *xyScratch, state []uint8, site int, energy int64, level int, rng *rand.PCG) (int64, int) {
	table, z := k.system.Neighbours()
	var field lattice.Spin
	for _, j := range table[site*z : site*z+z] {
		field.X += c.spins[j].X
		field.Y += c.spins[j].Y
	}
	if field.X*field.X+field.Y*field.Y < 1e-12 {
		return energy, level // all directions have the same energy, and this one's reflection is rounding
	}
	// Between -4 pi and 2 pi.
	angle := lattice.Wrap(lattice.Wrap(2*math.Atan2(field.Y, field.X) - c.angles[site]))
	spin := lattice.SpinOf(angle)
	to, change := k.after(c, site, spin, energy)
	if to != level && (to < 0 || !k.weights.accepts(level, to, unit(rng))) {
		return energy, level
	}
	c.set(state, site, angle, spin)
	return energy + change, to
}
