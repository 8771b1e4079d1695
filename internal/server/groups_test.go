package server

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/audit"
	"neuralwl/internal/ensemble"
	"neuralwl/internal/job"
)

// member are the settings of a run of a moment, of a system with disorder.
var member = []string{
	"system.model=random_bond", "system.size=4x4", "run.walkers=8", "run.workers=1", "wang_landau.final_ln_f=1e-3", "production.passes=500", "metrics.listen=",
}

// merged waits until all members of a group are done and merged.
func (h *house) merged(name string) *api.Group {
	h.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		g, err := h.client.Group(h.t.Context(), name)
		if err != nil {
			h.t.Fatal(err)
		}
		if g.State == job.Done && g.Merged == g.Members {
			return g
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("%+v", g)
		}
	}
}

// TestGroups submits groups over HTTP, and reads what comes of them: lists, events, files and pages.
func TestGroups(t *testing.T) {
	h := open(t, 2, func(o *Options) { o.BasePath = "/nwl" })
	s := api.GroupSubmission{Name: "glass", Set: append(slices.Clone(member), "system.disorder_seed=1..3", "local.sweeps=1,2"), Title: `<b>glass</b>`}
	g, err := h.client.SubmitGroup(t.Context(), s)
	if err != nil || g.Members != 6 {
		t.Fatalf("%+v, %v", g, err)
	}
	h.submit(api.Submission{ID: "alone", Set: quick})
	for query, want := range map[string]int{"": 7, "?group=glass": 6, "?members=false": 1, "?group=none": 0} {
		status, text, _ := h.get("/api/v1/runs" + query)
		if n := strings.Count(text, `"submission":`); status != http.StatusOK || n != want {
			t.Errorf("%s: %d, %d runs of %d", query, status, n, want)
		}
	}
	for body, want := range map[string]int{
		`{"name":"glass","seeds":"1,2"}`:                                    http.StatusConflict,
		`{"seeds":"2..1"}`:                                                  http.StatusUnprocessableEntity,
		`{"set":["system.q=2..30000"]}`:                                     http.StatusUnprocessableEntity,
		`{"name":"` + strings.Repeat("x", 59) + `","seeds":"1,2"}`:          http.StatusUnprocessableEntity,
		`{"name":"` + strings.Repeat("x", 58) + `","set":["system.q=500"]}`: http.StatusUnprocessableEntity,
	} {
		if status, text, _ := h.read(http.MethodPost, "/api/v1/groups", body, "Content-Type: application/json"); status != want {
			t.Errorf("%s: %d, want %d: %s", body, status, want, text)
		}
	}
	last := ""
	h.stream("/api/v1/groups/glass/events", func(m message) bool {
		last = m.data
		return strings.Contains(last, `"complete":true`)
	})
	if !strings.Contains(last, `"merged":6`) || !strings.Contains(last, `"run":"glass"`) {
		t.Errorf("%s", last)
	}
	h.merged("glass")
	h.wait("alone", job.Done)
	all, err := h.client.Groups(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != "glass" || all[0].Set != nil {
		t.Errorf("%+v, %v", all, err)
	}
	text, err := h.client.GroupFile(t.Context(), "glass", "points/sweeps=1/"+ensemble.AveragesFile)
	if err != nil || !strings.HasPrefix(string(text), "beta,ln_z,ln_z_error") {
		t.Errorf("%s, %v", text, err)
	}
	for path, want := range map[string]int{
		"/api/v1/groups/glass/files": 200, "/api/v1/groups/glass/files/none": 404, "/api/v1/groups/glass/files/..%2f..%2fqueue": 404,
		"/api/v1/groups/none/files": 404, "/api/v1/groups/none": 404, "/api/v1/groups/none/events": 404, "/api/v1/groups/none/files/x": 404, "/groups/none": 404,
		"/api/v1/groups?limit=0": 422,
	} {
		if status, text, _ := h.get(path); status != want {
			t.Errorf("%s: %d, want %d: %s", path, status, want, text)
		}
	}
	for path, want := range map[string][]string{
		"/":             {"glass", "alone", "6 of 6 members done", "1 to 2 of 2 runs", "&lt;b&gt;"},
		"/?group=glass": {"glass-1", "glass-6", "1 to 6 of 6 runs", "Members of"},
		"/groups/glass": {"Averages over 3 of 3 realisations", "sweeps=1", "figure.svg", "members.csv", "averages.csv", "6 done", "system.disorder_seed=1..3"},
	} {
		status, text, header := h.get("/nwl" + path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not there:\n%s", path, w, text)
			}
		}
		if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
			t.Errorf("%s: policy %s", path, policy)
		}
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s: %s is against its policy", path, found)
		}
		for _, link := range links.FindAllStringSubmatch(text, -1) {
			at := html.UnescapeString(link[1])
			if strings.HasPrefix(at, "#") || at == "" || strings.Contains(at, "/events") || at == "/nwl/static" {
				continue
			}
			if status, _, _ := h.read(http.MethodHead, at, ""); status != http.StatusOK && !(status == 405 && strings.HasSuffix(at, "/wish")) {
				t.Errorf("%s: the link %s leads to %d", path, at, status)
			}
		}
	}
	if _, text, _ := h.get("/nwl/"); strings.Contains(text, "glass-1") {
		t.Error("members are in the table")
	}
	if err := h.client.DeleteGroup(t.Context(), "glass"); err != nil {
		t.Error(err)
	}
	if status, _, _ := h.get("/api/v1/groups/glass"); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
}

