package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/api"
)

// put sends a request to a server directly, and returns its answer.
func (h *house) put(method, path string, body io.Reader) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.server.ServeHTTP(w, r)
	return w
}

// checkAnswer fails unless a status is one of those allowed, and a refusal a problem document.
func checkAnswer(t *testing.T, w *httptest.ResponseRecorder, allowed ...int) {
	t.Helper()
	if !slices.Contains(allowed, w.Code) {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d with %v", w.Code, w.Header())
	}
}

func FuzzSubmission(f *testing.F) {
	h := open(f, 0, nil)
	for _, body := range []string{
		`{"id":"run-1","set":["run.moves=local"],"title":"x","tags":["a"],"notes":"n"}`, `{"config":"system:\n  q: 3\n","set":["system.size=4x4"]}`,
		`{"from":"run-1","set":["run.seed=2"]}`, `{"kind":"train","train":{"name":"x","weights":"run-1"}}`, `{"kind":"bench","bench":{"mixes":["1:1"],"seconds":1}}`,
		`{`, `null`, `{"id":null}`, `{"set":["system.q=1e400"]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		w := h.put(http.MethodPost, api.Prefix+"/runs", strings.NewReader(string(body)))
		checkAnswer(t, w, 201, 400, 409, 413, 415, 422)
		if id, ok := strings.CutPrefix(w.Header().Get("Location"), api.Prefix+"/runs/"); ok {
			if err := h.daemon.Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		left, err := os.ReadDir(filepath.Join(h.folder, "runs"))
		if err != nil || len(left) > 0 {
			t.Fatalf("folders are left: %v, %v", left, err)
		}
	})
}

func FuzzChange(f *testing.F) {
	h := open(f, 0, nil)
	h.submit(api.Submission{ID: "run-1", Set: quick})
	for _, body := range []string{
		`{"wish":"pause"}`, `{"wish":"run","set":["production.passes=7"]}`, `{"title":"x","tags":[],"notes":"\u0000"}`, `{"wish":"cancel"}`, `{"set":["x"]}`, `[]`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		checkAnswer(t, h.put(http.MethodPatch, api.Prefix+"/runs/run-1", strings.NewReader(string(body))), 200, 400, 409, 413, 415, 422)
		checkAnswer(t, h.put(http.MethodGet, api.Prefix+"/runs/run-1", nil), 200)
	})
}

// FuzzFile asks for files by paths of all kinds: none leads out of the run directory.
func FuzzFile(f *testing.F) {
	h := open(f, 0, nil)
	h.submit(api.Submission{ID: "run-1", Set: quick})
	for _, name := range []string{"job.json", "../run-1/job.json", "..", "a/../job.json", "/etc/passwd", "%2e%2e/x", "\x00", "job.json/", `..\..\x`, "~", ""} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = "localhost"
		r.URL = &url.URL{Path: api.Prefix + "/runs/run-1/files/" + name, RawPath: api.Prefix + "/runs/run-1/files/" + url.PathEscape(name)}
		w := httptest.NewRecorder()
		h.server.ServeHTTP(w, r)
		if strings.Trim(path.Clean("/"+name), "/") == "job.json" {
			checkAnswer(t, w, 200, 404)
			return
		}
		if name == "" { // the list
			return
		}
		checkAnswer(t, w, 404)
	})
}

func FuzzPosition(f *testing.F) {
	f.Add("1", "")
	f.Add("", "18446744073709551615")
	f.Add("-1", "0x10")
	f.Fuzz(func(t *testing.T, header, query string) {
		n, given, err := Position{header, query}.number()
		if err == nil && given != (header+query != "") || err != nil && n != 0 || n > 1<<63-1 {
			t.Fatalf("%q, %q: %d, %v, %v", header, query, n, given, err)
		}
	})
}

// FuzzHost calls the daemon by all kinds of names: only those of its own are.
func FuzzHost(f *testing.F) {
	s := &Server{o: Options{Hosts: []string{"proxy.example"}}}
	for _, host := range []string{"localhost", "127.0.0.1:80", "[::1]:80", "proxy.example", "127.0.0.1.example", "localhost.example", "::1", "[::ffff:127.0.0.1]", "a:b:c", "[", ""} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if !s.called(host) {
			return
		}
		name := strings.ToLower(host)
		for _, own := range []string{"localhost", "127.", "::1", "::ffff:127.", "proxy.example", "::ffff:7f", "0:0"} {
			if strings.HasPrefix(strings.TrimLeft(name, "["), own) || strings.Contains(name, "::1") || strings.Contains(name, "7f") || strings.Contains(name, "127.") {
				return
			}
		}
		t.Fatalf("%q names the daemon", host)
	})
}

// FuzzForms sends forms and queries that nobody would: the answer is a page.
func FuzzForms(f *testing.F) {
	h := open(f, 0, nil)
	h.submit(api.Submission{ID: "run-1", Set: quick})
	for _, text := range []string{
		"system.q=3&run.seed=x&config=run%3A%0A++seed%3A+%5B", "id=run-1&after=run-1+none&priority=99", "wish=pause", "wish=fly", "bundle=pretrained%2Fpotts-q10&back=1",
		"bundle=..%2F..&restart=1&run=run-1", "%zz", "sort=left&order=down&page=-1&text=%00", "system=q3-4x4&method=wang-landau&tag=x", "from=run-1", "from=../x", "a;b", "",
	} {
		for to := range len(formPaths) {
			f.Add(uint8(to), text)
		}
	}
	f.Fuzz(func(t *testing.T, to uint8, text string) {
		path, posted := strings.CutPrefix(formPaths[int(to)%len(formPaths)], "POST ")
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.URL.RawQuery = text
		if posted {
			if path == "/submit" {
				text = "check=1&" + text
			}
			r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(text))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		r.Host = "localhost"
		w := httptest.NewRecorder()
		h.server.ServeHTTP(w, r)
		checkPage(t, w, 200, 303, 400, 404, 409, 413, 422)
	})
}

// formPaths are the pages that read a form or a query.
var formPaths = []string{"POST /submit", "POST /runs/run-1/wish", "POST /runs/run-1/network", "POST /networks/swap", "/", "/group", "/submit", "/runs/run-1"}

// checkPage fails unless an answer has one of some statuses and is a page for browsers.
func checkPage(t *testing.T, w *httptest.ResponseRecorder, allowed ...int) {
	t.Helper()
	if !slices.Contains(allowed, w.Code) || w.Code != http.StatusSeeOther && w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("%d, %v: %s", w.Code, w.Header(), w.Body)
	}
	if text := w.Body.String(); strings.Contains(text, "<script>") || strings.Contains(text, "ZgotmplZ") {
		t.Fatalf("the page has what it was sent: %s", text)
	}
}
