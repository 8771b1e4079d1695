package dos_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// toyJoint is the joint density of spins s = -1, 1 in a ring, counted one by one, E = -sum s s'.
func toyJoint(t *testing.T, sites int) *dos.Joint {
	t.Helper()
	counts := map[[2]float64]float64{}
	for state := range 1 << sites {
		spin := func(i int) float64 { return float64(state>>(i%sites)&1)*2 - 1 }
		energy, m := 0.0, 0.0
		for i := range sites {
			energy -= spin(i) * spin(i+1)
			m += spin(i)
		}
		counts[[2]float64{energy, m}]++
	}
	var pairs [][2]float64
	for pair := range counts {
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(a, b [2]float64) int { return slices.Compare(a[:], b[:]) })
	d := &dos.Density{Origin: &dos.Origin{Method: dos.ExactMethod, Sites: sites, System: dos.System{Name: "ring", Joint: "magnetisation"}}}
	for i, pair := range pairs {
		d.Energy, d.LnG, d.Error = append(d.Energy, float64(7+3*i)), append(d.LnG, math.Log(counts[pair])), append(d.Error, 0)
	}
	j := dos.NewJoint("magnetisation", &dos.Ensemble{Density: d}, func(number float64) (energy, second float64) {
		pair := pairs[(int(number)-7)/3]
		return pair[0], pair[1]
	})
	if err := j.Validate(); err != nil {
		t.Fatal(err)
	}
	return j
}

// scattered gives each cell an error by replicas that scatter independently.
func scattered(j *dos.Joint, replicas int, sigma float64) *dos.Joint {
	r := rand.New(rand.NewPCG(1, 2))
	blocks := make([][]float64, replicas)
	for k := range blocks {
		for range j.Len() {
			blocks[k] = append(blocks[k], sigma*math.Sqrt(float64(replicas))*r.NormFloat64())
		}
	}
	e := &dos.Ensemble{Density: &dos.Density{Energy: j.Cells.Energy, LnG: slices.Clone(j.Cells.LnG), Error: slices.Repeat([]float64{sigma}, j.Len()), Origin: j.Cells.Origin}}
	mean := func(i, without int) (sum float64) {
		n := replicas
		for k := range blocks {
			if k == without {
				n--
			} else {
				sum += blocks[k][i]
			}
		}
		return sum / float64(n)
	}
	for i := range e.LnG {
		e.LnG[i] += mean(i, -1)
	}
	for k := range replicas {
		d := &dos.Density{Energy: e.Energy}
		for i := range e.LnG {
			d.LnG = append(d.LnG, j.Cells.LnG[i]+mean(i, k))
		}
		e.Replicas = append(e.Replicas, d)
	}
	return &dos.Joint{Name: j.Name, Energy: j.Energy, Second: j.Second, Cells: e}
}

// TestJointProject compares sums over the magnetisation, without and in a field, with those made cell by cell.
func TestJointProject(t *testing.T) {
	j := toyJoint(t, 8)
	for _, field := range []float64{0, 0.3, -1.5} {
		want := map[int]float64{} // by energy in units of a tenth
		for i := range j.Energy {
			e := j.Energy[i] - field*j.Second[i]
			want[int(math.Round(10*e))] += math.Exp(j.Cells.LnG[i])
		}
		e := j.Project(field)
		if err := e.Validate(); err != nil {
			t.Fatal(err)
		}
		if e.Len() != len(want) || e.Origin.System.Joint != "" || j.Cells.Origin.System.Joint == "" {
			t.Errorf("field %g: %d levels of %d, %+v", field, e.Len(), len(want), e.Origin.System)
		}
		for i, x := range e.Energy {
			if g := want[int(math.Round(10*x))]; math.Abs(math.Exp(e.LnG[i])-g) > 1e-9*g || e.Error[i] != 0 {
				t.Errorf("field %g: g(%g) = %g, want %g", field, x, math.Exp(e.LnG[i]), g)
			}
		}
	}
}

