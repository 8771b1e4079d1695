// Command loadtest measures what the clients of a daemon cost: how much slower a run samples while
// metrics are scraped and its state is asked for many times a second, and how much memory
// the daemon takes for hundreds of open streams of events. It starts a daemon of its own, with
// one run of one thread, and is itself the process that asks. Periods with and without requests
// take turns, so that whatever else the machine does meets both. It needs Linux.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"neuralwl/internal/api"
)

// The limits that the program checks.
const (
	mostSlowdown = 0.05
	mostMemory   = 200 << 20 // bytes
)

func main() {
	nwl := flag.String("nwl", "bin/nwl", "the program")
	rounds := flag.Int("rounds", 8, "pairs of periods with and without requests")
	period := flag.Duration("period", 4*time.Second, "length of a period")
	scrapes := flag.Int("scrapes", 200, "of the metrics, a second")
	asked := flag.Int("requests", 50, "for the state of the run, a second")
	streams := flag.Int("streams", 500, "open streams of events")
	flag.Parse()
	if err := measure(*nwl, *rounds, *period, *scrapes, *asked, *streams); err != nil {
		fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

func measure(nwl string, rounds int, period time.Duration, scrapes, asked, streams int) (err error) {
	folder, err := os.MkdirTemp("", "nwl-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	d, err := start(nwl, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Minute)
	defer cancel()
	if err := d.begin(ctx); err != nil {
		return err
	}
	slowdown, err := d.slowdown(ctx, rounds, period, scrapes, asked)
	if err != nil {
		return err
	}
	memory, err := d.open(ctx, streams)
	return errors.Join(slowdown, memory, err)
}

// daemon is one under test, with its only run.
type daemon struct {
	command *exec.Cmd
	client  *api.Client
	child   int // process of the run
}

const run = "load"

var listening = regexp.MustCompile(`the daemon takes runs" url=(\S+)`)

// start starts a daemon.
func start(nwl, folder string) (*daemon, error) {
	d := &daemon{command: exec.Command(nwl, "serve", "--data", filepath.Join(folder, "data"),
		"--set", "server.listen=127.0.0.1:0", "--set", "server.jobs=1", "--set", "server.cores=1")}
	stderr, err := d.command.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.command.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if found := listening.FindStringSubmatch(lines.Text()); found != nil {
			// As many connections as requests may be under way.
			d.client = &api.Client{URL: found[1], HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
			go io.Copy(io.Discard, stderr)
			return d, nil
		}
		fmt.Fprintln(os.Stderr, lines.Text())
	}
	return nil, errors.Join(errors.New("the daemon did not start"), d.command.Wait())
}

func (d *daemon) stop() error {
	d.command.Process.Kill()
	d.command.Wait() // killed
	return nil
}

// begin submits a run without end and waits until it makes passes.
func (d *daemon) begin(ctx context.Context) error {
	if _, err := d.client.Submit(ctx, api.Submission{ID: run, Set: []string{
		"run.moves=local", "run.workers=1", "system.size=16x16", "run.walkers=64", "wang_landau.final_ln_f=1e-12", "checkpoint.interval=0s",
	}}); err != nil {
		return err
	}
	for ctx.Err() == nil {
		r, err := d.client.Get(ctx, run)
		if err != nil {
			return err
		}
		if r.State.Final() {
			return fmt.Errorf("the run is %s: %s", r.State, r.Reason)
		}
		if r.Progress != nil && r.Progress.Passes > 0 {
			d.child, err = childOf(d.command.Process.Pid)
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ctx.Err()
}

// rates are passes per second by the clock, and per second of the run's own processor time.
type rates struct{ wall, cpu float64 }

// rate measures for a period. Passes and their times are those of the run's reports.
func (d *daemon) rate(ctx context.Context, period time.Duration) (rates, error) {
	mark := func() (passes int64, at time.Time, cpu float64, err error) {
		first, err := d.client.Get(ctx, run)
		if err != nil {
			return 0, time.Time{}, 0, err
		}
		for {
			r, err := d.client.Get(ctx, run)
			if err != nil {
				return 0, time.Time{}, 0, err
			}
			if r.Progress.Passes != first.Progress.Passes { // a report has just come
				cpu, err = processorTime(d.child)
				return r.Progress.Passes, r.Progress.At, cpu, err
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	n0, t0, c0, err := mark()
	if err != nil {
		return rates{}, err
	}
	time.Sleep(period)
	n1, t1, c1, err := mark()
	n := float64(n1 - n0)
	return rates{n / t1.Sub(t0).Seconds(), n / (c1 - c0)}, err
}

// slowdown compares periods with requests to those without, in turns. The first error is that of
// a run that is too slow, the second one of the measurement.
func (d *daemon) slowdown(ctx context.Context, rounds int, period time.Duration, scrapes, asked int) (slow, err error) {
	fmt.Printf("%d scrapes and %d requests for the state a second, %d rounds of 2 x %v\n", scrapes, asked, rounds, period)
	var wall, cpu []float64
	for round := range rounds {
		var off, on rates
		for half := range 2 {
			if loaded := (half+round)%2 == 0; loaded {
				began := time.Now()
				before, _ := processorTime(d.command.Process.Pid)
				stop := d.load(ctx, scrapes, asked)
				on, err = d.rate(ctx, period)
				done, failed, worst := stop()
				after, _ := processorTime(d.command.Process.Pid)
				took := time.Since(began).Seconds()
				if err == nil && failed > 0 {
					err = fmt.Errorf("%d of %d requests failed", failed, done)
				}
				fmt.Printf("  %.0f requests a second, the slowest took %v; they and the run's reports take %.0f%% of a core of the daemon\n",
					float64(done)/took, worst.Round(time.Millisecond), 100*(after-before)/took)
			} else {
				off, err = d.rate(ctx, period)
			}
			if err != nil {
				return nil, err
			}
		}
		wall, cpu = append(wall, on.wall/off.wall), append(cpu, on.cpu/off.cpu)
		fmt.Printf("  passes a second with and without: %.1f %.1f; per processor second: %.1f %.1f\n", on.wall, off.wall, on.cpu, off.cpu)
	}
	m, e := mean(wall)
	mc, ec := mean(cpu)
	fmt.Printf("speed with requests over that without: %.3f(%.3f) by the clock, median %.3f; %.3f(%.3f) by the run's processor time, median %.3f\n", m, e, median(wall), mc, ec, median(cpu))
	if m+2*e < 1-mostSlowdown {
		slow = fmt.Errorf("the run samples %.1f%% slower, more than %.0f%%", 100*(1-m), 100*mostSlowdown)
	}
	return slow, nil
}

// load sends requests until stop is called, which returns how many there were, how many failed and
// how long the slowest took.
func (d *daemon) load(ctx context.Context, scrapes, asked int) (stop func() (done, failed int64, worst time.Duration)) {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	var done, failed, worst atomic.Int64
	every := func(perSecond int, path string) {
		if perSecond == 0 {
			return
		}
		wait.Go(func() {
			tick := time.NewTicker(time.Second / time.Duration(perSecond))
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				wait.Go(func() {
					began := time.Now()
					err := d.get(ctx, path)
					if ctx.Err() != nil {
						return
					}
					done.Add(1)
					if err != nil {
						failed.Add(1)
					}
					took := int64(time.Since(began))
					for old := worst.Load(); took > old && !worst.CompareAndSwap(old, took); old = worst.Load() {
					}
				})
			}
		})
	}
	every(scrapes, "/metrics")
	every(asked, api.Prefix+"/runs/"+run)
	return func() (int64, int64, time.Duration) {
		cancel()
		wait.Wait()
		return done.Load(), failed.Load(), time.Duration(worst.Load())
	}
}

func (d *daemon) get(ctx context.Context, path string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.client.URL+path, nil)
	if err != nil {
		return err
	}
	response, err := d.client.HTTP.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
}

// open opens streams and tells how much memory the daemon has then. The first error is that of
// too much of it.
func (d *daemon) open(ctx context.Context, streams int) (much, err error) {
	before, _, err := memory(d.command.Process.Pid)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	var live, events atomic.Int64
	for range streams {
		wait.Go(func() {
			heard := false
			d.client.Events(ctx, run, 0, nil, func(api.Event) error {
				if events.Add(1); !heard {
					heard = true
					live.Add(1)
				}
				return nil
			})
		})
	}
	for deadline := time.Now().Add(time.Minute); live.Load() < int64(streams); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d of %d streams have begun within a minute", live.Load(), streams)
		}
	}
	// Events of some time beside the history.
	already := events.Load()
	const while = 10 * time.Second
	time.Sleep(while)
	now, peak, err := memory(d.command.Process.Pid)
	if err != nil {
		return nil, err
	}
	fmt.Printf("%d open streams: %.1f events a second on each; memory of the daemon %d MB, at most %d MB, before them %d MB\n", streams,
		float64(events.Load()-already)/while.Seconds()/float64(streams), now>>20, peak>>20, before>>20)
	if now > mostMemory {
		much = fmt.Errorf("the daemon takes %d MB, more than %d MB", now>>20, mostMemory>>20)
	}
	return much, nil
}

// childOf is a process whose parent is given.
func childOf(parent int) (int, error) {
	folders, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range folders {
		if fields, err := stat(path); err == nil && fields[1] == strconv.Itoa(parent) {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, fmt.Errorf("process %d has no child", parent)
}

// stat is /proc/N/stat behind the name, which may hold spaces: state, parent, ...
func stat(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])), nil
}

// processorTime of a process, in seconds. The kernel counts in hundredths.
func processorTime(process int) (float64, error) {
	fields, err := stat(fmt.Sprintf("/proc/%d/stat", process))
	if err != nil {
		return 0, err
	}
	user, err := strconv.ParseFloat(fields[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, err
}

// memory is what of a process is in memory, now and at most, in bytes.
func memory(process int) (now, peak int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			continue
		}
		n, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = n << 10
		case "VmHWM:":
			peak = n << 10
		}
	}
	return now, peak, nil
}

// mean and its standard error.
func mean(x []float64) (m, deviation float64) {
	n := float64(len(x))
	for _, v := range x {
		m += v / n
	}
	for _, v := range x {
		deviation += (v - m) * (v - m) / (n - 1) / n
	}
	return m, math.Sqrt(deviation)
}

func median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}
