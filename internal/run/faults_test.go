package run_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"neuralwl/inference"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
)

// everyPass are the settings of runtest.Brief with a checkpoint after every pass.
var everyPass = runtest.With(runtest.Brief, "checkpoint.interval=1ns")

// proceed makes a run of everyPass, or what is left of it.
func proceed(t *testing.T, o run.Options) (*report.Summary, error) {
	t.Helper()
	return runtest.Run(context.Background(), t, o, everyPass...)
}

// undisturbed is dos.csv of a run of runtest.Brief, which is made once.
func undisturbed(t *testing.T) []byte {
	t.Helper()
	undisturbedRun.Do(func() {
		folder := filepath.Join(t.TempDir(), "undisturbed")
		runtest.Perform(t, folder, runtest.Brief...)
		undisturbedDensity = runtest.Read(t, folder, report.DensityFile)
	})
	if undisturbedDensity == nil {
		t.Fatal("there is no undisturbed run to compare with")
	}
	return undisturbedDensity
}

var (
	undisturbedRun     sync.Once
	undisturbedDensity []byte
)

// TestDiskFaults lets operations on the disk fail at random points of a run: for good,
// or once. The run survives, or it ends with an error that names the fault and can be
// taken up again when the disk is well; in both cases with the right numbers.
func TestDiskFaults(t *testing.T) {
	onnxtest.NoLeaks(t)
	folder := t.TempDir()
	want := undisturbed(t)
	r := rand.New(rand.NewPCG(41, 42))
	var survived, ended atomic.Int64
	faults := []error{syscall.ENOSPC, syscall.EIO, faulty.ErrShort}
	t.Run("all", func(t *testing.T) { // returns when they all have
		for k, fault := range faults[:long.Or(2, 1)] {
			for i, op := range faulty.Ops {
				if op == faulty.Read {
					continue // TestUnreadableCheckpoint
				}
				forGood, at := (i+k)%2 == 1, r.IntN(60) // with each fault the other way round
				t.Run(fmt.Sprintf("%v at %s, for good %v", fault, op, forGood), func(t *testing.T) {
					t.Parallel()
					path := filepath.Join(folder, fmt.Sprint(fault, op, forGood))
					count, reached := 0, false
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
					s, err := proceed(t, run.Options{Folder: path, FS: fs})
					switch {
					case err == nil:
						survived.Add(1)
						if reached && s.Checkpoints.Failed == 0 && op != faulty.RemoveAll && count < at {
							t.Error("nothing failed")
						}
					case !reached || !errors.Is(err, fault) && !strings.Contains(err.Error(), "short write"):
						t.Errorf("ended with %v", err)
					default:
						ended.Add(1)
						if !strings.Contains(err.Error(), folder) {
							t.Errorf("the error names no file: %v", err)
						}
					}
					if err != nil {
						if _, err := proceed(t, run.Options{Folder: path}); err != nil {
							t.Fatalf("resumed on a good disk: %v", err)
						}
					}
					if !bytes.Equal(want, runtest.Read(t, path, report.DensityFile)) {
						t.Error("dos.csv differs from that of the undisturbed run")
					}
				})
			}
		}
	})
	t.Logf("%d runs survived, %d ended with an error and were resumed", survived.Load(), ended.Load())
	if survived.Load() == 0 || ended.Load() == 0 {
		t.Error("the test shows less than it should")
	}
}

// TestUnreadableCheckpoint meets a bad sector under the newest checkpoint.
func TestUnreadableCheckpoint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "run")
	produced(t, path, everyPass...)
	log, logged := runtest.Log(slog.LevelInfo)
	first := true
	fs := faulty.FS{Fault: func(o faulty.Op, file string) error {
		if o == faulty.Read && strings.HasSuffix(file, ".checkpoint") && first {
			first = false
			return syscall.EIO
		}
		return nil
	}}
	if _, err := proceed(t, run.Options{Folder: path, FS: fs, Log: log}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logged.String(), syscall.EIO.Error()) {
		t.Errorf("the error was not said:\n%s", logged)
	}
	if !bytes.Equal(undisturbed(t), runtest.Read(t, path, report.DensityFile)) {
		t.Error("dos.csv differs from that of the undisturbed run")
	}
}

