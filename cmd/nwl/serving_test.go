//go:build linux

package main

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"

	"neuralwl/internal/oip/oippb"
)

// TestServing adds a network that comes with the program, which the next life of the daemon serves
// from the start, also to a client whose connection is open when the daemon ends.
func TestServing(t *testing.T) {
	s := newServed(t, "server.jobs=1", "serving.load=[net]")
	s.start()
	ready := func() bool {
		answer, err := http.Get(s.client.URL + "/v2/health/ready")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
	if ready() {
		t.Error("it is ready without the network")
	}
	add := exec.Command(binary, "networks", "add", "pretrained/potts-q2", "--name", "net", "--server", s.client.URL)
	if out, err := add.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "net/1" {
		t.Fatalf("%v: %s", err, out)
	}
	s.stop()
	if log := s.log.String(); !strings.Contains(log, `msg="a network is not served" network=net`) {
		t.Errorf("the log does not say that the network is missing:\n%s", log)
	}
	s.start()
	for end := time.Now().Add(time.Minute); !ready(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is not served\n%s", s.log)
		}
	}
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	client := oippb.NewGRPCInferenceServiceClient(&http.Client{Transport: transport}, s.client.URL, connect.WithGRPC())
	a, err := client.ModelReady(context.Background(), &oippb.ModelReadyRequest{Name: "net.propose", Version: "1"})
	if err != nil || !a.GetReady() {
		t.Errorf("%v, %v", a, err)
	}
	s.stop()
	transport.CloseIdleConnections()
}
