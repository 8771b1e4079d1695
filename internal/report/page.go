package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"

	"neuralwl/internal/config"
	"neuralwl/internal/plots"
	"neuralwl/internal/sheet"
	"neuralwl/internal/shell"
)

//go:embed page.html
var page string

var pageTemplate = template.Must(template.New(PageFile).Parse(page))

// pictures are the figures of a page in their order, with what they show.
var pictures = []struct{ name, text string }{
	{"phases", "Above, the probability of the energy per site at the inverse temperatures at which both phases are equally high and equally frequent. Below, the " +
		"microcanonical inverse temperature: where it rises with the energy the phases coexist."},
	{"ln_g", "The logarithm of the number of states by the energy per site; its slope, the microcanonical inverse temperature; and its error, or its deviation from the exact one."},
	{"joint", "The logarithm of the number of states by the energy and the second variable, per site, with lines of equal height."},
	{"temperatures", "What a network's draws say by temperature."},
	{"energy", "Energy and specific heat per site over the temperature, with bands of one standard error. The inset shows the transition."},
	{"order", "Order parameter and fourth-order cumulant over the temperature, with bands of one standard error."},
	{"states", "Configurations of walkers at the end of the run, from the lowest to the highest energy. Sites of one colour have the same spin."},
	{"history", "The course of the run: the modification factor, how many of the possible energies were seen and how evenly they were visited, and of a network what share of its proposals was " +
		"accepted and the loss of its training."},
	{"proposals", "Acceptance of the network's proposals with Wilson's interval, the share of the sites that accepted ones change, and how far the estimate by inverse probabilities is " +
		"from the result, by the energy from which they start."},
}

// pageView is what the template shows.
type pageView struct {
	Title, About, Failed, Remark string
	Converged                    bool
	Figures                      []pictureView
	Rows                         []Row
	Checks                       []checkView
	Repeat, Settings, Version    string
	Style                        template.CSS
}

// mostSVG is the size of a picture beyond which it is smaller in dots.
const mostSVG = 150_000

// Part reports whether a row belongs to the one before.
func (r Row) Part() bool { return strings.HasPrefix(r.Name, " ") }

type pictureView struct {
	SVG  template.HTML
	Text string
}

type checkView struct {
	Check
	Meaning string
}

// writePage writes the whole result as a page that stands alone, with the figures that can be drawn.
func (r *Result) writePage(w io.Writer, s *Summary, figures map[string]plots.Figure) error {
	v := pageView{
		Title: r.title(), About: fmt.Sprintf("Density of states by %s, seed %d, %.0f s, in %s", s.Method, s.Seed, s.Seconds, s.Folder),
		Converged: s.Verdict.Converged, Remark: s.Verdict.Remark, Version: s.Version, Rows: s.found(), Style: sheet.Style,
		Repeat: fmt.Sprintf("nwl run --config %s --out ANOTHER", shell.Quote(s.Folder+"/"+ConfigFile)),
	}
	var failed []string
	for _, c := range s.Verdict.Checks {
		v.Checks = append(v.Checks, checkView{c, Checks[c.Name]})
		if !c.Passed {
			failed = append(failed, c.Name)
		}
	}
	v.Failed = "These checks fail: " + strings.Join(failed, ", ") + ". What to do is said below."
	for _, p := range pictures {
		data, err := r.picture(figures, p.name+".svg")
		if data == nil || err != nil {
			continue // Write has said so
		}
		var element template.HTML
		if len(data) <= mostSVG {
			element, err = sheet.Element(data, p.text)
		} else if data, err = r.picture(figures, p.name+".png"); err == nil {
			element = sheet.Image(data, p.text)
		}
		if err != nil {
			return err
		}
		v.Figures = append(v.Figures, pictureView{element, p.text})
	}
	defaults, err := config.Compose(nil, nil)
	if err != nil {
		return err
	}
	for _, change := range config.Changes(defaults, r.Config) {
		v.Settings += fmt.Sprintf("%s=%s\n", change.Key, strings.ReplaceAll(change.To, " ", ","))
	}
	var text bytes.Buffer
	if err := pageTemplate.Execute(&text, v); err != nil {
		return fmt.Errorf("%s: %w", PageFile, err)
	}
	_, err = text.WriteTo(w)
	return err
}
