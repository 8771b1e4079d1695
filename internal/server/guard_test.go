package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"neuralwl/internal/api"
	"neuralwl/internal/audit"
	"neuralwl/internal/job"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/token"
)

// TestTokens asks with tokens of both roles, with none and a wrong one; and with others once they
// were read again. Who changed what is on record, and no token is in the log.
func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	secrets := map[string]string{}
	add := func(name string, role token.Role) {
		secret, e, err := token.New(name, role)
		if err == nil {
			err = token.Append(path, e)
		}
		if err != nil {
			t.Fatal(err)
		}
		secrets[name] = secret
	}
	add("alice", token.Operate)
	add("eve", token.Read)
	h := open(t, 0, func(o *Options) {
		o.Secrets = func() (s Secrets, err error) {
			s.Tokens, err = token.Load(path)
			return s, err
		}
	})
	bearer := func(name string) string { return "Authorization: Bearer " + secrets[name] }
	submission := `{"id":"run-1","set":["run.moves=local"]}`
	basic, _ := http.NewRequest(http.MethodGet, "/", nil)
	basic.SetBasicAuth("anyone", secrets["eve"])
	for _, c := range []struct {
		method, path, body, header string
		status                     int
	}{
		{"GET", "/api/v1/runs", "", "", 401}, {"GET", "/metrics", "", "", 401}, {"POST", "/api/v1/runs", submission, "", 401},
		{"GET", "/none", "", "", 401}, {"GET", "/api/v1/events", "", "", 401}, {"GET", "/api/v1/runs/run-1/files/x", "", "", 401},
		{"GET", "/api/v1/runs", "", "Authorization: Bearer wrong", 401}, {"GET", "/api/v1/runs", "", "Authorization: " + secrets["eve"], 401},
		{"GET", "/api/v1/runs", "", "Authorization: Basic !!!", 401},
		{"GET", "/healthz", "", "", 200}, {"GET", "/readyz", "", "", 200}, {"GET", "/docs", "", "", 200}, {"GET", "/openapi.json", "", "", 200},
		{"GET", "/api/v1/runs", "", bearer("eve"), 200}, {"HEAD", "/api/v1/runs", "", bearer("eve"), 200}, {"GET", "/metrics", "", bearer("eve"), 200},
		{"GET", "/api/v1/runs", "", "Authorization: " + basic.Header.Get("Authorization"), 200},
		{"POST", "/api/v1/runs", submission, bearer("eve"), 403}, {"DELETE", "/api/v1/runs/run-1", "", bearer("eve"), 403},
		{"PATCH", "/api/v1/runs/run-1", `{"wish":"cancel"}`, bearer("eve"), 403},
		{"POST", "/api/v1/runs", submission, bearer("alice"), 201},
		{"PATCH", "/api/v1/runs/run-1", `{"wish":"cancel","notes":"private"}`, bearer("alice"), 200},
		{"DELETE", "/api/v1/runs/run-2", "", bearer("alice"), 404},
	} {
		var headers []string
		if c.header != "" {
			headers = []string{c.header}
		}
		status, text, header := h.read(c.method, c.path, c.body, headers...)
		if status != c.status {
			t.Errorf("%s %s with %q: %d, want %d: %s", c.method, c.path, c.header, status, c.status, text)
		}
		if status == 401 && (len(header.Values("WWW-Authenticate")) != 2 || !strings.Contains(text, `"detail"`)) {
			t.Errorf("%s %s: %v, %s", c.method, c.path, header, text)
		}
	}
	h.client.Token = secrets["eve"]
	if r, err := h.client.Get(t.Context(), "run-1"); err != nil || r.By != "alice" || r.State != job.Cancelled {
		t.Errorf("%+v, %v", r, err)
	}

	// A file with a fault changes nothing; a new one is as if it had always been there.
	if err := os.WriteFile(path, []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.server.Reload(); err == nil {
		t.Error("a damaged file is read")
	}
	if status, _, _ := h.get("/api/v1/runs", bearer("eve")); status != 200 {
		t.Errorf("after a reload in vain: %d", status)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	add("bob", token.Operate)
	if err := h.server.Reload(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"eve": 401, "alice": 401, "bob": 200} {
		if status, _, _ := h.get("/api/v1/runs", bearer(name)); status != want {
			t.Errorf("%s after the reload: %d, want %d", name, status, want)
		}
	}
	_, scraped, _ := h.get("/metrics", bearer("bob"))
	record, err := os.ReadFile(filepath.Join(h.folder, audit.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"by":"alice","address":"127.0.0.1:`, `"what":"submit","run":"run-1","status":201`, `"what":"delete","run":"run-2","status":404`,
		`"what":"change","run":"run-1","details":{"notes":true,"wish":"cancel"},"status":200`,
	} {
		if !strings.Contains(string(record), want) {
			t.Errorf("%s is missing in the audit:\n%s", want, record)
		}
	}
	if n := strings.Count(string(record), "\n"); n != 3 {
		t.Errorf("%d entries of the audit, want 3:\n%s", n, record)
	}
	for name, secret := range secrets {
		for where, text := range map[string]string{"the log": h.log.String(), "the metrics": scraped, "the audit": string(record)} {
			if strings.Contains(text, secret) {
				t.Errorf("the token of %s is in %s", name, where)
			}
		}
	}
	if log := h.log.String(); !strings.Contains(log, "by=eve role=read") || strings.Contains(log, "private") {
		t.Errorf("log:\n%s", log)
	}
}

// TestElsewhere refuses what pages of other origins can make a browser send, and names that are
// not the daemon's.
func TestElsewhere(t *testing.T) {
	h := open(t, 0, func(o *Options) { o.Hosts = []string{"proxy.example"} })
	host := strings.TrimPrefix(h.url, "http://")
	for _, c := range []struct {
		method, body string
		headers      []string
		status       int
	}{
		{"GET", "", nil, 200},
		{"GET", "", []string{"Host: evil.example"}, 421}, {"GET", "", []string{"Host: evil.example:9465"}, 421},
		{"GET", "", []string{"Host: 127.0.0.1.evil.example"}, 421}, {"GET", "", []string{"Host: 10.0.0.1"}, 421},
		{"GET", "", []string{"Host: evil.example", "X-Forwarded-Host: localhost"}, 421},
		{"GET", "", []string{"Host: LocalHost:1"}, 200}, {"GET", "", []string{"Host: [::1]:9465"}, 200}, {"GET", "", []string{"Host: proxy.example"}, 200},
		{"GET", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, 403},
		{"GET", "", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, 200},
		{"GET", "", []string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors"}, 200},
		{"POST", `{"set":["system.q=1"]}`, []string{"Origin: http://evil.example"}, 403},
		{"POST", `{"set":["system.q=1"]}`, []string{"Origin: http://" + host}, 422},
		{"POST", `{"set":["system.q=1"]}`, []string{"Sec-Fetch-Site: cross-site"}, 403},
		{"POST", `{"set":["system.q=1"]}`, []string{"Sec-Fetch-Site: same-site"}, 403},
		{"POST", `{"set":["system.q=1"]}`, []string{"Sec-Fetch-Site: same-origin"}, 422},
		{"POST", `{"set":["system.q=1"]}`, []string{"Content-Type: text/plain"}, 415},
		{"POST", `{"set":["system.q=1"]}`, []string{"Content-Type: application/x-www-form-urlencoded"}, 415},
	} {
		if status, text, _ := h.read(c.method, "/api/v1/runs", c.body, c.headers...); status != c.status {
			t.Errorf("%s %v: %d, want %d: %s", c.method, c.headers, status, c.status, text)
		}
	}
	if _, _, header := h.get("/api/v1/runs"); header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("other origins may read")
	}
}

// certificate makes a certificate for 127.0.0.1.
func certificate(t *testing.T, name string) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	data, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{data}, PrivateKey: key}
}

