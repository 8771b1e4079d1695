package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// VariationalOptions are the options of Variational.
type VariationalOptions struct {
	System lattice.Symmetric // required
	Seed   uint64
	// Proposer draws as in VANOptions; without one, Draws is needed.
	Proposer Proposer
	Draws    int
	// Betas are the inverse temperatures, at least one, in units of 1/J, in the order in which the
	// network learns them.
	Betas []float64
	// Steps is the number of batches from which the network learns at each of them. In a share
	// Anneal of these the target goes to that temperature from the one before, at first from
	// infinite temperature.
	Steps  int64
	Anneal float64
	// Frames takes the probability of a draw s as the mean over the system's Phases h,
	//
	//	q(s) = 1/H sum_h q_network(h s),
	//
	// that of a draw in one of these frames at random. Symmetrise has the network learn for this q
	// and not for its own.
	Frames, Symmetrise bool
	// Learn is as in VANOptions.
	Learn  func(context.Context, Drawn) error
	Events Events
}

// Variational samples canonical distributions by a variational autoregressive network (D. Wu, L.
// Wang, P. Zhang, PRL 122, 080602 (2019)): at one inverse temperature after another, it draws
// batches from which the network learns the target p(s) = exp(-beta E(s))/Z by the reverse
// Kullback-Leibler divergence, and then, with the network frozen, draws that count: with weights
// exp(-beta E)/q (Nicoli et al., PRE 101, 023304 (2020)), and as the proposals of M Markov chains,
// one for each place of the batch, which are accepted with the probability
//
//	min[1, exp(-beta E') q(s) / (exp(-beta E) q(s'))].
//
// All that is counted is invariant under the system's Phases, so the frame of a draw need not be
// drawn.
type Variational struct {
	o VariationalOptions
	drawer
	phases []*lattice.Frame // of which q is the mean, the identity first; one alone for the network's q
	tally  *phaseTally      // nil for a system without order

	index  int // of the present temperature
	phase  Phase
	passes int64
	moves  Moves
	times  Times
	uses   *rand.PCG // of the chains

	lnQ, lnP []float64 // of the batch
	learned  []float32 // ln q of the batch as the network learns for it
	image    []uint8   // of the batch, [M,N]

	chains []Link // where the chains stand; before their first step with weight -Inf

	seen   []bool            // by level, in any phase
	hist   []float64         // draws by level in this phase
	levelQ dos.WeightBlock   // of all draws of this phase
	blocks []dos.WeightBlock // of production, without Draws; nil before
	sums   []TemperatureSums // of the temperatures at which production has begun
}

// Link is the present state of a chain.
type Link struct {
	LnWeight, Energy, Order float64
}

// TemperatureSums are what production has counted at one inverse temperature.
type TemperatureSums struct {
	Beta   float64
	Passes int64
	Blocks []dos.WeightedBlock
	Tail   dos.Tail // of the weights
	Chains dos.Chains
}

// NewVariational returns one that has drawn nothing yet.
func NewVariational(o VariationalOptions) (*Variational, error) {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.System == nil {
		fault("no system")
	}
	if len(o.Betas) == 0 {
		fault("no inverse temperature")
	}
	if o.Steps < 0 || !(o.Anneal >= 0 && o.Anneal <= 1) {
		fault("%d steps and annealing in a share of %g, must be at least 0 and within 0..1", o.Steps, o.Anneal)
	}
	if o.Symmetrise && !o.Frames {
		fault("the network learns for the mean over frames, but draws have the network's own probability")
	}
	if o.Proposer != nil {
		o.Draws = o.Proposer.Batch().Walkers
		faults = append(faults, checkDrawing(o.System, o.Proposer, o.Draws))
	} else if o.Draws <= 0 {
		fault("no proposer")
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("sampler options: %w", err)
	}
	m, levels := o.Draws, o.System.Levels()
	v := &Variational{
		o: o, drawer: newDrawer(o.System, o.Proposer, m, Stream(o.Seed, vanStream, 0)), uses: Stream(o.Seed, vanStream, 1),
		phase: Annealing, lnQ: make([]float64, m), lnP: make([]float64, m), learned: make([]float32, m),
		image: make([]uint8, m*o.System.Sites()), chains: make([]Link, m),
		seen: make([]bool, levels), hist: make([]float64, levels), levelQ: dos.NewWeightBlock(levels),
	}
	if v.phases = o.System.Phases(); !o.Frames {
		v.phases = v.phases[:1]
	}
	if o.System.ColoursOrder() {
		v.tally = newPhaseTally(o.System)
	}
	v.unlink()
	return v, nil
}

// unlink has the chains begin anew.
func (v *Variational) unlink() {
	for k := range v.chains {
		v.chains[k] = Link{LnWeight: math.Inf(-1)}
	}
}

