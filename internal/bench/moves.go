// Package bench measures speed: of moves, by round trips between the ground state and the
// infinite-temperature peak under the same frozen weights, and of networks, by calls.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"neuralwl/exporter"
	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// Options of a comparison of moves.
type Options struct {
	System *lattice.Potts
	Seed   uint64
	// LnG are the frozen weights by level, NaN at levels without; nil for those of
	// Wang-Landau sampling, made first.
	LnG []float64
	// Bundle is the network; Runtime evaluates it in parts of Part walkers.
	Bundle  *exporter.Bundle
	Runtime inference.Runtime
	Part    int
	// Walkers of the moves with a network, and LocalWalkers of local moves alone. The latter
	// need no batch, and the fewer they are the more round trips each makes.
	Walkers, LocalWalkers int
	// Time is how long each kind of move is measured, after a quarter as long in which it
	// comes to equilibrium.
	Time time.Duration
	// Mixes are the moves to compare with local moves alone, the first of the result.
	Mixes []Mix
	// Low measures all of them also with sampler.Engine.LowHistogram, beside a flat one.
	Low bool
	// Observe is called with the share of an activity that is done, 0..1; may be nil.
	Observe func(activity string, done float64)
}

// Mix is what a pass consists of: sweeps and trials of the network per walker, 0 for none.
type Mix struct {
	config.Mix
	Cluster bool    // a cluster move before each sweep; see local.Cluster
	Across  float64 // share of these that go from one end of the levels to the other
	Shift   int     // largest shift of the energy that these ask for, in units of J, 0 for none
}

func (m Mix) String() string {
	how := fmt.Sprintf("%d trials, %g across", m.Trials, m.Across)
	if m.Shift > 0 {
		how += fmt.Sprintf(", shifts to %d", m.Shift)
	}
	sweeps := fmt.Sprintf("%d sweeps", m.Sweeps)
	if m.Cluster {
		sweeps += " with cluster moves"
	}
	switch {
	case m.Trials == 0 && m.Cluster:
		return sweeps
	case m.Trials == 0:
		return "local"
	case m.Sweeps == 0:
		return "network, " + how
	}
	return sweeps + ", " + how
}

// DefaultMixes are mixes in the notation of ParseMix.
var DefaultMixes = []string{"150:1:1", "0:8:0.5"}

// clusterPrefix of a mix stands for Mix.Cluster.
const clusterPrefix = "cluster:"

// ParseMix reads [cluster:]SWEEPS:TRIALS[:ACROSS[:SHIFT]].
func ParseMix(text string) (m Mix, err error) {
	numbers, cluster := strings.CutPrefix(text, clusterPrefix)
	m.Cluster = cluster
	n, err := fmt.Sscanf(numbers, "%d:%d:%g:%d", &m.Sweeps, &m.Trials, &m.Across, &m.Shift)
	trials, sweeps := 1, 0 // at least
	if cluster {
		trials, sweeps = 0, 1
	}
	if n < 2 || n != strings.Count(numbers, ":")+1 || m.Trials < trials || m.Sweeps < sweeps {
		return m, fmt.Errorf("%s: write SWEEPS:TRIALS, as in 8:1, or %sSWEEPS:TRIALS, as in %s4:0 (%v)", text, clusterPrefix, clusterPrefix, err)
	}
	return m, nil
}

// Result is what one kind of move achieved.
type Result struct {
	Moves      string  `json:"moves"`
	Mix        Mix     `json:"mix"`
	Low        bool    `json:"low"` // histogram, else a flat one
	Seconds    float64 `json:"seconds"`
	RoundTrips float64 `json:"round_trips"`
	// Rate is round trips per second of all walkers together, Ratio that in units of the
	// rate of local moves alone with a flat histogram, each with one standard error.
	Rate       float64 `json:"rate"`
	RateError  float64 `json:"rate_error"`
	Ratio      float64 `json:"ratio"`
	RatioError float64 `json:"ratio_error"`
	// Acceptance of the network's proposals, 0 without any.
	Acceptance float64 `json:"acceptance"`
	// Local, Propose and LogProb are shares of the time.
	Local   float64 `json:"local"`
	Propose float64 `json:"propose"`
	LogProb float64 `json:"log_prob"`
}

// MarshalJSON writes null for what is not known: ratios and errors without round trips.
func (r Result) MarshalJSON() ([]byte, error) {
	known := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	type fields Result
	return json.Marshal(struct {
		fields
		RateError  *float64 `json:"rate_error"`
		Ratio      *float64 `json:"ratio"`
		RatioError *float64 `json:"ratio_error"`
	}{fields(r), known(r.RateError), known(r.Ratio), known(r.RatioError)})
}

// adaptLnF is where ln f ends while weights are looked for: all moves are compared under the
// same weights, which need not be precise.
const adaptLnF = 2e-5

// localSweeps is the number of sweeps of a pass of local moves alone.
const localSweeps = 4

// slice is how long a kind of move is measured at a time, so that other load on the
// machine disturbs all of them alike.
const slice = 500 * time.Millisecond

// contender is one kind of move under measurement.
type contender struct {
	mix      Mix
	low      bool
	engine   *sampler.Engine
	proposer *inference.Proposer
	spent    time.Duration
	passes   int64

	// At the beginning of the measurement.
	began    time.Duration
	turns    []int64
	progress sampler.Progress
}

