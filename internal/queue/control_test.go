package queue

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// TestControl asks the worker that has a job, several times at once, and nobody where none has
// it: neither before nor after. A worker that does not answer is waited for until the context
// ends.
func TestControl(t *testing.T) {
	q := open(t, filepath.Join(t.TempDir(), "queue"))
	ask := func(ctx context.Context, text string) (string, error) {
		answer, err := q.Control(ctx, "run.1", []byte(text))
		return string(answer), err
	}
	submit(t, q, "run.1")
	submit(t, q, "run-1") // another one
	if _, err := ask(t.Context(), "hello"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("without a worker: %v", err)
	}
	if _, err := q.Control(t.Context(), "run.*", nil); err == nil || errors.Is(err, ErrUnreachable) {
		t.Errorf("a name that is none: %v", err)
	}
	l := take(t, q, "w")
	both, silent := make(chan struct{}), make(chan struct{})
	stop, err := l.Controls(func(request []byte) []byte {
		switch string(request) {
		case "wait":
			<-both
		case "wake":
			close(both)
		case "never":
			<-silent
		}
		return append([]byte("re: "), request...)
	})
	if err != nil {
		t.Fatal(err)
	}
	if l.ID != "run.1" {
		t.Fatalf("took %s", l.ID)
	}
	first := make(chan string)
	go func() {
		answer, err := ask(t.Context(), "wait")
		if err != nil {
			t.Error(err)
		}
		first <- answer
	}()
	time.Sleep(10 * time.Millisecond)
	if answer, err := ask(t.Context(), "wake"); err != nil || answer != "re: wake" {
		t.Errorf("%q, %v", answer, err)
	}
	if answer := <-first; answer != "re: wait" {
		t.Errorf("%q", answer)
	}
	if _, err := q.Control(t.Context(), "run-1", nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("the worker of run.1 answers for run-1: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := ask(ctx, "never"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	close(silent)
	stop()
	if _, err := ask(t.Context(), "hello"); !errors.Is(err, ErrUnreachable) {
		t.Errorf("after the worker stopped: %v", err)
	}
}
