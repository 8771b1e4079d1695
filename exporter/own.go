package exporter

import (
	"google.golang.org/protobuf/proto"

	"neuralwl/models"
)

// Own reports whether propose.onnx and log_prob.onnx are, apart from the values of weights, what
// this program writes for the card's architecture, hyper-parameters and system.
func (b *Bundle) Own() bool {
	weights, err := b.Weights()
	if err != nil {
		return false
	}
	s := b.Card.System.System()
	m, err := models.New(b.Card.Architecture, s, b.Card.Hyperparameters)
	if err != nil {
		return false
	}
	own, err := NewBundle(b.Card.Name, m, s, b.Card.Hyperparameters, weights)
	return err == nil && proto.Equal(own.Propose, b.Propose) && proto.Equal(own.LogProb, b.LogProb)
}
