package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/queue"
)

// writeTime bounds one write to a stream; a client that reads more slowly loses it.
const writeTime = 10 * time.Second

// registerEvents registers the streams of events.
func (s *Server) registerEvents() {
	type resume struct {
		LastEventID string `header:"Last-Event-ID" maxLength:"20" doc:"The stream goes on after this event."`
	}
	stream := func(ctx context.Context, run string, r resume) (*huma.StreamResponse, error) {
		var after uint64
		if r.LastEventID != "" {
			var err error
			if after, err = strconv.ParseUint(r.LastEventID, 10, 64); err != nil {
				return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("Last-Event-ID: %q is not the number of an event", r.LastEventID))
			}
		}
		if run != "" {
			if _, err := s.o.Daemon.Get(ctx, run); err != nil {
				return nil, problem(err)
			}
		}
		return &huma.StreamResponse{Body: func(h huma.Context) {
			h.SetHeader("Content-Type", "text/event-stream")
			h.SetHeader("Cache-Control", "no-store")
			w := h.BodyWriter().(http.ResponseWriter)
			control := http.NewResponseController(w)
			err := s.o.Daemon.Queue().Events(h.Context(), run, after, func(e queue.Event) error {
				control.SetWriteDeadline(time.Now().Add(writeTime))
				if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: {\"run\":%q,\"at\":%q,\"data\":%s}\n\n", e.Sequence, e.Kind, e.Run, e.Time.UTC().Format(time.RFC3339Nano), e.Data); err != nil {
					return err
				}
				return control.Flush()
			})
			if h.Context().Err() == nil {
				s.o.Log.Debug("a stream of events ended", "run", run, "reason", err)
			}
		}}, nil
	}
	all := operation(http.MethodGet, "/events", "events", "Events of all runs as a stream", 422)
	huma.Register(s.api, all, func(ctx context.Context, in *resume) (*huma.StreamResponse, error) {
		return stream(ctx, "", *in)
	})
	one := operation(http.MethodGet, "/runs/{id}/events", "run-events", "Events of a run as a stream", 404, 422)
	huma.Register(s.api, one, func(ctx context.Context, in *struct {
		runPath
		resume
	}) (*huma.StreamResponse, error) {
		return stream(ctx, in.ID, in.resume)
	})
}
