package page

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/child"
	"neuralwl/internal/compare/report"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
)

// comparisonView is a row of the table of comparisons.
type comparisonView struct {
	Run          *api.Run
	State, Class string
	Progress     string  // in words
	Done         float64 // of the cells, negative where there is no bar
	Left         string
	Report       string // its address, empty without
	Verdicts     []string
	More         int
}

// mostVerdicts and mostComparisons bound the page.
const (
	mostVerdicts    = 8
	mostComparisons = 100
)

// comparisons lists the comparisons of samplers.
func (p *Page) comparisons(w http.ResponseWriter, r *http.Request) {
	all := p.o.Daemon.List(func(r *api.Run) bool { return r.Kind == job.WorkCompare })
	slices.SortFunc(all, func(a, b api.Run) int { return cmp.Compare(b.Created.UnixNano(), a.Created.UnixNano()) })
	now := time.Now()
	var rows []comparisonView
	for i := range all[:min(len(all), mostComparisons)] {
		rows = append(rows, p.comparisonRow(&all[i], now))
	}
	p.render(w, r, "comparisons", http.StatusOK, layout{Title: "Comparisons", Section: "comparisons", Events: p.events(nil), Body: rows})
}

func (p *Page) comparisonRow(r *api.Run, now time.Time) comparisonView {
	v := comparisonView{Run: r, State: stateWord(r, now), Class: stateClass(r, now), Done: -1}
	if g := r.Progress; g != nil && !r.State.Final() {
		v.Progress, v.Left = g.Phase, leftWord(r, now)
		if r.State == job.Running {
			v.Done = g.Done
		}
	}
	root, err := p.o.Daemon.Open(r.ID)
	if err != nil {
		return v
	}
	defer root.Close()
	if f, _, err := disk.OpenRegular(root, reportPath); err == nil {
		f.Close()
		v.Report = p.at("/comparisons", r.ID, "report")
	}
	c, err := readComparison(root)
	if err != nil {
		v.Progress = "its result cannot be read: " + err.Error()
		return v
	}
	if c != nil {
		v.Progress = fmt.Sprintf("%d cells", c.Cells)
		if n := len(c.Failed); n > 0 {
			v.Progress += fmt.Sprintf(", without results: %s", cut(list(c.Failed), 200))
		}
		v.Verdicts = c.Verdicts
		if v.More = len(v.Verdicts) - mostVerdicts; v.More > 0 {
			v.Verdicts = v.Verdicts[:mostVerdicts]
		}
	}
	return v
}

func list(names []string) (text string) {
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += n
	}
	return text
}

// reportPath is that of a comparison's report in its run directory.
const reportPath = child.ComparisonFolder + "/" + report.HTMLFile

// readComparison reads the result of a comparison, nil if it has not ended.
func readComparison(root *os.Root) (*child.Comparison, error) {
	f, _, err := disk.OpenRegular(root, child.ComparisonFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c := &child.Comparison{}
	if err := json.NewDecoder(io.LimitReader(f, 1<<20)).Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", child.ComparisonFile, err)
	}
	return c, nil
}

// comparisonReport sends the report of a comparison. It may show what it brings along and do
// nothing: it comes from a run directory.
func (p *Page) comparisonReport(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := p.o.Daemon.Get(r.Context(), id); err != nil {
		p.fail(w, r, err)
		return
	}
	root, err := p.o.Daemon.Open(id)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	defer root.Close()
	f, about, err := disk.OpenRegular(root, reportPath)
	if err != nil {
		http.Error(w, id+" has no report yet", http.StatusNotFound)
		return
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'; sandbox")
	http.ServeContent(w, r, "", about.ModTime(), f)
}
