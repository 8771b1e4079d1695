package page

import (
	"fmt"
	"strings"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
)

// duration writes a time for people, in two units at most.
func duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// when writes a moment; a page may be read in another time zone than the daemon's.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// moment is when to the minute, for tables.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func megabytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d bytes", n)
	case n < 1000000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// silence is how long nothing may be heard of a run that goes on before the page says so. Some
// steps, such as its evaluation, take minutes without a word.
const silence = 2 * time.Minute

// unheard is how long nothing was heard of a run that should speak, 0 if that is not long. It may
// be well: the daemon has lost touch with it, which is all that is known.
func unheard(r *api.Run, now time.Time) time.Duration {
	if r.State != job.Running {
		return 0
	}
	last := r.Began
	if r.Progress != nil && r.Progress.At.After(last) {
		last = r.Progress.At
	}
	if d := now.Sub(last); !last.IsZero() && d > silence {
		return d
	}
	return 0
}

// stateWord is the state of a run, with a wish that it does not follow yet.
func stateWord(r *api.Run, now time.Time) string {
	switch {
	case unheard(r, now) > 0:
		return "unreachable"
	case r.State == job.Running && r.Wish == job.Pause:
		return "running, will pause"
	case (r.State == job.Running || r.State == job.Queued || r.State == job.Submitted) && r.Wish == job.Cancel:
		return string(r.State) + ", will be cancelled"
	case r.State == job.Submitted || r.State == job.Queued:
		return "waiting"
	}
	return string(r.State)
}

// stateClass is the colour of a state.
func stateClass(r *api.Run, now time.Time) string {
	switch {
	case unheard(r, now) > 0:
		return "warn"
	case r.State == job.Running:
		return "go"
	case r.State == job.Failed:
		return "bad"
	case r.State == job.Done && r.Outcome != nil && r.Outcome.Converged:
		return "good"
	case r.State == job.Done:
		return "warn"
	}
	return "rest"
}

// verdictWord says how a run ended.
func verdictWord(r *api.Run) string {
	switch {
	case r.State == job.Failed:
		return "failed"
	case r.Outcome == nil || r.Kind != job.WorkRun:
		return ""
	case r.Outcome.Converged:
		return "converged"
	case r.State == job.Done:
		return "not converged"
	}
	return ""
}

// leftWord is a guess of the time to the end of the phase.
func leftWord(r *api.Run, now time.Time) string {
	if left := leftOf(r, now); left >= 0 {
		return duration(left)
	}
	return ""
}

// leftOf is the guess, -1 if nothing can be said.
func leftOf(r *api.Run, now time.Time) time.Duration {
	if r.State != job.Running || r.Progress == nil || r.Progress.Left == 0 || unheard(r, now) > 0 {
		return -1
	}
	return max(0, seconds(r.Progress.Left)-now.Sub(r.Progress.At))
}

// took is how long a run has been going on.
func took(r *api.Run, now time.Time) time.Duration {
	switch {
	case r.Progress != nil && r.Progress.Seconds > 0:
		return seconds(r.Progress.Seconds)
	case r.Began.IsZero() || r.State == job.Paused:
		return 0
	case r.Ended.IsZero():
		return now.Sub(r.Began)
	}
	return r.Ended.Sub(r.Began)
}

// progressWord says where a run is.
func progressWord(r *api.Run) string {
	p := r.Progress
	switch {
	case r.Kind == groupKind:
		return p.Phase
	case r.State == job.Submitted || r.State == job.Queued:
		waits, _, _ := strings.Cut(r.Waits, ":")
		return waits
	case r.State.Final() || p == nil || p.Phase == "":
		return ""
	case p.Done == 0:
		return p.Phase
	}
	return fmt.Sprintf("%s, %.0f %%", p.Phase, 100*p.Done)
}

// sentence says in words how a run is.
func sentence(r *api.Run, now time.Time) string {
	p := r.Progress
	var s []string
	switch {
	case unheard(r, now) > 0:
		s = append(s, fmt.Sprintf("Nothing was heard of it for %s. It may be well: if its worker is lost, another one takes it over at its last checkpoint.", duration(unheard(r, now))))
	case r.State == job.Submitted || r.State == job.Queued:
		text := "It waits"
		if r.Waits != "" {
			text += " for: " + r.Waits
		}
		s = append(s, text+".")
	case r.State == job.Running && (p == nil || p.Phase == ""):
		s = append(s, "It has begun.")
	case r.State == job.Running:
		text := fmt.Sprintf("In the phase %s", p.Phase)
		if p.Done > 0 {
			text += fmt.Sprintf(", %.0f %% done", 100*p.Done)
		}
		if left := leftOf(r, now); left >= 0 {
			text += ", some " + duration(left) + " left of it"
		}
		s = append(s, text+".")
	case r.State == job.Paused:
		s = append(s, "It is paused and goes on at its last checkpoint.")
	case r.State == job.Done && r.Kind != job.WorkRun:
		s = append(s, "It is done.")
	case r.State == job.Done && r.Outcome != nil && r.Outcome.Converged:
		s = append(s, "It converged: every check of its results holds.")
	case r.State == job.Done:
		text := "It ended as planned but has not converged"
		if p != nil && len(p.Failed) > 0 {
			text += ": " + strings.Join(p.Failed, ", ") + " fell short"
		}
		s = append(s, text+".")
	case r.State == job.Cancelled:
		s = append(s, "It was cancelled.")
	case r.State == job.Failed:
		s = append(s, "It failed.")
	}
	if r.Reason != "" {
		s = append(s, strings.TrimRight(r.Reason, ".")+".")
	}
	return strings.Join(s, " ")
}
