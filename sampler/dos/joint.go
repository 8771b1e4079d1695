package dos

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"gonum.org/v1/gonum/mat"

	"neuralwl/internal/parallel"
)

// Joint describes what FromJoint joins: independent draws from known probabilities, and the states
// of Markov chains under constant weights.
//
// All of them are points (s, B*, T): a configuration s, a level B* at which a network aimed
// or could have aimed, and the frame T in which it saw s. The measure of a point is 1/(2w+1) if
// the level of s is within w of B*, else 0, times the probability of the frame: summed over B*
// and T it is 1 for each configuration, so that
//
//	g(E) = sum over points with E_s = E of the measure.
//
// A draw of kind k has B* from alpha_k and s from q_T(s|B*). A state of chain j has s with
// probability exp(-f_j - lnWeight_j(E_s)) within the levels of the chain, and B* uniform
// within w.
type Joint struct {
	Tolerance int // w, in levels
	// Draws is the number n_k of draws of each kind that LnDensity assumes; any positive
	// numbers are right, and the more they are like what the draws are worth the smaller are the
	// errors. They must not depend on the draws themselves.
	Draws []float64
	// Chains are the Markov chains.
	Chains []Chain
}

// Chain is a Markov chain of configurations with constant weights.
type Chain struct {
	Low, High int // its levels
	// LnWeight gives its weights exp(-LnWeight(E)) by level.
	LnWeight []float64
	// Effective is the number m_j of independent states that its states are worth. What
	// was said of Joint.Draws holds for it.
	Effective float64
}

// Points are draws or states by kind or chain, those without measure left out.
type Points struct {
	Of    []int32 // the kind of a draw, or the chain of a state
	Level []int32 // of the configuration
	// LnDensity is ln of the sum over kinds of n_k alpha_k(B*) q_T(s|B*).
	LnDensity []float64
	// Weight is how many points each stands for, nil for 1.
	Weight []float64
}

// JointBlock is an independent part of the data.
type JointBlock struct {
	Draws, States Points
	// Drawn and Visited are the numbers of all draws of each kind, those without measure
	// included, and of all states of each chain.
	Drawn, Visited []float64
}

// JointEstimate is what draws and states say together.
type JointEstimate struct {
	*Ensemble
	// LnZ is f_j of each chain, ln of the sum of exp(-LnWeight) over its configurations, with
	// its standard error.
	LnZ, LnZError []float64
	// Overlap is, for each chain, the share of its states that the draws could have been, the
	// mean over its states of the draws' part of the denominator. Near zero, the draws say
	// nothing of the chain.
	Overlap []float64
}

// FromJoint estimates the numbers of states, absolute and not normalised, from draws and chains
// together. With u the ratio of the assumed number of draws or states of a kind to the actual
// one,
//
//	g(E) = 1/(2w+1) * sum over points with E_s = E of u / D,
//	D    = sum_k n_k alpha_k(B*) q_T(s|B*) + sum_j m_j 1_j(s) exp(-f_j - lnWeight_j(E)) / (2w+1),
//
// which is the estimate of least variance for independent points (Shirts, Chodera, J. Chem. Phys.
// 129, 124105 (2008), eq. 11; Meng, Wong, Stat. Sinica 6, 831 (1996)). The f_j, the only unknowns,
// are such that the points predict the number of states of each chain,
//
//	sum over all points of u * (chain j's part of D) / D = m_j,
//
// for one chain Bennett's equation (J. Comput. Phys. 22, 245 (1976)). There are as many equations
// as chains, and they are the conditions for the maximum of a concave function.
//
// The errors are those of a jackknife over the blocks, in which draws and states of one block are
// omitted together. Levels without a point are left out.
func FromJoint(energy []float64, j Joint, blocks []JointBlock) (*JointEstimate, error) {
	if err := j.check(energy, blocks); err != nil {
		return nil, fmt.Errorf("density of states from draws and states: %w", err)
	}
	s := &joining{energy: energy, j: j, blocks: blocks}
	f, err := s.solve(-1, make([]float64, len(j.Chains)), false)
	if err != nil {
		return nil, fmt.Errorf("density of states from draws and states: %w", err)
	}
	e := &JointEstimate{Ensemble: &Ensemble{}, LnZ: f, Overlap: s.overlap(f)}
	if e.Density, err = s.density(-1, f); err != nil {
		return nil, fmt.Errorf("density of states from draws and states: %w", err)
	}
	e.LnZError = slices.Repeat([]float64{math.NaN()}, len(f))
	if len(blocks) > 1 {
		replicas, faults, lnZ := make([]*Density, len(blocks)), make([]error, len(blocks)), make([][]float64, len(blocks))
		parallel.Do(runtime.GOMAXPROCS(0), len(blocks), 1, func(_, k int) {
			if lnZ[k], faults[k] = s.solve(k, f, true); faults[k] == nil {
				replicas[k], faults[k] = s.density(k, lnZ[k])
			}
		})
		if errors.Join(faults...) == nil {
			e.Replicas = replicas
			e.LnZError = spread(len(f), lnZ)
		}
	}
	e.estimateErrors()
	return e, nil
}

