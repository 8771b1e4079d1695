package reference_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/exporter/reference"
	"neuralwl/models/graph"
)

// TestBounds checks that excessive use of memory or time is refused in advance.
func TestBounds(t *testing.T) {
	const elements, work = 1000, 100_000
	x := map[string]graph.Tensor{"x": graph.Zeros(graph.Float32, 10, 10), "long": graph.Zeros(graph.Float32, 500)}
	square := node("MatMul", names("x", "x"), names("y"))
	carried := &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{{Name: new("a")}, {Name: new("b")}},
		Output: []*onnxpb.ValueInfoProto{{Name: new("c")}},
		Node:   []*onnxpb.NodeProto{node("MatMul", names("a", "x"), names("c"))},
	}
	emitted := &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{{Name: new("b")}},
		Output: []*onnxpb.ValueInfoProto{{Name: new("c")}},
		Node:   []*onnxpb.NodeProto{node("Add", names("b", "x"), names("c"))},
	}
	for _, c := range []struct {
		nodes []*onnxpb.NodeProto
		want  string
	}{
		{[]*onnxpb.NodeProto{square}, ""},
		{[]*onnxpb.NodeProto{node("Scan", names("x", "long"), names("y"), body(carried), integer("num_scan_inputs", 1))}, "takes more than 100000 operations"},
		{[]*onnxpb.NodeProto{node("Scan", names("long"), names("y"), body(emitted), integer("num_scan_inputs", 1))}, "more than 1000 elements in memory"},
		{[]*onnxpb.NodeProto{square, node("Neg", names("y"), names("a")), node("Neg", names("y"), names("b")), node("Neg", names("y"), names("c")),
			node("Neg", names("y"), names("d"))}, "more than 1000 elements in memory"},
		{[]*onnxpb.NodeProto{node("Unsqueeze", names("long", "axis"), names("column")), node("Add", names("column", "long"), names("y"))}, "more than 1000 elements"},
	} {
		model := foreign(17, x, names("y"), c.nodes...)
		model.Graph.Initializer = []*onnxpb.TensorProto{stored("axis", graph.Int64s([]int64{1}, 1))}
		_, err := reference.EvaluateWithin(model, x, elements, work)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}

// TestDamaged evaluates the files of a network after random changes of bytes, which must
// end in time and without a panic.
func TestDamaged(t *testing.T) {
	b := newBundle(t)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	propose, logProb, gradient := bundleInputs(b, 2)
	r := rand.New(rand.NewPCG(7, 8))
	read, failed := 0, 0
	for _, c := range []struct {
		model  *onnxpb.ModelProto
		inputs map[string]graph.Tensor
	}{{b.Propose, propose}, {b.LogProb, logProb}, {b.Gradient, gradient}} {
		// Feed the weights, which would otherwise take most of the damage.
		maps.Copy(c.inputs, weights)
		for _, p := range c.model.Graph.Initializer {
			if _, ok := weights[p.GetName()]; ok {
				p.RawData = nil
			}
		}
		whole, err := exporter.Marshal(c.model)
		if err != nil {
			t.Fatal(err)
		}
		for range 1500 {
			data := append([]byte(nil), whole...)
			for range 1 + r.IntN(3) {
				data[r.IntN(len(data))] = byte(r.UintN(256))
			}
			model, err := exporter.Unmarshal(data)
			if err != nil {
				continue
			}
			read++
			if _, err := reference.EvaluateWithin(model, c.inputs, 1<<20, 1<<21); err != nil {
				failed++
			}
		}
	}
	t.Logf("%d damaged files could be read, %d of those could not be evaluated", read, failed)
	if failed == 0 || failed == read {
		t.Error("not all kinds of damage occurred")
	}
}

// TestRandomCalls applies every operator to random operands and attributes, most of which
// do not fit.
func TestRandomCalls(t *testing.T) {
	const calls = 20_000
	r := rand.New(rand.NewPCG(9, 10))
	pool := maps.Clone(hostileInputs)
	pool["steps"] = graph.Int64s([]int64{-1, math.MinInt64, math.MaxInt64}, 3)
	pool["places"] = graph.Int64s([]int64{0, 1}, 2)
	pool["axis"] = graph.Int64s([]int64{-1}, 1)
	pool["empty"] = graph.Int64s(nil, 0)
	pool["cube"] = graph.Zeros(graph.Float32, 2, 1, 3)
	pool["nan"] = graph.Float32s([]float32{float32(math.NaN()), float32(math.Inf(1)), 1e30}, 3)
	values := append(slices.Sorted(maps.Keys(pool)), "")
	sizes := []int64{-1, 0, 1, 2, 3, 7, math.MinInt64, math.MaxInt64, 1 << 28}
	settings := names("axis", "axes", "perm", "keepdims", "to", "start", "end", "exclusive", "reverse", "allowzero",
		"noop_with_empty_axes", "transA", "transB", "num_scan_inputs", "value_int", "value_ints")
	ops := slices.Sorted(slices.Values(reference.Operators()))
	fit := map[string]bool{}
	for range calls {
		op := ops[r.IntN(len(ops))]
		in := draw(r.IntN(6), func() string { return values[r.IntN(len(values))] })
		attributes := draw(r.IntN(3), func() *onnxpb.AttributeProto {
			name := settings[r.IntN(len(settings))]
			if strings.HasPrefix(name, "a") && name != "axis" || name == "perm" || name == "value_ints" {
				return integers(name, draw(r.IntN(4), func() int64 { return sizes[r.IntN(len(sizes))] })...)
			}
			return integer(name, sizes[r.IntN(len(sizes))])
		})
		model := foreign(13+r.Int64N(8), pool, names("y"), node(op, in, names("y"), attributes...))
		if _, err := reference.EvaluateWithin(model, pool, 1<<16, 1<<18); err == nil {
			fit[op] = true
		}
	}
	if len(fit) < len(ops)/2 {
		t.Errorf("of %d operators only %d were ever applied", len(ops), len(fit))
	}
}
