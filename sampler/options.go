package sampler

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Options of an Engine. Zero values stand for the defaults given.
type Options struct {
	System  lattice.System // required; lattice.Symmetric for a Proposer
	Seed    uint64
	Walkers int // M, default 256
	// Workers is the number of goroutines that share the walkers, default 1. It does not
	// affect results.
	Workers int

	// Local is the local move of a pass, none by default. It needs a system of a type that
	// package local supports.
	Local local.Move
	// Sweeps of the local move per walker and pass, default 1. A sweep is N trials.
	Sweeps int

	// Proposer makes the neural trials; nil for none.
	Proposer Proposer
	// Angles makes those of a system of angles instead.
	Angles AngleProposer
	// Coldest is the largest inverse temperature of proposals of angles, in units of 1/J: each has one
	// that is uniform from 0 on.
	Coldest float64
	// Trials is the number of neural trials per walker and pass, default 1.
	Trials int
	// Partial is the share of neural trials, 0..1, that keep a randomly drawn number of
	// sites.
	Partial float64
	// Shift is the largest shift of the energy, in units of J, that neural trials ask for;
	// 0 by default. It needs a proposer that takes shifts.
	Shift int

	// Upright has the network see configurations as they are, and not in random frames.
	Upright bool

	// Across is the share, 0..1, of the remaining neural trials in which walkers at one end
	// of the levels aim at the other end while those in between wait. It needs a proposer
	// with targets. Each end covers a quarter of the way between the infinite-temperature
	// peak and the ground state. There are none under a histogram (Engine.SetHistogram) with less than two
	// thirds of what a flat one has at an end.
	Across float64

	// LnG is an initial estimate of ln g by level, NaN at unknown levels; nil for none.
	LnG []float64

	// Adaptation is how the weights are found: WangLandau, the default, Multicanonical, Metadynamics or
	// MultipleGaussian. Canonical takes the weights exp(-Beta E), which need no adaptation.
	Adaptation Phase
	Hills      Hills     // of Metadynamics
	Gaussians  Gaussians // of MultipleGaussian
	// Beta is the inverse temperature of canonical weights, in units of 1/J.
	Beta float64

	// Windows divide the levels among the walkers. Together they must cover all levels, and
	// each must share more than MaxStep levels with the next. Walkers must be a multiple of
	// their number. None stands for one window over all levels.
	//
	// Each window has its own estimate of ln g. (With a common one, the visits of all walkers
	// together become flat before those of each window do, and steps in ln g at the ends of
	// windows never heal.) Neighbouring windows exchange configurations (Vogel, Li, Wüst,
	// Landau, PRL 110, 210603 (2013)), so that configurations travel over the whole range
	// though no walker does.
	//
	// A walker always exchanges with the same two walkers, those of the neighbouring windows
	// in its column: of W windows, walkers Wc..Wc+W-1 make up column c. Under constant
	// weights columns are independent of each other, as error bars require.
	Windows []lattice.Window

	// Shard makes an engine of a part of the walkers alone; the zero value is all of them.
	Shard Shard

	// Schedule of ln f in Wang-Landau sampling, default InverseTime.
	Schedule Schedule
	// LnF is the modification factor of Wang-Landau sampling to begin with, and by ConstantLnF to stay
	// with. 0 stands for the greatest one, at most 1, with which a level gains no more than 1 on average
	// between two updates of the weights.
	LnF float64
	// Exploration is how many times as long as until the last new level was found ConstantLnF goes on in
	// all, at least 1, default DefaultExploration. With 1 it ends with that level, and then the weights
	// hold walkers where it is.
	Exploration float64
	// Flatness ends an iteration of the Wang-Landau schedule, default DefaultFlatness.
	Flatness float64

	Events Events
}

// EnsureDefaults fills in the defaults.
func (o *Options) EnsureDefaults() {
	if o.Walkers == 0 {
		o.Walkers = 256
	}
	if o.Workers == 0 {
		o.Workers = 1
	}
	if o.Sweeps == 0 {
		o.Sweeps = 1
	}
	if o.Trials == 0 {
		o.Trials = 1
	}
	if o.Flatness == 0 {
		o.Flatness = DefaultFlatness
	}
	if o.Schedule == "" {
		o.Schedule = InverseTime
	}
	if o.Exploration == 0 {
		o.Exploration = DefaultExploration
	}
	if o.Adaptation == "" {
		o.Adaptation = WangLandau
	}
}

