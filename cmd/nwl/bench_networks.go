package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/bench"
)

func newBenchNetworks() *cobra.Command {
	o := bench.NetworkOptions{}
	var asJSON bool
	c := &cobra.Command{
		Use:   "networks",
		Short: "Measure proposals and gradient steps by architecture",
		Long: `Measure how many configurations networks draw (propose), evaluate (log_prob) and learn from
(train, whole gradient steps with trainer.batch states) per second, on the provider that
inference.provider names. The networks are new ones for the Potts model in the sizes of the
configuration. Every line is printed as soon as it is measured; one that could not be, for
want of memory say, has the reason instead.`,
		Example: "  nwl bench networks --architecture microcanonical --size 16,32 --batch 128,1024 --set inference.provider=cuda",
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			for _, n := range append(append([]int{o.Q}, o.Sides...), o.Batches...) {
				if n < 1 {
					return usageError{errors.New("--q, --size and --batch must be positive")}
				}
			}
			o.Workers, o.Log = runtime.GOMAXPROCS(0), slog.Default()
			w := c.OutOrStdout()
			if !asJSON {
				fmt.Fprintf(w, "%-15s %-8s %4s %-9s %6s %12s %14s %14s\n", "architecture", "provider", "L", "call", "batch", "ms per call", "fastest", "samples/s")
			}
			return bench.Networks(c.Context(), o, func(r bench.NetworkResult) error {
				if asJSON {
					return json.NewEncoder(w).Encode(r)
				}
				text := fmt.Sprintf("%12.3f %14.3f %14.0f", 1e3*r.Seconds, 1e3*r.Fastest, r.Samples)
				if r.Fault != "" {
					text = firstLine(errors.New(r.Fault))
				}
				_, err := fmt.Fprintf(w, "%-15s %-8s %4d %-9s %6d %s\n", r.Architecture, r.Provider, r.L, r.Call, r.Batch, text)
				return err
			})
		},
	}
	c.Flags().StringSliceVar(&o.Architectures, "architecture", []string{"autoencoder", "made", "conv", "microcanonical", "rbm"}, "networks to measure")
	c.Flags().IntVar(&o.Q, "q", 10, "number of colours")
	c.Flags().IntSliceVar(&o.Sides, "size", []int{8, 16, 32}, "sides L of the lattices L x L")
	c.Flags().IntSliceVar(&o.Batches, "batch", []int{1, 16, 128, 1024}, "configurations per call")
	c.Flags().DurationVar(&o.Time, "time", time.Second, "time for each kind of call")
	c.Flags().StringArrayVar(&o.Settings, "set", nil, "set a configuration key, as in --set inference.provider=cuda")
	c.Flags().BoolVar(&asJSON, "json", false, "write a JSON object per line")
	return c
}
