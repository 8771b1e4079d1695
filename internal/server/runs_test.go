package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// TestBadRequests answers every fault with its status and a problem document that names it.
func TestBadRequests(t *testing.T) {
	h := open(t, 0, nil)
	h.submit(api.Submission{ID: "run-1", Set: quick})
	long := strings.Repeat("x", 70000)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               []string // in the answer
	}{
		{"POST", "/runs", `{`, 400, nil},
		{"POST", "/runs", ``, 400, nil},
		{"POST", "/runs", "\xff\xfe", 400, nil},
		{"POST", "/runs", `[]`, 422, []string{`"location":"body"`}},
		{"POST", "/runs", `{"sets":["x"],"id":7}`, 422, []string{"body.sets", "unexpected property", "body.id"}},
		{"POST", "/runs", `{"config":"` + long + `"}`, 422, []string{"body.config"}},
		{"POST", "/runs", `{"notes":"` + strings.Repeat(long, 20) + `"}`, 413, nil},
		{"POST", "/runs", `{"id":"../x"}`, 422, []string{`"location":"body.id"`}},
		{"POST", "/runs", `{"id":"run-1"}`, 409, []string{"run-1"}},
		{"POST", "/runs", `{"from":"none"}`, 422, []string{`"location":"body.from"`}},
		{"POST", "/runs", `{"config":"a: [","set":[]}`, 422, []string{`"location":"body`}},
		{"POST", "/runs", `{"config":"system:\n  q: 1\n  sizes: 3\nrun:\n  walkers: 0\n","set":["local.sweeps=0","trainer.batch=99999999999999999999","x"]}`, 422, []string{
			`"location":"body.config.system.q"`, `"location":"body.config.system.sizes"`, `"location":"body.config.run.walkers"`,
			`"location":"body.set.local.sweeps"`, `"location":"body.set.trainer.batch"`, `"location":"body.set"`,
		}},
		{"POST", "/runs", `{"set":["system.size=99999999999x99999999999"]}`, 422, []string{"body.set.system.size"}},
		{"POST", "/runs", `{"set":["inference.library=/tmp/mine.so"]}`, 422, []string{"body.set.inference.library", "ONNXRUNTIME_LIB"}},
		{"PATCH", "/runs/run-1", `{"wish":"explode"}`, 422, []string{"body.wish"}},
		{"PATCH", "/runs/run-1", `{"set":["production.passes=1"]}`, 422, []string{"body.set"}},
		{"PATCH", "/runs/none", `{"wish":"pause"}`, 404, nil},
		{"PATCH", "/runs/run-1", `{"wish":"run","set":["production.passes=1"]}`, 422, []string{"body.set"}},
		{"GET", "/runs/NONE", "", 404, []string{"cannot be a name"}},
		{"GET", "/runs?state=odd", "", 422, []string{"query.state"}},
		{"GET", "/runs?limit=0", "", 422, []string{"query.limit"}},
		{"GET", "/runs?limit=x", "", 422, []string{"query.limit"}},
		{"GET", "/runs?before=x", "", 422, []string{"query.before"}},
		{"GET", "/runs?stat=done", "", 422, []string{"query.stat"}},
		{"GET", "/runs/run-1/events?after=x", "", 422, []string{"query.after"}},
		{"GET", "/runs/run-1/events?after=18446744073709551615", "", 422, []string{"query.after"}},
		{"GET", "/events?after=-1", "", 422, []string{"query.after"}},
		{"GET", "/runs/run-1/density", "", 409, []string{"run-1 is ", "dos.csv"}},
		{"GET", "/runs/run-1/density?format=svg", "", 409, []string{"run-1 is "}},
		{"GET", "/runs/run-1/density?format=gif", "", 422, []string{"query.format"}},
		{"GET", "/runs/run-1/density?format=", "", 422, []string{"query.format", "leave it out"}},
		{"GET", "/runs?limit=", "", 422, []string{"query.limit"}},
		{"GET", "/runs?state=", "", 422, []string{"query.state"}},
		{"GET", "/runs/run-1/summary", "", 409, []string{"summary.json"}},
		{"GET", "/runs/run-1/files/none", "", 404, []string{"none"}},
		{"GET", "/none", "", 404, nil},
		{"GET", "/runs/", "", 404, nil},
		{"GET", "//runs", "", 404, nil},
		{"PUT", "/runs/run-1", `{}`, 405, nil},
		{"OPTIONS", "/runs", "", 405, nil},
	} {
		status, text, header := h.read(c.method, api.Prefix+c.path, c.body)
		var p api.Problem
		if err := json.Unmarshal([]byte(text), &p); err != nil || p.Status != status || p.Title == "" || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: no problem document: %v, %s", c.method, c.path, err, text)
		}
		if status != c.status {
			t.Errorf("%s %s %.100s: %d, want %d: %s", c.method, c.path, c.body, status, c.status, text)
		}
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s %s %.100s: %s is missing in %s", c.method, c.path, c.body, want, text)
			}
		}
		if status == http.StatusMethodNotAllowed && header.Get("Allow") == "" {
			t.Errorf("%s %s: nothing is allowed", c.method, c.path)
		}
	}
	if status, text, _ := h.get(api.Prefix + "/runs?text=&system="); status != http.StatusOK {
		t.Errorf("texts that are empty: %d, %s", status, text)
	}
	// What a queued run has already.
	if status, text, _ := h.get(api.Prefix + "/runs/run-1/config"); status != http.StatusOK || !strings.Contains(text, "size: [4, 4]") {
		t.Errorf("config of a queued run: %d, %s", status, text)
	}
	if status, text, _ := h.get(api.Prefix + "/runs/run-1/log"); status != http.StatusOK || text != "" {
		t.Errorf("log of a queued run: %d, %s", status, text)
	}
	if folders, err := os.ReadDir(filepath.Join(h.folder, "runs")); err != nil || len(folders) != 1 {
		t.Errorf("refused submissions left folders: %v, %v", folders, err)
	}
	if log := h.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("log:\n%s", log)
	}
}

