package dos

import (
	"bytes"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sbinet/npyio/npz"
	"gonum.org/v1/gonum/mat"
)

// TestEnsembleFile keeps an ensemble and its origin in an archive.
func TestEnsembleFile(t *testing.T) {
	exact := exactDensity(t, "potts_q3_4x4.csv")
	e := synthetic(t, rand.New(rand.NewPCG(1, 2)), exact, 40, 200)
	seed := uint64(1<<63 + 1)
	e.Origin = &Origin{Program: "nwl", System: System{Name: "potts q=3 4x4 é", Model: "potts", Q: 3, Size: []int{4, 4}}, Method: "wang-landau", Seed: &seed, Sites: 16}
	path := filepath.Join(t.TempDir(), "dos.npz")
	if err := e.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	got, err := Reader{}.ReadEnsemble(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Energy, e.Energy) || !reflect.DeepEqual(got.LnG, e.LnG) || !reflect.DeepEqual(got.Origin, e.Origin) {
		t.Errorf("read %+v", got.Density)
	}
	if len(got.Replicas) != len(e.Replicas) {
		t.Fatalf("%d replicas, want %d", len(got.Replicas), len(e.Replicas))
	}
	for k, replica := range got.Replicas {
		if !slices.Equal(replica.Energy, e.Replicas[k].Energy) {
			t.Errorf("replica %d has the levels %v", k, replica.Energy)
		}
	}
	a, b := canonical(t, e, 0.9)[0], canonical(t, got, 0.9)[0]
	if math.Abs(a.EnergyError/b.EnergyError-1) > 1e-4 || math.Abs(a.SpecificHeatError/b.SpecificHeatError-1) > 1e-4 {
		t.Errorf("errors were %+v, are %+v", a, b)
	}
	plain, err := ReadFile(path)
	if err != nil || !reflect.DeepEqual(plain.Origin, e.Origin) {
		t.Errorf("without replicas: %+v, %v", plain, err)
	}
	// A table has its origin beside it, and loses it with a file that has none.
	table := filepath.Join(filepath.Dir(path), "dos.csv")
	if err := e.WriteFile(table); err != nil {
		t.Fatal(err)
	}
	if d, err := ReadFile(table); err != nil || !reflect.DeepEqual(d.Origin, e.Origin) {
		t.Errorf("table: %+v, %v", d, err)
	}
	if err := exact.WriteFile(table); err != nil {
		t.Fatal(err)
	}
	if d, err := ReadFile(table); err != nil || d.Origin != nil {
		t.Errorf("another table: %+v, %v", d, err)
	}
}

// TestFewerDeviations combines replicas: their errors are those of a jackknife that omits as
// many blocks together.
func TestFewerDeviations(t *testing.T) {
	exact := exactDensity(t, "potts_q3_4x4.csv")
	e := synthetic(t, rand.New(rand.NewPCG(3, 4)), exact, 96, 2000)
	all := &Ensemble{Density: e.Density}
	if err := all.setDeviations(e.deviations(1000)); err != nil || len(all.Replicas) != 96 {
		t.Fatal(err, len(all.Replicas))
	}
	few := &Ensemble{Density: e.Density}
	if err := few.setDeviations(e.deviations(32)); err != nil || len(few.Replicas) != 32 {
		t.Fatal(err, len(few.Replicas))
	}
	a, b := canonical(t, all, 0.9)[0], canonical(t, few, 0.9)[0]
	// The error of an error from 32 blocks is 13 %.
	if r := b.EnergyError / a.EnergyError; r < 0.6 || r > 1.4 {
		t.Errorf("errors %v of all and %v of few", a.EnergyError, b.EnergyError)
	}
	if reflect.DeepEqual(all.Replicas[0], few.Replicas[0]) {
		t.Error("nothing was combined")
	}
}

// part is an ensemble restricted to a window of energies.
func part(name string, e *Ensemble, from, to, shift float64) Part {
	p := &Ensemble{Density: window(e.Density, from, to, shift)}
	for _, r := range e.Replicas {
		p.Replicas = append(p.Replicas, window(r, from, to, shift))
	}
	return Part{name, p}
}

// TestMergeEnsemblesCoverage merges repetitions and overlapping windows of noisy ensembles
// many times: what follows from the result deviates from the exact one as its errors say,
// which the error bars of files alone cannot tell.
func TestMergeEnsemblesCoverage(t *testing.T) {
	exact := exactDensity(t, "potts_q3_4x4.csv")
	beta := []float64{0.5, 1, 1.5}
	for name, parts := range map[string]func(r *rand.Rand) []Part{
		"repetitions": func(r *rand.Rand) (parts []Part) {
			for _, blocks := range []int{32, 32, 16} {
				parts = append(parts, Part{"run", synthetic(t, r, exact, blocks, 300)})
			}
			return parts
		},
		"windows": func(r *rand.Rand) []Part {
			return []Part{
				part("low", synthetic(t, r, exact, 32, 300), -32, -12, 3),
				part("high", synthetic(t, r, exact, 32, 300), -20, 0, 0),
			}
		},
	} {
		const repetitions = 200
		r := rand.New(rand.NewPCG(7, 8))
		squares, n := 0.0, 0
		for range repetitions {
			e, _, err := MergeEnsembles(parts(r), 16*math.Log(3))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range canonical(t, e, beta...) {
				truth := exact.At(c.Beta)
				for _, z := range []float64{(c.Energy - truth.Energy) / c.EnergyError, (c.SpecificHeat - truth.SpecificHeat) / c.SpecificHeatError, (c.LnZ - truth.LnZ) / c.FreeEnergyError / c.Beta} {
					squares += z * z
					n++
				}
			}
		}
		// About 1.03 for errors from 80 blocks, known to some per cent: nine values of a
		// repetition hang together.
		if x := squares / float64(n); x < 0.8 || x > 1.3 {
			t.Errorf("%s: the mean square deviation is %.2f errors", name, x)
		}
	}
}

