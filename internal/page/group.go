package page

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/live"
	"neuralwl/internal/report"
	"neuralwl/sampler/dos"
)

// group is runs that estimate the same density of states in the same way, as with other seeds.
type group struct{ System, Method, Tag string }

// groupOf is the group of a run, whatever its tags.
func groupOf(r *api.Run) group { return group{System: r.System, Method: r.Method} }

func (g group) has(r *api.Run) bool {
	return r.Kind == job.WorkRun && r.System == g.System && r.Method == g.Method && (g.Tag == "" || slices.Contains(r.Tags, g.Tag))
}

func (g group) query() string {
	q := url.Values{"system": {g.System}, "method": {g.Method}}
	if g.Tag != "" {
		q.Set("tag", g.Tag)
	}
	return "?" + q.Encode()
}

func groupFrom(r *http.Request) group {
	q := r.URL.Query()
	return group{q.Get("system"), q.Get("method"), q.Get("tag")}
}

// mostCompared bounds the runs whose results are read for a comparison, the newest ones.
const mostCompared = 32

// groupView is what the page of a group is made of.
type groupView struct {
	group
	Rows    []row
	Seeds   []string
	Figures []figureView
	Found   int
	With    int // as many have results
	Left    []string
	Tags    []string
}

// group compares the runs of a group.
func (p *Page) group(w http.ResponseWriter, r *http.Request) {
	g := groupFrom(r)
	runs := p.o.Daemon.List(g.has)
	v := &groupView{group: g, Found: len(runs)}
	runs = runs[:min(len(runs), mostCompared)]
	now := time.Now()
	for i := range runs {
		v.Rows = append(v.Rows, rowOf(&runs[i], now))
		seed := ""
		if runs[i].Progress != nil {
			seed = fmt.Sprint(runs[i].Progress.Seed)
		}
		v.Seeds = append(v.Seeds, seed)
		for _, t := range runs[i].Tags {
			if !slices.Contains(v.Tags, t) {
				v.Tags = append(v.Tags, t)
			}
		}
	}
	slices.Sort(v.Tags)
	c, err := p.comparison(runs)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	v.With, v.Left = len(c.runs), c.left
	for _, c := range c.charts() {
		v.Figures = append(v.Figures, figureView{c, c.SVG(), p.at("/group/figures", c.Name) + g.query()})
	}
	p.render(w, r, "group", http.StatusOK, layout{Title: "Runs of " + g.System + " by " + g.Method, Section: "runs", Events: p.events(nil), Kinds: "state", Body: v})
}

// groupFigure sends the points of a figure of a group.
func (p *Page) groupFigure(w http.ResponseWriter, r *http.Request) {
	runs := p.o.Daemon.List(groupFrom(r).has)
	c, err := p.comparison(runs[:min(len(runs), mostCompared)])
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.sendChart(w, r, c.charts())
}

// comparison is the results of runs at the energies that all have, relative to the same reference.
type comparison struct {
	runs   []string
	exact  bool // the reference; else the mean of the runs
	energy []float64
	// deviations from the reference and their errors by run and energy.
	deviations, errors [][]float64
	left               []string // out, with the reason
}

// comparison reads the results of runs. Those that have none, or do not compare, are left out.
func (p *Page) comparison(runs []api.Run) (*comparison, error) {
	c := &comparison{}
	var densities []*dos.Density
	var reference *dos.Density
	system := ""
	for _, r := range runs {
		if r.State == job.Running {
			continue
		}
		// The name of a system leaves out some of its parameters, such as fields.
		if full := fullSystem(&r); full != "" && system != "" && full != system {
			c.left = append(c.left, fmt.Sprintf("%s: it is of %s, not of %s", r.ID, full, system))
			continue
		}
		data, err := p.file(r.ID, report.DensityFile)
		if err != nil {
			return nil, err
		}
		if data == nil {
			continue
		}
		d, err := dos.ReadCSV(bytes.NewReader(data))
		if err != nil {
			c.left = append(c.left, fmt.Sprintf("%s: %v", r.ID, err))
			continue
		}
		densities, c.runs = append(densities, d), append(c.runs, r.ID)
		system = cmp.Or(system, fullSystem(&r))
		if reference == nil {
			if picture, err := live.ReadPicture(p.o.Daemon.Folder(r.ID)); err == nil && picture.Levels.Exact != nil {
				reference, c.exact = &dos.Density{Energy: picture.Levels.Energy, LnG: picture.Levels.Exact}, true
			}
		}
	}
	if len(densities) == 0 {
		return c, nil
	}
	if reference == nil {
		reference = densities[0]
	}
	c.compare(densities, reference)
	return c, nil
}

