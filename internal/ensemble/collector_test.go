package ensemble

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/job"
	"neuralwl/sampler/dos"
)

// TestGrowth collects members as they end in another order than theirs, one of them damaged and one
// cancelled, and compares the files with those of one that has seen nothing before.
func TestGrowth(t *testing.T) {
	m := expand(t, Spec{Set: append(slices.Clone(tiny), "system.disorder_seed=1..4", "local.sweeps=2,3"), Seeds: "1,2"})
	all := perform(t, m, t.TempDir())
	if len(all) != 16 {
		t.Fatal(len(all))
	}
	for _, i := range []int{2, 3, 7} {
		if err := os.WriteFile(filepath.Join(all[i].Folder, "dos.npz"), []byte("damaged"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	all[15].Done, all[15].State, all[15].Reason = false, string(job.Cancelled), "cancelled by the user"
	all[4].Converged = false
	waiting := slices.Clone(all)
	for i := range waiting {
		waiting[i].Done, waiting[i].State = false, string(job.Queued)
	}
	c := NewCollector(m)
	growing := t.TempDir()
	for n, i := range []int{13, 0, 1, 2, 3, 15, 4, 5, 12, 6, 7, 8, 9, 10, 11, 14} {
		waiting[i] = all[i]
		r := c.Collect(waiting)
		if s := r.Summary(); s.Complete != (n == 15) {
			t.Errorf("after %d: %+v", n, s)
		}
		if n%5 == 0 || n == 15 {
			if err := r.Write(growing); err != nil {
				t.Fatal(err)
			}
		}
	}
	fresh := t.TempDir()
	r := NewCollector(m).Collect(all)
	if err := r.Write(fresh); err != nil {
		t.Fatal(err)
	}
	sameFiles(t, growing, fresh)

	p := r.Points[0]
	// Of the realisation with two damaged files nothing is left, of that with one the other run.
	if len(p.Averaged) != 3 || p.Runs != 5 || len(p.LeftOut) != 3 || p.LeftOut[0].State != Unreadable || !strings.Contains(p.LeftOut[0].Reason, "dos.npz") {
		t.Errorf("%+v", p)
	}
	if len(p.Unconverged) != 1 || p.Unconverged[0].ID != all[4].ID || math.IsNaN(p.Shift) {
		t.Errorf("%v, %v", p.Unconverged, p.Shift)
	}
	// The realisation of the cancelled run has another one.
	if q := r.Points[1]; len(q.Averaged) != 4 || q.Runs != 7 || len(q.LeftOut) != 1 {
		t.Errorf("%+v", q)
	}
	text := strings.Join(p.Notes(), "\n")
	for _, want := range []string{"1 of 4 realisations are not in the averages", "bias", "1 runs did not converge", "ground states are not known"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing of %q in %s", want, text)
		}
	}
}

// TestUnreadable leaves out the members that cannot be used, each for its own reason, and no other; nothing of an
// earlier result stays where there is none any more.
func TestUnreadable(t *testing.T) {
	m := expand(t, Spec{Set: slices.Clone(tiny), Seeds: "1..3", Betas: "0.5"})
	all := perform(t, m, t.TempDir())
	folder := t.TempDir()
	collect := func(want int) *Point {
		t.Helper()
		r := NewCollector(m).Collect(all)
		p := r.Points[0]
		if p.Runs != want || len(p.LeftOut) != 3-want {
			t.Errorf("%d runs, %+v", p.Runs, p.LeftOut)
		}
		if err := r.Write(folder); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{DensityFile, ArchiveFile, AveragesFile, described(AveragesFile), FigureFile} {
			if _, err := os.Stat(filepath.Join(folder, name)); (err == nil) != (want > 0) {
				t.Errorf("%s of %d runs: %v", name, want, err)
			}
		}
		return p
	}
	collect(3)
	if err := os.WriteFile(filepath.Join(all[0].Folder, ArchiveFile), []byte("damaged"), 0o666); err != nil {
		t.Fatal(err)
	}
	other := perform(t, expand(t, Spec{Set: append(slices.Clone(tiny), "system.disorder_seed=2")}), t.TempDir())
	good := all[2].Folder
	all[2].Folder = other[0].Folder
	p := collect(1)
	if !strings.Contains(p.LeftOut[0].Reason, ArchiveFile) || !strings.Contains(p.LeftOut[1].Reason, all[2].ID+" is of") {
		t.Errorf("%+v", p.LeftOut)
	}
	all[2].Folder = good
	collect(2)
	for i := range all {
		all[i].Done, all[i].State = false, string(job.Failed)
	}
	collect(0)
}

// TestBeyondReach leaves out what levels that are bins do not tell, and says so: of a merged density of states,
// of averages, and where nothing is left.
func TestBeyondReach(t *testing.T) {
	binned := func(seed uint64) *realisation {
		d := &dos.Density{Energy: []float64{-8, -4, 0, 4, 8}, LnG: []float64{1, 3 + float64(seed)/8, 4, 3, 1}, Error: []float64{0.1, 0.1, 0.1, 0.1, 0.1}}
		d.Bins = dos.NewBins(2, d.Energy, nil)
		d.Origin = &dos.Origin{System: dos.System{Name: "binned"}, Sites: 4}
		r, err := realiseParts([]dos.Part{{Name: "a", Ensemble: &dos.Ensemble{Density: d}}}, []float64{-1, 0, 0.5, 1})
		if err != nil {
			t.Fatal(err)
		}
		r.of = []Outcome{{Member: Member{Disorder: &seed}, Converged: true}}
		return r
	}
	for _, averaging := range []bool{false, true} {
		p := &Point{Betas: []float64{-1, 0, 0.5, 1}, Realisations: 1, Members: 2, Runs: 2}
		done := []*realisation{binned(1)}
		if averaging {
			p.Realisations, done = 2, append(done, binned(2))
		}
		p.collect(done, averaging)
		folder := t.TempDir()
		if err := p.write(folder); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(folder, AveragesFile))
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
			beta, rest, _ := strings.Cut(row, ",")
			if beyond := beta == "-1" || beta == "1"; beyond != (strings.Trim(rest, ",") == "") {
				t.Errorf("averaging %t: %s", averaging, row)
			}
		}
		if notes := strings.Join(p.Notes(), "\n"); !strings.Contains(notes, "beyond 0.5") {
			t.Errorf("averaging %t: %s", averaging, notes)
		}
		if !averaging {
			continue
		}
		for _, row := range p.realisationsTable().rows {
			if at := row[len(row)-1]; at != "0.5" {
				t.Errorf("the specific heat is largest at %q", at)
			}
		}
		p.Betas = []float64{-1, 1} // of which nothing is known
		for k := range quantities {
			p.Averages[k] = []Average{p.Averages[k][0], p.Averages[k][3]}
		}
		if f, err := p.figure(); err != nil || f.Encode(&bytes.Buffer{}, FigureFile) != nil {
			t.Errorf("no figure without points: %v", err)
		}
	}
}