// TestList filters runs and turns pages, also where the last run of a page is gone by the time
// of the next.
func TestList(t *testing.T) {
	h := open(t, 0, nil)
	var ids []string
	for i := range 7 {
		id := fmt.Sprintf("run-%d", i)
		s := api.Submission{ID: id, Set: []string{"run.moves=local", fmt.Sprintf("system.q=%d", 2+i%2)}, Title: "Number " + id, Tags: []string{"all", fmt.Sprint("mod", i%3)}}
		if i == 6 {
			s.Set = append(s.Set, "run.method=multicanonical")
		}
		h.submit(s)
		ids = append([]string{id}, ids...)
	}
	if _, err := h.client.Change(t.Context(), "run-2", api.RunChange{Wish: job.Pause}); err != nil {
		t.Fatal(err)
	}
	list := func(query string) (found []string, next string) {
		t.Helper()
		status, text, _ := h.get(api.Prefix + "/runs?" + query)
		var l api.RunList
		if err := json.Unmarshal([]byte(text), &l); err != nil || status != http.StatusOK || l.Runs == nil {
			t.Fatalf("%s: %d, %v, %s", query, status, err, text)
		}
		for _, r := range l.Runs {
			found = append(found, r.ID)
			if r.Config != "" {
				t.Errorf("%s has its configuration in a list", r.ID)
			}
		}
		return found, l.Next
	}
	for query, want := range map[string][]string{
		"": ids, "state=paused": {"run-2"}, "state=submitted,queued,paused&tag=mod2": {"run-5", "run-2"}, "tag=all,mod0": {"run-6", "run-3", "run-0"}, "tag=none": nil,
		"text=NUMBER+run-4": {"run-4"}, "text=RUN-3": {"run-3"}, "system=q3-8x8": {"run-5", "run-3", "run-1"}, "method=multicanonical": {"run-6"},
	} {
		if found, next := list(query); !slices.Equal(found, want) || next != "" {
			t.Errorf("%s: %v, want %v; next %q", query, found, want, next)
		}
	}
	var all []string
	query := "limit=3"
	for pages := 1; ; pages++ {
		found, next := list(query)
		all = append(all, found...)
		if pages == 1 {
			if err := h.client.Delete(t.Context(), found[2]); err != nil {
				t.Fatal(err)
			}
		}
		if query = "limit=3&before=" + next; next == "" {
			break
		}
	}
	if !slices.Equal(all, ids) {
		t.Errorf("pages: %v, want %v", all, ids)
	}
	r, err := h.client.Get(t.Context(), "run-6")
	if err != nil || r.System != "q2-8x8" || r.Method != "multicanonical" {
		t.Errorf("%+v, %v", r, err)
	}
}
