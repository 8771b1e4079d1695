package local

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"neuralwl/internal/long"
	"neuralwl/sampler/lattice"
)

// clusterSystems are tiny systems: the Potts model on 3x3 sites, and such made of pairs that prefer
// equal colours or differ by half of the colours.
func clusterSystems(t testing.TB) []lattice.System {
	make := func(name string, q, sites int, pairs ...[3]int) lattice.System {
		m := lattice.Model{Name: name, Sides: []int{sites, 1}, Colours: q}
		for turn := range 2 - q%2 {
			m.Kinds = append(m.Kinds, lattice.Kind{Order: 2, Energy: func(a, b, _ int) int {
				if a == (b+turn*q/2)%q {
					return -1
				}
				return 0
			}})
		}
		for _, p := range pairs {
			m.Terms = append(m.Terms, lattice.Term{Sites: [3]int{p[0], p[1]}, Kind: p[2]})
		}
		return terms(t)(lattice.New(m))
	}
	return []lattice.System{
		mustPotts(t, 2, 3, 3),
		make("prism", 3, 6, [3]int{0, 1}, [3]int{1, 2}, [3]int{2, 0}, [3]int{3, 4}, [3]int{4, 5}, [3]int{5, 3}, [3]int{0, 3}, [3]int{1, 4}, [3]int{2, 5}),
		make("frustrated prism", 2, 6, [3]int{0, 1, 1}, [3]int{1, 2}, [3]int{2, 0}, [3]int{3, 4}, [3]int{4, 5, 1}, [3]int{5, 3, 1}, [3]int{0, 3}, [3]int{1, 4, 1}, [3]int{2, 5}),
		make("tetrahedron", 4, 4, [3]int{0, 1, 1}, [3]int{1, 2}, [3]int{2, 0, 1}, [3]int{0, 3}, [3]int{1, 3, 1}, [3]int{2, 3}),
	}
}

// roughLnG is as randomLnG, without weight for levels below its least weight.
func roughLnG(s lattice.System, scale float64) []float64 {
	r := rand.New(rand.NewPCG(5, 6))
	lnG := make([]float64, s.Levels())
	for b := range lnG {
		x := float64(b-s.PeakLevel()) / float64(s.Levels())
		lnG[b] = -10*x*x + scale*r.NormFloat64()
	}
	return lnG
}

// clusterFlows returns, for every pair of configurations by their numbers, the probability that a
// cluster move leads from one to the other, by enumeration of all bonds and all ways to turn
// clusters, from the probabilities of the number of bonds and the acceptance.
func clusterFlows(k *cluster, states [][]uint8, numbers map[string]int) [][]float64 {
	q := int(k.colours)
	pairs := k.couplings.Pairs
	flow := make([][]float64, len(states))
	for from, state := range states {
		flow[from] = make([]float64, len(states))
		level := k.couplings.Count(state, q)
		if math.IsInf(k.bonds.lnRest[level], -1) {
			flow[from][from] = 1
			continue
		}
		var satisfied []lattice.Pair
		for i, p := range pairs {
			if k.couplings.Satisfied(i, p, state, q) {
				satisfied = append(satisfied, p)
			}
		}
		numberOf := bondNumbers(k.bonds, level)
		for bonds := range 1 << len(satisfied) {
			n := 0
			label := make([]int, len(state))
			for i := range label {
				label[i] = i
			}
			for i, p := range satisfied {
				if bonds>>i&1 == 0 {
					continue
				}
				n++
				old, to := label[p.B], label[p.A]
				for s := range label {
					if label[s] == old {
						label[s] = to
					}
				}
			}
			place, clusters := make([]int, len(state)), 0 // of a label
			for s := range label {
				if label[s] == s {
					place[s] = clusters
					clusters++
				}
			}
			ways := 1
			for range clusters {
				ways *= q
			}
			each := numberOf[n] / math.Exp(lnBinomial(len(satisfied), n)) / float64(ways)
			if each == 0 {
				continue
			}
			image := make([]uint8, len(state))
			for way := range ways {
				turns := make([]int, clusters)
				for i, rest := 0, way; i < clusters; i, rest = i+1, rest/q {
					turns[i] = rest % q
				}
				for s, colour := range state {
					image[s] = uint8((int(colour) + turns[place[label[s]]]) % q)
				}
				to := k.couplings.Count(image, q)
				accept := math.Min(1, math.Exp(k.bonds.lnRest[to]-k.bonds.lnRest[level]))
				flow[from][numbers[string(image)]] += each * accept
				flow[from][from] += each * (1 - accept)
			}
		}
	}
	return flow
}

