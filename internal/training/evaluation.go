package training

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"

	"neuralwl/inference"
	"neuralwl/internal/setup"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// Evaluation is what a network that is not shown a state has learned. For a network that
// does not aim at energies, w spans all of them, and a proposal's own energy is taken as its
// target. For an unnormalised one, p(s)/Z stands for q(s), where Z is the mean of p(s) g(E) n over the
// same states, and proposals start from these.
type Evaluation struct {
	Size string `json:"size"` // of the lattice, after the number of colours where there are several
	// KL is the mean of -ln q(s|E*) - ln g(E) - ln n(E*) over states that are equally frequent
	// at each level and targets within w of them; see exporter.Training. Walkers' states
	// count with the weight that makes them so. The errors are from a jackknife over the
	// walkers; that of ln g is part of them.
	KL      float64 `json:"kl"`
	KLError float64 `json:"kl_error"`
	// Acceptance of proposals with targets anywhere, from such states.
	Acceptance      float64 `json:"acceptance"`
	AcceptanceError float64 `json:"acceptance_error"`
	// HitRate is the share of the proposals with an energy within w of their target.
	HitRate float64           `json:"hit_rate"`
	Levels  []LevelEvaluation `json:"-"` // in EvaluationFile
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
	store, err := inference.OpenStore(r.bundle)
	if err != nil {
		return nil, err
	}
	p, err := inference.NewProposer(r.bundle, store, r.s.run, r.engine.Walkers(), r.c.Inference.Batch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	m := newMeter(r, p.Batch())
	for round := range evaluationRounds {
		r.s.observe(Evaluating, float64(round)/evaluationRounds, trainer.StepInfo{})
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
		m.take()
	}
	return m.result()
}

// trial is a walker's state, or rather its level, and a proposal; targets are levels, and
// those of a network that does not aim at energies are the levels themselves.
type trial struct {
	walker           int
	from, to         int
	own, aim         int     // targets of the state and of the proposal
	forward, reverse float64 // ln q of the proposal and of the state
}

// meter measures one batch after the other.
type meter struct {
	course *course
	system lattice.Symmetric
	batch  *sampler.Batch
	aiming bool // the network takes an energy
	scaled bool // the network is unnormalised
	within int  // w in levels, all if it does not
	r      *rand.Rand
	round  []trial // of the walkers, from fill to take
	trials []trial
}

func newMeter(c *course, b *sampler.Batch) *meter {
	m := &meter{
		course: c, system: c.system.(lattice.Symmetric), batch: b, aiming: c.bundle.Card.TakesEnergy(), scaled: b.Unnormalised, within: b.Tolerance,
		r: rand.New(sampler.Stream(c.c.Run.Seed, sampler.VerifyStream, 1)), round: make([]trial, b.Walkers),
	}
	if !m.aiming {
		m.within = c.system.Levels()
	}
	return m
}

// fill puts the walkers' states into the batch, each in a frame and, for a network that
// aims, with a target of its own, and targets anywhere for proposals.
func (m *meter) fill(e *sampler.Engine) {
	b, w, system := m.batch, m.within, m.system
	frame := system.NewFrame()
	for i := range b.Walkers {
		state, level := e.State(i)
		t := trial{walker: i, from: level, own: level}
		frame.Randomise(m.r)
		frame.Apply(b.State[i*b.Sites:(i+1)*b.Sites], state)
		b.Start[i] = 0
		if m.aiming {
			t.own = level - w + m.r.IntN(2*w+1)
			b.Current[i] = float32(system.Energy(t.own))
			t.aim = m.r.IntN(system.Levels()+2*w) - w
			b.Target[i] = float32(system.Energy(t.aim))
		}
		sampler.Uniforms(b.Uniforms(i), m.r)
		m.round[i] = t
	}
}

// take records the network's results for the batch.
func (m *meter) take() {
	b := m.batch
	for i, t := range m.round {
		t.to = m.system.LevelInt32(b.Proposal[i*b.Sites : (i+1)*b.Sites])
		if !m.aiming {
			t.aim = t.to
		}
		t.forward, t.reverse = float64(b.Forward[i]), float64(b.Reverse[i])
		m.trials = append(m.trials, t)
	}
}

// hit reports whether a proposal met its target.
func (m *meter) hit(t trial) bool { return t.to-t.aim <= m.within && t.aim-t.to <= m.within }

// result is what the trials come to, with ln g from all that the walkers have visited since
// training was halfway through.
func (m *meter) result() (*Evaluation, error) {
	w := m.course.engine.Samples().Windows[0]
	energy := make([]float64, m.course.system.Levels())
	for b := range energy {
		energy[b] = m.course.system.Energy(b)
	}
	ensemble, err := dos.FromHistograms(energy, w.LnWeight, w.Blocks, m.course.system.LnStates())
	if err != nil {
		return nil, err
	}
	lnG, err := setup.Levels(ensemble.Density, m.course.system)
	if err != nil {
		return nil, err
	}
	lnN := m.lnLevels(lnG)
	// Each of the blocks is one walker.
	values, deviations, err := ensemble.Estimate(func(d *dos.Density) ([]float64, error) {
		lnG, err := setup.Levels(d, m.course.system)
		if err != nil {
			return nil, err
		}
		kl, acceptance, _ := m.means(lnG, w.LnWeight, lnN, slices.Index(ensemble.Replicas, d))
		return []float64{kl, acceptance}, nil
	})
	if err != nil {
		return nil, err
	}
	_, _, lnZ := m.means(lnG, w.LnWeight, lnN, -1)
	e := &Evaluation{
		Size: m.course.name(), KL: values[0], KLError: deviations[0], Acceptance: values[1], AcceptanceError: deviations[1],
		Levels: m.byLevel(lnG, lnN, lnZ),
	}
	hits := 0
	for _, t := range m.trials {
		if m.hit(t) {
			hits++
		}
	}
	e.HitRate = float64(hits) / float64(len(m.trials))
	return e, nil
}

// lnLevels is ln of the number n of levels with an estimate within w of a target, by the
// target + w.
func (m *meter) lnLevels(lnG []float64) []float64 {
	w := m.within
	lnN := make([]float64, len(lnG)+2*w)
	for target := range lnN {
		n := 0
		for b := max(0, target-2*w); b <= min(len(lnG)-1, target); b++ {
			if !math.IsNaN(lnG[b]) {
				n++
			}
		}
		lnN[target] = math.Log(float64(n))
	}
	return lnN
}

// means are the divergence and the acceptance of the trials, and ln Z of an unnormalised network, leaving
// out one walker.
// Walkers visit a level in proportion to g times their weight there; the inverse of that
// makes their states equally frequent at all levels.
func (m *meter) means(lnG, lnWeight, lnN []float64, without int) (kl, acceptance, lnZ float64) {
	shift := math.Inf(-1) // keeps the exponential finite
	for b, x := range lnG {
		if !math.IsNaN(x) {
			shift = max(shift, lnWeight[b]-x)
		}
	}
	total := 0.0
	var lnRatios []float64
	for _, t := range m.trials {
		if t.walker == without || math.IsNaN(lnG[t.from]) {
			continue
		}
		weight := math.Exp(lnWeight[t.from] - lnG[t.from] - shift)
		total += weight
		if m.scaled {
			lnRatios = append(lnRatios, math.Log(weight)+t.reverse+lnG[t.from]+lnN[t.own+m.within])
		}
		kl += weight * (-t.reverse - lnG[t.from] - lnN[t.own+m.within])
		if m.hit(t) && !math.IsNaN(lnG[t.to]) {
			acceptance += weight * min(1, math.Exp(sampler.LnAcceptance(lnG[t.from], lnG[t.to], t.forward, t.reverse)))
		}
	}
	if m.scaled {
		lnZ = dos.LogSumExp(lnRatios) - math.Log(total)
	}
	return kl/total + lnZ, acceptance / total, lnZ
}

// byLevel evaluates each level that has an estimate.
func (m *meter) byLevel(lnG, lnN []float64, lnZ float64) []LevelEvaluation {
	levels := make([]LevelEvaluation, len(lnG))
	hits, squares := make([]float64, len(lnG)), make([]float64, len(lnG))
	for _, t := range m.trials {
		if at := &levels[t.from]; !math.IsNaN(lnG[t.from]) {
			at.States++
			at.KL += lnZ - t.reverse - lnG[t.from] - lnN[t.own+m.within]
		}
		if t.aim < 0 || t.aim >= len(lnG) {
			continue
		}
		at := &levels[t.aim]
		at.Proposals++
		if m.hit(t) && !math.IsNaN(lnG[t.to]) {
			x := -t.forward - lnG[t.to] - lnN[t.aim+m.within]
			hits[t.aim]++
			at.MeanLnWeight += x
			at.EffectiveShare += math.Exp(x)
			squares[t.aim] += math.Exp(2 * x)
		}
	}
	var evaluated []LevelEvaluation
	for b := len(lnG) - 1; b >= 0; b-- {
		if math.IsNaN(lnG[b]) {
			continue
		}
		at := levels[b]
		n := float64(at.Proposals)
		at.Energy = m.course.system.Energy(b)
		at.KL /= float64(at.States)
		at.HitRate = hits[b] / n
		at.MeanLnWeight /= hits[b]
		at.EffectiveShare *= at.EffectiveShare / squares[b] / n
		if m.scaled { // the weight of a proposal needs its probability
			at.MeanLnWeight, at.EffectiveShare = math.NaN(), math.NaN()
		}
		evaluated = append(evaluated, at)
	}
	return evaluated
}
