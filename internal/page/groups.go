package page

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/disk"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
)

// groupKind marks a line among runs that stands for a group of them.
const groupKind job.Work = "group"

// groupRun is a group as such a line.
func groupRun(g *api.Group) api.Run {
	done := g.States[string(job.Done)]
	text := fmt.Sprintf("%d of %d members done", done, g.Members)
	for _, s := range []job.State{job.Running, job.Failed} {
		if n := g.States[string(s)]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, s)
		}
	}
	r := api.Run{
		ID: g.Name, Kind: groupKind, State: g.State, Title: g.Title, Tags: g.Tags, System: cmp.Or(g.System, "several"), Method: g.Method, Created: g.Created,
		Progress: &api.Progress{Phase: text, Done: float64(done) / float64(max(g.Members, 1)), Left: g.Left, At: time.Now()},
	}
	if g.State == job.Done {
		r.Outcome = &job.Outcome{Converged: g.Unconverged == 0}
	}
	return r
}

// groupsView is what the page of a group of runs is made of.
type groupsView struct {
	Group  *api.Group
	State  string
	Class  string
	Counts string
	Left   string
	Points []pointView
	More   int
	// Members is the address of their table, Files those of the files that belong to no point.
	Members string
	Files   []fileView
	Fault   string // of what cannot be read
	// What can be wished.
	Pauses, Resumes, Cancels, Retries bool
}

// pointView is one point of the matrix.
type pointView struct {
	ensemble.PointSummary
	Figure      string // its address, empty without
	Files       []fileView
	Unsure, Out []string // members that did not converge, and that are left out
}

// Bounds of the page of a group.
const (
	mostPointViews = 20
	mostMembers    = 20 // that are named
)

// runGroup shows a group of runs.
func (p *Page) runGroup(w http.ResponseWriter, r *http.Request) {
	said := map[string]string{"pause": "Its members will pause.", "cancel": "Its members will end.", "run": "Its members go on.", "failed": "Its members that failed are tried again."}
	p.showGroup(w, r, http.StatusOK, said[r.URL.Query().Get("done")], nil)
}

func (p *Page) showGroup(w http.ResponseWriter, r *http.Request, status int, said string, faults []string) {
	g, err := p.o.Daemon.Group(r.PathValue("name"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	l := layout{Title: g.Name, Section: "runs", Said: said, Faults: faults, Body: p.groupView(g)}
	if !g.State.Final() {
		l.Events = fmt.Sprintf("%s?after=%d", p.at(api.Prefix+"/groups", g.Name, "events"), g.Event)
	}
	p.render(w, r, "groups", status, l)
}

func (p *Page) groupView(g *api.Group) *groupsView {
	line := groupRun(g)
	v := &groupsView{Group: g, State: string(g.State), Class: stateClass(&line, g.Created), Members: p.at("/") + "?" + url.Values{"group": {g.Name}}.Encode()}
	if g.State == job.Submitted {
		v.State = waiting
	}
	if g.Left > 0 {
		v.Left = duration(seconds(g.Left))
	}
	under := g.State == job.Running || g.State == job.Submitted
	v.Pauses, v.Cancels = under, under || g.States[string(job.Paused)] > 0
	v.Resumes = g.States[string(job.Paused)]+g.States[string(job.Cancelled)] > 0
	v.Retries = g.States[string(job.Failed)] > 0
	for _, s := range slices.Concat(job.States, []job.State{ensemble.Deleted}) {
		if n := g.States[string(s)]; n > 0 {
			if v.Counts != "" {
				v.Counts += ", "
			}
			v.Counts += fmt.Sprintf("%d %s", n, s)
		}
	}
	files, err := p.o.Daemon.GroupFiles(g.Name)
	if err == nil {
		err = p.points(v, files.Files)
	}
	if err != nil {
		v.Fault = err.Error()
	}
	return v
}

// points fills in what was merged, of the files that there are.
func (p *Page) points(v *groupsView, files []api.File) error {
	root, err := p.o.Daemon.OpenGroup(v.Group.Name)
	if err != nil {
		return err
	}
	defer root.Close()
	f, _, err := disk.OpenRegular(root, ensemble.SummaryFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was merged yet
	}
	if err != nil {
		return err
	}
	defer f.Close()
	var s ensemble.Summary
	if err := json.NewDecoder(io.LimitReader(f, 64<<20)).Decode(&s); err != nil {
		return fmt.Errorf("%s: %w", ensemble.SummaryFile, err)
	}
	v.More = max(0, len(s.Points)-mostPointViews)
	for _, point := range s.Points[:min(len(s.Points), mostPointViews)] {
		one := pointView{PointSummary: point, Unsure: first(point.Unconverged)}
		for _, m := range point.LeftOut {
			one.Out = append(one.Out, fmt.Sprintf("%s: %s", m.Run, cut(cmp.Or(m.Reason, m.State), 160)))
		}
		one.Out = first(one.Out)
		v.Points = append(v.Points, one)
	}
	for _, file := range files {
		view := fileView{file, p.at(api.Prefix+"/groups", v.Group.Name, "files") + "/" + escapePath(file.Path)}
		folder := path.Dir(file.Path)
		if folder == "." {
			folder = ""
		}
		k := slices.IndexFunc(v.Points, func(one pointView) bool { return one.Folder == folder })
		ofGroup := file.Path == ensemble.MembersFile || file.Path == ensemble.SummaryFile
		switch {
		case path.Ext(file.Path) == ".json" && !ofGroup || path.Base(file.Path)[0] == '.':
		case ofGroup || folder == "" && (k < 0 || path.Ext(file.Path) == ".yaml"):
			v.Files = append(v.Files, view)
		case k < 0:
		case path.Base(file.Path) == ensemble.FigureFile:
			v.Points[k].Figure = view.Address
		default:
			v.Points[k].Files = append(v.Points[k].Files, view)
		}
	}
	return nil
}

// first shortens a list to what a page has room for.
func first(names []string) []string {
	if n := len(names); n > mostMembers {
		return append(slices.Clone(names[:mostMembers]), fmt.Sprintf("%d more", n-mostMembers))
	}
	return names
}

// wishGroup pauses, cancels or goes on with a group, or tries its failed members again.
func (p *Page) wishGroup(w http.ResponseWriter, r *http.Request) {
	name, wish := r.PathValue("name"), r.PostFormValue("wish")
	p.o.Note(r.Context(), name, map[string]any{"wish": wish})
	c := api.GroupChange{Wish: job.Wish(wish)}
	switch {
	case wish == "failed":
		c = api.GroupChange{Wish: job.Run, Only: "failed"}
	case !slices.Contains([]job.Wish{job.Run, job.Pause, job.Cancel}, c.Wish):
		p.showGroup(w, r, http.StatusUnprocessableEntity, "", []string{"wish: a group can be told to run, to pause, to cancel, or to try failed members again"})
		return
	}
	if _, err := p.o.Daemon.ChangeGroup(r.Context(), name, c); err != nil {
		p.showGroup(w, r, statusOf(err), "", textsOf(err))
		return
	}
	p.to(w, p.at("/groups", name), wish)
}
