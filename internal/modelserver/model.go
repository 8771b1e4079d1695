package modelserver

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"neuralwl/internal/oip"
	"neuralwl/internal/repository"
	"neuralwl/models"
)

// What evaluates the models, in the words of Triton.
const (
	platform = "onnxruntime_onnx"
	backend  = "onnxruntime"
)

// kind says which of a network's two models is meant.
type kind int

const (
	propose kind = iota
	logProb
)

// suffix is what the name of the model has after that of the network.
func (k kind) suffix() string { return []string{".propose", ".log_prob"}[k] }

// model is a version of a model in use.
type model struct {
	name   string
	kind   kind
	handle *repository.Handle
}

// parseModel returns the network of a model.
func parseModel(name string) (network string, k kind, err error) {
	for _, k := range []kind{propose, logProb} {
		if network, ok := strings.CutSuffix(name, k.suffix()); ok {
			return network, k, nil
		}
	}
	return "", 0, missing(fmt.Errorf("there is no model %q: those of a network are NAME%s and NAME%s", name, propose.suffix(), logProb.suffix()))
}

// acquire returns a version of a model, the one in use if none is named. The caller releases its handle.
func (s *Server) acquire(name, version string) (*model, error) {
	network, k, err := parseModel(name)
	if err != nil {
		return nil, err
	}
	if version != "" {
		network += "/" + version
	}
	h, err := s.o.Networks.Acquire(network)
	switch {
	case errors.Is(err, repository.ErrClosed):
		return nil, unavailable(err)
	case err != nil:
		return nil, missing(err)
	}
	return &model{name, k, h}, nil
}

// version is its number.
func (m *model) version() string { return strconv.Itoa(m.handle.Ref().Version) }

// inputs are those that the network takes, with the meaning of models.Model.
func (m *model) inputs() []oip.Value {
	card := m.handle.Card()
	n := int64(card.System.System().Sites())
	if card.Angles() {
		all := []oip.Value{
			{Name: models.State, Datatype: oip.FP32, Shape: []int64{-1, n}},
			{Name: models.Beta, Datatype: oip.FP32, Shape: []int64{-1}},
			{Name: models.Uniform, Datatype: oip.FP32, Shape: []int64{-1, n}},
		}
		taken := map[string]bool{
			models.State:   m.kind == logProb || card.TakesHalf(),
			models.Beta:    card.TakesBeta(),
			models.Uniform: m.kind == propose,
		}
		return slices.DeleteFunc(all, func(v oip.Value) bool { return !taken[v.Name] })
	}
	all := []oip.Value{
		{Name: models.Condition, Datatype: oip.INT32, Shape: []int64{-1, n}},
		{Name: models.State, Datatype: oip.INT32, Shape: []int64{-1, n}},
		{Name: models.Start, Datatype: oip.INT32, Shape: []int64{-1}},
		{Name: models.Shift, Datatype: oip.FP32, Shape: []int64{-1}},
		{Name: models.Energy, Datatype: oip.FP32, Shape: []int64{-1}},
		{Name: models.Uniform, Datatype: oip.FP32, Shape: []int64{-1, int64(card.UniformsOf())}},
	}
	taken := map[string]bool{
		models.Condition: m.kind == logProb && card.TakesCondition(),
		models.State:     m.kind == logProb || card.TakesState() || m.handle.KeepsSites(),
		models.Start:     true,
		models.Shift:     card.TakesShift(),
		models.Energy:    card.TakesEnergy(),
		models.Uniform:   m.kind == propose,
	}
	return slices.DeleteFunc(all, func(v oip.Value) bool { return !taken[v.Name] })
}

// outputs are those that the network gives.
func (m *model) outputs() []oip.Value {
	logQ := oip.Value{Name: models.LogQ, Datatype: oip.FP32, Shape: []int64{-1}}
	if m.kind == logProb {
		return []oip.Value{logQ}
	}
	card := m.handle.Card()
	proposal := oip.Value{Name: models.Proposal, Datatype: oip.INT32, Shape: []int64{-1, int64(card.System.System().Sites())}}
	if card.Angles() {
		proposal.Datatype = oip.FP32
	}
	return []oip.Value{proposal, logQ}
}

