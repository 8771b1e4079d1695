package honest_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/long"
	"neuralwl/models"
)

// node is an ONNX operator.
func node(op, output string, inputs ...string) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: proto.String(op), Output: []string{output}, Input: inputs}
}

// with gives a node an attribute.
func with(n *onnxpb.NodeProto, name string, i int64) *onnxpb.NodeProto {
	n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: proto.String(name), I: proto.Int64(i), Type: onnxpb.AttributeProto_INT.Enum()})
	return n
}

func floats(name string, x ...float32) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String(name), Dims: []int64{int64(len(x))}, DataType: proto.Int32(int32(onnxpb.TensorProto_FLOAT)), FloatData: x}
}

func integers(name string, x ...int32) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: proto.String(name), Dims: []int64{int64(len(x))}, DataType: proto.Int32(int32(onnxpb.TensorProto_INT32)), Int32Data: x}
}

// cast converts to float32 or int32.
func cast(output, input string, to onnxpb.TensorProto_DataType) *onnxpb.NodeProto {
	return with(node("Cast", output, input), "to", int64(to))
}

// rename maps the names of all values in a graph, other than its inputs and outputs and those
// with a value in the file, and in the graphs within it.
func rename(g *onnxpb.GraphProto, to func(string) string) {
	for _, n := range g.Node {
		for _, names := range [][]string{n.Input, n.Output} {
			for i := range names {
				if names[i] != "" {
					names[i] = to(names[i])
				}
			}
		}
		for _, a := range n.Attribute {
			if a.G != nil {
				rename(a.G, to)
				for _, v := range append(a.G.Input, a.G.Output...) {
					v.Name = proto.String(to(v.GetName()))
				}
				for _, v := range a.G.Initializer {
					v.Name = proto.String(to(v.GetName()))
				}
			}
		}
	}
}

// renamed returns a function that changes one name.
func renamed(old, new string) func(string) string {
	return func(name string) string {
		if name == old {
			return new
		}
		return name
	}
}

// falsify computes an output of a graph from what it was, which becomes the value "true".
func falsify(g *onnxpb.GraphProto, output string, constants []*onnxpb.TensorProto, nodes ...*onnxpb.NodeProto) {
	rename(g, renamed(output, "true"))
	g.Initializer = append(g.Initializer, constants...)
	g.Node = append(g.Node, nodes...)
}

// bothGraphs lie about ln q in the same way.
func bothGraphs(b *exporter.Bundle, constants []*onnxpb.TensorProto, nodes ...*onnxpb.NodeProto) {
	falsify(b.Propose.Graph, models.LogQ, constants, nodes...)
	falsify(b.LogProb.Graph, models.LogQ, constants, nodes...)
}

// graft adds log_prob of another network to both graphs of b, as the value "other", and
// computes log_q from it and from "true".
func graft(b, other *exporter.Bundle, constants []*onnxpb.TensorProto, nodes ...*onnxpb.NodeProto) {
	for _, g := range []*onnxpb.GraphProto{b.Propose.Graph, b.LogProb.Graph} {
		o := proto.Clone(other.LogProb.Graph).(*onnxpb.GraphProto)
		inputs := map[string]string{models.State: models.State, models.Condition: models.Condition, models.Start: models.Start, models.Shift: models.Shift, models.Energy: models.Energy}
		if g == b.Propose.Graph {
			inputs[models.State], inputs[models.Condition] = models.Proposal, models.State
		}
		to := func(name string) string {
			if name == models.LogQ {
				return "other"
			}
			if input, ok := inputs[name]; ok {
				return input
			}
			return "other." + name
		}
		rename(o, to)
		for _, n := range o.Node {
			n.Name = proto.String(to(n.GetName()))
		}
		for _, w := range o.Initializer {
			w.Name = proto.String(to(w.GetName()))
		}
		weights := map[string]bool{}
		for _, w := range o.Initializer {
			weights[w.GetName()] = true
		}
		for _, v := range o.Input {
			if v.Name = proto.String(to(v.GetName())); weights[v.GetName()] {
				g.Input = append(g.Input, v)
			}
		}
		g.Initializer = append(g.Initializer, o.Initializer...)
		falsify(g, models.LogQ, constants, append(o.Node, nodes...)...)
	}
	b.Gradient = nil
}

// withoutState makes a network that does not look at the state draw all sites always.
func withoutState(b *exporter.Bundle) {
	g := b.Propose.Graph
	g.Input = append(g.Input[:0:0], g.Input...)
	for i, v := range g.Input {
		if v.GetName() == models.State {
			g.Input = append(g.Input[:i], g.Input[i+1:]...)
			break
		}
	}
	rename(g, renamed(models.State, "none"))
	g.Node = append([]*onnxpb.NodeProto{cast("none", models.Uniform, onnxpb.TensorProto_INT32)}, g.Node...)
	b.Gradient = nil
}

// A liar is a bundle whose ln q is not that of its draws, and the test that finds it.
type liar struct {
	network string
	q, side int
	change  func(t *testing.T, b *exporter.Bundle)
	test    string
}

