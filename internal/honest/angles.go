package honest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/mat"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/inference"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler"
)

// AngleOptions of a test of a network of angles.
type AngleOptions struct {
	Runtime inference.Runtime
	Seed    uint64
	Beta    float64 // the largest inverse temperature tried, from 0 on
}

// AngleReport is what a bundle of angles that passed was tested for.
type AngleReport struct {
	Draws int // proposals and random configurations whose ln q was evaluated
	// Stated and Evaluated are the largest differences of ln q in single precision from double precision: of
	// proposals as propose states it, and as log_prob finds it for the very angles. In nats.
	Stated, Evaluated float64
	Jacobians         int     // draws at which ln q was compared with the Jacobian
	Jacobian          float64 // largest difference there, in nats
	Windings          bool    // draws were followed around the circles
	// Untested is the reason why the Jacobian, and with it the windings, could not be tested; empty if it was.
	Untested string
}

func (r *AngleReport) String() string {
	jacobian := r.Untested
	if jacobian == "" {
		jacobian = fmt.Sprintf("the Jacobian at %d draws agrees to %.1e nats", r.Jacobians, r.Jacobian)
	}
	if r.Windings {
		jacobian += ", and draws go once around all circles"
	}
	return fmt.Sprintf("ln q of %d draws in single precision is at most %.1e nats off as stated and %.1e as evaluated, %s", r.Draws, r.Stated, r.Evaluated, jacobian)
}

// Log reports what was tested.
func (r *AngleReport) Log(log *slog.Logger, bundle string) {
	log.Info("the network's draws were tested", "bundle", bundle, "report", r.String())
}

const (
	// AngleRows is the number of proposals tried.
	AngleRows = 32
	// mostAngles bounds the angles drawn for which derivatives and windings are found.
	mostAngles = 64
	// jacobians is the number of draws at which derivatives are taken, difference the step of the uniform
	// numbers, and closeness how well ln q must agree with them, in nats.
	jacobians, difference, closeness = 3, 1e-6, 1e-3
	// loopSteps is the number of steps in which a uniform number goes from 0 to 1.
	loopSteps = 128
)

// CheckAngles tests a bundle of angles. Four tests in turn refuse it:
//
//   - Contract: angles lie in [0, 2 pi), and those of the half that stays are those of the state.
//   - ln q: propose and log_prob, as they are evaluated in runs, give that of log_prob in pure Go and double precision.
//   - Jacobian: in double precision, ln q is minus the logarithm of the determinant of the derivatives of
//     the angles by the uniform numbers, whose sign is the same everywhere.
//   - Windings: while one uniform number goes from 0 to 1, each angle goes around whole circles; the
//     determinant of their numbers is 1 or -1. A map of a torus with such derivatives and windings takes
//     each configuration once (a covering of degree one), so that ln q is the density of the draws. It takes
//     seconds, and is left out for graphs that the program itself has written.
func CheckAngles(ctx context.Context, b *exporter.Bundle, o AngleOptions) (_ *AngleReport, err error) {
	store, err := inference.OpenStore(b)
	if err != nil {
		return nil, err
	}
	o.Runtime.Intercept, o.Runtime.Evaluated = nil, nil
	a, err := inference.NewAngles(b, store, o.Runtime, AngleRows, AngleRows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return CheckAnglesOf(ctx, b, a, o)
}

// CheckAnglesOf is CheckAngles with what serves the bundle, for at least AngleRows walkers, instead of one by
// AngleOptions.Runtime.
func CheckAnglesOf(ctx context.Context, b *exporter.Bundle, a sampler.AngleProposer, o AngleOptions) (_ *AngleReport, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("bundle %s version %d (%s): %w", b.Card.Name, b.Card.Version, b.Card.Architecture, err)
		}
	}()
	if w := a.Batch().Walkers; w < AngleRows {
		return nil, fmt.Errorf("%d walkers are too few for a test, %d are needed", w, AngleRows)
	}
	a.Batch().Used = AngleRows
	a.Pin()
	c := &angleChecker{ctx: ctx, o: o, bundle: b, angles: a, batch: a.Batch(), r: rand.New(sampler.Stream(o.Seed, sampler.HonestyStream, 0))}
	c.drawn = c.sitesDrawn()
	if err := c.compare(); err != nil {
		return nil, err
	}
	if len(c.drawn) > mostAngles {
		c.report.Untested = fmt.Sprintf("its Jacobian was not tested, it draws more than %d angles", mostAngles)
		return &c.report, nil
	}
	if err := c.differentiate(); err != nil || b.Own() {
		return &c.report, err
	}
	c.report.Windings = true
	return &c.report, c.wind()
}

