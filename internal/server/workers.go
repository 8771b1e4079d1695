package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
)

// WorkerPath is the path parameter of the workers of a name.
type WorkerPath struct {
	Name string `path:"name" maxLength:"32" doc:"The name by which they were invited, head for the daemon's own."`
}

func (s *Server) registerWorkers() {
	d := s.o.Daemon
	of := func(method, path, id, summary string, more ...int) huma.Operation {
		o := operation(method, path, id, summary, more...)
		o.Tags = []string{"workers"}
		return o
	}
	type list struct{ Body api.WorkerList }
	huma.Register(s.api, of(http.MethodGet, "/workers", "workers", "List the workers"), func(ctx context.Context, _ *struct{}) (*list, error) {
		l, err := d.Workers()
		if err != nil {
			return nil, problem(err)
		}
		return &list{*l}, nil
	})
	drain := of(http.MethodPatch, "/workers/{name}", "drain", "Have workers take no new runs, or take them again", 404, 422)
	drain.Description = "It holds for all workers of the name, also those that come later. The answer lists them as they were last heard of."
	huma.Register(s.api, drain, func(ctx context.Context, in *struct {
		WorkerPath
		Body api.WorkerChange
	}) (*list, error) {
		note(ctx, "", map[string]any{"worker": in.Name, "drain": in.Body.Drain, "now": in.Body.Now})
		if err := d.Drain(ctx, in.Name, in.Body); err != nil {
			return nil, problem(err)
		}
		l, err := d.Workers()
		if err != nil {
			return nil, problem(err)
		}
		of := api.WorkerList{Workers: []api.Worker{}}
		for _, w := range l.Workers {
			if w.Name == in.Name {
				of.Workers = append(of.Workers, w)
			}
		}
		return &list{of}, nil
	})
	s.allowNull("WorkerChange")
}
