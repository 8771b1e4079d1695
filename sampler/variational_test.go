package sampler

import (
	"bytes"
	"context"
	"encoding/gob"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// fieldProposer draws site by site, with the bonds to the sites that are placed at an inverse
// temperature and a field on colour 0.
type fieldProposer struct {
	*siteProposer
	beta, field float64
}

// walk draws the configurations of to from uniform or, without, keeps them, and writes ln q.
func (f *fieldProposer) walk(to []int32, uniform, lnQ []float32) {
	p := f.p.(*lattice.Potts)
	lx, ly := p.Size()
	n, weights := p.Sites(), make([]float64, p.Q())
	for w := range f.b.Walkers {
		state, sum := to[w*n:(w+1)*n], 0.0
		for i := range n {
			x, y := i%lx, i/lx
			for c := range weights {
				weights[c] = 1
			}
			weights[0] = math.Exp(f.field)
			for _, j := range []int{y*lx + (x+1)%lx, y*lx + (x+lx-1)%lx, (y+1)%ly*lx + x, (y+ly-1)%ly*lx + x} {
				if j < i {
					weights[state[j]] *= math.Exp(f.beta)
				}
			}
			total := 0.0
			for _, x := range weights {
				total += x
			}
			if uniform != nil {
				u := float64(uniform[w*n+i]) * total
				state[i] = 0
				for c := 0; c < len(weights)-1 && u >= weights[c]; c++ {
					u -= weights[c]
					state[i]++
				}
			}
			sum += math.Log(weights[state[i]] / total)
		}
		lnQ[w] = float32(sum)
	}
}

func (f *fieldProposer) Propose(context.Context) error {
	f.walk(f.b.Proposal, f.b.Uniform, f.b.Forward)
	return nil
}

func (f *fieldProposer) LogProb(context.Context) error {
	f.walk(f.b.State, nil, f.b.Reverse)
	return nil
}

func newVariational(t *testing.T, m int, field float64, o VariationalOptions) *Variational {
	t.Helper()
	o.System = mustPotts(t, 3, 3, 3)
	o.Proposer = &fieldProposer{siteProposer: newSiteProposer(o.System, m), beta: 0.8 * o.Betas[0], field: field}
	v, err := NewVariational(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func draw(t *testing.T, v *Variational, passes int) {
	t.Helper()
	for range passes {
		if err := v.Pass(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// averages are the exact ln Z, U, C, S, <|m|>, chi and U4 of three colours on 3x3.
func averages(t *testing.T, beta float64) []float64 {
	t.Helper()
	p := mustPotts(t, 3, 3, 3)
	tally := newPhaseTally(p)
	state := make([]uint8, p.Sites())
	var sums [7]float64
	for k := range 19683 {
		for i := range state {
			state[i] = uint8(k % 3)
			k /= 3
		}
		e := p.Energy(p.Level(state))
		m, _ := tally.measure(state)
		for i, x := range [...]float64{1, 0, e, e * e, m, m * m, m * m * m * m} {
			sums[i] += x * math.Exp(-beta*e)
		}
	}
	z := sums[0]
	u, m, m2, m4 := sums[2]/z, sums[4]/z, sums[5]/z, sums[6]/z
	return []float64{math.Log(z), u, beta * beta * (sums[3]/z - u*u), math.Log(z) + beta*u, m, beta * 9 * (m2 - m*m), 1 - m4/(3*m2*m2)}
}

func estimates(e dos.WeightedEstimate) (values, deviations []float64) {
	return []float64{e.LnZ, e.Energy, e.SpecificHeat, e.Entropy, e.Order.Mean, e.Order.Susceptibility, e.Order.Binder},
		[]float64{e.LnZError, e.EnergyError, e.SpecificHeatError, e.EntropyError, e.Order.MeanError, e.Order.SusceptibilityError, e.Order.BinderError}
}

// TestVariationalCoverage repeats productions of a fixed distribution: as many intervals of one and
// of two standard errors hold the exact averages as should by Student's distribution, of the
// weighted estimates with and without frames and of the chains.
func TestVariationalCoverage(t *testing.T) {
	const beta, m = 0.6, 64
	exact := averages(t, beta)
	runs := long.Or(800, 80)
	for _, frames := range []bool{false, true} {
		inside := make([][2]int, len(exact)+2)
		for run := range runs {
			v := newVariational(t, m, 0.1, VariationalOptions{Seed: uint64(run), Betas: []float64{beta}, Frames: frames})
			v.Produce()
			draw(t, v, 15) // the chains forget their first draws
			v.Produce()
			draw(t, v, 30)
			values, deviations := estimates(dos.FromWeighted(beta, 9, v.Sums()[0].Blocks))
			chain := v.Sums()[0].Chains.Estimate()
			values, deviations = append(values, chain.Energy, chain.Order), append(deviations, chain.EnergyError, chain.OrderError)
			for i, truth := range append(slices.Clone(exact), exact[1], exact[4]) {
				z := math.Abs(values[i]-truth) / deviations[i]
				for k := range 2 {
					if z < float64(k+1) {
						inside[i][k]++
					}
				}
			}
		}
		for i, name := range []string{"ln Z", "U", "C", "S", "m", "chi", "U4", "U by chains", "m by chains"} {
			for k, want := range []float64{0.675, 0.946} { // of Student's t with 31 degrees of freedom
				got := float64(inside[i][k]) / float64(runs)
				allowed := 3 * math.Sqrt(want*(1-want)/float64(runs))
				t.Logf("frames %v, %s: %.3f within %d errors, nominal %.3f", frames, name, got, k+1, want)
				if math.Abs(got-want) > allowed+0.015 { // weights have tails
					t.Errorf("frames %v, %s: %.3f of the intervals of %d errors hold the exact value, nominal %.3f", frames, name, got, k+1, want)
				}
			}
		}
	}
}

// TestVariationalCollapse draws almost always colour 0: the network's own weights miss the other
// phases, the mean over frames finds all of them.
func TestVariationalCollapse(t *testing.T) {
	const beta = 2.5
	exact := averages(t, beta)
	for _, frames := range []bool{false, true} {
		v := newVariational(t, 256, 5, VariationalOptions{Seed: 5, Betas: []float64{beta}, Frames: frames})
		v.Produce()
		draw(t, v, 40)
		e := dos.FromWeighted(beta, 9, v.Sums()[0].Blocks)
		off := e.LnZ - exact[0]
		t.Logf("frames %v: ln Z off by %.4f(%.4f), shares %.3f of the draws and %.3f of the average, %.0f of %d draws effective", frames, off, e.LnZError, e.Drawn, e.Phases, e.Effective, e.Draws)
		if e.Drawn[0] < 0.99 {
			t.Errorf("the network has not collapsed: %v", e.Drawn)
		}
		if missed := off < -0.9*math.Log(3); missed == frames || frames && math.Abs(off) > 4*e.LnZError {
			t.Errorf("frames %v: ln Z is off by %.4f(%.4f)", frames, off, e.LnZError)
		}
	}
}

// TestVariationalChains compares the acceptance and the autocorrelation time of chains with those of
// the exact transition matrix between draws.
func TestVariationalChains(t *testing.T) {
	const beta, field = 0.6, 0.2
	p := mustPotts(t, 3, 3, 3)
	type kind struct{ q, w, e float64 } // draws of equal q and E, q summed
	kinds := map[[2]int64]*kind{}
	state := make([]uint8, p.Sites())
	one := &fieldProposer{siteProposer: newSiteProposer(p, 1), beta: 0.8 * beta, field: field}
	z := 0.0
	for k := range 19683 {
		for i := range state {
			state[i] = uint8(k % 3)
			one.b.State[i] = int32(k % 3)
			k /= 3
		}
		if err := one.LogProb(context.Background()); err != nil {
			t.Fatal(err)
		}
		b, lnQ := p.Level(state), float64(one.b.Reverse[0])
		key := [2]int64{int64(math.Round(1e4 * lnQ)), int64(b)}
		if kinds[key] == nil {
			kinds[key] = &kind{w: math.Exp(-beta*p.Energy(b) - lnQ), e: p.Energy(b)}
		}
		kinds[key].q += math.Exp(lnQ)
		z += math.Exp(-beta * p.Energy(b))
	}
	var list []kind
	for _, k := range kinds {
		list = append(list, *k)
	}
	slices.SortFunc(list, func(a, b kind) int { return int(math.Copysign(1, a.w-b.w)) })
	acceptance, mean, variance := 0.0, 0.0, 0.0
	for _, from := range list {
		pi := from.q * from.w / z
		mean += pi * from.e
		for _, to := range list {
			acceptance += pi * to.q * min(1, to.w/from.w)
		}
	}
	// tau = 1/2 + sum of the autocorrelation function, by iterating the transition matrix.
	f := make([]float64, len(list))
	for i, k := range list {
		f[i] = k.e - mean
		variance += k.q * k.w / z * f[i] * f[i]
	}
	tau, g := 0.5, slices.Clone(f)
	above, below := make([]float64, len(list)), make([]float64, len(list)) // sums of q g, and of q w g
	sums := func(g []float64) {
		sum := 0.0
		for i := len(list) - 1; i >= 0; i-- {
			sum += list[i].q * g[i]
			above[i] = sum
		}
		sum = 0
		for i, k := range list {
			below[i] = sum / k.w
			sum += k.q * k.w * g[i]
		}
	}
	for range 200 {
		ones := slices.Repeat([]float64{1}, len(list))
		sums(ones)
		next := make([]float64, len(list))
		for i := range next {
			next[i] = (1 - above[i] - below[i]) * g[i]
		}
		sums(g)
		c := 0.0
		for i, from := range list {
			next[i] += above[i] + below[i]
			c += from.q * from.w / z * f[i] * next[i]
		}
		g = next
		tau += c / variance
	}
	v := newVariational(t, 1024, field, VariationalOptions{Seed: 9, Betas: []float64{beta}})
	v.Produce()
	draw(t, v, 30)
	v.Produce()
	draw(t, v, 300)
	e := v.Sums()[0].Chains.Estimate()
	t.Logf("acceptance %.4f, exact %.4f; time %.3f(%.3f), exact %.3f", e.Acceptance, acceptance, e.Autocorrelation, e.AutocorrelationError, tau)
	if math.Abs(e.Acceptance-acceptance) > 0.005 || math.Abs(e.Autocorrelation-tau) > 4*e.AutocorrelationError {
		t.Errorf("acceptance %.4f, exact %.4f; autocorrelation time %.3f(%.3f), exact %.3f", e.Acceptance, acceptance, e.Autocorrelation, e.AutocorrelationError, tau)
	}
}

// TestVariationalAnneals takes the target from one temperature to the next, and hands the network
// ln q as it is to learn for.
func TestVariationalAnneals(t *testing.T) {
	for _, symmetrise := range []bool{false, true} {
		var betas []float64
		var v *Variational
		v = newVariational(t, 8, 0.5, VariationalOptions{
			Betas: []float64{0.4, 0.2}, Steps: 4, Anneal: 0.5, Frames: true, Symmetrise: symmetrise,
			Learn: func(_ context.Context, d Drawn) error {
				betas = append(betas, -d.LnP[0]/v.o.System.Energy(v.levels[0]))
				own := v.proposer.Batch().Forward
				for k, x := range d.LnQ {
					if symmetrise == (x == own[k]) && own[k] != float32(v.lnQ[k]) {
						t.Errorf("symmetrise %v: the network learns for ln q = %v, its own is %v", symmetrise, x, own[k])
					}
				}
				return nil
			},
		})
		for more := true; more; more = v.Next() {
			draw(t, v, 4)
			if !v.Adapted(0) {
				t.Error("there is more to learn")
			}
			v.Produce()
			draw(t, v, 2)
		}
		for i, want := range []float64{0, 0.2, 0.4, 0.4, 0.4, 0.3, 0.2, 0.2} {
			if !(math.Abs(betas[i]-want) < 1e-12) {
				t.Errorf("target %d is at %v, want %v", i, betas[i], want)
			}
		}
		if len(betas) != 8 || len(v.Sums()) != 2 || v.Sums()[1].Beta != 0.2 {
			t.Errorf("%d targets, counts of %d temperatures", len(betas), len(v.Sums()))
		}
	}
}

// TestVariationalResumes goes on from snapshots in every phase as if undisturbed.
func TestVariationalResumes(t *testing.T) {
	options := VariationalOptions{Seed: 4, Betas: []float64{0.4, 0.9}, Steps: 6, Anneal: 0.5, Frames: true, Learn: func(context.Context, Drawn) error { return nil }}
	walk := func(v *Variational, at int) *Variational {
		switch at {
		case 3, 9:
			v.Produce()
		case 6:
			v.Next()
		}
		draw(t, v, 1)
		return v
	}
	whole, parts := newVariational(t, 40, 0.3, options), newVariational(t, 40, 0.3, options)
	for at := range 12 {
		walk(whole, at)
		walk(parts, at)
		var buf bytes.Buffer
		if err := gob.NewEncoder(&buf).Encode(parts.Snapshot()); err != nil {
			t.Fatal(err)
		}
		s := &VariationalSnapshot{}
		if err := gob.NewDecoder(&buf).Decode(s); err != nil {
			t.Fatal(err)
		}
		parts = newVariational(t, 40, 0.3, options)
		if err := parts.Restore(s); err != nil {
			t.Fatal(err)
		}
		a, b := *whole.Snapshot(), *parts.Snapshot()
		a.Times, b.Times = Times{}, Times{}
		if !reflect.DeepEqual(a.Sums, b.Sums) || !reflect.DeepEqual(a.Links, b.Links) || !bytes.Equal(a.Draws, b.Draws) || !reflect.DeepEqual(a.Blocks, b.Blocks) || a.Phase != b.Phase {
			t.Fatalf("after pass %d the resumed one differs", at)
		}
	}
}

// TestVariationalRestoreRefuses names what does not fit.
func TestVariationalRestoreRefuses(t *testing.T) {
	options := VariationalOptions{Seed: 4, Betas: []float64{0.4}, Frames: true}
	for want, damage := range map[string]func(s *VariationalSnapshot){
		"no phase":           func(s *VariationalSnapshot) { s.Phase = Tuning },
		"temperature 3 of 1": func(s *VariationalSnapshot) { s.Index = 2 },
		"levels":             func(s *VariationalSnapshot) { s.Seen = s.Seen[1:] },
		"stands at":          func(s *VariationalSnapshot) { s.Links = slices.Clone(s.Links); s.Links[2].LnWeight = math.NaN() },
		"block 1 is":         func(s *VariationalSnapshot) { s.Sums[0].Blocks[1].Sums[2] = math.Inf(1) },
		"must be 0.4":        func(s *VariationalSnapshot) { s.Sums[0].Beta = 0.5 },
		"passes":             func(s *VariationalSnapshot) { s.Sums[0].Passes++ },
		"chain 0":            func(s *VariationalSnapshot) { s.Sums[0].Chains.Accepted[0] = 99 },
		"generator":          func(s *VariationalSnapshot) { s.Chains = nil },
		"have counts":        func(s *VariationalSnapshot) { s.Sums = nil },
		"block 3 has":        func(s *VariationalSnapshot) { s.Blocks[3].LnSum = nil },
	} {
		v := newVariational(t, 64, 0.3, options)
		v.Produce()
		draw(t, v, 3)
		s := v.Snapshot()
		damage(s)
		if err := newVariational(t, 64, 0.3, options).Restore(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := NewVariational(VariationalOptions{Symmetrise: true, Anneal: 2}); err == nil {
		t.Error("options without a system, a temperature and a proposer are accepted")
	}
}

// TestPhases has frames that map the phases onto each other, leave the energy unchanged and form a
// group.
func TestPhases(t *testing.T) {
	for name, system := range map[string]struct {
		make   func() (lattice.Symmetric, error)
		phases int
	}{
		"potts":    {func() (lattice.Symmetric, error) { return lattice.NewPotts(4, 3, 3) }, 4},
		"potts3d":  {func() (lattice.Symmetric, error) { return lattice.NewPotts3D(3, 3, 3, 3) }, 3},
		"capel":    {func() (lattice.Symmetric, error) { return lattice.NewBlumeCapel(1, 3, 3) }, 2},
		"field":    {func() (lattice.Symmetric, error) { return lattice.NewIsingField(0.5, 3, 3) }, 1},
		"no field": {func() (lattice.Symmetric, error) { return lattice.NewIsingField(0, 3, 3) }, 2},
		"bonds":    {func() (lattice.Symmetric, error) { return lattice.NewRandomBond(0.5, 1, 3, 3) }, 2},
		"baxter":   {func() (lattice.Symmetric, error) { return lattice.NewBaxterWu(3, 3) }, 4},
	} {
		s, err := system.make()
		if err != nil {
			t.Fatal(err)
		}
		r := Stream(1, 2, 3)
		state := make([]uint8, s.Sites())
		for i := range state {
			state[i] = uint8(r.Uint64() % uint64(s.Colours()))
		}
		image := func(f *lattice.Frame, of []uint8) []uint8 {
			x, y := make([]int32, len(of)), make([]uint8, len(of))
			f.Apply(x, of)
			for i, c := range x {
				y[i] = uint8(c)
			}
			return y
		}
		seen := map[string]bool{}
		for k, f := range s.Phases() {
			x := image(f, state)
			seen[string(x)] = true
			if s.Level(x) != s.Level(state) || k == 0 && !slices.Equal(x, state) {
				t.Errorf("%s: frame %d takes level %d to %d", name, k, s.Level(state), s.Level(x))
			}
		}
		if len(seen) != system.phases {
			t.Errorf("%s: %d images, want %d", name, len(seen), system.phases)
		}
		for x := range seen {
			for _, f := range s.Phases() {
				if !seen[string(image(f, []uint8(x)))] {
					t.Errorf("%s: the frames are no group", name)
				}
			}
		}
	}
}