// plus adds a value to ln q.
func plus(value string) *onnxpb.NodeProto { return node("Add", models.LogQ, "true", value) }

const contract, normalisation, ofDraws, ofMoves = "test of the contract", "test of normalisation", "test of draws", "test of moves"

// uniformly makes the p of an rbm constant, and its moves those of nodes that change sites from the 14th on,
// of 16, if these are to be drawn.
func uniformly(t *testing.T, b *exporter.Bundle, constants []*onnxpb.TensorProto, nodes ...*onnxpb.NodeProto) {
	bundletest.Scale(t, b, map[string]float32{"coupling": 0})
	axis := &onnxpb.TensorProto{Name: proto.String("one"), Dims: []int64{1}, DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Int64Data: []int64{1}}
	falsify(b.Propose.Graph, models.Proposal, append(constants, axis, integers("13", 13)), append(nodes,
		node("Unsqueeze", "first", models.Start, "one"), node("LessOrEqual", "all", "first", "13"),
		node("Where", "moved", "all", "other", models.State), node("Identity", models.Proposal, "moved"))...)
	// ln p is that of any configuration.
	b.Gradient = nil
}

var liars = map[string]liar{
	"a constant": {models.Made, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", -0.01)}, plus("c"))
	}, normalisation},
	"an enormous constant": {models.Made, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", -1e9)}, plus("c"))
	}, normalisation},
	"a constant per site that is drawn": {models.Autoencoder, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 0.005), integers("n", 16)},
			node("Sub", "drawn", "n", models.Start), cast("d", "drawn", onnxpb.TensorProto_FLOAT), node("Mul", "cd", "c", "d"), plus("cd"))
	}, normalisation},
	"a factor": {models.Conv, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 1.02)}, node("Mul", models.LogQ, "true", "c"))
	}, normalisation},
	"a constant when all sites are drawn": {models.Made, 2, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", -0.01), floats("zero", 0), integers("none", 0)},
			node("Equal", "whole", models.Start, "none"), node("Where", "x", "whole", "c", "zero"), plus("x"))
	}, normalisation},
	"a constant for one state of a site": {models.Autoencoder, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		constants := []*onnxpb.TensorProto{floats("c", -0.01), floats("zero", 0), integers("two", 2), integers("site", 5)}
		nodes := func(condition string) []*onnxpb.NodeProto {
			return []*onnxpb.NodeProto{
				with(node("Gather", "there", condition, "site"), "axis", 1), node("Equal", "is", "there", "two"),
				node("Where", "column", "is", "c", "zero"), with(node("ReduceSum", "x", "column", "axis"), "keepdims", 0), plus("x"),
			}
		}
		axis := &onnxpb.TensorProto{Name: proto.String("axis"), Dims: []int64{1}, DataType: proto.Int32(int32(onnxpb.TensorProto_INT64)), Int64Data: []int64{1}}
		falsify(b.Propose.Graph, models.LogQ, append(constants, axis), nodes(models.State)...)
		falsify(b.LogProb.Graph, models.LogQ, append(constants, axis), nodes(models.Condition)...)
	}, normalisation},
	"a term in the target energy": {models.Microcanonical, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 0.002)}, node("Mul", "x", models.Energy, "c"), plus("x"))
	}, normalisation},
	"a constant at low targets": {models.Microcanonical, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 0.01), floats("zero", 0), floats("low", -28)},
			node("Less", "is", models.Energy, "low"), node("Where", "x", "is", "c", "zero"), plus("x"))
	}, normalisation},
	"a term in the shift": {"autoencoder with shifts", 2, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 0.001)}, node("Mul", "x", models.Shift, "c"), plus("x"))
	}, normalisation},
	"in log_prob alone": {models.Made, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		falsify(b.LogProb.Graph, models.LogQ, []*onnxpb.TensorProto{floats("c", 0.01)}, plus("c"))
	}, contract},
	"sites that should stay": {models.Made, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		falsify(b.Propose.Graph, models.Proposal, []*onnxpb.TensorProto{integers("swap", 1, 0, 2)}, node("Gather", models.Proposal, "swap", "true"))
	}, contract},
	"swapped colours": {models.Made, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		other := proto.Clone(b.LogProb).(*onnxpb.ModelProto)
		rename(other.Graph, renamed(models.State, "swapped"))
		other.Graph.Initializer = append(other.Graph.Initializer, integers("swap", 1, 0, 2))
		other.Graph.Node = append([]*onnxpb.NodeProto{node("Gather", "swapped", "swap", models.State)}, other.Graph.Node...)
		graft(b, &exporter.Bundle{LogProb: other}, nil, node("Identity", models.LogQ, "other"))
	}, ofDraws},
	"another temperature": {models.Made, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		graft(b, sharpened(t, models.Made, 3, 4, 0.7), nil, node("Identity", models.LogQ, "other"))
	}, ofDraws},
	"another temperature of an autoencoder": {models.Autoencoder, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		graft(b, sharpened(t, models.Autoencoder, 3, 4, 0.7), nil, node("Identity", models.LogQ, "other"))
	}, ofDraws},
	"another temperature at low targets": {models.Microcanonical, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		graft(b, sharpened(t, models.Microcanonical, 3, 4, 0.2), []*onnxpb.TensorProto{floats("low", -16)},
			node("Less", "is", models.Energy, "low"), node("Where", models.LogQ, "is", "other", "true"))
	}, ofDraws},
	"another temperature when all sites are drawn": {models.Conv, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		graft(b, sharpened(t, models.Conv, 3, 4, 0.5), []*onnxpb.TensorProto{integers("none", 0)},
			node("Equal", "is", models.Start, "none"), node("Where", models.LogQ, "is", "other", "true"))
	}, normalisation},
	"uniform": {models.Made, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		graft(b, sharpened(t, models.Made, 3, 4, 0), nil, node("Identity", models.LogQ, "other"))
	}, ofDraws},
	"a constant, all sites drawn always": {models.Made, 2, 3, func(_ *testing.T, b *exporter.Bundle) {
		withoutState(b)
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", -0.01)}, plus("c"))
	}, normalisation},
	"p at another temperature": {models.RBM, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 0.7)}, node("Mul", models.LogQ, "true", "c"))
	}, ofMoves},
	"p at another temperature, few configurations": {models.RBM, 2, 3, func(_ *testing.T, b *exporter.Bundle) {
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 0.8)}, node("Mul", models.LogQ, "true", "c"))
	}, ofMoves},
	"another p": {models.RBM, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		graft(b, sharpened(t, models.RBM, 3, 4, 0.5), nil, node("Identity", models.LogQ, "other"))
	}, ofMoves},
	"p in log_prob alone": {models.RBM, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		falsify(b.LogProb.Graph, models.LogQ, []*onnxpb.TensorProto{floats("c", 0.01)}, plus("c"))
	}, contract},
	"moves round the colours": {models.RBM, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		uniformly(t, b, []*onnxpb.TensorProto{integers("last", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), integers("q", 3)},
			node("Add", "next", models.State, "last"), node("GreaterOrEqual", "beyond", "next", "q"),
			cast("over", "beyond", onnxpb.TensorProto_INT32), node("Mul", "back", "over", "q"), node("Sub", "other", "next", "back"))
	}, ofMoves},
	"moves round the sites": {models.RBM, 3, 4, func(t *testing.T, b *exporter.Bundle) {
		uniformly(t, b, []*onnxpb.TensorProto{integers("sites", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 13)},
			with(node("Gather", "other", models.State, "sites"), "axis", 1))
	}, ofMoves},
	"a term in the target energy, all sites drawn always": {models.Microcanonical, 3, 4, func(_ *testing.T, b *exporter.Bundle) {
		withoutState(b)
		bothGraphs(b, []*onnxpb.TensorProto{floats("c", 0.6)}, node("Mul", "x", models.Energy, "c"), plus("x"))
	}, ofDraws},
}

