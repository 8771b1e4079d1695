package setup_test

import (
	"strings"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/setup"
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

// TestEngine maps what a configuration says of moves to the engine's options.
func TestEngine(t *testing.T) {
	for _, c := range []struct {
		settings []string
		local    local.Move
	}{
		{nil, local.HeatBath},
		{[]string{"local.order=random"}, local.RandomHeatBath},
		{[]string{"local.move=metropolis"}, local.Metropolis},
		{[]string{"local.move=metropolis", "local.order=random"}, local.Metropolis},
		{[]string{"local.move=cluster"}, local.Cluster},
		{[]string{"run.moves=neural", "local.order=random"}, local.None},
	} {
		config := load(t, c.settings...)
		system, err := config.System.New()
		if err != nil {
			t.Fatal(err)
		}
		o := setup.Engine(config, system, 3)
		if o.Local != c.local || o.Workers != 3 {
			t.Errorf("%v: local move %v, want %v", c.settings, o.Local, c.local)
		}
	}
}

// TestCluster accepts cluster moves for exactly those systems that have them, and else names the system
// or its field.
func TestCluster(t *testing.T) {
	for _, settings := range [][]string{
		{"system.model=potts"}, {"system.model=ising"}, {"system.model=potts3d"}, {"system.model=blume_capel"}, {"system.model=blume_capel", "system.crystal_field=1.5"},
		{"system.model=ising_field"}, {"system.model=ising_field", "system.field=0.5"}, {"system.model=random_bond"}, {"system.model=baxter_wu"},
	} {
		system, err := load(t, settings...).System.New()
		if err != nil {
			t.Fatal(err)
		}
		possible := local.Check(system, local.Cluster)
		_, err = config.Load("", append(settings, "local.move=cluster"))
		if (err == nil) != (possible == nil) {
			t.Errorf("%v: %v, but the sampler says %v", settings, err, possible)
		}
		named := strings.Replace(settings[0], "=", " ", 1)
		if settings[0] == "system.model=ising_field" {
			named = "system.field is 0.5"
		}
		if err != nil && !strings.Contains(err.Error(), named) {
			t.Errorf("%v: %v, want %q", settings, err, named)
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
	windows := setup.Engine(c, system, 1).Windows
	if len(windows) != 2 || windows[0].Low != 0 || windows[0].High-6 != windows[1].High-windows[1].Low || windows[1].High != system.Levels()-1 {
		t.Errorf("windows %v of %d levels", windows, system.Levels())
	}
}
