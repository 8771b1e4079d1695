package server

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"neuralwl/internal/api"
	"neuralwl/internal/audit"
	"neuralwl/internal/job"
	"neuralwl/internal/token"
)

// mostPage bounds what a browser is sent at once.
const mostPage = 200e3

// form sends a form as a browser does from a page of the daemon.
func (h *house) form(path string, values url.Values, headers ...string) (int, string, http.Header) {
	h.t.Helper()
	client := h.http
	h.http = &http.Client{Transport: client.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer func() { h.http = client }()
	return h.read(http.MethodPost, path, values.Encode(), append([]string{"Content-Type: application/x-www-form-urlencoded", "Sec-Fetch-Site: same-origin"}, headers...)...)
}

// inline is what the policy of the pages keeps a browser from using.
var inline = regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|="(https?:)?//`)

// links are the addresses within a page.
var links = regexp.MustCompile(`(?:href|src|action|data-events|data-static)="([^"]*)"`)

// TestPages reads the pages as a browser without script does, below the path of a proxy: what a run
// came to is in them, their links lead somewhere, and their policy has nothing to forbid.
func TestPages(t *testing.T) {
	h := open(t, 1, func(o *Options) { o.BasePath = "/nwl" })
	h.submit(api.Submission{ID: "first", Set: append(quick, "run.moves=[local,neural]", "model.encoder=8", "model.decoder=8", "trainer.batch=16"), Title: `<script>alert(1)</script>`, Tags: []string{"a&b"}})
	h.wait("first", job.Done)
	h.submit(api.Submission{ID: "second", Set: append(quick, "run.seed=2"), Tags: []string{"a&b"}})
	h.wait("second", job.Done)
	h.submit(api.Submission{ID: "bad", Set: append(quick, "run.max_time=1ns")})
	for path, want := range map[string][]string{
		"/":                     {"first", "second", "#a&amp;b", "1 to 3 of 3 runs", "&lt;script&gt;"},
		"/?tag=a%26b&sort=name": {"1 to 2 of 2 runs that match, of 3", `aria-sort="ascending"`},
		"/?tag=none":            {"No run matches"},
		"/?page=99&sort=x":      {"1 to 3 of 3 runs"},
		"/runs/first":           {"first", "Density of states", "Deviation from the exact result", "<svg", "Energies of some walkers", "low energy", "run begins", "dos.csv", "levels"},
		"/networks":             {"pretrained/potts-q10"},
		"/submit":               {`name="system.q"`, "All keys with their defaults"},
		"/submit?from=second":   {"A copy of second", "seed: 2"},
		"/group?system=q3-4x4&method=wang-landau": {"second"},
		"/runs/none": {"none"},
	} {
		status, text, header := h.get("/nwl" + path)
		if wanted := map[bool]int{true: 404, false: 200}[path == "/runs/none"]; status != wanted || header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d, %v", path, status, header)
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not there:\n%s", path, w, text)
			}
		}
		if policy := header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'; script-src 'self'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %s", path, policy)
		}
		if header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("%s: with another policy forms would be sent without an origin", path)
		}
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s: %s is against its policy", path, found)
		}
		if len(text) > mostPage {
			t.Errorf("%s has %d bytes", path, len(text))
		}
		for _, link := range links.FindAllStringSubmatch(text, -1) {
			at := html.UnescapeString(link[1])
			switch {
			case strings.HasPrefix(at, "#") || at == "":
			case !strings.HasPrefix(at, "/nwl/"):
				t.Errorf("%s: the link %s leads out of the daemon", path, at)
			case strings.Contains(at, "/events"), at == "/nwl/static":
			default:
				if status, _, _ := h.read(http.MethodHead, at, ""); status != http.StatusOK && !(status == 405 && (strings.HasSuffix(at, "/wish") || strings.HasSuffix(at, "/network"))) {
					t.Errorf("%s: the link %s leads to %d", path, at, status)
				}
			}
		}
	}
	for _, name := range []string{"ln-g", "deviation", "probability", "acceptance", "ln-f", "flatness", "round-trips", "levels", "network", "loss", "traces"} {
		status, text, header := h.get("/nwl/runs/first/figures/" + name)
		var chart struct {
			At     []float64
			Curves []struct{ Values []*float64 }
		}
		if err := json.Unmarshal([]byte(text), &chart); err != nil || status != http.StatusOK || header.Get("Content-Type") != "application/json" {
			t.Errorf("figure %s: %d, %v: %s", name, status, err, text)
			continue
		}
		if len(chart.Curves) == 0 || len(chart.At) == 0 || len(chart.Curves[0].Values) != len(chart.At) {
			t.Errorf("figure %s: %s", name, text)
		}
	}
	for path, want := range map[string]int{
		"/runs/first/lattices/low.png": 200, "/runs/first/lattices/high.png": 200, "/runs/first/lattices/none.png": 404, "/runs/none/lattices/low.png": 404,
		"/runs/first/figures/none": 404, "/static/uPlot.js": 200, "/static/uPlot-LICENSE.txt": 200, "/static/none.js": 404, "/static/..%2fpage.go": 404,
		"/group/figures/deviation?system=q3-4x4&method=wang-landau": 200, "/group/figures/none?system=q3-4x4&method=wang-landau": 404,
		"/group/figures/deviation": 200, "/group": 200,
		"/api/v1/runs/first/live": 200, "/api/v1/runs/first/history": 200, "/api/v1/runs/none/live": 404,
	} {
		if status, text, _ := h.get(path); status != want {
			t.Errorf("%s: %d, want %d: %.200s", path, status, want, text)
		}
	}
	var past struct {
		Pass []int64
		Loss []float64
	}
	_, text, _ := h.get("/api/v1/runs/first/history?points=7")
	_, all, _ := h.get("/api/v1/runs/first/history?points=2000")
	if err := json.Unmarshal([]byte(text), &past); err != nil || len(past.Pass) != 7 || len(past.Loss) != 7 || !strings.Contains(all, fmt.Sprintf(",%d],", past.Pass[6])) {
		t.Errorf("%v: %s", err, text)
	}
	// What cannot be read is named, and the rest is there.
	if err := os.WriteFile(filepath.Join(h.daemon.Folder("second"), "live.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	status, text, _ := h.get("/runs/second")
	for _, want := range []string{"It cannot be read: ", "live.json", "Density of states", "run begins", "Submit a copy"} {
		if status != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("%q is not there of a run with a damaged picture: %d, %s", want, status, text)
		}
	}
}

