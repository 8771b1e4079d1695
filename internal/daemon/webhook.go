package daemon

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/config"
	"neuralwl/internal/disk"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// Webhook is who is told that runs ended.
type Webhook struct {
	URL    string   // empty for nobody
	Secret []byte   // that signs what is sent; empty for no signature
	On     []string // config.Ends that are told
	// First and Longest are the pauses before the second try and at most, and Patience how long
	// it is tried; by default 1 s, 5 min and 24 h.
	First, Longest, Patience time.Duration
}

// Notice is what a webhook is sent, as JSON: of a run that is no member of a group, or of a group all of whose
// members have ended.
type Notice struct {
	Type    string         `json:"type"` // run. or group. and one of config.Ends
	Run     string         `json:"run,omitempty"`
	Group   string         `json:"group,omitempty"`
	Members map[string]int `json:"members,omitempty"` // of the group, by config.Ends
	At      time.Time      `json:"at"`
	Reason  string         `json:"reason,omitempty"`
	Outcome *job.Outcome   `json:"outcome,omitempty"`
	Title   string         `json:"title,omitempty"`
	Tags    []string       `json:"tags,omitempty"`
}

// hookFile in the data folder remembers up to which event everybody was told.
const hookFile = "webhook.json"

// hookState is what it holds.
type hookState struct {
	Queue    string `json:"queue"` // in which the events have their numbers
	Sequence uint64 `json:"sequence"`
	// At is when the last of these events was. A queue that was made anew of the run directories
	// tells of all their ends again: those before are known.
	At time.Time `json:"at"`
}

// tellTime bounds one try.
const tellTime = 10 * time.Second

// notify tells the webhook of the ends of runs until ctx ends, in their order, each at least
// once whatever happens to the daemon in between; one that nobody takes within Patience is given
// up. Runs never wait for it.
func (d *Daemon) notify(ctx context.Context) error {
	w := d.o.Webhook
	if w.First == 0 {
		w.First, w.Longest, w.Patience = time.Second, 5*time.Minute, 24*time.Hour
	}
	path := filepath.Join(d.o.Data, hookFile)
	state, err := d.hookState(ctx, path)
	if err != nil {
		return err
	}
	if n, err := d.queue.Retell(ctx); err != nil {
		return err
	} else if n > 0 {
		d.log.Info("runs had ended of which no event told", "runs", n)
	}
	client := &http.Client{
		Timeout:       tellTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	known := time.Time{} // ends up to then
	if state.Queue != d.queue.Identity() {
		state.Queue, state.Sequence, known = d.queue.Identity(), 0, state.At
	}
	return d.queue.EventsOf(ctx, queue.StateEvent, state.Sequence, func(e queue.Event) error {
		r := d.mirror.record(e.Run)
		if again := r != nil && !r.Ended.IsZero() && !r.Ended.After(known); again {
			return nil
		}
		n, err := d.notice(ctx, e)
		if err != nil {
			return err
		}
		if _, end, _ := strings.Cut(n.Type, "."); slices.Contains(w.On, end) {
			if err := w.tell(ctx, client, identity(e), &n, d.log); err != nil {
				return err
			}
		}
		state.Sequence, state.At = e.Sequence, e.Time
		text, err := json.Marshal(state)
		if err == nil {
			err = disk.WriteFile(disk.OS, path, text)
		}
		if err != nil {
			d.log.Warn("a webhook may be told again what it was told", "reason", err)
		}
		return nil
	})
}

// hookState is up to which event everybody was told. At first these are all that there are.
func (d *Daemon) hookState(ctx context.Context, path string) (s hookState, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &s)
		if err != nil {
			d.log.Warn("nobody knows what the webhook was told; it is told all that is remembered", "reason", err)
			return hookState{Queue: d.queue.Identity()}, nil
		}
		return s, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return s, err
	}
	s = hookState{Queue: d.queue.Identity()}
	if s.Sequence, err = d.queue.LastEvent(ctx); err != nil {
		return s, err
	}
	if text, err = json.Marshal(s); err != nil {
		return s, err
	}
	return s, disk.WriteFile(disk.OS, path, text)
}

// identity is that of a notice: the same however often it is sent.
func identity(e queue.Event) string {
	var s queue.StateData
	json.Unmarshal(e.Data, &s) // notice has read it
	return fmt.Sprintf("%s.%d.%s", e.Run, s.Submission, s.State)
}