// bondNumbers are the probabilities of the number of bonds at a level as walk draws them.
func bondNumbers(t *bondWeights, level int) []float64 {
	p := make([]float64, level+1)
	last := 0.0
	for last < t.sum[level] {
		n, sum := t.walk(level, last)
		if sum <= last {
			break
		}
		p[n] += (sum - last) / t.sum[level]
		last = sum
	}
	return p
}

func lnBinomial(n, k int) float64 {
	ln := func(n int) float64 { x, _ := math.Lgamma(float64(n + 1)); return x }
	return ln(n) - ln(k) - ln(n-k)
}

// enumerate returns all configurations of a system, and their numbers.
func enumerate(s lattice.System) (states [][]uint8, numbers map[string]int) {
	numbers = map[string]int{}
	state := make([]uint8, s.Sites())
	for {
		numbers[string(state)] = len(states)
		states = append(states, append([]uint8(nil), state...))
		i := 0
		for ; i < len(state); i++ {
			if state[i]++; int(state[i]) < s.Colours() {
				break
			}
			state[i] = 0
		}
		if i == len(state) {
			return states, numbers
		}
	}
}

// TestClusterDetailedBalance builds the transition matrix of the cluster move by enumeration of all
// bonds and all turns of clusters, under smooth and rough weights, in the whole range and in windows. Its
// flows are the same both ways, its rows add up to 1, and it does what move does: from some
// configurations it is compared with many moves, by chi-square.
func TestClusterDetailedBalance(t *testing.T) {
	for i, s := range clusterSystems(t) {
		states, numbers := enumerate(s)
		for _, scale := range []float64{0.3, 0, 3}[:long.Or(3, 1+i/3)] {
			for _, window := range []lattice.Window{{Low: 0, High: s.Levels() - 1}, {Low: s.Levels() / 3, High: s.Levels() - 2}} {
				if i == 0 && (window.Low > 0 || testing.Short()) {
					continue // takes seconds
				}
				t.Run(fmt.Sprint(s, " ", scale, " ", window.Low), func(t *testing.T) {
					t.Parallel()
					lnG := roughLnG(s, scale)
					k := New(s, Cluster, window, 1).(*cluster)
					k.Fill(lnG)
					flow := clusterFlows(k, states, numbers)
					compared := 0
					for a, row := range flow {
						sum := 0.0
						weight := math.Exp(-lnG[s.Level(states[a])])
						for b, p := range row {
							sum += p
							left, right := weight*p, math.Exp(-lnG[s.Level(states[b])])*flow[b][a]
							if math.Abs(left-right) > 1e-9*(left+right) {
								t.Fatalf("%v -> %v: flow %g forth, %g back", states[a], states[b], left, right)
							}
							if p > 0 && a != b && !window.Contains(s.Level(states[b])) {
								t.Fatalf("%v -> %v leaves the window %v", states[a], states[b], window)
							}
						}
						if math.Abs(sum-1) > 1e-9 {
							t.Fatalf("%v: probabilities sum to %v", states[a], sum)
						}
						if level := s.Level(states[a]); window.Contains(level) && row[a] < 0.9 && (a%(len(states)/8) == 3 || compared == 0) {
							compareMoves(t, k, states, numbers, a, row)
							compared++
						}
					}
					if compared == 0 && scale < 3 {
						t.Error("no configuration from which moves were compared")
					}
				})
			}
		}
	}
}

