package main

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"neuralwl/internal/long"
)

var kills = flag.Int("kills", 0, "how often TestKill kills a run, a few times by default")

// TestKill kills a run with SIGKILL at random times, again and again, and takes it up
// again each time: it ends with exactly the dos.csv and the network of the undisturbed
// run, and everything it left behind is whole.
func TestKill(t *testing.T) {
	if *kills == 0 {
		*kills = long.Or(8, 3)
	}
	folder := t.TempDir()
	settings := tiny("run.moves=[local, neural]", "run.walkers=64", "wang_landau.final_ln_f=1e-4", "metrics.listen=",
		fmt.Sprintf("production.passes=%d", 200**kills), "checkpoint.interval=30ms", "trainer.export_every=20", "log.level=warn")
	reference := filepath.Join(folder, "reference")
	if _, stderr, code := nwl(t, append(settings, "--out", reference)...); code != 0 {
		t.Fatal(stderr)
	}
	same := func(out string) {
		t.Helper()
		for _, pattern := range []string{"dos.csv", "models/*/*/log_prob.onnx"} {
			want, _ := filepath.Glob(filepath.Join(reference, pattern))
			got, _ := filepath.Glob(filepath.Join(out, pattern))
			if len(want) == 0 || len(got) != len(want) {
				t.Fatalf("%s: %d files, undisturbed %d", pattern, len(got), len(want))
			}
			for i := range want {
				a, errA := os.ReadFile(want[i])
				b, errB := os.ReadFile(got[i])
				if errA != nil || errB != nil || !bytes.Equal(a, b) {
					t.Fatalf("%s differs from %s (%v, %v)", got[i], want[i], errA, errB)
				}
			}
		}
		if stdout, stderr, code := nwl(t, "verify", out); code != 0 {
			t.Fatalf("verify: %s%s", stdout, stderr)
		}
		if left, _ := filepath.Glob(filepath.Join(out, "*", ".partial-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	r := rand.New(rand.NewPCG(61, 62))
	killed, complete := 0, 0
	for complete == 0 || killed < *kills {
		out := filepath.Join(folder, fmt.Sprint("run", complete))
		args := append(settings, "--out", out)
		if _, err := os.Stat(filepath.Join(out, "config.yaml")); err == nil {
			args = []string{"run", "--resume", out}
		}
		var stderr bytes.Buffer
		c := exec.Command(binary, args...)
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if killed < *kills {
			time.AfterFunc(time.Duration(10+r.IntN(400))*time.Millisecond, func() { c.Process.Kill() })
		}
		err := c.Wait()
		status, _ := c.ProcessState.Sys().(syscall.WaitStatus)
		switch {
		case status.Signaled() && status.Signal() == syscall.SIGKILL:
			killed++
		case err != nil:
			t.Fatalf("after %d kills: %v\n%s", killed, err, stderr.String())
		default:
			same(out)
			complete++
		}
		if strings.Contains(stderr.String(), "cannot be used") {
			t.Errorf("after %d kills a checkpoint was damaged:\n%s", killed, stderr.String())
		}
	}
	t.Logf("killed %d times, %d runs complete", killed, complete)
}
