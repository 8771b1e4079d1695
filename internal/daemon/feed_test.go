package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/queue"
)

// office is a daemon without a worker, whose feed is fed by hand.
func office(t *testing.T) *Daemon {
	t.Helper()
	q, err := queue.Open(t.Context(), queue.Options{Folder: filepath.Join(t.TempDir(), "queue"), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return &Daemon{queue: q, mirror: newMirror(), feed: newFeed(), log: slog.New(slog.DiscardHandler)}
}

// emit adds events of two runs in turns, of which the feed hears those that hears allows.
func (d *Daemon) emit(t *testing.T, from, to int, hears func(int) bool) {
	t.Helper()
	for n := from; n <= to; n++ {
		run := fmt.Sprintf("run-%d", n%2)
		if err := d.queue.Emit(t.Context(), run, "test", n); err != nil {
			t.Fatal(err)
		}
		if hears(n) {
			d.feed.happened(queue.Event{Sequence: uint64(n), Run: run, Kind: "test", Data: json.RawMessage(fmt.Sprint(n))})
		}
	}
}

var errEnough = errors.New("enough")

// TestFeed gives every reader each event of its run once and in order, whatever the feed
// hears of them: none, all, or some; and however slowly the reader takes them.
func TestFeed(t *testing.T) {
	t.Parallel()
	d := office(t)
	always, never := func(int) bool { return true }, func(int) bool { return false }
	d.emit(t, 1, 300, never) // before the daemon began
	const last = 2000
	var wait sync.WaitGroup
	read := func(name, run string, after uint64, step int, slow time.Duration) {
		wait.Go(func() {
			want := int(after) + 1
			if run != "" {
				want += (want + step) % 2
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err := d.Events(ctx, run, after, time.Hour, func(events []queue.Event) error {
				for _, e := range events {
					if int(e.Sequence) != want || string(e.Data) != fmt.Sprint(want) {
						return fmt.Errorf("event %d with %s, want %d", e.Sequence, e.Data, want)
					}
					want++
					if run != "" {
						want++
					}
				}
				if want > last {
					return errEnough
				}
				time.Sleep(slow)
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
	read("all", "", 0, 0, 0)
	read("all, late", "", 250, 0, 0)
	read("even", "run-0", 0, 0, 0)
	read("odd", "run-1", 100, 1, 0)
	read("slow", "", 0, 0, 20*time.Millisecond)
	read("from the future", "", 1500, 0, 0)
	d.emit(t, 301, 700, always)
	d.emit(t, 701, 900, func(n int) bool { return n%7 == 0 }) // the connection came and went
	d.emit(t, 901, 1400, always)
	// An older event once more, as after a new connection.
	d.feed.happened(queue.Event{Sequence: 1000, Run: "run-0", Kind: "test", Data: json.RawMessage("1000")})
	d.emit(t, 1401, last, always)
	wait.Wait()
	if n := len(d.feed.readers); n != 0 {
		t.Errorf("%d readers are left", n)
	}
}

// TestFeedEnds tells a reader when there has been nothing for some time, and ends with its
// context and with its run.
func TestFeedEnds(t *testing.T) {
	t.Parallel()
	d := office(t)
	err := d.Events(t.Context(), "run-1", 0, 10*time.Millisecond, func(events []queue.Event) error {
		if len(events) != 0 {
			t.Errorf("%v", events)
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if err := d.Events(ctx, "run-1", 0, time.Hour, nil); !errors.Is(err, errEnough) {
		t.Error(err)
	}
	ended := make(chan error)
	go func() { ended <- d.Events(t.Context(), "run-1", 0, time.Hour, nil) }()
	for {
		d.feed.mutex.Lock()
		n := len(d.feed.readers)
		d.feed.mutex.Unlock()
		if n == 1 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	d.feed.deleted("run-1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestHistory reads what is kept in parts.
func TestHistory(t *testing.T) {
	t.Parallel()
	d := office(t)
	if events, more, err := d.queue.History(t.Context(), "", 0, 10); err != nil || more || len(events) != 0 {
		t.Errorf("nothing: %v, %v, %v", events, more, err)
	}
	d.emit(t, 1, 25, func(int) bool { return false })
	for _, c := range []struct {
		run               string
		after             uint64
		most, first, many int
		more              bool
	}{
		{"", 0, 10, 1, 10, true}, {"", 20, 10, 21, 5, false}, {"", 25, 10, 0, 0, false}, {"", 99, 10, 0, 0, false}, {"", 15, 10, 16, 10, false},
		{"run-0", 3, 5, 4, 5, true}, {"run-1", 20, 100, 21, 3, false}, {"run-9", 0, 5, 0, 0, false},
	} {
		events, more, err := d.queue.History(t.Context(), c.run, c.after, c.most)
		if err != nil || len(events) != c.many || more != c.more || c.many > 0 && events[0].Sequence != uint64(c.first) {
			t.Errorf("%+v: %d events, %v, %v", c, len(events), more, err)
		}
	}
	for after, want := range map[uint64]uint64{0: 0, 7: 7, 25: 25, 26: 0, 1 << 62: 0} {
		if got, err := d.Position(t.Context(), after); err != nil || got != want {
			t.Errorf("after %d: %d, %v, want %d", after, got, err, want)
		}
	}
}
