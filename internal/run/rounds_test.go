package run_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/event"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// crew helps with the adaptation of a run.
type crew struct {
	t      *testing.T
	ctx    context.Context
	folder string
	stop   int // the passes after which a helper is told to end, for another one to take its place; 0 for none
	made   atomic.Int64
	side   sync.WaitGroup
}

// listener has so many help from the beginning of the adaptation.
func (c *crew) listener(helpers int) event.Listener {
	return event.Listener{PhaseBegan: func(e event.PhaseBegan) {
		if e.Helpers == 0 {
			return
		}
		if err := os.MkdirAll(filepath.Join(c.folder, run.RoundsFolder), 0o777); err != nil {
			c.t.Error(err)
		}
		for k := range helpers {
			c.side.Go(func() { c.help(k) })
		}
		for {
			marks, _ := filepath.Glob(filepath.Join(c.folder, run.RoundsFolder, "helper-*"))
			if len(marks) >= helpers || c.t.Failed() {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}}
}

func (c *crew) help(index int) {
	for c.ctx.Err() == nil && c.once(index) {
	}
}

// once reports whether a helper was told to end.
func (c *crew) once(index int) bool {
	ctx, cancel := context.WithCancelCause(c.ctx)
	defer cancel(nil)
	listener := event.Listener{Pass: func(event.Pass) { c.made.Add(1) }}
	if c.stop > 0 {
		listener = event.Tee(listener, runtest.StopAt("", c.stop, cancel))
	}
	why, err := run.Help(ctx, run.Options{Config: conf(c.t, c.folder), Folder: c.folder, FS: faulty.FS{}, Workers: 1 + index, Listener: listener}, index)
	if err != nil {
		c.t.Errorf("helper %d: %v", index, err)
	}
	return err == nil && why != nil
}

// TestHelp makes adaptations with processes that help, come and go, lose shards that they have begun, and leave what
// cannot be read, and that are themselves interrupted: the results are those of the run alone, to the last digit.
func TestHelp(t *testing.T) {
	for name, c := range map[string]struct {
		helpers, stop int
		interrupted   bool
		spoils        int // rounds of which a shard is claimed and not made, or damaged
		settings      []string
	}{
		"windows":  {2, 3, false, 0, []string{"run.moves=local", "windows.count=2", "run.shards=4", "run.round=4"}},
		"iterated": {1, 0, true, 0, []string{"run.moves=local", "run.method=multicanonical", "run.shards=4", "run.round=10"}},
		"hills":    {3, 0, true, 0, []string{"run.moves=local", "run.method=metadynamics", "run.shards=4", "run.round=5"}},
		"late":     {1, 0, false, 1, []string{"run.moves=local", "run.shards=3", "run.round=20"}},
		"learning": {2, 2, true, 0, runtest.With(runtest.Brief, "run.shards=2", "windows.count=2", "run.round=4", "trainer.every=2", "checkpoint.interval=1h")},
		"network":  {2, 2, false, 0, runtest.With(runtest.Brief, "run.shards=2", "windows.count=2", "run.round=3", "trainer.every=0", "checkpoint.interval=1h")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			whole, parts := filepath.Join(folder, "whole"), filepath.Join(folder, "parts")
			settings := runtest.With([]string{"wang_landau.final_ln_f=1e-2", "production.passes=50"}, c.settings...)
			want := runtest.Perform(t, whole, settings...)
			helping, enough := context.WithCancel(t.Context())
			helpers := &crew{t: t, ctx: helping, folder: parts, stop: c.stop}
			r := rand.New(rand.NewPCG(8, 9))
			over := make(chan struct{})
			var spoiling sync.WaitGroup
			spoiling.Go(func() { spoil(parts, c.spoils, over) })
			log, text := runtest.Log(0)
			for {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				o := run.Options{Folder: parts, Divide: true, Listener: helpers.listener(c.helpers), Log: log, FS: faulty.FS{Fault: helpers.slowly}}
				if c.interrupted {
					o.Listener = event.Tee(o.Listener, runtest.StopAt("", 3+r.IntN(20), cancel))
				}
				if _, err := os.Stat(parts); err == nil {
					settings = nil
				}
				if _, err := runtest.Run(ctx, t, o, settings...); errors.Is(err, run.ErrDivided) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			close(over)
			enough() // for one that came late
			helpers.side.Wait()
			spoiling.Wait()
			if helpers.made.Load() == 0 {
				t.Error("nobody helped")
			}
			if late := strings.Contains(text.String(), "is late"); late != (c.spoils > 0) {
				t.Errorf("a shard was late: %v\n%s", late, text)
			}
			t.Logf("helpers made shards of %d rounds", helpers.made.Load())
			got := runtest.Perform(t, parts)
			for _, name := range []string{report.DensityFile, report.ObservablesFile} {
				if !bytes.Equal(runtest.Read(t, whole, name), runtest.Read(t, parts, name)) {
					t.Errorf("%s is not that of the run alone", name)
				}
			}
			x, y := want.Phases[0], got.Phases[0]
			if x.Passes != y.Passes || x.RoundTrips != y.RoundTrips || x.Moves["local"] != y.Moves["local"] || x.Moves["neural"] != y.Moves["neural"] {
				t.Errorf("adaptation %+v, of the whole %+v", y, x)
			}
			if _, err := os.Stat(filepath.Join(parts, run.RoundsFolder)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder of the rounds is left: %v", err)
			}
		})
	}
}

// slowly has the run leave shards of its first rounds to others, as long as nobody helped.
func (c *crew) slowly(op faulty.Op, path string) error {
	if op == faulty.Create && strings.HasSuffix(path, ".claim") {
		for n := 0; n < 2000 && c.made.Load() == 0; n++ {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// spoil claims a shard in some of a run's rounds without making it, and leaves another one that cannot be read.
func spoil(folder string, rounds int, over <-chan struct{}) {
	for last := ""; rounds > 0; time.Sleep(100 * time.Microsecond) {
		select {
		case <-over:
			return
		default:
		}
		all, _ := filepath.Glob(filepath.Join(folder, run.RoundsFolder, "0*"))
		if len(all) == 0 || all[0] == last {
			continue
		}
		last = all[0]
		if f, err := os.OpenFile(filepath.Join(last, "03.claim"), os.O_CREATE|os.O_EXCL, 0o666); err == nil {
			f.Close()
			os.WriteFile(filepath.Join(last, "03"), []byte("no round"), 0o666)
			rounds--
		}
	}
}
