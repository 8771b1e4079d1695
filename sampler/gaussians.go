package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/sampler/lattice"
)

// Gaussians are the ensembles of MultipleGaussian.
type Gaussians struct {
	// Width of the ensembles and distance between them, in units of J; 0 for the standard deviation of the
	// energy at infinite temperature.
	Width float64
	// Sweeps of each walker in an ensemble, at least, default DefaultGaussianSweeps.
	Sweeps int
}

// DefaultGaussianSweeps is the default of Gaussians.Sweeps.
const DefaultGaussianSweeps = 32

// check returns the faults of the ensembles.
func (g Gaussians) check() (faults []error) {
	if !(g.Width >= 0) || math.IsInf(g.Width, 0) {
		faults = append(faults, fmt.Errorf("gaussians: width = %g, must be a positive number, or 0", g.Width))
	}
	if g.Sweeps < 0 {
		faults = append(faults, fmt.Errorf("gaussians: sweeps = %d, must not be negative", g.Sweeps))
	}
	return faults
}

// gaussians samples Gaussian ensembles one after another, each with the distribution of levels
//
//	P_i(b) ∝ g(b) exp[-s_i (b - c_i) - (b - c_i)^2 / (2 width^2)]
//
// (M. S. S. Challa, J. H. Hetherington, PRL 60, 77 (1988)); s_i is the inverse temperature at which c_i
// is the most frequent level, so that P_i is narrow even between two phases, where a canonical
// distribution has two peaks. The ensembles overlap, and ln g is their combination (T. Neuhaus,
// J. S. Hager, PRE 74, 036702 (2006); T. Neuhaus, M. H. Magiera, U. H. E. Hansmann, PRE 76, 045701
// (2007)), here by the error-weighted mean of what they say of ln g(b) - ln g(a), as in recursion.
//
// The chain begins at infinite temperature, goes to the ground states, and from there to the other end of
// the levels. The slope s of the next ensemble is that of ln g where the present one has been. A quarter
// of each is thrown away, as the walkers have to follow. The combined weights are then corrected by
// recursion's iterations until the histogram of one is flat. They add to what the ensembles say and do not
// replace it: in the first of them walkers are still on their way from the end of the chain.
//
// Deviations: the papers sample all ensembles at the same time, with walkers that change places, and
// production in them. Here they make the weights 1/g alone.
type gaussians struct {
	recursion
	lnWeight      []float64
	low, high     int     // ends of the chain
	width         float64 // in levels
	each          int64   // trials in an ensemble
	start, centre float64
	slope         float64 // s
	stage         chainStage
	counting      bool // the walkers have followed
}

// chainStage is where a chain of ensembles has come.
type chainStage int

const (
	goingUp   chainStage = iota // to the ground states, whose level is the highest
	goingDown                   // to the lowest level
	combined                    // there are no more ensembles
)

const (
	// ensembleVisits is the least number of trials of an ensemble, in units of trialsPerLevel per level.
	ensembleVisits = 8
	// following is the part of an ensemble in which walkers follow it.
	following = 0.25
	// farBehind is how many widths from the centre the mean level may be before the chain turns, as
	// there are no levels further on.
	farBehind = 3
	// drawsAtRandom is the number of configurations that give the spread of the energy at infinite
	// temperature.
	drawsAtRandom = 1000
)

// newGaussians returns the first ensemble of a chain for so many walkers.
func newGaussians(o *Options, window lattice.Window, walkers int) *gaussians {
	p := o.System
	g := &gaussians{
		recursion: *newRecursion(p, window, walkers), lnWeight: make([]float64, p.Levels()),
		low: window.Low, high: window.High, width: o.Gaussians.Width / math.Abs(p.Energy(0)-p.Energy(1)),
	}
	g.steady = math.Inf(1) // the ensembles are in equilibrium
	for g.low < g.high && !p.Possible(g.low) {
		g.low++
	}
	for g.low < g.high && !p.Possible(g.high) {
		g.high--
	}
	if g.width == 0 {
		g.width = max(1, spreadAtRandom(p, o.Seed))
	}
	sweeps := o.Gaussians.Sweeps
	if sweeps == 0 {
		sweeps = DefaultGaussianSweeps
	}
	g.each = max(ensembleVisits*trialsPerLevel*int64(window.Levels()), int64(sweeps*walkers*p.Sites()))
	g.start = max(float64(g.low), min(float64(p.PeakLevel()), float64(g.high)))
	g.centre = g.start
	return g
}

