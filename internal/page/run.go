package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/history"
	"neuralwl/internal/job"
	"neuralwl/internal/live"
	"neuralwl/internal/plots"
	"neuralwl/internal/report"
	"neuralwl/models/pretrained"
	"neuralwl/sampler/dos"
)

// runView is what the page of a run is made of.
type runView struct {
	Run             *api.Run
	State, Class    string
	Sentence        string
	Broken          []string // what cannot be read of it
	Done            float64  // of the phase, negative where there is no bar
	Facts           []fact
	Advice          []report.Check // that failed
	Passed          []report.Check
	Remark          string
	Figures         []figureView
	Lattices        []latticeView
	Swaps           []api.PastSwap
	Earlier         int      // exchanges that are not shown
	Networks        []string // that it can be given
	Exchanges       bool     // it can be given one now
	Produces        bool     // in production, where that is refused unless it begins anew
	Log             []logLine
	Files           []fileView
	MoreFiles       int
	Group           string // address of the comparison with its like
	Like            int    // as many there are, itself included
	Pauses, Resumes bool   // what it can be told
	Cancels         bool
	Chosen          string // the network of a form that failed
}

type fact struct{ Name, Value string }

type figureView struct {
	*chart
	Drawn   template.HTML
	Address string // of its JSON
}

type latticeView struct {
	Name, Address, Text string
	Width, Height       int
}

type fileView struct {
	api.File
	Address string
}

// Bounds of the lists of a page; files and the interface have all of them.
const (
	mostFiles = 60
	mostLines = 40
	mostSwaps = 40
)

