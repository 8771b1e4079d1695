package run

import (
	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// drawing samples towards a flat histogram by a network's draws alone.
var drawing = &sampling{
	open:   openVAN,
	stages: []stage{adapting, producing},
	phase: func(s *saved) sampler.Phase {
		if s.VAN == nil {
			return ""
		}
		return s.VAN.Phase
	},
	revive: reviveVAN,
}

// van is the process of a network's draws.
type van struct {
	*sampler.VAN
	once
	learner
}

func openVAN(j *job, _ int) (_ process, err error) {
	v := &van{learner: learner{j: j}}
	if err := v.open(); err != nil {
		return nil, err
	}
	o := sampler.VANOptions{
		System: j.system.(lattice.Symmetric), Seed: j.c.Run.Seed,
		Proposer: j.network.colours(), Schedule: sampler.Schedule(j.c.WangLandau.Schedule), LnF: j.c.WangLandau.LnF, Flatness: j.c.WangLandau.Flatness,
		Events: j.samplerEvents(), Learn: v.lesson(),
	}
	v.VAN, err = sampler.NewVAN(o)
	return v, err
}

func (v *van) renew() error { return v.SetProposer(v.j.network.colours(), v.lesson()) }

// beginProduction needs no burn-in: independent draws have nothing to forget.
func (v *van) beginProduction() (stage, error) {
	v.Produce()
	return producing, nil
}

func (v *van) endBurnIn() {}

func (v *van) adaptAgain(p sampler.Progress) { v.Adapt(p) }

func (v *van) save(s *saved) { s.VAN = v.Snapshot() }

func (v *van) restore(s *saved) error { return v.Restore(s.VAN) }

func (v *van) results(in *report.Input) { in.Draws = v.Weights() }

// reviveVAN checks ln g and the sums of the draws.
func reviveVAN(_ method, s *saved, c *config.Config, system lattice.System) (counts, *Inspection, error) {
	v, err := sampler.NewVAN(sampler.VANOptions{System: system.(lattice.Symmetric), Draws: c.Run.Walkers, Schedule: sampler.Schedule(c.WangLandau.Schedule), LnF: c.WangLandau.LnF, Flatness: c.WangLandau.Flatness})
	if err != nil {
		return nil, nil, err
	}
	return &van{VAN: v}, &Inspection{Checked: "ln g and the sums of the draws"}, v.Restore(s.VAN)
}
