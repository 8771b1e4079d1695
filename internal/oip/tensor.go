// Package oip is the Open Inference Protocol, version 2: requests and answers in JSON with binary
// tensors beside it (the extension binary_tensor_data) and as messages of gRPC. What it knows are
// the tensors that networks take and give here, of the datatypes INT32 and FP32.
//
// Source: KServe's specification of the protocol, and Triton's of its extensions.
package oip

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Datatypes.
const (
	INT32 = "INT32"
	FP32  = "FP32"
)

// width is the bytes of an element of both datatypes.
const width = 4

// Tensor is a tensor with its elements row by row: Int32 with the datatype INT32, Float32 with FP32.
type Tensor struct {
	Name     string
	Datatype string
	Shape    []int64
	Int32    []int32
	Float32  []float32
}

// Limits of shapes.
const (
	mostDimensions = 8
	mostElements   = 1 << 28
)

// elements is the number of elements that the shape says, or what is wrong with datatype or shape.
func (t *Tensor) elements() (int, error) {
	if t.Datatype != INT32 && t.Datatype != FP32 {
		return 0, fmt.Errorf("datatype %q; %s and %s are served", t.Datatype, INT32, FP32)
	}
	if len(t.Shape) > mostDimensions {
		return 0, fmt.Errorf("shape with %d dimensions, at most %d are served", len(t.Shape), mostDimensions)
	}
	n := int64(1)
	for _, d := range t.Shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v: a dimension is negative", t.Shape)
		}
		if d > 0 && n > mostElements/d {
			return 0, fmt.Errorf("shape %v: more than %d elements", t.Shape, mostElements)
		}
		n *= d
	}
	return int(n), nil
}

// setRaw takes the elements from little-endian bytes.
func (t *Tensor) setRaw(raw []byte) error {
	n, err := t.elements()
	if err != nil {
		return err
	}
	if len(raw) != n*width {
		return fmt.Errorf("%d bytes, shape %v of %s has %d", len(raw), t.Shape, t.Datatype, n*width)
	}
	if t.Datatype == INT32 {
		t.Int32 = make([]int32, n)
		for i := range t.Int32 {
			t.Int32[i] = int32(binary.LittleEndian.Uint32(raw[width*i:]))
		}
		return nil
	}
	t.Float32 = make([]float32, n)
	for i := range t.Float32 {
		t.Float32[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[width*i:]))
	}
	return nil
}

// size is the number of bytes of appendRaw.
func (t *Tensor) size() int { return width * (len(t.Int32) + len(t.Float32)) }

// appendRaw appends the elements as little-endian bytes.
func (t *Tensor) appendRaw(to []byte) []byte {
	for _, x := range t.Int32 {
		to = binary.LittleEndian.AppendUint32(to, uint32(x))
	}
	for _, x := range t.Float32 {
		to = binary.LittleEndian.AppendUint32(to, math.Float32bits(x))
	}
	return to
}

// Request asks for an inference.
type Request struct {
	ID     string
	Inputs []Tensor
	// Outputs are those asked for, nil for all.
	Outputs []Output
	// Binary says whether outputs that do not say are to be binary; over gRPC all are.
	Binary bool
	// Timeout is how many microseconds it may wait and take, 0 for any time.
	Timeout int64
}

// Output is an output that is asked for.
type Output struct {
	Name   string
	Binary *bool // nil: as the request says
}

// binary reports whether an output is to be binary.
func (r *Request) binary(name string) bool {
	for _, o := range r.Outputs {
		if o.Name == name && o.Binary != nil {
			return *o.Binary
		}
	}
	return r.Binary
}

// distinct returns an error unless every input has a name of its own, as has every output.
func (r *Request) distinct() error {
	seen := map[string]bool{}
	for _, t := range r.Inputs {
		if t.Name == "" || seen[t.Name] {
			return fmt.Errorf("input %q: it is there twice or has no name", t.Name)
		}
		seen[t.Name] = true
	}
	clear(seen)
	for _, o := range r.Outputs {
		if o.Name == "" || seen[o.Name] {
			return fmt.Errorf("output %q: it is asked for twice or has no name", o.Name)
		}
		seen[o.Name] = true
	}
	return nil
}

// Response answers a Request.
type Response struct {
	Model, Version, ID string
	Outputs            []Tensor
}