// TestTLS serves over TLS alone, streams too, with another certificate after a reload.
func TestTLS(t *testing.T) {
	now := certificate(t, "first")
	h := open(t, 1, func(o *Options) {
		o.WriteTime = 200 * time.Millisecond
		o.Secrets = func() (Secrets, error) {
			if now == nil {
				return Secrets{}, errors.New("none")
			}
			return Secrets{Certificate: now}, nil
		}
	})
	if response, err := h.http.Get(h.url + "/healthz"); err == nil {
		response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", response.Status)
		}
	}
	h.url = strings.Replace(h.url, "http:", "https:", 1)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	h.http, h.client.HTTP, h.client.URL = &http.Client{Transport: transport}, &http.Client{Transport: transport}, h.url
	for _, name := range []string{"first", "second", "second"} {
		transport.CloseIdleConnections()
		response := h.ask(http.MethodGet, "/healthz", "")
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if got := response.TLS.PeerCertificates[0].Subject.CommonName; got != name || response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
			t.Errorf("%s of %q, want %q, %s", response.Status, got, name, response.Proto)
		}
		if name == "first" {
			now = certificate(t, "second")
		} else {
			now = nil
		}
		if err := h.server.Reload(); (err == nil) != (now != nil) {
			t.Error(err)
		}
	}
	rpc := oippb.NewGRPCInferenceServiceClient(h.http, h.url, connect.WithGRPC())
	if a, err := rpc.ServerLive(t.Context(), &oippb.ServerLiveRequest{}); err != nil || !a.GetLive() {
		t.Errorf("gRPC: %v, %v", a, err)
	}
	// What takes longer than a write, and streams that say nothing for longer.
	h.server.mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(600 * time.Millisecond)
		io.WriteString(w, "slow")
	})
	if status, text, _ := h.get("/slow"); status != http.StatusOK || text != "slow" {
		t.Errorf("a slow answer over HTTP/2: %d, %s", status, text)
	}
	h.submit(api.Submission{ID: "run-1", Set: quick})
	h.submit(api.Submission{ID: "run-2", Set: endless})
	go func() {
		time.Sleep(time.Second)
		h.client.Change(context.Background(), "run-2", api.RunChange{Wish: job.Cancel})
	}()
	h.wait("run-1", job.Done)
	if all := h.stream(api.Prefix+"/runs/run-2/events", nil); len(all) == 0 || all[len(all)-1].event != endEvent {
		t.Errorf("events over HTTP/2: %v", all)
	}
	if all := h.stream(api.Prefix+"/runs/run-1/events", nil); len(all) == 0 || all[len(all)-1].event != endEvent {
		t.Errorf("events over HTTP/2: %v", all)
	}
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}}}
	if _, err := old.Get(h.url + "/healthz"); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// TestBasePath answers below a path, whether or not the proxy takes it away.
