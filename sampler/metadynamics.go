package sampler

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/sampler/lattice"
)

// Hills are those that Metadynamics leaves behind.
type Hills struct {
	// Height of the hills that a walker leaves in a sweep of N trials, where there are none before: each
	// of its trials leaves an N-th, in units of ln g. 0 stands for the greatest height with which a level
	// gains no more than 1 on average between two updates of the weights.
	Height float64
	// Width is the standard deviation of a hill in units of J, default DefaultHillWidth.
	Width float64
	// BiasFactor is gamma of well-tempered hills, above 1: walkers come to have the histogram g^(1/gamma).
	// 0 stands for ln of the number of configurations, with which it is flat to within a factor e. With
	// +Inf all hills are of one height.
	BiasFactor float64
}

// DefaultHillWidth is the default of Hills.Width.
const DefaultHillWidth = 1

// check returns the faults of hills.
func (h Hills) check() (faults []error) {
	if !(h.Height >= 0) || math.IsInf(h.Height, 0) {
		faults = append(faults, fmt.Errorf("hills: height = %g, must be a positive number, or 0", h.Height))
	}
	if !(h.Width >= 0) || math.IsInf(h.Width, 0) {
		faults = append(faults, fmt.Errorf("hills: width = %g, must be a positive number, or 0", h.Width))
	}
	if h.BiasFactor != 0 && !(h.BiasFactor > 1) {
		faults = append(faults, fmt.Errorf("hills: bias factor = %g, must be above 1, or 0", h.BiasFactor))
	}
	return faults
}

// hills is metadynamics in the energy: a walker leaves a Gaussian hill where it is, and moves under the
// weights exp(-V), V being the sum of all hills of all walkers,
//
//	V(E) += h exp[-V(E_now)/(gamma - 1)] exp[-(E - E_now)^2 / (2 width^2)]
//
// (A. Laio, M. Parrinello, PNAS 99, 12562 (2002); well-tempered, that is with the first exponential,
// A. Barducci, G. Bussi, M. Parrinello, PRL 100, 020603 (2008); several walkers, P. Raiteri et al.,
// J. Phys. Chem. B 110, 3533 (2006)). The energy is its own collective variable and the temperature
// infinite, so that the free energy is -ln g, and V tends to (gamma - 1)/gamma ln g + const. Hills of the
// width of a level are Wang-Landau sampling, hence ln f for h; and well-tempered ones fall off as 1/t
// (C. Junghans, D. Perez, T. Vogel, J. Chem. Theory Comput. 10, 1843 (2014)).
//
// What a hill would have beyond an end of the window is reflected there. Without it a level at an end
// would gain less than others from as many visits, and walkers would have to stay there for longer:
// the histogram would be uneven in equilibrium. With it, hills left evenly add up to a constant, exactly.
//
// Levels not seen yet are at most deepest below those seen, so that a level found late does not hold
// walkers for longer than it takes to fill up that much, and no weight overflows.
type hills struct {
	bias    []float64 // V by level
	profile []float64 // of a hill by distance in levels
	height  float64   // of a hill where V = 0, left by a trial
	sites   float64   // N, trials of a sweep
	own     bool      // the height was given
	slope   float64   // gamma - 1
	stage   float64   // height of the highest hill when the present iteration began, in units of height
}

const (
	// deepest is how far V of an unseen level may lie below those of levels seen.
	deepest = 50
	// negligible is the part of its height at which a hill ends.
	negligible = 1e-12
)

// newHills returns no hills. The walkers of the window make so many trials between two updates.
func newHills(o *Options, window lattice.Window, trials int64) *hills {
	p, own := o.System, o.Hills
	if own.BiasFactor == 0 {
		own.BiasFactor = max(2, p.LnStates())
	}
	if own.Width == 0 {
		own.Width = DefaultHillWidth
	}
	sigma := own.Width / math.Abs(p.Energy(0)-p.Energy(1))
	m := &hills{
		bias: make([]float64, p.Levels()), sites: float64(p.Sites()), own: own.Height > 0,
		height: own.Height / float64(p.Sites()), slope: own.BiasFactor - 1, stage: 1,
	}
	for d := 0.0; d == 0 || math.Exp(-d*d/(2*sigma*sigma)) > negligible; d++ {
		m.profile = append(m.profile, math.Exp(-d*d/(2*sigma*sigma)))
	}
	if !m.own {
		m.height = 1 / m.volume()
		m.lower(window, trials)
	}
	return m
}

// volume is the sum of a hill of height 1 over all levels.
func (m *hills) volume() float64 {
	sum := m.profile[0]
	for _, x := range m.profile[1:] {
		sum += 2 * x
	}
	return sum
}

// lower lets a level of the window gain no more than 1 on average by so many trials.
func (m *hills) lower(window lattice.Window, trials int64) {
	m.height = min(m.height, float64(window.Levels())/(float64(trials)*m.volume()))
}

