package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/history"
	"neuralwl/internal/live"
)

// runHistory is a run's history in JSON, by columns.
type runHistory struct {
	Run            string    `json:"run"`
	Pass           []int64   `json:"pass" doc:"Passes made by the run over all phases."`
	Seconds        []float64 `json:"seconds" doc:"That the run had taken, over all resumptions."`
	Phase          []string  `json:"phase"`
	LnF            []float64 `json:"ln_f" doc:"Modification factor of Wang-Landau sampling, height of the highest hill in metadynamics, else 0."`
	Flatness       []float64 `json:"flatness" doc:"Visits to the least visited level over their mean."`
	Levels         []int     `json:"levels" doc:"Visited so far."`
	RoundTrips     []float64 `json:"round_trips" doc:"Since the phase began, as the following counts."`
	LocalTrials    []int64   `json:"local_trials"`
	LocalAccepted  []int64   `json:"local_accepted"`
	NeuralTrials   []int64   `json:"neural_trials"`
	NeuralAccepted []int64   `json:"neural_accepted"`
	Steps          []int64   `json:"steps" doc:"Gradient steps of the run's present process."`
	Loss           []float64 `json:"loss" doc:"Mean of the steps since the point before, 0 without any."`
}

func historyOf(run string, points []history.Point) *runHistory {
	h := &runHistory{
		Run: run, Pass: []int64{}, Seconds: []float64{}, Phase: []string{}, LnF: []float64{}, Flatness: []float64{}, Levels: []int{}, RoundTrips: []float64{},
		LocalTrials: []int64{}, LocalAccepted: []int64{}, NeuralTrials: []int64{}, NeuralAccepted: []int64{}, Steps: []int64{}, Loss: []float64{},
	}
	for _, p := range points {
		h.Pass, h.Seconds, h.Phase = append(h.Pass, p.Pass), append(h.Seconds, p.Seconds), append(h.Phase, p.Phase)
		h.LnF, h.Flatness, h.Levels, h.RoundTrips = append(h.LnF, p.LnF), append(h.Flatness, p.Flatness), append(h.Levels, p.Levels), append(h.RoundTrips, p.RoundTrips)
		h.LocalTrials, h.LocalAccepted = append(h.LocalTrials, p.Local.Trials), append(h.LocalAccepted, p.Local.Accepted)
		h.NeuralTrials, h.NeuralAccepted = append(h.NeuralTrials, p.Neural.Trials), append(h.NeuralAccepted, p.Neural.Accepted)
		h.Steps, h.Loss = append(h.Steps, p.Steps), append(h.Loss, p.Loss)
	}
	return h
}

// thinned leaves at most that many points, the last among them.
func thinned(points []history.Point, most int) []history.Point {
	if len(points) <= most {
		return points
	}
	thin := make([]history.Point, most)
	for i := range thin {
		thin[i] = points[(i+1)*len(points)/most-1]
	}
	return thin
}

// recordedOf asks for what a run records as it goes on. It takes no lock.
func recordedOf[T any](ctx context.Context, s *Server, id string, read func(folder string) (T, error)) (found T, err error) {
	run, err := s.o.Daemon.Get(ctx, id)
	if err != nil {
		return found, problem(err)
	}
	if found, err = read(s.o.Daemon.Folder(id)); errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is %s: there is nothing recorded yet: %w", id, run.State, errNone)
	}
	return found, problem(err)
}

// registerLive registers what can be seen of a run while it goes on.
func (s *Server) registerLive() {
	picture := operation(http.MethodGet, "/runs/{id}/live", "live", "The present state of a run, for figures", 404, 409, 422)
	picture.Description = "Made every few seconds, with at most 2,000 energies, and kept when the run has ended. 409 as long as there is none, as of a run that has not begun."
	huma.Register(s.api, picture, func(ctx context.Context, in *RunPath) (*struct{ Body *live.Picture }, error) {
		p, err := recordedOf(ctx, s, in.ID, live.ReadPicture)
		if err != nil {
			return nil, err
		}
		return &struct{ Body *live.Picture }{p}, nil
	})
	past := operation(http.MethodGet, "/runs/{id}/history", "history", "How a run went, over the time", 404, 409, 422)
	past.Description = "The last point is always there. 409 as long as there is none."
	huma.Register(s.api, past, func(ctx context.Context, in *struct {
		RunPath
		Points int `query:"points" minimum:"1" maximum:"2000" default:"1000" doc:"At most so many, evenly spread; a run records up to 2,000."`
	}) (*struct{ Body *runHistory }, error) {
		points, err := recordedOf(ctx, s, in.ID, history.Read)
		if err != nil {
			return nil, err
		}
		return &struct{ Body *runHistory }{historyOf(in.ID, thinned(points, in.Points))}, nil
	})
}
