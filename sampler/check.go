package sampler

import (
	"fmt"
	"math"
)

// energyCheck is the number of passes between two checks of the walkers' energies. Counting
// the level of a configuration takes a tenth of the time of a sweep, so the checks take a
// thousandth of a run.
const energyCheck = 100

// CheckEnergies recounts the level of every walker, compares it with the level carried
// along from move to move, and checks that ln g is finite. A difference means damaged
// memory or a bug, so that nothing the run has counted can be trusted; the error says where
// it was found.
func (e *Engine) CheckEnergies() error {
	p := e.o.System
	for i := range e.walkers {
		w := &e.walkers[i]
		if err := p.Validate(w.state); err != nil {
			return e.diagnosis(i, err.Error())
		}
		if counted := p.Level(w.state); counted != w.level {
			return e.diagnosis(i, fmt.Sprintf("its level was carried along as %d, its configuration has the level %d", w.level, counted))
		}
		if window := e.window(i); window.isOpen && !window.Contains(w.level) {
			return e.diagnosis(i, fmt.Sprintf("it is on level %d, its window has the %v", w.level, window.Window))
		}
	}
	for _, w := range e.windows {
		for b, x := range w.lnG {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("%s pass %d: ln g of level %d is %v; please report this with the seed %d", e.phase, e.passes, b, x, e.o.Seed)
			}
		}
	}
	return nil
}

func (e *Engine) diagnosis(walker int, fault string) error {
	return fmt.Errorf("%s pass %d, walker %d: %s: the memory of this machine is damaged or the program is wrong; "+
		"go on from the last checkpoint on another machine, and report this with the seed %d if it happens again",
		e.phase, e.passes, walker, fault, e.o.Seed)
}
