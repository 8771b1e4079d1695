package daemon

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"neuralwl/internal/api"
	"neuralwl/internal/config"
	"neuralwl/internal/job"
)

// listener is whom a webhook tells.
type listener struct {
	*httptest.Server
	t      *testing.T
	secret []byte

	mutex sync.Mutex
	deaf  int // answers that are errors
	heard []string
	last  Notice
}

func listen(t *testing.T, secret string) *listener {
	l := &listener{t: t, secret: []byte(secret)}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		l.t.Error(err)
	}
	h := hmac.New(sha256.New, l.secret)
	h.Write([]byte(r.Header.Get("Webhook-Id") + "." + r.Header.Get("Webhook-Timestamp") + "." + string(body)))
	if want := "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil)); r.Header.Get("Webhook-Signature") != want {
		l.t.Errorf("signature %q, want %q", r.Header.Get("Webhook-Signature"), want)
	}
	if l.deaf != 0 {
		l.deaf--
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	var n Notice
	if err := json.Unmarshal(body, &n); err != nil {
		l.t.Error(err)
	}
	if n.Run == "good" && (n.Outcome == nil || !n.Outcome.Converged || n.Title != "a title" || !slices.Equal(n.Tags, []string{"tag"})) {
		l.t.Errorf("%s", body)
	}
	if n.Run == "bad" && !strings.Contains(n.Reason, "busy, which is cancelled") {
		l.t.Errorf("%s", body)
	}
	l.heard = append(l.heard, n.Type+" "+r.Header.Get("Webhook-Id"))
	l.last = n
}

func (l *listener) wait(want ...string) {
	l.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		l.mutex.Lock()
		heard := slices.Clone(l.heard)
		l.mutex.Unlock()
		if slices.Equal(heard, want) {
			return
		}
	}
	l.t.Errorf("heard %q, want %q", l.heard, want)
}

// TestWebhook tells of ends in their order, again where it is not taken, over a restart of the
// daemon, and neither waits for the listener nor logs the secret.
func TestWebhook(t *testing.T) {
	t.Parallel()
	l := listen(t, "hunter2")
	data := t.TempDir()
	var log bytes.Buffer
	hook := func(o *Options) {
		o.Webhook = Webhook{
			URL: l.URL + "/?key=hunter3", Secret: []byte("hunter2"), On: []string{config.OnConverged, config.OnUnconverged, config.OnFailed},
			First: 10 * time.Millisecond, Longest: 50 * time.Millisecond, Patience: time.Hour,
		}
		o.Log = slog.New(slog.NewTextHandler(io.MultiWriter(t.Output(), &log), nil))
	}
	h := open(t, data, hook)
	l.mutex.Lock()
	l.deaf = 3
	l.mutex.Unlock()
	h.submit(api.Submission{ID: "good", Title: "a title", Tags: []string{"tag"}})
	h.state("good", job.Done)
	l.wait("run.converged good.1.done")
	h.submit(api.Submission{ID: "busy", Set: lengthy()})
	h.submit(api.Submission{ID: "bad", After: []string{"busy"}})
	h.change("busy", api.RunChange{Wish: job.Cancel}) // which nobody is told
	h.state("bad", job.Failed)
	h.submit(api.Submission{ID: "poor", Set: small("production.passes=2", "wang_landau.final_ln_f=0.5")})
	l.wait("run.converged good.1.done", "run.failed bad.1.failed", "run.unconverged poor.1.done")
	// What ends while nobody listens is told later, though the daemon is another one by then.
	l.mutex.Lock()
	l.deaf = -1
	l.mutex.Unlock()
	h.submit(api.Submission{ID: "again"})
	h.state("again", job.Done)
	h.stop()
	l.mutex.Lock()
	l.deaf = 0
	l.mutex.Unlock()
	h = open(t, data, hook)
	l.wait("run.converged good.1.done", "run.failed bad.1.failed", "run.unconverged poor.1.done", "run.converged again.1.done")
	h.wait("again", "on record as told", func(*api.Run) bool {
		var s hookState
		text, err := os.ReadFile(filepath.Join(data, hookFile))
		_, event, _ := h.State("again")
		return err == nil && json.Unmarshal(text, &s) == nil && s.Sequence >= event
	})
	h.stop()
	// A queue that is lost is made anew, and tells of nothing again.
	if err := os.RemoveAll(filepath.Join(data, queueName)); err != nil {
		t.Fatal(err)
	}
	h = open(t, data, hook)
	h.submit(api.Submission{ID: "last"})
	l.wait("run.converged good.1.done", "run.failed bad.1.failed", "run.unconverged poor.1.done", "run.converged again.1.done", "run.converged last.1.done")
	h.stop()
	if strings.Contains(log.String(), "hunter") || !strings.Contains(log.String(), "tried again") {
		t.Errorf("log:\n%s", log.String())
	}
}

// TestWebhookGroup tells of a group once, when all of its members have ended, and of none of them by itself.
func TestWebhookGroup(t *testing.T) {
	t.Parallel()
	l := listen(t, "hunter2")
	h := open(t, t.TempDir(), func(o *Options) {
		o.Webhook = Webhook{URL: l.URL, Secret: []byte("hunter2"), On: config.Ends, First: 10 * time.Millisecond, Longest: 50 * time.Millisecond, Patience: time.Hour}
	})
	s := api.GroupSubmission{Name: "glass", Title: "a title", Set: glassy("system.disorder_seed=1..3", "local.sweeps=2")}
	h.submitGroup(s)
	h.merged("glass")
	told := func(times int) Notice {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			l.mutex.Lock()
			heard, last := len(l.heard), l.last
			l.mutex.Unlock()
			if heard >= times {
				return last
			}
		}
		t.Fatalf("heard %q, want %d", l.heard, times)
		return Notice{}
	}
	n := told(1)
	sum := 0
	for _, k := range n.Members {
		sum += k
	}
	if n.Group != "glass" || n.Run != "" || n.Title != "a title" || sum != 3 || n.Type != "group.converged" && n.Type != "group.unconverged" {
		t.Errorf("%+v", n)
	}
	h.submit(api.Submission{ID: "after"}) // whose end is told after all that came before
	h.state("after", job.Done)
	if n := told(2); n.Run != "after" {
		t.Errorf("%+v", n)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.heard) != 2 {
		t.Errorf("heard %q", l.heard)
	}
}
