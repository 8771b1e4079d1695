package server

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// runPath is the path parameter of one run.
type runPath struct {
	ID string `path:"id" maxLength:"64" doc:"The run's name."`
}

// runBody is the answer that describes a run.
type runBody struct{ Body api.Run }

// runFilter chooses runs.
type runFilter struct {
	State  []job.State `query:"state" enum:"submitted,queued,running,paused,done,failed,cancelled" doc:"Only runs in one of these states."`
	Tag    []string    `query:"tag" doc:"Only runs with all of these tags."`
	Limit  int         `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Runs on a page."`
	Before string      `query:"before" maxLength:"64" doc:"Only runs after this one in the list, as the answer before gave it."`
}

func (f *runFilter) keep(r *api.Run) bool {
	if len(f.State) > 0 && !slices.Contains(f.State, r.State) {
		return false
	}
	return !slices.ContainsFunc(f.Tag, func(t string) bool { return !slices.Contains(r.Tags, t) })
}

// page cuts a page out of the list.
func (f *runFilter) page(all []api.Run) (runs []api.Run, next string) {
	if i := slices.IndexFunc(all, func(r api.Run) bool { return r.ID == f.Before }); i >= 0 {
		all = all[i+1:]
	}
	if len(all) > f.Limit {
		return all[:f.Limit], all[f.Limit-1].ID
	}
	return all, ""
}

func (s *Server) registerRuns() {
	d := s.o.Daemon
	submit := operation(http.MethodPost, "/runs", "submit", "Submit a run", 409, 422)
	submit.DefaultStatus = http.StatusCreated
	huma.Register(s.api, submit, func(ctx context.Context, in *struct{ Body api.Submission }) (*runBody, error) {
		return answer(d.Submit(ctx, in.Body, ""))
	})
	huma.Register(s.api, operation(http.MethodGet, "/runs", "list", "List runs, the newest first"), func(ctx context.Context, in *runFilter) (*struct{ Body api.RunList }, error) {
		out := &struct{ Body api.RunList }{}
		out.Body.Runs, out.Body.Next = in.page(d.List(in.keep))
		return out, nil
	})
	huma.Register(s.api, operation(http.MethodGet, "/runs/{id}", "show", "Show a run", 404), func(ctx context.Context, in *runPath) (*runBody, error) {
		return answer(d.Get(ctx, in.ID))
	})
	huma.Register(s.api, operation(http.MethodPatch, "/runs/{id}", "change", "Pause, cancel or go on with a run, or change its description", 404, 409, 422), func(ctx context.Context, in *struct {
		runPath
		Body api.RunChange
	}) (*runBody, error) {
		return answer(d.Change(ctx, in.ID, in.Body))
	})
	remove := operation(http.MethodDelete, "/runs/{id}", "delete", "Delete a run that is not running, with its directory", 404, 409)
	huma.Register(s.api, remove, func(ctx context.Context, in *runPath) (*struct{}, error) {
		return nil, problem(d.Delete(ctx, in.ID))
	})
}

func answer(r *api.Run, err error) (*runBody, error) {
	if err != nil {
		return nil, problem(err)
	}
	return &runBody{*r}, nil
}
