package page

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/daemon"
)

// submitView is what the form for a new run is made of.
type submitView struct {
	From      string // the run whose configuration it begins with, empty for none
	Describes []*field
	Settings  []*field
	Couplings *field
	Config    *field
	Defaults  string
	Good      bool // it was checked and has no fault
}

// field is one of the form.
type field struct {
	Key, Label, Hint string
	Value            string
	Choices          []string // a list to choose from; the first is that of an empty value
	Long             bool
	Faults           []string
}

// ID is the field's within the page.
func (f *field) ID() string { return "f-" + strings.ReplaceAll(f.Key, ".", "-") }

// newSubmitView is an empty form.
func newSubmitView() *submitView {
	return &submitView{
		Describes: []*field{
			{Key: "id", Label: "Name", Hint: "small letters, digits, dots, dashes and underscores; made from the system if it is empty"},
			{Key: "title", Label: "Title"},
			{Key: "tags", Label: "Tags", Hint: "with spaces between; runs that share one can be compared"},
			{Key: "priority", Label: "Priority", Hint: "-10 to 10; the higher goes first"},
			{Key: "after", Label: "After", Hint: "runs that must be done before, with spaces between"},
		},
		Settings: []*field{
			{Key: "system.model", Label: "Model", Choices: append([]string{""}, config.Models...)},
			{Key: "system.q", Label: "Colours q"},
			{Key: "system.size", Label: "Size", Hint: "as in 16x16"},
			{Key: "run.method", Label: "Method", Choices: []string{"", config.NeuralWangLandauMethod, config.WangLandauMethod, config.VANWangLandauMethod,
				config.MulticanonicalMethod, config.MetadynamicsMethod, config.MultipleGaussianMethod, config.CanonicalMethod, config.VANMethod}},
			{Key: "run.beta", Label: "Inverse temperature", Hint: "canonical and van alone"},
			{Key: "run.moves", Label: "Moves", Choices: []string{"", "local", "local,neural", "neural"}},
			{Key: "run.seed", Label: "Seed"},
			{Key: "run.walkers", Label: "Walkers"},
			{Key: "run.max_time", Label: "Time limit", Hint: "as in 90s, 2h"},
			{Key: "wang_landau.final_ln_f", Label: "Final ln f"},
			{Key: "production.passes", Label: "Passes of production"},
			{Key: "model.bundle", Label: "Network", Hint: "name/version of one in the repository, or pretrained/name"},
		},
		Couplings: &field{
			Key: "system.couplings", Label: "Couplings", Long: true,
			Hint: "of the model file alone, the text of such a file: i, j and J in a line, or a format of spin glasses and graphs",
		},
		Config:   &field{Key: "config", Label: "Further configuration, YAML", Long: true},
		Defaults: config.Default,
	}
}

// submitForm shows the form, with the configuration of a run where a copy of that is wanted.
func (p *Page) submitForm(w http.ResponseWriter, r *http.Request) {
	v := newSubmitView()
	if from := r.URL.Query().Get("from"); from != "" {
		run, err := p.o.Daemon.Get(r.Context(), from)
		if err != nil {
			p.fail(w, r, err)
			return
		}
		// The settings changed when it went on are part of what it is now.
		c, err := config.Compose([]byte(run.Config), run.Changes)
		var text []byte
		if err == nil {
			text, err = c.YAML()
		}
		if err != nil {
			p.fail(w, r, fmt.Errorf("%s: %w", from, err))
			return
		}
		v.From, v.Config.Value = from, string(text)
		for _, f := range v.Describes {
			switch f.Key {
			case "title":
				f.Value = run.Title
			case "tags":
				f.Value = strings.Join(run.Tags, " ")
			}
		}
	}
	p.renderSubmit(w, r, http.StatusOK, v, "", nil)
}

func (p *Page) renderSubmit(w http.ResponseWriter, r *http.Request, status int, v *submitView, said string, faults []string) {
	title := "Submit a run"
	if v.From != "" {
		title = "A copy of " + v.From
	}
	p.render(w, r, "submit", status, layout{Title: title, Section: "submit", Said: said, Faults: faults, Body: v})
}

// Bounds of what people write about a run, those of api.Submission.
const (
	mostTitle  = 200
	mostTags   = 32
	mostConfig = 65536
)

