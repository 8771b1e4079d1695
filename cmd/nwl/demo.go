package main

import (
	_ "embed"

	"github.com/spf13/cobra"

	"neuralwl/internal/config"
)

//go:embed demo.yaml
var demo []byte

func newDemo() *cobra.Command {
	var out string
	var assignments []string
	var asJSON bool
	c := &cobra.Command{
		Use:   "demo [--set key=value]... [--out DIR] [--json]",
		Short: "Watch a first-order transition being found, in some 80 seconds",
		Long: `Run a density of states that shows all there is: the Potts model with ten colours on the 12x12
lattice, whose ordered and disordered phase coexist at the transition, and a network that learns
meanwhile to propose states of any energy. At first hardly any of its proposals is accepted. Half
of the time goes to that, and half to production with frozen weights and network.

At the end report.html in the run directory shows both phases in the distribution of the energy,
their transition temperatures and latent heat with errors, how the network learned, and whether
the result can be trusted. The run directory is that of any other run.`,
		Example: "  nwl demo\n  nwl demo --set run.max_time=5m --set system.size=16x16",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := config.Compose(demo, assignments)
			if err != nil {
				return usageError{err}
			}
			return perform(c, cfg, out, "demo", false, asJSON)
		},
	}
	c.Flags().StringArrayVar(&assignments, "set", nil, "set a configuration key, as in --set run.seed=2")
	c.Flags().StringVar(&out, "out", "", "run directory (default runs/demo-<number>)")
	addJSON(c, &asJSON)
	return c
}
