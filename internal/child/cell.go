package child

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"neuralwl/internal/compare"
	"neuralwl/internal/job"
)

// Cells performs the tasks of a comparison by children of program, whose standard error goes to
// stderr.
func Cells(program []string, stderr io.Writer) func(context.Context, compare.Task, func(string, float64)) (*compare.Done, error) {
	return func(ctx context.Context, t compare.Task, alive func(string, float64)) (*compare.Done, error) {
		task := Task{Folder: t.Folder, Config: t.Config, Workers: 1, Curve: true}
		if t.Train {
			task.Work, task.Curve = job.WorkTrain, false
		}
		began := time.Now()
		end, err := Run(ctx, nil, Options{Program: program, Task: task, Stderr: stderr, Report: func(r Report) {
			var d PassData
			switch {
			case r.Kind == Evaluating:
				alive("evaluation", 0)
			case r.Kind == Pass && json.Unmarshal(r.Data, &d) == nil:
				alive(d.Phase, d.Done)
			}
		}})
		if err != nil {
			return nil, err
		}
		done := &compare.Done{Memory: end.Memory, CPU: end.CPU, Wall: time.Since(began)}
		switch {
		case end.Ended != nil && end.Ended.Interrupted == "":
		case end.Ended != nil || end.Early:
			done.Interrupted = true
		case end.Failed != "":
			done.Failed = end.Failed
		default:
			done.Failed = end.Lost
			if n := len(end.Tail); n > 0 {
				done.Failed += "; its last words: " + end.Tail[n-1]
			}
		}
		return done, nil
	}
}
