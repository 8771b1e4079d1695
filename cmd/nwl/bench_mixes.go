package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/bench"
)

// benchMixes are the flags of what compares mixes of moves.
type benchMixes struct {
	q, walkers            int
	size, bundle, density string
	mixes                 []string
	time                  time.Duration
	seed                  uint64
	json, low             bool
	files                 densityReader
}

// addFlags adds them to a command, with the mixes that it takes by default.
func (m *benchMixes) addFlags(c *cobra.Command, mixes []string) {
	c.Flags().IntVar(&m.q, "q", 0, "number of colours")
	c.Flags().StringVar(&m.size, "size", "", "sides of the lattice, as in 16x16")
	c.Flags().StringVar(&m.bundle, "bundle", "", "the network, also one trained on another size if its weights fit all sizes (default pretrained/potts-qQ)")
	c.Flags().StringVar(&m.density, "dos", "", "density of states, a file or a run directory (default one made first)")
	c.Flags().StringSliceVar(&m.mixes, "mix", mixes, "mixes of moves, [cluster:]SWEEPS:TRIALS[:SHARE[:SHIFT]] per pass")
	addJSON(c, &m.json)
	m.files.addFlags(c)
}

// options opens the network and reads the weights that the flags name.
func (m *benchMixes) options(c *cobra.Command) (*bench.Options, error) {
	if err := required(c, "q", "size"); err != nil {
		return nil, err
	}
	o := &bench.Options{Seed: m.seed, Walkers: m.walkers, LocalWalkers: m.walkers, Time: m.time, Low: m.low, Observe: logProgress()}
	for _, text := range m.mixes {
		mix, err := bench.ParseMix(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--mix %w", err)}
		}
		o.Mixes = append(o.Mixes, mix)
	}
	n, err := openBundle(c.Context(), m.bundle, m.q, m.size, 1)
	if err != nil {
		return nil, err
	}
	o.System, o.Bundle, o.Runtime, o.Part = n.System, n.Bundle, n.Runtime, n.Part
	if m.density != "" {
		o.LnG, err = weightsOf(c, m.files, m.density, o.System)
	}
	return o, err
}

// show writes results as JSON or by a function.
func (m *benchMixes) show(c *cobra.Command, results any, table func() error) error {
	if !m.json {
		return table()
	}
	return writeJSON(c.OutOrStdout(), results)
}
