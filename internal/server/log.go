package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/disk"
	"neuralwl/internal/report"
)

// logType is the type of a log: a JSON object per line.
const logType = "application/jsonl"

// Of following a log.
const (
	logPoll  = 300 * time.Millisecond // how often the file is looked at
	logBlock = 64 << 10               // bytes read at a time
)

// openLog opens the log of a run, nil if there is none yet.
func openLog(root *os.Root) (*os.File, int64, error) {
	f, about, err := disk.OpenRegular(root, report.EventsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	return f, about.Size(), nil
}

// registerLog registers the logs of runs.
func (s *Server) registerLog() {
	op := operation(http.MethodGet, "/runs/{id}/log", "log", "The log of a run, a JSON object per line", 404, 422, 503)
	op.Description = "With follow it goes on with lines as they come until the run has ended. A client that accepts text/event-stream alone gets them as events of the kind line, " +
		"whose id is a position from which it can go on, and end as the last one."
	text := &huma.Schema{Type: huma.TypeString}
	op.Responses = map[string]*huma.Response{"200": {Description: "Lines of the log.", Content: map[string]*huma.MediaType{
		logType: {Schema: text}, "text/event-stream": {Schema: text}}}}
	huma.Register(s.api, op, func(ctx context.Context, in *struct {
		RunPath
		Lines  int    `query:"lines" minimum:"0" maximum:"1000000" default:"0" doc:"Only so many of the last lines; 0 for all."`
		Follow bool   `query:"follow" doc:"Go on with lines as they come."`
		Accept string `header:"Accept" doc:"text/event-stream for events, with follow."`
		Position
	}) (*huma.StreamResponse, error) {
		if _, err := s.o.Daemon.Get(ctx, in.ID); err != nil {
			return nil, problem(err)
		}
		at, resumes, err := in.number()
		if err != nil {
			return nil, err
		}
		if !in.Follow {
			root, err := s.o.Daemon.Open(in.ID)
			if err != nil {
				return nil, problem(err)
			}
			return s.logged(root, in.ID, in.Lines), nil
		}
		kind := logType
		if strings.HasPrefix(in.Accept, eventStream) {
			kind = eventStream
		}
		return s.streamed(kind, func(h huma.Context, w *stream) error {
			root, err := s.o.Daemon.Open(in.ID)
			if err != nil {
				return err
			}
			defer root.Close()
			l := follower{root: root, at: int64(at), lines: in.Lines, began: resumes}
			return s.followLog(h.Context(), w, &l, in.ID, kind == eventStream)
		}), nil
	})
}

// logged sends the last lines of a log.
func (s *Server) logged(root *os.Root, id string, lines int) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(h huma.Context) {
		defer root.Close()
		w := h.BodyWriter().(*answerer)
		f, size, err := openLog(root)
		if err != nil {
			refuseError(w, s.o.Log, err)
			return
		}
		w.Header().Set("Content-Type", logType)
		if f == nil {
			w.WriteHeader(http.StatusOK)
			return
		}
		defer f.Close()
		from, to, err := disk.LastLines(f, size, lines)
		if err != nil {
			refuseError(w, s.o.Log, fmt.Errorf("log of %s: %w", id, err))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(to-from))
		w.WriteHeader(http.StatusOK)
		io.Copy(w, io.NewSectionReader(f, from, to-from)) // a client that went away needs nothing
	}}
}

// follower reads a log that grows.
type follower struct {
	root  *os.Root
	at    int64 // behind the last line that was read
	lines int   // to begin with
	began bool
}

// next returns the complete lines that came since, some of them if there are many.
func (l *follower) next() ([]byte, error) {
	f, size, err := openLog(l.root)
	if f == nil || err != nil {
		return nil, err
	}
	defer f.Close()
	switch {
	case !l.began:
		if l.at, _, err = disk.LastLines(f, size, l.lines); err != nil {
			return nil, err
		}
		l.began = true
	case l.at > size: // it was cut
		if _, l.at, err = disk.LastLines(f, size, 0); err != nil {
			return nil, err
		}
	}
	for block := int64(logBlock); ; block *= 2 {
		data := make([]byte, min(block, size-l.at))
		if _, err := f.ReadAt(data, l.at); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		end := bytes.LastIndexByte(data, '\n') + 1
		if end > 0 || l.at+block >= size { // else a line longer than the block
			return data[:end], nil
		}
	}
}

// followLog sends a log until its run has ended and all is sent.
func (s *Server) followLog(ctx context.Context, w *stream, l *follower, id string, events bool) error {
	over := false
	for {
		data, err := l.next()
		if err != nil {
			return err
		}
		if len(data) == 0 && over {
			if !events {
				return nil
			}
			state, _, known := s.o.Daemon.State(id)
			if !known {
				state = "deleted"
			}
			return w.end(string(state))
		}
		if events {
			for line := range bytes.Lines(data) {
				l.at += int64(len(line))
				w.event(uint64(l.at), "line", line)
			}
		} else {
			w.text.Write(data)
			l.at += int64(len(data))
		}
		if err := w.flush(); err != nil {
			return err
		}
		if events {
			if err := w.alive(s.o.KeepAlive); err != nil {
				return err
			}
		}
		if len(data) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(logPoll):
		}
		// What a run logs at its end is in the file before its state is final.
		state, _, known := s.o.Daemon.State(id)
		_, gone := l.root.Stat(".")
		over = known && state.Final() || !known && gone != nil
	}
}
