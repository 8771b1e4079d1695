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
	binWidthOf // of the bin that a level is, its mean energy, and the variance of that
	binMeanOf
	binVarianceOf
	binCountOf // of measurements of these, absent for what is exact
	secondOf   // the second variable of a joint density
	quantities
)

// none are places of quantities that are all absent.
var none = [quantities]int{-1, -1, -1, -1, -1, -1, -1, -1, -1}

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
	case "energywidth":
		return binWidthOf
	case "energymean":
		return binMeanOf
	case "energyvariance":
		return binVarianceOf
	case "energymeasurements":
		return binCountOf
	}
	if secondName(name) != "" {
		return secondOf
	}
	return -1
}

// secondName is that of a second variable by the name of a column, empty for others.
func secondName(column string) string {
	name := strings.Replace(strings.ToLower(column), "magnetization", "magnetisation", 1)
	if slices.Contains(seconds, name) {
		return name
	}
	return ""
}

// find returns the places of the quantities among names, -1 for those that are absent. It
// is an error if two names mean the same.
func find(names []string) (at [quantities]int, err error) {
	at = none
	for i, name := range names {
		k := quantity(name)
		if k < 0 {
			continue
		}
		if at[k] >= 0 {
			return at, fmt.Errorf("two columns are named %s: %q and %q", [quantities]string{energyColumn, lnGColumn, "g", errorColumn, widthColumn, meanColumn, varianceColumn, countColumn, "magnetisation, squares or colour"}[k], names[at[k]], name)
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
	// width, mean and variance of bins, nil unless the file has all of them.
	width, mean, variance []float64
	count                 []int64 // nil unless the file has it
	// second are the values of the second variable of that name, nil unless the file has it.
	second []float64
	name   string
}

// binned reports whether there are all quantities of bins.
func binned(at [quantities]int) bool {
	return at[binWidthOf] >= 0 && at[binMeanOf] >= 0 && at[binVarianceOf] >= 0
}

// addBin appends what is known of the bin of a level. If a number is impossible it returns whose
// and why.
func (l *levels) addBin(width, mean, variance, count float64, counted bool) (at int, why string) {
	if counted {
		l.count = append(l.count, int64(count))
	}
	l.width, l.mean, l.variance = append(l.width, width), append(l.mean, mean), append(l.variance, variance)
	centre := l.Energy[len(l.mean)-1]
	switch {
	case !(width > 0) || math.IsInf(width, 0) || width != l.width[0]:
		return binWidthOf, "is not the width of a bin, the same for all levels"
	case !(math.Abs(mean-centre) <= width):
		return binMeanOf, "is not in the bin"
	case !(variance >= 0) || math.IsInf(variance, 0):
		return binVarianceOf, "is not a variance"
	case counted && !(count >= 0 && count < 1<<62 && count == math.Trunc(count)):
		return binCountOf, "is not a number of measurements"
	}
	return -1, ""
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
// what places number; withErrors is whether the file has errors. Of a joint density it also returns the pairs,
// and their numbers for energies.
func (r Reader) density(l levels, unit string, withErrors bool) (*Density, *pairs, error) {
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
	slices.SortStableFunc(order, func(a, b int) int {
		c := cmp.Compare(l.Energy[a], l.Energy[b])
		if c == 0 && l.second != nil {
			c = cmp.Compare(l.second[a], l.second[b])
		}
		return c
	})
	joint := l.pairsOf(order)
	for k, i := range order {
		energy := l.Energy[i]
		switch {
		case joint != nil:
			if energy = float64(k); k > 0 && joint.energy[k] == joint.energy[k-1] && joint.second[k] == joint.second[k-1] {
				return nil, nil, fmt.Errorf("pairs must ascend: %ss %d and %d both have the energy %v and the %s %v", unit, l.place[order[k-1]], l.place[i], l.Energy[i], joint.name, joint.second[k])
			}
		case k > 0 && energy == l.Energy[order[k-1]]:
			return nil, nil, fmt.Errorf("energies must ascend: %ss %d and %d both have %v", unit, l.place[order[k-1]], l.place[i], energy)
		}
		d.Energy, d.LnG = append(d.Energy, energy), append(d.LnG, l.LnG[i])
		if withErrors {
			d.Error = append(d.Error, l.Error[i])
		}
		if l.width != nil {
			if d.Bins == nil {
				d.Bins = &Bins{Width: l.width[0]}
			}
			d.Bins.Mean, d.Bins.Variance = append(d.Bins.Mean, l.mean[i]-l.Energy[i]), append(d.Bins.Variance, l.variance[i])
			if l.count != nil {
				d.Bins.Count = append(d.Bins.Count, l.count[i])
			}
		}
	}
	if err := d.Validate(); err != nil {
		if n := len(l.place); n > 0 {
			err = fmt.Errorf("none of its %d levels has ln g", n)
		}
		return nil, nil, err
	}
	if n := len(l.place) - d.Len(); n > 0 {
		fact := fmt.Sprintf("%d of %d levels without ln g, the first in %s %d", n, len(l.place), unit, first)
		if err := r.note(fact, "taken as never visited and left out"); err != nil {
			return nil, nil, err
		}
	}
	// Two may be right: the lowest and the highest level of an asymmetric system.
	if zeros > 2 && !r.ZerosUnvisited && r.Note != nil {
		r.Note(fmt.Sprintf("%d levels have ln g = 0: if they were never visited, read the file with zeros-unvisited", zeros))
	}
	return d, joint, nil
}
