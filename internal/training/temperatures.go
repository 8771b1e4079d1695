package training

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"neuralwl/inference"
	"neuralwl/sampler"
	"neuralwl/sampler/dos"
	"neuralwl/sampler/lattice"
	"neuralwl/trainer"
)

// TemperaturesFile is a file of a bundle with its Temperatures.
const TemperaturesFile = "temperatures.csv"

// Temperature is what the draws of a network of angles at an inverse temperature are worth, by their
// weights w = exp(-beta E)/q.
type Temperature struct {
	Beta     float64 `json:"beta"`
	LnZ      float64 `json:"ln_z"` // of the mean of w
	LnZError float64 `json:"ln_z_error"`
	// EffectiveShare is (sum w)^2 / (sum w^2) per draw: of so many of them the mean of w has the error. A
	// network that misses configurations does not see it.
	EffectiveShare float64 `json:"effective_share"`
	Acceptance     float64 `json:"acceptance"` // in a chain of such draws at this temperature
	Divergence     float64 `json:"divergence"` // mean of ln q + beta E + ln Z, in nats
}

const (
	evaluatedTemperatures = 6
	evaluatedDraws        = 8192 // at each of them, about
)

// temperatures evaluates draws at inverse temperatures up to the coldest.
func (r *course) temperatures(ctx context.Context) (_ []Temperature, err error) {
	store, err := inference.OpenStore(r.bundle)
	if err != nil {
		return nil, err
	}
	a, err := inference.NewAngles(r.bundle, store, r.s.run, r.c.Run.Walkers, r.c.Inference.Batch)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	xy, b := r.system.(*lattice.XY), a.Batch()
	source := rand.New(sampler.Stream(r.c.Run.Seed, sampler.VerifyStream, 1))
	spins := make([]lattice.Spin, b.Sites)
	var all []Temperature
	for k := range evaluatedTemperatures {
		r.s.observe(Evaluating, float64(k)/evaluatedTemperatures, trainer.StepInfo{})
		beta := r.c.Neural.Coldest * float64(k+1) / evaluatedTemperatures
		var lnW []float64
		for len(lnW) < evaluatedDraws {
			sampler.Uniforms(b.Uniform, source)
			for i := range b.Beta {
				b.Beta[i] = float32(beta)
			}
			if err := a.Propose(ctx); err != nil {
				return nil, err
			}
			for i := range b.Walkers {
				for site := range spins {
					spins[site] = lattice.SpinOf(float64(b.Proposal[i*b.Sites+site]))
				}
				lnW = append(lnW, -beta*xy.EnergyOf(xy.Exact(spins))-float64(b.Forward[i]))
			}
		}
		all = append(all, temperatureOf(beta, lnW, source))
	}
	return all, nil
}

// temperatureOf sums up the logarithms of weights.
func temperatureOf(beta float64, lnW []float64, r *rand.Rand) Temperature {
	n := float64(len(lnW))
	squares, mean := make([]float64, len(lnW)), 0.0
	for i, w := range lnW {
		squares[i] = 2 * w
		mean += w / n
	}
	sum := dos.LogSumExp(lnW)
	t := Temperature{Beta: beta, LnZ: sum - math.Log(n), EffectiveShare: math.Exp(2*sum-dos.LogSumExp(squares)) / n}
	t.LnZError = math.Sqrt(max(0, 1/t.EffectiveShare-1) / n)
	t.Divergence = t.LnZ - mean
	at := lnW[0]
	for _, w := range lnW[1:] {
		if math.Log(r.Float64()) < w-at {
			at = w
			t.Acceptance += 1 / (n - 1)
		}
	}
	return t
}

// table is TemperaturesFile.
func table(all []Temperature) []byte {
	var buf bytes.Buffer
	fmt.Fprintln(&buf, "beta,ln_z,ln_z_error,effective_share,acceptance,divergence")
	for _, t := range all {
		fmt.Fprintf(&buf, "%g,%.8g,%.3g,%.6g,%.6g,%.6g\n", t.Beta, t.LnZ, t.LnZError, t.EffectiveShare, t.Acceptance, t.Divergence)
	}
	return buf.Bytes()
}
