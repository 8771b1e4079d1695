package queue

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"neuralwl/internal/job"
)

// TestExternal works with a server that others run, and that ends without a word and starts
// again: meanwhile every call fails with an error that says so, then all is as it was.
func TestExternal(t *testing.T) {
	o := &server.Options{ServerName: "elsewhere", Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	start := func() *server.Server {
		s, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		if !s.ReadyForConnections(30 * time.Second) {
			t.Fatal("the server does not start")
		}
		return s
	}
	s := start()
	url := s.ClientURL()
	connect := func() *Queue {
		q, err := Open(t.Context(), Options{URL: url, Silence: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		return q
	}
	one, two := connect(), connect()
	submit(t, one, "run-1")
	l := take(t, two, "w")
	o.Port = s.Addr().(*net.TCPAddr).Port
	s.Shutdown()
	s.WaitForShutdown()
	for name, call := range map[string]func(context.Context) error{
		"get":    func(ctx context.Context) error { _, err := one.Get(ctx, "run-1"); return err },
		"submit": func(ctx context.Context) error { _, err := one.Submit(ctx, "run-2", nil); return err },
		"want":   func(ctx context.Context) error { return one.Want(ctx, "run-1", job.Pause) },
		"emit":   func(ctx context.Context) error { return two.Emit(ctx, "run-1", "kind", nil) },
		"list":   func(ctx context.Context) error { _, err := one.List(ctx); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if err := call(ctx); !Away(err) {
			t.Errorf("%s without a server: %v", name, err)
		}
		cancel()
	}
	if Away(nil) || Away(ErrNone) || Away(errors.New("another")) {
		t.Error("other errors look like those of a server that is away")
	}
	s = start()
	defer s.Shutdown()
	for _, q := range []*Queue{one, two} {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			r, err := q.Get(t.Context(), "run-1")
			if err == nil && r.State == job.Running && r.Epoch == l.Epoch {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("after the restart: %+v, %v", r, err)
			}
		}
	}
	submit(t, one, "run-2")
	if l := take(t, two, "w"); l.ID == "" {
		t.Error("no job")
	}
}
