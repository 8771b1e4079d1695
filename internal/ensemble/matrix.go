// Package ensemble is about many runs that belong together: the matrix of settings that they are made
// of, and what follows from all of them. Runs that differ only by run.seed are merged into one density
// of states; systems that differ only by their quenched disorder, realisations, are averaged.
//
// A Spec is what somebody asked for, Expand makes its Matrix, and Collect the Result of the members
// that are done, which can grow as they become more. A Result is a function of these members' files
// alone. Nothing here draws random numbers.
package ensemble

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxMembers is how many members a group may have.
const MaxMembers = 10000

// mostSeed is the largest of the Seeds where they are counted on for MaxMembers realisations.
const mostSeed = 1 << 48

// Keys of the two axes over which results are merged or averaged; all others tell points of the
// matrix apart.
const (
	SeedKey     = "run.seed"
	DisorderKey = "system.disorder_seed"
)

// Couplings are those of one realisation of a system of model file.
type Couplings struct {
	// Title tells it from the others, and List is a list as in system.couplings.
	Title string `yaml:"title"`
	List  string `yaml:"list"`
}

// Spec is what a group is to be: a configuration and settings that go before it, of which each may
// have several values.
type Spec struct {
	Config string   `yaml:"config,omitempty"` // YAML
	Set    []string `yaml:"set,omitempty,flow"`
	// Seeds are the values of run.seed, as in 1..32; see Member.Seed.
	Seeds string `yaml:"seeds,omitempty"`
	// Betas are the inverse temperatures of averages; see ParseBetas.
	Betas string `yaml:"betas,omitempty"`
	// Couplings are realisations in the place of values of system.disorder_seed.
	Couplings []Couplings `yaml:"couplings,omitempty" json:",omitempty"`
}

// Axis is a setting with several values.
type Axis struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// Matrix is all combinations of the values of a Spec.
type Matrix struct {
	// Fixed are the settings with one value.
	Fixed []string
	// Axes are those with several, except SeedKey and DisorderKey, in the order given. Their
	// combinations are the points; the last axis runs fastest.
	Axes []Axis
	// Disorder are the realisations at each point, Seeds the runs of each of them; nil for what the
	// configuration says, once.
	Disorder, Seeds []uint64
	Couplings       []Couplings // realisations in the place of Disorder
	Betas           []float64
}

// Member is one run of a matrix.
type Member struct {
	Index       int // from 0, of all
	Point       int
	Realisation int // from 0, at the point
	// Disorder and Seed are the values of DisorderKey and SeedKey, and Title that of its Couplings; nil and
	// empty for those of the configuration.
	// Realisations of a point have no seed in common, as equal random numbers would make their errors
	// dependent: the second one has the seeds that follow those of the first, and so on.
	Disorder, Seed *uint64
	Title          string
}

// Expand makes the matrix of a specification. All faults are reported at once. The configurations
// that result are checked elsewhere.
func Expand(s Spec) (*Matrix, error) {
	m := &Matrix{Couplings: s.Couplings}
	var faults []error
	numbers := func(key, text string) []uint64 {
		var all []uint64
		texts, err := values(key, text)
		for _, t := range texts {
			n, fault := strconv.ParseUint(t, 10, 64)
			switch {
			case fault != nil:
				err = errors.Join(err, fmt.Errorf("%s: %q is not a whole number of at least 0", key, t))
			case slices.Contains(all, n):
				err = errors.Join(err, fmt.Errorf("%s: %d is there twice", key, n))
			}
			all = append(all, n)
		}
		if err != nil {
			faults = append(faults, err)
		}
		return all
	}
	if s.Seeds != "" {
		m.Seeds = numbers("seeds", s.Seeds)
	}
	last := map[string]int{} // of the settings with a key, the one that counts
	for i, set := range s.Set {
		last[keyOf(set)] = i
	}
	for i, set := range s.Set {
		_, text, ok := strings.Cut(set, "=")
		key := keyOf(set)
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("--set %s: write --set key=value, or key=value,value for several", set))
			continue
		case last[key] != i:
			continue
		case key == SeedKey && s.Seeds != "":
			faults = append(faults, fmt.Errorf("%s: it is given twice, by seeds and by %s; leave one out", key, set))
			continue
		}
		switch key {
		case SeedKey:
			m.Seeds = numbers(key, text)
			continue
		case DisorderKey:
			m.Disorder = numbers(key, text)
			continue
		}
		all, err := values(key, text)
		switch {
		case err != nil:
			faults = append(faults, err)
		case len(all) == 1:
			m.Fixed = append(m.Fixed, key+"="+all[0])
		default:
			if twice := firstTwice(all); twice != "" {
				faults = append(faults, fmt.Errorf("%s: %q is there twice", key, twice))
			}
			m.Axes = append(m.Axes, Axis{key, all})
		}
	}
	for i, a := range m.Couplings {
		for _, b := range m.Couplings[:i] {
			if a.Title == b.Title || a.List == b.List {
				faults = append(faults, fmt.Errorf("couplings: %s and %s are the same title or list; realisations must differ", b.Title, a.Title))
				break
			}
		}
	}
	if m.Couplings != nil && m.Disorder != nil {
		faults = append(faults, fmt.Errorf("%s: the realisations are those of the couplings; leave it out", DisorderKey))
	}
	var err error
	if m.Betas, err = ParseBetas(s.Betas); err != nil {
		faults = append(faults, err)
	}
	if n := m.size(); n > MaxMembers {
		faults = append(faults, fmt.Errorf("the matrix %s has %.15g members, at most %d are allowed; divide it among several groups", m.shape(), n, MaxMembers))
	}
	if m.Averages() && m.Seeds != nil && slices.Max(m.Seeds) > mostSeed {
		faults = append(faults, fmt.Errorf("seeds: %d is too large to be counted on for every realisation; take small numbers, as in 1..8", slices.Max(m.Seeds)))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return m, nil
}

