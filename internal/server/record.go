package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/audit"
)

// changeKey is the context's key of the entry of a change.
type changeKey struct{}

// note adds to the entry of a change what it is about.
func note(ctx context.Context, run string, details map[string]any) {
	if e, ok := ctx.Value(changeKey{}).(*audit.Entry); ok {
		e.Run, e.Details = run, details
	}
}

// record writes down every change that is asked for, in the log and the audit, as what the answer
// says came of it.
func (s *Server) record(h huma.Context, next func(huma.Context)) {
	if m := h.Method(); m == http.MethodGet || m == http.MethodHead {
		next(h)
		return
	}
	e := &audit.Entry{At: time.Now().UTC(), By: bearer(h.Context()), Address: h.RemoteAddr(), What: h.Operation().OperationID}
	next(huma.WithValue(h, changeKey{}, e))
	e.Status = h.Status()
	s.write(e)
}

// write writes an entry.
func (s *Server) write(e *audit.Entry) {
	s.o.Log.Info("a change was asked for", "what", e.What, "run", e.Run, "details", e.Details, "by", e.By, "address", e.Address, "status", e.Status)
	if s.o.Audit == nil {
		return
	}
	if err := s.o.Audit.Write(*e); err != nil {
		s.o.Log.Error("a change is not on record", "what", e.What, "run", e.Run, "by", e.By, "reason", err)
	}
}
