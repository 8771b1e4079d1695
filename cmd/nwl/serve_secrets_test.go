//go:build linux

package main

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSecrets makes tokens, has a daemon read them again by SIGHUP, which does not end it, and
// finds none of them where others could read them.
func TestSecrets(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "tokens")
	if _, stderr, got := nwl(t, "serve", "--data", folder, "--set", "server.listen=0.0.0.0:0"); got != exitUsage || !strings.Contains(stderr, "nwl token") {
		t.Errorf("without tokens for all the world: exit code %d, %s", got, stderr)
	}
	for _, wrong := range [][]string{{"token", "alice"}, {"token", "a b", "--file", file}, {"token", "alice", "--file", file, "--role", "root"}} {
		if _, stderr, got := nwl(t, wrong...); got != exitUsage {
			t.Errorf("%v: exit code %d, %s", wrong, got, stderr)
		}
	}
	makeToken := func(name, role string) string {
		stdout, stderr, got := nwl(t, "token", name, "--file", file, "--role", role)
		if got != 0 {
			t.Fatal(stderr)
		}
		return strings.TrimSpace(stdout)
	}
	alice := makeToken("alice", "operate")
	const secret = "a-secret-of-the-environment"
	c := exec.Command(binary, "serve", "--data", filepath.Join(folder, "data"), "--set", "server.listen=0.0.0.0:0", "--set", "server.tokens="+file, "--set", "log.level=debug")
	c.Env = append(os.Environ(), "NWL_TOKENS=ci read "+secret)
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	logged := make(chan string, 10000)
	go func() {
		defer close(logged)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			logged <- lines.Text()
		}
	}()
	var log strings.Builder
	until := func(what string) string {
		t.Helper()
		for {
			select {
			case line, ok := <-logged:
				if log.WriteString(line + "\n"); strings.Contains(line, what) {
					return line
				}
				if !ok {
					t.Fatalf("the daemon ended before %q:\n%s", what, &log)
				}
			case <-time.After(time.Minute):
				t.Fatalf("no %q in the log:\n%s", what, &log)
			}
		}
	}
	at := regexp.MustCompile(`url=http://\S+?:(\d+)`).FindStringSubmatch(until("the daemon takes runs"))
	if at == nil {
		t.Fatalf("no address in the log:\n%s", &log)
	}
	until("clear text")
	url := "http://127.0.0.1:" + at[1]
	status := func(bearer string) int {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, url+"/api/v1/runs", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+bearer)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	bob := makeToken("bob", "read")
	for token, want := range map[string]int{alice: 200, secret: 200, bob: 401, "": 401} {
		if got := status(token); got != want {
			t.Errorf("%q: %d, want %d", token, got, want)
		}
	}
	if err := c.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	until("were read again")
	if got := status(bob); got != 200 {
		t.Errorf("after SIGHUP: %d", got)
	}
	client := exec.Command(binary, little("run-1")...)
	client.Env = append(os.Environ(), "NWL_URL="+url, "NWL_TOKEN="+bob)
	if out, err := client.CombinedOutput(); code(err) != exitFailure || !strings.Contains(string(out), "role read") {
		t.Errorf("submitted by a reader: %v, %s", err, out)
	}
	client = exec.Command(binary, little("run-1")...)
	client.Env = append(os.Environ(), "NWL_URL="+url, "NWL_TOKEN="+alice)
	if out, err := client.CombinedOutput(); err != nil {
		t.Errorf("%v, %s", err, out)
	}
	until("a run is taken")
	// Of daemon and child.
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range processes {
		text, _ := os.ReadFile(path)
		for _, token := range []string{alice, bob, secret} {
			if strings.Contains(string(text), token) {
				t.Errorf("a token is in the list of processes: %q", text)
			}
		}
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for line := range logged {
		log.WriteString(line + "\n")
	}
	if err := c.Wait(); err != nil {
		t.Errorf("the daemon ends with %v", err)
	}
	for _, token := range []string{alice, bob, secret} {
		if strings.Contains(log.String(), token) {
			t.Errorf("a token is in the log:\n%s", &log)
		}
	}
	for _, path := range []string{"data/audit.jsonl", "data/runs/run-1/job.json"} {
		text, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil || !strings.Contains(string(text), "alice") || strings.Contains(string(text), alice) {
			t.Errorf("%s: %v, %s", path, err, text)
		}
	}
}