// fullSystem describes the system of a run with all its parameters, empty where nothing was heard
// of it.
func fullSystem(r *api.Run) string {
	if r.Progress == nil {
		return ""
	}
	return r.Progress.System
}

// compare fills in the deviations, at the energies that all have.
func (c *comparison) compare(densities []*dos.Density, reference *dos.Density) {
	var all []*dos.Density
	var names []string
	times := map[float64]int{}
	for i, d := range densities {
		// The reference counts as exact; the errors are the runs' own.
		deviation, _, err := dos.Deviation(d, &dos.Density{Energy: reference.Energy, LnG: reference.LnG})
		if err != nil {
			c.left = append(c.left, fmt.Sprintf("%s: %v", c.runs[i], err))
			continue
		}
		all, names = append(all, deviation), append(names, c.runs[i])
		for _, e := range deviation.Energy {
			times[e]++
		}
	}
	c.runs = names
	for i, d := range all {
		var deviations, errors []float64
		for k, e := range d.Energy {
			if times[e] < len(all) {
				continue
			}
			if i == 0 {
				c.energy = append(c.energy, e)
			}
			deviations, errors = append(deviations, d.LnG[k]), append(errors, d.Error[k])
		}
		c.deviations, c.errors = append(c.deviations, deviations), append(c.errors, errors)
	}
	if c.exact {
		return
	}
	for k := range c.energy {
		mean, _ := c.moments(k)
		for i := range c.deviations {
			c.deviations[i][k] -= mean
		}
	}
}

// moments are mean and standard deviation over the runs at an energy, the latter NaN for one run.
func (c *comparison) moments(k int) (mean, deviation float64) {
	n := float64(len(c.deviations))
	for _, d := range c.deviations {
		mean += d[k] / n
	}
	for _, d := range c.deviations {
		deviation += (d[k] - mean) * (d[k] - mean)
	}
	return mean, math.Sqrt(deviation / (n - 1))
}

// mostSingle is how many runs are drawn one by one, beside their mean.
const mostSingle = 6

// charts are the figures of a comparison.
func (c *comparison) charts() []*chart {
	reference := "the mean"
	if c.exact {
		reference = "the exact result"
	}
	mean := curve{Name: "mean and standard deviation", X: c.energy}
	spread := curve{Name: "standard deviation between runs", X: c.energy}
	stated := curve{Name: "standard error that the runs state (rms)", Colour: 1, X: c.energy}
	for k := range c.energy {
		m, s := c.moments(k)
		mean.Y, mean.Low, mean.High = append(mean.Y, m), append(mean.Low, m-s), append(mean.High, m+s)
		spread.Y = append(spread.Y, s)
		sum := 0.0
		for i := range c.errors {
			sum += c.errors[i][k] * c.errors[i][k] / float64(len(c.errors))
		}
		stated.Y = append(stated.Y, math.Sqrt(sum))
	}
	deviations := &chart{Name: "deviation", Title: "Deviation of ln g from " + reference, X: energyAxis, Y: axis{Label: "deviation of ln g"}, Curves: []curve{mean}}
	if len(c.runs) <= mostSingle {
		for i, id := range c.runs {
			deviations.Curves = append(deviations.Curves, curve{Name: id, Colour: i + 1, Points: true, X: c.energy, Y: c.deviations[i]})
		}
	}
	errors := &chart{Name: "errors", Title: "Spread of the runs and the errors that they state", X: energyAxis, Y: axis{Label: "of ln g"}, Curves: []curve{spread, stated},
		Note: "Where the errors are right, both agree within the scatter of so few runs."}
	for _, chart := range []*chart{deviations, errors} {
		if chart.empty() {
			chart.None = "There are no results yet; two runs with results are needed to compare."
		}
	}
	return []*chart{deviations, errors}
}
