package schedule

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"neuralwl/internal/job"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// draw draws runs, some of which follow earlier ones, and room for them.
func draw(t *rapid.T) ([]Run, Room) {
	room := Room{Runs: rapid.IntRange(1, 4).Draw(t, "runs"), Memory: int64(rapid.IntRange(0, 8).Draw(t, "memory")) << 20, GPUs: rapid.IntRange(0, 2).Draw(t, "gpus")}
	var runs []Run
	for i := range rapid.IntRange(0, 12).Draw(t, "n") {
		r := Run{
			ID: fmt.Sprintf("run-%d", i), Created: start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "created")) * time.Second),
			State: job.Submitted, Priority: rapid.IntRange(-2, 2).Draw(t, "priority"),
			Memory: int64(rapid.IntRange(0, 9).Draw(t, "need")) << 20, GPU: rapid.Bool().Draw(t, "on gpu"),
		}
		for _, j := range rapid.SliceOfNDistinct(rapid.IntRange(0, max(0, i-1)), 0, min(i, 2), rapid.ID[int]).Draw(t, "after") {
			r.After = append(r.After, job.Dependency{ID: runs[j].ID, Created: runs[j].Created, Any: rapid.Bool().Draw(t, "any")})
		}
		runs = append(runs, r)
	}
	return runs, room
}

// before reports whether a run goes before another one that could begin, too.
func before(a, b Run) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	if !a.Created.Equal(b.Created) {
		return a.Created.Before(b.Created)
	}
	return a.ID < b.ID
}

// TestProperties follows runs from their submission to the end of all, with ends, failures,
// deletions and changes of priority and room at random, and checks every plan.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runs, room := draw(t)
		find := func(id string) *Run {
			return &runs[slices.IndexFunc(runs, func(r Run) bool { return r.ID == id })]
		}
		state := func(s job.State) (ids []string) {
			for _, r := range runs {
				if r.State == s {
					ids = append(ids, r.ID)
				}
			}
			return ids
		}
		for steps := 0; ; steps++ {
			if steps > 200 {
				t.Fatalf("it does not come to an end: %+v", runs)
			}
			p := Next(runs, room)
			for _, id := range p.Withdraw {
				find(id).State = job.Submitted
			}
			for id := range p.Refuse {
				find(id).State = job.Failed
			}
			for _, id := range p.Release {
				r := find(id)
				for _, w := range slices.Collect(maps.Keys(p.Waits)) {
					other := *find(w)
					if before(other, *r) && strings.HasPrefix(p.Waits[w], "memory") && !strings.Contains(p.Waits[w], "server.memory") && !slices.Contains(p.Withdraw, w) {
						t.Fatalf("%s passes %s, which waits for %s", id, w, p.Waits[w])
					}
				}
				for _, d := range r.After {
					if i := slices.IndexFunc(runs, func(r Run) bool { return r.ID == d.ID }); i >= 0 && !(runs[i].State == job.Done || d.Any && runs[i].State.Final()) {
						t.Fatalf("%s begins before %s is done", id, d.ID)
					}
				}
				r.State = job.Queued
			}
			// All that has not begun is told what it waits for, and no more than the room is used.
			var used Room
			gpus := 0
			for _, r := range runs {
				switch r.State {
				case job.Submitted:
					if p.Waits[r.ID] == "" {
						t.Fatalf("%s waits for nothing", r.ID)
					}
				case job.Queued, job.Running:
					used.add(r)
					if r.GPU {
						gpus++
					}
				}
			}
			if used.Runs > room.Runs || room.Memory > 0 && used.Memory > room.Memory || room.GPUs > 0 && gpus > room.GPUs {
				// Only by runs that went on when the room shrank.
				if len(p.Release) > 0 || len(state(job.Queued)) > 0 {
					t.Fatalf("%+v in the room %+v: %+v", used, room, runs)
				}
			}
			// Again without a change, there is nothing to do.
			if again := Next(runs, room); len(again.Release)+len(again.Withdraw)+len(again.Refuse) > 0 && len(p.Refuse) == 0 && len(p.Withdraw) == 0 {
				t.Fatalf("again: %+v after %+v", again, p)
			}
			for _, id := range state(job.Queued) {
				if rapid.Bool().Draw(t, "taken") {
					find(id).State = job.Running
				}
			}
			active := append(state(job.Queued), state(job.Running)...)
			if len(active) == 0 && len(p.Refuse) == 0 && len(p.Withdraw) == 0 {
				// At rest, only what is too large is left, and what waits for it.
				for _, id := range state(job.Submitted) {
					if r := find(id); !(room.Memory > 0 && r.Memory > room.Memory) && !strings.HasPrefix(p.Waits[id], "the end of") {
						t.Fatalf("%s never begins: %s", id, p.Waits[id])
					}
				}
				return
			}
			if len(active) > 0 {
				find(rapid.SampledFrom(active).Draw(t, "ends")).State = rapid.SampledFrom([]job.State{job.Done, job.Done, job.Failed, job.Cancelled, job.Submitted}).Draw(t, "as")
			}
			switch rapid.IntRange(0, 9).Draw(t, "else") {
			case 0:
				room.Runs = max(1, room.Runs-1)
			case 1:
				if room.Memory > 1<<20 {
					room.Memory -= 1 << 20
				}
			case 2:
				if i := slices.IndexFunc(runs, func(r Run) bool { return r.State.Final() }); i >= 0 {
					runs = slices.Delete(runs, i, i+1)
				}
			case 3:
				if ids := state(job.Submitted); len(ids) > 0 {
					find(ids[0]).Priority = rapid.IntRange(-2, 2).Draw(t, "another priority")
				}
			}
		}
	})
}

