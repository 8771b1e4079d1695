package dos

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"neuralwl/internal/long"
)

// class is the set of configurations with one level and one value of the order parameter m
// = (q max n_c / N - 1) / (q - 1), with n_c sites of colour c.
type class struct {
	level  int
	m      float64
	states float64
}

// classes enumerates a small Potts lattice: its exact density of states and its classes.
func classes(q, l int) (*Density, []class) {
	number := map[float64]map[int]float64{} // by energy and largest n_c
	colours := make([]int, q)
	configurations(q, l, func(state []int, energy float64) {
		clear(colours)
		for _, c := range state {
			colours[c]++
		}
		if number[energy] == nil {
			number[energy] = map[int]float64{}
		}
		number[energy][slices.Max(colours)]++
	})
	d := &Density{}
	for energy := range number {
		d.Energy = append(d.Energy, energy)
	}
	slices.Sort(d.Energy)
	var all []class
	for i, energy := range d.Energy {
		total := 0.0
		for n := range l*l + 1 {
			if states := number[energy][n]; states > 0 {
				all = append(all, class{i, (float64(q*n)/float64(l*l) - 1) / float64(q-1), states})
				total += states
			}
		}
		d.LnG = append(d.LnG, math.Log(total))
	}
	return d, all
}

// powers returns |m|, m^2 and m^4.
func powers(m float64) []float64 { return []float64{m, m * m, m * m * m * m} }

// microcanonical returns the exact means of the powers, by observable and level.
func microcanonical(levels int, all []class) [][]float64 {
	count, means := make([]float64, levels), [][]float64{make([]float64, levels), make([]float64, levels), make([]float64, levels)}
	for _, c := range all {
		count[c.level] += c.states
	}
	for _, c := range all {
		for o, x := range powers(c.m) {
			means[o][c.level] += c.states / count[c.level] * x
		}
	}
	return means
}

// zeros returns an empty block of measurements of the powers.
func zeros(levels int) [][]float64 {
	return [][]float64{make([]float64, levels), make([]float64, levels), make([]float64, levels)}
}

// exactOrder sums over all configurations, each with its Boltzmann probability.
func exactOrder(d *Density, all []class, sites int, beta float64) Order {
	z, sums := 0.0, make([]float64, 3)
	for _, c := range all {
		p := c.states * math.Exp(-beta*d.Energy[c.level])
		z += p
		for o, x := range powers(c.m) {
			sums[o] += p * x
		}
	}
	m, m2, m4 := sums[0]/z, sums[1]/z, sums[2]/z
	return Order{beta, m, m2, m4, beta * float64(sites) * (m2 - m*m), 1 - m4/(3*m2*m2)}
}

func (o Order) values() []float64 {
	return []float64{o.Mean, o.Square, o.Fourth, o.Susceptibility, o.Binder}
}

func (o OrderEstimate) deviations() []float64 {
	return []float64{o.MeanError, o.SquareError, o.FourthError, o.SusceptibilityError, o.BinderError}
}