// sameFiles compares two folders to the last byte.
func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	files := 0
	err := fs.WalkDir(os.DirFS(a), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		x, errX := os.ReadFile(filepath.Join(a, name))
		y, errY := os.ReadFile(filepath.Join(b, name))
		if errX != nil || errY != nil || !bytes.Equal(x, y) {
			t.Errorf("%s differs (%v, %v)", name, errX, errY)
		}
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("%d files, %v", files, err)
	}
}

// TestMerged merges runs that differ by their seeds as dos.MergeEnsembles does, normalised to all states,
// and compares with enumeration.
func TestMerged(t *testing.T) {
	m := expand(t, Spec{Set: slices.Clone(tiny), Seeds: "1..6", Betas: "0..1:0.5"})
	all := perform(t, m, t.TempDir())
	p := NewCollector(m).Collect(all).Points[0]
	if p.Merged == nil || p.Runs != 6 || p.Averaged != nil || len(p.Merged.Replicas) < 6 {
		t.Fatalf("%+v", p)
	}
	if lnTotal := dos.LogSumExp(p.Merged.LnG); math.Abs(lnTotal-16*math.Ln2) > 1e-9 {
		t.Errorf("the sum is exp(%g)", lnTotal)
	}
	want := enumerated(t, 1, 4, 4)
	if !slices.Equal(p.Merged.Energy, want.Energy) {
		t.Fatalf("energies %v, not %v", p.Merged.Energy, want.Energy)
	}
	for i, x := range p.Merged.LnG {
		if z := (x - want.LnG[i]) / p.Merged.Error[i]; math.Abs(z) > 5 {
			t.Errorf("ln g(%g) is off by %.1f errors", want.Energy[i], z)
		}
	}
	for i, beta := range p.Betas {
		if z := (p.curves.values[1][i] - want.At(beta).Energy/16) / p.curves.errors[1][i]; math.Abs(z) > 5 {
			t.Errorf("energy at %g is off by %.1f errors", beta, z)
		}
	}
	// Many are merged in parts.
	var parts []dos.Part
	for k := range mergeAtOnce + 3 {
		parts = append(parts, dos.Part{Name: "a", Ensemble: &dos.Ensemble{Density: &dos.Density{
			Energy: []float64{0, 1}, LnG: []float64{0, 1 + float64(k%2)}, Error: []float64{0.1, 0.1}}}})
	}
	e, err := merge(parts)
	if err != nil || math.Abs(e.LnG[1]-e.LnG[0]-1.5) > 0.02 {
		t.Errorf("%+v, %v", e, err)
	}
	// What cannot be merged is named with as many as it is of.
	for i := range parts {
		parts[i].Name = fmt.Sprint("m-", i+1)
	}
	for i := mergeAtOnce; i < len(parts); i++ {
		parts[i].Ensemble = &dos.Ensemble{Density: &dos.Density{Energy: []float64{7, 8}, LnG: []float64{0, 1}, Error: []float64{0.1, 0.1}}}
	}
	_, err = merge(parts)
	if want := fmt.Sprintf("m-%d and 2 more", mergeAtOnce+1); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("nothing of %q in %v", want, err)
	}
}
