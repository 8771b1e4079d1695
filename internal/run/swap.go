package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/sampler"
)

// Swap asks a run to go on with another network.
type Swap struct {
	// Bundle is the folder of a bundle or of its versions, or the name of a network that comes
	// with the program.
	Bundle string
	// Name is what the user calls it, by default Bundle.
	Name string
	// Restart allows the exchange in production, which then begins anew under the same weights.
	Restart bool
	// Reply is called once, with what was done, or with the error why nothing was: a *SwapError.
	// The run waits for it.
	Reply func(event.NetworkSwapped)
}

// SwapFault is the kind of a fault for which a network is not exchanged.
type SwapFault string

// The faults.
const (
	SwapNoNetwork SwapFault = "no network" // the run has none
	SwapPhase     SwapFault = "phase"      // production, without Swap.Restart
	SwapBusy      SwapFault = "busy"       // another exchange is under way
	SwapEnded     SwapFault = "ended"      // the run ended before the exchange
	SwapBundle    SwapFault = "bundle"     // missing, damaged, dishonest or for another run
	SwapFailed    SwapFault = "failed"     // the run directory could not be written
)

// SwapError is why a network was not exchanged. The run goes on with the one it has.
type SwapError struct {
	Fault SwapFault
	Err   error
}

func (e *SwapError) Error() string { return e.Err.Error() }
func (e *SwapError) Unwrap() error { return e.Err }

// refusal is a SwapError of a text.
func refusal(fault SwapFault, format string, a ...any) *SwapError {
	return &SwapError{fault, fmt.Errorf(format, a...)}
}

// swaps exchanges the network of a run between two passes, one exchange at a time. Those on
// record are made at their pass; a resumed run makes them again. Another network is loaded beside
// sampling. Once it is ready, the exchange goes on record for a pass that is a few ahead, so that
// sampling need not wait for the disk, and is made there.
type swaps struct {
	j        *job
	recorded []report.Swap // in SwapsFile
	made     int           // of these
	since    baseline      // of the last of them
	now      *exchange     // under way
	lastMade int64         // passes at the last turn, and when that was
	lastTurn time.Time
	pass     time.Duration // what the last pass took, with all that goes with it

	releasing sync.WaitGroup // of former networks
}

// exchange is one under way.
type exchange struct {
	Swap
	plan     report.Swap
	replayed bool // it was on record
	began    time.Time
	loading  chan *newNetwork // with one element
	abort    context.CancelFunc
	next     *newNetwork   // loaded
	took     time.Duration // for loading
	writing  chan error    // the outcome of putting it on record, nil before
}

// turn is called between two passes. It receives requests, and makes the exchange that is due.
// Its error ends the run: one on record cannot be made.
func (s *swaps) turn() error {
	arrived := time.Now()
	if s.j.at.Made > s.lastMade {
		s.pass = arrived.Sub(s.lastTurn)
	}
	s.lastMade, s.lastTurn = s.j.at.Made, arrived
	for received := true; received; {
		select {
		case r := <-s.j.o.Swaps:
			s.receive(r)
		default:
			received = false
		}
	}
	if s.now == nil && s.made < len(s.recorded) {
		s.replay()
	}
	x := s.now
	switch {
	case x == nil:
		return nil
	case !x.replayed && x.writing == nil:
		s.plan(x)
		return nil
	case !s.due(x.plan):
		return nil
	case x.replayed:
		x.receive(<-x.loading)
		if x.next.err == nil {
			x.next.err = s.j.process.admit(x.next.bundle, x.next.proposer)
		}
		if err := x.next.err; err != nil {
			return fmt.Errorf("%s: the exchange for %s after pass %d cannot be made again: %w; restore %s, or leave its line out, which makes another run of this one",
				filepath.Join(s.j.folder, report.SwapsFile), x.plan.Name, x.plan.Pass, err, filepath.Join(s.j.folder, x.plan.Folder))
		}
	default:
		if err := <-x.writing; err != nil {
			s.recorded = s.recorded[:s.made]
			s.refuse(x, &SwapError{SwapFailed, err})
			return nil
		}
		if why := s.j.fixed(x.Restart); why != nil && (s.j.at.Pass > 0 || s.j.divided()) { // the adaptation has ended meanwhile
			s.withdraw()
			s.refuse(x, why)
			return nil
		}
	}
	return s.apply(x, arrived)
}

