package main

import (
	"fmt"
	"io"

	"neuralwl/internal/compare"
)

func writeReport(w io.Writer, folder string) error {
	r, err := compare.Collect(folder)
	if err != nil {
		return err
	}
	for _, y := range r.Systems {
		fmt.Fprintln(w, y.System.Name, y.ReferenceError)
		for _, p := range y.Samplers {
			for _, c := range p.Cells {
				a, b, m := c.ToTarget(y.System.Target)
				fmt.Fprintln(w, "  ", p.Sampler.Name, c.Seed, c.Failed, "rms", c.RMS, "cpu", c.CPU, c.Training(), "wall", c.Wall, a, b, m, c.RoundTrips, c.Resistance, c.EffectivePerSecond, c.Probe, c.Flagged)
			}
		}
	}
	return nil
}
