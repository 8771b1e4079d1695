package compare_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"neuralwl/inference"
	"neuralwl/internal/child"
	"neuralwl/internal/compare"
	"neuralwl/internal/long"
)

// TestMain also serves as the process of a cell, and as a comparison that is to be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("TEST_COMPARE") {
	case "":
		os.Exit(m.Run())
	case "cell":
		os.Exit(child.Serve(os.Stdin, os.Stdout, "test", slog.New(slog.NewTextHandler(os.Stderr, nil))))
	case "comparison":
		os.Setenv("TEST_COMPARE", "cell")
		o, err := options(os.Args[1], os.Args[2])
		if err != nil {
			panic(err)
		}
		o.Resume = true
		panic(compare.Run(context.Background(), *o)) // it is killed before its end
	}
}

// spec has a classical sampler, a network that learns in the run and one that is trained before.
const spec = `
name: small
seeds: 2
targets: [0.3, 0.1]
target: 0.3
set: {run.walkers: 32, report.figures: false, checkpoint.interval: 20ms, model.encoder: 8, model.latent: 2, model.decoder: 8, trainer.batch: 16, trainer.every: 4}
systems:
  - {name: small, set: {system.q: 3, system.size: 3x3}, moves: 2e5}
samplers:
  - {name: heat bath, set: {run.moves: local}}
  - {name: learning, set: {run.moves: "local, neural"}, share: 0.3}
  - {name: Trained Before, train: {model.architecture: microcanonical, model.width: 8, train.steps: 10, trainer.batch: 16}, set: {trainer.every: 0}, share: 0.3}
`

// brief is the specification, in the short form without a training.
func brief() string { return long.Or(spec, spec[:strings.Index(spec, "  - {name: Trained")]) }

func options(folder, text string) (*compare.Options, error) {
	s, err := compare.Parse([]byte(text), ".")
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &compare.Options{Spec: s, Folder: folder, Work: child.Cells([]string{program}, os.Stderr)}, nil
}

// perform runs a comparison in a folder.
func perform(t *testing.T, folder, text string, change func(*compare.Options)) {
	t.Helper()
	t.Setenv("TEST_COMPARE", "cell")
	library, _ := inference.FindLibrary("") // as seen from here: a test binary is elsewhere than nwl
	t.Setenv(inference.LibraryVariable, library)
	o, err := options(folder, text)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(o)
	}
	if err := compare.Run(t.Context(), *o); err != nil {
		t.Fatal(err)
	}
}

func analyse(t *testing.T, folder string) *compare.Analysis {
	t.Helper()
	r, err := compare.Collect(folder)
	if err != nil {
		t.Fatal(err)
	}
	return compare.Analyse(r)
}

// numbers are all that do not depend on the machine.
func numbers(t *testing.T, folder string) string {
	t.Helper()
	var text strings.Builder
	for _, table := range analyse(t, folder).Tables() {
		text.WriteString("\n" + table.Name + "\n")
		text.Write(table.Repeating().CSV())
	}
	return text.String()
}

