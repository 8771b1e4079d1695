package compare

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"neuralwl/internal/config"
)

// Cell is one run of a comparison.
type Cell struct {
	System  System  `json:"-"`
	Sampler Sampler `json:"-"`
	Budget  float64 `json:"budget"`
	Seed    uint64  `json:"seed"`
	spec    *Spec
}

// ReferenceSampler is the name of the sampler of runs that serve as references, and ReferenceSeed
// their seed, which no cell has.
const (
	ReferenceSampler = "reference"
	referenceSeed    = 1 << 40
)

func (c *Cell) String() string {
	text := fmt.Sprintf("%s, %s, seed %d", c.System.Name, c.Sampler.Name, c.Seed)
	if len(c.spec.Budgets) > 1 {
		text += fmt.Sprintf(", budget %g", c.Budget)
	}
	return text
}

// folderName makes a name of the specification one of a folder.
func folderName(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

// Folder is that of the cell within that of the comparison.
func (c *Cell) Folder() string {
	return filepath.Join("cells", folderName(c.System.Name), folderName(c.Sampler.Name), "budget-"+strconv.FormatFloat(c.Budget, 'g', -1, 64), "seed-"+strconv.FormatUint(c.Seed, 10))
}

// has reports whether the sampler is there for the system.
func (p *Sampler) has(system string) bool {
	return len(p.Systems) == 0 || slices.Contains(p.Systems, system)
}

// Cells lists the cells in the order in which they are made: the samplers of one system, budget and
// seed, a block, back to back, beginning with another one in each block.
func (s *Spec) Cells() (cells []Cell) {
	for k := range s.Seeds {
		for _, budget := range s.Budgets {
			for _, y := range s.Systems {
				var block []Cell
				for _, p := range s.Samplers {
					if p.has(y.Name) {
						block = append(block, Cell{y, p, budget, s.FirstSeed + uint64(k), s})
					}
				}
				if n := len(block); n > 0 {
					cells = append(cells, block[k%n:]...)
					cells = append(cells, block[:k%n]...)
				}
			}
		}
	}
	return cells
}

// references are the runs that serve as references.
func (s *Spec) references() (cells []Cell) {
	for _, y := range s.Systems {
		if y.Reference == RunReference {
			p := Sampler{Name: ReferenceSampler, Set: map[string]string{"run.moves": config.LocalMoves, "run.walkers": "64"}, Share: y.ReferenceMoves / y.Moves}
			cells = append(cells, Cell{y, p, 1, referenceSeed, s})
		}
	}
	return cells
}

// moves is the cell's budget in site updates.
func (c *Cell) moves() int64 { return int64(math.Round(c.System.Moves * c.Sampler.Share * c.Budget)) }

// settings are assignments, later ones before earlier ones.
func settings(of ...map[string]string) (assignments []string) {
	all := map[string]string{}
	for _, m := range of {
		maps.Copy(all, m)
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		assignments = append(assignments, key+"="+all[key])
	}
	return assignments
}

// runSettings are those of the cell's run. bundle is the network of the training before it.
func (c *Cell) runSettings(bundle string) []string {
	own := map[string]string{
		"run.seed": strconv.FormatUint(c.Seed, 10), "run.max_moves": strconv.FormatInt(c.moves(), 10),
		"run.workers": "1", "metrics.listen": "",
	}
	if c.Sampler.Train != nil {
		own["model.bundle"] = bundle
	}
	return settings(map[string]string{"trainer.export_every": "0"}, c.spec.Set, c.System.Set, c.Sampler.Set, own)
}

// RunConfig is the complete configuration of the cell's run. bundle is the network of the training
// before it.
func (c *Cell) RunConfig(bundle string) (*config.Config, error) {
	return config.Compose(nil, c.runSettings(bundle))
}

// trainSettings are those of the training before the run.
func (c *Cell) trainSettings() []string {
	own := map[string]string{"run.seed": strconv.FormatUint(c.Seed, 10), "run.workers": "1", "metrics.listen": ""}
	return settings(c.System.Set, c.Sampler.Train, own)
}

// TrainConfig is the complete configuration of the training before the run, nil without one.
func (c *Cell) TrainConfig() (*config.Config, error) {
	if c.Sampler.Train == nil {
		return nil, nil
	}
	return config.Compose(nil, c.trainSettings())
}

// identity is what decides about the numbers of a cell, beside the program: its settings, not its
// whole configuration, to which later programs add keys.
func (c *Cell) identity() string {
	text := strings.Join(c.runSettings("trained before"), "\n")
	if c.Sampler.Train != nil {
		text += "\n---\n" + strings.Join(c.trainSettings(), "\n")
	}
	return text
}
