package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/daemon"
	"neuralwl/internal/queue"
)

// event is the data of an event of a stream.
type event[T any] struct {
	Run  string    `json:"run"`
	At   time.Time `json:"at"`
	Data T         `json:"data"`
}

// kinds are the types of all events.
var kinds = map[string]any{
	queue.StateEvent:         event[queue.StateData]{},
	string(child.Began):      event[child.BeganData]{},
	string(child.Phase):      event[child.PhaseData]{},
	string(child.Pass):       event[child.PassData]{},
	string(child.Checkpoint): event[child.CheckpointData]{},
	string(child.Exported):   event[child.ExportedData]{},
	string(child.Swapped):    event[child.SwappedData]{},
	string(child.Evaluating): event[struct{}]{},
	string(child.Ended):      event[child.EndedData]{},
	string(child.Failed):     event[child.FailedData]{},
	daemon.GroupEvent:        event[api.GroupData]{},
	endEvent:                 StreamEnd{},
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// Position is where a stream goes on.
type Position struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"20" doc:"The stream goes on after this event. Browsers send it when they come back."`
	After       string `query:"after" maxLength:"20" doc:"The same where no header can be sent; the header goes first."`
}

// number is the position as a number, and whether there is one.
func (p Position) number() (n uint64, given bool, err error) {
	for _, source := range []struct{ text, name string }{{p.LastEventID, "header.Last-Event-ID"}, {p.After, "query.after"}} {
		if source.text == "" {
			continue
		}
		if n, err = strconv.ParseUint(source.text, 10, 63); err != nil {
			return 0, false, huma.Error422UnprocessableEntity("the stream cannot go on there",
				&huma.ErrorDetail{Message: fmt.Sprintf("%q is not the number of an event", source.text), Location: source.name})
		}
		return n, true, nil
	}
	return 0, false, nil
}

// schemaOf is the type of the data of a kind of events.
func (s *Server) schemaOf(kind string) *huma.Schema {
	return s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(kinds[kind]), true, kind)
}

// registerEvents registers the streams of events.
func (s *Server) registerEvents() {
	schemas := map[string]*huma.Schema{}
	for kind := range kinds {
		schemas[kind] = s.schemaOf(kind)
	}
	all := operation(http.MethodGet, "/events", "events", "Events of all runs as a stream", 422)
	all.Description = "Without a position only events that are yet to come."
	s.documentStream(&all, schemas)
	huma.Register(s.api, all, func(ctx context.Context, in *Position) (*huma.StreamResponse, error) {
		after, given, err := in.number()
		switch {
		case err != nil:
		case given:
			after, err = s.o.Daemon.Position(ctx, after)
		default:
			after, err = s.o.Daemon.Queue().LastEvent(ctx)
		}
		if err != nil {
			return nil, problem(err)
		}
		return s.streamed(eventStream, func(h huma.Context, w *stream) error {
			return s.o.Daemon.Events(h.Context(), "", after, s.o.KeepAlive, func(events []queue.Event) error {
				w.events(events)
				if err := w.flush(); err != nil {
					return err
				}
				return w.alive(s.o.KeepAlive)
			})
		}), nil
	})
	one := operation(http.MethodGet, "/runs/{id}/events", "run-events", "Events of a run as a stream", 404, 422)
	one.Description = "Without a position all events of the run that are kept. When it has ended and all is sent, the last event is end."
	s.documentStream(&one, schemas)
	huma.Register(s.api, one, func(ctx context.Context, in *struct {
		RunPath
		Position
	}) (*huma.StreamResponse, error) {
		if _, err := s.o.Daemon.Get(ctx, in.ID); err != nil {
			return nil, problem(err)
		}
		after, _, err := in.number()
		if err == nil {
			after, err = s.o.Daemon.Position(ctx, after)
		}
		if err != nil {
			return nil, problem(err)
		}
		return s.streamed(eventStream, func(h huma.Context, w *stream) error { return s.follow(h.Context(), w, in.ID, after) }), nil
	})
}

// events adds events.
func (s *stream) events(events []queue.Event) {
	for _, e := range events {
		if e.Kind == string(child.Counts) { // what is in the metrics
			continue
		}
		data := e.Data
		if len(data) == 0 {
			data = json.RawMessage("null")
		}
		text, err := json.Marshal(event[json.RawMessage]{e.Run, e.Time.UTC(), data})
		if err != nil {
			continue // no event of this program is no JSON
		}
		s.event(e.Sequence, e.Kind, text)
	}
}

// Of looking whether a run has ended.
const (
	endCheck = 500 * time.Millisecond // how often, where there are no events
	endWait  = 5 * time.Second        // for the event that tells of it, which may have been lost
)

// follow sends the events of a run until it has ended.
func (s *Server) follow(ctx context.Context, w *stream, id string, after uint64) error {
	var ended time.Time // when it was first seen
	err := s.o.Daemon.Events(ctx, id, after, min(endCheck, s.o.KeepAlive), func(events []queue.Event) error {
		w.events(events)
		if err := w.flush(); err != nil {
			return err
		}
		if err := w.alive(s.o.KeepAlive); err != nil {
			return err
		}
		if len(events) > 0 {
			after = events[len(events)-1].Sequence
		}
		state, event, known := s.o.Daemon.State(id)
		switch {
		case !known || !state.Final():
			ended = time.Time{} // it may go on after an end
			return nil
		case ended.IsZero():
			ended = time.Now()
		}
		if (event == 0 || after < event) && (len(events) > 0 || time.Since(ended) < endWait) {
			return nil
		}
		if err := w.end(string(state)); err != nil {
			return err
		}
		return errEnded
	})
	if err == nil {
		return w.end("deleted")
	}
	return err
}

var errEnded = fmt.Errorf("the run has ended")