// TestOrderAgainstEnumeration measures every configuration once for each of three blocks,
// some levels more often.
func TestOrderAgainstEnumeration(t *testing.T) {
	for _, c := range []struct{ q, l int }{{2, 3}, {3, 3}, {2, 4}} {
		d, all := classes(c.q, c.l)
		energy := slices.Clone(d.Energy)
		slices.Reverse(energy) // levels may be in this order
		m := Measurements{Energy: energy}
		for range 3 {
			count, sums := make([]int64, d.Len()), zeros(d.Len())
			for _, a := range all {
				b := d.Len() - 1 - a.level
				weight := int64(a.states) * int64(1+a.level%3)
				count[b] += weight
				for o, x := range powers(a.m) {
					sums[o][b] += float64(weight) * x
				}
			}
			m.Count, m.Sums = append(m.Count, count), append(m.Sums, sums)
		}
		means, err := m.Means()
		if err != nil {
			t.Fatal(err)
		}
		mean, deviation := means.At(append([]float64{-1000}, d.Energy...))
		for o, want := range microcanonical(d.Len(), all) {
			if !math.IsNaN(mean[o][0]) || !math.IsNaN(deviation[o][0]) {
				t.Errorf("the mean of a level that was not measured is %v(%v)", mean[o][0], deviation[o][0])
			}
			for i := range want {
				if !near(mean[o][1+i], want[i], 1e-13) || !near(deviation[o][1+i], 0, 1e-13) {
					t.Errorf("%v: observable %d at %v is %v(%v), want %v", c, o, d.Energy[i], mean[o][1+i], deviation[o][1+i], want[i])
				}
			}
		}
		e := &Ensemble{Density: d, Replicas: []*Density{d, d, d}}
		betas := []float64{-0.5, 0, 0.3, 0.88, 1.5, 4}
		orders, err := means.Order(e, betas, c.l*c.l)
		if err != nil {
			t.Fatal(err)
		}
		for i, beta := range betas {
			want := exactOrder(d, all, c.l*c.l, beta).values()
			for k, got := range orders[i].values() {
				if !near(got, want[k], 1e-12) || !near(orders[i].deviations()[k], 0, 1e-11) {
					t.Errorf("%v, beta = %v: value %d is %v(%v), by enumeration %v", c, beta, k, got, orders[i].deviations()[k], want[k])
				}
			}
		}
	}
}

// measure draws a block of every window, and measures at every fifth visit. To mimic
// walkers that are slow in m and exchange configurations, each block is biased in one of
// two directions, the same in all windows and cancelling on average, in both the visits to
// levels and the values at a level.
func measure(r *rand.Rand, windows []Window, m *Measurements, all []class, visits []int) {
	const off = 0.5
	sign := float64(2*r.IntN(2) - 1)
	count, sums := make([]int64, len(m.Energy)), zeros(len(m.Energy))
	for k := range windows {
		w := &windows[k]
		cumulative := tilted(w, all, off*sign)
		block := make([]int64, len(m.Energy))
		for i := range visits[k] {
			c := all[min(sort.SearchFloat64s(cumulative, r.Float64()*cumulative[len(all)-1]), len(all)-1)]
			block[c.level]++
			if i%5 > 0 {
				continue
			}
			count[c.level]++
			for o, x := range powers(c.m) {
				sums[o][c.level] += x
			}
		}
		w.Blocks = append(w.Blocks, block)
	}
	m.Count, m.Sums = append(m.Count, count), append(m.Sums, sums)
}

// tilted returns the cumulative probabilities of the classes within a window, with the
// factor 1 + tilt (m - <m>).
func tilted(w *Window, all []class, tilt float64) []float64 {
	p, total, mean := make([]float64, len(all)), 0.0, 0.0
	for i, c := range all {
		if c.level >= w.Low && c.level <= w.High {
			p[i] = c.states * math.Exp(-w.LnWeight[c.level])
		}
		total += p[i]
		mean += p[i] * c.m
	}
	sum := 0.0
	for i, c := range all {
		sum += p[i] / total * (1 + tilt*(c.m-mean/total))
		p[i] = sum
	}
	return p
}

