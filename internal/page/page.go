// Package page is what the daemon shows in a browser: its runs, a run, networks, and forms that
// submit and change runs. All of it is HTML made by templates, readable without script and in
// print; a small script keeps it up to date. Nothing is asked of another host.
package page

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
)

// Options of the pages.
type Options struct {
	Daemon   *daemon.Daemon
	BasePath string // under which a proxy publishes the daemon, as in /nwl
	Version  string
	Log      *slog.Logger
	// Asks says whose request it is, the name of a token or nothing, and whether they may change
	// anything.
	Asks func(context.Context) (name string, operates bool)
	// Note adds to the record of a change what it is about.
	Note func(ctx context.Context, run string, details map[string]any)
}

// Route is an address with its handler.
type Route struct {
	Pattern string // of http.ServeMux
	// Change names the change that the address is for, in the record of changes; empty for one
	// that shows something.
	Change  string
	Handler http.HandlerFunc
}

// Page makes the pages.
type Page struct {
	o         Options
	templates map[string]*template.Template
}

//go:embed templates static
var files embed.FS

// New returns the pages of a daemon.
func New(o Options) (*Page, error) {
	p := &Page{o: o, templates: map[string]*template.Template{}}
	functions := template.FuncMap{"add1": func(n int) int { return n + 1 }, "at": p.at, "when": when, "moment": moment, "megabytes": megabytes, "percent": percent}
	for _, name := range []string{"runs", "run", "networks", "submit", "group", "groups", "comparisons", "fault"} {
		t, err := template.New("layout.html").Funcs(functions).ParseFS(files, "templates/layout.html", "templates/parts.html", "templates/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		p.templates[name] = t
	}
	return p, nil
}

// Routes are the addresses of the pages.
func (p *Page) Routes() []Route {
	return []Route{
		{"GET /{$}", "", p.runs},
		{"GET /runs/{id}", "", p.run},
		{"GET /runs/{id}/figures/{name}", "", p.figure},
		{"GET /runs/{id}/lattices/{name}", "", p.lattice},
		{"GET /group", "", p.group},
		{"GET /group/figures/{name}", "", p.groupFigure},
		{"GET /groups/{name}", "", p.runGroup},
		{"POST /groups/{name}/wish", "change-group", p.form(p.wishGroup)},
		{"GET /networks", "", p.networks},
		{"GET /comparisons", "", p.comparisons},
		{"GET /comparisons/{id}/report", "", p.comparisonReport},
		{"GET /submit", "", p.submitForm},
		{"GET /static/{name}", "", p.static},
		{"POST /submit", "submit", p.form(p.submit)},
		{"POST /runs/{id}/wish", "change", p.form(p.wish)},
		{"POST /runs/{id}/network", "swap", p.form(p.swap)},
		{"POST /networks/swap", "swap", p.form(p.swapInto)},
	}
}

// FormType is the type of the bodies that the forms send.
const FormType = "application/x-www-form-urlencoded"

// TakesForm reports whether a request is one of those that the forms of the pages send.
func TakesForm(r *http.Request) bool {
	return r.Method == http.MethodPost &&
		(r.URL.Path == "/submit" || r.URL.Path == "/networks/swap" || strings.HasPrefix(r.URL.Path, "/runs/") || strings.HasPrefix(r.URL.Path, "/groups/"))
}

// OwnForm reports whether a browser sent a form from a page of this daemon. One that does not say
// so may be a page from elsewhere, or no browser: programs have the interface below api.Prefix.
func OwnForm(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	return err == nil && origin.Host != "" && strings.EqualFold(origin.Host, r.Host)
}

// policy allows what the daemon serves itself and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// layout is what the templates are given.
type layout struct {
	Title    string
	Section  string // of the navigation
	By       string
	Operates bool
	Version  string
	// Events is the address of the stream whose events say that the page is out of date, empty for
	// none; Kinds are those that do, with spaces between, empty for all.
	Events, Kinds string
	Said          string // what came of a change
	Faults        []string
	Body          any
}

// render sends a page.
func (p *Page) render(w http.ResponseWriter, r *http.Request, name string, status int, l layout) {
	l.By, l.Operates = p.o.Asks(r.Context())
	l.Version = p.o.Version
	var text bytes.Buffer
	if err := p.templates[name].Execute(&text, &l); err != nil {
		p.o.Log.Error("a page cannot be made", "page", name, "reason", err)
		http.Error(w, "the daemon has a fault, which is in its log", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	// Browsers are to name the page that a form is sent from, to this daemon alone.
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	w.Write(text.Bytes())
}

// form reads the form of a request before its handler is called.
func (p *Page) form(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			p.render(w, r, "fault", http.StatusRequestEntityTooLarge, layout{Title: "This did not work", Faults: []string{fmt.Sprintf("the form is larger than %d bytes", large.Limit)}})
		case err != nil:
			p.render(w, r, "fault", http.StatusBadRequest, layout{Title: "This did not work", Faults: []string{"the form cannot be read: " + err.Error()}})
		default:
			handler(w, r)
		}
	}
}

// statusOf is the status of an error of the daemon.
func statusOf(err error) int {
	for _, c := range []struct {
		is     bool
		status int
	}{
		{daemon.Missing(err), http.StatusNotFound},
		{daemon.Taken(err) || daemon.Impossible(err), http.StatusConflict},
		{errors.Is(err, daemon.ErrInvalid), http.StatusUnprocessableEntity},
		{errors.Is(err, daemon.ErrFull), http.StatusInsufficientStorage},
	} {
		if c.is {
			return c.status
		}
	}
	return http.StatusInternalServerError
}

// fail shows an error in place of a page.
func (p *Page) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	if status >= http.StatusInternalServerError {
		p.o.Log.Error("a page failed", "path", r.URL.Path, "reason", err)
	}
	title := "This did not work"
	if status == http.StatusNotFound {
		title = "There is no such thing"
	}
	p.render(w, r, "fault", status, layout{Title: title, Faults: textsOf(err)})
}

// textsOf are the faults of an error, in words.
func textsOf(err error) (texts []string) {
	for _, f := range daemon.Faults(err) {
		texts = append(texts, f.Text)
	}
	return texts
}

// at is the address of a path of the daemon as browsers have it. Further arguments are parts that
// are escaped and joined to it.
func (p *Page) at(to string, more ...any) string {
	for _, part := range more {
		to += "/" + url.PathEscape(fmt.Sprint(part))
	}
	return p.o.BasePath + to
}

// events is the address of the events after the last one that is known.
func (p *Page) events(r *api.Run) string {
	if r == nil {
		return p.at(api.Prefix + "/events")
	}
	return fmt.Sprintf("%s?after=%d", p.at(api.Prefix+"/runs", r.ID, "events"), r.Event)
}

// to sends the browser on after a change.
func (p *Page) to(w http.ResponseWriter, path, done string) {
	w.Header().Set("Location", path+"?"+url.Values{"done": {done}}.Encode())
	w.WriteHeader(http.StatusSeeOther)
}

var staticTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

// static sends a file that is the same for all.
func (p *Page) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data, err := files.ReadFile("static/" + name)
	kind, ok := staticTypes[path.Ext(name)]
	if err != nil || !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(data)))
	h.Set("Cache-Control", "no-cache") // may be kept, but must be asked about
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}
