package exporter

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter/onnxpb"
)

// Digest identifies a bundle by what is in it, whatever its name and version: the sha256 of the
// rest of its card, which has those of all files, in hexadecimal digits.
func (c Card) Digest() string {
	c.Name, c.Version = "", 0
	sums := map[string]string{}
	for file, sum := range c.SHA256 {
		sums[file] = strings.ToLower(sum)
	}
	c.SHA256 = sums
	data, err := json.Marshal(c)
	if err != nil {
		panic(err) // a card has been read from JSON or is about to be saved
	}
	return digest(data)
}

// Graphs identifies the graphs of propose.onnx and log_prob.onnx: the sha256, in hexadecimal
// digits, of both without the values of their weights, and of the card's system, conditions and
// hyper-parameters.
// The sessions of one bundle serve the weights of all that agree in this.
func (b *Bundle) Graphs() (string, error) {
	sum := sha256.New()
	for _, model := range []*onnxpb.ModelProto{b.Propose, b.LogProb} {
		data, err := bare(model)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%d\n", len(data))
		sum.Write(data)
	}
	rest, err := json.Marshal(Card{System: b.Card.System, Conditions: b.Card.Conditions, Hyperparameters: b.Card.Hyperparameters})
	if err != nil {
		return "", err
	}
	sum.Write(rest)
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// GradientGraph identifies the graph of gradient.onnx: the sha256, in hexadecimal digits, of the
// file without the values of its weights; empty without it.
func (b *Bundle) GradientGraph() (string, error) {
	if b.Gradient == nil {
		return "", nil
	}
	data, err := bare(b.Gradient)
	return digest(data), err
}

// bare is a model's file without the values of its weights.
func bare(model *onnxpb.ModelProto) ([]byte, error) {
	model = proto.Clone(model).(*onnxpb.ModelProto)
	for _, w := range weightProtos(model) {
		name, dtype, dims := w.Name, w.DataType, w.Dims
		proto.Reset(w)
		w.Name, w.DataType, w.Dims = name, dtype, dims
	}
	return Marshal(model)
}
