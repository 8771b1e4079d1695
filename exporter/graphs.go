package exporter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter/onnxpb"
)

// Graphs is a digest of all about a bundle except its name, its version and what training
// changes: the values of the weights and its record. Where two bundles have the same, sessions
// of the one evaluate the other with its weights.
func (b *Bundle) Graphs() (string, error) {
	h := sha256.New()
	card := b.Card
	card.Name, card.Version, card.Training, card.SHA256 = "", 0, Training{}, nil
	if err := json.NewEncoder(h).Encode(card); err != nil {
		return "", err
	}
	parts := b.parts()
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		model := proto.Clone(parts[name]).(*onnxpb.ModelProto)
		for _, w := range weightProtos(model) {
			dtype, shape, err := tensorType(w)
			if err != nil {
				return "", fmt.Errorf("%s: weight %q: %w", name, w.GetName(), err)
			}
			fmt.Fprintf(h, "%s %v %v\n", w.GetName(), dtype, shape)
			bare := &onnxpb.TensorProto{Name: w.Name}
			proto.Reset(w)
			proto.Merge(w, bare)
		}
		data, err := Marshal(model)
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		fmt.Fprintf(h, "%s %d\n", name, len(data))
		h.Write(data)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
