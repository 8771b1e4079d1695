package browsertest

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// comparison is one of some seconds.
const comparison = `
name: small
title: Small <b>comparison</b>
seeds: 2
targets: [0.5, 0.2]
target: 0.5
set: {run.walkers: 32, model.encoder: 8, model.latent: 2, model.decoder: 8, trainer.batch: 16}
systems:
  - {name: q3-4x4, set: {system.q: 3, system.size: 4x4}, moves: 1e6}
samplers:
  - {name: heat bath, set: {run.moves: local}}
  - {name: network, set: {run.moves: "local, neural"}, share: 0.3}
  - {name: broken, set: {run.moves: "local, neural", model.bundle: /does/not/exist}}
`

// TestComparison follows a comparison and opens its report, from the daemon and as a file.
func TestComparison(t *testing.T) {
	d := serve(t)
	b := open(t, d)
	b.goTo(d.url + "/comparisons")
	b.says("main", "There is no comparison yet")
	b.accessible("no comparisons")
	d.submit(api.Submission{ID: "small", Kind: job.WorkCompare, Compare: &job.Comparison{Spec: comparison}})
	b.goTo(d.url + "/comparisons")
	b.says("tbody th", "small")
	b.says("tbody", "of 6 cells")
	b.accessible("comparison under way")
	d.reach("small", job.Done)
	b.says("tbody", "without results: 2 of broken on q3-4x4")
	b.says("tbody summary", "Verdicts of small")
	b.accessible("comparison that is done")
	address := value[string](b, `document.querySelector('#report-small').href`)
	b.goTo(address)
	answer, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if policy := answer.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "sandbox") || !strings.Contains(string(text), "What this means for you") {
		t.Errorf("the report from the daemon: %s, %d bytes", policy, len(text))
	}

	// The file alone.
	b.file = "file://" + filepath.Join(d.data, "runs", "small", "comparison", "report.html")
	b.goTo(b.file)
	b.says("h1", "Small <b>comparison</b>")
	b.says("main", "/does/not/exist")
	b.accessible("report")
	if n := value[int](b, `JSON.parse(document.getElementById('data').textContent).tables.find(t => t.name === 'cells').rows.length`); n != 6 {
		t.Errorf("%d cells in the data of the report", n)
	}
	if n := value[int](b, `document.querySelectorAll('figure svg[role=img]').length`); n < 6 {
		t.Errorf("%d figures", n)
	}
	if wide := value[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`); wide {
		t.Error("the report is wider than its window")
	}
	b.do(chromedp.EmulateViewport(390, 800))
	if wide := value[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`); wide {
		t.Error("the report is wider than a phone")
	}
}
