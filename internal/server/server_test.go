package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"neuralwl/inference"
	"neuralwl/internal/api"
	"neuralwl/internal/audit"
	"neuralwl/internal/child"
	"neuralwl/internal/daemon"
	"neuralwl/internal/job"
	"neuralwl/internal/modelserver"
	"neuralwl/internal/queue"
	"neuralwl/metrics"
)

// TestMain also serves as the child that a daemon starts.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == asChild {
		os.Exit(child.Serve(os.Stdin, os.Stdout, "test", slog.New(slog.NewTextHandler(os.Stderr, nil))))
	}
	os.Exit(m.Run())
}

// asChild is the argument of a child.
const asChild = "child"

// house is a daemon with its server.
type house struct {
	t      testing.TB
	folder string
	daemon *daemon.Daemon
	server *Server
	url    string
	log    *logText
	client *api.Client
	http   *http.Client
	close  func()
}

// logText collects a log.
type logText struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logText) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *logText) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// open opens a house in which work is done, unless jobs is 0.
func open(t testing.TB, jobs int, change func(*Options)) *house {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, folder: t.TempDir(), log: &logText{}, http: &http.Client{Transport: &http.Transport{}}}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.daemon, err = daemon.Open(context.Background(), daemon.Options{
		Data: h.folder, Program: []string{program, asChild}, Jobs: jobs, Cores: 1, Grace: 10 * time.Second, Renew: 100 * time.Millisecond, Log: log,
		Queue: queue.Options{Silence: 2 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	record, err := audit.Open(filepath.Join(h.folder, audit.File))
	if err != nil {
		t.Fatal(err)
	}
	models := modelserver.New(modelserver.Options{
		Networks: h.daemon.Repository(), Library: func() error {
			_, err := inference.Open("")
			return err
		},
		Version: "test", Rows: 64, Delay: time.Millisecond, Requests: 8, Memory: 16 << 20, Log: log,
	})
	o := Options{Daemon: h.daemon, Models: models, Registry: metrics.NewRegistry(), Version: "test", Log: log, Audit: record}
	if change != nil {
		change(&o)
	}
	if h.server, err = New(o); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.url = "http://" + listener.Addr().String()
	h.client = &api.Client{URL: h.url, HTTP: h.http}
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := h.daemon.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	wait.Go(func() {
		if err := h.server.Serve(ctx, listener); err != nil {
			t.Error(err)
		}
	})
	h.close = sync.OnceFunc(func() {
		h.http.CloseIdleConnections()
		cancel()
		wait.Wait()
		models.Close()
		if err := h.daemon.Close(); err != nil {
			t.Error(err)
		}
		record.Close()
		if t.Failed() {
			for line := range strings.Lines(h.log.String()) {
				if !strings.Contains(line, `msg="queue: `) {
					t.Log(strings.TrimSpace(line))
				}
			}
		}
	})
	t.Cleanup(h.close)
	return h
}

// quick are the settings of a run of a fraction of a second.
var quick = []string{"run.moves=local", "system.q=3", "system.size=4x4", "run.walkers=32", "wang_landau.final_ln_f=1e-3", "production.passes=200"}

// endless are those of a run that does not end by itself.
var endless = append(append([]string{}, quick...), "wang_landau.final_ln_f=1e-12")

func (h *house) submit(s api.Submission) *api.Run {
	h.t.Helper()
	r, err := h.client.Submit(h.t.Context(), s)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// wait waits until a run is in a state.
func (h *house) wait(id string, state job.State) *api.Run {
	h.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r, err := h.client.Get(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if r.State == state {
			return r
		}
		if time.Now().After(deadline) || r.State.Final() {
			h.t.Fatalf("%s is %s, not %s: %s", id, r.State, state, r.Reason)
		}
	}
}

// ask sends a request, with headers of the form name: value.
func (h *house) ask(method, path, body string, headers ...string) *http.Response {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	response, err := h.http.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	return response
}

// read sends a request and reads the answer.
func (h *house) read(method, path, body string, headers ...string) (int, string, http.Header) {
	h.t.Helper()
	response := h.ask(method, path, body, headers...)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

func (h *house) get(path string, headers ...string) (int, string, http.Header) {
	h.t.Helper()
	return h.read(http.MethodGet, path, "", headers...)
}

// message is an event of a stream as it was sent.
type message struct{ id, event, data string }

// stream reads events of a stream until f says that it is enough, or it ends.
func (h *house) stream(path string, f func(message) (enough bool), headers ...string) []message {
	h.t.Helper()
	response := h.ask(http.MethodGet, path, "", headers...)
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != eventStream {
		h.t.Fatalf("%s: %s, %v", path, response.Status, response.Header)
	}
	var all []message
	var m message
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			m.id = value
		case "event":
			m.event = value
		case "data":
			m.data = value
		case "":
			if m.event == "" {
				continue
			}
			all = append(all, m)
			if f != nil && f(m) {
				return all
			}
			m = message{}
		}
	}
	return all
}

// metric is the value of a series as the daemon shows it, empty if there is none.
func (h *house) metric(series string) string {
	h.t.Helper()
	_, text, _ := h.get("/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for: %s", what)
		}
	}
}