// TestRepeats makes the same comparison in one go, by two jobs, and killed and resumed: every number
// that is no time is the same.
func TestRepeats(t *testing.T) {
	one, two, killed := t.TempDir(), t.TempDir(), t.TempDir()
	spec := brief()
	perform(t, one, spec, nil)
	want := numbers(t, one)
	for _, part := range long.Or([]string{"small,Trained Before,1,2,,"}, nil) {
		if !strings.Contains(want, part) {
			t.Fatalf("%q is not in the numbers:\n%s", part, want)
		}
	}
	for _, part := range []string{"small,learning,1,1,,", "small,heat bath,1,2,0.1,true"} {
		if !strings.Contains(want, part) {
			t.Fatalf("%q is not in the numbers:\n%s", part, want)
		}
	}
	perform(t, two, spec, func(o *compare.Options) { o.Jobs = 2 })
	if got := numbers(t, two); got != want {
		t.Errorf("with two jobs the numbers are\n%s\nand not\n%s", got, want)
	}

	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range long.Or([]string{"heat-bath", "learning", "trained-before"}, []string{"learning"}) {
		c := exec.Command(program, killed, spec)
		c.Env = append(os.Environ(), "TEST_COMPARE=comparison")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		cell := filepath.Join(killed, "cells", "small", name, "budget-1", "seed-1", "run", "checkpoints")
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if entries, _ := os.ReadDir(cell); len(entries) > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the comparison does not come to the cell", name)
			}
		}
		time.Sleep(50 * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		if _, err := os.Stat(filepath.Join(killed, "cells", "small", name, "budget-1", "seed-1", "cell.json")); err == nil {
			t.Log("the cell ended before the comparison was killed: ", name)
		}
	}
	perform(t, killed, spec, func(o *compare.Options) { o.Resume = true })
	if got := numbers(t, killed); got != want {
		t.Errorf("after a kill and a resumption the numbers are\n%s\nand not\n%s", got, want)
	}

	// A seed more keeps the others, and a comparison does not begin again by mistake.
	t.Setenv("TEST_COMPARE", "cell")
	o, err := options(one, strings.Replace(spec, "seeds: 2", "seeds: 3", 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := compare.Run(t.Context(), *o); err == nil || !strings.Contains(err.Error(), "--resume") {
		t.Errorf("begun again: %v", err)
	}
	made := 0
	o.Resume, o.Observe = true, func(p compare.Progress) {
		if p.Over {
			made++
		}
	}
	if err := compare.Run(t.Context(), *o); err != nil || made != len(o.Spec.Samplers) {
		t.Errorf("%d cells made for one seed more, %v", made, err)
	}
	if n := len(analyse(t, one).Systems[0].Samplers[0].Cells); n != 3 {
		t.Errorf("%d seeds", n)
	}
	// Another configuration is refused.
	other, err := options(one, strings.Replace(spec, "moves: 2e5", "moves: 4e5", 1))
	if err != nil {
		t.Fatal(err)
	}
	other.Resume = true
	if err := compare.Run(t.Context(), *other); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("another budget in the same folder: %v", err)
	}
}

// TestFailedCell is a result with its reason, and can be made again.
func TestFailedCell(t *testing.T) {
	folder := t.TempDir()
	text := strings.NewReplacer("seeds: 2", "seeds: 1", `{name: learning, set: {run.moves: "local, neural"}, share: 0.3}`, `{name: broken, set: {run.moves: "local, neural", inference.library: /does/not/exist}}`).Replace(spec)
	text = text[:strings.Index(text, "  - {name: Trained")]
	perform(t, folder, text, nil)
	a := analyse(t, folder)
	broken := a.Systems[0].Samplers[1].Cells[0]
	if !strings.Contains(broken.Failed, "/does/not/exist") {
		t.Errorf("it failed with %q", broken.Failed)
	}
	if w := a.Answers[0]; w.Sampler != "broken" || w.Verdict != "undecided" || w.Censored != 1 {
		t.Errorf("the verdict is %+v", w)
	}
	tries := 0
	perform(t, folder, text, func(o *compare.Options) {
		o.Resume, o.Failed, o.Observe = true, true, func(p compare.Progress) {
			if p.Over {
				tries++
			}
		}
	})
	if tries != 1 {
		t.Errorf("%d cells made again", tries)
	}
}

// TestNetworksMissing names networks that are not there, before any cell is made.
func TestNetworksMissing(t *testing.T) {
	folder := t.TempDir()
	text := strings.Replace(spec, `{name: learning, set: {run.moves: "local, neural"}, share: 0.3}`,
		`{name: lost, set: {run.moves: "local, neural", model.bundle: /does/not/exist}}
  - {name: begun, set: {run.moves: "local, neural", model.init: /nor/does/this}}`, 1)
	o, err := options(folder, text)
	if err != nil {
		t.Fatal(err)
	}
	err = compare.Run(t.Context(), *o)
	if err == nil || !strings.Contains(err.Error(), "samplers: lost, on small: model.bundle: ") ||
		!strings.Contains(err.Error(), "samplers: begun, on small: model.init: ") {
		t.Errorf("%v", err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestInterrupted ends in order and says so.
func TestInterrupted(t *testing.T) {
	t.Setenv("TEST_COMPARE", "cell")
	o, err := options(t.TempDir(), strings.Replace(spec, "2e5", "2e9", 1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	o.Observe = func(p compare.Progress) {
		if p.Doing != "" {
			cancel(errors.New("enough"))
		}
	}
	if err := compare.Run(ctx, *o); !errors.Is(err, compare.ErrInterrupted) {
		t.Errorf("%v", err)
	}
}
