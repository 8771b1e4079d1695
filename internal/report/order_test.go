package report_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/lattice"
)

// moments are the number of configurations of a level and the sums over them of |m|, m^2
// and m^4.
type moments [4]float64

// enumerateOrder goes through all configurations, by level.
func enumerateOrder(t *testing.T, q, lx, ly int) []moments {
	t.Helper()
	p, err := lattice.NewPotts(q, lx, ly)
	if err != nil {
		t.Fatal(err)
	}
	levels := make([]moments, p.Levels())
	state, counts := make([]uint8, p.Sites()), make([]int, q)
	counts[0] = p.Sites()
	for i := 0; i < len(state); {
		m := (float64(q)*float64(slices.Max(counts))/float64(p.Sites()) - 1) / float64(q-1)
		level := &levels[p.Bonds(state)]
		for k, x := range []float64{1, m, m * m, m * m * m * m} {
			level[k] += x
		}
		for i = 0; i < len(state); i++ {
			counts[state[i]]--
			state[i] = (state[i] + 1) % uint8(q)
			counts[state[i]]++
			if state[i] > 0 {
				break
			}
		}
	}
	return levels
}

// TestOrder compares the order parameter of runs of several kinds with all configurations
// of a small lattice, at every energy and temperature.
func TestOrder(t *testing.T) {
	const q, lx, ly, n = 3, 4, 3, 12.
	levels := enumerateOrder(t, q, lx, ly)
	size := fmt.Sprintf("system.size=%dx%d", lx, ly)
	for name, settings := range map[string][]string{
		"wang-landau": {"run.method=wang-landau", "production.passes=2000"},
		"windows":     {"run.method=wang-landau", "windows.count=2", "production.passes=2000"},
		"neural":      {"run.moves=neural", "wang_landau.final_ln_f=2e-4", "production.passes=2000"},
		"canonical":   {"run.method=canonical", "run.beta=0.9", "production.passes=2000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "run")
			s := runtest.Perform(t, folder, append(settings, size, runtest.Drawn)...)

			rows, err := csv.NewReader(bytes.NewReader(runtest.Read(t, folder, report.OrderFile))).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			number := func(field string) float64 {
				x, err := strconv.ParseFloat(field, 64)
				if err != nil {
					t.Fatal(err)
				}
				return x
			}
			measurements := 0.0
			for _, row := range rows[1:] {
				exact := levels[int(-number(row[0]))]
				measurements += number(row[7])
				for k := range 3 {
					want := exact[1+k] / exact[0]
					if row[2+2*k] == "" && number(row[7]) < 20 {
						continue // one walker alone was there
					}
					got, deviation := number(row[1+2*k]), number(row[2+2*k])
					if d := math.Abs(got - want); d > 5*deviation && d > 1e-12 && number(row[7]) > 100 {
						t.Errorf("E = %s: %s = %v(%v), exact %v", row[0], rows[0][1+2*k], got, deviation, want)
					}
				}
			}
			if measurements != 2000*64 {
				t.Errorf("%v measurements", measurements)
			}

			columns := observables(t, folder)
			for i, beta := range columns["beta"] {
				z, sums := 0.0, [3]float64{}
				for b, level := range levels {
					weight := math.Exp(beta * float64(b-2*n))
					z += weight * level[0]
					for k := range sums {
						sums[k] += weight * level[1+k]
					}
				}
				m, m2, m4 := sums[0]/z, sums[1]/z, sums[2]/z
				for k, want := range []float64{m, beta * n * (m2 - m*m), 1 - m4/(3*m2*m2)} {
					name := orderColumns[k]
					got, deviation := columns[name][i], columns[name+"_error"][i]
					if z := (got - want) / deviation; !(math.Abs(z) < 5) || deviation > 0.05 {
						t.Errorf("beta = %v: %s = %v(%v), exact %v", beta, name, got, deviation, want)
					}
				}
			}
			summary := (*report.OrderSummary)(nil)
			if s.Canonical != nil {
				summary = s.Canonical.Order
			} else {
				summary = s.Transition.Order
			}
			middle := len(columns["beta"]) / 2
			if summary == nil || summary.Beta != columns["beta"][middle] || summary.Binder.Value != columns["fourth_order_cumulant"][middle] {
				t.Errorf("summary %+v", summary)
			}
			for _, name := range []string{"order.png", "order.svg"} {
				if data := runtest.Read(t, folder, name); bytes.Contains(data, []byte("NaN")) {
					t.Errorf("%s holds a NaN", name)
				}
			}
		})
	}
}

// TestOrderInBins does the same of levels that are bins, at every temperature.
func TestOrderInBins(t *testing.T) {
	const field, n = 0.3141592, 9
	folder := filepath.Join(t.TempDir(), "run")
	runtest.Perform(t, folder, "run.method=wang-landau", "system.model=ising_field", "system.q=2", fmt.Sprint("system.field=", field), "system.bin=0.5", "system.size=3x3", "production.passes=3000")
	columns := observables(t, folder)
	if len(columns["beta"]) == 0 {
		t.Fatal("there are no observables")
	}
	for i, beta := range columns["beta"] {
		z, sums := 0.0, [3]float64{}
		for state := range 1 << n {
			spin := func(x, y int) float64 { return float64(state>>(y%3*3+x%3)&1)*2 - 1 }
			energy, m := 0.0, 0.0
			for site := range n {
				x, y := site%3, site/3
				energy -= spin(x, y) * (spin(x+1, y) + spin(x, y+1) + field)
				m += spin(x, y) / n
			}
			weight := math.Exp(-beta * energy)
			z += weight
			for k, x := range []float64{math.Abs(m), m * m, m * m * m * m} {
				sums[k] += weight * x
			}
		}
		m, m2, m4 := sums[0]/z, sums[1]/z, sums[2]/z
		for k, want := range []float64{m, beta * n * (m2 - m*m), 1 - m4/(3*m2*m2)} {
			name := orderColumns[k]
			got, deviation := columns[name][i], columns[name+"_error"][i]
			if z := (got - want) / deviation; !(math.Abs(z) < 5) || deviation > 0.02 {
				t.Errorf("beta = %v: %s = %v(%v), exact %v", beta, name, got, deviation, want)
			}
		}
	}
}
