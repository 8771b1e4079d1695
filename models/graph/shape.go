package graph

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Dynamic is the one dimension known only at run time: the batch size M.
const Dynamic = -1

// Shape lists the dimensions of a tensor, outermost first; a scalar has none. A dimension
// -k stands for k·M with M the run-time batch: Dynamic itself is M, and flattening [M 10
// 32] to two axes gives [10M 32], stored as {-10, 32}. M counts as different from every
// static dimension, even 1, so that whether an axis is broadcast is always decided while
// the graph is built.
type Shape []int

// String prints the shape as in [M 10 32].
func (s Shape) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range s {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(dimString(d))
	}
	b.WriteByte(']')
	return b.String()
}

func dimString(d int) string {
	switch {
	case d == Dynamic:
		return "M"
	case d < 0:
		return strconv.Itoa(-d) + "M"
	}
	return strconv.Itoa(d)
}

// Equal reports whether both shapes agree in every dimension.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// Static reports whether no dimension depends on the batch.
func (s Shape) Static() bool {
	return !slices.ContainsFunc(s, func(d int) bool { return d < 0 })
}

// Elements returns the number of elements of a static shape, 1 for a scalar. It panics if a
// dimension is dynamic, since the number is then unknown.
func (s Shape) Elements() int {
	if !s.Static() {
		panic("graph: Elements of the dynamic shape " + s.String())
	}
	return s.volume().factor
}

// volume is a number of elements, factor·M^power.
type volume struct{ factor, power int }

func (s Shape) volume() volume {
	v := volume{factor: 1}
	for _, d := range s {
		if d < 0 {
			v.factor *= -d
			v.power++
		} else {
			v.factor *= d
		}
	}
	return v
}

// over returns the one dimension d with w·d = v.
func (v volume) over(w volume) (int, error) {
	power := v.power - w.power
	if w.factor == 0 || v.factor%w.factor != 0 || power < 0 || power > 1 {
		return 0, errors.New("the inferred dimension is not a whole multiple")
	}
	d := v.factor / w.factor
	if power == 1 {
		d = -d
	}
	return d, nil
}

// positiveAxis returns axis counted from the front for a tensor of that rank.
func positiveAxis(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of %d axes", axis, rank)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// positiveAxes is positiveAxis for a set: sorted, without repetitions.
func positiveAxes(axes []int, rank int) ([]int, error) {
	out := make([]int, 0, len(axes))
	for _, axis := range axes {
		a, err := positiveAxis(axis, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, a) {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		out = append(out, a)
	}
	slices.Sort(out)
	return out, nil
}

// broadcast returns the numpy-style common shape of all the given ones.
func broadcast(shapes ...Shape) (Shape, error) {
	rank := 0
	for _, s := range shapes {
		rank = max(rank, len(s))
	}
	out := make(Shape, rank)
	for i := range out {
		out[i] = 1
	}
	for _, s := range shapes {
		lead := rank - len(s)
		for i, d := range s {
			have := &out[lead+i]
			switch {
			case d == *have || d == 1:
			case *have == 1:
				*have = d
			default:
				return nil, fmt.Errorf("dimensions %s and %s do not broadcast",
					dimString(*have), dimString(d))
			}
		}
	}
	return out, nil
}
