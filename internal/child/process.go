package child

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/run"
)

// Limits of the silence of a child, by what it does. One that exceeds them is killed.
type Limits struct {
	Loading    time.Duration // until it began
	Pass       time.Duration // between two passes
	Evaluating time.Duration // from the end of production to the end
}

// DefaultLimits are generous: a pass of a large lattice takes minutes on a slow machine.
var DefaultLimits = Limits{10 * time.Minute, 15 * time.Minute, time.Hour}

// Options of a child.
type Options struct {
	Program []string // that calls Serve, with its arguments
	Task    Task
	Limits  Limits // zero for DefaultLimits
	// Grace is how long it may take to end in order, by default 30 s.
	Grace time.Duration
	// Report is called with every report except answers, one at a time.
	Report func(Report)
	// Stderr gets what the child writes to standard error, nil for nobody.
	Stderr io.Writer
	// Started is called with the child's process, unless it is nil.
	Started func(pid int)
	// Swaps brings other networks for the run. They are received until Run returns.
	Swaps <-chan Swap
	// Leases brings the times until which the child may write, as they are extended; nil for none.
	Leases <-chan time.Time
}

// Swap is a SwapOrder, whose Number Run sets, and what to call with the answer, once.
type Swap struct {
	SwapOrder
	Reply func(SwappedData)
}

// End is how a child ended.
type End struct {
	// Ended is the end of the run, nil if it has no results.
	Ended *EndedData
	// Failed is why the run failed by itself; empty if it did not. Early says that it was
	// asked to end before there was anything to keep.
	Failed string
	Early  bool
	// Lost is why the process is gone before its run ended; empty if it is not.
	Lost string
	Code int // exit code
	// Memory is the most that the process had, in bytes, and CPU the processor time that it took; 0
	// where the system does not say.
	Memory int64
	CPU    time.Duration
	// Tail are the last lines of its standard error.
	Tail []string
}

// Run starts a child and waits for its end. The cause of ctx becomes the order to end; the
// channel kill, if it closes, ends the child at once. The error is about the start alone.
func Run(ctx context.Context, kill <-chan struct{}, o Options) (*End, error) {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	// On Linux the child ends with the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := exec.Command(o.Program[0], o.Program[1:]...)
	apart(c)
	// A run's configuration is its own, whatever the environment of the parent sets.
	// It gets no token for model servers: whoever submits it could name any server. Nor does it get the key of the object
	// store, where it has nothing to do.
	c.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return slices.ContainsFunc([]string{config.EnvironmentPrefix + "_", "AWS_", "MINIO_"}, func(prefix string) bool { return strings.HasPrefix(variable, prefix) })
	})
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	tail := &tail{}
	c.Stderr = tail
	if o.Stderr != nil {
		c.Stderr = io.MultiWriter(tail, kept{o.Stderr})
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Program[0], err)
	}
	if o.Started != nil {
		o.Started(c.Process.Pid)
	}
	p := &process{o: o, cmd: c, in: json.NewEncoder(in), end: &End{}, reports: make(chan Report), open: map[int]Swap{}}
	p.in.Encode(o.Task) // a child that does not read it ends without a report
	go p.read(out)
	over := make(chan struct{})
	go func() { // at once, whatever holds up the reports
		select {
		case <-kill:
			c.Process.Kill()
		case <-over:
		}
	}()
	p.watch(ctx, kill)
	close(over)
	p.answerAll()
	in.Close()
	if err := c.Wait(); err != nil && p.end.Lost == "" && p.end.Ended == nil && p.end.Failed == "" {
		p.end.Lost = "its process ended: " + err.Error()
	}
	p.end.Code, p.end.Tail = c.ProcessState.ExitCode(), tail.lines()
	p.end.Memory, p.end.CPU = used(c.ProcessState)
	if p.end.Ended == nil && p.end.Failed == "" && p.end.Lost == "" {
		p.end.Lost = "its process ended without a word"
	}
	return p.end, nil
}

// process is a child under way.
type process struct {
	o       Options
	cmd     *exec.Cmd
	in      *json.Encoder
	end     *End
	reports chan Report  // closed when the child's output ends
	swaps   int          // asked for
	open    map[int]Swap // without an answer, by number
}

// read passes on the child's reports.
func (p *process) read(out io.Reader) {
	defer close(p.reports)
	for lines := json.NewDecoder(bufio.NewReader(out)); ; {
		var r Report
		if err := lines.Decode(&r); err != nil {
			io.Copy(io.Discard, out) // so that the child is not held up
			return
		}
		p.reports <- r
	}
}

