package browsertest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"neuralwl/internal/api"
)

// TestGroup follows a group of runs from its line among the runs: its page, which grows while members
// end, its members, and its buttons.
func TestGroup(t *testing.T) {
	d := serve(t)
	b := open(t, d)
	if _, err := d.client.SubmitGroup(t.Context(), api.GroupSubmission{
		Name: "glass", Title: "Small <b>group</b>",
		Set: with("system.model=random_bond", "system.q=2", "system.size=4x4", "run.moves=local", "run.walkers=8", "wang_landau.final_ln_f=1e-2", "production.passes=200000",
			"system.disorder_seed=1..30", "local.sweeps=1,2"),
	}); err != nil {
		t.Fatal(err)
	}
	b.goTo(d.url + "/")
	b.says("tbody th", "glass")
	b.says("tbody", "of 60 members done")
	if n := value[int](b, `document.querySelectorAll('tbody tr').length`); n != 1 {
		t.Errorf("%d lines of one group", n)
	}
	b.accessible("a group among runs")
	b.press("#group-glass")
	b.says("h1", "Small <b>group</b>")
	b.says("main", "of 30 realisations")
	b.says("main", "have not ended")
	b.accessible("group under way")
	b.press("button[value=pause]")
	b.says("main", "Its members will pause")
	b.until("it is paused", `document.querySelector('button[value=run]') !== null && document.querySelector('button[value=pause]') === null`)
	b.press("button[value=run]")
	b.says("main", "Its members go on")
	b.until("the figures are there", `[...document.querySelectorAll('img.figure')].length === 2 && [...document.querySelectorAll('img.figure')].every(i => i.complete && i.naturalWidth > 0)`)
	if wide := value[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`); wide {
		t.Error("the page is wider than its window")
	}
	b.dark(true)
	b.accessible("group in the dark")
	b.dark(false)
	b.do(chromedp.EmulateViewport(390, 800))
	if wide := value[bool](b, `document.documentElement.scrollWidth > document.documentElement.clientWidth`); wide {
		t.Error("the page is wider than a phone")
	}
	b.do(chromedp.EmulateViewport(1200, 900))
	b.press("#members")
	b.says("h1", "Members of glass")
	b.says("caption", fmt.Sprintf("1 to 50 of %d runs", 60))
	b.accessible("members of a group")
}