// compareMoves makes many cluster moves from one configuration.
func compareMoves(t *testing.T, k *cluster, states [][]uint8, numbers map[string]int, from int, row []float64) {
	t.Helper()
	n := long.Or(400000, 40000)
	seen := make([]float64, len(states))
	rng := rand.NewPCG(9, uint64(from))
	state := make([]uint8, len(states[from]))
	level := k.couplings.Count(states[from], int(k.colours))
	for range n {
		copy(state, states[from])
		to, _ := k.move(&k.workers[0], state, level, rng)
		if to != k.couplings.Count(state, int(k.colours)) {
			t.Fatal("wrong level")
		}
		seen[numbers[string(state)]]++
	}
	square, bins, rareSeen, rareExpected := 0.0, -1.0, 0.0, 0.0
	add := func(seen, expected float64) {
		square += (seen - expected) * (seen - expected) / expected
		bins++
	}
	for b, p := range row {
		expected := p * float64(n)
		if expected < 5 {
			rareSeen, rareExpected = rareSeen+seen[b], rareExpected+expected
			if expected == 0 && seen[b] > 0 {
				t.Errorf("%v -> %v is impossible and was seen", states[from], states[b])
			}
			continue
		}
		add(seen[b], expected)
	}
	if rareExpected > 5 {
		add(rareSeen, rareExpected)
	}
	if z := (square - bins) / math.Sqrt(2*bins); !(math.Abs(z) < 5) {
		t.Errorf("from %v: chi-square %.1f with %.0f degrees of freedom", states[from], square, bins)
	}
}

// TestClusterPaths compares the probability of a cluster move with that of its reverse for given bonds, with q = 3,
// of which there are too many for a matrix: it depends on the levels and the number of bonds alone.
func TestClusterPaths(t *testing.T) {
	for _, s := range []lattice.System{mustPotts(t, 3, 3, 3), mustPotts(t, 10, 8, 8), terms(t)(lattice.NewPotts3D(4, 3, 3, 3))} {
		for _, scale := range []float64{0, 1} {
			lnG := roughLnG(s, scale)
			k := New(s, Cluster, lattice.Window{Low: 0, High: s.Levels() - 1}, 1).(*cluster)
			k.Fill(lnG)
			number := make([][]float64, s.Levels())
			for b := range number {
				if !math.IsInf(k.bonds.lnRest[b], -1) {
					number[b] = bondNumbers(k.bonds, b)
				}
			}
			lnFlow := func(from, to, n int) float64 {
				return -lnG[from] + math.Log(number[from][n]) - lnBinomial(from, n) + math.Min(0, k.bonds.lnRest[to]-k.bonds.lnRest[from])
			}
			compared := 0
			for from := range number {
				for to := range from {
					for n := range number[to] { // no more bonds than satisfied pairs
						if number[from] == nil || number[to] == nil || number[from][n] < 1e-12 || number[to][n] < 1e-12 {
							continue
						}
						compared++
						if forth, back := lnFlow(from, to, n), lnFlow(to, from, n); math.Abs(forth-back) > 1e-3 || number[from][n] > 1e-6 && number[to][n] > 1e-6 && math.Abs(forth-back) > 1e-7 {
							t.Fatalf("%v: %d -> %d with %d bonds: ln of the flow %.9f forth, %.9f back", s, from, to, n, forth, back)
						}
					}
				}
			}
			if compared < 100 {
				t.Errorf("%v: %d paths", s, compared)
			}
		}
	}
}

// TestSwendsenWang finds what cluster moves are at constant temperature: every satisfied pair gets a bond
// with probability 1 - exp(-beta), and none is rejected.
func TestSwendsenWang(t *testing.T) {
	p := mustPotts(t, 3, 5, 4)
	const beta = 0.9
	lnG := make([]float64, p.Levels())
	for b := range lnG {
		lnG[b] = beta * p.Energy(b)
	}
	k := New(p, Cluster, lattice.Window{Low: 0, High: p.Levels() - 1}, 1).(*cluster)
	k.Fill(lnG)
	rest := k.bonds.lnRest[p.GroundLevel()]
	for b := range p.Levels() {
		if !p.Possible(b) {
			continue
		}
		if math.Abs(k.bonds.lnRest[b]-rest) > 1e-9 {
			t.Fatalf("level %d: ln w/Z is %.12f, and %.12f at the ground state", b, k.bonds.lnRest[b], rest)
		}
		for n, x := range bondNumbers(k.bonds, b) {
			bonded := -math.Expm1(-beta)
			want := math.Exp(lnBinomial(b, n)) * math.Pow(bonded, float64(n)) * math.Pow(1-bonded, float64(b-n))
			if math.Abs(x-want) > 1e-9 {
				t.Fatalf("level %d: %d bonds with probability %.12f, binomial %.12f", b, n, x, want)
			}
		}
	}
}
