package child_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/internal/telemetry"
)

// TestMain also serves as the child: one that works, or one with a fault.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_CHILD") {
	case "":
		os.Exit(m.Run())
	case "serve":
		os.Exit(child.Serve(os.Stdin, os.Stdout, "test", slog.New(slog.NewTextHandler(os.Stderr, nil))))
	case "panic":
		panic("this child panics")
	case "mute":
		time.Sleep(time.Hour)
	case "deaf": // begins and takes no orders
		os.Stdout.WriteString(`{"kind":"began","data":{}}` + "\n")
		time.Sleep(time.Hour)
	case "environment":
		fmt.Fprintln(os.Stderr, strings.Join(os.Environ(), "\n"))
	case "noise":
		os.Stdout.WriteString("no JSON at all\n")
	}
}

// options are those of a child of a kind, that makes a run of some seconds.
func options(t *testing.T, kind, folder string) child.Options {
	t.Helper()
	t.Setenv("TEST_CHILD", kind)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := runtest.Load(t, lengthy...).YAML()
	if err != nil {
		t.Fatal(err)
	}
	return child.Options{Program: []string{program}, Task: child.Task{Folder: folder, Config: string(text), Workers: 1}}
}

var lengthy = []string{"run.moves=local", "wang_landau.final_ln_f=1e-5", "production.passes=6000", "checkpoint.interval=20ms"}

// TestFaults tells how a child was lost that panics, says nothing, takes no orders or speaks
// otherwise.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ kind, lost, tail string }{
		{"panic", "its process ended: exit status 2", "this child panics"},
		{"mute", "silent for 200ms", ""},
		{"deaf", "did not end within 300ms", ""},
		{"noise", "without a word", ""},
	} {
		o := options(t, c.kind, filepath.Join(t.TempDir(), "run"))
		o.Limits = child.Limits{Loading: time.Hour, Pass: time.Hour, Evaluating: time.Hour}
		if c.kind == "mute" {
			o.Limits.Loading = 200 * time.Millisecond
		}
		o.Grace = 300 * time.Millisecond
		ctx, cancel := context.WithCancelCause(t.Context())
		o.Report = func(child.Report) { cancel(errors.New("enough")) }
		end, err := child.Run(ctx, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(end.Lost, c.lost) || end.Ended != nil || !strings.Contains(strings.Join(end.Tail, "\n"), c.tail) {
			t.Errorf("%s: %+v", c.kind, end)
		}
	}
	o := options(t, "serve", t.TempDir())
	o.Program = []string{"/does/not/exist"}
	if _, err := child.Run(t.Context(), nil, o); err == nil {
		t.Error("a program that does not exist was started")
	}
}

// TestEnvironment keeps secrets of the parent from a child, and nothing else.
func TestEnvironment(t *testing.T) {
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "MINIO_ROOT_PASSWORD", "NWL_INFERENCE_TOKEN", "TEST_HARMLESS"} {
		t.Setenv(name, "a word")
	}
	end, err := child.Run(t.Context(), nil, options(t, "environment", filepath.Join(t.TempDir(), "run")))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(end.Tail, "\n")
	if strings.Count(text, "a word") != 1 || !strings.Contains(text, "TEST_HARMLESS=a word") {
		t.Errorf("the environment of a child:\n%s", text)
	}
}

// TestKilled kills a child again and again, and lets the last one come to the end: the numbers
// are those of the undisturbed run.
func TestKilled(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	for n := range 4 {
		kill := make(chan struct{})
		o := options(t, "serve", folder)
		passes, killed := 0, false
		o.Report = func(r child.Report) {
			if r.Kind == child.Pass && !killed {
				if passes++; passes == 2 {
					killed = true
					close(kill)
				}
			}
		}
		end, err := child.Run(t.Context(), kill, o)
		if err != nil {
			t.Fatal(err)
		}
		if killed && (end.Lost == "" || end.Code != -1) {
			t.Errorf("killed %d times: %+v", n+1, end)
		}
	}
	end, err := child.Run(t.Context(), nil, options(t, "serve", folder))
	if err != nil || end.Ended == nil || end.Ended.Interrupted != "" {
		t.Fatalf("%+v, %v", end, err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	runtest.Perform(t, whole, lengthy...)
	if !bytes.Equal(runtest.Read(t, folder, report.DensityFile), runtest.Read(t, whole, report.DensityFile)) {
		t.Error("the numbers are others than those of the undisturbed run")
	}
}

// TestEndInOrder asks a child to end, which leaves results, and goes on with a change. What it
// counted is told before its end.
func TestEndInOrder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancelCause(t.Context())
	o := options(t, "serve", folder)
	var counts telemetry.State
	o.Report = func(r child.Report) {
		if r.Kind == child.Counts {
			if err := json.Unmarshal(r.Data, &counts); err != nil {
				t.Error(err)
			}
		}
		if r.Kind == child.Pass {
			cancel(errors.New("it is time for lunch"))
		}
	}
	end, err := child.Run(ctx, nil, o)
	if err != nil || end.Ended == nil || !strings.Contains(end.Ended.Interrupted, "lunch") || end.Code != 4 {
		t.Fatalf("%+v, %v", end, err)
	}
	runtest.Read(t, folder, report.DensityFile)
	if moves := counts.Phases["wang-landau"].Moves["local"]; counts.Version != "test" || counts.End == nil || !counts.End.Interrupted || counts.Checkpoints.Written == 0 || moves.Trials == 0 {
		t.Errorf("it counted %+v", counts)
	}
	o = options(t, "serve", folder)
	o.Task.Config, o.Task.Changes = "", []string{"production.passes=100"}
	if end, err = child.Run(t.Context(), nil, o); err != nil || end.Ended == nil || end.Ended.Interrupted != "" {
		t.Fatalf("%+v, %v", end, err)
	}
	o.Task.Changes = []string{"run.seed=9"}
	if end, err = child.Run(t.Context(), nil, o); err != nil || !strings.Contains(end.Failed, "run.seed") || end.Code != 1 {
		t.Errorf("a change that makes it another run: %+v, %v", end, err)
	}
}

// TestOrphan loses the parent: the child is gone at once.
func TestOrphan(t *testing.T) {
	o := options(t, "serve", filepath.Join(t.TempDir(), "run"))
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.StartProcess(o.Program[0], o.Program, &os.ProcAttr{Files: []*os.File{read, nil, nil}, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	read.Close()
	if err := json.NewEncoder(write).Encode(o.Task); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if err := process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the child ended early: %v", err)
	}
	write.Close()
	state, err := process.Wait()
	if err != nil || state.ExitCode() != child.Orphaned {
		t.Errorf("%v, %v", state, err)
	}
}

// TestUnanswered asks a child for another network that takes no orders and is killed: the answer
// is that the run ended.
func TestUnanswered(t *testing.T) {
	o := options(t, "deaf", filepath.Join(t.TempDir(), "run"))
	o.Grace = 100 * time.Millisecond
	swaps, answers := make(chan child.Swap), make(chan child.SwappedData, 1)
	o.Swaps = swaps
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		swaps <- child.Swap{SwapOrder: child.SwapOrder{Name: "net/1"}, Reply: func(d child.SwappedData) { answers <- d }}
		cancel(errors.New("enough"))
	}()
	if end, err := child.Run(ctx, nil, o); err != nil || end.Lost == "" {
		t.Fatal(end, err)
	}
	fault := (*run.SwapError)(nil)
	if d := <-answers; d.Name != "net/1" || !errors.As(d.Err(), &fault) || fault.Fault != run.SwapEnded {
		t.Errorf("%+v", d)
	}
}