// produces reports whether the weights are frozen and being used.
func (p *place) produces() bool { return p.Stage.produces() }

func (s stage) produces() bool { return s == burningIn || s == producing }

// due reports whether it is time for an exchange on record.
func (s *swaps) due(plan report.Swap) bool {
	at, order := s.j.at, walking.stages
	return at.Made > plan.Pass || at.Made == plan.Pass && slices.Index(order, at.Stage) >= slices.Index(order, stage(plan.Stage))
}

// receive begins an exchange that is asked for, or says why not.
func (s *swaps) receive(r Swap) {
	if r.Name == "" {
		r.Name = r.Bundle
	}
	x := &exchange{Swap: r, began: time.Now()}
	switch {
	case s.j.network == nil:
		s.refuse(x, refusal(SwapNoNetwork, "the run makes local moves alone and has no network to exchange; start another one with run.moves=[local, neural]"))
	case s.now != nil:
		s.refuse(x, refusal(SwapBusy, "the network is being exchanged for %s; try again once that is done", s.now.Name))
	case s.made < len(s.recorded):
		s.refuse(x, refusal(SwapBusy, "the run is on its way to the exchange of its network for %s after pass %d; try again once that is done", s.recorded[s.made].Name, s.recorded[s.made].Pass))
	case s.j.fixed(r.Restart) != nil:
		s.refuse(x, s.j.fixed(r.Restart))
	default:
		x.plan = report.Swap{Name: r.Name, Folder: filepath.Join(SwapsFolder, fmt.Sprint(len(s.recorded)+1))}
		s.load(x)
	}
}

// fixed is why the network cannot be exchanged now, with leave to begin production again or without;
// nil if it can.
func (j *job) fixed(restart bool) *SwapError {
	switch at := j.at.Stage; {
	case j.c.Run.Round > 0 && at != starting:
		return refusal(SwapPhase, "the adaptation is divided into run.shards (run.round), which all need the same network; start another run with the new one")
	case !j.at.produces() && at != dividing:
		return nil
	case j.divided():
		return refusal(SwapPhase, "the weights are frozen (stage %s), and production is divided into run.shards, which all need the same network; start another run with the new one", at)
	case restart:
		return nil
	default:
		return inProduction(at)
	}
}

// divided reports whether production is divided into shards.
func (j *job) divided() bool { return j.c.Run.Shards > 1 && j.shard == nil }

func inProduction(at stage) *SwapError {
	return refusal(SwapPhase, "the weights are frozen (stage %s): the counts of production belong to one network; ask for a restart, which keeps the weights and begins production anew", at)
}

// replay begins the next exchange on record.
func (s *swaps) replay() {
	plan := s.recorded[s.made]
	s.load(&exchange{Swap: Swap{Name: plan.Name, Restart: plan.Restart}, plan: plan, replayed: true, began: time.Now()})
}

// load loads the network of an exchange beside sampling.
func (s *swaps) load(x *exchange) {
	ctx, abort := context.WithCancel(context.Background())
	x.loading, x.abort, s.now = make(chan *newNetwork, 1), abort, x
	load := s.j.network.loader(x)
	go func() { x.loading <- load(ctx) }()
}

func (x *exchange) receive(next *newNetwork) { x.next, x.took = next, time.Since(x.began) }

// aheadOf is how long putting an exchange on record may take without sampling waiting for it.
const aheadOf = 50 * time.Millisecond

// plan puts an exchange on record once its network is loaded.
func (s *swaps) plan(x *exchange) {
	select {
	case next := <-x.loading:
		x.receive(next)
	default:
		return
	}
	at := s.j.at
	switch err := x.next.err; {
	case err != nil:
		s.refuse(x, asSwapError(err))
		return
	case s.j.fixed(x.Restart) != nil:
		s.refuse(x, s.j.fixed(x.Restart))
		return
	}
	if err := s.j.process.admit(x.next.bundle, x.next.proposer); err != nil {
		s.refuse(x, &SwapError{SwapBundle, fmt.Errorf("bundle %s: %w", x.Name, err)})
		return
	}
	x.plan.Stage, x.plan.Digest, x.plan.Pass, x.plan.Restart = string(at.Stage), x.next.digest, at.Made, at.produces()
	x.plan.Before, x.plan.From, x.plan.Acceptance = s.j.network.called(), s.j.relative(s.j.network.folder), s.acceptance()
	if at.Stage == adapting || at.produces() {
		x.plan.Pass += 1 + int64(aheadOf/max(s.pass, time.Microsecond))
	}
	before := slices.Clip(s.recorded)
	after := append(before, x.plan)
	s.recorded, x.writing = after, make(chan error, 1)
	go func() { x.writing <- s.j.writeSwaps(before, after) }()
}

