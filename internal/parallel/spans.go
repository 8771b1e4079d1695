package parallel

// Span is the range [From, To) of an array given by its number.
type Span struct{ Array, From, To int }

// spanLength is the most elements in a Span: a few float32 arrays of it fit into the first
// cache, and working through them takes long enough to be shared.
const spanLength = 4096

// Spans divides arrays of the given lengths into spans, to be shared with Do.
func Spans(lengths ...int) (spans []Span) {
	for array, n := range lengths {
		for from := 0; from < n; from += spanLength {
			spans = append(spans, Span{array, from, min(from+spanLength, n)})
		}
	}
	return spans
}
