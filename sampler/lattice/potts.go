// Package lattice holds spin systems: their configurations, energies and symmetries. It
// draws no samples and knows no density of states.
//
// A System is what sampling needs to know: sites, colours, and the energy of a configuration as a
// level. NewPotts makes the Potts model on the square lattice, which has kernels of its own; NewPotts3D,
// NewBlumeCapel, NewIsingField, NewRandomBond, NewBaxterWu and NewClock make others, and New makes any system
// whose energy is a sum of terms of up to three sites, from a Model. Check functions tell beforehand
// whether sizes and couplings are possible, with all faults in one error.
//
// A configuration is a []uint8 with a colour for every site, in raster order, and belongs to the caller.
// Systems do not change once they are made and may be used by many goroutines. A Frame, a random element
// of the symmetries of a Symmetric system, has memory of its own: one for each goroutine.
package lattice

import (
	"errors"
	"fmt"
	"math"
)

// Limits of a Potts system. A torus needs three sites per side: with two, the left and right
// neighbours of a site would be the same site and every bond would count twice. A colour is
// stored in one byte.
const (
	MinSide    = 3
	MinColours = 2
	MaxColours = 255
	maxSites   = 1 << 24
)

// Coordination is the number of neighbours of a site of the square lattice.
const Coordination = 4

// Potts is the q-state Potts model on a periodic square lattice of Lx x Ly
// sites without field,
//
//	E = -J sum over bonds <ij> of delta(s_i, s_j),  J = 1,
//
// so that E = -B, where B is the number of satisfied bonds, 0..2N. The Ising model is q = 2,
// with its usual energy -sum s_i s_j = 2E + 2N.
//
// Site i = y*Lx + x has a colour 0..q-1, and a configuration is a []uint8 of N colours. B is
// the level of a configuration.
type Potts struct {
	q, lx, ly  int
	neighbours []int32 // right, left, down, up of site i at [4*i, 4*i+4)
}

// Check returns an error that names every argument for which there is no Potts model.
func Check(q, lx, ly int) error {
	var faults []error
	if q < MinColours || q > MaxColours {
		faults = append(faults, fmt.Errorf("q = %d: the number of colours must be %d..%d", q, MinColours, MaxColours))
	}
	if lx < MinSide || ly < MinSide {
		faults = append(faults, fmt.Errorf("size = %dx%d: each side of the torus must be at least %d", lx, ly, MinSide))
	} else if lx > maxSites/ly {
		faults = append(faults, fmt.Errorf("size = %dx%d: more than %d sites", lx, ly, maxSites))
	}
	if len(faults) > 0 {
		return fmt.Errorf("potts model: %w", errors.Join(faults...))
	}
	return nil
}

// NewPotts returns the q-state Potts model on an lx x ly torus, or the error of Check.
func NewPotts(q, lx, ly int) (*Potts, error) {
	if err := Check(q, lx, ly); err != nil {
		return nil, err
	}
	p := &Potts{q: q, lx: lx, ly: ly, neighbours: make([]int32, Coordination*lx*ly)}
	for y := range ly {
		for x := range lx {
			i := y*lx + x
			p.neighbours[4*i+0] = int32(y*lx + (x+1)%lx)
			p.neighbours[4*i+1] = int32(y*lx + (x+lx-1)%lx)
			p.neighbours[4*i+2] = int32((y+1)%ly*lx + x)
			p.neighbours[4*i+3] = int32((y+ly-1)%ly*lx + x)
		}
	}
	return p, nil
}

// Q is the number of colours.
func (p *Potts) Q() int { return p.q }

// Size returns the sides Lx and Ly.
func (p *Potts) Size() (lx, ly int) { return p.lx, p.ly }

// Sides are Lx and Ly.
func (p *Potts) Sides() []int { return []int{p.lx, p.ly} }

// Colours is q.
func (p *Potts) Colours() int { return p.q }

// Sites is the number of sites N = Lx Ly.
func (p *Potts) Sites() int { return p.lx * p.ly }

// Levels is the number of nominal values of B, 2N+1; Possible excludes values that no
// configuration has.
func (p *Potts) Levels() int { return 2*p.Sites() + 1 }

