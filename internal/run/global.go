package run

import (
	"fmt"
	"math"
	"slices"

	"neuralwl/internal/config"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// minEffective is the least effective number of draws of a level: with fewer, the rare
// draws that would count most are likely to be missing, and the error with them.
const minEffective = 100

// isGlobal tells whether the run samples by a network's draws alone, without walkers.
func (j *job) isGlobal() bool { return j.c.Run.Method == config.VANWangLandauMethod }

func (j *job) newVAN() (err error) {
	o := sampler.VANOptions{
		System: j.system.(*lattice.Potts), Seed: j.c.Run.Seed, // others have no networks
		Proposer: j.network.proposer, Flatness: j.c.WangLandau.Flatness,
		Events: j.events(),
	}
	if j.network.trainer != nil {
		o.Learn = j.network.trainReverse
	}
	if j.global, err = sampler.NewVAN(o); err != nil {
		return err
	}
	j.process = j.global
	return nil
}

// evaluateDraws makes the density of states from the inverse probabilities of production's
// draws. It is absolute and stays so: normalised, all levels would suffer where the network
// draws the most numerous ones badly. Levels that only the adaptive phase has drawn are left
// out: their ln g is what they were raised by before the network forgot them.
func (j *job) evaluateDraws(r *result, adaptive *dos.Density, energy []float64) (err error) {
	if r.absolute, err = dos.FromWeights(energy, j.global.Weights()); err != nil {
		return err
	}
	r.density = r.absolute.Ensemble
	for _, e := range adaptive.Energy {
		if !slices.Contains(r.density.Energy, e) {
			r.unproduced = append(r.unproduced, e)
		}
	}
	return nil
}

// judgeDraws collects the evidence that the draws of a run without walkers give ln g.
func (j *job) judgeDraws(r *result, s *Summary) Verdict {
	var v Verdict
	check := func(name string, passed bool, format string, a ...any) {
		v.Checks = append(v.Checks, Check{name, passed, fmt.Sprintf(format, a...)})
	}
	if j.interrupted != nil {
		check("completed", false, "%v", j.interrupted)
	}
	check("levels", len(r.missing) == 0, "%d of %d drawn", r.known-len(r.missing), r.known)
	if i := s.Inverse; i == nil {
		check("production", false, "there was none")
	} else {
		check("production", len(r.unproduced) == 0, "%d levels drawn before were not drawn again", len(r.unproduced))
		check("draws", i.Effective >= minEffective, "%.0f effective draws of the rarest level, at least %d are needed", i.Effective, minEffective)
		if deviation := i.LnTotal.Error; deviation == nil {
			check("total", false, "ln of the sum of g is %.4f without an error bar, N ln q = %.4f", i.LnTotal.Value, i.Known)
		} else {
			z := (i.LnTotal.Value - i.Known) / *deviation
			check("total", math.Abs(z) <= 3, "ln of the sum of g is %s, N ln q = %.4f: %.1f standard errors", i.LnTotal, i.Known, z)
		}
	}
	v.Checks = append(v.Checks, j.judgeGround(r, s.GroundState))
	v.conclude()
	return v
}