// beta is the inverse temperature of the target.
func (v *Variational) beta() float64 {
	to := v.o.Betas[v.index]
	if v.phase == Production {
		return to
	}
	from := 0.0
	if v.index > 0 {
		from = v.o.Betas[v.index-1]
	}
	if way := v.o.Anneal * float64(v.o.Steps); float64(v.passes) < way {
		return from + (to-from)*float64(v.passes)/way
	}
	return to
}

// Pass draws a batch. Before production it hands it to Learn, in production it counts it. For
// batches without likelihoods see VAN.Pass.
func (v *Variational) Pass(ctx context.Context) error {
	learn := v.o.Learn
	if v.phase == Production {
		learn = nil
	}
	b, usable, err := v.draw(ctx, learn != nil, &v.times)
	if err != nil {
		return err
	}
	if usable {
		// A network that learns for its own q needs no other before production.
		phases := v.phases
		if v.phase != Production && !v.o.Symmetrise {
			phases = phases[:1]
		}
		if err := v.likelihoods(ctx, b, phases); err != nil {
			return err
		}
	}
	beta := v.beta()
	for k, level := range v.levels {
		v.lnP[k] = -beta * v.o.System.Energy(level)
	}
	if learn != nil {
		copy(v.learned, b.Forward)
		if v.o.Symmetrise && usable {
			for k, x := range v.lnQ {
				v.learned[k] = float32(x)
			}
		}
		if err := learn(ctx, Drawn{b.Proposal, v.learned, v.lnP}); err != nil {
			return err
		}
	}
	if usable {
		v.note(b)
	}
	v.passes++
	if v.o.Events.Pass != nil {
		v.o.Events.Pass(v.Progress())
	}
	return nil
}

// likelihoods makes ln q of a batch, the mean over frames.
func (v *Variational) likelihoods(ctx context.Context, b *Batch, phases []*lattice.Frame) error {
	for k, x := range b.Forward {
		v.lnQ[k] = float64(x)
	}
	for i, c := range b.Proposal {
		v.image[i] = uint8(c)
	}
	if len(phases) == 1 {
		return nil
	}
	began := time.Now()
	defer func() { v.times.LogProb += time.Since(began) }()
	n := b.Sites
	for _, frame := range phases[1:] {
		for k := range b.Walkers {
			frame.Apply(b.State[k*n:(k+1)*n], v.image[k*n:(k+1)*n])
		}
		if err := v.proposer.LogProb(ctx); err != nil {
			return fmt.Errorf("ln q of a draw in another frame: %w", err)
		}
		if err := checkLogProb(b.Reverse, "draw in another frame"); err != nil {
			return err
		}
		for k, x := range b.Reverse {
			v.lnQ[k] = lnAdd(v.lnQ[k], float64(x))
		}
	}
	for k := range v.lnQ {
		v.lnQ[k] -= math.Log(float64(len(phases)))
	}
	return nil
}

// note counts a batch.
func (v *Variational) note(b *Batch) {
	var found []int
	for k, level := range v.levels {
		if !v.seen[level] {
			v.seen[level] = true
			found = append(found, level)
		}
		v.hist[level]++
		v.levelQ.Add(level, -v.lnQ[k])
	}
	v.moves[Neural].Trials += int64(b.Walkers)
	if v.phase == Production {
		v.count(b)
	} else {
		v.moves[Neural].Accepted += v.expected()
	}
	if len(found) > 0 && v.o.Events.LevelsFound != nil {
		v.o.Events.LevelsFound(found)
	}
}

// expected is how many draws of a batch would be accepted in place of the one before, on average.
func (v *Variational) expected() int64 {
	sum, m := 0.0, len(v.lnQ)
	for k := range m {
		before := (k + m - 1) % m
		sum += math.Exp(min(0, v.lnP[k]-v.lnQ[k]-v.lnP[before]+v.lnQ[before]))
	}
	return int64(math.Round(sum))
}

// count adds a batch of production.
func (v *Variational) count(b *Batch) {
	t := &v.sums[v.index]
	m, n := len(v.levels), b.Sites
	var shares []float64
	for k, level := range v.levels {
		next := Link{LnWeight: v.lnP[k] - v.lnQ[k], Energy: v.o.System.Energy(level)}
		if v.tally != nil {
			next.Order, shares = v.tally.measure(v.image[k*n : (k+1)*n])
		}
		block := k * len(t.Blocks) / m
		t.Blocks[block].Add(next.LnWeight, next.Energy, next.Order, shares)
		t.Tail.Add(next.LnWeight)
		v.blocks[block].Add(level, -v.lnQ[k])

		u := float64(v.uses.Uint64()>>11) * 0x1p-53
		if now := &v.chains[k]; u < math.Exp(next.LnWeight-now.LnWeight) {
			*now = next
			t.Chains.Accepted[k]++
			v.moves[Neural].Accepted++
		}
		now := v.chains[k]
		t.Chains.Energy[k] += now.Energy
		t.Chains.Squares[k] += now.Energy * now.Energy
		t.Chains.Order[k] += now.Order
	}
	t.Passes++
	t.Chains.Steps++
}

