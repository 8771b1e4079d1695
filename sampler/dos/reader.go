package dos

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Reader reads densities of states, also those that other programs wrote. Its zero value
// takes nothing for granted.
type Reader struct {
	// ZerosUnvisited leaves out the levels with ln g = 0, which is how some programs write a
	// level never visited.
	ZerosUnvisited bool
	// Note is told, in a sentence, what a reader should know of a file that is not quite what
	// this package writes: levels without ln g, which are left out, and columns without names.
	// If it is nil, these are errors.
	Note func(text string)
}

// note passes on a fact and what was made of it.
func (r Reader) note(fact, consequence string) error {
	if r.Note == nil {
		return errors.New(fact)
	}
	r.Note(fact + ": " + consequence)
	return nil
}

// The quantities of a table or an archive.
const (
	energyOf = iota
	lnGOf
	gOf // the number of states itself, used where there is no ln g
	errorOf
	quantities
)

// wanted says what a table or an archive must name.
const wanted = "energy (or energies, E) and ln_g (or ln g, lng, log_g, S) or g are needed; ln_g_error (or error, err, sigma, dlng) is optional"

// quantity returns which quantity a name means, -1 for none. Case, blanks, underscores,
// hyphens, brackets and the argument (E) do not matter.
func quantity(name string) int {
	name = strings.ToLower(name)
	name = strings.NewReplacer("(e)", "", "[e]", "").Replace(name)
	name = strings.NewReplacer(" ", "", "_", "", "-", "", "(", "", ")", "", "[", "", "]", "").Replace(name)
	switch name {
	case "energy", "energies", "energie", "énergie", "e":
		return energyOf
	case "lng", "logg", "s":
		return lnGOf
	case "g":
		return gOf
	case "lngerror", "lngerr", "loggerror", "loggerr", "error", "err", "sigma", "dlng":
		return errorOf
	}
	return -1
}

// find returns the places of the quantities among names, -1 for those that are absent. It
// is an error if two names mean the same.
func find(names []string) (at [quantities]int, err error) {
	at = [quantities]int{-1, -1, -1, -1}
	for i, name := range names {
		k := quantity(name)
		if k < 0 {
			continue
		}
		if at[k] >= 0 {
			return at, fmt.Errorf("two columns are named %s: %q and %q", []string{energyColumn, lnGColumn, "g", errorColumn}[k], names[at[k]], name)
		}
		at[k] = i
	}
	return at, nil
}

// complete reports whether there are energies and ln g, or g.
func complete(at [quantities]int) bool { return at[energyOf] >= 0 && (at[lnGOf] >= 0 || at[gOf] >= 0) }

// levels are the levels in the order of a file. ln g is NaN or -Inf where there is none.
type levels struct {
	Density
	place []int // number of the line or element of each level
}

// add appends a level. If a number is impossible it returns whose and why.
func (l *levels) add(place int, energy, lnG, deviation float64) (at int, why string) {
	l.Energy, l.LnG, l.Error = append(l.Energy, energy), append(l.LnG, lnG), append(l.Error, deviation)
	l.place = append(l.place, place)
	switch {
	case math.IsNaN(energy) || math.IsInf(energy, 0):
		return energyOf, "is not an energy"
	case math.IsInf(lnG, 1):
		return lnGOf, "is not finite"
	case deviation < 0 || math.IsInf(deviation, 0):
		return errorOf, "is not a standard error"
	}
	return -1, ""
}

// density leaves out the levels without ln g and puts the others in ascending order. unit is
// what places number; withErrors is whether the file has errors.
func (r Reader) density(l levels, unit string, withErrors bool) (*Density, error) {
	d, zeros, first := &Density{}, 0, -1
	order := make([]int, 0, len(l.place))
	for i, x := range l.LnG {
		if x == 0 {
			zeros++
		}
		if math.IsNaN(x) || math.IsInf(x, -1) || x == 0 && r.ZerosUnvisited {
			if first < 0 {
				first = l.place[i]
			}
			continue
		}
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.Energy[a], l.Energy[b]) })
	for k, i := range order {
		if k > 0 && l.Energy[i] == l.Energy[order[k-1]] {
			return nil, fmt.Errorf("energies must ascend: %ss %d and %d both have %v", unit, l.place[order[k-1]], l.place[i], l.Energy[i])
		}
		d.Energy, d.LnG = append(d.Energy, l.Energy[i]), append(d.LnG, l.LnG[i])
		if withErrors {
			d.Error = append(d.Error, l.Error[i])
		}
	}
	if err := d.Validate(); err != nil {
		if n := len(l.place); n > 0 {
			err = fmt.Errorf("none of its %d levels has ln g", n)
		}
		return nil, err
	}
	if n := len(l.place) - d.Len(); n > 0 {
		fact := fmt.Sprintf("%d of %d levels without ln g, the first in %s %d", n, len(l.place), unit, first)
		if err := r.note(fact, "taken as never visited and left out"); err != nil {
			return nil, err
		}
	}
	// Two may be right: the lowest and the highest level of an asymmetric system.
	if zeros > 2 && !r.ZerosUnvisited && r.Note != nil {
		r.Note(fmt.Sprintf("%d levels have ln g = 0: if they were never visited, read the file with zeros-unvisited", zeros))
	}
	return d, nil
}
