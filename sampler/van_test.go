package sampler

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neuralwl/sampler/dos"
)

// productProposer draws every site on its own: colour 0 with probability share, the others
// evenly.
type productProposer struct {
	*siteProposer
	share float64
	spoil func(b *Batch)
}

func (s *productProposer) Propose(context.Context) error {
	n, others := s.b.Sites, float64(s.p.Colours()-1)
	first, other := math.Log(s.share), math.Log((1-s.share)/others)
	for w := range s.b.Walkers {
		x := 0.0
		for i := range n {
			u := float64(s.b.Uniform[w*n+i])
			if colour := int32((u - s.share) / (1 - s.share) * others); u >= s.share {
				s.b.Proposal[w*n+i] = 1 + min(colour, int32(others)-1)
				x += other
			} else {
				s.b.Proposal[w*n+i] = 0
				x += first
			}
		}
		s.b.Forward[w] = float32(x)
	}
	if s.spoil != nil {
		s.spoil(s.b)
	}
	return nil
}

func newVAN(t *testing.T, m int, share float64, o VANOptions) (*VAN, *productProposer) {
	t.Helper()
	o.System = mustPotts(t, 3, 3, 3)
	p := &productProposer{siteProposer: newSiteProposer(o.System, m), share: share}
	o.Proposer = p
	g, err := NewVAN(o)
	if err != nil {
		t.Fatal(err)
	}
	return g, p
}

// exact3x3 is ln g by level of three colours on 3x3, -Inf where there are no states.
func exact3x3(t *testing.T) []float64 {
	t.Helper()
	p := mustPotts(t, 3, 3, 3)
	count := make([]float64, p.Levels())
	state := make([]uint8, p.Sites())
	for k := range 19683 {
		for i := range state {
			state[i] = uint8(k % 3)
			k /= 3
		}
		count[p.Bonds(state)]++
	}
	for b, n := range count {
		count[b] = math.Log(n)
	}
	return count
}

