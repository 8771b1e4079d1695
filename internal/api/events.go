package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Event is something that happened to a run.
type Event struct {
	ID   uint64 // rises over all runs
	Kind string
	Run  string
	At   time.Time
	Data json.RawMessage // by kind
}

// How a stream is taken up again.
const (
	firstPause = 500 * time.Millisecond // doubles with every try in vain
	lastPause  = 15 * time.Second
	// silence is how long a stream may say nothing before it is opened anew, in case its
	// other end is gone without a word.
	silence = time.Minute
)

// Events hands over the events of a run, of all runs if that is empty, that have higher numbers
// than after, until ctx ends or f returns an error, which it returns. A stream that breaks is
// taken up again where it ended, as often as it takes; contact, unless nil, is told of a daemon
// that cannot be reached, and with nil that it answers again. An answer that is a Problem of
// the request ends it.
func (c *Client) Events(ctx context.Context, run string, after uint64, contact func(error), f func(Event) error) error {
	path := "/events"
	if run != "" {
		path = "/runs/" + url.PathEscape(run) + "/events"
	}
	return again(ctx, contact, func(connected func()) error {
		return c.events(ctx, path, &after, connected, f)
	})
}

// errFinal marks an error that trying again does not mend.
type errFinal struct{ error }

func (e errFinal) Unwrap() error { return e.error }

// again calls stream, which says when it is connected, until ctx ends or it fails for good.
func again(ctx context.Context, contact func(error), stream func(connected func()) error) error {
	lost, pause := false, firstPause
	tell := func(err error) {
		if lost = err != nil; contact != nil {
			contact(err)
		}
	}
	for {
		err := stream(func() {
			if pause = firstPause; lost {
				tell(nil)
			}
		})
		var final errFinal
		var problem *Problem
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &final):
			return final.error
		case errors.As(err, &problem) && problem.Status < 500:
			return err
		case err != nil && !lost:
			tell(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
			pause = min(2*pause, lastPause)
		}
	}
}

// stream opens a stream. It ends with an error when it says nothing for long; alive is to be
// called with every sign of life.
func (c *Client) stream(ctx context.Context, path string, header http.Header) (body io.ReadCloser, alive func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	response, err := c.do(ctx, http.MethodGet, path, nil, header)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	timer := time.AfterFunc(silence, cancel)
	return closer{response.Body, func() error {
		timer.Stop()
		cancel()
		return response.Body.Close()
	}}, func() { timer.Reset(silence) }, nil
}

type closer struct {
	io.Reader
	close func() error
}

func (c closer) Close() error { return c.close() }

// events reads one stream until it ends, and raises after. The error is nil where the stream
// just ended.
func (c *Client) events(ctx context.Context, path string, after *uint64, connected func(), f func(Event) error) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if *after > 0 {
		header.Set("Last-Event-ID", strconv.FormatUint(*after, 10))
	}
	body, alive, err := c.stream(ctx, path, header)
	if err != nil {
		return err
	}
	defer body.Close()
	connected()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 4<<20)
	e, data := Event{}, []byte(nil)
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			if e.ID, err = strconv.ParseUint(string(value), 10, 64); err != nil {
				return errFinal{fmt.Errorf("events: %q is not the number of an event", value)}
			}
		case "event":
			e.Kind = string(value)
		case "data":
			data = append(append(data, value...), '\n')
		}
		if len(line) > 0 {
			continue
		}
		if data != nil {
			var content struct {
				Run  string          `json:"run"`
				At   time.Time       `json:"at"`
				Data json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal(data, &content); err != nil {
				return errFinal{fmt.Errorf("events: event %d cannot be read: %w", e.ID, err)}
			}
			e.Run, e.At, e.Data = content.Run, content.At, content.Data
			if err := f(e); err != nil {
				return errFinal{err}
			}
			*after = max(*after, e.ID)
		}
		e, data = Event{}, nil
	}
	return nil
}

// Log hands over the last lines of a run's log, all of it if lines is 0, each without its
// end. With follow it goes on with lines as they come, until ctx ends; a stream that breaks is
// taken up again after the last line, and contact told as Events does.
func (c *Client) Log(ctx context.Context, id string, lines int, follow bool, contact func(error), f func(line []byte) error) error {
	path := "/runs/" + url.PathEscape(id) + "/log?lines="
	if !follow {
		response, err := c.do(ctx, http.MethodGet, path+strconv.Itoa(lines), nil, http.Header{})
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return eachLine(response.Body, f)
	}
	var last time.Time // of the last line
	return again(ctx, contact, func(connected func()) error {
		ask := lines
		if !last.IsZero() {
			ask = missed
		}
		body, alive, err := c.stream(ctx, path+strconv.Itoa(ask)+"&follow=true", http.Header{})
		if err != nil {
			return err
		}
		defer body.Close()
		connected()
		before := last
		return eachLine(body, func(line []byte) error {
			alive()
			var at struct{ Time time.Time }
			if json.Unmarshal(line, &at) == nil {
				if !before.IsZero() && !at.Time.After(before) {
					return nil // known from before the break
				}
				last = at.Time
			}
			if err := f(line); err != nil {
				return errFinal{err}
			}
			return nil
		})
	})
}

// missed is how many lines are asked for after a break, at most.
const missed = 1000

func eachLine(r io.Reader, f func([]byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		if err := f(lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// File returns a file of a run directory.
func (c *Client) File(ctx context.Context, id, name string) ([]byte, error) {
	response, err := c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(id)+"/files/"+name, nil, http.Header{})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}
