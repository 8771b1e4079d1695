package training_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/training"
)

// ringLnZ is that of the XY model on a ring, (2 pi)^N times the sum over n of I_n(beta)^N.
func ringLnZ(sites int, beta float64) float64 {
	const points = 200
	z := 0.0
	for n := -30; n <= 30; n++ {
		bessel := 0.0
		for k := range points {
			theta := 2 * math.Pi * float64(k) / points
			bessel += math.Cos(float64(n)*theta) * math.Exp(beta*math.Cos(theta)) / points
		}
		z += math.Pow(bessel, float64(sites))
	}
	return float64(sites)*math.Log(2*math.Pi) + math.Log(z)
}

// TestTrainFlow trains a flow on a ring: the weights of its draws make the exact partition functions, and more of
// them are effective than of uniform angles. Then one of a half, which has no temperatures.
func TestTrainFlow(t *testing.T) {
	settings := []string{"system.model=xy", "system.q=0", "system.size=8x1", "model.architecture=flow", "model.layers=2", "model.kernel=3", "train.steps=40", "trainer.learning_rate=2e-2"}
	r := train(t, training.Options{Config: load(t, settings...), Repository: t.TempDir()})
	if len(r.Evaluations) > 0 || len(r.Temperatures) != 6 || r.Card.Name != "flow-xy-8x1" {
		t.Fatalf("%+v", r)
	}
	for _, e := range r.Temperatures {
		want := ringLnZ(8, e.Beta)
		uniform := math.Exp(2*want - ringLnZ(8, 2*e.Beta) - ringLnZ(8, 0))
		t.Logf("beta = %.2f: ln Z %.4f(%.4f), exact %.4f, effective %.3f, of uniform angles %.3f, %.3f nats", e.Beta, e.LnZ, e.LnZError, want, e.EffectiveShare, uniform, e.Divergence)
		if math.Abs(e.LnZ-want) > 5*e.LnZError+1e-3 {
			t.Errorf("beta = %g: ln Z = %g(%g), exactly %g", e.Beta, e.LnZ, e.LnZError, want)
		}
		if 1-e.EffectiveShare > 0.8*(1-uniform) || e.Acceptance < e.EffectiveShare/4 || e.Divergence < 0 {
			t.Errorf("beta = %g: %+v, of uniform angles %.3f are effective", e.Beta, e, uniform)
		}
	}
	table, err := os.ReadFile(filepath.Join(r.Folder, training.TemperaturesFile))
	if err != nil || strings.Count(string(table), "\n") != 7 {
		t.Errorf("%s %v", table, err)
	}
	half := train(t, training.Options{Config: load(t, append(settings, "model.half=true", "train.steps=2")...), Repository: t.TempDir()})
	if len(half.Temperatures)+len(half.Evaluations) > 0 || !half.Card.TakesHalf() {
		t.Errorf("%+v", half)
	}
	c := load(t, append(settings, "model.architecture=made")...)
	if err := training.Check(c); err == nil || !strings.Contains(err.Error(), "made draws colours") {
		t.Errorf("a network of colours: %v", err)
	}
}
