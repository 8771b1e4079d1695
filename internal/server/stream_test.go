package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
)

// TestStreams opens as many streams as there may be, and one more; each tells the same, keeps in
// touch while nothing happens, and ends when its run does.
func TestStreams(t *testing.T) {
	const most = 5
	h := open(t, 1, func(o *Options) { o.Streams, o.KeepAlive = most, 50*time.Millisecond })
	h.submit(api.Submission{ID: "run-1", Set: endless})
	h.wait("run-1", job.Running)
	texts := make([]string, most)
	var wait sync.WaitGroup
	for i := range texts {
		path := "/runs/run-1/events"
		if i == 0 {
			path = "/runs/run-1/log?follow=true"
		}
		response := h.ask(http.MethodGet, api.Prefix+path, "", "Accept: "+eventStream)
		wait.Go(func() {
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body)
			texts[i] = string(text)
		})
	}
	eventually(t, "all streams are counted", func() bool { return h.metric("nwl_http_streams") == fmt.Sprint(most) })
	status, text, header := h.get(api.Prefix + "/runs/run-1/events")
	if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(text, "server.streams") {
		t.Errorf("one stream too many: %d, %v, %s", status, header, text)
	}
	if status, _, _ := h.read(http.MethodHead, api.Prefix+"/runs/run-1", ""); status != http.StatusOK {
		t.Errorf("other requests: %d", status)
	}
	if _, err := h.client.Change(t.Context(), "run-1", api.RunChange{Wish: job.Cancel}); err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	for i, text := range texts {
		if !strings.HasSuffix(text, "event: end\ndata: {\"state\":\"cancelled\"}\n\n") || !strings.Contains(text, "\n: still there\n") && i > 1 {
			t.Errorf("stream %d ends with %q", i, text[max(0, len(text)-200):])
		}
		// Comments come when nothing did.
		if i > 1 && withoutComments(text) != withoutComments(texts[1]) {
			t.Errorf("stream %d differs:\n%s\n%s", i, text, texts[1])
		}
	}
	eventually(t, "no stream is left", func() bool { return h.metric("nwl_http_streams") == "0" })
	if got := h.metric("nwl_http_streams_refused_total"); got != "1" {
		t.Errorf("%s streams were refused", got)
	}
	if status, text, header := h.read(http.MethodHead, api.Prefix+"/events", ""); status != http.StatusOK || text != "" || header.Get("Content-Type") != eventStream {
		t.Errorf("HEAD: %d, %v", status, header)
	}
}

func withoutComments(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if line != "\n" && line[0] != ':' {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// TestDeleted ends the stream of a run that is deleted, and of no other.
func TestDeleted(t *testing.T) {
	h := open(t, 0, nil)
	h.submit(api.Submission{ID: "run-1", Set: quick})
	h.submit(api.Submission{ID: "run-2", Set: quick})
	ended := make(chan []message)
	began := make(chan bool, 10)
	go func() {
		ended <- h.stream(api.Prefix+"/runs/run-1/events", func(message) bool {
			began <- true
			return false
		})
	}()
	<-began
	if err := h.client.Delete(t.Context(), "run-2"); err != nil {
		t.Fatal(err)
	}
	if err := h.client.Delete(t.Context(), "run-1"); err != nil {
		t.Fatal(err)
	}
	// It is cancelled first; whichever is heard before ends the stream.
	if all := <-ended; all[len(all)-1].event != endEvent {
		t.Errorf("%v", all)
	}
}

// TestAgain follows a run that ended once and goes on: the stream does not end in between.
func TestAgain(t *testing.T) {
	h := open(t, 1, nil)
	h.submit(api.Submission{ID: "run-1", Set: quick})
	h.wait("run-1", job.Done)
	if _, err := h.client.Change(t.Context(), "run-1", api.RunChange{Wish: job.Run, Set: []string{"production.passes=400"}}); err != nil {
		t.Fatal(err)
	}
	all := h.stream(api.Prefix+"/runs/run-1/events", nil)
	var text strings.Builder
	for _, m := range all {
		text.WriteString(m.event + m.data + "\n")
	}
	if strings.Count(text.String(), `"state":"done"`) != 3 || all[len(all)-1].event != endEvent {
		t.Errorf("%s", text.String())
	}
}

// TestDeaf drops a client that stops reading, within the time for a write, and harms no other.
func TestDeaf(t *testing.T) {
	h := open(t, 0, func(o *Options) { o.WriteTime = 500 * time.Millisecond })
	h.submit(api.Submission{ID: "run-1", Set: quick})
	deaf, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	fmt.Fprintf(deaf, "GET %s/events HTTP/1.1\r\nHost: localhost\r\n\r\n", api.Prefix)
	if line, err := bufio.NewReaderSize(deaf, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatalf("%q, %v", line, err)
	}
	// As many events as no buffer on the way holds.
	const events = 300
	heard := make(chan []message)
	after, err := h.daemon.Queue().LastEvent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		n := 0
		heard <- h.stream(fmt.Sprintf("%s/events?after=%d", api.Prefix, after), func(message) bool {
			n++
			return n == events
		})
	}()
	eventually(t, "both streams are open", func() bool { return h.metric("nwl_http_streams") == "2" })
	data := map[string]string{"data": strings.Repeat("x", 100_000)}
	for range events {
		if err := h.daemon.Queue().Emit(context.Background(), "run-1", "test", data); err != nil {
			t.Fatal(err)
		}
	}
	if all := <-heard; len(all) != events {
		t.Errorf("the other stream had %d events", len(all))
	}
	eventually(t, "the deaf client is dropped", func() bool { return h.metric("nwl_http_streams") == "0" })
}

// TestTail finds the last lines of texts of all kinds, longer and shorter than a block.
func TestTail(t *testing.T) {
	for _, text := range []string{
		"", "x", "\n", "a\n", "a\nb", "a\nb\n", "\n\n\n", strings.Repeat("line\n", 3*logBlock/5), strings.Repeat("x", logBlock) + "\n" + strings.Repeat("y", logBlock) + "\n",
		strings.Repeat("x", logBlock-1) + "\n", strings.Repeat("x", 2*logBlock) + "\ny\nz", strings.Repeat("x", 3*logBlock),
	} {
		whole := text[:strings.LastIndexByte(text, '\n')+1] // without what is not complete
		for _, lines := range []int{0, 1, 2, 3, 1000, 1 << 20} {
			want := whole
			if all := strings.SplitAfter(whole, "\n"); lines > 0 && len(all)-1 > lines {
				want = strings.Join(all[len(all)-1-lines:], "")
			}
			from, to, err := disk.LastLines(bytes.NewReader([]byte(text)), int64(len(text)), lines)
			if err != nil || text[from:to] != want {
				t.Errorf("%d lines of %.20q...: %d bytes from %d, want %d, %v", lines, text, to-from, from, len(want), err)
			}
		}
	}
}