// TestOrderCoverage repeats estimates from synthetic blocks. The mean square errors must
// equal those of the deviations from the exact values, which requires the correlations of
// ln g with the means. With many blocks, the fractions within one and two errors must be
// those of a normal distribution.
func TestOrderCoverage(t *testing.T) {
	exact, all := classes(3, 3)
	truth := microcanonical(exact.Len(), all)
	betas := []float64{0.3, 0.9, 1.2}
	for _, c := range []struct {
		name        string
		blocks      int
		visits      []int
		repetitions int
	}{
		{"one window", 32, []int{2000}, 400},
		{"windows", 32, []int{2000, 1000, 1500}, 250},
		{"few blocks", 5, []int{8000, 2000, 5000}, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			fold := min(2, len(c.visits))
			r := rand.New(rand.NewPCG(41, 42))
			var names []string
			var want []float64
			for o, row := range truth {
				for i, x := range row {
					names = append(names, fmt.Sprintf("%s at E = %g", []string{"|m|", "m^2", "m^4"}[o], exact.Energy[i]))
					want = append(want, x)
				}
			}
			micro := len(want)
			for _, beta := range betas {
				want = append(want, exactOrder(exact, all, 9, beta).values()...)
				for _, name := range []string{"<|m|>", "<m^2>", "<m^4>", "chi", "U4"} {
					names = append(names, fmt.Sprintf("%s at beta = %g", name, beta))
				}
			}
			squares, variances, apart := make([]float64, len(want)), make([]float64, len(want)), make([]float64, len(want))
			within := make([][2]float64, len(want))
			c.repetitions = long.Or(c.repetitions, c.repetitions/5)
			part := 1 / float64(c.repetitions)
			for range c.repetitions {
				windows := cover(exact.LnG, len(c.visits), fold)
				m := Measurements{Energy: exact.Energy}
				for range c.blocks {
					measure(r, windows, &m, all, c.visits)
				}
				e, _, err := FromWindows(exact.Energy, windows, 9*math.Log(3))
				if err != nil {
					t.Fatal(err)
				}
				means, err := m.Means()
				if err != nil {
					t.Fatal(err)
				}
				values, deviations := slices.Concat(means.Mean...), slices.Concat(means.Error...)
				add := func(e *Ensemble, means *Means) (deviations []float64) {
					orders, err := means.Order(e, betas, 9)
					if err != nil {
						t.Fatal(err)
					}
					for _, o := range orders {
						values, deviations = append(values, o.values()...), append(deviations, o.deviations()...)
					}
					return deviations
				}
				deviations = append(deviations, add(e, means)...)
				n := len(e.Replicas)
				first := add(e, &Means{Energy: means.Energy, Mean: means.Mean, Replicas: slices.Repeat([][][]float64{means.Mean}, n)})
				second := add(&Ensemble{Density: e.Density, Replicas: slices.Repeat([]*Density{e.Density}, n)}, means)
				for i := range first {
					apart[micro+i] += part * (first[i]*first[i] + second[i]*second[i])
				}
				for i, x := range want {
					d := values[i] - x
					squares[i] += part * d * d
					variances[i] += part * deviations[i] * deviations[i]
					for k := range within[i] {
						if math.Abs(d) <= float64(k+1)*deviations[i] {
							within[i][k] += part
						}
					}
				}
			}
			if got := math.Sqrt(apart[micro] / variances[micro]); got > 0.9 {
				t.Errorf("%s: the error without correlations is %.3f of that with them, too close to test them", names[micro], got)
			}
			bound := 4 * math.Sqrt(2*part)
			for i := range want {
				if squares[i] < 1e-20 {
					continue // all configurations of the level have the same m
				}
				ratio := variances[i] / squares[i]
				if math.Abs(ratio-1) > bound {
					t.Errorf("%s: the mean square error is %.3f of that of the deviations, want 1±%.3f", names[i], ratio, bound)
				}
				if i >= micro {
					t.Logf("%s = %.4f: variance / deviation^2 %.3f, without correlations %.3f; within one error %.3f, two %.3f",
						names[i], want[i], ratio, apart[i]/squares[i], within[i][0], within[i][1])
				}
				for k, p := range []float64{math.Erf(math.Sqrt(0.5)), math.Erf(math.Sqrt2)} {
					if tolerance := 5 * math.Sqrt(p*(1-p)*part); c.blocks > 30 && math.Abs(within[i][k]-p) > tolerance {
						t.Errorf("%s: %.3f of the estimates are within %d errors, want %.3f", names[i], within[i][k], k+1, p)
					}
				}
			}
		})
	}
}