// spreadAtRandom is the standard deviation of the level of random configurations.
func spreadAtRandom(p lattice.System, seed uint64) float64 {
	r := rand.New(Stream(seed, gaussianStream, 0))
	state := make([]uint8, p.Sites())
	sum, squares := 0.0, 0.0
	for range drawsAtRandom {
		for i := range state {
			state[i] = uint8(r.IntN(p.Colours()))
		}
		x := float64(p.Level(state))
		sum, squares = sum+x, squares+x*x
	}
	return math.Sqrt(squares/drawsAtRandom - sum*sum/(drawsAtRandom*drawsAtRandom))
}

// weights are those of the present ensemble, and in the end ln g.
func (g *gaussians) weights(w *estimate) []float64 {
	if g.stage == combined {
		copy(g.lnWeight, w.lnG)
		return g.lnWeight
	}
	for b := w.Low; b <= w.High; b++ {
		d := float64(b) - g.centre
		g.lnWeight[b] = g.slope*d + d*d/(2*g.width*g.width)
	}
	return g.lnWeight
}

// begin leaves out the ensembles if ln g is known.
func (g *gaussians) begin(w *estimate) {
	if w.state.levels > 0 {
		w.fillUnseen()
		g.stage = combined
		g.weights(w)
	}
}

func (g *gaussians) step(w *estimate, trials int64) (changed, ended bool) {
	w.schedule.trials += trials
	if g.stage == combined {
		if changed, ended = g.recursion.step(w, trials); changed {
			g.weights(w)
		}
		return changed, ended
	}
	g.trials += trials
	switch done := float64(g.trials); {
	case !g.counting && done >= following*float64(g.each):
		g.counting = true
		clear(w.hist)
		return false, false
	case done < float64(g.each):
		return false, false
	}
	visits := make([]float64, len(w.hist))
	for b, n := range w.hist {
		visits[b] = float64(n)
	}
	g.correct(w, visits)
	g.advance(w, visits)
	g.trials, g.counting = 0, false
	g.weights(w)
	return true, true
}

// advance makes the next ensemble of the chain, or ends the chain.
func (g *gaussians) advance(w *estimate, visits []float64) {
	mean, all := 0.0, 0.0
	for b, n := range visits {
		mean, all = mean+n*float64(b), all+n
	}
	mean /= all
	ahead, end := 1.0, float64(g.high)
	if g.stage == goingDown {
		ahead, end = -1, float64(g.low)
	}
	behind := (g.centre-mean)*ahead > farBehind*g.width
	if behind || (end-g.centre)*ahead <= 0 {
		if g.stage++; g.stage == combined {
			return
		}
		if ahead, end = -1, float64(g.low); behind {
			g.centre = mean
		}
	}
	g.slope = slopeAhead(w.lnG, visits, mean, ahead, g.slope)
	g.centre += ahead * g.width
	if (end-g.centre)*ahead < 0 {
		g.centre = end
	}
}

// slopeAhead is the slope of ln g by level over the levels visited ahead of a mean level, by least
// squares weighted by the visits; otherwise, if these are fewer than two.
func slopeAhead(lnG, visits []float64, mean, ahead, otherwise float64) float64 {
	n, x, y, xx, xy := 0.0, 0.0, 0.0, 0.0, 0.0
	for b, v := range visits {
		if d := float64(b) - mean; d*ahead >= 0 {
			n, x, y, xx, xy = n+v, x+v*d, y+v*lnG[b], xx+v*d*d, xy+v*d*lnG[b]
		}
	}
	if spread := n*xx - x*x; spread > 1e-9*n*n {
		return (n*xy - x*y) / spread
	}
	return otherwise
}

// adapted and progress are those of recursion after the chain.
func (g *gaussians) adapted(w *estimate, limit float64) bool {
	return g.stage == combined && g.recursion.adapted(w, limit)
}

func (g *gaussians) progress(w *estimate, limit float64) float64 {
	const chain = 0.7 // its part of the adaptation
	up, down := float64(g.high)-g.start, float64(g.high-g.low)
	switch g.stage {
	case goingUp:
		return chain * (g.centre - g.start) / (up + down)
	case goingDown:
		return chain * (up + float64(g.high) - g.centre) / (up + down)
	}
	return chain + (1-chain)*g.recursion.progress(w, limit)
}

// GaussiansSnapshot is the state of a chain of Gaussian ensembles.
type GaussiansSnapshot struct {
	Stage         int // 0 and 1 going up and down the levels, 2 beyond the last ensemble
	Centre, Slope float64
	Counting      bool
}

func (g *gaussians) save(s *WindowSnapshot) {
	g.recursion.save(s)
	s.Gaussians = &GaussiansSnapshot{int(g.stage), g.centre, g.slope, g.counting}
}

func (g *gaussians) restore(w *estimate, s *WindowSnapshot) {
	g.recursion.restore(w, s)
	from := s.Gaussians
	g.stage, g.centre, g.slope, g.counting = chainStage(from.Stage), from.Centre, from.Slope, from.Counting
}
