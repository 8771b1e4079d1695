// Package models holds the network architectures: what their graphs compute,
// their weights and their beginning. It knows neither files nor how graphs are
// executed.
//
// Every architecture is a proposal distribution q(s'|s) over configurations of N
// sites with q colours, given by three graphs (contract version 1). M is the
// number of walkers, and the condition is the configuration that a move starts
// from.
//
//	propose   in   state    int32[M,N]    condition s
//	               start    int32[M]      first site in raster order to be resampled
//	               uniform  float32[M,N]  independent, uniform in [0,1)
//	          out  proposal int32[M,N]    s', equal to s before start
//	               log_q    float32[M]    ln q(s'|s) of the resampled sites
//	log_prob  in   condition int32[M,N]   s
//	               state    int32[M,N]    s'
//	               start    int32[M]
//	          out  log_q    float32[M]
//	gradient  in   condition, state as above
//	               noise    float32[M,K]  standard normal, optional
//	               weight   float32[M]    of each sample in the loss
//	          out  loss     float32[1]    -sum weight ln q(state|condition)
//	               gradient.NAME          derivative of loss by the weight NAME
package models

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"neuralwl/models/graph"
)

// ContractVersion is the version of the contract above.
const ContractVersion = 1

// Names of the values that the graphs exchange with the program.
const (
	State     = "state"
	Start     = "start"
	Uniform   = "uniform"
	Proposal  = "proposal"
	LogQ      = "log_q"
	Condition = "condition"
	Noise     = "noise"
	Weight    = "weight"
	Loss      = "loss"
	// GradientOf precedes the name of a weight in the name of its gradient.
	GradientOf = "gradient."
)

// System is what a network is built for: q colours on an Lx x Ly torus.
type System struct {
	Q, Lx, Ly int
}

// Sites is N = Lx Ly.
func (s System) Sites() int { return s.Lx * s.Ly }

// Model is one network: an architecture with its hyper-parameters for a system.
type Model interface {
	// Architecture is the name under which New builds such a model.
	Architecture() string
	// Propose, LogProb and Gradient build the three graphs.
	Propose() (*graph.Graph, error)
	LogProb() (*graph.Graph, error)
	Gradient() (*graph.Graph, error)
	// Initial draws weights to start from, by name.
	Initial(r *rand.Rand) map[string]graph.Tensor
}

// Hyperparameters of the architectures.
type Hyperparameters struct {
	Encoder int     `json:"encoder"` // hidden units of the encoder
	Latent  int     `json:"latent"`  // width of the latent vector
	Decoder int     `json:"decoder"` // hidden units of the decoder
	Floor   float64 `json:"floor"`   // probability shared out evenly among the colours
	Noise   float64 `json:"noise"`   // standard deviation of the latent noise in training
}

var architectures = map[string]func(System, Hyperparameters) Model{
	autoencoderName: func(s System, h Hyperparameters) Model { return newAutoencoder(s, h) },
}

// Architectures lists the names that New knows.
func Architectures() []string {
	var names []string
	for name := range architectures {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New returns the model of that architecture.
func New(architecture string, s System, h Hyperparameters) (Model, error) {
	build, ok := architectures[architecture]
	if !ok {
		return nil, fmt.Errorf("architecture %q is unknown, there are %v", architecture, Architectures())
	}
	return build(s, h), nil
}
