// Package browsertest tries the daemon's pages in Chromium: scripts/page-test.sh says where that is,
// and the tests are skipped without it. It holds no other code.
package browsertest

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

var (
	program = flag.String("nwl", "", "the program nwl")
	browser = flag.String("browser", "", "the program Chromium")
	axe     = flag.String("axe", "", "the file axe.min.js of axe-core")
	shots   = flag.String("screenshots", "", "folder for pictures of the pages")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *program == "" || *browser == "" {
		fmt.Fprintln(os.Stderr, "browsertest: SKIPPED, the pages were not tried in a browser; `make page-test` does that")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// daemon is a daemon over all its lives.
type daemon struct {
	t      *testing.T
	data   string
	listen string
	cmd    *exec.Cmd
	client *api.Client
	url    string
	log    strings.Builder
	wait   sync.WaitGroup
}

// serve starts a daemon at an address that it keeps.
func serve(t *testing.T) *daemon {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, data: filepath.Join(t.TempDir(), "data"), listen: listener.Addr().String()}
	listener.Close()
	d.url = "http://" + d.listen
	d.client = &api.Client{URL: d.url, HTTP: &http.Client{Timeout: time.Minute}}
	t.Cleanup(func() {
		if d.cmd != nil {
			d.stop()
		}
		if t.Failed() {
			t.Log(d.log.String())
		}
	})
	d.start()
	return d
}

func (d *daemon) start() {
	d.t.Helper()
	d.cmd = exec.Command(*program, "serve", "--data", d.data, "--set", "server.listen="+d.listen, "--set", "server.jobs=2", "--set", "server.cores=1", "--set", "server.grace=10s")
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		d.log.WriteString(line)
		if strings.Contains(line, "the daemon takes runs") {
			break
		}
		if err != nil {
			d.t.Fatalf("the daemon did not start: %s", d.log.String())
		}
	}
	d.wait.Go(func() { io.Copy(&d.log, lines) })
}

// stop ends the daemon in order.
func (d *daemon) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(30*time.Second, func() { d.cmd.Process.Kill() })
	defer timer.Stop()
	d.wait.Wait()
	d.cmd.Wait()
	d.cmd = nil
}

func (d *daemon) submit(s api.Submission) *api.Run {
	d.t.Helper()
	r, err := d.client.Submit(d.t.Context(), s)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

// reach waits until a run is in a state.
func (d *daemon) reach(id string, state job.State) *api.Run {
	d.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		r, err := d.client.Get(d.t.Context(), id)
		if err != nil {
			d.t.Fatal(err)
		}
		if r.State == state {
			return r
		}
		if r.State.Final() || time.Now().After(deadline) {
			d.t.Fatalf("%s is %s, not %s: %s", id, r.State, state, r.Reason)
		}
	}
}

// tab is a page in a browser, and all that it did wrong.
type tab struct {
	t   *testing.T
	ctx context.Context
	// away allows failed requests, as while the daemon is not there.
	mutex   sync.Mutex
	away    bool
	file    string // the address of a file that may be opened
	faults  []string
	sizes   map[network.RequestID]string
	largest float64
	at      string // the address of the largest answer
}

// open opens a browser that reaches this machine alone.
func open(t *testing.T, d *daemon) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(*browser), chromedp.NoSandbox, chromedp.WindowSize(1300, 900),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	// What it does not know of a newer Chromium's protocol does not matter here.
	ctx, cancelTab := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancelTab)
	ctx, cancelTime := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancelTime)
	b := &tab{t: t, ctx: ctx, sizes: map[network.RequestID]string{}}
	chromedp.ListenTarget(ctx, func(event any) { b.hear(d, event) })
	// The first call starts the browser, which must outlive it.
	if err := chromedp.Run(ctx, network.Enable(), log.Enable()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.mutex.Lock()
		defer b.mutex.Unlock()
		for _, f := range b.faults {
			t.Error(f)
		}
	})
	return b
}

