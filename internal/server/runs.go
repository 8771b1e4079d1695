package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
	"neuralwl/internal/job"
)

// RunPath is the path parameter of one run.
type RunPath struct {
	ID string `path:"id" maxLength:"64" doc:"The run's name."`
}

// runBody is the answer that describes a run.
type runBody struct{ Body api.Run }

// runFilter chooses runs.
type runFilter struct {
	State  []job.State `query:"state" enum:"submitted,queued,running,paused,done,failed,cancelled" doc:"Only runs in one of these states."`
	Tag    []string    `query:"tag" doc:"Only runs with all of these tags."`
	Text   string      `query:"text" maxLength:"200" doc:"Only runs with this text in name or title, in small or capital letters."`
	System string      `query:"system" maxLength:"64" doc:"Only runs of this system, such as q10-16x16."`
	Method string      `query:"method" maxLength:"64" doc:"Only runs by this method, such as wang-landau."`
	Group  string      `query:"group" maxLength:"64" doc:"Only members of this group."`
	// Members leaves out the members of all groups if it is false.
	Members bool   `query:"members" default:"true" doc:"Without members of groups if it is false."`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Runs on a page."`
	Before  string `query:"before" maxLength:"100" doc:"The value of next of the page before."`
}

func (f *runFilter) keep(r *api.Run) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(f.Text)) }
	switch {
	case len(f.State) > 0 && !slices.Contains(f.State, r.State):
	case f.Text != "" && !has(r.ID) && !has(r.Title):
	case f.Group != "" && f.Group != r.Group, !f.Members && r.Group != "":
	case f.System != "" && f.System != r.System:
	case f.Method != "" && f.Method != r.Method:
	default:
		return !slices.ContainsFunc(f.Tag, func(t string) bool { return !slices.Contains(r.Tags, t) })
	}
	return false
}

// page cuts a page out of the list. Its position is that of the last run of the page before,
// which may be gone by now.
func (f *runFilter) page(all []api.Run) (runs []api.Run, next string, err error) {
	if f.Before != "" {
		stamp, id, _ := strings.Cut(f.Before, "_")
		at, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil {
			return nil, "", huma.Error422UnprocessableEntity("before is not what an answer gave as next", &huma.ErrorDetail{Message: "it is no position in the list", Location: "query.before"})
		}
		last := api.Run{ID: id, Created: time.Unix(0, at)}
		i := slices.IndexFunc(all, func(r api.Run) bool { return daemon.Order(&r, &last) > 0 })
		if i < 0 {
			return []api.Run{}, "", nil
		}
		all = all[i:]
	}
	if len(all) > f.Limit {
		all = all[:f.Limit]
		last := all[f.Limit-1]
		next = fmt.Sprintf("%d_%s", last.Created.UnixNano(), last.ID)
	}
	return all, next, nil
}

func (s *Server) registerRuns() {
	d := s.o.Daemon
	submit := operation(http.MethodPost, "/runs", "submit", "Submit a run", 409, 507)
	submit.DefaultStatus = http.StatusCreated
	huma.Register(s.api, submit, func(ctx context.Context, in *struct{ Body api.Submission }) (*submitted, error) {
		r, err := d.Submit(ctx, in.Body, bearer(ctx))
		if err != nil {
			note(ctx, in.Body.ID, nil)
			return nil, submissionProblem(err, in.Body.Set)
		}
		note(ctx, r.ID, nil)
		return &submitted{s.o.BasePath + api.Prefix + "/runs/" + r.ID, *r}, nil
	})
	huma.Register(s.api, operation(http.MethodGet, "/runs", "list", "List runs, the newest first", 422), func(ctx context.Context, in *runFilter) (*struct{ Body api.RunList }, error) {
		runs, next, err := in.page(d.List(in.keep))
		return &struct{ Body api.RunList }{api.RunList{Runs: runs, Next: next}}, err
	})
	huma.Register(s.api, operation(http.MethodGet, "/runs/{id}", "show", "Show a run", 404, 422), func(ctx context.Context, in *RunPath) (*runBody, error) {
		return answer(d.Get(ctx, in.ID))
	})
	huma.Register(s.api, operation(http.MethodPatch, "/runs/{id}", "change", "Pause, cancel or go on with a run, or change its description", 404, 409), func(ctx context.Context, in *struct {
		RunPath
		Body api.RunChange
	}) (*runBody, error) {
		note(ctx, in.ID, changed(in.Body))
		r, err := d.Change(ctx, in.ID, in.Body)
		if err != nil {
			return nil, submissionProblem(err, in.Body.Set)
		}
		return &runBody{*r}, nil
	})
	remove := operation(http.MethodDelete, "/runs/{id}", "delete", "Delete a run that is not running, with its directory", 404, 409, 422)
	huma.Register(s.api, remove, func(ctx context.Context, in *RunPath) (*struct{}, error) {
		note(ctx, in.ID, nil)
		return nil, problem(d.Delete(ctx, in.ID))
	})
	s.allowNull("Submission", "RunChange")
}

// allowNull documents of bodies what holds anyway: a field that is null is as one left out.
func (s *Server) allowNull(bodies ...string) {
	for _, body := range bodies {
		schema := s.api.OpenAPI().Components.Schemas.Map()[body]
		for name, field := range schema.Properties {
			switch {
			case slices.Contains(schema.Required, name):
			case field.Ref != "":
				schema.Properties[name] = &huma.Schema{AnyOf: []*huma.Schema{field, {Type: "null"}}, Description: field.Description}
			case len(field.Enum) > 0:
				field.Nullable, field.Enum = true, append(field.Enum, nil)
			default:
				field.Nullable = true
			}
		}
	}
}

// submitted is the answer to a submission.
type submitted struct {
	Location string `header:"Location" doc:"Address of the run."`
	Body     api.Run
}

// changed is what a change is about, without texts for people.
func changed(c api.RunChange) map[string]any {
	details := map[string]any{}
	if c.Wish != "" {
		details["wish"] = c.Wish
	}
	if len(c.Set) > 0 {
		details["set"] = c.Set
	}
	for field, given := range map[string]bool{"title": c.Title != nil, "tags": c.Tags != nil, "notes": c.Notes != nil} {
		if given {
			details[field] = true
		}
	}
	return details
}

func answer(r *api.Run, err error) (*runBody, error) {
	if err != nil {
		return nil, problem(err)
	}
	return &runBody{*r}, nil
}