// watch follows the child until its output ends.
func (p *process) watch(ctx context.Context, kill <-chan struct{}) {
	limit := p.o.Limits.Loading
	silence := time.NewTimer(limit)
	defer silence.Stop()
	ended, grace, doubt := ctx.Done(), (<-chan time.Time)(nil), false
	lose := func(why string) {
		if p.end.Lost == "" && p.end.Ended == nil && p.end.Failed == "" {
			p.end.Lost = why
		}
		p.cmd.Process.Kill()
	}
	for {
		select {
		case r, ok := <-p.reports:
			if !ok {
				return
			}
			switch r.Kind {
			case Began, Phase, Pass, Checkpoint, Exported, Swapped:
				limit = p.o.Limits.Pass
			case Evaluating:
				limit = p.o.Limits.Evaluating
			}
			silence.Reset(limit)
			doubt = false
			if r.Kind == Answer {
				p.answer(r)
				continue
			}
			p.note(r)
			if p.o.Report != nil {
				p.o.Report(r)
			}
		case s := <-p.o.Swaps:
			p.swaps++
			s.Number = p.swaps
			p.open[s.Number] = s
			p.in.Encode(Order{Swap: &s.SwapOrder}) // a child that does not read it gives no answer
		case until := <-p.o.Leases:
			p.in.Encode(Order{Until: At(until)}) // a child that does not read it ends by itself
		case <-ended:
			ended = nil
			if err := p.in.Encode(Order{End: context.Cause(ctx).Error(), Within: p.o.Grace.Seconds()}); err != nil && !errors.Is(err, io.ErrClosedPipe) {
				lose("it takes no orders: " + err.Error())
			}
			grace = time.After(p.o.Grace)
		case <-grace:
			lose(fmt.Sprintf("it did not end within %v", p.o.Grace))
		case <-silence.C:
			if !doubt { // if this process was stopped, what the child said is still to be read
				doubt = true
				silence.Reset(min(limit, time.Second))
				continue
			}
			lose(fmt.Sprintf("it was silent for %v and was killed", limit))
		case <-kill:
			kill = nil
			lose("it was killed, as the job may be another's")
		}
	}
}

// answer passes an answer on.
func (p *process) answer(r Report) {
	var d AnswerData
	if json.Unmarshal(r.Data, &d) != nil {
		return
	}
	if s, ok := p.open[d.Number]; ok {
		delete(p.open, d.Number)
		s.Reply(d.SwappedData)
	}
}

// answerAll answers what the child has left open.
func (p *process) answerAll() {
	for _, s := range p.open {
		s.Reply(SwappedData{Name: s.Name, Error: "the run ended before it had answered", Fault: run.SwapEnded})
	}
}

// note keeps what ends a run.
func (p *process) note(r Report) {
	switch r.Kind {
	case Ended:
		p.end.Ended = &EndedData{}
		if err := json.Unmarshal(r.Data, p.end.Ended); err != nil {
			p.end.Ended = nil
		}
	case Failed:
		var d FailedData
		if json.Unmarshal(r.Data, &d) == nil {
			p.end.Failed, p.end.Early = d.Error, d.Early
		}
	}
}

// kept passes on what is written to it, and hides the faults: a disk that is full must not hold
// up the child.
type kept struct{ io.Writer }

func (k kept) Write(data []byte) (int, error) {
	k.Writer.Write(data)
	return len(data), nil
}

// tail keeps the last lines that are written to it, and the first one that names a crash, which
// Go's dump of all threads follows.
type tail struct {
	mutex sync.Mutex
	text  []byte
	crash string
}

// crashes begin the lines that name one.
var crashes = []string{"fatal error: ", "panic: ", "runtime: out of memory", "SIG", "terminate called", "double free", "free(): ", "malloc(): "}

func (t *tail) look() {
	for line := range strings.Lines(string(t.text)) {
		if t.crash == "" && slices.ContainsFunc(crashes, func(c string) bool { return strings.HasPrefix(line, c) }) {
			t.crash = strings.TrimSpace(line)
		}
	}
}

// tailBytes is about how much is kept.
const tailBytes = 8 << 10

func (t *tail) Write(data []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.text = append(t.text, data...); len(t.text) > 2*tailBytes {
		t.look()
		t.text = bytes.Clone(t.text[len(t.text)-tailBytes:])
	}
	return len(data), nil
}

func (t *tail) lines() []string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	text := strings.TrimSpace(string(t.text))
	if text == "" {
		return nil
	}
	t.look()
	lines := strings.Split(text, "\n")
	const most = 20
	if first := len(lines) - most; first > 0 {
		lines = lines[first:]
		if t.crash != "" && !slices.Contains(lines, t.crash) {
			lines = append([]string{t.crash}, lines...)
		}
	}
	return lines
}
