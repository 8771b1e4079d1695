package reference

import (
	"maps"
	"slices"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// Operators lists the supported operators.
func Operators() []string { return append(slices.Collect(maps.Keys(operators)), "Scan") }

// EvaluateWithin is Evaluate with other bounds.
func EvaluateWithin(model *onnxpb.ModelProto, inputs map[string]graph.Tensor, elements, work int) (map[string]graph.Tensor, error) {
	return evaluate(model, inputs, limits{elements, work})
}
