package ensemble

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func expand(t *testing.T, s Spec) *Matrix {
	t.Helper()
	m, err := Expand(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestValues tells commas between values from those of lists.
func TestValues(t *testing.T) {
	for _, c := range []struct {
		key, text string
		want      []string
	}{
		{"system.q", "3,4, 5", []string{"3", "4", "5"}},
		{"run.seed", "7..9,12", []string{"7", "8", "9", "12"}},
		{"system.size", "16x16,32x32", []string{"16x16", "32x32"}},
		{"system.size", "16,16", []string{"16,16"}},
		{"system.size", "[16, 16],[8,8]", []string{"[16, 16]", "[8,8]"}},
		{"run.moves", "local,neural", []string{"local,neural"}},
		{"run.moves", "[local],[local,neural]", []string{"[local]", "[local,neural]"}},
		{"run.betas", "[0.1,0.2]", []string{"[0.1,0.2]"}},
		{"production.mix", "100:1,10:1", []string{"100:1", "10:1"}},
		{"system.field", "0.1..0.3", []string{"0.1..0.3"}}, // no range of whole numbers: refused as no number later
	} {
		got, err := values(c.key, c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s=%s: %q, %v; want %q", c.key, c.text, got, err, c.want)
		}
	}
}

func TestBetas(t *testing.T) {
	for text, want := range map[string]string{
		"":              fmt.Sprint(41, 0., 0.05, 2.),
		"0.1..0.3:0.1":  fmt.Sprint(3, 0.1, 0.2, 0.3),
		"-1,0,0.5..1:1": fmt.Sprint(3, -1., 0., 0.5),
	} {
		b, err := ParseBetas(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := fmt.Sprint(len(b), b[0], b[1], b[len(b)-1]); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"x", "0..1", "1..0:0.1", "0..1:0", "0..1:1e-9", "1,1", "0..1:NaN", ","} {
		if _, err := ParseBetas(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// TestMembers lists a matrix: which settings each member has, and that realisations of a point share
// no seed.
func TestMembers(t *testing.T) {
	m := expand(t, Spec{Set: []string{"system.model=random_bond", "system.size=4x4,6x6", "run.walkers=9", "system.disorder_seed=5,9", "run.walkers=8"}, Seeds: "3,5"})
	var got []string
	for i := range m.Len() {
		k := m.Member(i, 1)
		got = append(got, fmt.Sprint(k.Index, k.Point, *k.Disorder, *k.Seed)+" "+m.Folder(k.Point))
	}
	want := []string{
		"0 0 5 3 points/size=4x4", "1 0 5 5 points/size=4x4", "2 0 9 6 points/size=4x4", "3 0 9 8 points/size=4x4",
		"4 1 5 3 points/size=6x6", "5 1 5 5 points/size=6x6", "6 1 9 6 points/size=6x6", "7 1 9 8 points/size=6x6",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if s := m.Settings(1); !slices.Equal(s, []string{"system.model=random_bond", "run.walkers=8", "system.size=6x6"}) {
		t.Errorf("%q", s)
	}
	// Seeds of runs that nobody named are counted on from that of the configuration.
	m = expand(t, Spec{Set: []string{"system.disorder_seed=1..1000"}})
	if k := m.Member(999, 7); m.Len() != 1000 || *k.Disorder != 1000 || *k.Seed != 1006 || m.Folder(0) != "" {
		t.Errorf("%d members, the last %+v", m.Len(), k)
	}
	// The last axis runs fastest.
	m = expand(t, Spec{Set: []string{"system.q=2,3", "local.sweeps=1,2,3"}})
	if got := m.Values(4); !reflect.DeepEqual(got, []string{"3", "2"}) || m.Member(4, 1).Seed != nil {
		t.Errorf("%v", got)
	}
}

// TestFaults reports all faults of a matrix at once.
func TestFaults(t *testing.T) {
	_, err := Expand(Spec{
		Set:   []string{"system.q=3,,4", "run.seed=1", "nonsense", "local.sweeps=1,1", "system.disorder_seed=x,2", "run.walkers=9..1", "production.passes=1..100000"},
		Seeds: "1,1", Betas: "y",
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"system.q: ", "run.seed: it is given twice", "--set nonsense", `local.sweeps: "1" is there twice`, `system.disorder_seed: "x"`, "run.walkers: 9..1", "production.passes: 1..100000: these are 100000 values", "seeds: 1 is there twice", "betas: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %q in:\n%v", want, err)
		}
	}
	_, err = Expand(Spec{Set: []string{"system.q=2..11", "system.disorder_seed=1..200"}, Seeds: "1..6"})
	if err == nil || !strings.Contains(err.Error(), "10 (system.q) x 200 (system.disorder_seed) x 6 (run.seed) has 12000 members, at most 10000") {
		t.Error(err)
	}
	if _, err := Expand(Spec{Set: []string{"system.disorder_seed=1,2"}, Seeds: "0,18446744073709551615"}); err == nil {
		t.Error("seeds that overflow are accepted")
	}
}

// TestFolders gives points whose names no folder can have names of their own.
func TestFolders(t *testing.T) {
	m := expand(t, Spec{Set: []string{"production.mix=10:1,10/1", "model.bundle=../x,/y"}})
	seen := map[string]bool{}
	for p := range m.Points() {
		f := m.Folder(p)
		if seen[f] || strings.Count(f, "/") != 1 || strings.HasPrefix(f, "points/.") {
			t.Errorf("%q", f)
		}
		seen[f] = true
	}
}
