package report

import (
	"fmt"
	"slices"

	"neuralwl/internal/plots"
	"neuralwl/sampler/lattice"
)

// shownStates is how many configurations are drawn.
const shownStates = 8

// plotStates draws configurations of walkers at the end of the run, from the lowest to the highest
// energy, as far apart in the order of the energies as they can be.
func (r *Result) plotStates() (plots.Figure, error) {
	levels, states := r.View.Levels, r.View.States
	order := make([]int, len(states))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return levels[b] - levels[a] }) // energies fall with the level
	n := min(shownStates, len(order))
	var tiles []plots.Tile
	for k := range n {
		i := order[0]
		if n > 1 {
			i = order[k*(len(order)-1)/(n-1)]
		}
		sites, colours := lattice.Pictured(r.System, states[i])
		picture, err := plots.LatticePicture(sites, r.System.Sides(), colours)
		if err != nil {
			return nil, err
		}
		tiles = append(tiles, plots.Tile{Picture: picture, Label: fmt.Sprintf("E/N = %.3g", r.System.Energy(levels[i])/float64(r.System.Sites()))})
	}
	return plots.Figure{plots.NewTiles("Configurations at the end, "+r.title(), tiles)}, nil
}
