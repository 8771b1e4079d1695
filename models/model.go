// Package models holds the network architectures: their graphs, their weights and the
// weights' initial values. It knows neither files nor how graphs are executed.
//
// Every architecture is a proposal distribution q(s'|s,d,E*) over configurations of N sites
// with q colours, given by three graphs (contract version 1). M is the number of walkers. A
// network's Conditions are some of: the configuration s from which a move starts, a shift d
// by which the energy of s' should differ from that of s, and a target energy E*. Both
// energies are in units of J. A shift requires a state, and excludes a target energy, as
// does a state. Whatever effect d has on q, which may also be one on the order parameter, the
// reverse of a move from s with d is the move from s' with -d.
//
//	propose   in   state    int32[M,N]    s; optional without the condition state,
//	                                      and then used only before start
//	               start    int32[M]      first site in raster order to be resampled
//	               shift    float32[M]    d, with the condition shift
//	               energy   float32[M]    E*, with the condition energy
//	               uniform  float32[M,N]  independent, uniform in [0,1)
//	          out  proposal int32[M,N]    s', equal to s before start
//	               log_q    float32[M]    ln q(s'|s,d,E*) of the resampled sites
//	log_prob  in   condition int32[M,N]   s, with the condition state
//	               state    int32[M,N]    s'
//	               start    int32[M]
//	               shift    float32[M]    d, with the condition shift
//	               energy   float32[M]    E*, with the condition energy
//	          out  log_q    float32[M]
//	gradient  in   condition, state, energy as above
//	               noise    float32[M,K]  standard normal, optional
//	               weight   float32[M]    of each sample in the loss
//	          out  loss     float32[1]    -sum weight ln q(state|condition,energy) without a
//	                                      shift, plus any other terms that training minimises
//	               gradient.NAME          derivative of loss by the weight NAME
//
// A network whose propose graph has no input state draws all sites and gets start = 0.
//
// log_q from start on is that given the sites before it, whether or not these are those of s:
// exp(log_q) of s' from start k is the probability of the colour of site k, given the sites of
// s' that the network visits earlier, times exp(log_q) of s' from start k+1. These are the
// sites before k, unless the network visits sites in an order of its own. Then it draws those
// from start on in that order and passes over the others, which it sees once it has passed
// them. Walkers do not depend on each other. Files use standard ONNX operators of versions 13
// to 20, and no others. Package internal/honest tests whether draws follow
// log_q.
package models

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"neuralwl/models/graph"
)

// ContractVersion is the version of the contract above, AngleContractVersion that of networks of angles.
const (
	ContractVersion      = 1
	AngleContractVersion = 2
)

// Names of the graphs' inputs and outputs.
const (
	State     = "state"
	Start     = "start"
	Uniform   = "uniform"
	Proposal  = "proposal"
	LogQ      = "log_q"
	Condition = "condition"
	Shift     = "shift"
	Energy    = "energy"
	Noise     = "noise"
	Weight    = "weight"
	Loss      = "loss"
	Latent    = "latent"
	Beta      = "beta"
	Half      = "half"
	// GradientOf precedes the name of a weight in the name of its gradient.
	GradientOf = "gradient."
)

// Symmetries of networks of angles: q does not change if all angles are rotated by the same one, or
// reflected.
const (
	Rotations   = "rotations"
	Reflections = "reflections"
)

// Colours is the symmetry of networks whose q is invariant under permutations of the
// colours.
const Colours = "colours"

// Model is an architecture with its hyper-parameters for a system.
type Model interface {
	// Architecture is the name under which New builds such a model.
	Architecture() string
	// Conditions are what q depends on: some of State, Shift and Energy.
	Conditions() []string
	// Symmetries are those under which q is invariant by construction.
	Symmetries() []string
	// Propose, LogProb and Gradient build the three graphs.
	Propose() (*graph.Graph, error)
	LogProb() (*graph.Graph, error)
	Gradient() (*graph.Graph, error)
	// Initial draws initial weights, by name.
	Initial(r *rand.Rand) map[string]graph.Tensor
}

// AtOnce is a Model that can evaluate ln q of given configurations several sites at a time,
// with few, large operators, which suit a GPU.
type AtOnce interface {
	Model
	// LogProbAtOnce builds log_prob with that many sites, a divisor of N, at a time.
	LogProbAtOnce(sites int) (*graph.Graph, error)
}

