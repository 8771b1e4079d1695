package oip

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// HeaderLength is the HTTP header with the number of bytes of the JSON that binary tensors follow.
const HeaderLength = "Inference-Header-Content-Length"

// jsonRequest is the JSON of a request. Parameters that change nothing here are left out, and
// fields that the protocol does not know.
type jsonRequest struct {
	ID         string `json:"id"`
	Parameters struct {
		BinaryDataOutput bool            `json:"binary_data_output"`
		Timeout          int64           `json:"timeout"`
		SequenceID       json.RawMessage `json:"sequence_id"`
	} `json:"parameters"`
	Inputs []struct {
		Name       string  `json:"name"`
		Shape      []int64 `json:"shape"`
		Datatype   string  `json:"datatype"`
		Parameters struct {
			BinaryDataSize     *int64          `json:"binary_data_size"`
			SharedMemoryRegion json.RawMessage `json:"shared_memory_region"`
		} `json:"parameters"`
		Data json.RawMessage `json:"data"`
	} `json:"inputs"`
	Outputs []struct {
		Name       string `json:"name"`
		Parameters struct {
			BinaryData         *bool           `json:"binary_data"`
			Classification     json.RawMessage `json:"classification"`
			SharedMemoryRegion json.RawMessage `json:"shared_memory_region"`
		} `json:"parameters"`
	} `json:"outputs"`
}

// Faults of what the protocol has and the program does not.
var (
	errSequence     = errors.New("sequence_id: the models know no sequences; send every request by itself")
	errSharedMemory = errors.New("shared memory is not served; send the elements")
	errClasses      = errors.New("classification is not served; ask for the output itself")
)

// DecodeRequest reads the body of a request: JSON of that many bytes and the binary tensors after
// it, or only JSON with length -1. The tensors share no memory with the body.
func DecodeRequest(body []byte, length int) (*Request, error) {
	text, raw := body, []byte(nil)
	if length >= 0 {
		if length > len(body) {
			return nil, fmt.Errorf("%s is %d, but the body has %d bytes", HeaderLength, length, len(body))
		}
		text, raw = body[:length], body[length:]
	}
	var j jsonRequest
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, fmt.Errorf("the request is not the JSON of an inference: %w", err)
	}
	if j.Parameters.SequenceID != nil && string(j.Parameters.SequenceID) != "0" {
		return nil, errSequence
	}
	r := &Request{ID: j.ID, Binary: j.Parameters.BinaryDataOutput, Timeout: j.Parameters.Timeout}
	for _, in := range j.Inputs {
		t := Tensor{Name: in.Name, Datatype: in.Datatype, Shape: in.Shape}
		size := in.Parameters.BinaryDataSize
		var err error
		switch {
		case in.Parameters.SharedMemoryRegion != nil:
			err = errSharedMemory
		case size == nil && in.Data == nil:
			err = errors.New("it has neither data nor the parameter binary_data_size")
		case size == nil:
			err = t.setJSON(in.Data)
		case in.Data != nil:
			err = errors.New("it has data and the parameter binary_data_size; leave one out")
		case length < 0:
			err = fmt.Errorf("binary_data_size: the header %s is missing", HeaderLength)
		case *size < 0 || *size > int64(len(raw)):
			err = fmt.Errorf("binary_data_size is %d, but %d bytes are left of the body", *size, len(raw))
		default:
			err = t.setRaw(raw[:*size])
			raw = raw[*size:]
		}
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", in.Name, err)
		}
		r.Inputs = append(r.Inputs, t)
	}
	if len(raw) > 0 {
		return nil, fmt.Errorf("%d bytes are left of the body after the tensors", len(raw))
	}
	for _, out := range j.Outputs {
		if out.Parameters.SharedMemoryRegion != nil {
			return nil, fmt.Errorf("output %q: %w", out.Name, errSharedMemory)
		}
		if c := out.Parameters.Classification; c != nil && string(c) != "0" {
			return nil, fmt.Errorf("output %q: %w", out.Name, errClasses)
		}
		r.Outputs = append(r.Outputs, Output{out.Name, out.Parameters.BinaryData})
	}
	return r, r.distinct()
}

// setJSON takes the elements from JSON: an array of all, or arrays in arrays as the shape says.
func (t *Tensor) setJSON(data []byte) error {
	n, err := t.elements()
	if err != nil {
		return err
	}
	n = min(n, len(data)) // what memory it needs is up to the text, not to the shape
	if t.Datatype == INT32 {
		t.Int32 = make([]int32, 0, n)
	} else {
		t.Float32 = make([]float32, 0, n)
	}
	r := reader{text: data, t: t}
	shape := t.Shape
	if len(shape) == 0 || !r.nested() {
		all, _ := t.elements()
		shape = []int64{int64(all)}
	}
	return r.array(shape)
}

