package queue

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"neuralwl/internal/job"
)

// record is a log that tests read.
type record struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (r *record) Write(data []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.Write(data)
}

func (r *record) String() string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.text.String()
}

// says waits until the log says something.
func (r *record) says(t *testing.T, what string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(r.String(), what); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q:\n%s", what, r)
		}
	}
}

// head is a queue that listens, and its log.
func head(t *testing.T, change func(*Options)) (*Queue, Roster, *record) {
	t.Helper()
	folder, log := t.TempDir(), &record{}
	roster := Roster(filepath.Join(folder, "workers"))
	o := Options{
		Folder: filepath.Join(folder, "queue"), Silence: 2 * time.Second, Version: "head's",
		Listen: &Listen{Address: "127.0.0.1:0", Roster: roster}, Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	if change != nil {
		change(&o)
	}
	q, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q, roster, log
}

func invite(t *testing.T, r Roster, name string) *Invitation {
	t.Helper()
	i, err := r.Invite(name, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// join connects a worker as soon as the head admits it.
func join(t *testing.T, i *Invitation) (*Queue, *record) {
	t.Helper()
	log := &record{}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		q, err := Open(t.Context(), Options{URL: i.URL, Access: i, Member: true, Version: "worker's", Log: slog.New(slog.NewTextHandler(log, nil))})
		if err == nil {
			t.Cleanup(func() { q.Close() })
			return q, log
		}
		if !errors.Is(err, nats.ErrAuthorization) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestMember has an invited worker do all that a worker does, over TLS and with no more than its
// permissions.
func TestMember(t *testing.T) {
	q, roster, log := head(t, nil)
	w, said := join(t, invite(t, roster, "one"))
	if w.Silence() != q.Silence() {
		t.Errorf("the worker may be silent for %v, the head says %v", w.Silence(), q.Silence())
	}
	submit(t, q, "run-1")
	me := &Worker{Name: "one", Instance: "a", Jobs: 1, Classes: map[Resource]string{CPU: "fast"}}
	if err := w.Announce(t.Context(), me); err != nil {
		t.Fatal(err)
	}
	if err := q.MakeConsumer(t.Context(), CPU, "fast"); err != nil {
		t.Fatal(err)
	}
	l, err := w.Take(t.Context(), Taker{Owner: me.Owner(), Classes: me.Classes}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if next, err := l.Renew(t.Context()); err != nil || next != job.GoOn || time.Until(l.Until()) <= 0 {
		t.Errorf("renewed: %v, %v, until %v", next, err, l.Until())
	}
	if err := w.Emit(t.Context(), "run-1", "pass", 1); err != nil {
		t.Error(err)
	}
	if err := w.EmitLatest(t.Context(), "run-1", "counts", 1); err != nil {
		t.Error(err)
	}
	stop, err := l.Controls(func(request []byte) []byte { return append(request, '!') })
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := q.Control(t.Context(), "run-1", []byte("well")); err != nil || string(answer) != "well!" {
		t.Errorf("answered %q, %v", answer, err)
	}
	stop()
	if err := q.Tell(t.Context(), "one", Order{Drain: true}); err != nil {
		t.Fatal(err)
	}
	if o, err := w.Told(t.Context(), "one"); err != nil || !o.Drain {
		t.Errorf("told %+v, %v", o, err)
	}
	if err := l.Checkpointed(t.Context(), 1); err != nil {
		t.Error(err)
	}
	if err := l.Return(t.Context(), "in order", true); err != nil {
		t.Error(err)
	}
	if l, err = w.Take(t.Context(), Taker{Owner: me.Owner(), Classes: me.Classes}, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := l.Leave(t.Context(), job.Event{Kind: job.End}); err != nil {
		t.Error(err)
	}
	if r, err := q.Get(t.Context(), "run-1"); err != nil || r.State != job.Done || r.Class != "fast" {
		t.Errorf("%+v, %v", r, err)
	}
	if err := w.Withhold(t.Context(), me); err != nil {
		t.Error(err)
	}
	for _, l := range []*record{log, said} {
		if text := l.String(); strings.Contains(text, "iolation") {
			t.Errorf("something was refused:\n%s", text)
		}
	}
}

// TestBeyondPermissions has a worker ask for what is not its own: each time it is refused, and
// both sides say so in their logs.
func TestBeyondPermissions(t *testing.T) {
	q, roster, log := head(t, nil)
	i := invite(t, roster, "one")
	w, said := join(t, i)
	submit(t, q, "run-1")
	for what, f := range map[string]func(ctx context.Context) error{
		"nwl.jobs.cpu.any":                 func(ctx context.Context) error { _, err := w.js.Publish(ctx, "nwl.jobs.cpu.any", nil); return err },
		"$KV.nwl_wanted.run-1":             func(ctx context.Context) error { _, err := w.wanted.Put(ctx, "run-1", []byte(job.Cancel)); return err },
		"$KV.nwl_head.head":                func(ctx context.Context) error { _, err := w.heads.Put(ctx, "head", nil); return err },
		"$KV.nwl_told.one":                 func(ctx context.Context) error { return w.Tell(ctx, "one", Order{}) },
		"$KV.nwl_workers.two.a":            func(ctx context.Context) error { return w.Announce(ctx, &Worker{Name: "two", Instance: "a"}) },
		"$JS.API.STREAM.DELETE.NWL_EVENTS": func(ctx context.Context) error { return w.js.DeleteStream(ctx, eventsStream) },
		"$JS.API.STREAM.PURGE.NWL_JOBS": func(ctx context.Context) error {
			_, err := w.conn.Request("$JS.API.STREAM.PURGE.NWL_JOBS", nil, time.Second)
			return err
		},
		"$JS.API.CONSUMER.CREATE.NWL_EVENTS": func(ctx context.Context) error {
			return w.Events(ctx, "", 0, func(Event) error { return errors.New("an event was read") })
		},
		"nwl.control.run-1": func(ctx context.Context) error { _, err := w.Control(ctx, "run-1", nil); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		err := f(ctx)
		cancel()
		if err == nil || strings.Contains(err.Error(), "was read") {
			t.Errorf("%s: %v", what, err)
		}
		log.says(t, `Publish Violation`)
		said.says(t, what)
		log.says(t, what)
	}
	if _, err := w.conn.Subscribe("_INBOX.>", func(*nats.Msg) {}); err != nil {
		t.Fatal(err)
	}
	log.says(t, "Subscription Violation")
	if r, err := q.Get(t.Context(), "run-1"); err != nil || r.State != job.Queued {
		t.Errorf("%+v, %v", r, err)
	}
	if l := take(t, q, "v"); l.ID != "run-1" {
		t.Errorf("took %+v", l.Record)
	}
}

// TestWithinPermissions creates, changes and erases records and events with the key of a worker, as the documents say that it can.
func TestWithinPermissions(t *testing.T) {
	q, roster, _ := head(t, nil)
	w, _ := join(t, invite(t, roster, "one"))
	submit(t, q, "run-1")
	if err := q.Emit(t.Context(), "run-1", "pass", 1); err != nil {
		t.Fatal(err)
	}
	if r, err := w.change(t.Context(), "run-1", func(r *Record) error { r.State = job.Cancelled; return nil }); err != nil {
		t.Error(err)
	} else if r, err = q.Get(t.Context(), r.ID); err != nil || r.State != job.Cancelled {
		t.Errorf("changed: %+v, %v", r, err)
	}
	if _, err := w.runs.Create(t.Context(), "run-2", []byte(`{"id":"run-2","state":"submitted"}`)); err != nil {
		t.Error(err)
	} else if r, err := q.Get(t.Context(), "run-2"); err != nil || r.State != job.Submitted {
		t.Errorf("created: %+v, %v", r, err)
	}
	if err := w.runs.Delete(t.Context(), "run-1"); err != nil {
		t.Error(err)
	} else if _, err := q.Get(t.Context(), "run-1"); !errors.Is(err, ErrNone) {
		t.Errorf("erased: %v", err)
	}
	over := nats.NewMsg(eventSubject + "run-2.pass")
	over.Header.Set("Nats-Rollup", "all")
	if _, err := w.js.PublishMsg(t.Context(), over); err != nil {
		t.Error(err)
	} else if all, _, err := q.History(t.Context(), "run-1", 0, 10); err != nil || len(all) > 0 {
		t.Errorf("erased events: %v, %v", all, err)
	}
}

// TestRevokedInRestart revokes a key while the server is restarted: the new one does not admit it.
func TestRevokedInRestart(t *testing.T) {
	q, roster, log := head(t, nil)
	i := invite(t, roster, "one")
	w, _ := join(t, i)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	old := q.server.server
	old.Shutdown()
	old.WaitForShutdown()
	s, err := q.server.launch()
	if err != nil {
		t.Fatal(err)
	}
	if err := roster.Revoke("one"); err != nil {
		t.Fatal(err)
	}
	log.says(t, "was revoked")
	if err := q.server.replace(s); err != nil {
		t.Fatal(err)
	}
	if w, err := Open(t.Context(), Options{URL: i.URL, Access: i, Member: true}); !IsRefused(err) {
		t.Errorf("the revoked key: %v", err)
		if err == nil {
			w.Close()
		}
	}
}

// TestPermissionsDocumented compares the table for NATS clusters in the documents with what a worker is given.
func TestPermissionsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/machines.md")
	if err != nil {
		t.Fatal(err)
	}
	p := WorkerPermissions("node7")
	for row, want := range map[string][]string{"publish": p.Publish, "subscribe": p.Subscribe} {
		_, line, _ := strings.Cut(string(text), "\n| "+row+" | ")
		line, _, _ = strings.Cut(line, " |\n")
		got := strings.Split(strings.ReplaceAll(line, "`", ""), ", ")
		slices.Sort(got)
		if want = slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
			t.Errorf("%s: the document has %q, want %q", row, got, want)
		}
	}
}

// TestKeys refuses workers without a key, with another one and with a revoked one, the last also
// if it is connected, and says so.
func TestKeys(t *testing.T) {
	_, roster, log := head(t, nil)
	i := invite(t, roster, "one")
	w, _ := join(t, i)
	refused := func(i *Invitation) error {
		q, err := Open(t.Context(), Options{URL: i.URL, Access: i, Member: true})
		if err == nil {
			q.Close()
		}
		return err
	}
	wrong := *i
	var err error
	if wrong.Seed, _, err = newKey(); err != nil {
		t.Fatal(err)
	}
	if err := refused(&wrong); !IsRefused(err) || !strings.Contains(err.Error(), "nwl worker invite") {
		t.Errorf("another key: %v", err)
	}
	log.says(t, "authentication error")
	none, err := nats.Connect(i.URL, nats.Secure(&tls.Config{InsecureSkipVerify: true}))
	if !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("no key: %v", err)
		none.Close()
	}
	old, err := nats.Connect(i.URL, nats.Secure(&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}))
	if err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("TLS 1.2: %v", err)
		old.Close()
	}
	if _, err := roster.Invite("one", "", ""); err == nil || !strings.Contains(err.Error(), "revoke") {
		t.Errorf("invited twice: %v", err)
	}
	for _, name := range []string{"", "One", "a.b", "a>", "head", "a*"} {
		if _, err := roster.Invite(name, "", ""); err == nil {
			t.Errorf("%q was invited", name)
		}
	}
	if err := roster.Revoke("two"); !errors.Is(err, ErrNotInvited) {
		t.Errorf("revoked nobody: %v", err)
	}
	if err := roster.Revoke("one"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Gone():
		if !IsRefused(w.Refused()) {
			t.Errorf("the worker does not know why: %v", w.Refused())
		}
	case <-time.After(30 * time.Second):
		t.Error("a revoked worker stays connected")
	}
	log.says(t, "the key of a worker was revoked")
	if err := refused(i); !IsRefused(err) {
		t.Errorf("a revoked key: %v", err)
	}
	again := invite(t, roster, "one")
	if again.Seed == i.Seed {
		t.Error("the same key again")
	}
	join(t, again)
}

// certificate writes a certificate for 127.0.0.1 that is valid until then.
func certificate(t *testing.T, folder string, until time.Time) (cert, key string) {
	t.Helper()
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &pair.PublicKey, pair)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(pair)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	if err := errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// TestCertificates has workers trust the certificate of the head, and no other, as long as it is
// valid; one that replaces it counts at once.
func TestCertificates(t *testing.T) {
	folder := t.TempDir()
	cert, key := certificate(t, folder, time.Now().Add(time.Hour))
	_, roster, log := head(t, func(o *Options) {
		o.Listen.Certificate, o.Listen.Key, o.Listen.CA = cert, key, cert
	})
	i := invite(t, roster, "one")
	i.URL = strings.Replace(i.URL, "127.0.0.1", "localhost", 1)
	q, _ := join(t, i)
	q.Close()
	refused := func(i *Invitation) string {
		q, err := Open(t.Context(), Options{URL: i.URL, Access: i, Member: true})
		if err == nil {
			q.Close()
			return ""
		}
		return err.Error()
	}
	other := *i
	other.CA = ""
	if err := refused(&other); !strings.Contains(err, "certificate signed by unknown authority") {
		t.Errorf("the system trusts it: %s", err)
	}
	other = *i
	other.URL = strings.Replace(i.URL, "localhost", "127.0.0.1", 1)
	if err := refused(&other); !strings.Contains(err, "127.0.0.1") {
		t.Errorf("another machine's certificate: %s", err)
	}
	certificate(t, folder, time.Now().Add(-time.Hour))
	expired, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	i.CA = string(expired)
	if err := refused(i); !strings.Contains(err, "expired") {
		t.Errorf("an expired certificate: %s", err)
	}
	log.says(t, "TLS handshake error")
}

// TestProtocols refuses a worker of another protocol, with a message that names both.
func TestProtocols(t *testing.T) {
	q, roster, _ := head(t, nil)
	i := invite(t, roster, "one")
	join(t, i)
	text, err := json.Marshal(Head{Protocol: Protocol + 1, Silence: time.Second, Version: "head's"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.heads.Put(t.Context(), headKey, text); err != nil {
		t.Fatal(err)
	}
	w, err := Open(t.Context(), Options{URL: i.URL, Access: i, Member: true, Version: "worker's"})
	if err == nil {
		w.Close()
		t.Fatal("it was served")
	}
	for _, what := range []string{"head's", "worker's", fmt.Sprint("protocol ", Protocol+1), fmt.Sprint("protocol ", Protocol), "same version"} {
		if !strings.Contains(err.Error(), what) {
			t.Errorf("the error does not say %q: %v", what, err)
		}
	}
}

// TestInvitationFile reads what it is given, whole or the seed alone, and says what is wrong with
// anything else.
func TestInvitationFile(t *testing.T) {
	seed, _, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	for text, ok := range map[string]bool{
		seed: true, seed + "\n": true, `{"name": "one", "seed": "` + seed + `"}`: true,
		"": false, "SUxyz": false, "{}": false, "no": false,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		i, err := ReadInvitation(path)
		if ok && (err != nil || i.Seed != seed) || !ok && (err == nil || !strings.Contains(err.Error(), path)) {
			t.Errorf("%q: %v, %v", text, i, err)
		}
	}
}
