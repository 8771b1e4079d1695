// Package honest tests whether the log_q of a network is the probability of its draws, on
// which the exactness of every move rests. It needs nothing but the two graphs of a bundle.
//
// Three tests in turn refuse a bundle:
//
//   - Contract: proposals keep the sites before start, and propose and log_prob give the same
//     ln q of the same proposal.
//   - Normalisation: with the other sites fixed, exp(log_q) from start k and from start k+1
//     differ by a probability of the colour of site k, given the sites that the network visits
//     earlier, and the sum of these over all colours is 1. A product of such factors for all
//     sites is a normalised distribution. A network that always draws all sites has only the
//     start 0; there the sum over all configurations is taken if they are few.
//   - Draws: of two configurations that differ in some sites, a draw is the one or the other
//     with odds given by their ln q. See evidence for the statistics.
//
// An unnormalised network has other tests; see checkReversible.
package honest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/inference"
	"neuralwl/sampler"
	"neuralwl/sampler/lattice"
)

// Options of a test.
type Options struct {
	System  lattice.Symmetric
	Runtime inference.Runtime
	Part    int    // configurations per call
	Seed    uint64 // fixes all draws
	// States are configurations from which some moves start; may be empty.
	States [][]uint8
	// Thorough asks for more draws of a bundle that another program wrote.
	Thorough bool
}

// Report is what a bundle that passed was tested for.
type Report struct {
	Draws     int     // proposals compared with an alternative
	Agreement float64 // largest difference of ln q between propose and log_prob, in nats
	Sums      int     // sums of probabilities
	Sum       float64 // largest deviation of these from 1
	Evidence  float64 // log10 of the evidence against the bundle, see Refused
	// Untested is the reason why the normalisation, or the moves of a whole lattice by an unnormalised
	// network, could not be tested; empty if it was.
	Untested string
	// Unnormalised says that moves were tested to be reversible.
	Unnormalised bool
}

func (r *Report) String() string {
	if r.Unnormalised {
		untested := ""
		if r.Untested != "" {
			untested = "; " + r.Untested
		}
		return fmt.Sprintf("%d moves are reversible for ln p (evidence against it 10^%.1f, refused at 10^%.0f)%s", r.Draws, r.Evidence, math.Log10(Refused), untested)
	}
	sums := r.Untested
	if sums == "" {
		sums = fmt.Sprintf("%d sums of probabilities within %.1e of 1", r.Sums, r.Sum)
	}
	return fmt.Sprintf("%d draws follow ln q (evidence against it 10^%.1f, refused at 10^%.0f), %s", r.Draws, r.Evidence, math.Log10(Refused), sums)
}

// Log reports what was tested, with a warning if something could not be.
func (r *Report) Log(log *slog.Logger, bundle string) {
	log.Info("the network's draws were tested", "bundle", bundle, "draws", r.Draws, "evidence_against", fmt.Sprintf("1e%+.1f", r.Evidence),
		"sums", r.Sums, "deviation", fmt.Sprintf("%.1e", r.Sum))
	if r.Untested != "" {
		log.Warn(r.Untested, "bundle", bundle)
	}
}

const (
	// Rows is the number of configurations in an evaluation.
	Rows = 128
	// mostDraws and leastDraws bound the number of draws, siteDraws its product with N.
	mostDraws, leastDraws, siteDraws = 8192, 1024, 1 << 19
	// thorough is by how much Options.Thorough multiplies their number.
	thorough = 8
	// ownDraws is their number for graphs that the program itself has written.
	ownDraws = Rows
	// rowsOfSums is about the number of configurations evaluated for sums per draw, of a bundle
	// from elsewhere.
	rowsOfSums = 4
	// enumerable is the largest number of configurations that are all evaluated.
	enumerable = 1 << 14
)

// draws is the number of proposals to test, a multiple of Rows.
func (c *checker) draws() int {
	if c.own {
		return ownDraws
	}
	n := max(leastDraws, min(mostDraws, siteDraws/c.o.System.Sites()/Rows*Rows))
	if c.o.Thorough {
		n *= thorough
	}
	return n
}

// Check tests a bundle. The error names the bundle, the test that it fails, and the remedy.
func Check(ctx context.Context, b *exporter.Bundle, o Options) (_ *Report, err error) {
	store, err := inference.OpenStore(b)
	if err != nil {
		return nil, err
	}
	o.Runtime.Intercept, o.Runtime.Evaluated = nil, nil
	p, err := inference.NewProposer(b, store, o.Runtime, Rows, o.Part)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return CheckProposer(ctx, b, p, o)
}

// CheckProposer is Check with a proposer of the bundle for Rows walkers, instead of one by
// Options.Runtime and Options.Part.
func CheckProposer(ctx context.Context, b *exporter.Bundle, p sampler.Proposer, o Options) (*Report, error) {
	if w := p.Batch().Walkers; w != Rows {
		return nil, fmt.Errorf("a proposer for %d walkers cannot be tested, %d are right", w, Rows)
	}
	p.Batch().Used = Rows
	p.Pin()
	c := &checker{
		ctx: ctx, o: o, bundle: b, proposer: p, keeps: b.KeepsSites(), own: b.Own(),
		rng:      sampler.Stream(o.Seed, sampler.HonestyStream, 0),
		evidence: newEvidence(o.System, b.Card.Unnormalised),
		colours:  make([]int32, o.System.Sites()*o.System.Colours()),
	}
	check := c.check
	if c.report.Unnormalised = b.Card.Unnormalised; c.report.Unnormalised {
		check = c.checkReversible
	}
	if err := check(); err != nil {
		return nil, fmt.Errorf("bundle %s version %d (%s): %w", b.Card.Name, b.Card.Version, b.Card.Architecture, err)
	}
	return &c.report, nil
}

