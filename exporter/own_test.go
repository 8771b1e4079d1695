package exporter_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/models/pretrained"
)

// TestOwn knows the program's graphs again, whatever their weights, and any change of them.
func TestOwn(t *testing.T) {
	load := func(b *exporter.Bundle) *exporter.Bundle {
		b, err := exporter.Load(save(t, b, t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := newBundle(t)
	bundletest.Scale(t, b, map[string]float32{"decoder.output": 2})
	if !load(b).Own() {
		t.Error("a bundle just made is not the program's own")
	}
	files, err := pretrained.Open(pretrained.Prefix + "potts-q10")
	if err != nil {
		t.Fatal(err)
	}
	trained, err := exporter.LoadFS(files, "pretrained")
	if err != nil {
		t.Fatal(err)
	}
	if !trained.Own() {
		t.Error("a pretrained network is not the program's own")
	}
	for name, change := range map[string]func(*exporter.Bundle){
		"another floor":        func(b *exporter.Bundle) { b.Card.Hyperparameters.Floor *= 2 },
		"another architecture": func(b *exporter.Bundle) { b.Card.Architecture = "another" },
		"an offset":            func(b *exporter.Bundle) { bundletest.Offset(b, 0.1) },
		"log_prob":             func(b *exporter.Bundle) { b.LogProb.Graph.Node[0].OpType = proto.String("Neg") },
	} {
		b := newBundle(t)
		if change(b); load(b).Own() {
			t.Errorf("%s: taken for the program's own", name)
		}
	}
}
