package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"neuralwl/sampler"
	"neuralwl/trainer"
)

// state is what both observers know of a run.
type state struct {
	sync.Mutex
	progress sampler.Progress
	loss     float64
	steps    int64
	dropped  int64
}

func (s *state) pass(p sampler.Progress) {
	s.Lock()
	defer s.Unlock()
	s.progress = p
}

func (s *state) Step(info trainer.StepInfo) {
	s.Lock()
	defer s.Unlock()
	if info.Dropped {
		s.dropped++
		return
	}
	s.steps++
	s.loss = info.Loss
}

// logObserver prints a plain line every so often.
type logObserver struct {
	state
	last time.Time
}

// logInterval is the time between two lines of progress.
const logInterval = 10 * time.Second

func newLogObserver() *logObserver { return &logObserver{last: time.Now()} }

func (o *logObserver) Pass(p sampler.Progress, done float64) {
	o.pass(p)
	if time.Since(o.last) < logInterval {
		return
	}
	o.last = time.Now()
	args := []any{"phase", p.Phase, "done", fmt.Sprintf("%.0f%%", 100*done), "pass", p.Passes}
	if p.Phase == sampler.WangLandau {
		args = append(args, "ln_f", fmt.Sprintf("%.3g", p.LnF))
	}
	args = append(args, "flatness", fmt.Sprintf("%.2f", p.Flatness), "levels", p.Levels, "round_trips", p.RoundTrips)
	for kind, count := range p.Moves {
		if count.Trials > 0 {
			args = append(args, sampler.MoveKind(kind).String()+"_acceptance", fmt.Sprintf("%.3f", count.Ratio()))
		}
	}
	if o.steps > 0 {
		args = append(args, "loss", fmt.Sprintf("%.3f", o.loss))
	}
	slog.Info("progress", args...)
}

func (o *logObserver) Close(bool) {}

// barObserver draws one bar per phase on a terminal, with the state below it, and
// prints log lines above.
type barObserver struct {
	state
	bars  *mpb.Progress
	bar   *mpb.Bar                 // of the present phase
	lines map[sampler.Phase]string // shown last below the bars
}

// barScale is the resolution of a bar.
const barScale = 1000

func newBarObserver(w io.Writer) *barObserver {
	return &barObserver{lines: map[sampler.Phase]string{}, bars: mpb.New(mpb.WithOutput(w), mpb.WithWidth(48), mpb.WithRefreshRate(200*time.Millisecond))}
}

// Write prints a log line without disturbing the bars.
func (o *barObserver) Write(line []byte) (int, error) {
	return o.bars.Write(line)
}

func (o *barObserver) Pass(p sampler.Progress, done float64) {
	if o.bar == nil || p.Phase != o.progress.Phase {
		o.finishBar()
		o.bar = o.bars.AddBar(barScale,
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("%-14s ", p.Phase))),
			mpb.AppendDecorators(decor.Percentage(), decor.Elapsed(decor.ET_STYLE_GO, decor.WC{W: 7})),
			mpb.BarExtender(mpb.BarFillerFunc(func(w io.Writer, _ decor.Statistics) error {
				_, err := fmt.Fprintln(w, o.line(p.Phase))
				return err
			}), false),
		)
	}
	o.pass(p)
	o.bar.SetCurrent(min(int64(done*barScale), barScale-1))
}

// line is the state of a phase in words, for a phase that is over the last one.
func (o *barObserver) line(phase sampler.Phase) string {
	o.Lock()
	defer o.Unlock()
	p := o.progress
	if p.Phase != phase {
		return o.lines[phase]
	}
	var b strings.Builder
	b.WriteString("               ")
	if p.Phase == sampler.WangLandau {
		fmt.Fprintf(&b, "ln f %.2g  ", p.LnF)
	}
	fmt.Fprintf(&b, "flatness %.2f  levels %d  round trips %.0f", p.Flatness, p.Levels, p.RoundTrips)
	for kind, count := range p.Moves {
		if count.Trials > 0 {
			fmt.Fprintf(&b, "  %s %.1f%%", sampler.MoveKind(kind), 100*count.Ratio())
		}
	}
	if o.steps > 0 {
		fmt.Fprintf(&b, "  loss %.2f", o.loss)
	}
	if o.dropped > 0 {
		fmt.Fprintf(&b, "  dropped %d", o.dropped)
	}
	o.lines[phase] = b.String()
	return o.lines[phase]
}

func (o *barObserver) finishBar() {
	if o.bar != nil {
		o.bar.SetTotal(-1, true)
		o.bar.SetCurrent(barScale)
	}
}

func (o *barObserver) Close(complete bool) {
	if complete {
		o.finishBar()
	} else if o.bar != nil {
		o.bar.Abort(false)
	}
	o.bars.Wait()
}
