package inference_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
	"neuralwl/sampler/exact"
	"neuralwl/sampler/lattice"
	"neuralwl/sampler/local"
)

// TestAnglesEngine runs walkers of the XY model on a ring under the weights of the exact density of states, with
// proposals of a random flow, of all angles or of a half: all levels must be visited alike.
func TestAnglesEngine(t *testing.T) {
	s, err := lattice.NewXY(1, -0.8, 0, 10, 1)
	if err != nil {
		t.Fatal(err)
	}
	d, err := exact.Ring(s)
	if err != nil {
		t.Fatal(err)
	}
	lnG := make([]float64, s.Levels())
	for i, e := range d.Energy {
		for level := range lnG {
			if s.Energy(level) == e {
				lnG[level] = d.LnG[i]
			}
		}
	}
	const walkers = 128
	system := models.System{Model: models.XY, Sides: []int{10, 1}}
	for name, h := range map[string]models.Hyperparameters{"all": chainFlow, "half": chainHalf} {
		t.Run(name, func(t *testing.T) {
			b := bundletest.New(t, models.Flow, system, h)
			a, err := inference.NewAngles(b, onnxtest.Store(t, b), onnxtest.Runtime(1), walkers, 64)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			e, err := sampler.New(sampler.Options{System: s, Seed: 3, Walkers: walkers, Local: local.Metropolis, LnG: lnG, Angles: a, Trials: 2, Coldest: 3})
			if err != nil {
				t.Fatal(err)
			}
			e.Produce()
			passes := long.Or(1000, 150)
			counts := make([][]float64, s.Levels()) // by level and walker
			for level := range counts {
				counts[level] = make([]float64, walkers)
			}
			for pass := range passes {
				if err := e.Pass(context.Background()); err != nil {
					t.Fatal(err)
				}
				for i := range walkers {
					if state, level := e.State(i); pass >= passes/5 {
						if s.Level(state) != level {
							t.Fatalf("walker %d is at level %d, its energy at %d", i, level, s.Level(state))
						}
						counts[level][i] += 1 / float64(passes-passes/5)
					}
				}
			}
			square := 0.0
			for level, of := range counts {
				mean, std := stat.MeanStdDev(of, nil)
				z := (mean - 1/float64(len(counts))) / (std / math.Sqrt(walkers))
				square += z * z / float64(len(counts))
				if math.Abs(z) > 5 {
					t.Errorf("E = %g: share %.4f(%.4f) of the visits, %.4f is right", s.Energy(level), mean, std/math.Sqrt(walkers), 1/float64(len(counts)))
				}
			}
			moves := e.Progress().Moves[sampler.Neural]
			share := float64(moves.Accepted) / float64(moves.Trials)
			t.Logf("%d levels, mean square deviation %.2f errors squared; %.2f of the proposals accepted", len(counts), square, share)
			if square > 3 || share < 0.05 {
				t.Errorf("mean square deviation %.2f errors squared; %.2f of the proposals accepted", square, share)
			}
		})
	}
}

func TestAnglesEngineFaults(t *testing.T) {
	ring, err := lattice.NewXY(1, 0, 0, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	potts, err := lattice.NewPotts(2, 4, 4)
	if err != nil {
		t.Fatal(err)
	}
	a := newAngles(t, chainFlow, 1, 8, 8)
	for want, o := range map[string]sampler.Options{
		"no angles that could be proposed": {System: potts, Walkers: 8, Angles: a, Coldest: 1},
		"serves 8 walkers on 4 sites":      {System: ring, Walkers: 9, Angles: a, Coldest: 1},
		"coldest = 0":                      {System: ring, Walkers: 8, Angles: a},
	} {
		if _, err := sampler.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