// run shows a run.
func (p *Page) run(w http.ResponseWriter, r *http.Request) {
	said := ""
	v, err := p.view(r.Context(), r.PathValue("id"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	switch r.URL.Query().Get("done") {
	case "submit":
		said = "The run is submitted."
	case "pause":
		said = "The run will pause, with a checkpoint."
	case "cancel":
		said = "The run will end."
	case "run":
		said = "The run goes on."
	case "swap":
		if n := len(v.Swaps); n > 0 {
			said = fmt.Sprintf("The run goes on with %s, since pass %d.", v.Swaps[n-1].Bundle, v.Swaps[n-1].Pass)
		}
	}
	p.renderRun(w, r, http.StatusOK, v, said, nil)
}

func (p *Page) renderRun(w http.ResponseWriter, r *http.Request, status int, v *runView, said string, faults []string) {
	l := layout{Title: v.Run.ID, Section: "runs", Said: said, Faults: faults, Body: v}
	if !v.Run.State.Final() {
		l.Events = p.events(v.Run)
	}
	p.render(w, r, "run", status, l)
}

// view puts together what the page of a run shows. It takes no lock on the run directory.
func (p *Page) view(ctx context.Context, id string) (*runView, error) {
	r, err := p.o.Daemon.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	v := &runView{Run: r, State: stateWord(r, now), Class: stateClass(r, now), Sentence: cut(sentence(r, now), 4000), Done: -1}
	if r.State == job.Running && r.Progress != nil && r.Progress.Done > 0 {
		v.Done = r.Progress.Done
	}
	v.Pauses = (r.State == job.Running || r.State == job.Queued || r.State == job.Submitted) && r.Wish == job.Run
	v.Cancels = !r.State.Final() && r.Wish != job.Cancel
	v.Resumes = r.State == job.Paused || r.State.Final()
	// A file that cannot be read costs what it would show, and no more.
	broken := func(err error) {
		if err != nil {
			v.Broken = append(v.Broken, err.Error())
		}
	}
	s, err := p.sight(ctx, r)
	broken(err)
	v.Swaps = s.swaps
	if v.Earlier = len(s.swaps) - mostSwaps; v.Earlier > 0 {
		v.Swaps = s.swaps[v.Earlier:]
	}
	if r.Kind == job.WorkRun {
		for _, c := range s.charts() {
			v.Figures = append(v.Figures, figureView{c, c.SVG(), p.at("/runs", id, "figures", c.Name)})
		}
		v.Lattices = p.lattices(id, s.picture)
	}
	summary, err := p.summary(id)
	broken(err)
	v.judge(summary)
	v.Facts = factsOf(r, s.picture, summary, now)
	if v.Exchanges = r.State == job.Running && r.Progress != nil && r.Progress.Architecture != ""; v.Exchanges {
		v.Produces = r.Progress.Phase == "production"
		v.Networks, err = p.offered()
		broken(err)
	}
	v.Log, err = p.log(id)
	broken(err)
	files, err := p.o.Daemon.Files(id)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(files.Files, func(a, b api.File) int { return strings.Count(a.Path, "/") - strings.Count(b.Path, "/") })
	for _, f := range files.Files[:min(len(files.Files), mostFiles)] {
		v.Files = append(v.Files, fileView{f, p.at(api.Prefix+"/runs", id, "files") + "/" + escapePath(f.Path)})
	}
	v.MoreFiles = len(files.Files) - len(v.Files)
	if g := groupOf(r); g.System != "" {
		v.Like = len(p.o.Daemon.List(g.has))
		v.Group = p.at("/group") + g.query()
	}
	return v, nil
}

// sight reads what there is to draw of a run, all that can be read.
func (p *Page) sight(ctx context.Context, r *api.Run) (*sight, error) {
	s := &sight{rests: r.State == job.Paused || r.State.Final()}
	var faults []error
	there := func(err error) {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	networks, err := p.o.Daemon.NetworkHistory(ctx, r.ID)
	if there(err); err == nil {
		s.swaps = networks.Swaps
	}
	folder := p.o.Daemon.Folder(r.ID)
	s.picture, err = live.ReadPicture(folder)
	there(err)
	s.history, err = history.Read(folder)
	there(err)
	// Of a run that goes on, the file is what it came to when it last ended.
	if s.rests {
		data, err := p.file(r.ID, report.DensityFile)
		if there(err); data != nil {
			// A joint density is shown as its sum over the second variable.
			if s.density, err = (dos.Reader{Note: func(string) {}}).ReadCSV(bytes.NewReader(data)); err != nil {
				there(fmt.Errorf("%s: %s: %w", r.ID, report.DensityFile, err))
			}
		}
	}
	return s, errors.Join(faults...)
}

// file reads a file of a run directory, nil if there is none.
func (p *Page) file(id, name string) ([]byte, error) {
	root, err := p.o.Daemon.Open(id)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, _, err := disk.OpenRegular(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (p *Page) summary(id string) (*report.Summary, error) {
	data, err := p.file(id, report.SummaryFile)
	if data == nil || err != nil {
		return nil, err
	}
	s := &report.Summary{}
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", id, report.SummaryFile, err)
	}
	return s, nil
}

// judge takes over the verdict of a run that rests.
func (v *runView) judge(s *report.Summary) {
	if s == nil || v.Run.State == job.Running {
		return
	}
	v.Remark = s.Verdict.Remark
	for _, c := range s.Verdict.Checks {
		if c.Passed {
			v.Passed = append(v.Passed, c)
		} else {
			v.Advice = append(v.Advice, c)
		}
	}
}

// factsOf lists what is known of a run.
func factsOf(r *api.Run, picture *live.Picture, summary *report.Summary, now time.Time) (facts []fact) {
	add := func(name, format string, a ...any) {
		if text := fmt.Sprintf(format, a...); strings.Trim(text, " ,") != "" {
			facts = append(facts, fact{name, text})
		}
	}
	if r.Kind != job.WorkRun {
		add("Kind", "%s", r.Kind)
	}
	add("Notes", "%s", r.Notes)
	p := r.Progress
	switch {
	case p != nil && p.System != "":
		add("System", "%s", p.System)
		add("Method", "%s, seed %d, %d walkers", p.Method, p.Seed, p.Walkers)
		if p.Architecture != "" {
			add("Network", "%s on %s", p.Architecture, p.Provider)
		}
	default:
		add("System", "%s", r.System)
		add("Method", "%s", r.Method)
	}
	ended := summary != nil && r.State != job.Running
	switch {
	case ended && summary.Levels.Known > 0:
		add("Energies seen", "%d of %d", summary.Levels.Seen, summary.Levels.Known)
	case p != nil && p.Levels > 0:
		add("Energies seen", "%d", p.Levels)
	}
	switch {
	case ended && summary.Temperatures != nil:
		least := summary.Temperatures[0]
		for _, t := range summary.Temperatures {
			if t.Effective < least.Effective {
				least = t
			}
		}
		if last := summary.Temperatures[len(summary.Temperatures)-1]; last.FreeEnergy != nil {
			add("Free energy", "%s per site at beta %g, the last of %d temperatures", last.FreeEnergy, last.Beta, len(summary.Temperatures))
		}
		add("Effective draws", "at least %.0f of %d, at beta %g", least.Effective, least.Draws, least.Beta)
	case config.Run{Method: r.Method}.DrawsAlone(): // no walkers make trips
	case ended && len(summary.Phases) > 0:
		last := summary.Phases[len(summary.Phases)-1]
		add("Round trips", "%.0f in the phase %s", last.RoundTrips, last.Name)
	case p != nil && p.Levels > 0:
		add("Round trips", "%.0f in the phase", p.RoundTrips)
	}
	switch {
	case ended && summary.Exact != nil:
		add("Deviation of ln g", "%.3g from the exact result (root mean square)", summary.Exact.RMS)
	case !ended && picture != nil && picture.Deviation != nil:
		add("Deviation of ln g", "%.3g from the exact result (root mean square)", *picture.Deviation)
	}
	if p != nil && r.State == job.Running {
		if p.LnF > 0 {
			add("ln f", "%.3g", p.LnF)
		}
		if r.Method != config.VANMethod {
			add("Flatness", "%.2f", p.Flatness)
		}
		if p.Acceptance > 0 {
			add("Acceptance", "%.1f %% of the network's proposals", 100*p.Acceptance)
		}
		if p.Steps > 0 {
			add("Training", "%d gradient steps, loss %.2f nats", p.Steps, p.Loss)
		}
	}
	if d := took(r, now); d > 0 {
		add("Time", "%s", duration(d))
	}
	add("Submitted", "%s", strings.TrimSuffix(when(r.Created)+" by "+r.By, " by "))
	add("Began", "%s", when(r.Began))
	add("Ended", "%s", when(r.Ended))
	add("Worker", "%s", r.Owner)
	add("After", "%s", strings.Join(append(slices.Clone(r.After), r.AfterAny...), ", "))
	add("Follows", "%s", r.Follow)
	add("Changed", "%s", strings.Join(r.Changes, ", "))
	add("Folder", "%s", r.Folder)
	if p != nil && !r.State.Final() {
		add("Last heard", "%s", when(p.At))
	}
	return facts
}

// offered lists the networks that a run can be given.
func (p *Page) offered() (names []string, err error) {
	all, err := p.o.Daemon.Networks()
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Backward(all) {
		if n.Fault == "" && len(names) < mostChoices {
			names = append(names, fmt.Sprintf("%s/%d", n.Name, n.Version))
		}
	}
	for _, name := range pretrained.Names() {
		names = append(names, pretrained.Prefix+name)
	}
	return names, nil
}

// latticeNames are those of the configurations of a picture, by their number.
var latticeNames = []string{"low", "middle", "high"}

// lattices describes the configurations of a picture.
func (p *Page) lattices(id string, picture *live.Picture) (views []latticeView) {
	if picture == nil {
		return nil
	}
	for i, l := range picture.Lattices[:min(len(picture.Lattices), len(latticeNames))] {
		width, height := plots.LatticeSize(picture.Sides)
		if width == 0 {
			return nil
		}
		v := latticeView{
			Name: latticeNames[i] + " energy, E = " + label(l.Energy), Width: width, Height: height,
			// The moment tells browsers that the picture is another one.
			Address: p.at("/runs", id, "lattices", latticeNames[i]+".png") + "?at=" + strconv.FormatInt(picture.At.UnixNano(), 36),
			Text:    fmt.Sprintf("Configuration at %s energy, E = %g; %.0f %% of the sites have the most frequent value", latticeNames[i], l.Energy, 100*majority(l.State)),
		}
		views = append(views, v)
	}
	return views
}

// lattice sends the picture of a configuration.
func (p *Page) lattice(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, err := p.o.Daemon.Get(r.Context(), id); err != nil {
		p.fail(w, r, err)
		return
	}
	picture, err := live.ReadPicture(p.o.Daemon.Folder(id))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.fail(w, r, err)
		return
	}
	i := slices.Index(latticeNames, strings.TrimSuffix(r.PathValue("name"), ".png"))
	if picture == nil || i < 0 || i >= len(picture.Lattices) {
		http.NotFound(w, r)
		return
	}
	data, err := plots.Lattice(picture.Lattices[i].State, picture.Sides, picture.Colours)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Write(data)
}

// figure sends the points of a figure.
func (p *Page) figure(w http.ResponseWriter, r *http.Request) {
	run, err := p.o.Daemon.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	s, err := p.sight(r.Context(), run)
	if err != nil {
		p.o.Log.Debug("a figure lacks what cannot be read", "run", run.ID, "reason", err)
	}
	p.sendChart(w, r, s.charts())
}

// sendChart sends the one of some charts that the address names.
func (p *Page) sendChart(w http.ResponseWriter, r *http.Request, all []*chart) {
	i := slices.IndexFunc(all, func(c *chart) bool { return c.Name == r.PathValue("name") })
	if i < 0 {
		http.NotFound(w, r)
		return
	}
	data, err := all[i].json()
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(data)
}

// log reads the last lines of a run's log.
func (p *Page) log(id string) ([]logLine, error) {
	root, err := p.o.Daemon.Open(id)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, about, err := disk.OpenRegular(root, report.EventsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	from, to, err := disk.LastLines(f, about.Size(), mostLines)
	if err != nil {
		return nil, err
	}
	// Lines of a crash may be as long as they like.
	from = max(from, to-mostLines*mostLine)
	data, err := io.ReadAll(io.NewSectionReader(f, from, to-from))
	if err != nil {
		return nil, err
	}
	var lines []logLine
	for line := range bytes.Lines(data) {
		lines = append(lines, readLine(line))
	}
	return lines, nil
}

// majority is the share of the sites with the most frequent colour.
func majority(state []byte) float64 {
	var counts [256]int
	most := 0
	for _, s := range state {
		counts[s]++
		most = max(most, counts[s])
	}
	if len(state) == 0 {
		return 0
	}
	return float64(most) / float64(len(state))
}
