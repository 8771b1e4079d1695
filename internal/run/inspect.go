package run

import (
	"fmt"

	"neuralwl/internal/checkpoint"
	"neuralwl/internal/config"
	"neuralwl/sampler/lattice"
)

// Folders of a run directory.
const (
	ModelsFolder     = "models"      // the versions of the network
	CheckpointFolder = "checkpoints" // the last states of the run
)

// Inspection is what a checkpoint holds, all of it checked.
type Inspection struct {
	Stage   string
	Pass    int64     // made in the stage
	States  [][]uint8 // configurations of the walkers
	Checked string    // what was checked, in words
}

func (i *Inspection) String() string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%s pass %d; %s", i.Stage, i.Pass, i.Checked)
}

// Inspect checks everything in a checkpoint that can be checked without going on with the
// run: its checksum, whether its parts fit each other and the configuration, and the
// energies of all configurations.
func Inspect(data []byte, c *config.Config, system lattice.System) (*Inspection, error) {
	s := &saved{}
	if err := checkpoint.Decode(data, s); err != nil {
		return nil, err
	}
	_, i, err := s.revive(c, system)
	return i, err
}

// revive checks a checkpoint and makes of it what the run has counted, without going on
// with the run.
func (s *saved) revive(c *config.Config, system lattice.System) (counts, *Inspection, error) {
	m := methods[c.Run.Method]
	if err := s.check(m.by, nil); err != nil {
		return nil, nil, err
	}
	counted, i, err := m.by.revive(m, s, c, system)
	if err != nil {
		return nil, nil, fmt.Errorf("%s pass %d: %w", s.Place.Stage, s.Place.Pass, err)
	}
	i.Stage, i.Pass = string(s.Place.Stage), s.Place.Pass
	return counted, i, nil
}
