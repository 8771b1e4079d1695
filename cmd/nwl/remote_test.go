//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"neuralwl/internal/bundle"
	"neuralwl/internal/disk"
	"neuralwl/internal/report"
)

// TestRemoteServe has a daemon evaluate the network of a run, which ends with the numbers of an
// undisturbed one although the daemon dies on the way, and with an error when the daemon comes to have
// another version. The run itself has no ONNX Runtime.
func TestRemoteServe(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	folder := t.TempDir()
	network := filepath.Join(folder, "q2")
	d.must("bundle", "export", "pretrained/potts-q2", network, "--size", "4x4")
	if got := d.must("networks", "add", network, "--name", "q2"); strings.TrimSpace(got) != "q2/1" {
		t.Fatalf("added as %s", got)
	}
	load := func() {
		t.Helper()
		response, err := http.Post(d.client.URL+"/v2/repository/models/q2.propose/load", "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
			t.Fatalf("load: %s", text)
		}
	}
	load()
	settings := func(production, retries string) []string {
		return tiny("system.q=2", "system.size=4x4", "model.bundle=pretrained/potts-q2", "trainer.every=0", "run.moves=[local, neural]", "checkpoint.interval=50ms",
			"production.passes="+production, "inference.provider=remote", "inference.url="+d.client.URL, "inference.model=q2/1", "inference.library=/does/not/exist.so", "inference.retries="+retries)
	}
	doctor := append([]string{"doctor"}, settings("300", "0")[1:]...)
	if got := d.must(doctor...); !strings.Contains(got, "is nwl") && !strings.Contains(got, "is neuralwl") || !strings.Contains(got, "q2/1 works") {
		t.Errorf("doctor:\n%s", got)
	}
	run := func(name, production, retries string) *exec.Cmd {
		return d.command(append(settings(production, retries), "--out", filepath.Join(folder, name))...)
	}
	if out, err := run("undisturbed", "300", "0").CombinedOutput(); err != nil && code(err) != exitUnconverged {
		t.Fatalf("%v\n%s", err, out)
	}
	var s report.Summary
	text, err := os.ReadFile(filepath.Join(folder, "undisturbed", report.SummaryFile))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || s.Network.Server == nil || s.Network.Server.Model != "q2/1" || s.Network.Server.Version == "" || s.Exact == nil || s.Exact.RMS > 0.1 {
		t.Errorf("summary %+v, exact %+v (%v)", s.Network, s.Exact, err)
	}
	if stdout, stderr, code := nwl(t, "verify", filepath.Join(folder, "undisturbed")); code != 0 || !strings.Contains(stdout, "not tested here: a model server") {
		t.Errorf("verify: %s\n%s", stdout, stderr)
	}

	// The daemon is killed; the requests are repeated until another has loaded the network.
	c := run("killed", "300", "8")
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	awaitCheckpoint(t, filepath.Join(folder, "killed"))
	d.kill()
	time.Sleep(200 * time.Millisecond)
	d.start()
	load()
	if err := c.Wait(); err != nil && code(err) != exitUnconverged {
		t.Fatalf("%v\n%s", err, &log)
	}
	density := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(folder, name, report.DensityFile))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(density("undisturbed"), density("killed")) {
		t.Error("another result after the daemon was killed")
	}
	if !strings.Contains(log.String(), "is repeated") {
		t.Errorf("no request was repeated:\n%s", &log)
	}

	// Another version takes the place of the one that is asked for.
	c = run("exchanged", "1000000", "1")
	log.Reset()
	c.Stdout, c.Stderr = &log, &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	awaitCheckpoint(t, filepath.Join(folder, "exchanged"))
	b, _, err := bundle.Files(network, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Card.Training.Steps++ // another digest
	other, err := b.Save(disk.OS, filepath.Join(folder, "other"))
	if err != nil {
		t.Fatal(err)
	}
	d.must("networks", "add", other, "--name", "q2")
	load()
	if err := c.Wait(); code(err) != exitFailure || !strings.Contains(log.String(), "q2.") || !strings.Contains(log.String(), "version 2 is") || !strings.Contains(log.String(), "nwl run --resume") {
		t.Errorf("%v\n%s", err, &log)
	}
}

// awaitCheckpoint waits until a run has written a few checkpoints.
func awaitCheckpoint(t *testing.T, folder string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(folder, "checkpoints", "*")); len(found) >= 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no checkpoint in %s", folder)
		}
	}
}
