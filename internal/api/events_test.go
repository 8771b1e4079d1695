package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// answers serves streams: each connection gets the next text, and the address and position
// that it asked for are noted.
func answers(t *testing.T, texts ...string) (*Client, *[]string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := len(asked)
		asked = append(asked, r.URL.String()+" "+r.Header.Get("Last-Event-ID"))
		switch {
		case n >= len(texts):
			w.WriteHeader(http.StatusNotFound)
		case texts[n] == "busy":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprint(w, texts[n])
		}
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return &Client{URL: "http://" + listener.Addr().String() + "/"}, &asked
}

// TestEvents takes up a stream where it broke, whatever its parts look like.
func TestEvents(t *testing.T) {
	c, asked := answers(t,
		"retry: 1\n\n: comment\n\nid: 7\nevent: pass\ndata: {\"run\":\"a\",\ndata:\"data\":1}\n\nid: 8\nevent: pass\ndata: {\"run\":\"a\"", // cut short
		"busy",
		"id: 8\nevent: pass\ndata: {\"run\":\"a\",\"data\":2}\n\nevent: end\ndata: {}\n\nid: 9\nevent: pass\ndata: {\"run\":\"a\",\"data\":3}\n\n",
	)
	var got []string
	var contacts []bool
	err := c.Events(t.Context(), "a", 5, func(err error) { contacts = append(contacts, err == nil) }, func(e Event) error {
		got = append(got, fmt.Sprint(e.ID, e.Kind, e.Run, string(e.Data)))
		return nil
	})
	if err != nil || strings.Join(got, " ") != "7passa1 8passa2" {
		t.Errorf("got %q, %v", got, err)
	}
	if want := "/api/v1/runs/a/events 5|/api/v1/runs/a/events 7|/api/v1/runs/a/events 7"; strings.Join(*asked, "|") != want {
		t.Errorf("asked for %q", *asked)
	}
	if fmt.Sprint(contacts) != "[false true]" {
		t.Errorf("told of the daemon: %v", contacts)
	}

	// What ends it for good.
	enough := errors.New("enough")
	c, _ = answers(t, "id: 7\nevent: pass\ndata: {}\n\n")
	if err := c.Events(t.Context(), "a", 0, nil, func(Event) error { return enough }); err != enough {
		t.Errorf("the receiver's error became %v", err)
	}
	for text, want := range map[string]string{"id: x\n\n": `"x"`, "id: 3\ndata: {\n\n": "event 3"} {
		c, _ = answers(t, text)
		if err := c.Events(t.Context(), "a", 0, nil, func(Event) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	c, _ = answers(t)
	var problem *Problem
	if err := c.Events(t.Context(), "a", 0, nil, func(Event) error { return nil }); !errors.As(err, &problem) || problem.Status != http.StatusNotFound {
		t.Errorf("a run that does not exist: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	c.URL = "http://127.0.0.1:1"
	if err := c.Events(ctx, "", 0, func(error) { cancel(enough) }, func(Event) error { return nil }); err != enough {
		t.Errorf("cancelled without a daemon: %v", err)
	}
}

// TestLog goes on with a log behind the last line that came.
func TestLog(t *testing.T) {
	c, asked := answers(t, "id: 3\nevent: line\ndata: {}\n\nid: 6\nevent: line\ndata: []\n\n", "event: end\ndata: {}\n\n", "{}\n[]\n")
	read := func(lines int, follow bool) string {
		t.Helper()
		var got []string
		if err := c.Log(t.Context(), "a", lines, follow, nil, func(line []byte) error {
			got = append(got, string(line))
			return nil
		}); err != nil {
			t.Error(err)
		}
		return strings.Join(got, "|")
	}
	if got := read(2, true); got != "{}|[]" {
		t.Errorf("followed: %q", got)
	}
	if got := read(5, false); got != "{}|[]" {
		t.Errorf("at once: %q", got)
	}
	if want := "/api/v1/runs/a/log?lines=2&follow=true |/api/v1/runs/a/log?lines=2&follow=true 6|/api/v1/runs/a/log?lines=5 "; strings.Join(*asked, "|") != want {
		t.Errorf("asked for %q", *asked)
	}
}

// TestUnreachable names the address once.
func TestUnreachable(t *testing.T) {
	c := &Client{URL: "http://127.0.0.1:1"}
	if _, err := c.Get(t.Context(), "a"); !errors.Is(err, ErrUnreachable) || strings.Count(err.Error(), "http://127.0.0.1:1") != 1 {
		t.Errorf("%v", err)
	}
}
