package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"

	"neuralwl/internal/event"
	"neuralwl/internal/telemetry"
	"neuralwl/sampler"
	"neuralwl/trainer"
)

// logTo lets the program log to standard error from a level on.
func logTo(level slog.Level) {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})))
}

// showProgress shows a run on standard error: bars with the log above them on a terminal,
// plain lines elsewhere. The state is what is shown of training.
func showProgress(level slog.Level) (event.Listener, *state) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		logTo(level)
		l := newLines()
		return l.listener(), &l.state
	}
	b := newBars(os.Stderr)
	slog.SetDefault(slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: level})))
	return b.listener(), &b.state
}

// state is what both displays know of a run.
type state struct {
	sync.Mutex
	progress sampler.Progress
	pace     telemetry.Pace
	left     time.Duration // of the phase, a guess; 0 if nothing can be said
	loss     float64
	steps    int64
	dropped  int64
}

func (s *state) pass(e event.Pass) {
	s.Lock()
	defer s.Unlock()
	s.progress = e.Progress
	left := s.pace.Left(string(e.Progress.Phase), time.Now(), e.Done)
	s.left = time.Duration(left * float64(time.Second)).Round(time.Second)
}

// remaining says how long the phase goes on, nothing if nothing can be said.
func (s *state) remaining() string {
	s.Lock()
	defer s.Unlock()
	if s.left == 0 {
		return ""
	}
	return fmt.Sprintf("%v left", s.left)
}

func (s *state) step(info trainer.StepInfo) {
	s.Lock()
	defer s.Unlock()
	if info.Dropped {
		s.dropped++
		return
	}
	s.steps++
	s.loss = info.Loss
}

// lines prints a plain line every so often.
type lines struct {
	state
	last time.Time
}

// logInterval is the time between two lines of progress.
const logInterval = 10 * time.Second

func newLines() *lines { return &lines{last: time.Now()} }

func (l *lines) listener() event.Listener { return event.Listener{Pass: l.pass, GradientStep: l.step} }

func (l *lines) pass(e event.Pass) {
	p := e.Progress
	l.state.pass(e)
	if time.Since(l.last) < logInterval {
		return
	}
	l.last = time.Now()
	args := []any{"phase", p.Phase, "done", fmt.Sprintf("%.0f%%", 100*e.Done), "pass", p.Passes}
	if l.left > 0 {
		args = slices.Insert(args, 4, any("left"), any(l.left))
	}
	switch p.Phase {
	case sampler.WangLandau:
		args = append(args, "ln_f", fmt.Sprintf("%.3g", p.LnF))
	case sampler.Metadynamics:
		args = append(args, "hill", fmt.Sprintf("%.3g", p.LnF))
	}
	if p.Levels > 0 { // else it is no run
		args = append(args, "flatness", fmt.Sprintf("%.2f", p.Flatness), "levels", p.Levels, "round_trips", p.RoundTrips)
	}
	for kind, count := range p.Moves {
		if count.Trials > 0 {
			args = append(args, sampler.MoveKind(kind).String()+"_acceptance", fmt.Sprintf("%.3f", count.Ratio()))
		}
	}
	if l.steps > 0 {
		args = append(args, "loss", fmt.Sprintf("%.3f", l.loss))
	}
	slog.Info("progress", args...)
}

// bars draws one bar per phase on a terminal, with the state below it, and prints log
// lines above.
type bars struct {
	state
	all   *mpb.Progress
	bar   *mpb.Bar                   // of the present phase
	lines map[sampler.Phase][]string // shown last below the bars
}

// barScale is the resolution of a bar.
const barScale = 1000

func newBars(w io.Writer) *bars {
	return &bars{lines: map[sampler.Phase][]string{}, all: mpb.New(mpb.WithOutput(w), mpb.WithWidth(48), mpb.WithRefreshRate(200*time.Millisecond))}
}

func (b *bars) listener() event.Listener {
	return event.Listener{Pass: b.pass, GradientStep: b.step, RunEnded: b.end}
}

// Write prints a log line without disturbing the bars.
func (b *bars) Write(line []byte) (int, error) {
	return b.all.Write(line)
}

func (b *bars) pass(e event.Pass) {
	p := e.Progress
	if b.bar == nil || p.Phase != b.progress.Phase {
		b.finishBar()
		b.bar = b.all.AddBar(barScale,
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-14s ", p.Phase))),
			mpb.AppendDecorators(decor.Percentage(), decor.Elapsed(decor.ET_STYLE_GO, decor.WC{W: 7}),
				decor.Any(func(s decor.Statistics) string {
					if s.Completed {
						return ""
					}
					return "  " + b.remaining()
				})),
			mpb.BarExtender(mpb.BarFillerFunc(func(w io.Writer, s decor.Statistics) error {
				_, err := fmt.Fprintln(w, fit(b.line(p.Phase), s.AvailableWidth))
				return err
			}), false),
		)
	}
	b.state.pass(e)
	b.bar.SetCurrent(min(int64(e.Done*barScale), barScale-1))
}

// line is the state of a phase in words, the most important ones first; for a phase that is
// over the last one.
func (b *bars) line(phase sampler.Phase) []string {
	b.Lock()
	defer b.Unlock()
	p := b.progress
	if p.Phase != phase {
		return b.lines[phase]
	}
	var line []string
	add := func(format string, a ...any) { line = append(line, fmt.Sprintf(format, a...)) }
	switch p.Phase {
	case sampler.WangLandau:
		add("ln f %.2g", p.LnF)
	case sampler.Metadynamics:
		add("hills %.2g", p.LnF)
	}
	if p.Levels > 0 { // else it is no run
		add("levels %d", p.Levels)
		add("round trips %.0f", p.RoundTrips)
		add("flatness %.2f", p.Flatness)
	}
	for kind, count := range p.Moves {
		if count.Trials > 0 {
			add("%s %.1f%%", sampler.MoveKind(kind), 100*count.Ratio())
		}
	}
	if b.steps > 0 {
		add("loss %.2f", b.loss)
	}
	if b.dropped > 0 {
		add("dropped %d", b.dropped)
	}
	b.lines[phase] = line
	return line
}

// fit joins as many words as fit into a line of a terminal, indented as the bar above if
// there is room: a line that the terminal breaks would not be redrawn but scroll.
func fit(words []string, width int) string {
	const gap, indent = "  ", 15
	line := ""
	for i, word := range words {
		next := line + word
		if i > 0 {
			next = line + gap + word
		}
		if len(next) >= width {
			break
		}
		line = next
	}
	if indent+len(line) < width {
		line = strings.Repeat(" ", indent) + line
	}
	return line
}

func (b *bars) finishBar() {
	if b.bar != nil {
		b.bar.SetTotal(-1, true)
		b.bar.SetCurrent(barScale)
	}
}

func (b *bars) end(e event.RunEnded) {
	if e.Complete() {
		b.finishBar()
	} else if b.bar != nil {
		b.bar.Abort(false)
	}
	b.all.Wait()
}
