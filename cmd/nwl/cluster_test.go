//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

// cluster is three nats-server processes that keep everything three times.
type cluster struct {
	t       *testing.T
	program string
	configs []string
	urls    []string
	cmds    []*exec.Cmd
	log     *record
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// newCluster starts servers that admit users by their nkeys.
func newCluster(t *testing.T, users []any) *cluster {
	t.Helper()
	c := &cluster{t: t, program: filepath.Join(t.TempDir(), "nats-server"), cmds: make([]*exec.Cmd, 3), log: &record{}}
	if out, err := exec.Command("go", "build", "-o", c.program, "github.com/nats-io/nats-server/v2").CombinedOutput(); err != nil {
		t.Fatalf("go build nats-server: %v\n%s", err, out)
	}
	routes := make([]string, len(c.cmds))
	for i := range routes {
		routes[i] = fmt.Sprintf("nats://127.0.0.1:%d", freePort(t))
	}
	for i := range c.cmds {
		port := freePort(t)
		var config bytes.Buffer
		e := json.NewEncoder(&config)
		e.SetEscapeHTML(false) // which the server would not understand
		err := e.Encode(map[string]any{
			"server_name": fmt.Sprintf("server-%d", i), "host": "127.0.0.1", "port": port,
			"jetstream":     map[string]any{"store_dir": t.TempDir(), "sync_interval": "always"},
			"cluster":       map[string]any{"name": "nwl", "listen": strings.TrimPrefix(routes[i], "nats://"), "routes": routes},
			"authorization": map[string]any{"users": users},
		})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "server.conf")
		if err := os.WriteFile(path, config.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		c.configs, c.urls = append(c.configs, path), append(c.urls, fmt.Sprintf("nats://127.0.0.1:%d", port))
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range c.cmds {
			c.kill(i)
		}
	})
	return c
}

func (c *cluster) start(i int) {
	c.t.Helper()
	c.cmds[i] = exec.Command(c.program, "-c", c.configs[i])
	c.cmds[i].Stderr = c.log
	if err := c.cmds[i].Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) kill(i int) {
	if c.cmds[i] != nil {
		c.cmds[i].Process.Kill()
		c.cmds[i].Wait()
		c.cmds[i] = nil
	}
}

func (c *cluster) url() string { return strings.Join(c.urls, ",") }

// newSeed makes an nkey, in a file of a name.
func newSeed(t *testing.T, name string) (file, public string) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err == nil {
		public, err = pair.PublicKey()
	}
	file = filepath.Join(t.TempDir(), name+".nk")
	if err := errors.Join(err, os.WriteFile(file, seed, 0o600)); err != nil {
		t.Fatal(err)
	}
	return file, public
}

var clusterToo = flag.Bool("cluster", false, "perform runs with the queue in a cluster of three servers")

// TestCluster performs runs with the queue in a cluster of three real servers, of which each is
// killed once in the midst of it and comes back: everything is kept three times, nothing that was
// accepted is lost, and each run has the dos.csv of an undisturbed one.
func TestCluster(t *testing.T) {
	if !*clusterToo {
		t.Skip("three servers, for minutes: make machines-test runs it")
	}
	headKey, headPublic := newSeed(t, "head")
	workerKey, workerPublic := newSeed(t, "worker-1")
	p := queue.WorkerPermissions("worker-1")
	c := newCluster(t, []any{
		map[string]any{"nkey": headPublic},
		map[string]any{"nkey": workerPublic, "permissions": map[string]any{
			"publish": p.Publish, "subscribe": p.Subscribe, "allow_responses": map[string]any{"max": 1, "expires": "1h"},
		}},
	})
	settings := least("run.walkers=64", "wang_landau.final_ln_f=1e-4", "production.passes=1500")
	undisturbed := alone(t, settings...)
	sign, err := nats.NkeyOptionFromSeed(headKey)
	if err != nil {
		t.Fatal(err)
	}
	var conn *nats.Conn
	var js jetstream.JetStream
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) { // until they have found a leader
		if conn, err = nats.Connect(c.url(), sign); err == nil {
			if js, err = jetstream.New(conn); err == nil && len(conn.Servers()) == 3 {
				if _, err = js.AccountInfo(t.Context()); err == nil {
					break
				}
			}
			conn.Close()
		}
		if time.Now().After(deadline) {
			t.Fatalf("no cluster: %v\n%s", err, c.log)
		}
	}
	defer conn.Close()
	s := newServed(t, "queue.url="+c.url(), "queue.key="+headKey, "server.work=false", "queue.silence=3s")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Second) {
		if err := s.begin(); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	s.client.HTTP = &http.Client{Timeout: 20 * time.Second}
	for _, stream := range []string{"NWL_JOBS", "NWL_EVENTS", "KV_nwl_runs", "KV_nwl_wanted"} {
		of, err := js.Stream(t.Context(), stream)
		if err != nil || of.CachedInfo().Config.Replicas != 3 {
			t.Fatalf("%s is not kept three times: %v", stream, err)
		}
	}
	worker := exec.Command(binary, "worker", "--key", workerKey, "--queue", c.url(), "--files", s.folder(), "--jobs", "2", "--cores", "1")
	log := &record{}
	worker.Stderr = log
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { worker.Process.Kill(); worker.Wait() }()
	const runs = 30
	accepted := []string{}
	for n := range runs {
		if n%10 == 5 { // with runs under way, others waiting
			i := n / 10
			c.kill(i)
			time.AfterFunc(4*time.Second, func() { c.start(i) })
		}
		id := fmt.Sprintf("run-%d", n)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			_, err := s.client.Submit(ctx, api.Submission{ID: id, Set: settings})
			cancel()
			var problem *api.Problem
			if err == nil || errors.As(err, &problem) && problem.Status == http.StatusConflict {
				accepted = append(accepted, id)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is not accepted: %v\n%s", id, err, s.log)
			}
		}
		if n%10 == 9 { // before the next one is killed, the last must be there again
			time.Sleep(6 * time.Second)
		}
	}
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		list, err := s.client.ListAll(t.Context(), api.Filter{States: []job.State{job.Done}})
		if err == nil && len(list) == runs {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d runs ended (%v)\nhead:\n%s\nworker:\n%s", len(list), runs, err, s.log, log)
		}
	}
	for _, id := range accepted {
		s.same(id, undisturbed)
	}
	if len(accepted) != runs {
		t.Errorf("%d runs were accepted", len(accepted))
	}
	s.stop()
}
