package exporter

import (
	"errors"
	"fmt"
	"slices"

	"neuralwl/exporter/onnxpb"
	"neuralwl/models"
	"neuralwl/models/graph"
)

// value is an input or output named in the contract. Dimensions are numbers, graph.Dynamic
// for M, or anyDim.
type value struct {
	name  string
	dtype graph.DType
	shape []int
}

const anyDim = 0

// maxNoise is the largest width K of the input noise: far more than a latent vector has,
// yet small enough to allocate a batch of them.
const maxNoise = 1 << 16

// interfaces are the inputs of a bundle's graphs, and the proposal.
type interfaces struct {
	propose, logProb, gradient, energyGradient []value
	proposal                                   value
}

// interfaces lists what the contract says of the bundle's version and conditions.
func (b *Bundle) interfaces() interfaces {
	n := b.Card.System.System().Sites()
	const m = graph.Dynamic
	dtype := graph.Int32
	if b.Card.Angles() {
		dtype = graph.Float32
	}
	configuration := func(name string) value { return value{name, dtype, []int{m, n}} }
	walkers := func(name string, dtype graph.DType) value { return value{name, dtype, []int{m}} }
	uniform, weight := value{models.Uniform, graph.Float32, []int{m, b.Card.UniformsOf()}}, walkers(models.Weight, graph.Float32)
	c := interfaces{
		propose:        []value{uniform},
		logProb:        []value{configuration(models.State)},
		gradient:       []value{configuration(models.State), weight},
		energyGradient: []value{uniform, weight},
		proposal:       configuration(models.Proposal),
	}
	add := func(v value, lists ...*[]value) {
		for _, l := range lists {
			*l = append(*l, v)
		}
	}
	if b.Card.Angles() {
		if b.Card.TakesHalf() {
			add(configuration(models.State), &c.propose, &c.energyGradient)
		}
		if b.Card.TakesBeta() {
			add(walkers(models.Beta, graph.Float32), &c.propose, &c.logProb, &c.gradient, &c.energyGradient)
		}
		return c
	}
	add(walkers(models.Start, graph.Int32), &c.propose, &c.logProb)
	if b.Card.TakesState() || b.KeepsSites() {
		add(configuration(models.State), &c.propose)
	}
	if b.Card.TakesCondition() {
		add(configuration(models.Condition), &c.logProb, &c.gradient)
	}
	if b.Card.TakesShift() {
		add(walkers(models.Shift, graph.Float32), &c.propose, &c.logProb)
	}
	if b.Card.TakesEnergy() {
		add(walkers(models.Energy, graph.Float32), &c.propose, &c.logProb, &c.gradient)
	}
	return c
}

// checkContract compares the inputs and outputs of every file with the proposal contract,
// so that a foreign network fails here and not in the middle of a run.
func (b *Bundle) checkContract() error {
	const m = graph.Dynamic
	contract := b.interfaces()
	logQ := value{models.LogQ, graph.Float32, []int{m}}
	var faults []error
	check := func(file string, model *onnxpb.ModelProto, inputs, outputs []value) {
		if err := checkOperators(model); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", file, err))
		}
		for _, err := range append(
			match("input", model.GetGraph().GetInput(), inputs),
			match("output", model.GetGraph().GetOutput(), outputs)...) {
			faults = append(faults, fmt.Errorf("%s: %w", file, err))
		}
		for _, p := range weightProtos(model) {
			if slices.ContainsFunc(inputs, func(v value) bool { return v.name == p.GetName() }) {
				faults = append(faults, fmt.Errorf("%s: input %q has a value in the file, like a weight", file, p.GetName()))
			}
		}
		if extra := undeclared(model, inputs); len(extra) > 0 {
			faults = append(faults, fmt.Errorf("%s: inputs %q are neither in the contract nor weights with a value in the file", file, extra))
		}
	}
	check(ProposeFile, b.Propose, contract.propose, []value{contract.proposal, logQ})
	check(LogProbFile, b.LogProb, contract.logProb, []value{logQ})
	// losses lists the outputs of a file with derivatives.
	losses := func(file string, model *onnxpb.ModelProto) []value {
		outputs := []value{{models.Loss, graph.Float32, []int{1}}}
		for _, p := range weightProtos(model) {
			dtype, shape, err := tensorType(p)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: weight %q: %w", file, p.GetName(), err))
				continue
			}
			outputs = append(outputs, value{models.GradientOf + p.GetName(), dtype, shape})
		}
		return outputs
	}
	if b.EnergyGradient != nil {
		check(EnergyGradientFile, b.EnergyGradient, contract.energyGradient, losses(EnergyGradientFile, b.EnergyGradient))
	}
	if b.Gradient != nil {
		gradient := contract.gradient
		if noise := byName(b.Gradient.GetGraph().GetInput())[models.Noise]; noise != nil {
			gradient = append(gradient, value{models.Noise, graph.Float32, []int{m, anyDim}})
			dims := noise.GetType().GetTensorType().GetShape().GetDim()
			if len(dims) != 2 || dims[1].GetDimValue() < 1 || dims[1].GetDimValue() > maxNoise {
				faults = append(faults, fmt.Errorf("%s: input %q has shape %v, the contract says [M K] with a number K within 1..%d", GradientFile, models.Noise, dims, maxNoise))
			}
		}
		check(GradientFile, b.Gradient, gradient, losses(GradientFile, b.Gradient))
	}
	return errors.Join(faults...)
}