func (m *hills) weights(*estimate) []float64 { return m.bias }

func (m *hills) begin(w *estimate) {
	least := leastSeen(w.lnG, w.seen)
	for b := w.Low; b <= w.High && !math.IsInf(least, 1); b++ {
		m.bias[b] = max(0, w.lnG[b]-least) / m.gain()
	}
	m.plan(w)
}

// plan sets the schedule that counts trials, and ends with a flat histogram if hills are of one height.
func (m *hills) plan(w *estimate) {
	kind := ConstantLnF
	if math.IsInf(m.slope, 1) {
		kind = Halving
	}
	w.schedule = newSchedule(kind, min(1, m.height*m.volume()), w.schedule.flatness, w.schedule.explore)
}

func (m *hills) coarsen(w *estimate, trials int64) {
	if !m.own {
		m.lower(w.Window, trials)
	}
	m.plan(w)
}

// gain is the ratio of ln g to V, gamma/(gamma - 1).
func (m *hills) gain() float64 { return 1 + 1/m.slope }

// relative is the height of a hill over bias v, in units of the first ones.
func (m *hills) relative(v float64) float64 { return math.Exp(-v / m.slope) }

// highest is the height of the highest hill that a trial on any level seen would leave now, in units of
// the first ones; 1 if there is no such level.
func (m *hills) highest(w *estimate) float64 {
	if least := leastSeen(m.bias, w.seen); !math.IsInf(least, 1) {
		return m.relative(least)
	}
	return 1
}

// hill is the height of the highest hills that a walker would leave in a sweep, 0 without metadynamics.
func (w *estimate) hill() float64 {
	if m, ok := w.rule.(*hills); ok {
		return m.height * m.sites * m.highest(w)
	}
	return 0
}

func (m *hills) step(w *estimate, trials int64) (changed, ended bool) {
	m.deposit(w.Window, w.fresh)
	m.lift(w)
	for b := range w.lnG {
		w.lnG[b] = m.gain() * m.bias[b]
	}
	shiftToZero(w.lnG, w.seen)
	if ended = w.schedule.step(trials, w.state); w.schedule.kind == Halving {
		return true, ended
	}
	if now := m.highest(w); now <= m.stage/2 {
		m.stage, ended = now, true
	}
	return true, ended
}

// deposit adds the hills of visits by level. All have the heights that the bias has given them before.
func (m *hills) deposit(window lattice.Window, visits []int64) {
	heights := make([]float64, len(visits))
	for b, n := range visits {
		heights[b] = float64(n) * m.height * m.relative(m.bias[b])
	}
	for b, h := range heights {
		if h == 0 {
			continue
		}
		m.bias[b] += h * m.profile[0]
		for d := 1; d < len(m.profile); d++ {
			m.bias[reflected(b+d, window)] += h * m.profile[d]
			m.bias[reflected(b-d, window)] += h * m.profile[d]
		}
	}
}

// reflected is the level of a window to which a level beyond its ends is reflected, half a level from
// the last one at each.
func reflected(level int, w lattice.Window) int {
	n := w.Levels()
	k := (level - w.Low) % (2 * n)
	if k < 0 {
		k += 2 * n
	}
	return w.Low + min(k, 2*n-1-k)
}

// lift keeps unseen levels from being too deep.
func (m *hills) lift(w *estimate) {
	least := leastSeen(m.bias, w.seen)
	for b := w.Low; b <= w.High && !math.IsInf(least, 1); b++ {
		if !w.seen[b] {
			m.bias[b] = max(m.bias[b], least-deepest)
		}
	}
}

func (m *hills) adapted(w *estimate, final float64) bool {
	if w.schedule.kind == Halving {
		return w.schedule.lnF < w.schedule.first
	}
	return w.hill() <= final && m.highest(w) < 1
}

func (m *hills) progress(w *estimate, final float64) float64 {
	if w.schedule.kind == Halving {
		return min(1, w.state.flatness()/w.schedule.flatness)
	}
	first := m.height * m.sites
	if final >= first {
		return 0
	}
	return max(0, min(1, math.Log(w.hill()/first)/math.Log(final/first)))
}

func (m *hills) flatness(w *estimate) float64 { return w.state.flatness() }

// HillsSnapshot is the state of metadynamics.
type HillsSnapshot struct {
	Bias  []float64 // V by level
	Stage float64   // height of the highest hill when the present iteration began, in units of the first ones
}

func (m *hills) save(s *WindowSnapshot) { s.Hills = &HillsSnapshot{slices.Clone(m.bias), m.stage} }

func (m *hills) restore(_ *estimate, s *WindowSnapshot) {
	copy(m.bias, s.Hills.Bias)
	m.stage = s.Hills.Stage
}
