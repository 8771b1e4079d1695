package inference

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/bundletest"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// TestDevice evaluates a network through a binding, from several goroutines, with weights
// that change: each call sees its own data and weights, and weights already bound are not
// bound again.
func TestDevice(t *testing.T) {
	if _, err := Open(""); err != nil {
		t.Fatal(err)
	}
	g := graph.New("product")
	g.Output("y", g.Input("x", graph.Float32, graph.Dynamic, 2).MatMul(g.Param("w", 2, 1)).Add(g.Param("b", 1)))
	set := func(w ...float32) map[string]graph.Tensor {
		return map[string]graph.Tensor{"w": graph.Float32s(w[:2], 2, 1), "b": graph.Float32s(w[2:], 1)}
	}
	model, err := exporter.Encode(g, set(0, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(model, Runtime{Provider: CPU})
	if err != nil {
		t.Fatal(err)
	}
	if n.device, err = newDevice(n.session); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var sets []*Weights
	for k := range 3 {
		w, err := NewWeights(set(float32(k), 1, 10))
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, w)
	}
	var wait sync.WaitGroup
	for k := range 4 {
		wait.Go(func() {
			var native values
			x, y := []float32{0, 0}, []float32{0}
			in, out := tensor(&native, x, 1, 2), tensor(&native, y, 1, 1)
			defer native.destroy()
			for i := range 60 {
				x[0], x[1] = float32(k), float32(i)
				w := i / 20
				if err := n.run(context.Background(), []ort.Value{in}, sets[w], []ort.Value{out}); err != nil {
					t.Error(err)
					return
				}
				if want := float32(w*k + i + 10); y[0] != want {
					t.Errorf("%v times weights %d is %v, want %v", x, w, y[0], want)
				}
			}
		})
	}
	wait.Wait()
	if n.device.bound != sets[2].filled {
		t.Error("the bound weights are not those used last")
	}
	sets[2].tensors = map[string]ort.Value{}
	if err := n.run(context.Background(), nil, sets[2], nil); err == nil || !strings.Contains(err.Error(), "missing") {
		t.Errorf("without weights: %v", err)
	}
}

// TestLateIsAnError runs an evaluation that cannot be interrupted beyond its time limit.
func TestLateIsAnError(t *testing.T) {
	if _, err := Open(""); err != nil {
		t.Fatal(err)
	}
	var late context.Context
	r := Runtime{Provider: CPU, Timeout: 100 * time.Millisecond, Intercept: func(ctx context.Context, e Evaluation) error {
		late = ctx
		return e.Run(ctx)
	}}
	err := r.evaluate(context.Background(), "late", nil, func(*ort.RunOptions) error {
		<-late.Done()
		return nil
	})
	if !errors.Is(err, errTimeout) {
		t.Errorf("an evaluation that took too long: %v", err)
	}
}

var deviceHyper = map[string]models.Hyperparameters{
	models.Made:           {Decoder: 8, Floor: 1e-3},
	models.RBM:            {Hidden: 8, GibbsSteps: 2},
	models.Autoencoder:    {Encoder: 8, Latent: 3, Decoder: 8, Floor: 1e-3, Noise: 0.3},
	models.Microcanonical: {Width: 4, Floor: 1e-3, Window: 2},
	diagonals:             {Width: 4, Floor: 1e-3, Window: 2, Order: models.Diagonal},
	checkerboards:         {Width: 4, Floor: 1e-3, Window: 2, Order: models.Checkerboard},
}

const (
	diagonals     = models.Microcanonical + " " + models.Diagonal
	checkerboards = models.Microcanonical + " " + models.Checkerboard
)

// TestNothingIsLeftToTheCPU lets ONNX Runtime simplify the networks laid out for a GPU:
// with the number of samples known, no operator is left that determines it at run time,
// which the runtime would put on the CPU.
func TestNothingIsLeftToTheCPU(t *testing.T) {
	if _, err := Open(""); err != nil {
		t.Fatal(err)
	}
	for name, h := range deviceHyper {
		architecture, _, _ := strings.Cut(name, " ")
		b, err := Runtime{Provider: CUDA}.laidOut(bundletest.New(t, architecture, models.System{Q: 3, Sides: []int{6, 4}}, h), 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, model := range []*onnxpb.ModelProto{b.Propose, b.LogProb, b.Gradient} {
			path := filepath.Join(t.TempDir(), "simplified.onnx")
			options, err := sessionOptions(Runtime{Provider: CPU})
			if err != nil {
				t.Fatal(err)
			}
			defer options.Destroy()
			if err := errors.Join(options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableBasic), options.SetOptimizedModelFilePath(path)); err != nil {
				t.Fatal(err)
			}
			data, err := exporter.Marshal(model)
			if err != nil {
				t.Fatal(err)
			}
			session, err := ort.NewDynamicAdvancedSessionWithONNXData(data, []string{models.State}, []string{model.GetGraph().GetOutput()[0].GetName()}, options)
			if err != nil {
				t.Fatal(err)
			}
			session.Destroy()
			if data, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
			simplified, err := exporter.Unmarshal(data)
			if err != nil {
				t.Fatal(err)
			}
			if counts := operators(simplified.GetGraph()); counts["Shape"] > 0 || counts["Scan"] > 2 {
				t.Errorf("%s: %s is left with %v", name, model.GetGraph().GetName(), counts)
			}
		}
	}
}

// operators counts the operators of a graph and of the bodies of its loops.
func operators(g *onnxpb.GraphProto) map[string]int {
	counts := map[string]int{}
	for _, n := range g.GetNode() {
		counts[n.GetOpType()]++
		for _, a := range n.GetAttribute() {
			for op, count := range operators(a.GetG()) {
				counts[op] += count
			}
		}
	}
	return counts
}

// TestNoCUDA checks the error for a library without CUDA.
func TestNoCUDA(t *testing.T) {
	if _, err := Open(""); err != nil {
		t.Fatal(err)
	}
	if Probe(CUDA) == nil {
		t.Skip("CUDA works here")
	}
	b := bundletest.New(t, models.Made, models.System{Q: 3, Sides: []int{4, 4}}, deviceHyper[models.Made])
	store, err := OpenStore(b)
	if err != nil {
		t.Fatal(err)
	}
	sessions, _ := Live()
	_, err = NewProposer(b, store, Runtime{Provider: CUDA, Workers: 1}, 8, 8)
	if err == nil || !strings.Contains(err.Error(), "CUDA") || !strings.Contains(err.Error(), "inference.provider") {
		t.Errorf("proposals without CUDA: %v", err)
	}
	if _, err = NewGradient(b, Runtime{Provider: CUDA, Workers: 1}, 8); err == nil {
		t.Error("a gradient without CUDA")
	}
	if left, _ := Live(); left != sessions {
		t.Errorf("%d sessions are left of those that could not be opened", left-sessions)
	}
}
