package server

import (
	"context"
	"net/http"

	"neuralwl/internal/page"
	"neuralwl/internal/token"
)

// registerPages registers what people see in a browser.
func (s *Server) registerPages() error {
	pages, err := page.New(page.Options{
		Daemon: s.o.Daemon, BasePath: s.o.BasePath, Version: s.o.Version, Log: s.o.Log, Asks: s.asks, Note: note,
	})
	if err != nil {
		return err
	}
	for _, route := range pages.Routes() {
		handler := http.Handler(route.Handler)
		if route.Change != "" {
			handler = s.recorded(route.Change, handler)
		}
		s.mux.Handle(route.Pattern, handler)
	}
	return nil
}

// asks says whose request it is and whether they may change anything.
func (s *Server) asks(ctx context.Context) (name string, operates bool) {
	e, known := ctx.Value(bearerKey{}).(token.Entry)
	return e.Name, !known && s.secrets.Load().Tokens == nil || e.Role.Allows(token.Operate)
}