// angleChecker tests one bundle of angles.
type angleChecker struct {
	ctx    context.Context
	o      AngleOptions
	bundle *exporter.Bundle
	angles sampler.AngleProposer
	batch  *sampler.AngleBatch
	drawn  []int // sites
	r      *rand.Rand
	report AngleReport
	sign   float64 // of the determinants
}

// sitesDrawn lists the sites whose angles a proposal draws.
func (c *angleChecker) sitesDrawn() (sites []int) {
	for i := range c.batch.Sites {
		sum, rest := 0, i
		for _, l := range c.bundle.Card.System.Size {
			sum, rest = sum+rest%l, rest/l
		}
		if !c.bundle.Card.TakesHalf() || sum%2 == 0 {
			sites = append(sites, i)
		}
	}
	return sites
}

// fill draws all inputs at random.
func (c *angleChecker) fill() {
	for i := range c.batch.Uniform {
		c.batch.Uniform[i] = c.r.Float32()
		c.batch.State[i] = min(float32(2*math.Pi*c.r.Float64()), 6.283185)
	}
	for k := range c.batch.Beta {
		c.batch.Beta[k] = float32(c.o.Beta * c.r.Float64())
	}
}

// compare tests the contract and ln q.
func (c *angleChecker) compare() error {
	b := c.batch
	c.fill()
	if err := c.angles.Propose(c.ctx); err != nil {
		return err
	}
	if err := c.angles.LogProb(c.ctx); err != nil {
		return err
	}
	drawn := map[int]bool{}
	for _, i := range c.drawn {
		drawn[i] = true
	}
	for k, x := range b.Proposal[:AngleRows*b.Sites] {
		if !(x >= 0 && float64(x) < 2*math.Pi) {
			return fmt.Errorf("a proposal has the angle %v, between 0 and 2 pi is right; %s", x, remedy)
		}
		if !drawn[k%b.Sites] && x != b.State[k] {
			return fmt.Errorf("a proposal has the angle %v at site %d, which belongs to the half that stays at %v; %s", x, k%b.Sites, b.State[k], remedy)
		}
	}
	for _, of := range []struct {
		name          string
		state, stated []float32
		evaluated     []float32
	}{{"a proposal", b.Proposal, b.Drawn, b.Forward}, {"a random configuration", b.State, nil, b.Reverse}} {
		inputs := map[string]graph.Tensor{models.State: graph.Float32s(of.state[:AngleRows*b.Sites], AngleRows, b.Sites)}
		if len(b.Beta) > 0 {
			inputs[models.Beta] = graph.Float32s(b.Beta[:AngleRows], AngleRows)
		}
		out, err := reference.Evaluate(c.bundle.LogProb, inputs)
		if err != nil {
			return err
		}
		c.report.Draws += AngleRows
		for k, want := range out[models.LogQ].Float64s() {
			allowed := reference.Rounding(b.Sites, want)
			d := math.Abs(float64(of.evaluated[k]) - want)
			if c.report.Evaluated = max(c.report.Evaluated, d); !(d <= allowed) {
				return fmt.Errorf("ln q of %s is %v as evaluated and %v in pure Go, at most %.2g apart is right; %s", of.name, of.evaluated[k], want, allowed, remedy)
			}
			if of.stated == nil {
				continue
			}
			d = math.Abs(float64(of.stated[k]) - want)
			if c.report.Stated = max(c.report.Stated, d); !(d <= allowed) {
				return fmt.Errorf("ln q of %s is %v as propose states it and %v by log_prob in pure Go, at most %.2g apart is right; %s", of.name, of.stated[k], want, allowed, remedy)
			}
		}
	}
	return nil
}

