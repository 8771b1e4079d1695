package exporter_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/models"
)

// TestHostileCards finds that a card can neither make N overflow nor lead out of the
// folder that bundles are saved in.
func TestHostileCards(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"4,\n      3", "4294967296,\n      4294967296", "4294967296x4294967296"}, // N is 0 modulo 2^64
		{`"q": 3`, `"q": 256`, "q = 256"},
		{`"tiny"`, `"../tiny"`, `name "../tiny"`},
		{`"tiny"`, `""`, `name ""`},
		{"\n}\n", "\n}\n{}", "after top-level value"},
	} {
		folder := save(t, newBundle(t), t.TempDir())
		rewrite(t, folder, exporter.CardFile, false, func(d []byte) []byte { return bytes.Replace(d, []byte(c.old), []byte(c.new), 1) })
		if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), exporter.CardFile) {
			t.Errorf("card with %s: %v", c.new, err)
		}
	}
}

// TestHostileModels changes gradient.onnx in ways that would make its use panic, go
// wrong silently, or depend on the order in which files are read.
func TestHostileModels(t *testing.T) {
	input := func(g *onnxpb.GraphProto, name string) *onnxpb.TypeProto_Tensor {
		for _, v := range g.Input {
			if v.GetName() == name {
				return v.GetType().GetTensorType()
			}
		}
		t.Fatalf("no input %s", name)
		return nil
	}
	width := func(dim *onnxpb.TensorShapeProto_Dimension) func(*onnxpb.GraphProto) {
		return func(g *onnxpb.GraphProto) { input(g, models.Noise).Shape.Dim[1] = dim }
	}
	fixed := func(k int64) *onnxpb.TensorShapeProto_Dimension {
		return &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: k}}
	}
	for _, c := range []struct {
		change func(*onnxpb.GraphProto)
		want   string
	}{
		{width(fixed(-1)), "[M K]"},
		{width(fixed(1 << 40)), "[M K]"},
		{width(&onnxpb.TensorShapeProto_Dimension{}), "[M K]"},
		{func(g *onnxpb.GraphProto) { input(g, models.Noise).Shape = nil }, "[M K]"},
		{func(g *onnxpb.GraphProto) { g.Initializer = append(g.Initializer, g.Initializer[0]) }, "two initialisers"},
		{func(g *onnxpb.GraphProto) { g.Input = append(g.Input, g.Input[0]) }, "two inputs"},
		{func(g *onnxpb.GraphProto) { g.Output = append(g.Output, g.Output[0]) }, "two outputs"},
		{func(g *onnxpb.GraphProto) {
			g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: proto.String(models.State)})
		}, `input "state" has a value in the file`},
		{func(g *onnxpb.GraphProto) {
			for _, w := range g.Initializer {
				if w.GetName() == "decoder.bias" {
					w.RawData[0] ^= 1
				}
			}
		}, `weight "decoder.bias" has other elements`},
	} {
		folder := save(t, newBundle(t), t.TempDir())
		rewrite(t, folder, exporter.GradientFile, true, func(d []byte) []byte {
			model, err := exporter.Unmarshal(d)
			if err != nil {
				t.Fatal(err)
			}
			c.change(model.Graph)
			if d, err = exporter.Marshal(model); err != nil {
				t.Fatal(err)
			}
			return d
		})
		if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}
