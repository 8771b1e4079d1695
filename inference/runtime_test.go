package inference

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"neuralwl/exporter"
	"neuralwl/models/graph"
)

// endless returns a network that would compute for a quarter of an hour: a loop in a loop.
func endless(t *testing.T, r Runtime) (*network, []ort.Value) {
	t.Helper()
	if _, err := Open(""); err != nil {
		t.Fatal(err)
	}
	const steps = 30000
	g := graph.New("endless")
	x := g.Input("x", graph.Float32, graph.Dynamic)
	times := g.Constant(graph.Zeros(graph.Float32, steps))
	sum, _ := g.Scan([]*graph.Node{x}, []*graph.Node{times}, func(inner *graph.Graph, carry, _ []*graph.Node) (next, emitted []*graph.Node) {
		final, _ := inner.Scan(carry, []*graph.Node{times}, func(_ *graph.Graph, carry, slice []*graph.Node) (next, emitted []*graph.Node) {
			return []*graph.Node{carry[0].Add(slice[0])}, nil
		})
		return final, nil
	})
	g.Output("y", sum[0])
	model, err := exporter.Encode(g, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNetwork(model, r)
	if err != nil {
		t.Fatal(err)
	}
	var native values
	in := tensor(&native, []float32{1}, 1)
	out := tensor(&native, []float32{0}, 1)
	t.Cleanup(func() {
		if err := errors.Join(native.err, n.Close(), native.destroy()); err != nil {
			t.Error(err)
		}
	})
	return n, []ort.Value{in, out}
}

// TestTerminate ends an evaluation by its time limit and by its context, long before its end
// and with the right reason.
func TestTerminate(t *testing.T) {
	began := time.Now()
	told := time.Duration(0)
	evaluated := func(graph string, took time.Duration) {
		if graph == "endless" {
			told = took
		}
	}
	n, v := endless(t, Runtime{Provider: CPU, Workers: 1, Timeout: 100 * time.Millisecond, Evaluated: evaluated})
	err := n.run(context.Background(), v[:1], &Weights{}, v[1:])
	if err == nil || !strings.Contains(err.Error(), "endless") || !strings.Contains(err.Error(), "inference.timeout") {
		t.Errorf("time limit: %v", err)
	}
	if told < 100*time.Millisecond || told > time.Since(began) {
		t.Errorf("the evaluation is told to have taken %v", told)
	}
	n, v = endless(t, Runtime{Provider: CPU, Workers: 1})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := n.run(ctx, v[:1], &Weights{}, v[1:]); err == nil || strings.Contains(err.Error(), "inference.timeout") {
		t.Errorf("cancelled: %v", err)
	}
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("terminated after %v", took)
	}
}
