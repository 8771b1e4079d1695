package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// stream is an answer of server-sent events.
type stream struct {
	w    *answerer
	text bytes.Buffer
	last time.Time // of a write
}

// eventStream is the type of server-sent events.
const eventStream = "text/event-stream"

// streamed is what a stream of a media type answers with; f writes it and returns when it is at
// its end. One stream too many is refused.
func (s *Server) streamed(kind string, f func(ctx huma.Context, w *stream) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		w := h.BodyWriter().(*answerer)
		select {
		case s.streams <- struct{}{}:
		default:
			s.o.Metrics.Refused()
			w.Header().Set("Retry-After", "5")
			refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d streams are open, as many as server.streams allows; try again later", cap(s.streams)))
			return
		}
		s.o.Metrics.Streams(1)
		defer func() {
			<-s.streams
			s.o.Metrics.Streams(-1)
		}()
		w.stream = true
		w.Header().Set("Content-Type", kind)
		w.Header().Set("X-Accel-Buffering", "no") // of nginx
		w.WriteHeader(http.StatusOK)
		if h.Method() == http.MethodHead {
			return
		}
		out := &stream{w: w}
		if kind == eventStream {
			out.text.WriteString("retry: 2000\n\n")
		}
		err := w.FlushError()
		if err == nil {
			err = out.flush()
		}
		if err == nil {
			err = f(h, out)
		}
		if err != nil && h.Context().Err() == nil {
			s.o.Log.Debug("a stream ended", "path", h.Operation().Path, "reason", err)
		}
	}}
}

// event adds an event with data of JSON. Without an id, a client that comes back goes on after
// the one before.
func (s *stream) event(id uint64, kind string, data []byte) {
	if id > 0 {
		fmt.Fprintf(&s.text, "id: %d\n", id)
	}
	fmt.Fprintf(&s.text, "event: %s\n", kind)
	for line := range bytes.Lines(data) {
		s.text.WriteString("data: ")
		s.text.Write(bytes.TrimRight(line, "\r\n"))
		s.text.WriteByte('\n')
	}
	s.text.WriteByte('\n')
}

// end adds the event after which nothing follows.
func (s *stream) end(state string) error {
	data, err := json.Marshal(StreamEnd{State: state})
	if err != nil {
		return err
	}
	s.event(0, endEvent, data)
	return s.flush()
}

// flush sends what was added.
func (s *stream) flush() error {
	if s.text.Len() == 0 {
		return nil
	}
	s.last = time.Now()
	_, err := s.w.Write(s.text.Bytes())
	s.text.Reset()
	if s.text.Cap() > 64<<10 {
		s.text = bytes.Buffer{}
	}
	if err != nil {
		return err
	}
	return s.w.FlushError()
}

// alive sends a comment if nothing was sent for so long.
func (s *stream) alive(after time.Duration) error {
	if time.Since(s.last) < after {
		return nil
	}
	s.text.WriteString(": still there\n\n")
	return s.flush()
}

// endEvent is the kind of the event that ends a stream.
const endEvent = "end"

// StreamEnd is the last event of a stream: nothing follows, even if a client comes back.
type StreamEnd struct {
	State string `json:"state" doc:"The final state of the run, or deleted."`
}

// documentStream describes a stream as an array of events, one schema for each kind with the
// type of its data.
func (s *Server) documentStream(op *huma.Operation, data map[string]*huma.Schema) {
	var kinds []*huma.Schema
	for _, kind := range sortedKeys(data) {
		kinds = append(kinds, &huma.Schema{
			Title: "Event " + kind, Type: huma.TypeObject, Required: []string{"event", "data"},
			Properties: map[string]*huma.Schema{
				"id":    {Type: huma.TypeInteger, Description: "After which a client that comes back goes on."},
				"event": {Type: huma.TypeString, Enum: []any{kind}},
				"data":  data[kind],
			},
		})
	}
	op.Errors = append(op.Errors, http.StatusServiceUnavailable)
	op.Responses = map[string]*huma.Response{"200": {
		Description: "Server-sent events. Kinds may be added; clients pass over those that they do not know. A comment comes when there was nothing for some time.",
		Content: map[string]*huma.MediaType{eventStream: {Schema: &huma.Schema{
			Title: "Server-sent events", Type: huma.TypeArray, Items: &huma.Schema{OneOf: kinds},
		}}},
	}}
}
