package page

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
	"neuralwl/internal/job"
)

// rowsPerPage keeps a page of the table below 200 kB, however long titles and reasons are.
const rowsPerPage = 50

// Tags that are longer, or more, are not in the table.
const (
	mostTag    = 40
	tagsPerRow = 6
)

// runsView is what the table of runs is made of.
type runsView struct {
	Filter  filter
	Columns []column
	Rows    []row
	// From, To and Found count the rows, All the runs without a filter.
	From, To, Found, All   int
	Previous, Next         string // addresses of pages, empty where there is none
	Counts                 string
	States                 []string
	Systems, Methods, Tags []string
	// Group is the address of the comparison of the runs shown, empty where they do not compare.
	Group string
}

// filter is what the table shows, and how.
type filter struct {
	Text, State, System, Method, Tag string
	Group                            string // whose members are shown; without it each group is a line
	Sort                             string
	Descending                       bool
	Page                             int
}

// query is the filter as an address has it.
func (f filter) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"text": f.Text, "state": f.State, "system": f.System, "method": f.Method, "tag": f.Tag, "group": f.Group} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Sort != "" {
		q.Set("sort", f.Sort)
		q.Set("order", map[bool]string{true: "down", false: "up"}[f.Descending])
	}
	if f.Page > 1 {
		q.Set("page", strconv.Itoa(f.Page))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// column is one of the table.
type column struct {
	Name, Key string
	Wide      bool // left out where there is little room
	Address   string
	Order     string // of aria-sort, empty if the table is not sorted by it
	compare   func(a, b *api.Run, now time.Time) int
}

var columns = []column{
	{Name: "Run", Key: "name", compare: func(a, b *api.Run, _ time.Time) int { return cmp.Compare(a.ID, b.ID) }},
	{Name: "State", Key: "state", compare: func(a, b *api.Run, now time.Time) int {
		return cmp.Or(cmp.Compare(stateOrder(a), stateOrder(b)), cmp.Compare(stateWord(a, now), stateWord(b, now)))
	}},
	{Name: "System", Key: "system", Wide: true, compare: func(a, b *api.Run, _ time.Time) int { return cmp.Compare(a.System, b.System) }},
	{Name: "Method", Key: "method", Wide: true, compare: func(a, b *api.Run, _ time.Time) int { return cmp.Compare(a.Method, b.Method) }},
	{Name: "Progress", Key: "progress", compare: func(a, b *api.Run, _ time.Time) int { return cmp.Compare(doneOf(a), doneOf(b)) }},
	{Name: "Levels", Key: "levels", Wide: true, compare: func(a, b *api.Run, _ time.Time) int { return cmp.Compare(levelsOf(a), levelsOf(b)) }},
	{Name: "Took", Key: "time", Wide: true, compare: func(a, b *api.Run, now time.Time) int { return cmp.Compare(took(a, now), took(b, now)) }},
	{Name: "Left", Key: "left", compare: func(a, b *api.Run, now time.Time) int { return cmp.Compare(leftOf(a, now), leftOf(b, now)) }},
	{Name: "Verdict", Key: "verdict", compare: func(a, b *api.Run, _ time.Time) int { return cmp.Compare(verdictWord(a), verdictWord(b)) }},
	{Name: "Submitted", Key: "created", Wide: true, compare: func(a, b *api.Run, _ time.Time) int { return a.Created.Compare(b.Created) }},
}

func stateOrder(r *api.Run) int {
	return slices.Index([]job.State{job.Running, job.Queued, job.Submitted, job.Paused, job.Failed, job.Done, job.Cancelled}, r.State)
}

// restOrder is the place of runs that have ended.
const restOrder = 4

func doneOf(r *api.Run) float64 {
	switch {
	case r.State.Final():
		return 2
	case r.Progress == nil:
		return -1
	}
	return r.Progress.Done
}

func levelsOf(r *api.Run) int {
	if r.Progress == nil {
		return 0
	}
	return r.Progress.Levels
}

// row is a run in the table.
type row struct {
	ID, Title                string
	Group                    bool // it stands for a group
	Tags                     []string
	State, Class             string
	System, Method           string
	Progress                 string
	Done                     float64 // of the phase, for the bar; negative for none
	Levels                   int
	Took, Left, Verdict, Why string
	Created                  time.Time
}

func rowOf(r *api.Run, now time.Time) row {
	out := row{
		ID: r.ID, Group: r.Kind == groupKind, Title: cut(r.Title, 80), State: stateWord(r, now), Class: stateClass(r, now), System: r.System, Method: r.Method,
		Progress: cut(progressWord(r), 80), Done: -1, Levels: levelsOf(r), Left: leftWord(r, now), Verdict: verdictWord(r), Created: r.Created,
	}
	for _, t := range r.Tags {
		if len(t) <= mostTag && len(out.Tags) < tagsPerRow {
			out.Tags = append(out.Tags, t)
		}
	}
	if r.State == job.Running && r.Progress != nil && r.Progress.Done > 0 {
		out.Done = r.Progress.Done
	}
	if d := took(r, now); d > 0 {
		out.Took = duration(d)
	}
	if r.State == job.Failed {
		line, _, _ := strings.Cut(r.Reason, "\n")
		out.Why = cut(line, 160)
	} else if r.Progress != nil && verdictWord(r) == "not converged" {
		out.Why = cut(strings.Join(r.Progress.Failed, ", "), 160)
	}
	return out
}

// cut shortens a text to so many characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// readFilter reads the filter of an address. What it does not know is as if it were not there.
func readFilter(q url.Values) filter {
	f := filter{
		Text: strings.TrimSpace(q.Get("text")), State: q.Get("state"), System: q.Get("system"), Method: q.Get("method"), Tag: strings.TrimSpace(q.Get("tag")),
		Group: q.Get("group"), Page: 1,
	}
	if slices.ContainsFunc(columns, func(c column) bool { return c.Key == q.Get("sort") }) {
		f.Sort, f.Descending = q.Get("sort"), q.Get("order") == "down"
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil && n > 1 {
		f.Page = n
	}
	return f
}

func (f filter) keeps(r *api.Run) bool {
	has := func(s string) bool { return strings.Contains(strings.ToLower(s), strings.ToLower(f.Text)) }
	state := string(r.State)
	if r.State == job.Queued || r.State == job.Submitted {
		state = waiting
	}
	return f.Group == r.Group && (f.Text == "" || has(r.ID) || has(r.Title)) && (f.State == "" || f.State == state) && (f.System == "" || f.System == r.System) &&
		(f.Method == "" || f.Method == r.Method) && (f.Tag == "" || slices.Contains(r.Tags, f.Tag))
}

// waiting stands for the states of runs whose turn has not come.
const waiting = "waiting"

// mostChoices bounds the lists of systems, methods and tags to choose from.
const mostChoices = 100

// runs shows the table of runs.
func (p *Page) runs(w http.ResponseWriter, r *http.Request) {
	f := readFilter(r.URL.Query())
	v := &runsView{States: []string{"running", waiting, "paused", "done", "failed", "cancelled"}}
	systems, methods, tags, counts := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]int{}
	keep := func(r *api.Run) bool {
		if r.Group != f.Group {
			return false
		}
		v.All++
		systems[r.System], methods[r.Method] = r.System != "", r.Method != ""
		for _, t := range r.Tags {
			tags[t] = len(t) <= mostTag
		}
		switch {
		case r.State == job.Queued || r.State == job.Submitted:
			counts[waiting]++
		default:
			counts[string(r.State)]++
		}
		return f.keeps(r)
	}
	found := p.o.Daemon.List(keep)
	if f.Group == "" {
		for _, g := range p.o.Daemon.Groups() {
			if line := groupRun(&g); keep(&line) {
				found = append(found, line)
			}
		}
		slices.SortFunc(found, func(a, b api.Run) int { return daemon.Order(&a, &b) })
	}
	names := func(m map[string]bool) []string {
		maps.DeleteFunc(m, func(_ string, known bool) bool { return !known })
		all := slices.Sorted(maps.Keys(m))
		return all[:min(len(all), mostChoices)]
	}
	v.Systems, v.Methods, v.Tags = names(systems), names(methods), names(tags)
	var words []string
	for _, s := range v.States {
		if counts[s] > 0 {
			words = append(words, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	v.Counts = strings.Join(words, ", ")
	p.fill(v, f, found)
	p.render(w, r, "runs", http.StatusOK, layout{Title: "Runs", Section: "runs", Events: p.events(nil), Body: v})
}

// fill sorts what was found and takes a page of it.
func (p *Page) fill(v *runsView, f filter, found []api.Run) {
	now := time.Now()
	v.Found = len(found)
	v.Columns = slices.Clone(columns)
	for i := range v.Columns {
		c := &v.Columns[i]
		next := f
		next.Sort, next.Descending, next.Page = c.Key, false, 1
		if f.Sort == c.Key {
			c.Order = "ascending"
			if next.Descending = !f.Descending; f.Descending {
				c.Order = "descending"
			}
			slices.SortStableFunc(found, func(a, b api.Run) int {
				if f.Descending {
					a, b = b, a
				}
				return c.compare(&a, &b, now)
			})
		}
		c.Address = p.at("/") + next.query()
	}
	if f.Sort == "" { // what goes on first, then what waits, then the rest, the newest first
		slices.SortStableFunc(found, func(a, b api.Run) int {
			return cmp.Or(min(stateOrder(&a), restOrder)-min(stateOrder(&b), restOrder), daemon.Order(&a, &b))
		})
	}
	f.Page = min(f.Page, max(1, (len(found)+rowsPerPage-1)/rowsPerPage))
	v.Filter = f
	v.From = (f.Page - 1) * rowsPerPage
	v.To = min(v.From+rowsPerPage, len(found))
	for i := v.From; i < v.To; i++ {
		v.Rows = append(v.Rows, rowOf(&found[i], now))
	}
	page := func(n int) string {
		g := f
		g.Page = n
		return p.at("/") + g.query()
	}
	if f.Page > 1 {
		v.Previous = page(f.Page - 1)
	}
	if v.To < len(found) {
		v.Next = page(f.Page + 1)
	}
	if len(found) > 1 {
		g := groupOf(&found[0])
		g.Tag = f.Tag
		if !slices.ContainsFunc(found, func(r api.Run) bool { return !g.has(&r) }) {
			v.Group = p.at("/group") + g.query()
		}
	}
}