// TestSlowDisk finds that a slow disk delays a run, is said, and changes no number.
func TestSlowDisk(t *testing.T) {
	folder := t.TempDir()
	log, logged := runtest.Log(slog.LevelInfo)
	// Longer than a hundredth of the interval, with every operation.
	fs := faulty.FS{Fault: func(faulty.Op, string) error { time.Sleep(time.Millisecond); return nil }}
	if _, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(folder, "slow"), FS: fs, Log: log}, runtest.With(runtest.Brief, "checkpoint.interval=50ms")...); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(logged.String(), "writing checkpoints takes long") {
		t.Errorf("it was not said:\n%s", logged)
	}
	if !bytes.Equal(undisturbed(t), runtest.Read(t, folder, "slow", report.DensityFile)) {
		t.Error("dos.csv differs from that of the undisturbed run")
	}
}

// TestInferenceFaults lets an evaluation of a network fail at random points of a run.
// It ends with an error that says what happened and can be taken up again.
func TestInferenceFaults(t *testing.T) {
	onnxtest.NoLeaks(t)
	folder := t.TempDir()
	want := undisturbed(t)
	r := rand.New(rand.NewPCG(51, 52))
	for name, c := range map[string]struct {
		fault    func(context.Context, inference.Evaluation) error
		networks []string
		timeout  string
		want     string
	}{
		"error": {func(context.Context, inference.Evaluation) error { return errors.New("device lost") },
			[]string{"propose", "log_prob", "gradient"}, "0s", "device lost"},
		"NaN": {func(ctx context.Context, e inference.Evaluation) error {
			err := e.Run(ctx)
			e.Outputs[0][0] = float32(math.NaN())
			return err
		}, []string{"log_prob", "propose"}, "0s", "is NaN"},
		// Other evaluations may not take as long, on any machine.
		"hang": {func(ctx context.Context, e inference.Evaluation) error {
			<-ctx.Done() // as a call that the runtime never answers
			return e.Run(ctx)
		}, []string{"gradient", "propose", "log_prob"}, "5s", "inference.timeout"},
		"panic": {func(context.Context, inference.Evaluation) error { panic("index out of range") },
			[]string{"propose", "log_prob", "gradient"}, "0s", "internal error: index out of range"},
	} {
		for _, network := range c.networks[:long.Or(len(c.networks), 1)] {
			at := 5 + r.Int64N(15)
			t.Run(name+" in "+network, func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(folder, name+network)
				var count atomic.Int64
				settings := runtest.With(everyPass, "inference.timeout="+c.timeout)
				_, err := runtest.Run(context.Background(), t, run.Options{Folder: path, Intercept: func(ctx context.Context, e inference.Evaluation) error {
					if e.Network == network && count.Add(1) == at {
						return c.fault(ctx, e)
					}
					return e.Run(ctx)
				}}, settings...)
				if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "nwl run --resume "+path) {
					t.Fatalf("%v, want %q and how to resume", err, c.want)
				}
				if _, err := proceed(t, run.Options{Folder: path}); err != nil {
					t.Fatalf("resumed: %v", err)
				}
				if !bytes.Equal(want, runtest.Read(t, path, report.DensityFile)) {
					t.Error("dos.csv differs from that of the undisturbed run")
				}
			})
		}
	}
}

// TestNaNGradient makes one gradient NaN: its step is dropped and counted, the run goes
// on with the weights before, and its result is as good as ever.
func TestNaNGradient(t *testing.T) {
	onnxtest.NoLeaks(t)
	var count atomic.Int64
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Intercept: func(ctx context.Context, e inference.Evaluation) error {
		err := e.Run(ctx)
		if e.Network == "gradient" && count.Add(1) == 20 {
			for _, x := range e.Outputs {
				x[0] = float32(math.NaN())
			}
		}
		return err
	}}, "run.moves=[local, neural]")
	if err != nil {
		t.Fatal(err)
	}
	if s.Network.Training.Dropped != 1 || s.Exact.RMS > 0.1 {
		t.Errorf("dropped %d steps, rms difference from exact %v", s.Network.Training.Dropped, s.Exact.RMS)
	}
}
