package browsertest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// small are the settings of a run of some seconds with a network whose exact result is known.
var small = []string{
	"system.q=3", "system.size=4x4", "run.walkers=64", "local.sweeps=2", "model.encoder=16", "model.latent=4", "model.decoder=16", "trainer.batch=32",
}

func with(settings ...string) []string { return append(append([]string{}, small...), settings...) }

// TestRun submits a run by the form, with a fault at first, and watches it until it has converged
// without loading the page again.
func TestRun(t *testing.T) {
	d := serve(t)
	b := open(t, d)
	b.goTo(d.url + "/")
	b.says("main", "There is no run yet")
	b.accessible("no runs")
	b.press(`main a[href="/submit"]`)
	b.says("h1", "Submit a run")
	b.accessible("form")
	config := "run:\n  walkers: 64\n  wakers: 3\nlocal:\n  sweeps: 0\nmodel: {encoder: 16, latent: 4, decoder: 16}\ntrainer: {batch: 32}\n"
	b.do(
		chromedp.SetValue(`#f-system-q`, "three"), chromedp.SetValue(`#f-system-size`, "4x4"), chromedp.SetValue(`#f-id`, "watched"),
		chromedp.SetValue(`#f-title`, "<b>by the form</b>"), chromedp.SetValue(`#f-tags`, "seeds first"), chromedp.SetValue(`#f-config`, config),
	)
	b.allow(true) // the answer 422 is an error to the console
	b.press(`form.submit button:not([name])`)
	b.says("[role=alert]", "was not submitted")
	b.says("#f-system-q-wrong", "system.q")
	b.says("#f-config-wrong", "wakers")
	b.accessible("form with faults")
	b.do(chromedp.SetValue(`#f-system-q`, "3"), chromedp.SetValue(`#f-config`, strings.Replace(config, "  wakers: 3\n", "", 1)), chromedp.Click(`form.submit button[name=check]`))
	b.says("#f-config-wrong", "line 4: local.sweeps")
	b.do(chromedp.SetValue(`#f-wang_landau-final_ln_f`, "1e-6"), chromedp.SetValue(`#f-production-passes`, "6000"),
		chromedp.SetValue(`#f-config`, strings.NewReplacer("  wakers: 3\n", "", "sweeps: 0", "sweeps: 2").Replace(config)), chromedp.Click(`form.submit button[name=check]`))
	b.says("[role=status]", "has no fault")
	b.press(`form.submit button:not([name])`)
	b.says(".said", "is submitted")
	b.allow(false)
	b.says("h1", "watched")
	b.until("an address without the message, which would come again with it", `!location.href.includes('done=')`)
	b.do(chromedp.Evaluate(`window.same = true`, nil))
	b.says("h1 .state", "running")
	b.says("#contact", "live")
	b.until("ln g", `!!document.querySelector('#figure-ln-g svg path.line')`)
	first := value[string](b, `document.querySelector('#figure-ln-g svg').outerHTML`)
	b.until("ln g that grows", fmt.Sprintf(`document.querySelector('#figure-ln-g svg').outerHTML !== %q`, first))
	b.accessible("run under way")
	b.says("h1 .state", "done")
	b.says(".lead", "It converged")
	b.says("#contact", "complete")
	for _, name := range []string{"ln-g", "deviation", "probability", "acceptance", "ln-f", "flatness", "round-trips", "levels", "network", "loss", "traces"} {
		if !value[bool](b, fmt.Sprintf(`!!document.querySelector('#figure-%s svg path.line[d*=L]')`, name)) {
			t.Errorf("nothing is drawn of %s", name)
		}
	}
	b.until("lattices", `document.querySelectorAll('.lattices img').length === 3 && [...document.querySelectorAll('.lattices img')].every(i => i.complete && i.naturalWidth === 4)`)
	if !value[bool](b, `window.same === true`) {
		t.Error("the page was loaded again")
	}
	if n := value[int](b, `document.querySelectorAll('main b').length`); n != 0 {
		t.Error("a title is taken for HTML")
	}
	b.accessible("run that converged")
	// A figure with all its points.
	b.do(chromedp.Click(`#explore-deviation`)) // with the focus, for the key below
	b.until("uPlot", `document.querySelector('#explore .uplot canvas') !== null`)
	b.says("#explore h2", "Deviation from the exact result")
	b.accessible("figure enlarged")
	b.do(chromedp.KeyEvent("\x1b"))
	b.until("closed", `!document.querySelector('#explore').open && document.activeElement.id === 'explore-deviation'`)
	// Its like.
	d.submit(api.Submission{ID: "second", From: "watched", Set: []string{"run.seed=2"}})
	d.submit(api.Submission{ID: "third", From: "watched", Set: []string{"run.seed=3"}})
	d.reach("second", job.Done)
	d.reach("third", job.Done)
	b.goTo(d.url + "/?tag=seeds")
	b.press(`main a[href^="/group"]`)
	b.says("main", "3 have results")
	b.until("a band", `!!document.querySelector('#figure-deviation path.band') && document.querySelectorAll('#figure-errors path.line').length === 2`)
	b.accessible("group")
	b.goTo(d.url + "/?sort=name&order=down")
	b.says("tbody tr:first-child th", "watched")
	b.accessible("runs")
	b.goTo(d.url + "/networks")
	b.accessible("networks")
	b.allow(true)
	b.goTo(d.url + "/runs/nobody")
	b.says("[role=alert]", "nobody")
	b.accessible("no such run")
}