func (j *Joint) check(energy []float64, blocks []JointBlock) error {
	var faults []error
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	for k, c := range j.Chains {
		if c.Low < 0 || c.High >= len(energy) || c.Low > c.High || len(c.LnWeight) != len(energy) || !(c.Effective > 0) {
			fault("chain %d has the levels %d..%d, weights of %d and %g effective states; there are %d levels", k+1, c.Low, c.High, len(c.LnWeight), c.Effective, len(energy))
		}
	}
	for k, n := range j.Draws {
		if !(n > 0) {
			fault("%g draws of kind %d are assumed", n, k+1)
		}
	}
	for k, b := range blocks {
		for _, p := range []Points{b.Draws, b.States} {
			if len(p.Of) != len(p.Level) || len(p.Of) != len(p.LnDensity) || p.Weight != nil && len(p.Of) != len(p.Weight) {
				fault("block %d has %d, %d, %d and %d properties of points", k+1, len(p.Of), len(p.Level), len(p.LnDensity), len(p.Weight))
			}
		}
		if len(b.Drawn) != len(j.Draws) || len(b.Visited) != len(j.Chains) {
			fault("block %d counts %d kinds of draws and %d chains, there are %d and %d", k+1, len(b.Drawn), len(b.Visited), len(j.Draws), len(j.Chains))
		}
	}
	return errors.Join(faults...)
}

// joining holds the arguments of FromJoint.
type joining struct {
	energy []float64
	j      Joint
	blocks []JointBlock
}

// shares returns u of each kind of draw and each chain without a block, -1 for none left out.
// It is 0 where there is nothing.
func (s *joining) shares(without int) (draws, states []float64) {
	drawn, visited := make([]float64, len(s.j.Draws)), make([]float64, len(s.j.Chains))
	for b, block := range s.blocks {
		if b == without {
			continue
		}
		for k, n := range block.Drawn {
			drawn[k] += n
		}
		for k, n := range block.Visited {
			visited[k] += n
		}
	}
	for k, n := range drawn {
		if drawn[k] = 0; n > 0 {
			drawn[k] = s.j.Draws[k] / n
		}
	}
	for k, n := range visited {
		if visited[k] = 0; n > 0 {
			visited[k] = s.j.Chains[k].Effective / n
		}
	}
	return drawn, visited
}

// each calls f for all points without a block: their level, u with the weight, and ln of the
// draws' part of D.
func (s *joining) each(without int, f func(level int, u, lnDensity float64)) {
	ofDraws, ofStates := s.shares(without)
	for b, block := range s.blocks {
		if b == without {
			continue
		}
		for _, part := range []struct {
			points *Points
			u      []float64
		}{{&block.Draws, ofDraws}, {&block.States, ofStates}} {
			p := part.points
			for i, of := range p.Of {
				u := part.u[of]
				if p.Weight != nil {
					u *= p.Weight[i]
				}
				f(int(p.Level[i]), u, p.LnDensity[i])
			}
		}
	}
}

// terms are ln of the parts of D at each level: by level, the chains that have it.
func (s *joining) terms(f []float64) [][]term {
	all := make([][]term, len(s.energy))
	width := math.Log(float64(2*s.j.Tolerance + 1))
	for k, c := range s.j.Chains {
		for b := c.Low; b <= c.High; b++ {
			all[b] = append(all[b], term{k, math.Log(c.Effective) - f[k] - c.LnWeight[b] - width})
		}
	}
	return all
}

type term struct {
	chain int
	ln    float64
}