// TestJointCanonical compares averages with those of the ring's transfer matrix, and their errors with the
// scatter of estimates.
func TestJointCanonical(t *testing.T) {
	const sites = 8
	j := toyJoint(t, sites)
	lnZ := func(beta, h float64) float64 {
		root := math.Sqrt(math.Exp(2*beta)*math.Pow(math.Sinh(beta*h), 2) + math.Exp(-2*beta))
		c := math.Exp(beta) * math.Cosh(beta*h)
		return math.Log(math.Pow(c+root, sites) + math.Pow(c-root, sites))
	}
	const step = 1e-4
	derivative := func(f func(x float64) float64, x float64) float64 { return (f(x+step) - f(x-step)) / (2 * step) }
	points := []dos.Point{{Beta: 0.4, Field: 0}, {Beta: 0.4, Field: 0.25}, {Beta: 1.2, Field: -0.5}}
	all, err := j.Canonical(points)
	if err != nil {
		t.Fatal(err)
	}
	noisy, err := scattered(j, 40, 0.1).Canonical(points)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range points {
		c := all[i]
		m := func(h float64) float64 {
			return derivative(func(h float64) float64 { return lnZ(p.Beta, h) }, h) / p.Beta
		}
		u := func(beta float64) float64 {
			return -derivative(func(beta float64) float64 { return lnZ(beta, p.Field) }, beta)
		}
		for _, x := range []struct {
			name            string
			got, want       float64
			exact           float64
			noisy, itsError float64
		}{
			{"energy", c.Energy, u(p.Beta), c.EnergyError, noisy[i].Energy, noisy[i].EnergyError},
			{"specific heat", c.SpecificHeat, -p.Beta * p.Beta * derivative(u, p.Beta), c.SpecificHeatError, noisy[i].SpecificHeat, noisy[i].SpecificHeatError},
			{"free energy", c.FreeEnergy(), -lnZ(p.Beta, p.Field) / p.Beta, c.FreeEnergyError, noisy[i].FreeEnergy(), noisy[i].FreeEnergyError},
			{"entropy", c.Entropy, lnZ(p.Beta, p.Field) + p.Beta*u(p.Beta), c.EntropyError, noisy[i].Entropy, noisy[i].EntropyError},
			{"magnetisation", c.Second, m(p.Field), c.SecondError, noisy[i].Second, noisy[i].SecondError},
			{"susceptibility", c.Susceptibility, derivative(m, p.Field), c.SusceptibilityError, noisy[i].Susceptibility, noisy[i].SusceptibilityError},
		} {
			if math.Abs(x.got-x.want) > 1e-5*max(1, math.Abs(x.want)) || x.exact != 0 {
				t.Errorf("%v: %s %g(%g), want %g", p, x.name, x.got, x.exact, x.want)
			}
			if z := (x.noisy - x.want) / x.itsError; !(math.Abs(z) < 4) {
				t.Errorf("%v: estimated %s %g(%g), exactly %g", p, x.name, x.noisy, x.itsError, x.want)
			}
		}
	}
	// Without a field, the ring's moments by the cells themselves.
	p, sum := j.LnP(points[0]), [3]float64{}
	for i, x := range p {
		for k, power := range []float64{1, 2, 4} {
			sum[k] += math.Exp(x) * math.Pow(math.Abs(j.Second[i]), power)
		}
	}
	if c := all[0]; math.Abs(c.Absolute-sum[0]) > 1e-12 || math.Abs(c.Cumulant-(1-sum[2]/(3*sum[1]*sum[1]))) > 1e-12 {
		t.Errorf("<|M|> = %g, cumulant %g; want %v", c.Absolute, c.Cumulant, sum)
	}
}