// TestKeyboard goes through the table by keys alone.
func TestKeyboard(t *testing.T) {
	d := serve(t)
	d.submit(api.Submission{ID: "waits", Set: with("run.moves=local", "wang_landau.final_ln_f=1e-12")})
	b := open(t, d)
	b.goTo(d.url + "/")
	b.do(chromedp.KeyEvent("\t"))
	if at := value[string](b, `document.activeElement.className`); at != "skip" {
		t.Errorf("the first stop is %q", at)
	}
	b.do(chromedp.Evaluate(`document.getElementById('run-waits').focus()`, nil))
	b.until("an update", `document.querySelector('.state').innerText === 'running'`)
	time.Sleep(3 * time.Second) // some updates
	if at := value[string](b, `document.activeElement.id`); at != "run-waits" {
		t.Errorf("an update moves the focus to %q", at)
	}
	b.do(chromedp.KeyEvent("\r"))
	b.says("h1", "waits")
	b.do(chromedp.Evaluate(`document.querySelector('button[value=cancel]').focus()`, nil), chromedp.KeyEvent("\r"))
	b.says(".said", "will end")
	b.says("h1 .state", "cancelled")
}

// TestSwap exchanges the network of a run, and is told why another one will not do.
func TestSwap(t *testing.T) {
	d := serve(t)
	learning := with("wang_landau.final_ln_f=1e-12", "trainer.export_every=200")
	d.submit(api.Submission{ID: "teacher", Publish: true, Set: learning})
	d.submit(api.Submission{ID: "stranger", Publish: true, Set: append(learning, "system.size=5x5")})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		n, err := d.client.Networks(t.Context())
		if err != nil || time.Now().After(deadline) {
			t.Fatal("no network was published", err)
		}
		if names := fmt.Sprint(n.Networks); strings.Contains(names, "{teacher ") && strings.Contains(names, "{stranger ") {
			break
		}
	}
	for _, id := range []string{"teacher", "stranger"} {
		if _, err := d.client.Change(t.Context(), id, api.RunChange{Wish: job.Pause}); err != nil {
			t.Fatal(err)
		}
		d.reach(id, job.Paused)
	}
	d.submit(api.Submission{ID: "pupil", Set: with("wang_landau.final_ln_f=1e-12", "run.seed=2")})
	b := open(t, d)
	b.goTo(d.url + "/runs/pupil")
	b.until("a network to choose", `!!document.querySelector('select[name=bundle] option')`)
	first := func(name string) string {
		return value[string](b, fmt.Sprintf(`[...document.querySelectorAll('select[name=bundle] option')].map(o => o.value).find(v => v.startsWith('%s/'))`, name))
	}
	chosen, wrong := first("teacher"), first("stranger")
	b.do(chromedp.Evaluate(fmt.Sprintf(`document.querySelector('select[name=bundle]').value = %q`, chosen), nil))
	b.press(`form[data-slow] button:not([name])`)
	b.says(".said", "The run goes on with "+chosen)
	b.says("[data-live=network] table", chosen)
	b.until("the swap in the figures", `[...document.querySelectorAll('#figure-network text')].some(e => e.textContent === 'swap') `)
	b.allow(true)
	b.do(chromedp.Evaluate(fmt.Sprintf(`document.querySelector('select[name=bundle]').value = %q`, wrong), nil))
	b.press(`form[data-slow] button:not([name])`)
	b.says("[role=alert]", "keeps the one that it has")
	b.until("what was chosen", fmt.Sprintf(`document.querySelector('select[name=bundle]').value === %q`, wrong))
	b.says("[role=alert]", "was made for potts q=3, size 5x5")
	b.says("h1 .state", "running")
	b.accessible("swap that failed")
	b.allow(false)
	b.goTo(d.url + "/networks")
	b.says("tbody", "pupil")
	b.accessible("networks in use")
	b.do(chromedp.Evaluate(fmt.Sprintf(`document.querySelector('select[name=bundle]').value = %q`, chosen), nil))
	b.press(`form[data-slow] button`)
	b.says(".said", "The run goes on with "+chosen)
}