// TestLife submits a run, follows it to its end, takes the stream up in its midst, reads its
// results, and deletes it. Nothing of the daemon is left at the end.
func TestLife(t *testing.T) {
	existing := goleak.IgnoreCurrent()
	h := open(t, 1, nil)
	status, text, header := h.read(http.MethodPost, api.Prefix+"/runs", fmt.Sprintf(`{"id":"run-1","title":"A title","tags":["x"],"set":["%s"]}`, strings.Join(quick, `","`)))
	if status != http.StatusCreated || header.Get("Location") != api.Prefix+"/runs/run-1" {
		t.Fatalf("%d, %v: %s", status, header, text)
	}
	all := h.stream(api.Prefix+"/runs/run-1/events", nil)
	var kinds []string
	for _, m := range all {
		kinds = append(kinds, m.event)
	}
	sequence := strings.Join(kinds, " ")
	if !strings.HasPrefix(sequence, "state state state began") || !strings.HasSuffix(sequence, "ended state end") {
		t.Errorf("events: %s", sequence)
	}
	last := all[len(all)-1]
	if last.id != "" || last.data != `{"state":"done"}` {
		t.Errorf("the last event is %+v", last)
	}
	for _, resume := range []struct{ path, header string }{{"", "Last-Event-ID: " + all[3].id}, {"?after=" + all[3].id, ""}, {"?after=1", "Last-Event-ID: " + all[3].id}} {
		var headers []string
		if resume.header != "" {
			headers = []string{resume.header}
		}
		rest := h.stream(api.Prefix+"/runs/run-1/events"+resume.path, nil, headers...)
		if fmt.Sprint(rest) != fmt.Sprint(all[4:]) {
			t.Errorf("%+v: %v after %v", resume, rest, all[3])
		}
	}
	if rest := h.stream(api.Prefix+"/runs/run-1/events?after="+all[len(all)-2].id, nil); fmt.Sprint(rest) != fmt.Sprint(all[len(all)-1:]) {
		t.Errorf("after the last event: %v", rest)
	}
	h.results("run-1")
	h.files("run-1")
	h.logs("run-1")
	for series, want := range map[string]string{
		`nwl_runs{state="done"}`: "1", `nwl_queue_length`: "0", `nwl_http_streams`: "0", `nwl_run_restarts_total`: "0",
		`nwl_http_requests_total{code="201",method="POST",route="POST /api/v1/runs"}`: "1", `nwl_ln_f{run="run-1"}`: "0", `nwl_passes_total{phase="production",run="run-1"}`: "200",
	} {
		if got := h.metric(series); got != want {
			t.Errorf("%s is %q, want %q", series, got, want)
		}
	}
	if status, text, _ := h.read(http.MethodDelete, api.Prefix+"/runs/run-1", ""); status != http.StatusNoContent || text != "" {
		t.Errorf("deleted: %d, %q", status, text)
	}
	if got := h.metric(`nwl_ln_f{run="run-1"}`); got != "" {
		t.Errorf("a run that was deleted has a series, %s", got)
	}
	for _, path := range []string{"", "/events", "/density", "/files", "/files/dos.csv", "/log", "/summary", "/config"} {
		if status, text, header := h.get(api.Prefix + "/runs/run-1" + path); status != http.StatusNotFound || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s of a deleted run: %d, %s", path, status, text)
		}
	}
	h.close()
	if !t.Failed() {
		if err := goleak.Find(existing); err != nil {
			t.Error(err)
		}
	}
}