// solve finds the f_j by Newton's method without a block. Where few steps are needed, from the
// solution with all blocks, near says so.
func (s *joining) solve(without int, from []float64, near bool) ([]float64, error) {
	f, n := slices.Clone(from), len(from)
	if n == 0 {
		return f, nil
	}
	if !near {
		s.start(f)
	}
	p := make([]float64, n)
	for range maxNewton {
		terms := s.terms(f)
		curvature, slope := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
		s.each(without, func(level int, u, lnDensity float64) {
			parts := terms[level]
			most := lnDensity
			for _, t := range parts {
				most = max(most, t.ln)
			}
			sum := math.Exp(lnDensity - most)
			for i, t := range parts {
				p[i] = math.Exp(t.ln - most)
				sum += p[i]
			}
			for i, t := range parts {
				x := p[i] / sum
				slope.SetVec(t.chain, slope.AtVec(t.chain)+u*x)
				curvature.SetSym(t.chain, t.chain, curvature.At(t.chain, t.chain)+u*x)
				for k, other := range parts[:i+1] {
					curvature.SetSym(other.chain, t.chain, curvature.At(other.chain, t.chain)-u*x*p[k]/sum)
				}
			}
		})
		for k, c := range s.j.Chains {
			slope.SetVec(k, slope.AtVec(k)-c.Effective)
		}
		var cholesky mat.Cholesky
		if !cholesky.Factorize(curvature) {
			return nil, errors.New("draws and states have nothing in common")
		}
		var step mat.VecDense
		if err := cholesky.SolveVecTo(&step, slope); err != nil && !errors.As(err, new(mat.Condition)) {
			return nil, err
		}
		change := max(mat.Max(&step), -mat.Min(&step))
		for k := range f {
			f[k] += step.AtVec(k) / max(1, change)
		}
		if change < smallNewton {
			return f, nil
		}
	}
	return nil, errors.New("draws and states contradict each other too much to be joined")
}

// start sets f to what the draws alone say, which is near enough for Newton's method where they
// say anything.
func (s *joining) start(f []float64) {
	ofDraws, _ := s.shares(-1)
	width := math.Log(float64(2*s.j.Tolerance + 1))
	for k, c := range s.j.Chains {
		f[k] = math.Inf(-1)
		for _, block := range s.blocks {
			p := &block.Draws
			for i, of := range p.Of {
				if b := int(p.Level[i]); b >= c.Low && b <= c.High {
					x := math.Log(ofDraws[of]) - width - p.LnDensity[i] - c.LnWeight[b]
					if p.Weight != nil {
						x += math.Log(p.Weight[i])
					}
					f[k] = lnAdd(f[k], x)
				}
			}
		}
		if math.IsInf(f[k], -1) {
			f[k] = 0
		}
	}
}

// density is g without a block, given the f_j.
func (s *joining) density(without int, f []float64) (*Density, error) {
	terms := s.terms(f)
	lnG := slices.Repeat([]float64{math.Inf(-1)}, len(s.energy))
	s.each(without, func(level int, u, lnDensity float64) {
		d := lnDensity
		for _, t := range terms[level] {
			d = lnAdd(d, t.ln)
		}
		if u > 0 {
			lnG[level] = lnAdd(lnG[level], math.Log(u)-d)
		}
	})
	d := &Density{}
	width := math.Log(float64(2*s.j.Tolerance + 1))
	for b, x := range lnG {
		if !math.IsInf(x, -1) {
			d.Energy = append(d.Energy, s.energy[b])
			d.LnG = append(d.LnG, x-width)
		}
	}
	if d.Len() == 0 {
		return nil, errors.New("there is no draw and no state")
	}
	d.sort()
	return d, d.Validate()
}

// overlap is JointEstimate.Overlap.
func (s *joining) overlap(f []float64) []float64 {
	terms := s.terms(f)
	sum, count := make([]float64, len(f)), make([]float64, len(f))
	for _, block := range s.blocks {
		p := &block.States
		for i, of := range p.Of {
			d := p.LnDensity[i]
			for _, t := range terms[p.Level[i]] {
				d = lnAdd(d, t.ln)
			}
			weight := 1.0
			if p.Weight != nil {
				weight = p.Weight[i]
			}
			sum[of] += weight * math.Exp(p.LnDensity[i]-d)
			count[of] += weight
		}
	}
	for k, n := range count {
		if n > 0 {
			sum[k] /= n
		}
	}
	return sum
}