// TestRestart takes the daemon away from under an open page.
func TestRestart(t *testing.T) {
	d := serve(t)
	d.submit(api.Submission{ID: "lasting", Set: with("wang_landau.final_ln_f=1e-12")})
	d.reach("lasting", job.Running)
	b := open(t, d)
	b.goTo(d.url + "/runs/lasting")
	b.says("#contact", "live")
	b.until("figures", `!!document.querySelector('#figure-ln-f svg')`)
	b.do(chromedp.Evaluate(`window.same = true`, nil))
	b.allow(true)
	d.stop()
	b.says("#contact", "unreachable since")
	b.accessible("daemon away")
	if !value[bool](b, `!!document.querySelector('#figure-ln-f svg') && document.querySelector('h1 .state').innerText === 'running'`) {
		t.Error("what was known is gone")
	}
	before := value[string](b, `document.querySelector('#figure-ln-f svg').outerHTML`)
	d.start()
	b.says("#contact", "live")
	b.allow(false)
	b.until("news", fmt.Sprintf(`document.querySelector('#figure-ln-f svg').outerHTML !== %q`, before))
	b.says("h1 .state", "running")
	if !value[bool](b, `window.same === true`) {
		t.Error("the page was loaded again")
	}
}

// TestManyRuns opens the table of 200 runs.
func TestManyRuns(t *testing.T) {
	const many = 200
	d := serve(t)
	d.submit(api.Submission{ID: "original", Title: "one of many", Tags: []string{"many"}, Set: with("wang_landau.final_ln_f=1e-5", "production.passes=2000")})
	d.reach("original", job.Done)
	d.stop()
	source := filepath.Join(d.data, "runs", "original")
	text, err := os.ReadFile(filepath.Join(source, job.File))
	if err != nil {
		t.Fatal(err)
	}
	var kept job.Kept
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	kept.Queue, kept.Revision = "", 0
	for n := range many - 1 {
		kept.Job.ID = fmt.Sprintf("copy-%03d", n)
		copied := filepath.Join(d.data, "runs", kept.Job.ID)
		if err := os.CopyFS(copied, os.DirFS(source)); err != nil {
			t.Fatal(err)
		}
		if text, err = json.Marshal(kept); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, job.File), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	d.start()
	b := open(t, d)
	b.goTo(d.url + "/")
	b.says("caption", fmt.Sprintf("1 to 50 of %d runs", many))
	b.says("#contact", "live")
	painted := func() float64 {
		const entries = `performance.getEntriesByName('first-contentful-paint')`
		b.until("the first paint", entries+`.length > 0`)
		return value[float64](b, entries+`[0].startTime`)
	}
	paint := painted()
	b.do(network.SetCacheDisabled(true))
	for range 3 {
		b.do(chromedp.Reload())
		b.says("#contact", "live")
		again := painted()
		t.Logf("first paint %.0f ms, and again %.0f ms", paint, again)
	}
	for page := 2; page <= 4; page++ {
		b.press(`#next`)
		b.says("caption", fmt.Sprintf("%d to %d of %d runs", 50*page-49, 50*page, many))
	}
	b.goTo(d.url + "/runs/copy-007")
	b.until("figures", `!!document.querySelector('#figure-loss svg')`)
	b.press(`#explore-ln-g`)
	b.until("uPlot", `document.querySelector('#explore .uplot canvas') !== null`)
	b.goTo(d.url + "/?tag=many")
	b.press(`main a[href^="/group"]`)
	b.says("main", "200 runs")
	b.goTo(d.url + "/networks")
	b.goTo(d.url + "/submit")
	b.mutex.Lock()
	defer b.mutex.Unlock()
	t.Logf("%d runs: first paint after %.0f ms; the largest answer had %.1f kB, %s", many, paint, b.largest/1e3, b.at)
	if paint > 1000 {
		t.Errorf("the first paint came after %.0f ms", paint)
	}
	if b.largest > 200e3 {
		t.Errorf("an answer had %.0f bytes: %s", b.largest, b.at)
	}
}