// TestGroupForms changes a group by its page.
func TestGroupForms(t *testing.T) {
	h := open(t, 0, nil) // nothing runs
	if _, err := h.client.SubmitGroup(t.Context(), api.GroupSubmission{Name: "glass", Set: member, Seeds: "1..3"}); err != nil {
		t.Fatal(err)
	}
	states := func() map[string]int {
		g, err := h.client.Group(t.Context(), "glass")
		if err != nil {
			t.Fatal(err)
		}
		return g.States
	}
	for _, c := range []struct {
		wish, state string
		status      int
	}{
		{"pause", "paused", http.StatusSeeOther}, {"run", "submitted", http.StatusSeeOther}, {"failed", "submitted", http.StatusConflict},
		{"dance", "submitted", http.StatusUnprocessableEntity}, {"cancel", "cancelled", http.StatusSeeOther},
	} {
		status, text, _ := h.form("/groups/glass/wish", url.Values{"wish": {c.wish}})
		if got := states(); status != c.status || got[c.state] != 3 {
			t.Errorf("%s: %d, %v\n%s", c.wish, status, got, text)
		}
	}
	if status, _, _ := h.read(http.MethodPost, "/groups/glass/wish", "wish=run", "Content-Type: application/x-www-form-urlencoded"); status != http.StatusForbidden {
		t.Errorf("a form from elsewhere: %d", status)
	}
	record, err := os.ReadFile(filepath.Join(h.folder, audit.File))
	if err != nil || !strings.Contains(string(record), `"what":"submit-group","run":"glass","details":{"members":3}`) || !strings.Contains(string(record), `"what":"change-group","run":"glass","details":{"wish":"cancel"}`) {
		t.Errorf("%s, %v", record, err)
	}
}

// TestGroupPages cuts the list of groups into pages.
func TestGroupPages(t *testing.T) {
	all := []api.Group{{Name: "c"}, {Name: "b"}, {Name: "a"}}
	for _, c := range []struct {
		page groupPage
		want string
		next string
	}{{groupPage{Limit: 2}, "cb", "b"}, {groupPage{Limit: 2, Before: "b"}, "a", ""}, {groupPage{Limit: 9}, "cba", ""}, {groupPage{Limit: 1, Before: "gone"}, "c", "c"}} {
		l, got := c.page.cut(all), ""
		for _, g := range l.Groups {
			got += g.Name
		}
		if got != c.want || l.Next != c.next {
			t.Errorf("%+v: %s, %s", c.page, got, l.Next)
		}
	}
}