// work makes the work of a request, after a look at all that can be wrong with it.
func (m *model) work(r *oip.Request) (*work, error) {
	values, faults := m.inputs(), []error(nil)
	fault := func(format string, a ...any) { faults = append(faults, fmt.Errorf(format, a...)) }
	given := map[string]*oip.Tensor{}
	rows := int64(-1)
	for i := range r.Inputs {
		t := &r.Inputs[i]
		at := slices.IndexFunc(values, func(v oip.Value) bool { return v.Name == t.Name })
		if at < 0 {
			fault("input %q: the model does not take it; its inputs are %s", t.Name, names(values))
			continue
		}
		v := values[at]
		switch {
		case t.Datatype != v.Datatype:
			fault("input %q: datatype %s, the model takes %s", t.Name, t.Datatype, v.Datatype)
		case len(t.Shape) != len(v.Shape) || !slices.Equal(t.Shape[1:], v.Shape[1:]):
			fault("input %q: shape %v, the model takes %v with any number of rows for -1", t.Name, t.Shape, v.Shape)
		case rows >= 0 && t.Shape[0] != rows:
			fault("input %q: %d rows, others have %d", t.Name, t.Shape[0], rows)
		default:
			rows, given[t.Name] = t.Shape[0], t
			continue
		}
		given[t.Name] = &oip.Tensor{}
	}
	for _, v := range values {
		if given[v.Name] == nil {
			fault("input %q is missing: %s, shape %v with any number of rows for -1", v.Name, v.Datatype, v.Shape)
			given[v.Name] = &oip.Tensor{}
		}
	}
	for _, o := range r.Outputs {
		if !slices.ContainsFunc(m.outputs(), func(v oip.Value) bool { return v.Name == o.Name }) {
			fault("output %q: there is none; the outputs are %s", o.Name, names(m.outputs()))
		}
	}
	if len(faults) > 0 {
		return nil, bad(fmt.Errorf("model %s: %w", m.name, errors.Join(faults...)))
	}
	integers := func(name string) []int32 {
		if t := given[name]; t != nil {
			return t.Int32
		}
		return nil
	}
	floats := func(name string) []float32 {
		if t := given[name]; t != nil {
			return t.Float32
		}
		return nil
	}
	w := &work{model: m, rows: int(rows), done: make(chan struct{})}
	var err error
	switch {
	case m.handle.Card().Angles():
		w.angles = repository.AngleInputs{State: floats(models.State), Beta: floats(models.Beta), Uniform: floats(models.Uniform)}
		if m.kind == propose {
			err = m.handle.CheckProposeAngles(w.angles)
		} else {
			err = m.handle.CheckLogProbAngles(w.angles)
		}
	case m.kind == propose:
		w.propose = repository.ProposeInputs{
			State: integers(models.State), Start: integers(models.Start), Shift: floats(models.Shift), Energy: floats(models.Energy), Uniform: floats(models.Uniform),
		}
		err = m.handle.CheckPropose(w.propose)
	default:
		w.logProb = repository.LogProbInputs{
			Condition: integers(models.Condition), State: integers(models.State), Start: integers(models.Start), Shift: floats(models.Shift), Energy: floats(models.Energy),
		}
		err = m.handle.CheckLogProb(w.logProb)
	}
	if err != nil {
		return nil, bad(err)
	}
	return w, nil
}

// response is the answer to a request whose work is done.
func (w *work) response(r *oip.Request) *oip.Response {
	m := w.model
	a := &oip.Response{Model: m.name, Version: m.version(), ID: r.ID}
	for _, v := range m.outputs() {
		if r.Outputs != nil && !slices.ContainsFunc(r.Outputs, func(o oip.Output) bool { return o.Name == v.Name }) {
			continue
		}
		t := oip.Tensor{Name: v.Name, Datatype: v.Datatype, Shape: append([]int64{int64(w.rows)}, v.Shape[1:]...)}
		switch {
		case v.Name == models.LogQ:
			t.Float32 = w.logQ
		case v.Datatype == oip.FP32:
			t.Float32 = w.proposal.angles
		default:
			t.Int32 = w.proposal.colours
		}
		a.Outputs = append(a.Outputs, t)
	}
	return a
}

// names lists values for an error.
func names(values []oip.Value) string {
	var all []string
	for _, v := range values {
		all = append(all, v.Name)
	}
	return strings.Join(all, ", ")
}
