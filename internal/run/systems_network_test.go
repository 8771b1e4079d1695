package run_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/long"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/sampler/exact"
)

// TestSystemsWithNetworks lets a network propose configurations of every system small enough
// to be enumerated, beside local moves and alone: ln g is within its error bars of the exact
// one at every level.
func TestSystemsWithNetworks(t *testing.T) {
	all := []string{"made", "autoencoder", "conv"}
	for name, c := range map[string]struct {
		settings string
		networks []string
		short    []string // of the networks, those with -short
	}{
		"random_bond": {"system.model=random_bond system.q=2 system.size=4x4", all[:2], nil},
		"potts3d":     {"system.model=potts3d system.q=2 system.size=3x3x3", all[:2], nil}, // convolutions have two sides
		"blume_capel": {"system.model=blume_capel system.q=3 system.size=3x3 system.crystal_field=1.75", all, all[:1]},
		"ising_field": {"system.model=ising_field system.q=2 system.size=4x4 system.field=0.5", all[:2], nil},
		// Fronts of up to two sites.
		"potts, diagonal": {"system.q=2 system.size=6x4 model.order=diagonal model.window=3 run.walkers=32 neural.partial=0.3", []string{"microcanonical"}, nil},
		"baxter_wu":       {"system.model=baxter_wu system.q=2 system.size=3x3", all, all[:1]},
	} {
		for _, network := range c.networks {
			t.Run(name+" "+network, func(t *testing.T) {
				if !slices.Contains(c.short, network) {
					long.Only(t, "1500 passes with a network")
				}
				t.Parallel()
				folder := filepath.Join(t.TempDir(), "run")
				s := runtest.Perform(t, folder, append(strings.Fields(c.settings),
					"run.moves=[local,neural]", "model.architecture="+network, "model.width=6", "model.depth=1", "production.passes=1500")...)
				if !s.Verdict.Converged {
					t.Errorf("verdict %+v", s.Verdict)
				}
				if m := s.Phases[1].Moves["neural"]; m.Trials == 0 || m.Acceptance < 0.01 {
					t.Errorf("proposals in production: %+v, which is no test of them", m)
				}
				l, err := report.Load(folder)
				if err != nil {
					t.Fatal(err)
				}
				system, err := l.Config.System.New()
				if err != nil {
					t.Fatal(err)
				}
				truth, err := exact.Density(t.Context(), system, time.Minute)
				if err != nil || truth == nil {
					t.Fatal(err)
				}
				if l.Density.Len() != truth.Len() {
					t.Fatalf("%d levels, %d have states", l.Density.Len(), truth.Len())
				}
				square, worst := 0.0, 0.0
				for i, want := range truth.LnG {
					if l.Density.Error[i] == 0 && math.Abs(l.Density.LnG[i]-want) < 1e-9 {
						continue // known
					}
					z := (l.Density.LnG[i] - want) / l.Density.Error[i]
					square += z * z / float64(truth.Len())
					worst = max(worst, math.Abs(z))
				}
				// Levels err together: the sum may be far from its mean of 1.
				if !(worst < 5) || square > 6 {
					t.Errorf("ln g is off by up to %.1f errors, rms %.2f", worst, math.Sqrt(square))
				}
				if failed, _ := runtest.Verify(t, folder); len(failed) > 0 {
					t.Errorf("verify: %+v", failed)
				}
			})
		}
	}
}