// Produce begins production at the present temperature, or begins its counts anew: the chains go
// on from where they are.
func (v *Variational) Produce() {
	if v.phase != Production {
		v.unlink()
	}
	v.enter(Production, Progress{})
	m := len(v.levels)
	blocks := min(minBlocks, m)
	t := TemperatureSums{Beta: v.o.Betas[v.index], Chains: dos.NewChains(m)}
	phases := 0
	if v.tally != nil {
		phases = v.o.System.Colours()
	}
	v.blocks = v.blocks[:0]
	for range blocks {
		t.Blocks = append(t.Blocks, dos.NewWeightedBlock(phases))
		v.blocks = append(v.blocks, dos.NewWeightBlock(len(v.hist)))
	}
	v.sums = append(v.sums[:v.index], t)
}

// enter begins a phase, which has come as far as p says.
func (v *Variational) enter(phase Phase, p Progress) {
	v.phase, v.passes, v.moves, v.times = phase, p.Passes, p.Moves, p.Times
	clear(v.hist)
	v.levelQ = dos.NewWeightBlock(len(v.hist))
}

// Adapt returns from production to learning at the present temperature, which had come as far as p
// says. What production counted there is dropped.
func (v *Variational) Adapt(p Progress) {
	v.enter(Annealing, p)
	v.sums, v.blocks = v.sums[:v.index], nil
}

// Next goes on to learning at the next temperature. It reports whether there is one.
func (v *Variational) Next() bool {
	if v.index+1 == len(v.o.Betas) {
		return false
	}
	v.index++
	v.enter(Annealing, Progress{})
	return true
}

// Temperature returns which of how many temperatures is the present one, from 0 on.
func (v *Variational) Temperature() (index, of int) { return v.index, len(v.o.Betas) }

// SetProposer lets another network draw from the next pass on, see VAN.SetProposer.
func (v *Variational) SetProposer(p Proposer, learn func(context.Context, Drawn) error) error {
	if err := checkDrawing(v.o.System, p, v.o.Draws); err != nil {
		return fmt.Errorf("another network: %w", err)
	}
	v.o.Proposer, v.o.Learn, v.proposer, v.failed = p, learn, p, false
	if v.phase == Production {
		v.unlink() // a chain's weight is that of the former network
		v.Produce()
	}
	return nil
}

// Sums returns what production has counted at every temperature so far. Shared, valid until the
// next pass.
func (v *Variational) Sums() []TemperatureSums { return v.sums }

// Weights returns the inverse probabilities of the draws of the latest production, as VAN.Weights.
func (v *Variational) Weights() []dos.WeightBlock {
	if v.blocks == nil {
		return nil
	}
	return withDraws(v.blocks, func(k int) int64 { return v.sums[len(v.sums)-1].Blocks[k].Draws })
}

// Progress summarises the present phase. Before production, accepted moves are those expected
// between neighbours in a batch.
func (v *Variational) Progress() Progress {
	p := Progress{Phase: v.phase, Passes: v.passes, Moves: v.moves, Times: v.times}
	for _, seen := range v.seen {
		if seen {
			p.Levels++
		}
	}
	return p
}

// Adapted reports whether the network has learned from all batches of the present temperature.
func (v *Variational) Adapted(float64) bool { return v.o.Learn == nil || v.passes >= v.o.Steps }

// AdaptationProgress is how far learning has come at the present temperature, 0..1.
func (v *Variational) AdaptationProgress(float64) float64 {
	return min(1, float64(v.passes)/float64(max(1, v.o.Steps)))
}

// Seen reports by level whether it was drawn. Shared, not to be written.
func (v *Variational) Seen() []bool { return v.seen }

// LnG is ln of the sum of 1/q over the draws of this phase by level, ln g up to a constant; 0 at
// levels not drawn in it.
func (v *Variational) LnG() []float64 {
	lnG := make([]float64, len(v.levelQ.LnSum))
	for b, x := range v.levelQ.LnSum {
		if !math.IsInf(x, -1) {
			lnG[b] = x
		}
	}
	return lnG
}

// View returns what there is to look at.
func (v *Variational) View() *View {
	seen := make([]bool, len(v.hist))
	for b, n := range v.hist {
		seen[b] = n > 0
	}
	return &View{Seen: seen, LnG: v.LnG(), Visits: func() []int64 { return rounded(v.hist) }}
}

// lnAdd returns ln(exp a + exp b) of finite numbers.
func lnAdd(a, b float64) float64 { return max(a, b) + math.Log1p(math.Exp(-math.Abs(a-b))) }