// acceptance is the share of the network's proposals that were accepted since it came in, or since
// its phase began.
func (s *swaps) acceptance() float64 {
	p := s.j.process.Progress()
	c := p.Moves[sampler.Neural]
	if p.Phase == s.since.Phase {
		c.Trials -= s.since.Trials
		c.Accepted -= s.since.Accepted
	}
	return c.Ratio()
}

// baseline is the network's proposals in a phase when it came in.
type baseline struct {
	Phase sampler.Phase
	sampler.Count
}

func asSwapError(err error) *SwapError {
	if e := (*SwapError)(nil); errors.As(err, &e) {
		return e
	}
	return &SwapError{SwapBundle, err}
}

// apply goes on with another network. Sampling has stood still since a time.
func (s *swaps) apply(x *exchange, since time.Time) error {
	j := s.j
	e := event.NetworkSwapped{
		Name: x.Name, Pass: j.at.Made, Stage: string(j.at.Stage), Digest: x.next.digest, Replayed: x.replayed,
		Training: x.next.training, Restarted: j.at.produces(), Took: x.took,
	}
	if e.Restarted && e.Training != "" {
		e.Training = "is over, as the weights are frozen"
	}
	if j.at.Stage == producing {
		e.Dropped = j.at.Pass
	}
	release := j.network.adopt(x.next)
	s.now, s.made = nil, s.made+1
	x.abort()
	s.releasing.Go(func() {
		if err := release(); err != nil {
			j.log.Warn("the former network leaves something behind", "reason", err)
		}
	})
	if err := j.process.renew(); err != nil {
		return fmt.Errorf("exchange of the network for %s: %w", x.Name, err)
	}
	if e.Restarted {
		if err := j.beginProduction(); err != nil {
			return err
		}
	}
	p := j.process.Progress()
	s.since = baseline{p.Phase, p.Moves[sampler.Neural]}
	e.Pause = time.Since(since)
	s.answer(x, e)
	return nil
}

// answer tells everybody what became of an exchange.
func (s *swaps) answer(x *exchange, e event.NetworkSwapped) {
	s.j.listener.NetworkSwapped(e)
	if x.Reply != nil {
		x.Reply(e)
	}
}

// refuse answers that a network is not exchanged, and forgets it.
func (s *swaps) refuse(x *exchange, err *SwapError) {
	if s.now == x {
		s.now = nil
		x.abort()
	}
	if x.next != nil {
		if err := errors.Join(x.next.close(), s.j.fs.RemoveAll(filepath.Join(s.j.folder, x.plan.Folder))); err != nil {
			s.j.log.Warn("a network that was not taken leaves something behind", "name", x.Name, "reason", err)
		}
	}
	s.answer(x, event.NetworkSwapped{Name: x.Name, Pass: s.j.at.Made, Stage: string(s.j.at.Stage), Err: err})
}

// reading is how long a disk may keep a run from ending.
const reading = 10 * time.Second

// end gives up the exchange under way when sampling ends, and answers all requests until the
// function that it returns is called.
func (s *swaps) end() (stop func()) {
	ended := refusal(SwapEnded, "the run ended before the exchange; ask again when it goes on")
	if x := s.now; x != nil {
		x.abort()
		if x.next == nil {
			select {
			case next := <-x.loading:
				x.receive(next)
			case <-time.After(reading):
				s.j.log.Warn("the disk does not answer: loading another network is given up", "name", x.Name)
				x.receive(&newNetwork{})
			}
		}
		if x.writing != nil && <-x.writing == nil {
			s.withdraw()
		}
		if x.replayed {
			if err := x.next.close(); err != nil {
				s.j.log.Warn("a network leaves something behind", "reason", err)
			}
			s.now = nil
		} else {
			s.refuse(x, ended)
		}
	}
	s.releasing.Wait()
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case r := <-s.j.o.Swaps:
				if r.Reply != nil {
					r.Reply(event.NetworkSwapped{Name: r.Name, Err: ended})
				}
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-stopped
	}
}