// results reads the results of a run that has ended.
func (h *house) results(id string) {
	t := h.t
	base := api.Prefix + "/runs/" + id
	for format, of := range map[string]struct{ kind, begin string }{
		"json": {"application/json", `{"run":"` + id}, "csv": {"text/csv; charset=utf-8", "energy,ln_g"}, "npz": {"application/zip", "PK"},
		"svg": {"image/svg+xml", "<?xml"}, "png": {"image/png", "\x89PNG"},
	} {
		status, text, header := h.get(base + "/density?format=" + format)
		if status != http.StatusOK || header.Get("Content-Type") != of.kind || !strings.HasPrefix(text, of.begin) {
			t.Errorf("%s: %d, %v, %.40q", format, status, header, text)
		}
		// The folder's own plot, or a new one where there is none.
		if name := lnGFile + "." + format; format == "svg" || format == "png" {
			if err := os.Remove(filepath.Join(h.folder, "runs", id, name)); err != nil {
				t.Fatal(err)
			}
			if status, text, _ := h.get(base + "/density?format=" + format); status != http.StatusOK || !strings.HasPrefix(text, of.begin) {
				t.Errorf("%s drawn anew: %d, %.40q", format, status, text)
			}
		}
	}
	_, text, _ := h.get(base + "/density")
	var d struct {
		Energy []float64  `json:"energy"`
		LnG    []float64  `json:"ln_g"`
		Error  []*float64 `json:"ln_g_error"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil || len(d.Energy) < 20 || len(d.LnG) != len(d.Energy) || len(d.Error) != len(d.Energy) {
		t.Errorf("%v: %s", err, text)
	}
	if status, text, _ := h.get(base + "/summary"); status != http.StatusOK || !json.Valid([]byte(text)) {
		t.Errorf("summary: %d, %s", status, text)
	}
	if status, text, header := h.get(base + "/config"); status != http.StatusOK || header.Get("Content-Type") != "application/yaml" || !strings.Contains(text, "size: [4, 4]") {
		t.Errorf("config: %d, %s", status, text)
	}
}

// files reads files of a run directory, and none beside it.
func (h *house) files(id string) {
	t := h.t
	base, folder := api.Prefix+"/runs/"+id, filepath.Join(h.folder, "runs", id)
	var list api.FileList
	_, text, _ := h.get(base + "/files")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]api.File{}
	for _, f := range list.Files {
		found[f.Path] = f
		status, text, header := h.get(base + "/files/" + f.Path)
		if status != http.StatusOK || int64(len(text)) != f.Bytes || header.Get("Content-Type") != f.Type || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%+v: %d, %d bytes, %v", f, status, len(text), header)
		}
	}
	if found["dos.csv"].Type != "text/csv; charset=utf-8" || found["checkpoints/2.checkpoint"].Path == "" {
		t.Errorf("files: %v", list)
	}
	_, whole, header := h.get(base + "/files/dos.csv")
	tag := header.Get("ETag")
	for _, c := range []struct {
		header string
		status int
		text   string
	}{
		{"Range: bytes=2-9", 206, whole[2:10]}, {"Range: bytes=-5", 206, whole[len(whole)-5:]}, {"Range: bytes=999999-", 416, `{"title"`},
		{"If-None-Match: " + tag, 304, ""}, {`If-None-Match: "other"`, 200, whole},
	} {
		if status, text, _ := h.get(base+"/files/dos.csv", c.header); status != c.status || !strings.HasPrefix(text, c.text) {
			t.Errorf("%s: %d, %.40q", c.header, status, text)
		}
	}
	secret := filepath.Join(h.folder, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"absolute": secret, "relative": "../../secret", "folder": h.folder, "inside": "dos.csv"} {
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{
		"absolute", "relative", "folder/secret", "../../secret", "%2e%2e/%2e%2e/secret", "..%2f..%2fsecret", "%2Fetc%2Fpasswd", "models/..%2f..%2f../secret",
		"none", ".", "checkpoints", "dos.csv/", "dos.csv%00", "a//b",
	} {
		if status, text, _ := h.get(base + "/files/" + path); status != http.StatusNotFound || !strings.HasPrefix(text, `{"title"`) {
			t.Errorf("%s: %d, %q", path, status, text)
		}
	}
	if status, text, _ := h.get(base + "/files/inside"); status != http.StatusOK || text != whole {
		t.Errorf("a link within the directory: %d, %.40q", status, text)
	}
}

// logs reads the log of a run that has ended.
func (h *house) logs(id string) {
	t := h.t
	base := api.Prefix + "/runs/" + id + "/log"
	whole, err := os.ReadFile(filepath.Join(h.folder, "runs", id, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(whole), "\n"), "\n")
	n := len(lines)
	for path, want := range map[string]string{
		"": string(whole), "?lines=0": string(whole), "?lines=1": lines[n-1] + "\n", "?lines=3": lines[n-3] + lines[n-2] + lines[n-1] + "\n",
		"?lines=100000": string(whole), "?follow=true": string(whole), "?follow=true&lines=1": lines[n-1] + "\n",
	} {
		if status, text, header := h.get(base + path); status != http.StatusOK || text != want || header.Get("Content-Type") != logType {
			t.Errorf("%s: %d, %v, %q", path, status, header, text)
		}
	}
	accept := "Accept: " + eventStream
	all := h.stream(base+"?follow=true", nil, accept)
	if len(all) != n+1 || all[n].event != endEvent || all[0].data+"\n" != lines[0] || all[n-1].data != lines[n-1] {
		t.Errorf("%d events of %d lines, the last %+v", len(all), n, all[len(all)-1])
	}
	if rest := h.stream(base+"?follow=true", nil, accept, "Last-Event-ID: "+all[1].id); fmt.Sprint(rest) != fmt.Sprint(all[2:]) {
		t.Errorf("after the second line: %v", rest)
	}
}
