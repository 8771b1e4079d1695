package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/internal/scaling"
	"neuralwl/sampler/dos"
)

// colours is q of the model, for which exact results are known.
const colours = 10

// lattice is a run on the L x L lattice.
type lattice struct {
	L float64
	*report.Summary
}

// readRuns reads summaries and sorts them by size. It returns all faults together.
func readRuns(paths []string) (runs []lattice, err error) {
	var faults []error
	for _, path := range paths {
		r, err := readRun(path)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", path, err))
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b lattice) int { return cmp.Compare(a.L, b.L) })
	return runs, errors.Join(faults...)
}

func readRun(path string) (lattice, error) {
	s, err := report.ReadSummary(path)
	if err != nil {
		return lattice{}, err
	}
	if of := s.System; of.Model != config.Potts || of.Q != colours || of.Size[0] != of.Size[1] {
		return lattice{}, fmt.Errorf("the system is %q, not the Potts model of %d colours on a square", of, colours)
	}
	if s.Interrupted != "" {
		return lattice{}, fmt.Errorf("the run ended early (%s): go on with nwl run --resume", s.Interrupted)
	}
	if !s.Verdict.Converged {
		return lattice{}, errors.New("the run has not converged: see its verdict")
	}
	if s.Transition == nil || s.Transition.HeatMaximum == nil || s.Transition.Height == nil || s.Transition.Coexistence == nil {
		return lattice{}, errors.New("the run shows no first-order transition: see its transition.remarks")
	}
	return lattice{float64(s.System.Size[0]), s}, nil
}

// quantity is measured at all sizes and known for the infinite lattice.
type quantity struct {
	symbol, name string
	exact        float64
	points       []scaling.Point
	// forms are the powers of 1/L to be fitted; none if no form can be expected to hold.
	forms [][]float64
	fits  []fit
}

// fit covers the points from index first on.
type fit struct {
	first int
	scaling.Fit
}

// Indices of quantities.
const (
	heatMaximum = iota
	equalHeight
	equalWeight
	ratioQ
	peakDistance
	heatHeight
	weights
	tension
)

// analyse extrapolates every quantity.
//
// Quantities determined by the phases' weights have corrections in powers of 1/L^2 (Borgs,
// Kotecky, J. Stat. Phys. 61, 79 (1990)). The distance of the peaks was taken to have a
// correction in 1/L (Lee, Kosterlitz, Phys. Rev. B 43, 3265 (1991)), and found to have one
// in 1/L^2 on larger lattices (Billoire, Neuhaus, Berg, Nucl. Phys. B 413, 795 (1994));
// both are fitted.
func analyse(runs []lattice) ([]quantity, error) {
	t, heat := scaling.TransitionTemperature(colours), scaling.LatentHeat(colours)
	even := [][]float64{{2, 4}, {2}}
	q := []quantity{
		heatMaximum:  {symbol: "T", name: "specific-heat maximum", exact: t, forms: even},
		equalHeight:  {symbol: "T", name: "equal height", exact: t, forms: even},
		equalWeight:  {symbol: "T", name: "equal weight", exact: t, forms: even},
		ratioQ:       {symbol: "T", name: "weight ratio q", exact: t, forms: even},
		peakDistance: {symbol: "latent heat", name: "distance of the peaks", exact: heat, forms: [][]float64{{2, 4}, {1, 2}, {1}}},
		heatHeight:   {symbol: "latent heat", name: "height of the specific heat", exact: heat, forms: even},
		weights:      {symbol: "latent heat", name: "weights of the phases", exact: heat, forms: even},
		tension:      {symbol: "2 sigma", name: "depth between the peaks", exact: scaling.InterfaceTension},
	}
	for _, r := range runs {
		transition, c := r.Transition, r.Transition.Coexistence
		for k, e := range map[int]dos.Estimate{
			heatMaximum:  temperature(*transition.HeatMaximum),
			equalHeight:  temperature(c.EqualHeight),
			equalWeight:  temperature(c.EqualWeight),
			ratioQ:       temperature(c.StateWeight),
			peakDistance: c.LatentHeat,
			heatHeight:   byHeight(r.L, *transition.HeatMaximum, *transition.Height),
			weights:      c.LatentHeatByWeights,
			tension:      c.InterfaceTension,
		} {
			if e.Error == nil {
				return nil, fmt.Errorf("%s, L = %g: the error is unknown", q[k].name, r.L)
			}
			q[k].points = append(q[k].points, scaling.Point{L: r.L, Value: e.Value, Error: *e.Error})
		}
	}
	for k := range q {
		if err := q[k].extrapolate(); err != nil {
			return nil, fmt.Errorf("%s: %w", q[k].name, err)
		}
	}
	return q, nil
}

// extrapolate fits each form to all sizes and, if there are enough, to all but the
// smallest.
func (q *quantity) extrapolate() error {
	for _, powers := range q.forms {
		for first := range 2 {
			if first > 0 && len(q.points) < first+1+len(powers) {
				continue
			}
			f, err := scaling.Extrapolate(q.points[first:], powers...)
			if err != nil {
				return err
			}
			q.fits = append(q.fits, fit{first, f})
		}
	}
	return nil
}

func deviation(e dos.Estimate) float64 {
	if e.Error == nil {
		return math.NaN()
	}
	return *e.Error
}

func temperature(beta dos.Estimate) dos.Estimate {
	return dos.NewEstimate(1/beta.Value, deviation(beta)/(beta.Value*beta.Value))
}

// byHeight is the latent heat from the maximum of the specific heat C per site, which is
// (beta latent heat/2)^2 L^2 to leading order. The errors of both are added, since their
// correlation is not known.
func byHeight(l float64, beta, height dos.Estimate) dos.Estimate {
	heat := 2 * math.Sqrt(height.Value) / (l * beta.Value)
	return dos.NewEstimate(heat, heat*(deviation(height)/(2*height.Value)+deviation(beta)/beta.Value))
}
