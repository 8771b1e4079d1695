package exporter_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
)

// TestDigest finds the same digest under any name and version, and another whatever else
// changes.
func TestDigest(t *testing.T) {
	load := func(change func(b *exporter.Bundle)) *exporter.Bundle {
		t.Helper()
		b := newBundle(t)
		change(b)
		b, err := exporter.Load(save(t, b, t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	graphs := func(b *exporter.Bundle) string {
		g, err := b.Graphs()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	b := load(func(*exporter.Bundle) {})
	for _, c := range []struct {
		what                   string
		change                 func(b *exporter.Bundle)
		sameDigest, sameGraphs bool
	}{
		{"nothing", func(*exporter.Bundle) {}, true, true},
		{"the name", func(b *exporter.Bundle) { b.Card.Name = "other" }, true, true},
		{"the training record", func(b *exporter.Bundle) { b.Card.Training.Steps++ }, false, true},
		{"the weights", func(b *exporter.Bundle) { bundletest.Scale(t, b, map[string]float32{"decoder.output": 2}) }, false, true},
		{"a graph", func(b *exporter.Bundle) { bundletest.Offset(b, 1) }, false, false},
		{"the window", func(b *exporter.Bundle) { b.Card.Hyperparameters.Window = 1 }, false, false},
	} {
		other := load(c.change)
		if same := other.Card.Digest() == b.Card.Digest(); same != c.sameDigest {
			t.Errorf("with another value of %s the digest is the same: %v", c.what, same)
		}
		if same := graphs(other) == graphs(b); same != c.sameGraphs {
			t.Errorf("with another value of %s the graphs are the same: %v", c.what, same)
		}
	}
	card := b.Card
	card.Version = 9
	for file, sum := range card.SHA256 {
		card.SHA256[file] = strings.ToUpper(sum)
	}
	if card.Digest() != load(func(*exporter.Bundle) {}).Card.Digest() {
		t.Error("the digest depends on the version or on the case of digits")
	}
}

// TestGradientGraph tells the graphs of gradient.onnx apart, whatever their weights.
func TestGradientGraph(t *testing.T) {
	graph := func(change func(*exporter.Bundle)) string {
		t.Helper()
		b := newBundle(t)
		change(b)
		g, err := b.GradientGraph()
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	want := graph(func(*exporter.Bundle) {})
	if got := graph(func(b *exporter.Bundle) { bundletest.Scale(t, b, map[string]float32{"decoder.output": 2}) }); got != want {
		t.Error("other weights make another graph")
	}
	for name, change := range map[string]func(*exporter.Bundle){
		"another system": func(b *exporter.Bundle) { b.Gradient = newTargeted(t, b.Card.System.System()).Gradient },
		"an input":       func(b *exporter.Bundle) { b.Gradient.Graph.Input = b.Gradient.Graph.Input[1:] },
		"none":           func(b *exporter.Bundle) { b.Gradient = nil },
	} {
		if graph(change) == want {
			t.Errorf("%s: the same graph", name)
		}
	}
}

// TestOperatorSets refuses operators that the contract does not allow.
func TestOperatorSets(t *testing.T) {
	for _, c := range []struct {
		version      int64
		domain, want string
	}{
		{13, "", ""}, {20, "ai.onnx", ""},
		{12, "", "operator set 12"}, {21, "", "operator set 21"}, {18, "com.example", `"com.example"`},
	} {
		b := newBundle(t)
		b.LogProb.OpsetImport[0].Version, b.LogProb.OpsetImport[0].Domain = proto.Int64(c.version), proto.String(c.domain)
		_, err := exporter.Load(save(t, b, t.TempDir()))
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), exporter.LogProbFile)) {
			t.Errorf("operator set %d of domain %q: %v", c.version, c.domain, err)
		}
	}
	b := newBundle(t)
	b.Propose.OpsetImport = nil
	if _, err := exporter.Load(save(t, b, t.TempDir())); err == nil || !strings.Contains(err.Error(), "which operator set") {
		t.Errorf("no operator set: %v", err)
	}
}
