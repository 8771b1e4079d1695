package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"neuralwl/inference"
	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// noLeaks fails the test if goroutines, sessions or tensors are left at its end.
func noLeaks(t *testing.T) {
	t.Helper()
	existing := goleak.IgnoreCurrent()
	count := func() string {
		// The finalisers of weights run some time after the collection.
		for range 20 {
			runtime.GC()
			time.Sleep(5 * time.Millisecond)
		}
		sessions, tensors := inference.Live()
		return fmt.Sprintf("%d sessions, %d tensors", sessions, tensors)
	}
	before := count()
	t.Cleanup(func() {
		if after := count(); after != before {
			t.Errorf("before the test there were %s, after it %s", before, after)
		}
		if err := goleak.Find(existing); err != nil {
			t.Error(err)
		}
	})
}

// faultyRun begins or resumes a run with faults.
func faultyRun(t *testing.T, folder string, fs disk.FS, intercept func(context.Context, inference.Evaluation) error, settings ...string) (*report.Summary, error) {
	t.Helper()
	path := filepath.Join(folder, report.ConfigFile)
	_, missing := os.Stat(path)
	if missing != nil {
		path = ""
	}
	c, err := config.Load(path, settings)
	if err != nil {
		t.Fatal(err)
	}
	return run.Run(context.Background(), run.Options{Config: c, Folder: folder, Resume: missing == nil, FS: fs, Intercept: intercept})
}

// faultSettings are those of runtest.Brief with a checkpoint after almost every pass.
func faultSettings(more ...string) []string {
	return slices.Concat(runtest.Quick, runtest.Brief, []string{"checkpoint.interval=1ms"}, more)
}

// TestDiskFaults lets operations on the disk fail at random points of a run: for good,
// or once. The run survives, or it ends with an error that names the fault and can be
// taken up again when the disk is well; in both cases with the right numbers.
func TestDiskFaults(t *testing.T) {
	captureLog(t, slog.LevelInfo)
	noLeaks(t)
	folder := t.TempDir()
	runtest.Perform(t, filepath.Join(folder, "reference"), runtest.Brief...)
	want := runtest.Read(t, folder, "reference", report.DensityFile)
	r := rand.New(rand.NewPCG(41, 42))
	survived, ended := 0, 0
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, faulty.ErrShort} {
		for _, op := range faulty.Ops {
			if op == faulty.Read {
				continue // TestUnreadableCheckpoint
			}
			for _, forGood := range []bool{false, true} {
				name := fmt.Sprintf("%v at %s, for good: %v", fault, op, forGood)
				path := filepath.Join(folder, fmt.Sprint(fault, op, forGood))
				at, count, reached := r.IntN(60), 0, false
				fs := faulty.FS{Fault: func(o faulty.Op, _ string) error {
					if o != op {
						return nil
					}
					if count++; count-1 == at || forGood && count > at {
						reached = true
						return fault
					}
					return nil
				}}
				s, err := faultyRun(t, path, fs, nil, faultSettings()...)
				switch {
				case err == nil:
					survived++
					if reached && s.Checkpoints.Failed == 0 && op != faulty.RemoveAll && count < at {
						t.Errorf("%s: nothing failed", name)
					}
				case !reached || !errors.Is(err, fault) && !strings.Contains(err.Error(), "short write"):
					t.Errorf("%s: ended with %v", name, err)
				default:
					ended++
					if !strings.Contains(err.Error(), folder) {
						t.Errorf("%s: the error names no file: %v", name, err)
					}
				}
				if err != nil {
					if _, err := faultyRun(t, path, disk.OS, nil, faultSettings()...); err != nil {
						t.Errorf("%s: resumed on a good disk: %v", name, err)
						continue
					}
				}
				if !bytes.Equal(want, runtest.Read(t, path, report.DensityFile)) {
					t.Errorf("%s: dos.csv differs from that of the undisturbed run", name)
				}
			}
		}
	}
	t.Logf("%d runs survived, %d ended with an error and were resumed", survived, ended)
	if survived == 0 || ended == 0 {
		t.Error("the test shows less than it should")
	}
}

// TestUnreadableCheckpoint meets a bad sector under the newest checkpoint.
func TestUnreadableCheckpoint(t *testing.T) {
	folder := t.TempDir()
	runtest.Perform(t, filepath.Join(folder, "reference"), runtest.Brief...)
	path := filepath.Join(folder, "run")
	interrupted(t, path, 300, runtest.With(runtest.Brief, "checkpoint.interval=1ms")...)
	log := captureLog(t, slog.LevelInfo)
	first := true
	fs := faulty.FS{Fault: func(o faulty.Op, file string) error {
		if o == faulty.Read && strings.HasSuffix(file, ".checkpoint") && first {
			first = false
			return syscall.EIO
		}
		return nil
	}}
	if _, err := faultyRun(t, path, fs, nil, "checkpoint.interval=0s"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), syscall.EIO.Error()) {
		t.Errorf("the error was not said:\n%s", log)
	}
	if !bytes.Equal(runtest.Read(t, folder, "reference", report.DensityFile), runtest.Read(t, path, report.DensityFile)) {
		t.Error("dos.csv differs from that of the undisturbed run")
	}
}

