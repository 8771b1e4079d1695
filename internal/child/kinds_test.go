package child_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/internal/bench"
	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/internal/training"
)

// small are the settings of a network that is trained in a second.
var small = []string{"system.size=4x4", "run.walkers=32", "model.architecture=microcanonical", "model.width=8", "model.window=2", "trainer.batch=32", "train.steps=60"}

// perform lets a child do some work, told to end when it says what until says, and returns
// how that ended with all that it reported.
func perform(t *testing.T, o child.Options, until func(child.Report) bool) (*child.End, []child.Report) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	var said []child.Report
	o.Report = func(r child.Report) {
		said = append(said, r)
		if until != nil && until(r) {
			cancel(errors.New("lunch"))
		}
	}
	end, err := child.Run(ctx, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	return end, said
}

// work are the options of a child with a configuration of small and further settings.
func work(t *testing.T, kind job.Work, settings ...string) child.Options {
	t.Helper()
	o := options(t, "serve", filepath.Join(t.TempDir(), "job"))
	text, err := runtest.Load(t, runtest.With(small, settings...)...).YAML()
	if err != nil {
		t.Fatal(err)
	}
	o.Task.Work, o.Task.Config = kind, string(text)
	return o
}

// TestTraining trains a network in a child: to the end, once more, which does nothing, and
// interrupted, after which it begins again.
func TestTraining(t *testing.T) {
	o := work(t, job.WorkTrain)
	o.Task.Train = &job.Training{Name: "tiny"}
	end, said := perform(t, o, nil)
	if end.Ended == nil || end.Code != 0 || !end.Ended.Converged || said[0].Kind != child.Began {
		t.Fatalf("%+v after %+v", end, said)
	}
	read := func() (r training.Report) {
		if err := json.Unmarshal(runtest.Read(t, o.Task.Folder, child.TrainingFile), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := read()
	if first.Folder != "models/tiny/1" || first.Card.Training.Steps != 60 || len(first.Evaluations) != 1 || first.Seconds.Training == 0 {
		t.Errorf("%+v", first)
	}
	if log := runtest.Read(t, o.Task.Folder, "events.jsonl"); !strings.Contains(string(log), "train begins") {
		t.Errorf("its log:\n%s", log)
	}
	// Its worker died before the end was on record.
	if end, said = perform(t, o, nil); end.Ended == nil || end.Code != 0 || len(said) != 1 {
		t.Errorf("done twice: %+v, %+v", end, said)
	}
	// Other settings begin again, and what an order cuts short is there until then.
	o.Task.Config = strings.Replace(o.Task.Config, "steps: 60\n", "steps: 1000000\n", 1)
	learning := func(r child.Report) bool {
		var d child.PassData
		return r.Kind == child.Pass && json.Unmarshal(r.Data, &d) == nil && d.Steps > 0
	}
	if end, _ = perform(t, o, learning); end.Ended == nil || end.Ended.Interrupted != "lunch" || end.Code != 4 {
		t.Errorf("interrupted: %+v", end)
	}
	if _, err := os.Stat(filepath.Join(o.Task.Folder, child.TrainingFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a training that was cut short has a result: %v", err)
	}
	runtest.Read(t, o.Task.Folder, "models", "tiny", "1", "card.json")
	o.Task.Config = strings.Replace(o.Task.Config, "steps: 1000000\n", "steps: 60\n", 1)
	if end, _ = perform(t, o, nil); end.Ended == nil || end.Code != 0 {
		t.Errorf("begun again: %+v", end)
	}
	if again := read(); again.Folder != first.Folder || again.Card.Training.Loss != first.Card.Training.Loss {
		t.Errorf("begun again it gives %+v, at first %+v", again, first)
	}
}

// TestBenchmark measures moves in a child, and fails with the reason where it cannot.
func TestBenchmark(t *testing.T) {
	trained := work(t, job.WorkTrain)
	if end, _ := perform(t, trained, nil); end.Code != 0 {
		t.Fatalf("%+v", end)
	}
	bundle := filepath.Join(trained.Task.Folder, "models", "microcanonical-potts-q3-4x4")
	o := work(t, job.WorkBench, "model.bundle="+bundle)
	o.Task.Bench = &job.Benchmark{Seconds: 0.5, Mixes: []string{"2:1"}, Flat: true}
	end, _ := perform(t, o, nil)
	if end.Ended == nil || end.Code != 0 {
		t.Fatalf("%+v", end)
	}
	var results []bench.Result
	if err := json.Unmarshal(runtest.Read(t, o.Task.Folder, child.BenchFile), &results); err != nil || len(results) != 2 || results[1].Acceptance == 0 || results[1].Seconds < 0.5 {
		t.Errorf("%+v, %v", results, err)
	}
	o.Task.Folder = filepath.Join(t.TempDir(), "other")
	o.Task.Bench = &job.Benchmark{Weights: "none"}
	if end, _ = perform(t, o, nil); end.Code != 1 || !strings.Contains(end.Failed, "the run none has no density of states") {
		t.Errorf("without weights: %+v", end)
	}
	o.Task.Weights = t.TempDir()
	if err := os.WriteFile(filepath.Join(o.Task.Weights, report.DensityFile), []byte("no table"), 0o666); err != nil {
		t.Fatal(err)
	}
	if end, _ = perform(t, o, nil); end.Code != 1 || !strings.Contains(end.Failed, o.Task.Weights) {
		t.Errorf("with weights elsewhere: %+v", end)
	}
	o.Task.Bench = &job.Benchmark{Seconds: 3600, Mixes: []string{"2:1"}}
	if end, _ = perform(t, o, func(r child.Report) bool { return r.Kind == child.Pass }); end.Ended == nil || end.Ended.Interrupted != "lunch" || end.Code != 4 {
		t.Errorf("interrupted: %+v", end)
	}
}

// TestComparison compares in a child, whose cells have children of their own; interrupted and begun
// again it keeps the cells that have ended.
func TestComparison(t *testing.T) {
	o := work(t, job.WorkCompare)
	o.Task.Compare = &job.Comparison{Spec: `
name: small
seeds: 2
set: {run.walkers: 32, run.moves: local}
systems: [{name: tiny, set: {system.q: 3, system.size: 3x3}, moves: 1e5}]
samplers: [{name: heat bath, set: {local.move: heat_bath}}, {name: metropolis, set: {local.move: metropolis}}]
`}
	one := func(r child.Report) bool {
		var d child.PassData
		return r.Kind == child.Pass && json.Unmarshal(r.Data, &d) == nil && d.Done > 0
	}
	end, _ := perform(t, o, one)
	if end.Ended == nil || end.Ended.Interrupted != "lunch" || end.Code != 4 {
		t.Fatalf("interrupted: %+v", end)
	}
	cell := filepath.Join(o.Task.Folder, "comparison", "cells", "tiny", "heat-bath", "budget-1", "seed-1", "run", "summary.json") // its record may be flagged later
	before, err := os.Stat(cell)
	if err != nil {
		t.Fatal(err)
	}
	if end, _ = perform(t, o, nil); end.Ended == nil || end.Code != 0 {
		t.Fatalf("begun again: %+v", end)
	}
	if after, err := os.Stat(cell); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("a cell that had ended was made again: %v", err)
	}
	var c child.Comparison
	if err := json.Unmarshal(runtest.Read(t, o.Task.Folder, child.ComparisonFile), &c); err != nil || c.Cells != 4 || len(c.Failed) > 0 || len(c.Verdicts) != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	runtest.Read(t, o.Task.Folder, "comparison", "report.html")
}

// TestKinds performs every kind of work and refuses others, as of a later version.
func TestKinds(t *testing.T) {
	c := runtest.Load(t)
	for _, w := range job.Works {
		s := job.Spec{Work: w}
		if w == job.WorkCompare {
			if err := child.Check(s, c); err == nil || !strings.Contains(err.Error(), "specification") {
				t.Errorf("a comparison of nothing: %v", err)
			}
			for text, want := range map[string]string{
				"nonsense": "quick",
				"name: a\nsystems: [{name: s, moves: 1e6, reference: /etc/passwd}]\nsamplers: [{name: x, set: {run.moves: local}}]":          "no files",
				"name: a\nsystems: [{name: s, moves: 1e6}]\nsamplers: [{name: x, set: {run.moves: local, Inference.Library: /tmp/mine.so}}]": "the daemon has its own",
			} {
				s.Compare = &job.Comparison{Spec: text}
				if err := child.Check(s, c); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%q: %v, want %q", text, err, want)
				}
			}
			s.Compare = &job.Comparison{Spec: "quick"}
		}
		if err := child.Check(s, c); err != nil {
			t.Errorf("%s: %v", w, err)
		}
	}
	o := work(t, "lunch")
	if end, _ := perform(t, o, nil); end.Code != 1 || !strings.Contains(end.Failed, "lunch") {
		t.Errorf("%+v", end)
	}
}