// Validate reports every fault at once.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.System == nil {
		fault("no system")
	}
	if o.Walkers < 1 {
		fault("walkers = %d, at least 1 is needed", o.Walkers)
	}
	if o.Workers < 1 {
		fault("workers = %d, at least 1 is needed", o.Workers)
	}
	if o.Sweeps < 1 {
		fault("sweeps = %d, at least 1 is needed", o.Sweeps)
	}
	if o.Trials < 1 {
		fault("trials = %d, at least 1 is needed", o.Trials)
	}
	if o.Local == local.None && o.Proposer == nil && o.Angles == nil {
		fault("no moves: neither local nor neural ones were asked for")
	}
	if o.Partial < 0 || o.Partial > 1 {
		fault("partial = %g, must be within 0..1", o.Partial)
	}
	if o.Shift < 0 {
		fault("shift = %d, must not be negative", o.Shift)
	}
	if !(o.Across >= 0 && o.Across <= 1) {
		fault("across = %g, must be within 0..1", o.Across)
	}
	if o.Across == 1 && o.Partial == 0 && o.Local == local.None {
		fault("across = 1 without other moves reaches no levels between the ends, must be below 1")
	}
	if o.Flatness <= 0 || o.Flatness >= 1 {
		fault("flatness = %g, must be between 0 and 1", o.Flatness)
	}
	if !(o.LnF >= 0 && o.LnF <= 1) {
		fault("ln f = %g to begin with, must be within 0..1", o.LnF)
	}
	if !(o.Exploration >= 1) || math.IsInf(o.Exploration, 0) {
		fault("exploration = %g, must be at least 1", o.Exploration)
	}
	if err := checkSchedule(o.Schedule); err != nil {
		faults = append(faults, err)
	}
	if o.System != nil && o.LnG != nil && len(o.LnG) != o.System.Levels() {
		fault("ln g to begin with has %d levels, the system %d", len(o.LnG), o.System.Levels())
	}
	if all := []Phase{WangLandau, Multicanonical, Metadynamics, MultipleGaussian, Canonical}; !slices.Contains(all, o.Adaptation) {
		fault("adaptation %q, there are %v", o.Adaptation, all)
	}
	faults = append(faults, o.Hills.check()...)
	faults = append(faults, o.Gaussians.check()...)
	if math.IsNaN(o.Beta) || math.IsInf(o.Beta, 0) {
		fault("beta = %g, must be a number", o.Beta)
	}
	if o.Adaptation == Canonical && len(o.Windows) > 1 {
		fault("%d windows, canonical sampling has none", len(o.Windows))
	}
	faults = append(faults, o.checkWindows()...)
	faults = append(faults, o.checkShard()...)
	if o.System != nil && o.Local != local.None {
		if err := local.Check(o.System, o.Local); err != nil {
			faults = append(faults, err)
		}
	}
	faults = append(faults, o.checkAngles()...)
	return errors.Join(append(faults, o.checkProposer()...)...)
}

// checkAngles returns the faults of the proposer of angles.
func (o *Options) checkAngles() (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.System == nil || o.Angles == nil {
		return nil
	}
	if o.Proposer != nil {
		fault("there are proposers of colours and of angles, a system has one or the other")
	}
	if _, ok := o.System.(*lattice.XY); !ok {
		fault("systems of the type %T have no angles that could be proposed", o.System)
	}
	b := o.Angles.Batch()
	if _, n := o.share(); b.Walkers != n || b.Sites != o.System.Sites() {
		fault("the proposer of angles serves %d walkers on %d sites, the engine has %d on %d", b.Walkers, b.Sites, n, o.System.Sites())
	}
	if !(o.Coldest >= 0) || math.IsInf(o.Coldest, 0) || o.Coldest == 0 && len(b.Beta) > 0 {
		fault("coldest = %g, the network takes an inverse temperature, the largest of which must be positive", o.Coldest)
	}
	return faults
}

// checkProposer returns the faults of the proposer.
func (o *Options) checkProposer() (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	if o.System == nil || o.Proposer == nil {
		return nil
	}
	if _, ok := o.System.(lattice.Symmetric); !ok {
		fault("there are no neural moves for systems of the type %T, which has no frames; make one with lattice.New", o.System)
	}
	b := o.Proposer.Batch()
	if _, n := o.share(); b.Walkers != n || b.Sites != o.System.Sites() {
		fault("the proposer serves %d walkers on %d sites, the engine has %d on %d", b.Walkers, b.Sites, n, o.System.Sites())
	}
	if o.Shift > 0 && b.Shift == nil {
		fault("shift = %d, the network takes no shift of the energy; take 0, or a network with coordinate 0 of its latent vector tied to the energy", o.Shift)
	}
	return faults
}

// checkWindows returns the faults of the windows.
func (o *Options) checkWindows() (faults []error) {
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	n := len(o.Windows)
	if n == 0 || o.System == nil {
		return nil
	}
	if o.Walkers%n != 0 {
		fault("%d walkers in %d windows: it must be a multiple of them", o.Walkers, n)
	}
	return slices.AppendSeq(faults, lattice.WindowFaults(o.System, o.Windows))
}