// submit submits a run, or says all that is wrong with it beside the fields.
func (p *Page) submit(w http.ResponseWriter, r *http.Request) {
	v := newSubmitView()
	v.From = r.PostFormValue("from")
	var s api.Submission
	var general []string
	for _, f := range v.Describes {
		f.Value = strings.TrimSpace(r.PostFormValue(f.Key))
		switch f.Key {
		case "id":
			s.ID = f.Value
		case "title":
			if s.Title = f.Value; len(s.Title) > mostTitle {
				f.fault("title: %d characters are too many, %d fit", len(s.Title), mostTitle)
			}
		case "tags":
			if s.Tags = strings.Fields(f.Value); len(s.Tags) > mostTags {
				f.fault("tags: %d are too many, %d fit", len(s.Tags), mostTags)
			}
		case "priority":
			if f.Value == "" {
				continue
			}
			var err error
			if s.Priority, err = strconv.Atoi(f.Value); err != nil {
				f.fault("priority: %q is not a whole number", f.Value)
			}
		case "after":
			s.After = strings.Fields(f.Value)
		}
	}
	for _, f := range append(slices.Clone(v.Settings), v.Couplings) {
		f.Value = strings.ReplaceAll(strings.TrimSpace(r.PostFormValue(f.Key)), "\r\n", "\n")
		if f.Value != "" {
			s.Set = append(s.Set, f.Key+"="+f.Value)
		}
	}
	v.Config.Value = strings.ReplaceAll(r.PostFormValue("config"), "\r\n", "\n")
	s.Config = v.Config.Value
	if len(v.Config.Value) > mostConfig {
		v.Config.fault("config: %d bytes are too many, %d fit", len(v.Config.Value), mostConfig)
	}
	check := r.PostFormValue("check") != ""
	p.o.Note(r.Context(), s.ID, map[string]any{"check": check})
	if !v.faulty() {
		var err error
		if check {
			err = p.o.Daemon.Check(r.Context(), s)
		} else {
			name, _ := p.o.Asks(r.Context())
			var run *api.Run
			if run, err = p.o.Daemon.Submit(r.Context(), s, name); err == nil {
				p.o.Note(r.Context(), run.ID, nil)
				p.to(w, p.at("/runs", run.ID), "submit")
				return
			}
		}
		if err == nil {
			v.Good = true
			p.renderSubmit(w, r, http.StatusOK, v, "The configuration has no fault. Nothing was submitted yet.", nil)
			return
		}
		status := statusOf(err)
		if status >= http.StatusInternalServerError {
			p.o.Log.Error("a submission failed", "reason", err)
		}
		if general = v.place(daemon.Faults(err)); status != http.StatusUnprocessableEntity {
			p.renderSubmit(w, r, status, v, "", general)
			return
		}
	}
	p.renderSubmit(w, r, http.StatusUnprocessableEntity, v, "", general)
}

func (f *field) fault(format string, a ...any) {
	f.Faults = append(f.Faults, fmt.Sprintf(format, a...))
}

func (v *submitView) fields() []*field {
	return append(slices.Concat(v.Describes, v.Settings), v.Couplings, v.Config)
}

func (v *submitView) faulty() bool {
	return slices.ContainsFunc(v.fields(), func(f *field) bool { return f.Faults != nil })
}

// Wrong lists the fields that are at fault.
func (v *submitView) Wrong() (wrong []*field) {
	for _, f := range v.fields() {
		if f.Faults != nil {
			wrong = append(wrong, f)
		}
	}
	return wrong
}

// place puts faults beside the fields that they are about, those of other keys beside the text,
// with the line where it has the key; it returns the rest.
func (v *submitView) place(faults []daemon.Fault) (general []string) {
	lines := keyLines(v.Config.Value)
	for _, fault := range faults {
		line, written := lines[fault.Key]
		i := slices.IndexFunc(v.fields(), func(f *field) bool { return f.Key == fault.Key && f != v.Config })
		switch {
		case i >= 0 && (!written || v.fields()[i].Value != ""):
			f := v.fields()[i]
			f.Faults = append(f.Faults, fault.Text)
		case written:
			v.Config.fault("line %d: %s", line, fault.Text)
		case fault.Key == "config" || strings.Contains(fault.Key, ".") || strings.Contains(fault.Text, "the configuration"):
			v.Config.Faults = append(v.Config.Faults, fault.Text)
		default:
			general = append(general, fault.Text)
		}
	}
	return general
}

// keyLines finds the lines of keys, such as run.seed, in a text of YAML. One that cannot be read
// has none; its own fault names the line.
func keyLines(text string) map[string]int {
	lines := map[string]int{}
	var document yaml.Node
	if yaml.Unmarshal([]byte(text), &document) != nil || len(document.Content) == 0 {
		return lines
	}
	sections := document.Content[0]
	for i := 0; i+1 < len(sections.Content); i += 2 {
		name, section := sections.Content[i], sections.Content[i+1]
		lines[name.Value] = name.Line
		for k := 0; section.Kind == yaml.MappingNode && k+1 < len(section.Content); k += 2 {
			lines[name.Value+"."+section.Content[k].Value] = section.Content[k].Line
		}
	}
	return lines
}