// end is the one of config.Ends that a state is, empty for none.
func end(s job.State, o *job.Outcome) string {
	switch {
	case s == job.Failed:
		return config.OnFailed
	case s == job.Cancelled:
		return config.OnCancelled
	case s == job.Done && o != nil && o.Converged:
		return config.OnConverged
	case s == job.Done:
		return config.OnUnconverged
	}
	return ""
}

// notice is what an event has to tell, without a type for nothing.
func (d *Daemon) notice(ctx context.Context, e queue.Event) (n Notice, err error) {
	var s queue.StateData
	if err := json.Unmarshal(e.Data, &s); err != nil {
		d.log.Error("an event cannot be read", "run", e.Run, "reason", err)
		return n, nil
	}
	of := end(s.State, s.Outcome)
	if of == "" || job.IsShardID(e.Run) {
		return n, nil
	}
	if g := d.groups.of(e.Run); g != nil {
		return d.groupNotice(ctx, g, e, s.Submission)
	}
	n = Notice{Type: "run." + of, Run: e.Run, At: e.Time.UTC(), Reason: s.Reason, Outcome: s.Outcome}
	if r := d.mirror.record(e.Run); r != nil {
		spec := d.spec(r)
		n.Title, n.Tags = spec.Title, spec.Tags
	}
	return n, nil
}

// groupNotice tells of a group by the end of that member which was the last one. It has the type of its worst
// member.
func (d *Daemon) groupNotice(ctx context.Context, g *group, e queue.Event, submission int) (n Notice, err error) {
	g.working.Lock() // until all members are on record
	about := g.about()
	g.working.Unlock()
	if !about.Submitted || about.Deleting {
		return n, nil
	}
	members, last := map[string]int{}, (*queue.Record)(nil)
	for _, id := range g.ids {
		r := d.mirror.record(id)
		if id == e.Run || r != nil && !r.State.Final() { // the mirror may be late
			if r, err = d.queue.Get(ctx, id); errors.Is(err, queue.ErrNone) {
				r = nil
			} else if err != nil {
				return n, err
			}
		}
		switch {
		case r == nil: // deleted
			continue
		case !r.State.Final():
			return n, nil
		case last == nil || r.Ended.After(last.Ended):
			last = r
		}
		members[end(r.State, r.Outcome)]++
	}
	if last == nil || last.ID != e.Run || last.Submission != submission {
		return n, nil
	}
	n = Notice{Group: about.Name, Members: members, At: e.Time.UTC(), Title: about.Title, Tags: about.Tags}
	for _, worst := range []string{config.OnFailed, config.OnUnconverged, config.OnCancelled, config.OnConverged} {
		if members[worst] > 0 {
			n.Type = "group." + worst
			break
		}
	}
	return n, nil
}

// tell sends a notice until it is taken, ctx ends or the patience does. Only the end of ctx is
// an error.
func (w *Webhook) tell(ctx context.Context, client *http.Client, id string, n *Notice, log *slog.Logger) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	began, pause := time.Now(), w.First
	for {
		err := w.try(ctx, client, id, body)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if time.Since(began) > w.Patience {
			log.Error("a webhook was not taken and is given up", "of", cmp.Or(n.Run, n.Group), "type", n.Type, "reason", err)
			return nil
		}
		log.Warn("a webhook was not taken and is tried again", "of", cmp.Or(n.Run, n.Group), "type", n.Type, "in", pause, "reason", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
		pause = min(2*pause, w.Longest)
	}
}

// try sends a notice once, signed as Standard Webhooks (standardwebhooks.com) has it: HMAC-SHA256
// of identity, time and body, joined by dots. Errors hold neither the address nor the secret.
func (w *Webhook) try(ctx context.Context, client *http.Client, id string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("webhook.url is no address")
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", at)
	if len(w.Secret) > 0 {
		r.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sign(w.Secret, id, at, body)))
	}
	answer, err := client.Do(r)
	if about := (*url.Error)(nil); errors.As(err, &about) {
		return about.Err
	}
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16)) // so that the connection can be used again
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the answer is %s", answer.Status)
	}
	return nil
}

func sign(secret []byte, id, at string, body []byte) []byte {
	h := hmac.New(sha256.New, secret)
	io.WriteString(h, strings.Join([]string{id, at, string(body)}, "."))
	return h.Sum(nil)
}
