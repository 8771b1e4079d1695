package inference

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/bundletest"
	"neuralwl/models"
)

// testProvider is the provider that the test flag -provider of package onnxtest names.
func testProvider() Provider { return Provider(flag.Lookup("provider").Value.String()) }

// BenchmarkLayouts reports the time per walker of propose with k sites in a step of its
// loops, and of log_prob with k sites at a time, for q = 10 by lattice size and batch.
func BenchmarkLayouts(b *testing.B) {
	if _, err := Open(""); err != nil {
		b.Fatal(err)
	}
	r := Runtime{Provider: testProvider(), Workers: 1}
	hyper := map[string]models.Hyperparameters{
		models.Autoencoder:    {Encoder: 128, Latent: 8, Decoder: 128, Floor: 1e-3, Noise: 1},
		models.Microcanonical: {Width: 32, Floor: 1e-4, Window: 8},
		diagonals:             {Width: 32, Floor: 1e-4, Window: 8, Order: models.Diagonal},
		checkerboards:         {Width: 32, Floor: 1e-4, Window: 8, Order: models.Checkerboard},
	}
	for _, name := range []string{models.Autoencoder, models.Microcanonical, diagonals, checkerboards} {
		architecture, _, _ := strings.Cut(name, " ")
		for _, l := range []int{8, 16} {
			bundle := bundletest.New(b, architecture, models.System{Q: 10, Sides: []int{l, l}}, hyper[name])
			for _, batch := range []int{128, 1024} {
				widths := []int{1, 8, l, l * l}
				if l == 8 {
					widths = []int{1, 8, l * l}
				}
				for _, k := range widths {
					laidOut, _, err := bundle.ForGPU(exporter.Layout{Samples: batch, Width: k, AtOnce: k})
					if err != nil {
						b.Fatal(err)
					}
					for _, model := range []*onnxpb.ModelProto{laidOut.Propose, laidOut.LogProb} {
						if model == laidOut.Propose && k > l {
							continue
						}
						b.Run(fmt.Sprintf("%s/%s/L=%d/batch=%d/k=%d", name, model.GetGraph().GetName(), l, batch, k), func(b *testing.B) {
							benchmarkModel(b, bundle, model, r, batch, func(*network) error { return nil })
						})
					}
				}
			}
		}
	}
}

// BenchmarkBinding compares calls whose inputs and outputs are bound, so that weights stay on
// the device, with calls that pass everything. On the CPU binding copies nothing.
func BenchmarkBinding(b *testing.B) {
	r, bundle, batch := benchmarkDevice(b)
	for _, bound := range []bool{true, false} {
		b.Run(fmt.Sprintf("bound=%v", bound), func(b *testing.B) {
			benchmarkModel(b, bundle, bundle.LogProb, r, batch, func(n *network) (err error) {
				if bound && n.device == nil {
					n.device, err = newDevice(n.session)
				} else if !bound && n.device != nil {
					err, n.device = n.device.destroy(), nil
				}
				return err
			})
		})
	}
}

// BenchmarkCUDAGraph replays log_prob, which has no loop in the form for a GPU, as a CUDA
// graph: data stays on the device, so that only launches and arithmetic are measured.
func BenchmarkCUDAGraph(b *testing.B) {
	r, bundle, batch := benchmarkDevice(b)
	if r.Provider != CUDA {
		b.Skip("SKIPPED: CUDA graphs need -provider cuda")
	}
	for _, enabled := range []string{"0", "1"} {
		b.Run("enabled="+enabled, func(b *testing.B) {
			r := r
			r.cuda = map[string]string{"enable_cuda_graph": enabled}
			var bound *network
			benchmarkModel(b, bundle, bundle.LogProb, r, batch, func(n *network) error {
				bound = n
				return nil
			}, func() error { return bound.session.RunWithBinding(bound.device.binding) })
		})
	}
}

// benchmarkDevice returns a microcanonical network in the form for a GPU, all sites at once.
func benchmarkDevice(b *testing.B) (Runtime, *exporter.Bundle, int) {
	if _, err := Open(""); err != nil {
		b.Fatal(err)
	}
	const l, batch = 16, 256
	bundle := bundletest.New(b, models.Microcanonical, models.System{Q: 10, Sides: []int{l, l}}, models.Hyperparameters{Width: 32, Floor: 1e-4, Window: 8})
	laidOut, _, err := bundle.ForGPU(exporter.Layout{Samples: batch, Width: deviceWidth, AtOnce: l * l})
	if err != nil {
		b.Fatal(err)
	}
	return Runtime{Provider: testProvider(), Workers: 1}, laidOut, batch
}

// benchmarkModel evaluates propose or log_prob of a bundle on random inputs. prepare changes
// the network before, and again, if given, replaces all calls but the first.
func benchmarkModel(b *testing.B, bundle *exporter.Bundle, model *onnxpb.ModelProto, r Runtime, batch int, prepare func(*network) error, again ...func() error) {
	weights, err := bundle.Weights()
	if err != nil {
		b.Fatal(err)
	}
	w, err := NewWeights(weights)
	if err != nil {
		b.Fatal(err)
	}
	n, err := newNetwork(model, r)
	if err == nil {
		err = prepare(n)
	}
	if err != nil {
		b.Fatal(err)
	}
	sites, random := bundle.Card.System.Size[0]*bundle.Card.System.Size[1], rand.New(rand.NewPCG(3, 4))
	state, uniform, energy := make([]int32, batch*sites), make([]float32, batch*sites), make([]float32, batch)
	for i := range state {
		state[i], uniform[i] = random.Int32N(10), float32(random.IntN(1<<24))*0x1p-24
	}
	for i := range energy {
		energy[i] = -float32(random.IntN(2*sites + 1))
	}
	var native values
	all := map[string]ort.Value{
		models.State: tensor(&native, state, batch, sites), models.Condition: tensor(&native, state, batch, sites),
		models.Uniform: tensor(&native, uniform, batch, sites), models.Start: tensor(&native, make([]int32, batch), batch),
		models.Energy: tensor(&native, energy, batch), models.Proposal: tensor(&native, make([]int32, batch*sites), batch, sites),
		models.LogQ: tensor(&native, make([]float32, batch), batch),
	}
	if native.err != nil {
		b.Fatal(native.err)
	}
	named := func(names []string) (v []ort.Value) {
		for _, name := range names {
			v = append(v, all[name])
		}
		return v
	}
	in, out := named(n.inputs), named(n.outputs)
	call := func() error { return n.run(context.Background(), in, w, out) }
	if err := call(); err != nil {
		b.Fatal(err)
	}
	for _, call = range again {
	}
	for b.Loop() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*batch), "µs/walker")
	n.Close()
	native.destroy()
}