// keyOf is the key of a setting.
func keyOf(set string) string {
	key, _, _ := strings.Cut(set, "=")
	return strings.ToLower(strings.TrimSpace(key))
}

func firstTwice(all []string) string {
	for i, a := range all {
		if slices.Contains(all[:i], a) {
			return a
		}
	}
	return ""
}

// size is the number of members, as a number that does not overflow.
func (m *Matrix) size() float64 {
	n := float64(m.seeds()) * float64(m.realisations())
	for _, a := range m.Axes {
		n *= float64(len(a.Values))
	}
	return n
}

// shape says of what numbers the size is the product.
func (m *Matrix) shape() string {
	var factors []string
	for _, a := range m.Axes {
		factors = append(factors, fmt.Sprintf("%d (%s)", len(a.Values), a.Key))
	}
	for _, of := range []struct {
		n   int
		key string
	}{{len(m.Disorder), DisorderKey}, {len(m.Couplings), "couplings"}, {len(m.Seeds), SeedKey}} {
		if of.n > 1 {
			factors = append(factors, fmt.Sprintf("%d (%s)", of.n, of.key))
		}
	}
	return strings.Join(factors, " x ")
}

// Points is the number of points, and Len that of members.
func (m *Matrix) Points() int {
	n := 1
	for _, a := range m.Axes {
		n *= len(a.Values)
	}
	return n
}

func (m *Matrix) Len() int { return m.Points() * m.realisations() * m.seeds() }

func (m *Matrix) realisations() int { return max(len(m.Disorder), len(m.Couplings), 1) }
func (m *Matrix) seeds() int        { return max(len(m.Seeds), 1) }

// Averages reports whether results are averages over realisations.
func (m *Matrix) Averages() bool { return m.realisations() > 1 }

// Realise are the settings of a realisation, of the form key=value.
func (m *Matrix) Realise(realisation int) []string {
	switch {
	case m.Couplings != nil:
		c := m.Couplings[realisation]
		return []string{"system.file=", "system.title=" + c.Title, "system.couplings=" + c.List}
	case m.Disorder != nil:
		return []string{fmt.Sprintf("%s=%d", DisorderKey, m.Disorder[realisation])}
	}
	return nil
}

// Values are those of the axes at a point.
func (m *Matrix) Values(point int) []string {
	all := make([]string, len(m.Axes))
	for k := len(m.Axes) - 1; k >= 0; k-- {
		n := len(m.Axes[k].Values)
		all[k] = m.Axes[k].Values[point%n]
		point /= n
	}
	return all
}

// Settings are all settings at a point, of the form key=value.
func (m *Matrix) Settings(point int) []string {
	all := slices.Clone(m.Fixed)
	for k, value := range m.Values(point) {
		all = append(all, m.Axes[k].Key+"="+value)
	}
	return all
}

// span is the number of seeds from the least to the largest.
func (m *Matrix) span() uint64 { return slices.Max(m.Seeds) - slices.Min(m.Seeds) + 1 }

// Member is the member of an index: those of a point follow each other, and within it those of a
// realisation. first is the run.seed of the configuration, which counts where there are no Seeds.
func (m *Matrix) Member(index int, first uint64) Member {
	k := Member{Index: index}
	seed := index % m.seeds()
	realisation := index / m.seeds() % m.realisations()
	k.Point, k.Realisation = index/m.seeds()/m.realisations(), realisation
	if m.Disorder != nil {
		k.Disorder = &m.Disorder[realisation]
	}
	if m.Couplings != nil {
		k.Title = m.Couplings[realisation].Title
	}
	switch {
	case m.Seeds != nil:
		n := m.Seeds[seed] + uint64(realisation)*m.span()
		k.Seed = &n
	case m.Averages():
		n := first + uint64(realisation)
		k.Seed = &n
	}
	return k
}

// Label names a point by its values, for folders and figures; it is empty if there is but one point.
func (m *Matrix) Label(point int) string {
	var parts []string
	for k, value := range m.Values(point) {
		_, name, _ := strings.Cut(m.Axes[k].Key, ".")
		parts = append(parts, name+"="+value)
	}
	return strings.Join(parts, ",")
}

// mostFolder bounds the name of a point's folder.
const mostFolder = 100

// Folder is where results of a point are, within those of the group: empty if there is but one point.
func (m *Matrix) Folder(point int) string {
	label := m.Label(point)
	if label == "" {
		return ""
	}
	safe := strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._=,+-", c) {
			return c
		}
		return '_'
	}, label)
	if safe != label || len(safe) > mostFolder { // which may name several
		safe = fmt.Sprintf("%d_%.*s", point+1, mostFolder, safe)
	}
	return "points/" + safe
}
