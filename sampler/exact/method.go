package exact

import (
	"errors"
	"fmt"
)

// Method names a way to compute a density of states.
type Method string

const (
	// Auto selects the method with the shortest predicted time.
	Auto Method = ""
	// Enumeration visits every configuration.
	Enumeration Method = "enumeration"
	// Kaufman expands the closed solution of the Ising model; q = 2 only.
	Kaufman Method = "kaufman"
	// TransferMatrix builds the lattice up site by site.
	TransferMatrix Method = "transfer-matrix"
	// Elimination builds any system up site by site; not for the Potts model on the square lattice,
	// for which TransferMatrix is faster.
	Elimination Method = "elimination"
)

// Limits of the systems that this package accepts.
const (
	// minSide: from three sites per side on, two sites share at most one bond.
	minSide = 3
	// maxColours: a colour must fit in a byte, as everywhere in the sampler.
	maxColours = 255
	// maxSites keeps predictions for hopeless sizes from overflowing; the methods' own
	// limits are far lower.
	maxSites = 1 << 24
)

// validate returns all faults of the arguments, or nil.
func validate(method Method, q, lx, ly int) error {
	var faults []error
	if q < 2 || q > maxColours {
		faults = append(faults, fmt.Errorf("number of colours q=%d is out of range: choose 2 to %d", q, maxColours))
	}
	for _, side := range []struct {
		name string
		n    int
	}{{"Lx", lx}, {"Ly", ly}} {
		if side.n < minSide {
			faults = append(faults, fmt.Errorf("side %s=%d is too short, a periodic side below %d has double bonds: "+
				"choose at least %d", side.name, side.n, minSide, minSide))
		}
	}
	if lx >= minSide && ly > maxSites/lx {
		faults = append(faults, fmt.Errorf("%dx%d has more than %d sites, out of reach of any method: "+
			"choose shorter sides", lx, ly, maxSites))
	}
	switch method {
	case Auto, Enumeration, TransferMatrix:
	case Kaufman:
		if q != 2 {
			faults = append(faults, fmt.Errorf("method %s solves q=2, not q=%d: choose %s", Kaufman, q, TransferMatrix))
		}
	case Elimination:
		faults = append(faults, fmt.Errorf("method %s is for systems other than the Potts model on the square lattice: choose %s", Elimination, TransferMatrix))
	default:
		faults = append(faults, fmt.Errorf("unknown method %q: choose %s, %s, %s, or none for the fastest",
			method, Enumeration, Kaufman, TransferMatrix))
	}
	return errors.Join(faults...)
}
