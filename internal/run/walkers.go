package run

import (
	"context"
	"fmt"
	"slices"
	"time"

	"neuralwl/exporter"
	"neuralwl/internal/config"
	"neuralwl/internal/report"
	"neuralwl/internal/setup"
	"neuralwl/internal/transition"
	"neuralwl/internal/tune"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// walking samples by walkers that move through the energies.
var walking = &sampling{
	open:   openWalkers,
	stages: []stage{starting, adapting, tuning, dividing, burningIn, producing},
	phase: func(s *saved) sampler.Phase {
		switch {
		case s.Engine == nil:
			return ""
		case len(s.Shards) > 0:
			return sampler.Production
		}
		return s.Engine.Phase
	},
	revive: reviveWalkers,
}

// walkers are the process of an engine.
type walkers struct {
	*sampler.Engine
	once
	j       *job
	options sampler.Options // of the engine
	starter *sampler.Start  // in the stage of that name
	tuner   *tune.Tuner     // in the stage of that name
	network *network        // the job's, or that of a shard; nil without neural moves
	shards  sampler.Shards  // in production if it is divided, else nil; the engine then stays where the adaptation ended
	apart   []*apart        // shards that are not yet all at one pass, in the stage of dividing
}

func openWalkers(j *job, workers int) (_ process, err error) {
	if n := j.network; n != nil {
		if err := n.openTrainer(j.c.Trainer.Batch); err != nil {
			return nil, err
		}
	}
	w := j.newWalkers(j.network, workers)
	if w.network != nil {
		w.warnOfKeptSites()
	}
	return w, w.openEngine()
}

// openEngine makes the engine.
func (w *walkers) openEngine() (err error) {
	c := w.j.c.Run
	if w.Engine, err = sampler.New(w.options); err == nil && c.Round > 0 {
		err = w.AdaptInShards(c.Shards, c.Round, w.proposeInShard)
	}
	return err
}

// newWalkers makes the process without its engine.
func (j *job) newWalkers(n *network, workers int) *walkers {
	w := &walkers{j: j, network: n, options: setup.Engine(j.c, j.system, workers)}
	o := &w.options
	o.Adaptation = j.method.adaptation
	o.Events = j.samplerEvents()
	if n != nil {
		o.Across, o.Trials, o.Shift, o.Upright = j.c.Neural.Across, j.c.Neural.Trials, j.c.Neural.Shift, !j.c.Neural.Frames
		w.propose(o, n.bundle, n.proposer)
	}
	return w
}

// propose sets what the options of an engine have of a network. Partial refreshes are for those
// alone that are shown the sites to keep.
func (w *walkers) propose(o *sampler.Options, b *exporter.Bundle, p proposer) {
	if a, ok := p.(sampler.AngleProposer); ok {
		o.Angles, o.Coldest = a, w.j.c.Neural.Coldest
		return
	}
	o.Proposer, o.Partial = p.(sampler.Proposer), 0
	if b.KeepsSites() {
		o.Partial = w.j.partial(b)
	}
}

// proposeInShard has a further proposer of the network serve an engine of a part of the walkers.
func (w *walkers) proposeInShard(o *sampler.Options) error {
	p, err := w.network.openProposer(o.Share())
	if err != nil {
		return err
	}
	w.propose(o, w.network.bundle, p)
	return nil
}

func (w *walkers) warnOfKeptSites() {
	if b := w.j.network.bundle; w.j.partial(b) > 0 && !b.KeepsSites() && !b.Card.Angles() {
		w.j.log.Warn("neural.partial is ignored: the network's proposals keep no sites", "bundle", b.Card.Name)
	}
}

func (w *walkers) admit(b *exporter.Bundle, p proposer) error {
	o := w.options
	w.propose(&o, b, p)
	return o.Validate()
}

// renew goes on with another network. The start and the search for a mix of moves measure one
// network and begin anew; a start is given up with a network that does not aim at energies.
func (w *walkers) renew() error {
	j, o := w.j, &w.options
	w.propose(o, j.network.bundle, j.network.proposer)
	w.warnOfKeptSites()
	w.starter, w.tuner = nil, nil
	if j.at.Stage == starting && !j.network.bundle.Card.TakesEnergy() {
		j.log.Warn("the new network cannot begin a run, as it does not aim at energies; walkers start in random configurations")
		w.endStart()
	}
	if o.Angles != nil {
		return w.SetAngles(o.Angles)
	}
	return w.SetProposer(o.Proposer, o.Partial, o.Shift)
}

// step makes a step of the start or of the search for production's mix of moves.
func (w *walkers) step(ctx context.Context) error {
	switch w.j.at.Stage {
	case starting:
		return w.start(ctx)
	case tuning:
		return w.tune(ctx)
	case dividing:
		return w.unite(ctx)
	}
	return errNoStage(w.j.at.Stage)
}

// learn makes a gradient step if one is due, the first of those after a pass with the walkers' states.
func (w *walkers) learn(ctx context.Context) error {
	n, at := w.j.network, &w.j.at
	if n == nil || n.trainer == nil {
		at.Lessons = 0
		return nil
	}
	began := time.Now()
	defer func() { at.Train += time.Since(began) }()
	if at.Lessons == 0 {
		if at.Lessons = w.lessons(); at.Lessons == 0 {
			return nil
		}
		for i := range w.Walkers() {
			n.trainer.Remember(w.State(i))
		}
	}
	n.trainer.Target(w.LnG(), w.Seen())
	if err := n.trainer.Step(ctx); err != nil {
		return err
	}
	at.Lessons--
	n.exportIfDue()
	return nil
}

// lessons is the number of gradient steps that are due after a pass. In rounds, through which the network stays as it
// is, those of all passes of a round are due at its end.
func (w *walkers) lessons() int64 {
	pass, every, round := w.j.at.Pass, int64(w.j.c.Trainer.Every), max(1, int64(w.j.c.Run.Round))
	if pass%round != 0 {
		return 0
	}
	return pass/every - (pass-round)/every
}

// shape gives an engine the histogram that production is to have.
func (w *walkers) shape(e *sampler.Engine) { e.SetHistogram(w.histogram(e)) }

// histogram is the logarithm of the histogram that production is to have after the adaptation of an
// engine, nil for a flat one.
func (w *walkers) histogram(e *sampler.Engine) []float64 {
	switch w.j.c.Production.Histogram {
	case config.LowHistogram:
		return e.LowHistogram()
	case config.PhaseHistogram:
		levels, d := transition.Known(w.j.system, e.Seen(), e.LnG())
		h := transition.Histogram(w.j.system, levels, d, transition.Find(w.j.system, d, nil), w.j.c.Production.PhaseShare)
		if h == nil {
			w.j.log.Warn("production.histogram: the energy distribution has no two peaks; the histogram is flat")
		}
		return h
	}
	return nil
}

// mix gives an engine production's mix of moves, if that is another one.
func (w *walkers) mix(e *sampler.Engine) {
	if m := w.j.at.Mix; m != (config.Mix{}) {
		e.SetMix(m.Sweeps, m.Trials)
	}
}

// beginProduction freezes the weights. The walkers forget them in a burn-in.
func (w *walkers) beginProduction() (stage, error) {
	w.warnOfWaiting()
	switch {
	case w.j.divided() && w.j.o.Divide:
		return dividing, nil
	case w.j.divided():
		return burningIn, w.divide()
	}
	w.shape(w.Engine)
	w.mix(w.Engine)
	w.Produce()
	return burningIn, nil
}

func (w *walkers) endBurnIn() {
	if w.shards != nil {
		w.shards.Produce()
		return
	}
	w.Produce()
}

func (w *walkers) adaptAgain(p sampler.Progress) {
	w.SetMix(w.j.c.Local.Sweeps, w.j.c.Neural.Trials)
	w.Adapt(p)
}

// once is a process with a single adaptation and production.
type once struct{}

func (once) Temperature() (index, of int) { return 0, 1 }
func (once) Next() bool                   { return false }

func (w *walkers) at(done float64) {
	if w.shards != nil {
		w.shards.Segment(done)
		return
	}
	w.Samples().Segment(done)
}

func (w *walkers) save(s *saved) {
	s.Engine = w.Snapshot()
	for _, e := range w.shards {
		s.Shards = append(s.Shards, e.Snapshot())
	}
}

func (w *walkers) restore(s *saved) error {
	if err := w.Restore(s.Engine); err != nil {
		return err
	}
	if w.j.divided() && w.j.at.produces() {
		w.j.clearShards() // of which some are left if the run was killed when it had put them together
		return w.restoreShards(s.Shards)
	}
	w.mix(w.Engine)
	return nil
}

func (w *walkers) results(in *report.Input) {
	in.Samples, in.Waiting = w.Samples(), w.Waiting()
}

// warnOfWaiting says that windows were not reached and what to do.
func (w *walkers) warnOfWaiting() {
	if names := report.WindowNames(w.j.system, w.Waiting()); names != "" {
		w.j.log.Warn("no walker has come into some energy windows: the walkers next to them do not find their energies; "+
			"take fewer windows (windows.count) or a larger overlap (windows.overlap), or give the run more time", "windows", names)
	}
}

// reviveWalkers restores the walkers, which checks every energy, and the replay buffer.
func reviveWalkers(m method, s *saved, c *config.Config, system lattice.System) (counts, *Inspection, error) {
	o := setup.Engine(c, system, 1)
	o.Adaptation = m.adaptation
	o.Local = setup.LocalMove(c) // an engine needs a move, even one that stands still
	e, err := sampler.New(o)
	if err != nil {
		return nil, nil, err
	}
	if err := e.Restore(s.Engine); err != nil {
		return nil, nil, err
	}
	w := &walkers{Engine: e, j: &job{c: c}, options: o}
	if len(s.Shards) > 0 {
		if err := w.restoreShards(s.Shards); err != nil {
			return nil, nil, err
		}
	}
	i := &Inspection{}
	for _, state := range w.View().States {
		i.States = append(i.States, slices.Clone(state))
	}
	remembered := 0
	if s.Trainer != nil {
		b := trainer.NewBuffer(system, c.Trainer.Buffer, sampler.Stream(0, 0, 0))
		if err := b.Restore(&s.Trainer.Buffer); err != nil {
			return nil, nil, err
		}
		remembered = b.Len()
	}
	i.Checked = fmt.Sprintf("energies of %d walkers and %d remembered states", e.Walkers(), remembered)
	return w, i, nil
}