// Versions of the standard operators that a bundle may use. package reference has rules for
// these, so that any bundle can be verified.
const oldestOpset, newestOpset = 13, 20

// checkOperators returns an error unless a model uses standard operators alone, of those
// versions.
func checkOperators(model *onnxpb.ModelProto) error {
	standard := false
	for _, set := range model.GetOpsetImport() {
		if d := set.GetDomain(); d != "" && d != "ai.onnx" {
			return fmt.Errorf("it imports operators of the domain %q, the contract allows only standard ONNX operators", d)
		}
		standard = true
		if v := set.GetVersion(); v < oldestOpset || v > newestOpset {
			return fmt.Errorf("it uses operator set %d, the contract allows %d to %d; export it with one of these", v, oldestOpset, newestOpset)
		}
	}
	if !standard {
		return fmt.Errorf("it does not say which operator set it uses; export it with operator set %d to %d", oldestOpset, newestOpset)
	}
	return nil
}

// match finds each wanted value among those that a file declares.
func match(kind string, have []*onnxpb.ValueInfoProto, want []value) []error {
	named := byName(have)
	var faults []error
	for _, w := range want {
		v := named[w.name]
		if v == nil {
			faults = append(faults, fmt.Errorf("the file has no %s %q", kind, w.name))
			continue
		}
		tensor := v.GetType().GetTensorType()
		if tensor.GetElemType() != int32(elementType(w.dtype)) {
			faults = append(faults, fmt.Errorf("%s %q has element type %v, the contract says %v",
				kind, w.name, onnxpb.TensorProto_DataType(tensor.GetElemType()), w.dtype))
		}
		if !fits(tensor.GetShape(), w.shape) {
			faults = append(faults, fmt.Errorf("%s %q has shape %v, the contract says %v", kind, w.name, tensor.GetShape().GetDim(), graph.Shape(w.shape)))
		}
	}
	return faults
}

// fits compares a declared shape with a wanted one. A file may leave open a dimension that
// the contract fixes, but not vice versa.
func fits(have *onnxpb.TensorShapeProto, want []int) bool {
	if have == nil {
		return true // an output of unknown shape is checked on use
	}
	if len(have.GetDim()) != len(want) {
		return false
	}
	for i, d := range have.GetDim() {
		fixed, isFixed := d.GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue)
		switch {
		case !isFixed || want[i] == anyDim:
		case want[i] == graph.Dynamic || fixed.DimValue != int64(want[i]):
			return false
		}
	}
	return true
}

func byName(values []*onnxpb.ValueInfoProto) map[string]*onnxpb.ValueInfoProto {
	named := map[string]*onnxpb.ValueInfoProto{}
	for _, v := range values {
		named[v.GetName()] = v
	}
	return named
}

// undeclared lists the inputs of a file that nothing would feed.
func undeclared(model *onnxpb.ModelProto, inputs []value) []string {
	fed := map[string]bool{}
	for _, v := range inputs {
		fed[v.name] = true
	}
	for _, p := range model.GetGraph().GetInitializer() {
		fed[p.GetName()] = true
	}
	var extra []string
	for _, v := range model.GetGraph().GetInput() {
		if !fed[v.GetName()] {
			extra = append(extra, v.GetName())
		}
	}
	return extra
}