// TestJointFiles writes and reads every format, with replicas where there are any; other readers sum over
// the second variable if they may say so, and refuse it else.
func TestJointFiles(t *testing.T) {
	j := scattered(toyJoint(t, 6), 5, 0.1)
	for _, name := range []string{"j.csv", "j.npz"} {
		path := filepath.Join(t.TempDir(), name)
		if err := j.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		got, err := dos.Reader{}.ReadJoint(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.Name != j.Name || !slices.Equal(got.Energy, j.Energy) || !slices.Equal(got.Second, j.Second) || !slices.Equal(got.Cells.LnG, j.Cells.LnG) ||
			got.Cells.Origin.System.Joint != "magnetisation" {
			t.Errorf("%s: read %+v", name, got)
		}
		if want := map[string]int{"j.csv": 0, "j.npz": 5}[name]; len(got.Cells.Replicas) != want {
			t.Errorf("%s: %d replicas, want %d", name, len(got.Cells.Replicas), want)
		}
		if err := got.Validate(); err != nil {
			t.Error(err)
		}
		if _, err := dos.ReadFile(path); err == nil || !strings.Contains(err.Error(), "joint density of states of the energy and the magnetisation") {
			t.Errorf("%s: %v", name, err)
		}
		var notes []string
		e, err := dos.Reader{Note: func(text string) { notes = append(notes, text) }}.ReadEnsemble(path)
		if err != nil {
			t.Fatal(err)
		}
		if want := j.Project(0); !slices.Equal(e.Energy, want.Energy) || len(notes) != 1 || len(e.Replicas) != len(got.Cells.Replicas) {
			t.Errorf("%s: %v, %q", name, e.Energy, notes)
		}
	}
}

// TestReadJoint reads tables of others: in any order, with other names, and such columns where energies are
// single.
func TestReadJoint(t *testing.T) {
	read := func(text string) (*dos.Joint, error) {
		path := filepath.Join(t.TempDir(), "j.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return dos.Reader{}.ReadJoint(path)
	}
	j, err := read("Magnetization;E;g\n2;-2;1\n0;0;2\n-2;-2;1\n")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(j.Energy, []float64{-2, -2, 0}) || !slices.Equal(j.Second, []float64{-2, 2, 0}) || j.Cells.LnG[2] != math.Log(2) {
		t.Errorf("read %+v", j)
	}
	for text, want := range map[string]string{
		"energy,magnetisation,ln_g\n-2,2,0.5\n-2,2,0.5\n":   "pairs must ascend: lines 2 and 3 both have the energy -2 and the magnetisation 2",
		"energy,magnetisation,ln_g\n-2,2,0.5\n-1,1,0.5\n":   "not a joint density",
		"energy,magnetisation,ln_g\n-2,red,0.5\n-2,1,0.5\n": "energies must ascend",
		"energy,ln_g\n-2,0.5\n":                             "not a joint density",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	d, err := dos.ReadCSV(strings.NewReader("energy,colour,ln_g\n-2,red,0.5\n-1,green,0.7\n"))
	if err != nil || d.Len() != 2 {
		t.Errorf("a column of another meaning: %v, %v", d, err)
	}
}

// TestCompareJoint compares cells, whichever are missing.
func TestCompareJoint(t *testing.T) {
	a := toyJoint(t, 6)
	if d, err := dos.CompareJoint(a, a); err != nil || d.RMS != 0 || d.Levels != a.Len() || len(d.MissingA)+len(d.MissingB) > 0 {
		t.Errorf("%+v, %v", d, err)
	}
	var table bytes.Buffer
	if err := a.WriteCSV(&table); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(table.String(), "\n")
	path := filepath.Join(t.TempDir(), "b.csv")
	if err := os.WriteFile(path, []byte(strings.Join(slices.Delete(lines, 1, 2), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := dos.Reader{}.ReadJoint(path)
	if err != nil {
		t.Fatal(err)
	}
	b.Cells.LnG[b.Len()-1] += 0.5
	d, err := dos.CompareJoint(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if d.Levels != a.Len()-1 || !slices.Equal(d.MissingB, []float64{-6}) || len(d.MissingA) > 0 || d.MaxAt != a.Energy[a.Len()-1] || !(d.Max > 0.4) {
		t.Errorf("%+v", d)
	}
	b.Name = "squares"
	if _, err := dos.CompareJoint(a, b); err == nil || !strings.Contains(err.Error(), "the energy and the squares") {
		t.Errorf("other variables: %v", err)
	}
}
