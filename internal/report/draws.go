package report

import (
	"math"
	"slices"

	"neuralwl/sampler/dos"
)

// minEffective is the least effective number of draws of a level: with fewer, the rare
// draws that would count most are likely to be missing, and the error with them.
const minEffective = 100

// estimateDraws makes the density of states from the inverse probabilities of production's
// draws. It is absolute and stays so: normalised, all levels would suffer where the network
// draws the most numerous ones badly. Levels that only the adaptation has drawn are left
// out: their ln g is what they were raised by before the network forgot them.
func estimateDraws(r *Result) (err error) {
	adaptive := r.adaptive()
	if r.Draws == nil {
		r.density = &dos.Ensemble{Density: &dos.Density{}}
		r.unproduced = r.density.Fill(adaptive)
		if r.density.Len() == 0 {
			return errNothing
		}
		r.density.Normalise(r.System.LnStates())
		return nil
	}
	if r.absolute, err = dos.FromWeights(r.energy, r.Draws); err != nil {
		return err
	}
	r.density = r.absolute.Ensemble
	for _, e := range adaptive.Energy {
		if !slices.Contains(r.density.Energy, e) {
			r.unproduced = append(r.unproduced, e)
		}
	}
	if r.density.Len() == 0 {
		return errNothing
	}
	return nil
}

// concludeDraws collects the evidence that the draws of a network alone give ln g.
func concludeDraws(r *Result, s *Summary) {
	s.GroundState = r.groundState()
	v := &s.Verdict
	v.check("levels", len(r.missing) == 0, "%d of %d drawn", r.known-len(r.missing), r.known)
	v.advise("the network does not draw all energies: a lower wang_landau.final_ln_f, more walkers, or run.method neural-wang-landau; missing are %s", few(r.missing))
	if i := s.Inverse; i == nil {
		v.check("production", false, "there was none")
		v.advise("more time (run.max_time), or a larger wang_landau.final_ln_f in a new run")
	} else {
		v.check("production", len(r.unproduced) == 0, "%d levels drawn before were not drawn again", len(r.unproduced))
		v.check("draws", i.Effective >= minEffective, "%.0f effective draws of the rarest level, at least %d are needed", i.Effective, minEffective)
		_, _, passes := s.production()
		v.advise("more draws: %s; a network that knows the rare levels better; or run.method neural-wang-landau, in which walkers reach them", s.prolonged(3*passes))
		if deviation := i.LnTotal.Error; deviation == nil {
			v.check("total", false, "ln of the sum of g is %.4f without an error bar, N ln q = %.4f", i.LnTotal.Value, i.Known)
		} else {
			z := (i.LnTotal.Value - i.Known) / *deviation
			v.check("total", math.Abs(z) <= 3, "ln of the sum of g is %s, N ln q = %.4f: %.1f standard errors", i.LnTotal, i.Known, z)
		}
	}
	r.judgeGround(s)
}
