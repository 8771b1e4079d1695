package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"neuralwl/internal/config"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// TestShardsApart makes the shards of a run by calls of their own, in any order, some at the same time,
// interrupted and taken up again anywhere, with different numbers of threads: the results are those of
// the run that made them itself, to the last digit, also if it has to bring up shards that are behind.
func TestShardsApart(t *testing.T) {
	for name, c := range map[string]struct {
		settings []string
		behind   bool // the run itself brings up what is left
	}{
		"windows": {[]string{"run.moves=local", "windows.count=2", "run.shards=3"}, false},
		"behind":  {[]string{"run.moves=local", "run.shards=4", "production.histogram=low"}, true},
		"rounds":  {[]string{"run.moves=local", "run.method=multicanonical", "windows.count=2", "run.shards=3", "run.round=2"}, false},
		"network": {runtest.With(runtest.Brief, "run.shards=2", "windows.count=2"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			whole, parts := filepath.Join(folder, "whole"), filepath.Join(folder, "parts")
			want := runtest.Perform(t, whole, c.settings...)
			if _, err := runtest.Run(t.Context(), t, run.Options{Folder: parts, Divide: true}, c.settings...); !errors.Is(err, run.ErrDivided) {
				t.Fatal(err)
			}
			// Asked once more it says the same.
			if _, err := runtest.Run(t.Context(), t, run.Options{Folder: parts, Divide: true}); !errors.Is(err, run.ErrDivided) {
				t.Fatal(err)
			}
			var side sync.WaitGroup
			for k := range runtest.Load(t, c.settings...).Run.Shards {
				side.Go(func() { shard(t, parts, k, c.behind) })
			}
			side.Wait()
			got := runtest.Perform(t, parts)
			for _, name := range []string{report.DensityFile, report.ObservablesFile, report.OrderFile} {
				if !bytes.Equal(runtest.Read(t, whole, name), runtest.Read(t, parts, name)) {
					t.Errorf("%s is not that of the run that made its shards itself", name)
				}
			}
			x, y := want.Phases[len(want.Phases)-1], got.Phases[len(got.Phases)-1]
			if x.Passes != y.Passes || x.RoundTrips != y.RoundTrips || x.Moves["local"] != y.Moves["local"] {
				t.Errorf("production %+v, of the whole %+v", y, x)
			}
			if _, err := os.Stat(filepath.Join(parts, run.ShardsFolder)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the shards are left: %v", err)
			}
			if failed, _ := runtest.Verify(t, parts); len(failed) > 0 {
				t.Errorf("%+v", failed)
			}
			if _, err := run.Shard(t.Context(), run.Options{Config: conf(t, parts), Folder: parts}, 0); !errors.Is(err, run.ErrTogether) {
				t.Errorf("a shard of a complete run: %v", err)
			}
		})
	}
}

// shard makes a shard, interrupted after random numbers of passes, to its end unless it is to stay behind.
func shard(t *testing.T, folder string, k int, behind bool) {
	r := rand.New(rand.NewPCG(7, uint64(k)))
	for n := range 100 {
		ctx, cancel := context.WithCancelCause(t.Context())
		_, err := run.Shard(ctx, run.Options{
			Config: conf(t, folder), Folder: folder, FS: faulty.FS{}, Workers: 1 + r.IntN(3), Listener: runtest.StopAt("", 1+r.IntN(400), cancel),
		}, k)
		if err != nil {
			t.Error(err)
			return
		}
		if ctx.Err() == nil || behind && n == k%2 {
			return
		}
	}
	t.Error("the shard does not end")
}

// TestShardsShortened puts together shards of which one has made more passes of the burn-in than it has by now.
func TestShardsShortened(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	settings := []string{"run.moves=local", "run.shards=2", "production.passes=2000", "wang_landau.final_ln_f=1e-2"}
	if _, err := runtest.Run(t.Context(), t, run.Options{Folder: folder, Divide: true}, settings...); !errors.Is(err, run.ErrDivided) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if why, err := run.Shard(ctx, run.Options{Config: conf(t, folder), Folder: folder, FS: faulty.FS{}, Listener: runtest.StopAt("", 60, cancel)}, 0); err != nil || why == nil {
		t.Fatal(why, err)
	}
	const passes = 200 // with 10 of the burn-in
	ctx, cancel = context.WithCancelCause(t.Context())
	s, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: runtest.StopAt("", 10*passes, cancel)}, fmt.Sprintf("production.passes=%d", passes))
	if err != nil || s.Interrupted != "" || s.Phases[len(s.Phases)-1].Passes != passes {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestShardRefused tells what is no shard.
func TestShardRefused(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "run")
	settings := []string{"run.moves=local", "run.shards=2", "production.passes=50", "wang_landau.final_ln_f=1e-2"}
	if _, err := run.Shard(t.Context(), run.Options{Config: runtest.Load(t, settings...), Folder: folder}, 0); err == nil {
		t.Error("a shard of no run")
	}
	if _, err := runtest.Run(t.Context(), t, run.Options{Folder: folder, Divide: true}, settings...); !errors.Is(err, run.ErrDivided) {
		t.Fatal(err)
	}
	if _, err := run.Shard(t.Context(), run.Options{Config: conf(t, folder), Folder: folder}, 2); err == nil || !strings.Contains(err.Error(), "no shard 3, run.shards is 2") {
		t.Error(err)
	}
	other := conf(t, folder)
	other.Run.Seed++
	if _, err := run.Shard(t.Context(), run.Options{Config: other, Folder: folder}, 0); err == nil || !strings.Contains(err.Error(), "run.seed") {
		t.Error(err)
	}
	unlock, err := run.Claim{}.Lock(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := os.MkdirAll(run.ShardFolder(folder, 1), 0o777); err != nil {
		t.Fatal(err)
	}
	held, err := run.Claim{}.Lock(run.ShardFolder(folder, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Shard(t.Context(), run.Options{Config: conf(t, folder), Folder: folder}, 1); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Error(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := runtest.Run(t.Context(), t, run.Options{Folder: folder}); err == nil || !strings.Contains(err.Error(), "another process makes shard 2") {
		t.Error(err)
	}
	if err := held(); err != nil {
		t.Fatal(err)
	}
	if s := runtest.Perform(t, folder); s.Interrupted != "" {
		t.Errorf("%+v", s)
	}
}

// conf is the configuration of the run in a folder.
func conf(t *testing.T, folder string) *config.Config {
	t.Helper()
	c, err := config.Load(filepath.Join(folder, report.ConfigFile), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
