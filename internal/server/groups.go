package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
	"neuralwl/internal/queue"
)

// GroupPath is the path parameter of one group.
type GroupPath struct {
	Name string `path:"name" maxLength:"64" doc:"The group's name."`
}

type groupBody struct{ Body api.Group }

// groupPage is a page of the list.
type groupPage struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Groups on a page."`
	Before string `query:"before" maxLength:"64" doc:"The value of next of the page before."`
}

// cut cuts a page out of the list. Its position is the name of the last group of the page before.
func (p *groupPage) cut(all []api.Group) *api.GroupList {
	if p.Before != "" {
		k := slices.IndexFunc(all, func(g api.Group) bool { return g.Name == p.Before })
		all = all[k+1:] // from the beginning if it is gone
	}
	l := &api.GroupList{Groups: all}
	if len(all) > p.Limit {
		l.Groups, l.Next = all[:p.Limit], all[p.Limit-1].Name
	}
	return l
}

// groupOperation is an operation about groups.
func groupOperation(method, path, id, summary string, more ...int) huma.Operation {
	o := operation(method, "/groups"+path, id, summary, more...)
	o.Tags = []string{"groups"}
	return o
}

// registerGroups registers groups of runs.
func (s *Server) registerGroups() {
	d := s.o.Daemon
	submit := groupOperation(http.MethodPost, "", "submit-group", "Submit a group of runs, all combinations of the values of its settings", 409, 507)
	submit.Description = "A request that is repeated, as its answer was lost, goes on where the first one ended."
	submit.DefaultStatus = http.StatusCreated
	huma.Register(s.api, submit, func(ctx context.Context, in *struct{ Body api.GroupSubmission }) (*submittedGroup, error) {
		g, err := d.SubmitGroup(ctx, in.Body, bearer(ctx))
		if err != nil {
			note(ctx, in.Body.Name, nil)
			return nil, submissionProblem(err, in.Body.Set)
		}
		note(ctx, g.Name, map[string]any{"members": g.Members})
		return &submittedGroup{s.o.BasePath + api.Prefix + "/groups/" + g.Name, *g}, nil
	})
	huma.Register(s.api, groupOperation(http.MethodGet, "", "list-groups", "List groups, the newest first", 422), func(ctx context.Context, in *groupPage) (*struct{ Body api.GroupList }, error) {
		return &struct{ Body api.GroupList }{*in.cut(d.Groups())}, nil
	})
	huma.Register(s.api, groupOperation(http.MethodGet, "/{name}", "show-group", "Show a group", 404, 422), func(ctx context.Context, in *GroupPath) (*groupBody, error) {
		return groupAnswer(d.Group(in.Name))
	})
	change := groupOperation(http.MethodPatch, "/{name}", "change-group", "Pause, cancel or go on with the members of a group", 404, 409)
	huma.Register(s.api, change, func(ctx context.Context, in *struct {
		GroupPath
		Body api.GroupChange
	}) (*groupBody, error) {
		details := map[string]any{"wish": in.Body.Wish}
		if in.Body.Only != "" {
			details["only"] = in.Body.Only
		}
		if len(in.Body.Set) > 0 {
			details["set"] = in.Body.Set
		}
		note(ctx, in.Name, details)
		g, err := d.ChangeGroup(ctx, in.Name, in.Body)
		if err != nil {
			return nil, submissionProblem(err, in.Body.Set)
		}
		return &groupBody{*g}, nil
	})
	remove := groupOperation(http.MethodDelete, "/{name}", "delete-group", "Delete a group with all of its members, of which none may be running", 404, 409, 422)
	huma.Register(s.api, remove, func(ctx context.Context, in *GroupPath) (*struct{}, error) {
		note(ctx, in.Name, nil)
		return nil, problem(d.DeleteGroup(in.Name))
	})
	s.allowNull("GroupSubmission", "GroupChange")
	s.registerGroupEvents()
	s.registerGroupFiles()
}

// submittedGroup is the answer to a submission.
type submittedGroup struct {
	Location string `header:"Location" doc:"Address of the group."`
	Body     api.Group
}

func groupAnswer(g *api.Group, err error) (*groupBody, error) {
	if err != nil {
		return nil, problem(err)
	}
	return &groupBody{*g}, nil
}

// registerGroupEvents registers the stream of a group's events.
func (s *Server) registerGroupEvents() {
	one := groupOperation(http.MethodGet, "/{name}/events", "group-events", "Events of a group as a stream", 404, 422)
	one.Description = "How far it is, whenever its results were made again; events of its members are among those of all runs. The last event is end if the group is deleted."
	s.documentStream(&one, map[string]*huma.Schema{daemon.GroupEvent: s.schemaOf(daemon.GroupEvent), endEvent: s.schemaOf(endEvent)})
	huma.Register(s.api, one, func(ctx context.Context, in *struct {
		GroupPath
		Position
	}) (*huma.StreamResponse, error) {
		if _, err := s.o.Daemon.Group(in.Name); err != nil {
			return nil, problem(err)
		}
		after, _, err := in.number()
		if err == nil {
			after, err = s.o.Daemon.Position(ctx, after)
		}
		if err != nil {
			return nil, problem(err)
		}
		return s.streamed(eventStream, func(h huma.Context, w *stream) error {
			if err := s.o.Daemon.Events(h.Context(), in.Name, after, min(time.Second, s.o.KeepAlive), func(events []queue.Event) error {
				w.events(events)
				if err := w.flush(); err != nil {
					return err
				}
				return w.alive(s.o.KeepAlive)
			}); err != nil {
				return err
			}
			return w.end("deleted")
		}), nil
	})
}

// registerGroupFiles registers the files of groups.
func (s *Server) registerGroupFiles() {
	op := groupOperation(http.MethodGet, "/{name}/files", "group-files", "The files of a group", 404, 422)
	huma.Register(s.api, op, func(ctx context.Context, in *GroupPath) (*struct{ Body api.FileList }, error) {
		l, err := s.o.Daemon.GroupFiles(in.Name)
		if err != nil {
			return nil, problem(err)
		}
		return &struct{ Body api.FileList }{*l}, nil
	})
	one := groupOperation(http.MethodGet, "/{name}/files/{path}", "group-file", "A file of a group, whole or in part", 404, 416)
	s.documentFile(one, "name", "The group's name.", "the folder of the group")
	s.mux.HandleFunc("GET "+api.Prefix+"/groups/{name}/files/{path...}", func(w http.ResponseWriter, r *http.Request) {
		root, err := s.o.Daemon.OpenGroup(r.PathValue("name"))
		if err != nil {
			refuseError(w, s.o.Log, err)
			return
		}
		s.fileIn(w, r, r.PathValue("name"), root)
	})
}
