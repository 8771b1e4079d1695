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
// than after, until the run has ended, ctx ends or f returns an error, which it returns. A
// stream that breaks is taken up again where it ended, as often as it takes; contact, unless
// nil, is told of a daemon that cannot be reached, and with nil that it answers again. An
// answer that is a Problem of the request ends it.
func (c *Client) Events(ctx context.Context, run string, after uint64, contact func(error), f func(Event) error) error {
	path := "/events"
	if run != "" {
		path = "/runs/" + url.PathEscape(run) + "/events"
	}
	return c.events(ctx, path, after, contact, f)
}

// events is Events for the stream at a path.
func (c *Client) events(ctx context.Context, path string, after uint64, contact func(error), f func(Event) error) error {
	return again(ctx, contact, func(connected func()) error {
		return c.messages(ctx, path, &after, connected, func(m message) error {
			e := Event{ID: m.id, Kind: m.kind}
			var content struct {
				Run  string          `json:"run"`
				At   time.Time       `json:"at"`
				Data json.RawMessage `json:"data"`
			}
			if err := json.Unmarshal(m.data, &content); err != nil {
				return fmt.Errorf("events: event %d cannot be read: %w", e.ID, err)
			}
			e.Run, e.At, e.Data = content.Run, content.At, content.Data
			return f(e)
		})
	})
}

// Log hands over the last lines of a run's log, all of it if lines is 0, each without its end.
// With follow it goes on with lines as they come, until the run has ended or ctx ends; a stream
// that breaks is taken up again, and contact told, as those of Events.
func (c *Client) Log(ctx context.Context, id string, lines int, follow bool, contact func(error), f func(line []byte) error) error {
	path := fmt.Sprintf("/runs/%s/log?lines=%d", url.PathEscape(id), lines)
	if follow {
		var at uint64
		return again(ctx, contact, func(connected func()) error {
			return c.messages(ctx, path+"&follow=true", &at, connected, func(m message) error { return f(m.data) })
		})
	}
	response, err := c.do(ctx, http.MethodGet, path, nil, http.Header{})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text := bufio.NewScanner(response.Body)
	text.Buffer(nil, longestLine)
	for text.Scan() {
		if err := f(text.Bytes()); err != nil {
			return err
		}
	}
	return text.Err()
}

// errFinal marks an error that trying again does not mend.
type errFinal struct{ error } // nil for an end in order

func (e errFinal) Error() string { return fmt.Sprint(e.error) }
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

// message is a server-sent event.
type message struct {
	id   uint64
	kind string
	data []byte
}

// endKind is the kind of the message after which nothing follows.
const endKind = "end"

// errEnd ends a stream for good.
var errEnd = errFinal{nil}

// longestLine of a stream or log, in bytes.
const longestLine = 16 << 20

// messages reads one stream of messages with ids above after, which it raises. The error is nil
// where the stream just ended.
func (c *Client) messages(ctx context.Context, path string, after *uint64, connected func(), f func(message) error) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if *after > 0 {
		header.Set("Last-Event-ID", strconv.FormatUint(*after, 10))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := c.do(ctx, http.MethodGet, path, nil, header)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	connected()
	alive := time.AfterFunc(silence, cancel)
	defer alive.Stop()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, longestLine)
	var m message
	for lines.Scan() {
		alive.Reset(silence)
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "id":
			if m.id, err = strconv.ParseUint(string(value), 10, 64); err != nil {
				return errFinal{fmt.Errorf("stream: %q is not the number of an event", value)}
			}
		case "event":
			m.kind = string(value)
		case "data":
			if m.data != nil {
				m.data = append(m.data, '\n')
			}
			m.data = append(m.data, value...)
		case "":
			if len(lines.Bytes()) > 0 || m.data == nil { // a comment, or its end
				continue
			}
			if m.kind == endKind {
				return errEnd
			}
			if err := f(m); err != nil {
				return errFinal{err}
			}
			*after = max(*after, m.id)
			m = message{}
		}
	}
	return nil
}

// File returns a file of a run directory.
func (c *Client) File(ctx context.Context, id, name string) ([]byte, error) {
	return c.file(ctx, "/runs/"+url.PathEscape(id)+"/files/", name)
}

func (c *Client) file(ctx context.Context, at, name string) ([]byte, error) {
	response, err := c.do(ctx, http.MethodGet, at+name, nil, http.Header{})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}