// Energy of the level B, -B in units of J.
func (p *Potts) Energy(level int) float64 { return float64(-level) }

// GroundLevel is the level of the q uniform configurations, 2N.
func (p *Potts) GroundLevel() int { return 2 * p.Sites() }

// PeakLevel is the mean level at infinite temperature, 2N/q rounded down. The density of
// states has its maximum within a level or two of it.
func (p *Potts) PeakLevel() int { return 2 * p.Sites() / p.q }

// LnStates is ln q^N, the logarithm of the number of configurations.
func (p *Potts) LnStates() float64 { return float64(p.Sites()) * math.Log(float64(p.q)) }

// LnGroundStates is ln q, the logarithm of the degeneracy of the ground state.
func (p *Potts) LnGroundStates() float64 { return math.Log(float64(p.q)) }

// Possible reports whether a configuration can have the level B. It excludes the levels
// that none has:
//
//   - A domain wall on the torus crosses at least four bonds and never five, so 2N-1, 2N-2,
//     2N-3 and 2N-5 are empty.
//   - With two colours every row and every column is crossed an even number of times, so
//     2N-B is even, and at most one bond per row or column of odd length less than all.
//   - With two colours and two even sides, exchanging the colours on one sublattice turns B
//     into 2N-B, so 2 is empty as 2N-2 is.
//   - Three colours on 3x3 have no configuration with one satisfied bond.
//
// Exact counting confirms that no other level is empty on all lattices that it reaches.
func (p *Potts) Possible(level int) bool {
	unsatisfied := p.GroundLevel() - level
	switch {
	case level < 0 || unsatisfied < 0:
		return false
	case unsatisfied == 1 || unsatisfied == 2 || unsatisfied == 3 || unsatisfied == 5:
		return false
	case p.q == 2 && p.lx%2 == 0 && p.ly%2 == 0:
		return unsatisfied%2 == 0 && level != 2
	case p.q == 2:
		most := p.ly*(p.lx-p.lx%2) + p.lx*(p.ly-p.ly%2)
		return unsatisfied%2 == 0 && unsatisfied <= most
	case p.q == 3 && p.lx == 3 && p.ly == 3:
		return level != 1
	}
	return true
}

// ColoursOrder is true.
func (p *Potts) ColoursOrder() bool { return true }

// LevelsKnown is true: see Possible.
func (p *Potts) LevelsKnown() bool { return true }

// MaxStep is the largest change of B by one site, all of its bonds.
func (p *Potts) MaxStep() int { return Coordination }

// InfiniteTransition is ln(1 + sqrt q), by self-duality (Potts, Proc. Camb. Phil. Soc.
// 48, 106 (1952)).
func (p *Potts) InfiniteTransition() float64 { return math.Log(1 + math.Sqrt(float64(p.q))) }

// Neighbours returns the neighbour table, the right, left, lower and upper
// neighbour of site i at [4i, 4i+4). It is shared and must not be written.
func (p *Potts) Neighbours() []int32 { return p.neighbours }

// Bonds counts the satisfied bonds B of a configuration of N colours.
func (p *Potts) Bonds(state []uint8) int { return bonds(p.lx, p.ly, state) }

// Level is Bonds.
func (p *Potts) Level(state []uint8) int { return p.Bonds(state) }

// BondsInt32 is Bonds for a configuration held as int32, the element type of the
// networks' tensors.
func (p *Potts) BondsInt32(state []int32) int { return bonds(p.lx, p.ly, state) }

// LevelInt32 is BondsInt32.
func (p *Potts) LevelInt32(state []int32) int { return p.BondsInt32(state) }

func bonds[S uint8 | int32](lx, ly int, state []S) int {
	count := 0
	above := state[(ly-1)*lx : ly*lx]
	for y := range ly {
		row := state[y*lx : y*lx+lx]
		left := row[lx-1]
		for x, s := range row {
			if s == left {
				count++
			}
			if s == above[x] {
				count++
			}
			left = s
		}
		above = row
	}
	return count
}

// Validate returns an error if state is not a configuration of this system.
func (p *Potts) Validate(state []uint8) error { return validate(p, state) }

func (p *Potts) String() string { return fmt.Sprintf("potts q=%d %dx%d", p.q, p.lx, p.ly) }