func TestBasePath(t *testing.T) {
	h := open(t, 0, func(o *Options) { o.BasePath = "/nwl" })
	for path, want := range map[string]int{
		"/nwl/healthz": 200, "/healthz": 200, "/nwl/api/v1/runs": 200, "/api/v1/runs": 200, "/nwl": 200, "/nwl/": 200, "/nwlx/healthz": 404, "/nwl/nwl/healthz": 404,
	} {
		if status, text, _ := h.get(path); status != want {
			t.Errorf("%s: %d, want %d: %s", path, status, want, text)
		}
	}
	if status, text, _ := h.get("/nwl/v2/none"); status != 404 || !strings.HasPrefix(text, `{"error":"`) {
		t.Errorf("%d %s", status, text)
	}
	if _, text, _ := h.get("/nwl/openapi.json"); !strings.Contains(text, `"url":"/nwl"`) {
		t.Errorf("the document does not say where it is: %.300s", text)
	}
	if _, _, header := h.read(http.MethodPost, "/api/v1/runs", `{"id":"run-1","set":["run.moves=local"]}`); header.Get("Location") != "/nwl/api/v1/runs/run-1" {
		t.Errorf("%v", header)
	}
	h.client.URL = h.url + "/nwl"
	if r, err := h.client.Get(t.Context(), "run-1"); err != nil || r.ID != "run-1" {
		t.Errorf("%v, %v", r, err)
	}
}

// TestFault answers in order when a handler panics, and goes on.
func TestFault(t *testing.T) {
	h := open(t, 0, nil)
	h.server.mux.HandleFunc("GET /fault", func(http.ResponseWriter, *http.Request) { panic("of the test") })
	if status, text, _ := h.get("/fault"); status != http.StatusInternalServerError || strings.Contains(text, "of the test") || !strings.HasPrefix(text, `{"title"`) {
		t.Errorf("%d, %s", status, text)
	}
	if !strings.Contains(h.log.String(), "of the test") {
		t.Error("the fault is not in the log")
	}
	if status, _, _ := h.get("/healthz"); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

// TestSlowBody drops a client that sends its body bit by bit.
func TestSlowBody(t *testing.T) {
	if testing.Short() {
		t.Skip("takes six seconds")
	}
	h := open(t, 0, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /api/v1/runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(answer), "408 Request Timeout") {
		t.Errorf("%v: %s", err, answer)
	}
}