// TestWithoutScript reads the pages, and cancels a run, where no script is allowed; and as they are
// printed.
func TestWithoutScript(t *testing.T) {
	d := serve(t)
	d.submit(api.Submission{ID: "plain", Set: with("wang_landau.final_ln_f=1e-12")})
	d.reach("plain", job.Running)
	b := open(t, d)
	b.do(emulation.SetScriptExecutionDisabled(true))
	b.goTo(d.url + "/")
	b.says("caption", "1 to 1 of 1 runs")
	b.do(chromedp.Click(`#run-plain`))
	b.says("h1", "plain")
	b.says("#figure-ln-g h3", "Density of states")
	for deadline := time.Now().Add(time.Minute); !value[bool](b, `!!document.querySelector('#figure-ln-g svg')`); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			t.Fatal("there is no figure")
		}
		b.do(chromedp.Reload())
	}
	if box := value[float64](b, `document.querySelector('#figure-ln-g svg').getBoundingClientRect().height`); box < 100 {
		t.Errorf("the figure is %v high", box)
	}
	b.do(chromedp.Click(`#figure-ln-g a.explore`)) // its numbers
	b.says("body", `"at":[`)
	b.goTo(d.url + "/runs/plain")
	b.do(chromedp.Click(`button[value=cancel]`))
	b.says(".said", "will end")
	d.reach("plain", job.Cancelled)
	b.do(emulation.SetEmulatedMedia().WithMedia("print").WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	for expression, want := range map[string]string{
		`getComputedStyle(document.querySelector('header nav')).display`:                              "none",
		`getComputedStyle(document.querySelector('.wishes')).display`:                                 "none",
		`getComputedStyle(document.body).backgroundColor`:                                             "rgb(255, 255, 255)",
		`getComputedStyle(document.body).color`:                                                       "rgb(0, 0, 0)",
		`getComputedStyle(document.querySelector('#figure-ln-g svg')).display`:                        "block",
		`getComputedStyle(document.querySelector('#figure-ln-f .line, #figure-ln-f .points')).stroke`: "rgb(0, 114, 178)",
	} {
		if got := value[string](b, expression); got != want {
			t.Errorf("in print %s is %s, want %s", expression, got, want)
		}
	}
}

// TestPhone looks at the pages on a phone: nothing is wider than the screen.
func TestPhone(t *testing.T) {
	d := serve(t)
	d.submit(api.Submission{ID: "small-" + strings.Repeat("x", 50), Title: strings.Repeat("long ", 30), Tags: []string{"a", "b"}, Set: with("production.passes=1000", "wang_landau.final_ln_f=1e-4")})
	d.reach("small-"+strings.Repeat("x", 50), job.Done)
	b := open(t, d)
	b.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	for _, path := range []string{"/", "/runs/small-" + strings.Repeat("x", 50), "/networks", "/submit", "/group?system=q3-4x4&method=neural-wang-landau"} {
		b.goTo(d.url + path)
		if width := value[float64](b, `document.documentElement.scrollWidth`); width > 360 {
			t.Errorf("%s is %v wide", path, width)
		}
		b.accessible("on a phone " + path[:min(len(path), 12)])
	}
}