// TestLies finds bundles, as they are on disk, that lie about ln q in both graphs, or one.
func TestLies(t *testing.T) {
	for name, l := range liars {
		for seed := range long.Or[uint64](2, 1) {
			b := sharpened(t, l.network, l.q, l.side, 1)
			l.change(t, b)
			folder, err := b.Save(disk.OS, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			loaded, err := exporter.Load(folder)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r, err := check(t, loaded, seed)
			if err == nil || !strings.Contains(err.Error(), l.test) {
				t.Errorf("%s: %+v, %v, want %s", name, r, err, l.test)
			} else if seed == 0 {
				t.Logf("%s: %v", name, err)
			}
		}
	}
}

// TestPower finds draws at another temperature than ln q if it is different enough. The shares
// are in docs/networks.md.
func TestPower(t *testing.T) {
	long.Only(t, "200 networks with a lie")
	for _, c := range []struct {
		side   int
		hotter float32 // by which logits in ln q are multiplied
		most   float64 // share that may be missed
		least  float64
	}{{4, 0.9, 1, 0.8}, {4, 0.8, 0.1, 0}, {4, 0.75, 0, 0}, {8, 0.75, 0, 0}, {16, 0.5, 0, 0}} {
		missed := 0
		for seed := range *seeds {
			b := sharpened(t, models.Made, 3, c.side, 1)
			graft(b, sharpened(t, models.Made, 3, c.side, c.hotter), nil, node("Identity", models.LogQ, "other"))
			if _, err := check(t, b, seed); err == nil {
				missed++
			}
		}
		share := float64(missed) / float64(*seeds)
		t.Logf("%dx%d, logits times %g: %d of %d missed", c.side, c.side, c.hotter, missed, *seeds)
		if share > c.most+0.001 || share < c.least {
			t.Errorf("%dx%d, logits times %g: %d of %d missed, expected a share within %g..%g", c.side, c.side, c.hotter, missed, *seeds, c.least, c.most)
		}
	}
}
