package live

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"neuralwl/internal/transition"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
)

// PictureFile is the name of the file with the present Picture in a run directory.
const PictureFile = "live.json"

// Picture shows the present state of a run. Energies are those of the whole system in units of J.
type Picture struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds" doc:"That the run has taken, over all resumptions."`
	Phase   string    `json:"phase"`
	Passes  int64     `json:"passes" doc:"Made by the run over all phases."`
	System  string    `json:"system"`
	Sides   []int     `json:"sides"`
	Colours int       `json:"colours" doc:"Values of a site; 0 for angles, of which states hold 256ths of a turn."`

	Levels     Levels                 `json:"levels"`
	Deviation  *float64               `json:"deviation,omitempty" doc:"Root mean square deviation of ln g from the exact one over the levels seen, where that is known."`
	Transition *transition.Transition `json:"transition,omitempty" doc:"Absent as long as the density of states shows none."`
	Acceptance []Bin                  `json:"acceptance,omitempty" doc:"Proposals of the network by energy; absent without a network."`
	Traces     Traces                 `json:"traces"`
	Lattices   []Lattice              `json:"lattices,omitempty" doc:"Configurations of the walkers at the lowest, the middle and the highest energy."`
}

// Levels are columns by energy, ascending; of neighbouring levels one stands for some where there
// are many.
type Levels struct {
	Energy      []float64 `json:"energy"`
	LnG         []float64 `json:"ln_g" doc:"ln g, normalised to the number of all configurations."`
	Exact       []float64 `json:"exact,omitempty" doc:"The exact ln g, where it is known."`
	Visits      []int64   `json:"visits" doc:"Of the present iteration or of production, summed over the levels that this one stands for."`
	Probability []float64 `json:"probability,omitempty" doc:"P(E) at the transition, the mean over the levels that this one stands for; absent without a transition."`
}

// Bin counts the network's proposals for configurations of some energies, in the present phase.
type Bin struct {
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Trials   int64   `json:"trials"`
	Accepted int64   `json:"accepted"`
	Changed  int64   `json:"changed" doc:"Sites changed by all accepted proposals together."`
}

// Traces are the energies of some walkers after some passes.
type Traces struct {
	Passes []int64     `json:"passes"`
	Energy [][]float64 `json:"energy" doc:"By walker and pass."`
}

// Lattice is a configuration.
type Lattice struct {
	Energy float64 `json:"energy"`
	State  []byte  `json:"state" doc:"Colours in raster order, base64."`
}

// Bounds of a Picture.
const (
	mostLevels = 2000
	bins       = 40
)

// ReadPicture reads the picture of a run directory, an fs.ErrNotExist where there is none.
func ReadPicture(folder string) (*Picture, error) {
	data, err := os.ReadFile(filepath.Join(folder, PictureFile))
	if err != nil {
		return nil, err
	}
	p := &Picture{}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(p); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(folder, PictureFile), err)
	}
	return p, nil
}

// write replaces the picture of a run directory. A loss of power may take it, which the next one
// makes good.
func (p *Picture) write(folder string) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, PictureFile)
	if err := os.WriteFile(path+".new", data, 0o666); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// look fills in what a view shows.
func (p *Picture) look(s lattice.System, v *sampler.View, t *transition.Transition, d, exact *dos.Density, shown []int) {
	p.Transition = t
	p.levels(s, v, d, exact, shown)
	p.proposals(s, v)
	p.lattices(s, v)
}

// levels fills in the columns by energy.
func (p *Picture) levels(s lattice.System, v *sampler.View, d, exact *dos.Density, shown []int) {
	var probability []float64
	if p.Transition != nil {
		probability, _ = d.Distribution(p.Transition.Beta)
	}
	var truth []float64
	if exact != nil {
		if difference, err := dos.Compare(d, exact); err == nil && len(difference.MissingB) == 0 {
			p.Deviation = &difference.RMS
			truth = at(d.Energy, exact)
		}
	}
	counts := v.Visits()
	each := (len(shown) + mostLevels - 1) / mostLevels
	for from := 0; from < len(shown); from += each {
		to := min(from+each, len(shown))
		middle := (from + to - 1) / 2
		c := &p.Levels
		c.Energy = append(c.Energy, d.Energy[middle])
		c.LnG = append(c.LnG, rounded(d.LnG[middle]))
		visits := int64(0)
		for _, level := range shown[from:to] {
			first, last := lattice.Row(s, level)
			for _, n := range counts[first : last+1] {
				visits += n
			}
		}
		c.Visits = append(c.Visits, visits)
		if truth != nil {
			c.Exact = append(c.Exact, rounded(truth[middle]))
		}
		if probability != nil {
			sum := 0.0
			for _, x := range probability[from:to] {
				sum += x
			}
			c.Probability = append(c.Probability, sum/float64(to-from))
		}
	}
}

// at returns the ln g of a density at some of its energies, ascending.
func at(energies []float64, d *dos.Density) (lnG []float64) {
	k := 0
	for _, e := range energies {
		for k+1 < d.Len() && math.Abs(d.Energy[k+1]-e) <= math.Abs(d.Energy[k]-e) {
			k++
		}
		lnG = append(lnG, d.LnG[k])
	}
	return lnG
}

// rounded keeps as many digits of ln g as a picture shows.
func rounded(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// proposals fills in the counts of the network's proposals.
func (p *Picture) proposals(s lattice.System, v *sampler.View) {
	if v.Proposals == nil {
		return
	}
	lowest, highest := s.Energy(s.GroundLevel()), s.Energy(0)
	width := (highest - lowest) / bins
	p.Acceptance = make([]Bin, bins)
	for k := range p.Acceptance {
		p.Acceptance[k].Low, p.Acceptance[k].High = lowest+width*float64(k), lowest+width*float64(k+1)
	}
	for level, trials := range v.Proposals.Trials {
		k := int((s.Energy(level) - lowest) / width)
		b := &p.Acceptance[max(0, min(k, bins-1))]
		b.Trials += trials
		b.Accepted += v.Proposals.Accepted[level]
		b.Changed += v.Proposals.Changed[level]
	}
}

// lattices fills in the configurations of the walkers at the highest, the middle and the lowest
// level.
func (p *Picture) lattices(s lattice.System, v *sampler.View) {
	if len(v.Levels) == 0 {
		return
	}
	order := make([]int, len(v.Levels))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return v.Levels[b] - v.Levels[a] })
	n := len(order)
	for k, i := range []int{order[0], order[n/2], order[n-1]} {
		if k < n {
			state, _ := lattice.Pictured(s, v.States[i])
			p.Lattices = append(p.Lattices, Lattice{s.Energy(v.Levels[i]), slices.Clone(state)})
		}
	}
}