// remedy ends every refusal.
const (
	remedy   = "its log_q is not the probability of its draws" + anywhere
	anywhere = ", which would bias every result: correct the program that wrote the bundle (contract in models/model.go) or take another bundle"
)

func (c *checker) remedy() string {
	if c.bundle.Card.Unnormalised {
		return "its moves are not reversible for the p of its log_q" + anywhere
	}
	return remedy
}

// trial is a move of a network: the configuration s that it starts from, the first site that
// it resamples, the shift or the target of its energy, and a configuration s'.
type trial struct {
	from, to      []int32
	start         int32
	shift, energy float32
}

// checker tests one bundle.
type checker struct {
	ctx      context.Context
	o        Options
	bundle   *exporter.Bundle
	proposer sampler.Proposer
	keeps    bool // proposals can keep sites
	own      bool // this program has written the graphs
	rng      rand.Source
	evidence *evidence
	report   Report
	earlier  []trial // the draws before
	colours  []int32 // [N,q] how often each was drawn
}

func (c *checker) check() error {
	sums := newSums(c)
	for total := c.draws(); c.report.Draws < total; {
		drawn, logQ, err := c.draw()
		if err != nil {
			return err
		}
		if err := sums.add(drawn); err != nil {
			return err
		}
		if err := c.compare(drawn, logQ); err != nil {
			return err
		}
		c.earlier = drawn
	}
	return sums.finish()
}

// draw makes proposals and compares the ln q of both graphs, of which it returns that of
// log_prob.
func (c *checker) draw() ([]trial, []float64, error) {
	b, r := c.proposer.Batch(), rand.New(c.rng)
	n := b.Sites
	drawn := make([]trial, Rows)
	for w := range drawn {
		t := c.condition(r, w)
		copy(b.State[w*n:], t.from)
		b.Start[w] = t.start
		if b.Shift != nil {
			b.Shift[w] = t.shift
		}
		if b.Target != nil {
			b.Target[w] = t.energy
		}
		drawn[w] = t
	}
	sampler.Uniforms(b.Uniform, c.rng)
	if err := c.proposer.Propose(c.ctx); err != nil {
		return nil, nil, err
	}
	forward := make([]float64, Rows)
	for w := range drawn {
		t := &drawn[w]
		t.to = append([]int32(nil), b.Proposal[w*n:w*n+n]...)
		forward[w] = float64(b.Forward[w])
		for i, colour := range t.to {
			if colour < 0 || int(colour) >= c.o.System.Colours() {
				return nil, nil, fmt.Errorf("propose draws colour %d at site %d, allowed are 0..%d; %s", colour, i, c.o.System.Colours()-1, c.remedy())
			}
			if i < int(t.start) && colour != t.from[i] {
				return nil, nil, fmt.Errorf("test of the contract: propose changes site %d, but start = %d says to keep it; %s", i, t.start, c.remedy())
			}
		}
	}
	logQ, err := c.logProb(drawn)
	if err != nil {
		return nil, nil, err
	}
	for w := range drawn {
		d, allowed := math.Abs(forward[w]-logQ[w]), reference.Rounding(n, logQ[w])
		if c.report.Agreement = max(c.report.Agreement, d); !(d <= allowed) {
			return nil, nil, fmt.Errorf("test of the contract: ln q of a proposal (%s) is %v by propose and %v by log_prob, at most %.2g apart is right; %s",
				c.describe(drawn[w]), forward[w], logQ[w], allowed, c.remedy())
		}
	}
	return drawn, logQ, nil
}

// describe names what a proposal depends on.
func (c *checker) describe(t trial) string {
	text := fmt.Sprintf("start %d", t.start)
	if c.bundle.Card.TakesShift() {
		text += fmt.Sprintf(", shift %g", t.shift)
	}
	if c.bundle.Card.TakesEnergy() {
		text += fmt.Sprintf(", energy %g", t.energy)
	}
	return text
}

// logProb evaluates log_prob.
func (c *checker) logProb(trials []trial) ([]float64, error) {
	b := c.proposer.Batch()
	n := b.Sites
	logQ := make([]float64, 0, len(trials))
	for len(trials) > 0 {
		some := trials[:min(Rows, len(trials))]
		trials = trials[len(some):]
		for w := range Rows {
			t := some[min(w, len(some)-1)] // unused places repeat the last
			copy(b.Proposal[w*n:], t.from)
			copy(b.State[w*n:], t.to)
			b.Start[w] = t.start
			if b.Back != nil {
				b.Back[w] = t.shift
			}
			if b.Current != nil {
				b.Current[w] = t.energy
			}
		}
		if err := c.proposer.LogProb(c.ctx); err != nil {
			return nil, err
		}
		for w, t := range some {
			x := float64(b.Reverse[w])
			if math.IsNaN(x) || math.IsInf(x, 1) {
				return nil, fmt.Errorf("log_prob (%s) is %v, which is no ln of a probability; %s", c.describe(t), x, c.remedy())
			}
			logQ = append(logQ, x)
		}
	}
	return logQ, nil
}
