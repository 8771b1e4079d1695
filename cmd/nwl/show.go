package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"neuralwl/internal/api"
	"neuralwl/internal/bench"
	"neuralwl/internal/child"
	"neuralwl/internal/job"
	"neuralwl/internal/report"
	"neuralwl/internal/training"
)

func newShow() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "show ID [--json]",
		Short: "Show all that is known of a run, or of a group",
		Long: `Show all that is known of a run, and its results once it has ended or is paused. --json also has
its configuration. Of a group it shows its members by state and what was merged of them so far.`,
		Args: arguments(cobra.ExactArgs(1)),
	}
	askingAboutRuns(c, func(c *cobra.Command, client *api.Client, ids []string) error {
		return eitherOr(func() error { return showRun(c, client, ids[0], asJSON) }, func() error { return showGroup(c, client, ids[0], asJSON) })
	})
	addJSON(c, &asJSON)
	return c
}

// showRun prints all that is known of a run.
func showRun(c *cobra.Command, client *api.Client, id string, asJSON bool) error {
	r, err := client.Get(c.Context(), id)
	if err != nil {
		return err
	}
	if asJSON {
		result, err := resultOf(c.Context(), client, r)
		if err != nil {
			return err
		}
		return writeJSON(c.OutOrStdout(), struct {
			api.Run
			Result json.RawMessage `json:"result,omitempty"`
		}{*r, result})
	}
	if err := describeRun(c.OutOrStdout(), r); err != nil {
		return unlessClosed(err)
	}
	if !rests(r.State) {
		return nil
	}
	return printResults(c, client, r)
}

// describeRun prints what the daemon knows of a run.
func describeRun(w io.Writer, r *api.Run) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, a ...any) {
		if text := clean(fmt.Sprintf(format, a...)); text != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, text)
		}
	}
	at := func(moment time.Time) string {
		if moment.IsZero() {
			return ""
		}
		return moment.Local().Format(time.DateTime)
	}
	row("run", "%s", r.ID)
	if r.Kind != job.WorkRun {
		row("kind", "%s", r.Kind)
	}
	row("group", "%s", r.Group)
	row("title", "%s", r.Title)
	row("tags", "%s", strings.Join(r.Tags, ", "))
	for i, line := range strings.Split(r.Notes, "\n") {
		name := ""
		if i == 0 {
			name = "notes"
		}
		row(name, "%s", line)
	}
	row("state", "%s", wished(r))
	for i, line := range strings.Split(r.Reason, "\n") {
		name := ""
		if i == 0 {
			name = "reason"
		}
		row(name, "%s", line)
	}
	row("waits for", "%s", r.Waits)
	row("after", "%s", strings.Join(append(r.After, r.AfterAny...), ", "))
	if r.Priority != 0 {
		row("priority", "%d", r.Priority)
	}
	row("submitted", "%s%s", at(r.Created), by(r))
	row("began", "%s", at(r.Began))
	row("ended", "%s", at(r.Ended))
	row("worker", "%s", r.Owner)
	row("machines", "%s", r.Class)
	if r.Attempts > 1 {
		row("attempts", "%d since its last checkpoint", r.Attempts)
	}
	row("folder", "%s", r.Folder)
	row("changed", "%s", strings.Join(r.Changes, ", "))
	if p := r.Progress; p != nil {
		if p.System != "" {
			row("system", "%s, %s, seed %d, %d walkers", p.System, p.Method, p.Seed, p.Walkers)
		}
		if p.Architecture != "" {
			row("network", "%s on %s", p.Architecture, p.Provider)
		}
		if p.Phase != "" && !r.State.Final() {
			row("phase", "%s, %.0f %% done%s", p.Phase, 100*p.Done, left(r))
			if p.Levels > 0 {
				row("levels", "%d, %.0f round trips, flatness %.2f", p.Levels, p.RoundTrips, p.Flatness)
			}
			if p.LnF > 0 {
				row("ln f", "%.3g", p.LnF)
			}
			if p.Steps > 0 {
				row("training", "%d gradient steps, loss %.2f nats", p.Steps, p.Loss)
			}
			row("last heard", "%s", at(p.At))
		}
	}
	return t.Flush()
}

func by(r *api.Run) string {
	if r.By == "" {
		return ""
	}
	return " by " + r.By
}

func left(r *api.Run) string {
	if text := leftText(r, time.Now()); text != "" {
		return ", some " + text + " left"
	}
	return ""
}

// resultFile is the file that holds what came out of a job.
func resultFile(of job.Work) string {
	switch of {
	case job.WorkTrain:
		return child.TrainingFile
	case job.WorkBench:
		return child.BenchFile
	}
	return report.SummaryFile
}

// resultOf is what came out of a job so far, nil for nothing.
func resultOf(ctx context.Context, client *api.Client, r *api.Run) (json.RawMessage, error) {
	text, err := client.File(ctx, r.ID, resultFile(r.Kind))
	var problem *api.Problem
	if errors.As(err, &problem) && problem.Status == http.StatusNotFound {
		return nil, nil
	}
	return text, err
}

// printResults prints what came out of a job, if anything did.
func printResults(c *cobra.Command, client *api.Client, r *api.Run) error {
	text, err := resultOf(c.Context(), client, r)
	if err != nil || text == nil {
		return err
	}
	w := c.OutOrStdout()
	unread := func(err error) error {
		return fmt.Errorf("%s of %s cannot be read: %w; is nwl of the same version as the daemon?", resultFile(r.Kind), r.ID, err)
	}
	switch r.Kind {
	case job.WorkTrain:
		var t training.Report
		if err := json.Unmarshal(text, &t); err != nil {
			return unread(err)
		}
		t.Folder = r.Folder + "/" + t.Folder
		return unlessClosed(printTraining(w, &t))
	case job.WorkBench:
		var results []bench.Result
		if err := json.Unmarshal(text, &results); err != nil {
			return unread(err)
		}
		return unlessClosed(printMoves(w, results))
	}
	var s report.Summary
	if err := json.Unmarshal(text, &s); err != nil {
		return unread(err)
	}
	s.Folder = r.Folder
	// It goes on by other means than a run without a daemon.
	s.Interrupted = ""
	for i := range s.Verdict.Checks {
		advice := &s.Verdict.Checks[i].Advice
		*advice = resumption.ReplaceAllLiteralString(*advice, "nwl resume "+r.ID)
	}
	return unlessClosed(printSummary(w, &s))
}

// resumption matches the command by which a run without a daemon goes on.
var resumption = regexp.MustCompile(`nwl run --resume ('[^']*'|\S)+`)