// hear notes what must not be: requests to other hosts, and errors.
func (b *tab) hear(d *daemon, event any) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	fault := func(format string, a ...any) { b.faults = append(b.faults, fmt.Sprintf(format, a...)) }
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err != nil || u.Scheme != "about" && u.Scheme != "data" && u.Host != d.listen && e.Request.URL != b.file {
			fault("a request to %s", e.Request.URL)
		}
		b.sizes[e.RequestID] = e.Request.URL
	case *network.EventLoadingFinished:
		if e.EncodedDataLength > b.largest {
			b.largest, b.at = e.EncodedDataLength, b.sizes[e.RequestID]
		}
	case *runtime.EventExceptionThrown:
		fault("an exception: %s", e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			fault("the console says %s: %v", e.Type, e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError && !(b.away && e.Entry.Source == log.SourceNetwork) {
			fault("the console has an error: %s %s", e.Entry.Text, e.Entry.URL)
		}
	}
}

// allow lets requests fail from now on, or no longer.
func (b *tab) allow(failing bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.away = failing
}

func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) goTo(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// value is that of an expression of JavaScript.
func value[T any](b *tab, expression string) (v T) {
	b.t.Helper()
	b.do(chromedp.Evaluate(expression, &v))
	return v
}

// until waits until an expression is true.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		var v bool
		// Between two pages there is none in which to ask.
		if err := chromedp.Run(b.ctx, chromedp.Evaluate(expression, &v)); err == nil && v {
			return
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			b.t.Fatalf("%s did not come about; the page says:\n%s", what, value[string](b, `document.body.innerText`))
		}
	}
}

// press clicks an element as soon as it is there: a page that is live may replace what a pointer is
// on its way to. It clicks once, after the answer, since that may lead to another page.
func (b *tab) press(selector string) {
	b.t.Helper()
	b.until(selector, fmt.Sprintf(`(e => !!e && (setTimeout(() => e.click()), true))(document.querySelector(%q))`, selector))
}

// says waits for a text in an element.
func (b *tab) says(selector, text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%q in %s", text, selector), fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.innerText.includes(%q))`, selector, text))
}

// dark chooses a colour scheme.
func (b *tab) dark(yes bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[yes]
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}))
}

// violation is what axe-core finds.
type violation struct {
	ID, Help string
	Nodes    []struct {
		HTML           string
		FailureSummary string
	}
}

// accessible has axe-core look at the page in both colour schemes.
func (b *tab) accessible(what string) {
	b.t.Helper()
	if *axe == "" {
		return
	}
	library, err := os.ReadFile(*axe)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		b.do(chromedp.Evaluate(string(library), nil))
		var found string
		b.do(chromedp.Evaluate(`axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations))`, &found,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
		var violations []violation
		if err := json.Unmarshal([]byte(found), &violations); err != nil {
			b.t.Fatal(err)
		}
		for _, v := range violations {
			for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
				b.t.Errorf("%s, dark %v: %s (%s)\n\t%s\n\t%s", what, dark, v.ID, v.Help, n.HTML, strings.ReplaceAll(n.FailureSummary, "\n", " "))
			}
		}
		b.t.Logf("axe-core: %s, dark %v: %d violations", what, dark, len(violations))
	}
	b.dark(false)
}

// picture takes one of the page, of a width; the height is that of the page, cut off at most.
func (b *tab) picture(width, most int64, scale float64) []byte {
	b.t.Helper()
	b.do(emulation.SetDeviceMetricsOverride(width, 900, scale, false))
	height := min(most, int64(value[float64](b, `document.documentElement.scrollHeight`)))
	b.do(emulation.SetDeviceMetricsOverride(width, height, scale, false))
	time.Sleep(300 * time.Millisecond)
	var data []byte
	b.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		data, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).Do(ctx)
		return err
	}))
	return data
}
