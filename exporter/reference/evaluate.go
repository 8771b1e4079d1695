// Package reference evaluates ONNX models in pure Go, in double precision. It is
// deliberately simple and slow, and independent of ONNX Runtime, of the program that built
// the model and of the code that wrote the file. Its purpose is to verify that the files of
// a bundle mean what the runtime computes.
//
// Values have the element types that the file declares, but floating-point numbers are
// stored and computed as float64 whatever their declared precision, and integers as int64.
// The package refuses what it does not know for certain: an operator, an attribute, an
// element type or an operator version without a rule is an error that names the node, never
// a guess.
package reference

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models/graph"
)

// The supported versions of the ONNX operators. Before 13, several operators took their
// axes in another way or, like Softmax, had another meaning.
const (
	oldestOpset = 13
	newestOpset = 20
)

const (
	// maxElements bounds the elements of one tensor, and of all tensors held at one time: 2
	// GiB of float64.
	maxElements = 1 << 28
	// maxWork bounds the multiplications and, axis by axis, the element accesses of one
	// evaluation: about a minute.
	maxWork = 1 << 34
	// maxRank and maxDepth bound axes and nested Scans. Real models have fewer than ten and
	// two.
	maxRank  = 32
	maxDepth = 8
)

// Evaluate computes the outputs of a model, by name. Inputs are given by the names that the
// model declares; one with an initialiser may be omitted. Inputs have the declared type and
// shape, except that any floating-point type may stand for any other, so that a float32
// model can be fed more precise numbers. Outputs have the declared integer type or bool;
// all floating-point outputs are Float64.
//
// Errors are: a malformed model or one that uses something unknown to this package; a
// missing, unknown or misshapen input; an int32 result that does not fit its type; and a
// computation beyond bounds (2^28 elements held, 2^34 operations). The model is untrusted:
// nothing in it makes Evaluate panic or run forever.
func Evaluate(model *onnxpb.ModelProto, inputs map[string]graph.Tensor) (map[string]graph.Tensor, error) {
	return evaluate(model, inputs, limits{maxElements, maxWork})
}

// limits bound what an evaluation may use.
type limits struct{ elements, work int }

// evaluator is one evaluation in progress.
type evaluator struct {
	limits
	held    int // elements of the values in memory
	work    int // operations so far
	opset   int64
	symbols map[string]int // sizes of the named dimensions
}

func evaluate(model *onnxpb.ModelProto, inputs map[string]graph.Tensor, l limits) (map[string]graph.Tensor, error) {
	e := &evaluator{limits: l, symbols: map[string]int{}}
	outputs, err := e.evaluate(model, inputs)
	if err != nil {
		return nil, fmt.Errorf("evaluate graph %q: %w", model.GetGraph().GetName(), err)
	}
	return outputs, nil
}

func (e *evaluator) evaluate(model *onnxpb.ModelProto, inputs map[string]graph.Tensor) (map[string]graph.Tensor, error) {
	g := model.GetGraph()
	if g == nil {
		return nil, errors.New("the model has no graph")
	}
	var err error
	if e.opset, err = operatorSet(model); err != nil {
		return nil, err
	}
	s := newScope(nil)
	if err := e.feed(g, inputs, s); err != nil {
		return nil, err
	}
	if err := e.run(g, s); err != nil {
		return nil, err
	}
	outputs := map[string]graph.Tensor{}
	for _, declared := range g.GetOutput() {
		name := declared.GetName()
		t, err := s.lookup(name)
		if err == nil {
			err = e.conforms(t, declared)
		}
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		outputs[name] = t.export()
	}
	return outputs, nil
}

// operatorSet returns the version of the standard operators that a model uses.
func operatorSet(model *onnxpb.ModelProto) (int64, error) {
	for _, set := range model.GetOpsetImport() {
		if !standard(set.GetDomain()) {
			continue
		}
		if v := set.GetVersion(); v < oldestOpset || v > newestOpset {
			return 0, fmt.Errorf("operator set %d is not supported, export the model with %d to %d", v, oldestOpset, newestOpset)
		}
		return set.GetVersion(), nil
	}
	return 0, errors.New("the model does not say which operator set it uses")
}

func standard(domain string) bool { return domain == "" || domain == "ai.onnx" }

// feed defines initialisers and inputs. It reports all faults of the inputs at once.
func (e *evaluator) feed(g *onnxpb.GraphProto, inputs map[string]graph.Tensor, s *scope) error {
	if err := e.initialise(g, s, inputs); err != nil {
		return err
	}
	var faults []error
	declared := map[string]bool{}
	for _, in := range g.GetInput() {
		name := in.GetName()
		declared[name] = true
		t, err := s.lookup(name)
		if given, ok := inputs[name]; ok {
			if t, err = e.widened(given); err == nil {
				err = s.define(name, t)
			}
			if want, known := declaredType(in); known && want.IsFloat() && t.dtype.IsFloat() {
				t.dtype = want
				s.values[name] = t
			}
		} else if err != nil {
			err = errors.New("it is not given and has no initialiser")
		}
		if err == nil {
			err = e.conforms(t, in)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("input %q: %w", name, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if !declared[name] {
			faults = append(faults, fmt.Errorf("input %q: the model has no such input", name))
		}
	}
	return errors.Join(faults...)
}

// initialise defines the initialisers of a graph, except those given as inputs.
func (e *evaluator) initialise(g *onnxpb.GraphProto, s *scope, given map[string]graph.Tensor) error {
	for _, p := range g.GetInitializer() {
		if _, ok := given[p.GetName()]; ok {
			continue
		}
		t, err := e.decode(p)
		if err == nil {
			err = s.define(p.GetName(), t)
		}
		if err != nil {
			return fmt.Errorf("initialiser %q: %w", p.GetName(), err)
		}
	}
	return nil
}

// run computes the nodes of a graph in the order of the file, where operands come first. A
// cycle shows up as an undefined value.
func (e *evaluator) run(g *onnxpb.GraphProto, s *scope) error {
	for _, node := range g.GetNode() {
		if err := e.node(node, s); err != nil {
			name := node.GetName()
			if name == "" && len(node.GetOutput()) > 0 {
				name = node.GetOutput()[0]
			}
			return fmt.Errorf("node %q, operator %s: %w", name, node.GetOpType(), err)
		}
	}
	return nil
}

func (e *evaluator) node(node *onnxpb.NodeProto, s *scope) error {
	c, err := e.prepare(node, s)
	if err != nil {
		return err
	}
	results, err := c.apply()
	if err != nil {
		return err
	}
	if len(results) != len(node.GetOutput()) {
		return fmt.Errorf("it has %d results, the node names %d", len(results), len(node.GetOutput()))
	}
	for i, t := range results {
		if err := t.checkInt32(); err != nil {
			return err
		}
		if err := s.define(node.GetOutput()[i], t); err != nil {
			return err
		}
	}
	return nil
}