// Unnormalised is a Model whose log_q is ln p of the configuration that it is given, up to a
// constant, where moves are reversible for p; see the contract above.
type Unnormalised interface {
	Model
	// Uniforms is the number of random numbers of a proposal.
	Uniforms() int
}

// ByEnergy is a Model that can be trained without states, by the energies of its own draws.
type ByEnergy interface {
	Model
	// EnergyGradient builds the graph energy_gradient.
	EnergyGradient() (*graph.Graph, error)
}

// Encoder is a Model that maps a configuration to a latent vector.
type Encoder interface {
	Model
	// Encode builds the graph from state, int32[M,N], to latent, float[M,K]. It is no part of the
	// contract.
	Encode() (*graph.Graph, error)
}

// Hyperparameters of the architectures. Those an architecture does not use are 0 and
// omitted from files.
type Hyperparameters struct {
	// EncoderKind and DecoderKind of an autoencoder are Convolutional, or Dense or empty.
	EncoderKind string `json:"encoder_kind,omitempty"`
	DecoderKind string `json:"decoder_kind,omitempty"`

	Encoder int     `json:"encoder,omitempty"` // hidden units of the encoder
	Latent  int     `json:"latent,omitempty"`  // width of the latent vector
	Decoder int     `json:"decoder,omitempty"` // hidden units of the decoder
	Floor   float64 `json:"floor"`             // probability spread evenly over the colours
	Noise   float64 `json:"noise,omitempty"`   // standard deviation of the latent noise in training
	Width   int     `json:"width,omitempty"`   // hidden units of a microcanonical network, channels of a convolutional one
	Depth   int     `json:"depth,omitempty"`   // residual blocks of a convolutional network, in each of its stacks; hidden layers of a flow's
	Kernel  int     `json:"kernel,omitempty"`  // width of its kernels, or of an rbm's filters, in sites, odd
	Layers  int     `json:"layers,omitempty"`  // couplings of a flow
	// Harmonics of the steps in each of them, in turn.
	Harmonics []int `json:"harmonics,omitempty"`
	// Half has a flow draw one half of a checkerboard given the other.
	Half bool `json:"half,omitempty"`
	// Window w: a microcanonical network is trained on, and asked for, energies within w
	// units of J of the state's. Only in the order Checkerboard do the graphs depend on it.
	Window int `json:"window,omitempty"`
	// Order in which a microcanonical network draws the sites: Diagonal, Checkerboard, or Raster or
	// empty. Diagonal is another distribution with the same weights, Checkerboard has other weights.
	Order string `json:"order,omitempty"`
	// Hidden units of an rbm, or filters if HiddenKind is Convolutional, not Dense or empty.
	Hidden     int    `json:"hidden,omitempty"`
	HiddenKind string `json:"hidden_kind,omitempty"`
	GibbsSteps int    `json:"gibbs_steps,omitempty"` // of a proposal of an rbm
	// EnergyWeight lambda, if positive, ties latent coordinate 0 in training: to the energy unless
	// Tie is OrderTie.
	EnergyWeight float64 `json:"energy_weight,omitempty"`
	Tie          string  `json:"tie,omitempty"`
}

var architectures = map[string]func(System, Hyperparameters) (Model, error){
	Autoencoder:    func(s System, h Hyperparameters) (Model, error) { return newAutoencoder(s, h) },
	Flow:           func(s System, h Hyperparameters) (Model, error) { return newFlow(s, h) },
	Conv:           func(s System, h Hyperparameters) (Model, error) { return newConv(s, h) },
	Made:           func(s System, h Hyperparameters) (Model, error) { return newMade(s, h) },
	Microcanonical: func(s System, h Hyperparameters) (Model, error) { return newMicrocanonical(s, h) },
	RBM:            func(s System, h Hyperparameters) (Model, error) { return newRBM(s, h) },
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
		return nil, fmt.Errorf("unknown architecture %q, choose one of %v", architecture, Architectures())
	}
	m, err := build(s, h)
	if err != nil {
		return nil, fmt.Errorf("architecture %s: %w", architecture, err)
	}
	return m, nil
}