// TestMergeEnsemblesPooled finds the errors of equal repetitions to be those of all their
// blocks in one estimate.
func TestMergeEnsemblesPooled(t *testing.T) {
	exact := exactDensity(t, "potts_q3_4x4.csv")
	r := rand.New(rand.NewPCG(5, 5))
	var blocks [][]int64
	var parts []Part
	for range 2 {
		own := syntheticBlocks(r, exact, 48, 400)
		e, err := FromHistograms(exact.Energy, exact.LnG, own, 0)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, Part{"run", e})
		blocks = append(blocks, own...)
	}
	merged, _, err := MergeEnsembles(parts, 0)
	if err != nil {
		t.Fatal(err)
	}
	pooled, err := FromHistograms(exact.Energy, exact.LnG, blocks, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, b := canonical(t, merged, 1)[0], canonical(t, pooled, 1)[0]
	if ratio := a.EnergyError / b.EnergyError; ratio < 0.97 || ratio > 1.03 {
		t.Errorf("error %v merged, %v pooled", a.EnergyError, b.EnergyError)
	}
	if z := (a.Energy - b.Energy) / b.EnergyError; math.Abs(z) > 0.2 {
		t.Errorf("they differ by %.2f errors", z)
	}
}

func TestCheckIndependent(t *testing.T) {
	exact := exactDensity(t, "potts_q3_4x4.csv")
	r := rand.New(rand.NewPCG(9, 9))
	of := func(name string, o *Origin) Piece {
		d := *synthetic(t, r, exact, 4, 100).Density
		d.Origin = o
		return Piece{name, &d}
	}
	seeded := func(seed uint64, estimator string) *Origin {
		return &Origin{System: System{Name: "potts q=3 4x4"}, Method: "wang-landau", Estimator: estimator, Seed: &seed}
	}
	a := of("a", seeded(1, "histograms"))
	copied := *a.Density
	copied.Origin, copied.LnG = nil, slices.Clone(copied.LnG)
	copied.Normalise(3)
	other := seeded(2, "histograms")
	other.System.Name = "potts q=3 5x5"
	for name, c := range map[string]struct {
		pieces []Piece
		want   string
	}{
		"independent":         {[]Piece{a, of("b", seeded(2, "histograms")), of("c", nil), of("d", nil)}, ""},
		"twice":               {[]Piece{a, a}, "same numbers"},
		"a shifted copy":      {[]Piece{a, {"copy", &copied}}, "same numbers as a"},
		"two estimates":       {[]Piece{a, of("b", seeded(1, "transitions"))}, "seed 1"},
		"one seed":            {[]Piece{of("c", nil), a, of("b", seeded(1, "histograms"))}, "merge b: it is not independent of a"},
		"another system":      {[]Piece{a, of("b", other)}, "5x5"},
		"exact":               {[]Piece{a, of("b", &Origin{Method: ExactMethod})}, "exact"},
		"merged before":       {[]Piece{of("m", &Origin{Method: MergedMethod, System: a.Origin.System, Of: []Origin{*seeded(3, ""), *seeded(1, "")}}), a}, "seed 1"},
		"two that share runs": {[]Piece{of("m", &Origin{Method: MergedMethod, System: a.Origin.System, Of: []Origin{*seeded(3, "")}}), of("n", &Origin{Method: MergedMethod, System: a.Origin.System, Of: []Origin{*seeded(3, "")}})}, "seed 3"},
	} {
		err := CheckIndependent(c.pieces)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckComplete(t *testing.T) {
	exact := exactDensity(t, "potts_q3_4x4.csv")
	nan := math.NaN()
	for name, c := range map[string]struct {
		d               *Density
		lowest, highest float64
		want            string
	}{
		"whole":                 {exact, -32, 0, ""},
		"ends unknown":          {exact, nan, nan, "highest energy is 0"},
		"without ground state":  {window(exact, -28, 0, 0), -32, 0, ""},
		"without the top":       {window(exact, -32, -12, 0), -32, 0, "highest energy is -12"},
		"without the low half":  {window(exact, -12, 0, 0), -32, 0, "lowest energy is -12"},
		"without a few on both": {window(exact, -20, -8, 0), -32, 0, "highest"},
	} {
		err := c.d.CheckComplete(c.lowest, c.highest)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEnsembleArchiveHostile refuses archives whose replicas or origin are not what they say.
func TestEnsembleArchiveHostile(t *testing.T) {
	e := synthetic(t, rand.New(rand.NewPCG(1, 2)), exactDensity(t, "potts_q3_4x4.csv"), 4, 200)
	for _, rows := range []any{[]float64{1, 2}, mat.NewDense(1, 2, []float64{1, 2}), mat.NewDense(e.Len(), 1, make([]float64, e.Len())), []float32{1}, "text"} {
		var file bytes.Buffer
		if err := e.Density.writeNPZ(&file, e.keys(), func(a *npz.Writer) error { return a.Write(entry(jackknifeArray), rows) }); err != nil {
			t.Fatal(err)
		}
		if _, _, err := (Reader{}).readNPZ(bytes.NewReader(file.Bytes()), int64(file.Len()), true); err == nil || !strings.Contains(err.Error(), jackknifeArray) {
			t.Errorf("%T: %v", rows, err)
		}
		if _, err := ReadNPZ(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil {
			t.Errorf("ln g itself: %v", err)
		}
	}
}
