package models

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"neuralwl/models/graph"
)

// Conv is the name of the architecture.
const Conv = "conv"

// conv is an unconditional masked convolutional network in the form of PixelCNN (van den
// Oord, Kalchbrenner, Kavukcuoglu, ICML 2016) with the two stacks of its successor (van den
// Oord et al., NIPS 2016), which leave no blind spot. Sites are visited in raster order.
// The first stack sees only the rows above the site, but sees them whole, so its
// convolutions are periodic along rows. The second stack sees the sites to the left in the
// same row. With r = (kernel-1)/2, sigma(x) = silu(x), the colours s one-hot, and taps
// (j,k) over the rows y-j, 0 <= j <= r, and the columns x+k, |k| <= r,
//
//	v^0 = sigma(sum over taps of s(y-1-j,x+k) A + closing + place + a),
//	v^l+1 = v^l + sigma(sum over taps of v^l W_l + m^l P_l + b_l) O_l,
//	h^0 = sigma(sum over 1 <= j <= r+1 of s(y,x-j) B + closing + place + v^0 C_0 + c_0),
//	h^l+1 = h^l + sigma(sum over 0 <= j <= r of h^l(y,x-j) U_l + v^l+1 C_l+1 + c_l+1) Q_l,
//	logit_c = sigma(h^D) w_c + d_c + (h^D u + beta) n_c,
//	p = (1 - floor) softmax(logit) + floor / q.
//
// Three terms are additions to those papers. m^l(y), the mean of v^l over all sites of the
// rows up to y, lets the network remember what it has placed out of reach. closing accounts
// for periodicity: it shows the first row to every row and a row's first site to every
// site, with separate weights for the last two rows and columns. place holds features of
// the site alone. n_c is the number of placed neighbours of colour c. Residual blocks (He
// et al., CVPR 2016) with silu replace the papers' gates.
//
// No weight depends on the size of the lattice.
type conv struct {
	s System
	h Hyperparameters
}

func newConv(s System, h Hyperparameters) (*conv, error) {
	faults := convFaults(s, h)
	if !(h.Floor > 0 && h.Floor < 1) {
		faults = append(faults, fmt.Errorf("floor = %g, must be between 0 and 1", h.Floor))
	}
	return &conv{s, h}, errors.Join(faults...)
}

// convFaults lists the faults of a convolutional network's hyper-parameters.
func convFaults(s System, h Hyperparameters) (faults []error) {
	if h.Width < 1 {
		faults = append(faults, fmt.Errorf("width = %d, at least 1 channel is needed", h.Width))
	}
	if h.Depth < 1 {
		faults = append(faults, fmt.Errorf("depth = %d, at least 1 block is needed", h.Depth))
	}
	if err := s.needsRows(); err != nil {
		return append(faults, err)
	}
	if most := 2*min(s.lx(), s.ly()) + 1; h.Kernel < 3 || h.Kernel%2 == 0 || h.Kernel > most {
		faults = append(faults, fmt.Errorf("kernel = %d, must be odd and between 3 and %d on %dx%d sites", h.Kernel, most, s.lx(), s.ly()))
	}
	return faults
}

func (a *conv) Architecture() string { return Conv }

func (a *conv) Conditions() []string { return []string{} }

func (a *conv) Symmetries() []string { return []string{} }

func (a *conv) Propose() (*graph.Graph, error) {
	g := graph.New("propose")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	uniform := g.Input(Uniform, graph.Float32, graph.Dynamic, a.s.Sites())
	proposal, logP := newConvNetwork(g, a.s, a.h, nil).sample(g, state, start, uniform)
	g.Output(Proposal, proposal)
	g.Output(LogQ, a.s.fromStart(g, logP, start))
	return g, g.Err()
}

func (a *conv) LogProb() (*graph.Graph, error) {
	g := graph.New("log_prob")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	start := g.Input(Start, graph.Int32, graph.Dynamic)
	logP := newConvNetwork(g, a.s, a.h, nil).logProbByRow(g, state)
	g.Output(LogQ, a.s.fromStart(g, logP, start))
	return g, g.Err()
}

func (a *conv) Gradient() (*graph.Graph, error) {
	g := graph.New("gradient")
	state := g.Input(State, graph.Int32, graph.Dynamic, a.s.Sites())
	weight := g.Input(Weight, graph.Float32, graph.Dynamic)
	logQ := newConvNetwork(g, a.s, a.h, nil).logProb(state).ReduceSum(graph.DropDims, 0)
	return g, addLoss(g, logQ, weight)
}

func (a *conv) Initial(r *rand.Rand) map[string]graph.Tensor {
	weights := map[string]graph.Tensor{}
	declareConv(a.s, a.h, drawInto(weights, r))
	return weights
}
