package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Words accepted by production.mix; other values are a Mix.
const (
	SameMix      = "same"
	AutomaticMix = "automatic"
)

// Mix is the content of a pass, per walker, written as SWEEPS:TRIALS.
type Mix struct {
	Sweeps int // of local moves
	Trials int // of neural moves, 0 for none
}

func (m Mix) String() string { return fmt.Sprintf("%d:%d", m.Sweeps, m.Trials) }

// ParseMix reads SWEEPS:TRIALS.
func ParseMix(s string) (Mix, error) {
	sweeps, trials, _ := strings.Cut(s, ":")
	var m Mix
	var bad [2]error
	m.Sweeps, bad[0] = strconv.Atoi(sweeps)
	m.Trials, bad[1] = strconv.Atoi(trials)
	if bad[0] != nil || bad[1] != nil {
		return Mix{}, fmt.Errorf("%q is neither %s, %s nor a mix SWEEPS:TRIALS such as 100:1", s, SameMix, AutomaticMix)
	}
	return m, nil
}

// Mix returns the mix of moves before production.
func (c *Config) Mix() Mix { return Mix{c.Local.Sweeps, c.Neural.Trials} }

// validateMix reports the faults of production.mix.
func (c *Config) validateMix(fault func(key, format string, a ...any)) {
	const key = "production.mix"
	local, neural := c.Run.Has(LocalMoves), c.Run.Has(NeuralMoves)
	switch mix := c.Production.Mix; mix {
	case SameMix:
	case AutomaticMix:
		if !local || !neural {
			fault(key, "%s chooses between %s and %s moves, but run.moves has only %v; leave it out, or take both", mix, LocalMoves, NeuralMoves, c.Run.Moves)
		}
	default:
		m, err := ParseMix(mix)
		switch {
		case err != nil:
			fault(key, "%v", err)
		case m.Sweeps < 1 || m.Sweeps > maxCount || m.Trials < 0 || m.Trials > maxCount:
			fault(key, "%s, but at least 1 sweep and 0 trials are needed, at most %d of each", mix, maxCount)
		case !local:
			fault(key, "%s, but there are no %s moves; leave it out, or add them to run.moves", mix, LocalMoves)
		case m.Trials > 0 && !neural:
			fault(key, "%s, but there are no %s moves; take %d:0, or add them to run.moves", mix, NeuralMoves, m.Sweeps)
		}
	}
}