// TestNothingRecorded asks for what a run has not recorded.
func TestNothingRecorded(t *testing.T) {
	h := open(t, 0, nil)
	h.submit(api.Submission{ID: "run-1", Set: quick})
	for _, what := range []string{"live", "history"} {
		if status, text, _ := h.get("/api/v1/runs/run-1/" + what); status != http.StatusConflict || !strings.Contains(text, "nothing recorded yet") {
			t.Errorf("%s: %d, %s", what, status, text)
		}
	}
	h.submit(api.Submission{ID: "training", Kind: job.WorkTrain, Set: []string{"system.size=4x4"}})
	if status, text, _ := h.get("/runs/training"); status != http.StatusOK || strings.Contains(text, "Figures") || strings.Contains(text, "Submit a copy") {
		t.Errorf("a training: %d, %s", status, text)
	}
	if status, text, _ := h.get("/runs/run-1"); status != http.StatusOK || !strings.Contains(text, "nothing to draw") || !strings.Contains(text, "It waits") {
		t.Errorf("%d, %s", status, text)
	}
}

// TestForms sends forms as the pages do, and as nobody should.
func TestForms(t *testing.T) {
	h := open(t, 0, nil)
	// With all faults at once, each beside its field or the line of the text.
	status, text, _ := h.form("/submit", url.Values{
		"id": {"-"}, "system.q": {"1000"}, "run.seed": {"x"}, "priority": {"high"}, "config": {"run:\r\n  walkers: 0\r\n"},
	})
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, `id="f-priority-wrong"`) {
		t.Errorf("%d, %s", status, text)
	}
	status, text, _ = h.form("/submit", url.Values{"system.q": {"1000"}, "run.seed": {"x"}, "config": {"run:\r\n  walkers: 0\r\n"}})
	for _, want := range []string{`id="f-system-q-wrong"`, `id="f-run-seed-wrong"`, `id="f-config-wrong"`, "line 2: run.walkers", `value="1000"`, `aria-invalid="true"`} {
		if status != http.StatusUnprocessableEntity || !strings.Contains(text, want) {
			t.Errorf("%q is not there: %d, %s", want, status, text)
		}
	}
	listed := url.Values{"system.model": {"file"}, "system.couplings": {"i,j,J\r\n0,1,-1\r\n1,x,1\r\n"}, "check": {"1"}}
	if status, text, _ := h.form("/submit", listed); status != http.StatusUnprocessableEntity || !strings.Contains(text, `id="f-system-couplings-wrong"`) || !strings.Contains(text, "line 3") {
		t.Errorf("%d %s", status, text)
	}
	listed.Set("system.couplings", "i,j,J\r\n0,1,-1\r\n1,2,1\r\n")
	if status, text, _ := h.form("/submit", listed); status != http.StatusOK || !strings.Contains(text, "has no fault") {
		t.Errorf("%d %s", status, text)
	}
	if status, text, _ := h.form("/submit", url.Values{"config": {"run: ["}}); status != http.StatusUnprocessableEntity || !strings.Contains(text, `id="f-config-wrong"`) {
		t.Errorf("a text that is no YAML: %d, %s", status, text)
	}
	good := url.Values{"id": {"run-1"}, "title": {"by a form"}, "tags": {" a  b "}, "run.moves": {"local"}, "config": {"system: {q: 3, size: 4x4}\n"}}
	checked := url.Values{"check": {"1"}}
	for name, v := range good {
		checked[name] = v
	}
	if status, text, _ := h.form("/submit", checked); status != http.StatusOK || !strings.Contains(text, "has no fault") {
		t.Errorf("a check: %d, %s", status, text)
	}
	if _, err := h.client.Get(t.Context(), "run-1"); err == nil {
		t.Error("a check submits")
	}
	if status, text, header := h.form("/submit", good); status != http.StatusSeeOther || header.Get("Location") != "/runs/run-1?done=submit" {
		t.Errorf("%d, %v, %s", status, header, text)
	}
	r, err := h.client.Get(t.Context(), "run-1")
	if err != nil || r.Title != "by a form" || fmt.Sprint(r.Tags) != "[a b]" || r.System != "q3-4x4" {
		t.Errorf("%+v, %v", r, err)
	}
	if status, text, _ := h.form("/submit", good); status != http.StatusConflict || !strings.Contains(text, `role="alert"`) {
		t.Errorf("a name that is taken: %d, %s", status, text)
	}
	if status, text, _ := h.form("/runs/run-1/wish", url.Values{"wish": {"fly"}}); status != http.StatusUnprocessableEntity || !strings.Contains(text, "can be told") {
		t.Errorf("a wish that there is not: %d, %s", status, text)
	}
	for _, path := range []string{"/runs/run-1/network", "/networks/swap"} {
		if status, text, _ := h.form(path, url.Values{"run": {"run-1"}, "bundle": {"pretrained/potts-q10"}}); status != http.StatusConflict || !strings.Contains(text, "keeps the one that it has") || !strings.Contains(text, "while it runs") {
			t.Errorf("%s: %d, %s", path, status, text)
		}
	}
	if status, text, _ := h.form("/runs/none/wish", url.Values{"wish": {"pause"}}); status != http.StatusNotFound {
		t.Errorf("of no run: %d, %s", status, text)
	}
	cancel := url.Values{"wish": {"cancel"}}.Encode()
	kind := "Content-Type: application/x-www-form-urlencoded"
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"no browser":        {[]string{kind}, 403},
		"another site":      {[]string{kind, "Sec-Fetch-Site: cross-site"}, 403},
		"another port":      {[]string{kind, "Sec-Fetch-Site: same-site"}, 403},
		"no page":           {[]string{kind, "Sec-Fetch-Site: none"}, 403},
		"another origin":    {[]string{kind, "Origin: http://evil.example"}, 403},
		"a hidden origin":   {[]string{kind, "Origin: null"}, 403},
		"JSON":              {[]string{"Sec-Fetch-Site: same-origin"}, 415},
		"the API as a form": {nil, 415},
	} {
		path, headers := "/runs/run-1/wish", c.headers
		if headers == nil {
			path, headers = "/api/v1/runs", []string{kind, "Sec-Fetch-Site: same-origin"}
		}
		if status, text, _ := h.read(http.MethodPost, path, cancel, headers...); status != c.status {
			t.Errorf("%s: %d, want %d: %s", name, status, c.status, text)
		}
	}
	if status, _, _ := h.read(http.MethodPost, "/runs/run-1/wish", ""); status != 403 {
		t.Errorf("a form without a body: %d", status)
	}
	if r, err := h.client.Get(t.Context(), "run-1"); err != nil || r.Wish != job.Run {
		t.Errorf("somebody else's form was heard: %+v, %v", r, err)
	}
	// Browsers that send no Sec-Fetch-Site name the origin.
	if status, text, header := h.read(http.MethodPost, "/runs/run-1/wish", cancel, kind, "Origin: "+h.url); status != http.StatusOK && status != http.StatusSeeOther {
		t.Errorf("%d, %v, %s", status, header, text)
	}
	if r, err := h.client.Get(t.Context(), "run-1"); err != nil || r.Wish != job.Cancel {
		t.Errorf("%+v, %v", r, err)
	}
	record, err := os.ReadFile(filepath.Join(h.folder, audit.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"what":"submit","run":"run-1","status":303`, `"what":"change","run":"run-1","details":{"wish":"cancel"},"status":303`, `"what":"swap","run":"run-1"`} {
		if !strings.Contains(string(record), want) {
			t.Errorf("%s is missing in the audit:\n%s", want, record)
		}
	}
}

// TestRoles shows a token that may only read no button, and refuses its forms.
func TestRoles(t *testing.T) {
	secrets := map[token.Role]string{}
	var list token.List
	for _, role := range token.Roles {
		secret, e, err := token.New(string(role)+"-er", role)
		if err != nil {
			t.Fatal(err)
		}
		secrets[role], list = secret, append(list, e)
	}
	h := open(t, 0, func(o *Options) { o.Secrets = func() (Secrets, error) { return Secrets{Tokens: list}, nil } })
	h.client.Token = secrets[token.Operate]
	h.submit(api.Submission{ID: "run-1", Set: quick})
	for _, path := range []string{"/", "/runs/run-1", "/networks", "/submit", "/group?system=q3-4x4&method=wang-landau"} {
		if status, _, header := h.get(path); status != http.StatusUnauthorized || !strings.Contains(strings.Join(header.Values("WWW-Authenticate"), " "), "Basic") {
			t.Errorf("%s without a token: %d, %v", path, status, header)
		}
		for role, secret := range secrets {
			r, _ := http.NewRequest(http.MethodGet, "/", nil)
			r.SetBasicAuth("anyone", secret)
			status, text, _ := h.get(path, "Authorization: "+r.Header.Get("Authorization"))
			posts := strings.Contains(text, `method="post"`)
			if status != http.StatusOK || !strings.Contains(text, "you are "+string(role)+"-er") || role == token.Read && posts || role == token.Operate && !posts && (path == "/submit" || path == "/runs/run-1") {
				t.Errorf("%s as %s: %d, posts %v\n%s", path, role, status, posts, text)
			}
		}
	}
	cancel := url.Values{"wish": {"cancel"}}
	if status, text, _ := h.form("/runs/run-1/wish", cancel, "Authorization: Bearer "+secrets[token.Read]); status != http.StatusForbidden {
		t.Errorf("%d, %s", status, text)
	}
	if status, text, _ := h.form("/runs/run-1/wish", cancel, "Authorization: Bearer "+secrets[token.Operate]); status != http.StatusSeeOther {
		t.Errorf("%d, %s", status, text)
	}
}
