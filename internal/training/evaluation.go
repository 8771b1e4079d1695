package training

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/trainer"
)

// Evaluation is what a network that is not shown a state has learned. The proposals of one
// that does not aim at energies hit a target anywhere within w of all energies, and below
// have the energy that they are said to aim at.
type Evaluation struct {
	Size string // of the lattice
	// KL is the mean of -ln q(s|E*) - ln g(E) - ln n(E*) over states of a flat histogram and
	// targets within w of them; see exporter.Training.
	KL, KLError float64
	// Acceptance of proposals with targets anywhere, from such states.
	Acceptance, AcceptanceError float64
	// HitRate is the share of the proposals with an energy within w of their target.
	HitRate float64
	Levels  []LevelEvaluation
}

// LevelEvaluation is that for one energy: of states that have it, and of proposals that
// aim at it. The weight of a proposal is 1/(g(E) n(E*) q(s|E*)), 0 if it misses its
// target by more than w.
type LevelEvaluation struct {
	Energy         float64
	States         int
	KL             float64 // NaN without states
	Proposals      int
	HitRate        float64
	MeanLnWeight   float64 // of those that hit
	EffectiveShare float64 // (sum of weights)^2 / (sum of their squares), per proposal
}

// evaluationRounds is how often all walkers' states and as many proposals are evaluated.
const evaluationRounds = 40