// TestNext plans what was thought through by hand.
func TestNext(t *testing.T) {
	const mb = 1 << 20
	run := func(id string, state job.State, change ...func(*Run)) Run {
		r := Run{ID: id, State: state, Created: start, Memory: 100 * mb}
		for _, c := range change {
			c(&r)
		}
		return r
	}
	prior := func(n int) func(*Run) { return func(r *Run) { r.Priority = n } }
	needs := func(n int64) func(*Run) { return func(r *Run) { r.Memory = n * mb } }
	gpu := func(r *Run) { r.GPU = true }
	class := func(c string) func(*Run) { return func(r *Run) { r.Class = c } }
	after := func(id string, any bool) func(*Run) {
		return func(r *Run) { r.After = append(r.After, job.Dependency{ID: id, Created: start, Any: any}) }
	}
	later := func(r *Run) { r.Created = start.Add(time.Second) }
	room := Room{Runs: 2, Memory: 1000 * mb, Largest: 1000 * mb, GPUs: 1}
	for name, c := range map[string]struct {
		runs    []Run
		room    Room
		release []string
		waits   map[string]string // parts of it
		refuse  map[string]string
	}{
		"order": {
			[]Run{run("a", job.Submitted), run("b", job.Submitted, prior(1)), run("c", job.Submitted, prior(-1))}, room,
			[]string{"b", "a"}, map[string]string{"c": "its turn"}, nil,
		},
		"first come": {
			[]Run{run("a", job.Submitted, later), run("b", job.Submitted), run("c", job.Running)}, room,
			[]string{"b"}, map[string]string{"a": "its turn: 2 runs"}, nil,
		},
		"large first": {
			[]Run{run("r", job.Running, needs(400)), run("large", job.Submitted, needs(700), prior(1)), run("small", job.Submitted)}, room,
			nil, map[string]string{"large": "700 MB, and 600 of 1000 MB", "small": "large, which goes first"}, nil,
		},
		"too large": {
			[]Run{run("large", job.Submitted, needs(1001), prior(1)), run("small", job.Submitted)}, room,
			[]string{"small"}, map[string]string{"large": "1001 MB, and all runs of a machine together may have 1000 MB"}, nil,
		},
		"no limit": {[]Run{run("large", job.Submitted, needs(1001))}, Room{Runs: 1}, []string{"large"}, nil, nil},
		"gpu": {
			[]Run{run("r", job.Running, gpu), run("g", job.Submitted, gpu, prior(1)), run("c", job.Submitted)}, room,
			[]string{"c"}, map[string]string{"g": "GPU"}, nil,
		},
		"two gpus": {
			[]Run{run("r", job.Running, gpu), run("g", job.Submitted, gpu, prior(1))}, Room{Runs: 3, GPUs: 2}, []string{"g"}, nil, nil,
		},
		"larger than any machine": {
			[]Run{run("large", job.Submitted, needs(600), prior(1)), run("small", job.Submitted)}, Room{Runs: 2, Memory: 1000 * mb, Largest: 500 * mb},
			[]string{"small"}, map[string]string{"large": "600 MB, and all runs of a machine together may have 500 MB"}, nil,
		},
		"another class": {
			[]Run{run("a", job.Submitted, class("x"), prior(1)), run("b", job.Submitted, class("y")), run("c", job.Submitted)}, Room{Runs: 2, Classes: map[string]bool{"y": true}},
			[]string{"b", "c"}, map[string]string{"a": `class "x", in which it began`}, nil,
		},
		"held": {
			[]Run{run("a", job.Submitted, prior(1), needs(950), func(r *Run) { r.Held = "its shard" }), run("b", job.Submitted, after("a", false)), run("c", job.Submitted)}, room,
			[]string{"c"}, map[string]string{"a": "its shard", "b": "the end of a"}, nil,
		},
		"no worker": {[]Run{run("a", job.Submitted)}, Room{}, nil, map[string]string{"a": "a worker: none"}, nil},
		"no gpu": {
			[]Run{run("r", job.Running, gpu), run("g", job.Submitted, gpu)}, Room{Runs: 2},
			[]string{"g"}, nil, nil,
		},
		"follow": {
			[]Run{run("d", job.Done), run("f", job.Failed), run("p", job.Paused), run("a", job.Submitted, after("d", false)),
				run("b", job.Submitted, after("f", false)), run("c", job.Submitted, after("f", true)), run("e", job.Submitted, after("d", false), after("p", true))}, room,
			[]string{"a", "c"}, map[string]string{"e": "the end of p"}, map[string]string{"b": "follow f, which is failed"},
		},
		"deleted": {
			[]Run{run("a", job.Submitted, after("x", false)), run("b", job.Submitted, after("x", true))}, room,
			[]string{"b"}, nil, map[string]string{"a": "x, which was deleted"},
		},
		"another of that name": {
			[]Run{run("x", job.Done, later), run("a", job.Submitted, after("x", false))}, room,
			nil, nil, map[string]string{"a": "x, which was deleted"},
		},
		"closed": {
			[]Run{run("q", job.Queued), run("a", job.Submitted)}, Room{Runs: 2, Closed: "room on the disk"},
			nil, map[string]string{"a": "room on the disk"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := Next(c.runs, c.room)
			if !slices.Equal(p.Release, c.release) || len(p.Withdraw) > 0 {
				t.Errorf("released %v, withdrawn %v, want %v", p.Release, p.Withdraw, c.release)
			}
			compare := func(what string, got, want map[string]string) {
				if !reflect.DeepEqual(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
				for id, part := range want {
					if !strings.Contains(got[id], part) {
						t.Errorf("%s %s: %q lacks %q", id, what, got[id], part)
					}
				}
			}
			compare("waits for", p.Waits, c.waits)
			compare("is refused", p.Refuse, c.refuse)
		})
	}
}

// TestShrunk takes back what no longer fits, the least urgent first, and leaves alone what goes
// on.
func TestShrunk(t *testing.T) {
	runs := []Run{
		{ID: "a", Created: start, State: job.Running, Memory: 3}, {ID: "b", Created: start, State: job.Queued, Memory: 1},
		{ID: "c", Created: start, State: job.Queued, Memory: 1, Priority: 1},
	}
	if p := Next(runs, Room{Runs: 2}); !slices.Equal(p.Withdraw, []string{"b"}) || p.Waits["b"] == "" {
		t.Errorf("%+v", p)
	}
	if p := Next(runs, Room{Runs: 9, Memory: 2}); !slices.Equal(p.Withdraw, []string{"c", "b"}) {
		t.Errorf("%+v", p)
	}
}