// reader reads elements from text that is known to be JSON.
type reader struct {
	text []byte
	t    *Tensor
}

// next is the next character that is not white space, 0 at the end.
func (r *reader) next() byte {
	for len(r.text) > 0 {
		switch c := r.text[0]; c {
		case ' ', '\t', '\n', '\r':
			r.text = r.text[1:]
		default:
			return c
		}
	}
	return 0
}

// nested reports whether the text is an array of arrays.
func (r *reader) nested() bool {
	if r.next() != '[' {
		return false
	}
	inner := reader{text: r.text[1:]}
	return inner.next() == '['
}

// array reads an array of that shape.
func (r *reader) array(shape []int64) error {
	if c := r.next(); c != '[' {
		return fmt.Errorf("data: an array is right for the shape %v, not %q", r.t.Shape, c)
	}
	r.text = r.text[1:]
	for i := int64(0); ; i++ {
		c := r.next()
		if c == ']' {
			r.text = r.text[1:]
			if i != shape[0] {
				return fmt.Errorf("data: %d elements of an array, shape %v needs %d", i, r.t.Shape, shape[0])
			}
			return nil
		}
		if i == shape[0] {
			return fmt.Errorf("data: more elements than the shape %v has", r.t.Shape)
		}
		if i > 0 {
			r.text = r.text[1:] // the comma
		}
		var err error
		if len(shape) > 1 {
			err = r.array(shape[1:])
		} else {
			err = r.number()
		}
		if err != nil {
			return err
		}
	}
}

// number reads one element.
func (r *reader) number() error {
	r.next()
	end := 0
	for end < len(r.text) {
		if c := r.text[end]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' {
			end++
			continue
		}
		break
	}
	text := string(r.text[:end])
	r.text = r.text[end:]
	if text == "" {
		return fmt.Errorf("data: a number is right, not %q", r.text[:min(1, len(r.text))])
	}
	if r.t.Datatype == INT32 {
		x, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return fmt.Errorf("data: %s is no %s", text, INT32)
		}
		r.t.Int32 = append(r.t.Int32, int32(x))
		return nil
	}
	x, err := strconv.ParseFloat(text, 32)
	if err != nil {
		return fmt.Errorf("data: %s is no %s", text, FP32)
	}
	r.t.Float32 = append(r.t.Float32, float32(x))
	return nil
}

// jsonOutput is the JSON of an output.
type jsonOutput struct {
	Name       string          `json:"name"`
	Datatype   string          `json:"datatype"`
	Shape      []int64         `json:"shape"`
	Parameters *binaryData     `json:"parameters,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
}

type binaryData struct {
	Size int `json:"binary_data_size"`
}

// EncodeResponse writes the body of the answer to a request, with outputs in the form asked for,
// and the number of bytes of its JSON if binary tensors follow, else -1.
func EncodeResponse(a *Response, r *Request) (body []byte, length int, err error) {
	j := struct {
		Model   string       `json:"model_name"`
		Version string       `json:"model_version"`
		ID      string       `json:"id,omitempty"`
		Outputs []jsonOutput `json:"outputs"`
	}{a.Model, a.Version, a.ID, []jsonOutput{}}
	size := 0
	var raw []*Tensor
	for i := range a.Outputs {
		t := &a.Outputs[i]
		o := jsonOutput{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape}
		if r.binary(t.Name) {
			o.Parameters = &binaryData{t.size()}
			raw = append(raw, t)
			size += t.size()
		} else if o.Data, err = t.json(); err != nil {
			return nil, 0, fmt.Errorf("output %q: %w", t.Name, err)
		}
		j.Outputs = append(j.Outputs, o)
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, 0, err
	}
	if raw == nil {
		return text, -1, nil
	}
	length = len(text)
	body = append(make([]byte, 0, length+size), text...)
	for _, t := range raw {
		body = t.appendRaw(body)
	}
	return body, length, nil
}

// json writes the elements as an array in row-major order, with as many digits as tell an FP32 from
// any other.
func (t *Tensor) json() ([]byte, error) {
	text := append(make([]byte, 0, 2+4*t.size()), '[')
	for _, x := range t.Int32 {
		text = append(strconv.AppendInt(text, int64(x), 10), ',')
	}
	for i, x := range t.Float32 {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, fmt.Errorf("element %d is %v, which JSON cannot express; ask for it with binary_data", i, x)
		}
		text = append(strconv.AppendFloat(text, float64(x), 'g', -1, 32), ',')
	}
	if len(text) > 1 {
		text = text[:len(text)-1]
	}
	return append(text, ']'), nil
}
