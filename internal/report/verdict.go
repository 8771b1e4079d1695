package report

import (
	"fmt"
	"math"
	"strings"

	"neuralwl/internal/config"
	"neuralwl/internal/shell"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// Verdict says whether the result may be trusted.
type Verdict struct {
	Converged bool `json:"converged"`
	// Remark says what no check could show, empty where there is no such thing.
	Remark string  `json:"remark,omitempty"`
	Checks []Check `json:"checks"`
}

// Check is one piece of evidence.
type Check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`
	// Advice is what to do about a check that does not hold, with the command; else empty.
	Advice string `json:"advice,omitempty"`
}

// minRoundTrips is how many round trips production must have made: their number
// scatters by its square root, and the errors of ln g are as good as it.
const minRoundTrips = 30

// minForgotten is the least length of each walker's production, and of each error block, in
// autocorrelation times of the energy. A walker that makes a random walk over the energies
// makes about one round trip in as many. In a shorter production the walkers, however many,
// are still near to where the adaptation left them: ln g is then as wrong as its weights
// are, which the scatter between walkers does not show.
const minForgotten = 10

// minFlatness is the least share of the mean that any level's histogram must have
// in production. Less means that ln f was still too large when the weights were
// frozen, and that the rare levels make up most of the error.
const minFlatness = 0.2

// check adds a piece of evidence.
func (v *Verdict) check(name string, passed bool, format string, a ...any) {
	v.Checks = append(v.Checks, Check{Name: name, Passed: passed, Detail: fmt.Sprintf(format, a...)})
}

// advise says what to do about the last check, if it does not hold and nothing else is to be done first.
func (v *Verdict) advise(format string, a ...any) {
	if last := &v.Checks[len(v.Checks)-1]; !last.Passed && last.Advice == "" {
		last.Advice = fmt.Sprintf(format, a...)
	}
}

// premature drops the advice on what the run found: that it is not complete may be the reason.
func (v *Verdict) premature() {
	for i := range v.Checks {
		if c := &v.Checks[i]; c.Name != "completed" && c.Name != "evaluation" {
			c.Advice = ""
		}
	}
}

// decide converges if every check holds.
func (v *Verdict) decide() {
	v.Converged = true
	for _, c := range v.Checks {
		v.Converged = v.Converged && c.Passed
	}
}

// concludeWalkers collects the evidence that walkers give ln g over all energies.
func concludeWalkers(r *Result, s *Summary) {
	s.GroundState = r.groundState()
	v, c := &s.Verdict, r.Config
	if r.known > 0 {
		v.check("levels", len(r.missing) == 0, "%d of %d seen", r.known-len(r.missing), r.known)
		if r.Cut {
			v.advise("the walkers have not found all energies: %s; missing are %s", r.uncut(s), few(r.missing))
		}
		v.advise("the walkers have not found all energies: in a new run %s, or divide the energies (windows.count); missing are %s", further(c), few(r.missing))
	} else {
		v.check("levels", true, "%d seen; which levels have states is not known for this system and is no evidence", r.seen())
	}
	trips, flatness, passes := s.production()
	v.check("production", len(r.unproduced) == 0, "%d levels without a visit", len(r.unproduced))
	v.advise("longer production: %s", s.prolonged(max(2*passes, 1000)))
	v.check("flatness", flatness >= minFlatness, "%.2f in production, at least %g is needed", flatness, minFlatness)
	if r.Cut {
		v.advise("the weights are too rough: %s", r.uncut(s))
	}
	v.advise("the weights are too rough: a new run with --set %s", smoother(c))
	v.check("round trips", trips >= minRoundTrips, "%.0f in production, at least %d are needed", trips, minRoundTrips)
	if trips > 0 {
		v.advise("longer production: %s; or fewer walkers, a network, or energy windows (windows.count), with which round trips are faster",
			s.prolonged(int64(math.Ceil(1.5*float64(passes)*minRoundTrips/trips))))
	} else {
		v.advise("no walker crossed the energies in production: a new run with a network (run.moves=[local,neural]), fewer walkers (run.walkers) or energy windows (windows.count)")
	}
	r.judgeForgetting(s, minForgotten)
	if e := r.estimators; e != nil {
		v.check("estimators", e.Discrepancy <= maxDiscrepancy, "histogram and transitions differ by %.2f errors (rms), at most %d are allowed", e.Discrepancy, maxDiscrepancy)
		v.advise("the walkers have not forgotten where they started: %s", s.prolonged(3*passes))
	}
	r.judgeBridge(s)
	if waiting := WindowNames(r.System, r.Waiting); waiting != "" {
		v.check("windows", false, "no walker has come into %s", waiting)
		v.advise("a new run with fewer windows (windows.count below %d) or a larger overlap (windows.overlap above %g)", c.Windows.Count, c.Windows.Overlap)
	} else if r.windows != nil {
		worst := worstMismatch(r.windows)
		v.check("windows", worst <= maxDiscrepancy, "%d windows differ by at most %.2f errors (rms) where they overlap, at most %d are allowed", len(r.windows)+1, worst, maxDiscrepancy)
		v.advise("longer production: %s; or a larger overlap (windows.overlap above %g) in a new run", s.prolonged(3*passes), c.Windows.Overlap)
	}
	r.judgeGround(s)
	v.Remark = r.unknown()
}

// uncut says how an adaptation that a limit has cut short goes on.
func (r *Result) uncut(s *Summary) string {
	limit, without := "run.max_time", "--set run.max_time=0s"
	if r.Config.Run.MaxTime == 0 {
		limit, without = "run.max_moves", "--set run.max_moves=0"
	} else if r.Config.Run.MaxMoves > 0 {
		limit, without = "run.max_time or run.max_moves", without+" --set run.max_moves=0"
	}
	return fmt.Sprintf("%s has cut the adaptation short, which goes on with nwl run --resume %s %s; or with a higher limit", limit, shell.Quote(s.Folder), without)
}

// further is what lets the adaptation of a method come to more energies.
func further(c *config.Config) string {
	switch {
	case c.Run.Method == config.MetadynamicsMethod:
		return "raise metadynamics.bias_factor, or lower metadynamics.final_height,"
	case c.Run.Method == config.MultipleGaussianMethod:
		return "raise multiple_gaussian.sweeps"
	case c.WangLandau.Schedule == string(sampler.ConstantLnF):
		return "raise wang_landau.exploration"
	}
	return "lower wang_landau.final_ln_f"
}

// smoother is the setting that makes the weights of a method smoother.
func smoother(c *config.Config) string {
	switch {
	case c.Run.Method == config.MetadynamicsMethod && c.Metadynamics.BiasFactor == config.OneHeight:
		return fmt.Sprintf("metadynamics.bias_factor=0, whose hills become lower, or narrower hills (metadynamics.width below %g)", c.Metadynamics.Width)
	case c.Run.Method == config.MetadynamicsMethod:
		return fmt.Sprintf("metadynamics.final_height=%.2g, or narrower hills (metadynamics.width below %g)", c.Metadynamics.FinalHeight/10, c.Metadynamics.Width)
	case c.Run.Method == config.MultipleGaussianMethod, c.Run.Method == config.MulticanonicalMethod:
		return fmt.Sprintf("wang_landau.flatness=%.2g", (1+c.WangLandau.Flatness)/2)
	case c.WangLandau.Schedule == string(sampler.ConstantLnF):
		return "wang_landau.schedule=1/t; or with a smaller ln f that stays (wang_landau.ln_f=1e-4) and more exploration (wang_landau.exploration)"
	}
	return fmt.Sprintf("wang_landau.final_ln_f=%.2g", c.WangLandau.FinalLnF/10)
}

// judgeForgetting finds out whether walkers have forgotten where production began: by its
// length in autocorrelation times, of which there must be a number, and by its halves.
func (r *Result) judgeForgetting(s *Summary, least float64) {
	v := &s.Verdict
	_, _, passes := s.production()
	other := "; or, in a new run, fewer walkers (run.walkers), which make more passes in the same time, a network or energy windows (windows.count)"
	if !r.Evaluation.Ground {
		other = ""
	}
	if tau := r.autocorrelation; tau == nil {
		v.check("autocorrelation", false, "the time of the energy cannot be determined")
		v.advise("longer production: %s", s.prolonged(max(10*passes, 1000)))
	} else {
		block := r.blockPasses()
		v.check("autocorrelation", block >= least*tau.Value,
			"%.0f passes of a walker and block are %.1f autocorrelation times of the energy, at least %g are needed", block, block/tau.Value, least)
		// In a short production the time appears shorter than it is.
		v.advise("longer production: %s%s", s.prolonged(int64(math.Ceil(float64(passes)*max(2, 1.5*least*tau.Value/block)))), other)
	}
	if s.Halves = r.compareHalves(); s.Halves != nil {
		v.check("halves", s.Halves.Probability >= falseAlarm, "%s, at least %g is needed", s.Halves, falseAlarm)
		v.advise("the walkers still drift from where production began: %s", s.prolonged(3*passes))
	}
}

// unknown says which of the strongest evidence there is none of.
func (r *Result) unknown() string {
	var none []string
	if _, _, known := r.ground(); !known {
		none = append(none, "the ground states")
	}
	if r.known == 0 {
		none = append(none, "the levels that have states")
	}
	if len(none) == 0 {
		return ""
	}
	return fmt.Sprintf("%s of this system are not known: no check shows whether energies are missing that no walker has found; "+
		"compare with a run of another run.seed (nwl dos diff)", strings.Join(none, " and "))
}

// production sums up the phase of that name.
func (s *Summary) production() (trips, flatness float64, passes int64) {
	for _, phase := range s.Phases {
		if phase.Name == sampler.Production {
			trips, flatness, passes = phase.RoundTrips, phase.Flatness, phase.Passes
		}
	}
	return trips, flatness, passes
}

// prolonged is the command that continues a run up to so many passes of production.
func (s *Summary) prolonged(passes int64) string {
	return fmt.Sprintf("nwl run --resume %s --set production.passes=%d --set run.max_time=0s", shell.Quote(s.Folder), passes)
}

// few lists the first of some energies.
func few(energies []float64) string {
	const most = 4
	var text []string
	for i, e := range energies {
		if i == most {
			text = append(text, "...")
			break
		}
		text = append(text, fmt.Sprintf("%g", e))
	}
	return "E = " + strings.Join(text, ", ")
}

// ground is the energy of the ground states and ln of their number, as the system or its exact density
// of states has them.
func (r *Result) ground() (energy, lnG float64, known bool) {
	switch {
	case lattice.GroundKnown(r.System):
		return r.System.Energy(r.System.GroundLevel()), r.System.LnGroundStates(), true
	case r.exact != nil:
		return r.exact.Energy[0], r.exact.LnG[0], true
	}
	return 0, 0, false
}

// groundState is the estimate of ln g(E_min), before it takes the known value where it does,
// beside that; nil where the degeneracy is not known or the level is missing.
func (r *Result) groundState() *GroundState {
	d := r.density
	switch {
	case r.transitions == nil:
	case r.joint != nil:
		if free := r.jointOf(r.transitions.Free).Project(0); free.Energy[0] == d.Energy[0] {
			d = free
		}
	case r.transitions.Free.Energy[0] == d.Energy[0]:
		d = r.transitions.Free
	}
	energy, lnG, known := r.ground()
	if !known || d.Energy[0] != energy {
		return nil
	}
	g := &GroundState{LnG: d.LnG[0], Known: lnG}
	if e := d.Error[0]; !math.IsNaN(e) {
		g.Error = &e
	}
	return g
}

// judgeGround compares ln g of the ground state with its known degeneracy.
func (r *Result) judgeGround(s *Summary) {
	const name = "ground state"
	v, ground := &s.Verdict, s.GroundState
	_, _, known := r.ground()
	switch {
	case !known:
		v.check(name, true, "not known for this system, and no evidence; the lowest energy seen is %g", r.density.Energy[0])
	case ground == nil:
		v.check(name, false, "never visited")
	case ground.Error == nil:
		v.check(name, false, "ln g = %.4f without an error bar, known %.4f", ground.LnG, ground.Known)
	default:
		z := (ground.LnG - ground.Known) / *ground.Error
		v.check(name, math.Abs(z) <= 3, "ln g = %.4f(%.4f), known %.4f: %.1f standard errors", ground.LnG, *ground.Error, ground.Known, z)
	}
	_, _, passes := s.production()
	v.advise("the energies between the ground state and the others are sampled too little: %s; or a new run with another run.seed to compare with", s.prolonged(3*max(passes, 1000)))
}