// Moves measures local moves alone and every mix.
func Moves(ctx context.Context, o Options) (_ []Result, err error) {
	store, err := inference.OpenStore(o.Bundle)
	if err != nil {
		return nil, err
	}
	o.Runtime.Workers = 1
	if o.LnG == nil {
		if o.LnG, err = adapt(ctx, o, store); err != nil {
			return nil, err
		}
	}
	var all []*contender
	defer func() {
		for _, c := range all {
			if c.proposer != nil {
				err = errors.Join(err, c.proposer.Close())
			}
		}
	}()
	histograms := []bool{false, true}
	if !o.Low {
		histograms = histograms[:1]
	}
	for _, low := range histograms {
		for _, mix := range append([]Mix{{Mix: config.Mix{Sweeps: localSweeps}}}, o.Mixes...) {
			c := &contender{mix: mix, low: low}
			all = append(all, c)
			if err := c.open(o, store); err != nil {
				return nil, err
			}
			if low {
				c.engine.SetHistogram(c.engine.LowHistogram())
			}
			c.engine.Produce()
		}
	}
	warmUp := o.Time / 4
	for done := time.Duration(0); done < warmUp+o.Time; done += slice {
		o.observe("measurement", float64(done)/float64(warmUp+o.Time))
		for _, c := range all {
			if c.turns == nil && c.spent >= warmUp {
				c.turns = c.engine.Turns()
				c.began, c.progress = c.spent, c.engine.Progress()
			}
			if err := c.run(ctx, slice); err != nil {
				return nil, err
			}
		}
	}
	var results []Result
	for _, c := range all {
		r := c.result()
		base := r
		if len(results) > 0 {
			base = results[0]
		}
		r.Ratio = r.Rate / base.Rate
		r.RatioError = r.Ratio * math.Hypot(r.RateError/r.Rate, base.RateError/base.Rate)
		results = append(results, r)
	}
	results[0].RatioError = 0
	return results, nil
}

func (o *Options) observe(activity string, done float64) {
	if o.Observe != nil {
		o.Observe(activity, done)
	}
}

// open makes the engine of a contender.
func (c *contender) open(o Options, store *inference.Store) (err error) {
	options := sampler.Options{
		System: o.System, Seed: o.Seed, Walkers: o.Walkers, LnG: o.LnG,
		Sweeps: max(1, c.mix.Sweeps), Trials: max(1, c.mix.Trials), Across: c.mix.Across, Shift: c.mix.Shift,
	}
	switch {
	case c.mix.Cluster:
		options.Local = local.Cluster
	case c.mix.Sweeps > 0:
		options.Local = local.HeatBath
	}
	if c.mix.Trials > 0 {
		if c.proposer, err = inference.NewProposer(o.Bundle, store, o.Runtime, o.Walkers, o.Part); err != nil {
			return err
		}
		options.Proposer = c.proposer
	} else {
		options.Walkers = o.LocalWalkers
	}
	c.engine, err = sampler.New(options)
	return err
}

// adapt finds weights by Wang-Landau sampling with local moves and the network, whose draws
// it begins with if they have a target.
func adapt(ctx context.Context, o Options, store *inference.Store) (lnG []float64, err error) {
	c := &contender{mix: Mix{Mix: config.Mix{Sweeps: 100, Trials: 1}, Across: 0.8}}
	if err := c.open(o, store); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.proposer.Close()) }()
	if start := c.engine.NewStart(); start != nil {
		for start.Done() < 1 {
			if err := ctx.Err(); err != nil {
				return nil, context.Cause(ctx)
			}
			if err := start.Draw(ctx); err != nil {
				return nil, err
			}
			o.observe("start", start.Done())
		}
		start.Finish()
	}
	for !c.engine.Adapted(adaptLnF) {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if err := c.engine.Pass(ctx); err != nil {
			return nil, err
		}
		o.observe("weights", c.engine.AdaptationProgress(adaptLnF))
	}
	seen := c.engine.Seen()
	for b, x := range c.engine.LnG() {
		if !seen[b] {
			x = math.NaN()
		}
		lnG = append(lnG, x)
	}
	return lnG, nil
}

// run goes on for some time.
func (c *contender) run(ctx context.Context, d time.Duration) error {
	began := time.Now()
	for time.Since(began) < d {
		if err := c.engine.Pass(ctx); err != nil {
			return fmt.Errorf("%v: %w", c.mix, err)
		}
		c.passes++
	}
	c.spent += time.Since(began)
	return nil
}

func (c *contender) result() Result {
	seconds := (c.spent - c.began).Seconds()
	r := Result{Moves: c.mix.String(), Mix: c.mix, Low: c.low, Seconds: seconds}
	if c.low {
		r.Moves += ", low histogram"
	}
	turns := CountTurns(c.turns, c.engine.Turns())
	r.RoundTrips = turns.RoundTrips()
	r.Rate, r.RateError = turns.Rate(seconds)
	p := c.engine.Progress()
	before, after := c.progress.Moves[sampler.Neural], p.Moves[sampler.Neural]
	r.Acceptance = sampler.Count{Trials: after.Trials - before.Trials, Accepted: after.Accepted - before.Accepted}.Ratio()
	r.Local = (p.Times.Local - c.progress.Times.Local).Seconds() / seconds
	r.Propose = (p.Times.Propose - c.progress.Times.Propose).Seconds() / seconds
	r.LogProb = (p.Times.LogProb - c.progress.Times.LogProb).Seconds() / seconds
	return r
}
