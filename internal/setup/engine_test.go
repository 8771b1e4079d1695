package setup_test

import (
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/setup"
	"neuralwl/sampler"
	"neuralwl/sampler/local"
)

func load(t *testing.T, settings ...string) *config.Config {
	t.Helper()
	c, err := config.Load("", settings)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEngine maps what a configuration says of moves and method to the engine's options.
func TestEngine(t *testing.T) {
	for _, c := range []struct {
		settings []string
		local    local.Move
		phase    sampler.Phase
	}{
		{nil, local.HeatBath, sampler.WangLandau},
		{[]string{"local.order=random"}, local.RandomHeatBath, sampler.WangLandau},
		{[]string{"local.move=metropolis"}, local.Metropolis, sampler.WangLandau},
		{[]string{"local.move=metropolis", "local.order=random"}, local.Metropolis, sampler.WangLandau},
		{[]string{"run.moves=neural", "local.order=random"}, local.None, sampler.WangLandau},
		{[]string{"run.method=multicanonical"}, local.HeatBath, sampler.Multicanonical},
		{[]string{"run.method=canonical", "run.beta=1", "production.passes=10"}, local.HeatBath, sampler.Canonical},
	} {
		config := load(t, c.settings...)
		system, err := config.System.New()
		if err != nil {
			t.Fatal(err)
		}
		o := setup.Engine(config, system, 3)
		if o.Local != c.local || o.Adaptation != c.phase || o.Workers != 3 {
			t.Errorf("%v: local move %v, adaptation %v, want %v and %v", c.settings, o.Local, o.Adaptation, c.local, c.phase)
		}
	}
}

// TestWindows gives the levels without states at the lower end to the first window and
// divides the others evenly.
func TestWindows(t *testing.T) {
	c := load(t, "system.q=2", "system.size=3x3", "windows.count=2", "run.walkers=2")
	system, err := c.System.New()
	if err != nil {
		t.Fatal(err)
	}
	// Each row and column of odd length keeps a satisfied bond: levels 0..5 are empty.
	windows := setup.Windows(c, system)
	if len(windows) != 2 || windows[0].Low != 0 || windows[0].High-6 != windows[1].High-windows[1].Low || windows[1].High != system.Levels()-1 {
		t.Errorf("windows %v of %d levels", windows, system.Levels())
	}
}