// TestSlowDisk finds that a slow disk delays a run, is said, and changes no number.
func TestSlowDisk(t *testing.T) {
	folder := t.TempDir()
	runtest.Perform(t, filepath.Join(folder, "reference"), runtest.Brief...)
	log := captureLog(t, slog.LevelInfo)
	fs := faulty.FS{Fault: func(faulty.Op, string) error { time.Sleep(3 * time.Millisecond); return nil }}
	if _, err := faultyRun(t, filepath.Join(folder, "slow"), fs, nil, faultSettings("checkpoint.interval=50ms")...); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "writing checkpoints takes long") {
		t.Errorf("it was not said:\n%s", log)
	}
	if !bytes.Equal(runtest.Read(t, folder, "reference", report.DensityFile), runtest.Read(t, folder, "slow", report.DensityFile)) {
		t.Error("dos.csv differs from that of the undisturbed run")
	}
}

// TestInferenceFaults lets an evaluation of a network fail at random points of a run.
// It ends with an error that says what happened and can be taken up again.
func TestInferenceFaults(t *testing.T) {
	captureLog(t, slog.LevelError+1)
	noLeaks(t)
	folder := t.TempDir()
	runtest.Perform(t, filepath.Join(folder, "reference"), runtest.Brief...)
	want := runtest.Read(t, folder, "reference", report.DensityFile)
	r := rand.New(rand.NewPCG(51, 52))
	for name, c := range map[string]struct {
		fault    func(context.Context, inference.Evaluation) error
		networks []string
		want     string
	}{
		"error": {func(context.Context, inference.Evaluation) error { return errors.New("device lost") },
			[]string{"propose", "log_prob", "gradient"}, "device lost"},
		"NaN": {func(ctx context.Context, e inference.Evaluation) error {
			err := e.Run(ctx)
			e.Outputs[0][0] = float32(math.NaN())
			return err
		}, []string{"propose", "log_prob"}, "is NaN"},
		"hang": {func(ctx context.Context, e inference.Evaluation) error {
			<-ctx.Done() // as a call that the runtime never answers
			return e.Run(ctx)
		}, []string{"propose", "log_prob", "gradient"}, "inference.timeout"},
		"panic": {func(context.Context, inference.Evaluation) error { panic("index out of range") },
			[]string{"propose", "log_prob", "gradient"}, "internal error: index out of range"},
	} {
		for _, network := range c.networks {
			path := filepath.Join(folder, name+network)
			at := 5 + r.Int64N(15)
			var count atomic.Int64
			_, err := faultyRun(t, path, nil, func(ctx context.Context, e inference.Evaluation) error {
				if e.Network == network && count.Add(1) == at {
					return c.fault(ctx, e)
				}
				return e.Run(ctx)
			}, faultSettings("inference.timeout=2s")...)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nwl run --resume "+path) {
				t.Errorf("%s in %s: %v, want %q and how to resume", name, network, err, c.want)
				continue
			}
			if _, err := faultyRun(t, path, nil, nil); err != nil {
				t.Errorf("%s in %s: resumed: %v", name, network, err)
				continue
			}
			if !bytes.Equal(want, runtest.Read(t, path, report.DensityFile)) {
				t.Errorf("%s in %s: dos.csv differs from that of the undisturbed run", name, network)
			}
		}
	}
}

// TestNaNGradient makes one gradient NaN: its step is dropped and counted, the run goes
// on with the weights before, and its result is as good as ever.
func TestNaNGradient(t *testing.T) {
	captureLog(t, slog.LevelError+1)
	noLeaks(t)
	var count atomic.Int64
	s, err := faultyRun(t, filepath.Join(t.TempDir(), "run"), nil, func(ctx context.Context, e inference.Evaluation) error {
		err := e.Run(ctx)
		if e.Network == "gradient" && count.Add(1) == 20 {
			for _, x := range e.Outputs {
				x[0] = float32(math.NaN())
			}
		}
		return err
	}, runtest.With(runtest.Quick, "run.moves=[local, neural]")...)
	if err != nil {
		t.Fatal(err)
	}
	if s.Network.Training.Dropped != 1 || s.Exact.RMS > 0.1 {
		t.Errorf("dropped %d steps, rms difference from exact %v", s.Network.Training.Dropped, s.Exact.RMS)
	}
}