// evaluate measures the network on states that the walkers visit from now on.
func (r *course) evaluate(ctx context.Context) (_ *Evaluation, err error) {
	store, err := newStore(r.bundle)
	if err != nil {
		return nil, err
	}
	p, err := inference.NewProposer(r.bundle, store, r.s.run, r.engine.Walkers(), r.c.Inference.Batch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	lnG, err := r.lnG()
	if err != nil {
		return nil, err
	}
	m := newMeter(r, lnG, p.Batch())
	for round := range evaluationRounds {
		r.s.observe("evaluation", float64(round)/evaluationRounds, trainer.StepInfo{})
		if err := r.engine.Pass(ctx); err != nil {
			return nil, err
		}
		m.fill(r.engine)
		if err := p.Propose(ctx); err != nil {
			return nil, err
		}
		if err := p.LogProb(ctx); err != nil {
			return nil, err
		}
		m.count()
	}
	return m.result(), nil
}

// lnG is ln g by level from the walkers' histogram so far, normalised, NaN at levels
// not visited.
func (r *course) lnG() ([]float64, error) {
	w := r.engine.Samples().Windows[0]
	energy := make([]float64, r.system.Levels())
	for b := range energy {
		energy[b] = r.system.Energy(b)
	}
	d, err := dos.FromHistograms(energy, w.LnWeight, w.Blocks, r.system.LnStates())
	if err != nil {
		return nil, err
	}
	return r.levels(d.Density)
}

// meter measures one batch after the other.
type meter struct {
	course *course
	lnG    []float64
	batch  *sampler.Batch
	aiming bool // the network takes an energy
	within int  // w in levels
	r      *rand.Rand
	levels []int // of the states
	aims   []int
	own    []int // targets of the states

	kl, accepted     moments
	hits, proposals  float64
	states           []moments // of the KL, by level
	aimed            []moments // of the ln weight of those that hit, by level
	tried            []int     // proposals by level
	weights, squares []float64 // sums of the weights by level
}

func newMeter(c *course, lnG []float64, b *sampler.Batch) *meter {
	n := len(lnG)
	aiming, within := c.bundle.Card.TakesEnergy(), b.Tolerance
	if !aiming {
		within = n
	}
	return &meter{
		course: c, lnG: lnG, batch: b, aiming: aiming, within: within, r: rand.New(sampler.Stream(c.c.Run.Seed, sampler.VerifyStream, 1)),
		levels: make([]int, b.Walkers), aims: make([]int, b.Walkers), own: make([]int, b.Walkers),
		states: make([]moments, n), aimed: make([]moments, n), tried: make([]int, n),
		weights: make([]float64, n), squares: make([]float64, n),
	}
}

// fill puts the walkers' states into the batch, each in a frame and, for a network that
// aims, with a target of its own, and targets anywhere for proposals.
func (m *meter) fill(e *sampler.Engine) {
	b, w := m.batch, m.within
	frame := m.course.system.NewFrame()
	for i := range b.Walkers {
		state, level := e.State(i)
		m.levels[i] = level
		frame.Randomise(m.r)
		frame.Apply(b.State[i*b.Sites:(i+1)*b.Sites], state)
		b.Start[i] = 0
		if m.aiming {
			m.own[i] = level - w + m.r.IntN(2*w+1)
			b.Current[i] = float32(m.course.system.Energy(m.own[i]))
			m.aims[i] = m.r.IntN(len(m.lnG)+2*w) - w
			b.Target[i] = float32(m.course.system.Energy(m.aims[i]))
		}
		for k := range b.Sites {
			b.Uniform[i*b.Sites+k] = float32(m.r.Uint64()>>40) * 0x1p-24
		}
	}
}

// count takes over what the network said of the batch.
func (m *meter) count() {
	b := m.batch
	for i := range b.Walkers {
		from := m.levels[i]
		if !math.IsNaN(m.lnG[from]) {
			x := -float64(b.Reverse[i]) - m.lnG[from] - m.lnLevels(m.own[i])
			m.kl.add(x)
			m.states[from].add(x)
		}
		to := m.course.system.BondsInt32(b.Proposal[i*b.Sites : (i+1)*b.Sites])
		if !m.aiming {
			m.aims[i] = to
		}
		hit := to-m.aims[i] <= m.within && m.aims[i]-to <= m.within
		m.proposals++
		acceptance := 0.0
		if hit {
			m.hits++
			if !math.IsNaN(m.lnG[to]) && !math.IsNaN(m.lnG[from]) {
				acceptance = min(1, math.Exp(sampler.LnAcceptance(m.lnG[from], m.lnG[to], float64(b.Forward[i]), float64(b.Reverse[i]))))
			}
		}
		m.accepted.add(acceptance)
		if at := m.aims[i]; at >= 0 && at < len(m.lnG) {
			m.tried[at]++
			if hit && !math.IsNaN(m.lnG[to]) {
				x := -float64(b.Forward[i]) - m.lnG[to] - m.lnLevels(at)
				m.aimed[at].add(x)
				m.weights[at] += math.Exp(x)
				m.squares[at] += math.Exp(2 * x)
			}
		}
	}
}

// lnLevels is ln of the number n of levels with states within w of a target.
func (m *meter) lnLevels(target int) float64 {
	n := 0
	for b := max(0, target-m.within); b <= min(len(m.lnG)-1, target+m.within); b++ {
		if !math.IsNaN(m.lnG[b]) {
			n++
		}
	}
	return math.Log(float64(n))
}

func (m *meter) result() *Evaluation {
	e := &Evaluation{Size: m.course.size(), HitRate: m.hits / m.proposals}
	e.KL, e.KLError = m.kl.mean(), m.kl.deviation()
	e.Acceptance, e.AcceptanceError = m.accepted.mean(), m.accepted.deviation()
	for b := len(m.lnG) - 1; b >= 0; b-- {
		if math.IsNaN(m.lnG[b]) {
			continue
		}
		n := float64(m.tried[b])
		e.Levels = append(e.Levels, LevelEvaluation{
			Energy: float64(m.course.system.Energy(b)), States: int(m.states[b].n), KL: m.states[b].mean(),
			Proposals: m.tried[b], HitRate: m.aimed[b].n / n, MeanLnWeight: m.aimed[b].mean(),
			EffectiveShare: m.weights[b] * m.weights[b] / m.squares[b] / n,
		})
	}
	return e
}

// moments are the sums that mean and error follow from.
type moments struct{ n, sum, squares float64 }

func (m *moments) add(x float64) {
	m.n++
	m.sum += x
	m.squares += x * x
}

func (m moments) mean() float64 { return m.sum / m.n }

// deviation is the standard error of the mean of independent numbers.
func (m moments) deviation() float64 {
	mean := m.mean()
	return math.Sqrt((m.squares/m.n - mean*mean) / (m.n - 1))
}

// newStore holds the weights of a bundle.
func newStore(b *exporter.Bundle) (*inference.Store, error) {
	weights, err := b.Weights()
	if err != nil {
		return nil, err
	}
	return inference.NewStore(weights)
}