// row is what propose takes for one walker, in double precision.
type row struct {
	uniform, state []float64
	beta           float64
}

// propose evaluates propose in double precision for several uniform numbers of a row.
func (c *angleChecker) propose(x row, uniforms []float64) (angles, logQ []float64, err error) {
	m := len(uniforms) / c.batch.Sites
	inputs := map[string]graph.Tensor{models.Uniform: graph.Float64s(uniforms, m, c.batch.Sites)}
	if c.bundle.Card.TakesHalf() {
		inputs[models.State] = graph.Float64s(slices.Repeat(x.state, m), m, c.batch.Sites)
	}
	if c.bundle.Card.TakesBeta() {
		inputs[models.Beta] = graph.Float64s(slices.Repeat([]float64{x.beta}, m), m)
	}
	out, err := reference.Evaluate(c.bundle.Propose, inputs)
	return out[models.Proposal].Float64s(), out[models.LogQ].Float64s(), err
}

// row is the inputs of a walker.
func (c *angleChecker) row(k int) row {
	b, n := c.batch, c.batch.Sites
	x := row{uniform: make([]float64, n), state: make([]float64, n)}
	for i := range n {
		x.uniform[i], x.state[i] = float64(b.Uniform[k*n+i]), float64(b.State[k*n+i])
	}
	if len(b.Beta) > 0 {
		x.beta = float64(b.Beta[k])
	}
	return x
}

// differentiate compares ln q with derivatives.
func (c *angleChecker) differentiate() error {
	n, m := c.batch.Sites, len(c.drawn)
	for k := range jacobians {
		x := c.row(k)
		uniforms := slices.Repeat(x.uniform, 2*m+1)
		for j, site := range c.drawn {
			uniforms[2*j*n+site] += difference
			uniforms[(2*j+1)*n+site] -= difference
		}
		angles, logQ, err := c.propose(x, uniforms)
		if err != nil {
			return err
		}
		jacobian := mat.NewDense(m, m, nil)
		for j := range c.drawn {
			for l, site := range c.drawn {
				jacobian.Set(j, l, math.Remainder(angles[2*j*n+site]-angles[(2*j+1)*n+site], 2*math.Pi)/(2*difference))
			}
		}
		det, sign := mat.LogDet(jacobian)
		c.report.Jacobians++
		d := math.Abs(logQ[2*m] + det)
		if c.report.Jacobian = max(c.report.Jacobian, d); !(d <= closeness) {
			return fmt.Errorf("ln q of a draw is %v, the derivatives of its angles say %v; %s", logQ[2*m], -det, remedy)
		}
		if c.sign*sign < 0 {
			return fmt.Errorf("the Jacobian has both signs, so that draws come from several numbers; %s", remedy)
		}
		c.sign = sign
	}
	return nil
}

// wind tests the windings.
func (c *angleChecker) wind() error {
	n, m := c.batch.Sites, len(c.drawn)
	x := c.row(0)
	windings := mat.NewDense(m, m, nil)
	for j, moved := range c.drawn {
		uniforms := slices.Repeat(x.uniform, loopSteps+1)
		for k := range loopSteps + 1 {
			uniforms[k*n+moved] = float64(k) / loopSteps
		}
		angles, _, err := c.propose(x, uniforms)
		if err != nil {
			return err
		}
		for l, site := range c.drawn {
			turn := 0.0
			for k := range loopSteps {
				turn += math.Remainder(angles[(k+1)*n+site]-angles[k*n+site], 2*math.Pi)
			}
			turn /= 2 * math.Pi
			if math.Abs(turn-math.Round(turn)) > 1e-3 {
				return fmt.Errorf("while the uniform number of site %d goes from 0 to 1, the angle of site %d goes %.3f times around the circle, a whole number is right; %s", moved, site, turn, remedy)
			}
			windings.Set(j, l, math.Round(turn))
		}
	}
	if d := math.Abs(mat.Det(windings)); math.Abs(d-1) > 1e-6 {
		return fmt.Errorf("draws take each configuration %.0f times while the uniform numbers take each value once; %s", d, remedy)
	}
	return nil
}
