package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// column is one of a table of runs. Narrow tables leave out columns with a high rank first.
type column struct {
	name  string
	most  int // width, the last column's being what is left
	rank  int
	right bool
	text  func(r *api.Run, now time.Time) string
}

var columns = []column{
	{"ID", 20, 0, false, func(r *api.Run, _ time.Time) string { return r.ID }},
	{"STATE", 9, 0, false, func(r *api.Run, _ time.Time) string { return string(r.State) }},
	{"PROGRESS", 19, 1, false, progressText},
	{"LEVELS", 7, 4, true, levelsText},
	{"LN F", 7, 6, true, lnFText},
	{"TIME", 5, 3, true, timeText},
	{"LEFT", 5, 2, true, leftText},
	{"TITLE", 0, 5, false, titleText},
}

// leastTitle is the width below which a title is not worth a column.
const leastTitle = 12

// printRuns prints a table of runs that is no wider than width, 0 for no limit.
func printRuns(w io.Writer, runs []api.Run, width int, now time.Time) error {
	rows := make([][]string, len(runs)+1)
	widths := make([]int, len(columns))
	for k, c := range columns {
		rows[0] = append(rows[0], c.name)
		for i := range runs {
			rows[i+1] = append(rows[i+1], clean(c.text(&runs[i], now)))
		}
		for _, row := range rows {
			n := runewidth.StringWidth(row[k])
			if c.most > 0 {
				n = min(n, c.most)
			}
			widths[k] = max(widths[k], n)
		}
	}
	shown := shownColumns(rows, widths, width)
	for _, row := range rows {
		var line strings.Builder
		for k, c := range columns {
			if !shown[k] {
				continue
			}
			if line.Len() > 0 {
				line.WriteByte(' ')
			}
			text := runewidth.Truncate(row[k], widths[k], "…")
			gap := strings.Repeat(" ", widths[k]-runewidth.StringWidth(text))
			if c.right {
				line.WriteString(gap + text)
			} else {
				line.WriteString(text + gap)
			}
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// shownColumns leaves out columns in which there is nothing, and then as many as it takes to
// keep to the width. It narrows the title.
func shownColumns(rows [][]string, widths []int, width int) []bool {
	shown := make([]bool, len(columns))
	for k := range columns {
		shown[k] = columns[k].rank == 0
		for _, row := range rows[1:] {
			shown[k] = shown[k] || row[k] != ""
		}
	}
	if width <= 0 {
		return shown
	}
	title := len(columns) - 1
	used := func() (n int) {
		for k := range columns {
			if shown[k] && k != title {
				n += widths[k] + 1
			}
		}
		return n
	}
	for {
		left := width - used()
		if shown[title] && left >= min(leastTitle, widths[title]) {
			widths[title] = min(widths[title], left)
			return shown
		}
		if !shown[title] && left+1 >= 0 {
			return shown
		}
		worst := -1
		for k, c := range columns {
			if shown[k] && c.rank > 0 && (worst < 0 || c.rank > columns[worst].rank) {
				worst = k
			}
		}
		if worst < 0 { // names and states alone are too wide
			widths[0] = max(1, widths[0]+left+1)
			return shown
		}
		shown[worst] = false
	}
}

func progressText(r *api.Run, _ time.Time) string {
	p := r.Progress
	switch {
	case r.Kind == groupKind:
		return p.Phase
	case r.Outcome != nil && r.Kind == job.WorkRun:
		return verdict(r.Outcome)
	case r.State == job.Submitted:
		waits, _, _ := strings.Cut(r.Waits, ":")
		return waits
	case r.State != job.Running && r.State != job.Paused || p == nil || p.Phase == "":
		return ""
	case p.Done == 0:
		return p.Phase
	}
	return fmt.Sprintf("%s %.0f%%", p.Phase, 100*p.Done)
}

func verdict(o *job.Outcome) string {
	if o.Converged {
		return "converged"
	}
	return "NOT converged"
}

func levelsText(r *api.Run, _ time.Time) string {
	if r.Progress == nil || r.Progress.Levels == 0 {
		return ""
	}
	return fmt.Sprint(r.Progress.Levels)
}

func lnFText(r *api.Run, _ time.Time) string {
	if r.State != job.Running && r.State != job.Paused || r.Progress == nil || r.Progress.LnF == 0 {
		return ""
	}
	return fmt.Sprintf("%.2g", r.Progress.LnF)
}

func timeText(r *api.Run, now time.Time) string {
	switch {
	case r.Progress != nil && r.Progress.Seconds > 0:
		return short(time.Duration(r.Progress.Seconds * float64(time.Second)))
	case r.Began.IsZero() || r.State == job.Paused:
		return ""
	case r.Ended.IsZero():
		return short(now.Sub(r.Began))
	}
	return short(r.Ended.Sub(r.Began))
}

func leftText(r *api.Run, now time.Time) string {
	if r.State != job.Running && r.Kind != groupKind || r.Progress == nil || r.Progress.Left == 0 {
		return ""
	}
	left := time.Duration(r.Progress.Left*float64(time.Second)) - now.Sub(r.Progress.At)
	return short(max(left, 0))
}

func titleText(r *api.Run, _ time.Time) string {
	var words []string
	if r.State == job.Failed {
		reason, _, _ := strings.Cut(r.Reason, "\n")
		words = append(words, reason)
	}
	if r.Title != "" {
		words = append(words, r.Title)
	}
	for _, tag := range r.Tags {
		words = append(words, "#"+tag)
	}
	return strings.Join(words, " ")
}

// short writes a duration in at most five columns.
func short(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 10*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d < 100*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// narrow cuts a line off at a width, 0 for no limit.
func narrow(line string, width int) string {
	line = clean(line)
	if width <= 0 {
		return line
	}
	return runewidth.Truncate(line, width, "…")
}

// clean replaces control characters, which could command the terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, text)
}

// order puts runs that go on first, then those that wait, then the others, each the newest
// first.
func order(a, b api.Run) int {
	rank := map[job.State]int{job.Running: 0, job.Queued: 1, job.Submitted: 1, job.Paused: 2}
	of := func(r api.Run) int {
		if n, ok := rank[r.State]; ok {
			return n
		}
		return len(rank)
	}
	return cmp.Or(of(a)-of(b), b.Created.Compare(a.Created), cmp.Compare(b.ID, a.ID))
}
