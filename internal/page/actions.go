package page

import (
	"context"
	"net/http"
	"slices"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// wish pauses, cancels or goes on with a run.
func (p *Page) wish(w http.ResponseWriter, r *http.Request) {
	id, wish := r.PathValue("id"), job.Wish(r.PostFormValue("wish"))
	p.o.Note(r.Context(), id, map[string]any{"wish": wish})
	if !slices.Contains([]job.Wish{job.Run, job.Pause, job.Cancel}, wish) {
		p.refuse(w, r, id, http.StatusUnprocessableEntity, []string{"wish: a run can be told to run, to pause or to cancel"}, "")
		return
	}
	if _, err := p.o.Daemon.Change(r.Context(), id, api.RunChange{Wish: wish}); err != nil {
		p.refuse(w, r, id, statusOf(err), textsOf(err), "")
		return
	}
	p.to(w, p.at("/runs", id), string(wish))
}

// swap exchanges the network of a run.
func (p *Page) swap(w http.ResponseWriter, r *http.Request) {
	p.exchange(w, r, r.PathValue("id"))
}

// swapInto exchanges the network of a run that the form names.
func (p *Page) swapInto(w http.ResponseWriter, r *http.Request) {
	p.exchange(w, r, r.PostFormValue("run"))
}

// exchange has a run go on with another network, and answers when that is done. On any fault the
// run keeps the one that it has, and its page says why.
func (p *Page) exchange(w http.ResponseWriter, r *http.Request, id string) {
	s := api.SwapRequest{Bundle: r.PostFormValue("bundle"), Back: r.PostFormValue("back") != ""}
	if s.Back {
		s.Bundle = ""
	}
	if r.PostFormValue("restart") != "" {
		s.Phase = api.RestartPhase
	}
	p.o.Note(r.Context(), id, map[string]any{"bundle": s.Bundle, "back": s.Back, "phase": s.Phase})
	ctx, cancel := context.WithTimeout(r.Context(), api.SwapTime)
	defer cancel()
	if _, err := p.o.Daemon.Swap(ctx, id, s); err != nil {
		faults := append([]string{"The network was not exchanged; the run keeps the one that it has."}, textsOf(err)...)
		p.refuse(w, r, id, statusOf(err), faults, s.Bundle)
		return
	}
	p.to(w, p.at("/runs", id), "swap")
}

// refuse shows the page of a run with what was wrong with a change of it.
func (p *Page) refuse(w http.ResponseWriter, r *http.Request, id string, status int, faults []string, chosen string) {
	v, err := p.view(r.Context(), id)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	v.Chosen = chosen
	if status >= http.StatusInternalServerError {
		p.o.Log.Error("a change failed", "run", id, "reason", faults)
	}
	p.renderRun(w, r, status, v, "", faults)
}