func advance(t *testing.T, g *VAN, passes int) {
	t.Helper()
	for range passes {
		if err := g.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVAN finds ln g by a fixed distribution that is far from flat, first from the
// weights of the adaptive phase and then, within errors, from production. In the first the
// batch must be large: weights normalised over a batch have a bias where one of them would
// be above 1, which that of the rarest state is here if M is below 400.
func TestVAN(t *testing.T) {
	const m = 4000
	exact := exact3x3(t)
	var learned int
	g, _ := newVAN(t, m, 0.4, VANOptions{Seed: 3, Learn: func(_ context.Context, d Drawn) error {
		learned++
		if len(d.States) != m*9 || len(d.LnQ) != m || len(d.LnP) != m {
			t.Fatalf("a batch of %d colours, %d and %d likelihoods", len(d.States), len(d.LnQ), len(d.LnP))
		}
		return nil
	}})
	for !g.Adapted(1e-2) {
		advance(t, g, 1)
		if g.passes > 50000 {
			t.Fatalf("%+v", g.Progress())
		}
	}
	known, square := 0.0, 0.0
	shift := dos.LogSumExp(exact) - dos.LogSumExp(g.lnG)
	for b, x := range exact {
		if g.seen[b] == math.IsInf(x, -1) {
			t.Errorf("level %d: seen %v, ln g = %v", b, g.seen[b], x)
		} else if g.seen[b] {
			known++
			square += (g.lnG[b] + shift - x) * (g.lnG[b] + shift - x)
		}
	}
	rms := math.Sqrt(square / known)
	t.Logf("%d batches, rms of ln g %.3f", learned, rms)
	if int64(learned) != g.passes || rms > 0.1 {
		t.Errorf("%d batches were shown, rms of ln g is %v", learned, rms)
	}
	g.Produce()
	adaptive := learned
	before := slices.Clone(g.lnG)
	advance(t, g, 200)
	energy := make([]float64, len(exact))
	for b := range energy {
		energy[b] = float64(-b)
	}
	a, err := dos.FromWeights(energy, g.Weights())
	if err != nil {
		t.Fatal(err)
	}
	square = 0
	for i, e := range a.Energy {
		z := (a.LnG[i] - exact[int(-e)]) / a.Error[i]
		square += z * z / known
		if !(math.Abs(z) < 5) {
			t.Errorf("E = %g: ln Omega = %.4f(%.4f), exact %.4f", e, a.LnG[i], a.Error[i], exact[int(-e)])
		}
	}
	z := (a.LnTotal - 9*math.Log(3)) / a.LnTotalError
	if float64(a.Len()) != known || square > 3 || !(math.Abs(z) < 4.5) {
		t.Errorf("%d levels, mean square deviation %.2f errors squared, ln of the sum off by %.1f errors", a.Len(), square, z)
	}
	if !slices.Equal(before, g.lnG) || learned != adaptive {
		t.Error("production changed the weights or the network")
	}
	if p := g.Progress(); p.Phase != Production || p.LnF != 0 || p.Moves[Neural].Trials != m*200 || p.Flatness <= 0 {
		t.Errorf("progress %+v", p)
	}
}

// TestVANUpdate checks one batch against the formula.
func TestVANUpdate(t *testing.T) {
	g, p := newVAN(t, 40, 0.7, VANOptions{Seed: 1})
	advance(t, g, 1)
	want := make([]float64, len(g.lnG))
	sum := 0.0
	for k := range g.levels {
		sum += math.Exp(-float64(p.b.Forward[k]))
	}
	for k, level := range g.levels {
		want[level] += math.Exp(-float64(p.b.Forward[k])) / sum
	}
	least := math.Inf(1)
	for b, seen := range g.seen {
		if seen {
			least = min(least, want[b])
		}
		if math.Abs(g.hist[b]-want[b]) > 1e-9 {
			t.Errorf("level %d: H = %v, want %v", b, g.hist[b], want[b])
		}
	}
	for b, seen := range g.seen {
		if x := want[b] - least; seen && math.Abs(g.lnG[b]-x) > 1e-9 || !seen && g.lnG[b] != 0 {
			t.Errorf("level %d: seen %v, ln g = %v, want %v", b, seen, g.lnG[b], x)
		}
	}
}

// TestVANRestore moves the state to a fresh method in both phases: both go on alike.
// TestVANConstant makes the algorithm of the talk by a network alone: f stays until the histogram is
// broad, with all levels that have states, or flat. A network that draws nothing but one colour has a flat
// histogram of one level.
func TestVANConstant(t *testing.T) {
	for _, c := range []struct {
		share float64
		lnF   float64
		broad bool
	}{{0.4, 0.5, true}, {1 - 1e-9, 1, false}} {
		g, _ := newVAN(t, 20, c.share, VANOptions{Seed: 4, Schedule: ConstantLnF, LnF: c.lnF})
		passes := 0
		for ; !g.Adapted(0.9); passes++ {
			if passes > 10_000 {
				t.Fatalf("no end: %+v", g.Progress())
			}
			advance(t, g, 1)
			if p := g.Progress(); p.LnF != c.lnF || p.Inverse {
				t.Fatalf("ln f = %g after %d batches, it was %g", p.LnF, passes+1, c.lnF)
			}
		}
		missing := 0
		for level, x := range exact3x3(t) {
			if !math.IsInf(x, -1) && !g.Seen()[level] {
				missing++
			}
		}
		if passes == 0 || c.broad && missing > 0 || !c.broad && g.Progress().Flatness < DefaultFlatness {
			t.Errorf("share %g: after %d batches %d levels are missing, flatness %g", c.share, passes, missing, g.Progress().Flatness)
		}
	}
}

func TestVANRestore(t *testing.T) {
	g, _ := newVAN(t, 45, 0.5, VANOptions{Seed: 1})
	for part := range 4 {
		if part == 2 {
			g.Produce()
		}
		advance(t, g, 50)
		var buf bytes.Buffer
		s := &VANSnapshot{}
		if err := errors.Join(gob.NewEncoder(&buf).Encode(g.Snapshot()), gob.NewDecoder(&buf).Decode(s)); err != nil {
			t.Fatal(err)
		}
		other, _ := newVAN(t, 45, 0.5, VANOptions{Seed: 1})
		advance(t, other, part)
		if err := other.Restore(s); err != nil {
			t.Fatal(err)
		}
		advance(t, g, 50)
		advance(t, other, 50)
		x, y := g.Snapshot(), other.Snapshot()
		x.Times, y.Times = Times{}, Times{}
		if !reflect.DeepEqual(x, y) || !reflect.DeepEqual(g.Weights(), other.Weights()) {
			t.Errorf("part %d: the restored method goes another way", part)
		}
	}
}

// TestVANRestoreRefuses lists what a snapshot may have wrong.
func TestVANRestoreRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*VANSnapshot){
		"no phase":                      func(s *VANSnapshot) { s.Phase = "lunch" },
		"-1 passes":                     func(s *VANSnapshot) { s.Passes = -1 },
		"ln f is 2":                     func(s *VANSnapshot) { s.LnF = 2 },
		"have 3, 19 and 19 levels":      func(s *VANSnapshot) { s.LnG = s.LnG[:3] },
		"ln g of level 1 is NaN":        func(s *VANSnapshot) { s.LnG[1] = math.NaN() },
		"level 2 has -1 visits":         func(s *VANSnapshot) { s.Hist[2] = -1 },
		"level 17 was seen":             func(s *VANSnapshot) { s.Seen[17] = true },
		"there are 0 blocks":            func(s *VANSnapshot) { s.Blocks = nil },
		"block 3 has 0 and 19 levels":   func(s *VANSnapshot) { s.Blocks[3].LnSum = nil },
		"block 0, level 4: the sum's l": func(s *VANSnapshot) { s.Blocks[0].LnSum[4] = math.Inf(1) },
		"generator":                     func(s *VANSnapshot) { s.Generator = nil },
	} {
		g, _ := newVAN(t, 45, 0.5, VANOptions{Seed: 1})
		g.Produce()
		s := g.Snapshot()
		spoil(s)
		other, _ := newVAN(t, 45, 0.5, VANOptions{Seed: 1})
		if err := other.Restore(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestVANWithoutLikelihood shows a batch without likelihoods to Learn, once, and to
// nobody in production or twice in a row.
func TestVANWithoutLikelihood(t *testing.T) {
	ill := false
	g, p := newVAN(t, 20, 0.5, VANOptions{Learn: func(_ context.Context, d Drawn) error {
		ill = math.IsNaN(float64(d.LnQ[0]))
		return nil
	}})
	p.spoil = func(b *Batch) { b.Forward[7] = float32(math.NaN()) }
	ctx := context.Background()
	if err := g.Pass(ctx); err != nil || !ill || g.moves[Neural].Trials != 0 {
		t.Errorf("%v, shown: %v, %+v", err, ill, g.moves)
	}
	if err := g.Pass(ctx); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("twice in a row: %v", err)
	}
	p.spoil = nil
	advance(t, g, 1)
	p.spoil = func(b *Batch) { b.Proposal[3] = 3 }
	if err := g.Pass(ctx); err == nil || !strings.Contains(err.Error(), "colour 3") {
		t.Errorf("an impossible colour: %v", err)
	}
	g.Produce()
	p.spoil = func(b *Batch) { b.Forward[7] = 1 }
	if err := g.Pass(ctx); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("in production: %v", err)
	}
}

// TestVANOptions reports every fault at once.
func TestVANOptions(t *testing.T) {
	p := newSiteProposer(mustPotts(t, 3, 4, 4), 5)
	_, err := NewVAN(VANOptions{Flatness: 2, Proposer: p})
	aiming := *p.b
	aiming.Target = make([]float32, 5)
	_, other := NewVAN(VANOptions{System: mustPotts(t, 3, 3, 3), Proposer: &siteProposer{b: &aiming}})
	_, third := NewVAN(VANOptions{System: mustPotts(t, 3, 3, 3), Proposer: p})
	for want, err := range map[string]error{"no system\nflatness = 2": err, "aims at energies": other, "16 sites, the system has 9": third} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
