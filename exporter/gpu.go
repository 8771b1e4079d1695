package exporter

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// Layout controls how networks are laid out for a GPU. It does not affect what they
// compute.
type Layout struct {
	Samples int // in one evaluation, M: GPUs need sizes to be known in advance
	Width   int // most sites in one step of the loops of propose, and of log_prob unless the model is a models.AtOnce
	AtOnce  int // sites, a divisor of N, that log_prob of a models.AtOnce treats at a time
}

// ForGPU returns the bundle with its networks laid out for a GPU. Only networks of the
// program's own architectures that it encoded itself can be rebuilt; own reports whether
// this is one. Others keep the graphs of their files, except for the number of samples.
func (b *Bundle) ForGPU(l Layout) (laidOut *Bundle, own bool, err error) {
	weights, err := b.Weights()
	if err != nil {
		return nil, false, err
	}
	laidOut, own = b.rebuilt(l, weights)
	if !own {
		copied := *b
		laidOut = &copied
	}
	laidOut.Propose = WithSamples(laidOut.Propose, l.Samples)
	laidOut.LogProb = WithSamples(laidOut.LogProb, l.Samples)
	if laidOut.Gradient != nil {
		laidOut.Gradient = WithSamples(laidOut.Gradient, l.Samples)
	}
	if laidOut.EnergyGradient != nil {
		laidOut.EnergyGradient = WithSamples(laidOut.EnergyGradient, l.Samples)
	}
	return laidOut, own, nil
}

// rebuilt encodes the networks of the bundle's card in the new layout. It returns false if
// the program did not encode the bundle.
func (b *Bundle) rebuilt(l Layout, weights map[string]graph.Tensor) (*Bundle, bool) {
	for _, model := range b.parts() {
		if model.GetProducerName() != producer {
			return nil, false
		}
	}
	m, err := models.New(b.Card.Architecture, b.Card.System.System(), b.Card.Hyperparameters)
	if err != nil {
		return nil, false
	}
	logProb, width := m.LogProb, l.Width
	if m, ok := m.(models.AtOnce); ok {
		logProb, width = func() (*graph.Graph, error) { return m.LogProbAtOnce(l.AtOnce) }, 1
	}
	c := *b
	type part struct {
		build func() (*graph.Graph, error)
		width int
		model **onnxpb.ModelProto
	}
	parts := []part{{m.Propose, l.Width, &c.Propose}, {logProb, width, &c.LogProb}, {m.Gradient, 1, &c.Gradient}}
	if m, ok := m.(models.ByEnergy); ok {
		parts = append(parts, part{m.EnergyGradient, 1, &c.EnergyGradient})
	}
	for _, part := range parts {
		if *part.model == nil {
			continue
		}
		g, err := part.build()
		if err != nil {
			return nil, false
		}
		if g, err = graph.ForGPU(g, part.width); err != nil {
			return nil, false
		}
		if *part.model, err = Encode(g, weights); err != nil {
			return nil, false
		}
	}
	used, err := c.Weights()
	return &c, err == nil && len(used) == len(weights)
}

// WithSamples returns a copy of a model whose inputs have m samples, the first dimension of
// the contract. Then no size is left to be computed at run time, which would happen on the
// CPU.
func WithSamples(model *onnxpb.ModelProto, m int) *onnxpb.ModelProto {
	model = proto.Clone(model).(*onnxpb.ModelProto)
	weights := weightProtos(model)
	for _, in := range model.GetGraph().GetInput() {
		isWeight := slices.ContainsFunc(weights, func(w *onnxpb.TensorProto) bool { return w.GetName() == in.GetName() })
		if dims := in.GetType().GetTensorType().GetShape().GetDim(); !isWeight && len(dims) > 0 {
			dims[0].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(m)}
		}
	}
	return model
}
