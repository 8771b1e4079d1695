//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// batchFolder is a folder with the scripts of docs/batch.md and a configuration for them.
func batchFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if out, err := exec.Command("../../scripts/batch-scripts.sh", folder).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const config = `
system: {q: 3, size: 3x3}
run: {moves: [local], walkers: 32}
wang_landau: {final_ln_f: 1e-3}
production: {passes: 200}
metrics: {listen: ""}
report: {figures: false}
`
	if err := os.WriteFile(filepath.Join(folder, "potts.yaml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// script is a command that runs a script of the page as a batch system does, in a session
// of its own. The settings are variables of the environment.
func script(folder string, settings []string, args ...string) *exec.Cmd {
	c := exec.Command("bash", args...)
	c.Dir = folder
	c.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	c.Env = append(c.Env, settings...)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c
}

// withoutEnd makes a run one that does not end by itself.
const withoutEnd = "NWL_WANG_LANDAU_FINAL_LN_F=1e-12"

// TestBatchScripts runs the scripts of docs/batch.md: a signal to all processes of a job, as
// of batch systems, ends the run in order, and the same job again takes it to its end. Only
// the batch systems themselves are missing.
func TestBatchScripts(t *testing.T) {
	folder := batchFolder(t)
	for _, c := range []struct {
		name, run string
		settings  []string
		signal    string // to all processes of the job, or to timeout alone, as if its time was over
		stopped   int    // exit code after the signal
	}{
		{"slurm.sh", "seed-1", []string{"SLURM_ARRAY_TASK_ID=1", "SLURM_ARRAY_JOB_ID=7", "SLURM_CPUS_PER_TASK=1"}, "TERM", exitInterrupted},
		{"pbs.sh", "seed-2", []string{"PBS_ARRAY_INDEX=2", "PBS_O_WORKDIR=" + folder, "NCPUS=1"}, "TERM", exitInterrupted},
		{"pbs.sh", "seed-3", []string{"PBS_ARRAY_INDEX=3", "PBS_O_WORKDIR=" + folder, "NCPUS=1"}, "ALRM", exitInterrupted},
		{"lsf.sh", "seed-4", []string{"LSB_JOBINDEX=4", "LSB_DJOB_NUMPROC=1"}, "USR1", exitInterrupted},
		{"sge.sh", "seed-008", []string{"SGE_TASK_ID=008", "NSLOTS=1"}, "USR1", 99},
		{"sge.sh", "seed-6", []string{"SGE_TASK_ID=6", "NSLOTS=1"}, "USR2", exitInterrupted},
	} {
		t.Run(c.name+" "+c.run, func(t *testing.T) {
			t.Parallel()
			job := script(folder, append([]string{withoutEnd}, c.settings...), c.name)
			log, logged := underWay(t, job)
			to := []string{"-" + c.signal, "-s", fmt.Sprint(job.Process.Pid)}
			if c.signal == "ALRM" {
				to = append(to, "-x", "timeout")
			}
			if out, err := exec.Command("pkill", to...).CombinedOutput(); err != nil {
				t.Fatalf("pkill: %v\n%s", err, out)
			}
			logged.Wait()
			if got := code(job.Wait()); got != c.stopped {
				t.Errorf("exit code %d after the signal, want %d\n%s", got, c.stopped, log)
			}
			again := script(folder, append([]string{"NWL_WANG_LANDAU_FINAL_LN_F=1e-3"}, c.settings...), c.name)
			out, err := again.CombinedOutput()
			if got := code(err); got != 0 && got != exitUnconverged || !bytes.Contains(out, []byte("resuming")) {
				t.Errorf("exit code %d the second time\n%s", got, out)
			}
			_, seed, _ := strings.Cut(c.run, "-")
			config, err := os.ReadFile(filepath.Join(folder, "runs", c.run, "config.yaml"))
			if err != nil || !bytes.Contains(config, []byte("seed: "+strings.TrimLeft(seed, "0")+"\n")) {
				t.Errorf("%v: seed %s is not in\n%s", err, seed, config)
			}
		})
	}
}

// TestBatchLists runs a task of a list of parameters, and one beyond its end.
func TestBatchLists(t *testing.T) {
	folder := batchFolder(t)
	limits := []string{"NWL_RUN_MAX_TIME=1s"}
	out, err := script(folder, limits, "list.sh", "03").CombinedOutput()
	if got := code(err); got != 0 && got != exitUnconverged || !bytes.Contains(out, []byte("potts q=10 16x16")) {
		t.Errorf("exit code %d\n%s", got, out)
	}
	if out, err := script(folder, limits, "list.sh", "6").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("unbound variable")) {
		t.Errorf("a task that does not exist: %v\n%s", err, out)
	}
	if out, err := script(folder, nil, "go.sh").CombinedOutput(); err == nil || !bytes.Contains(out, []byte("unbound variable")) {
		t.Errorf("no folder: %v\n%s", err, out)
	}
}

// wait returns when a file holds a text.
func wait(t *testing.T, path, text string) {
	t.Helper()
	var data []byte
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if data, _ = os.ReadFile(path); strings.Contains(string(data), text) {
			return
		}
	}
	t.Fatalf("no %q in %s:\n%s", text, path, data)
}

// TestBatchSSH loses a connection: the run goes on until it is told to end.
func TestBatchSSH(t *testing.T) {
	folder := batchFolder(t)
	connection := script(folder, []string{withoutEnd}, "-c", "bash ssh.sh; exec sleep 60")
	if err := connection.Start(); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(folder, "seed-1.log")
	wait(t, log, "phase begins")
	if err := syscall.Kill(-connection.Process.Pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	connection.Wait()
	if out, err := script(folder, nil, "-c", "kill -0 $(cat seed-1.pid) && pkill -TERM -P $(cat seed-1.pid)").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wait(t, log, "--resume runs/seed-1")
	if data, _ := os.ReadFile(log); !strings.Contains(string(data), "terminated") {
		t.Errorf("%s", data)
	}
}

// TestBatchTmux runs the example of tmux, and ends it from the keyboard and with its session.
func TestBatchTmux(t *testing.T) {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("SKIPPED: there is no tmux")
	}
	folder := batchFolder(t)
	server := []string{withoutEnd, "TMUX_TMPDIR=" + folder, "TMUX="}
	for i, end := range []string{"tmux send-keys -t potts C-c", "tmux kill-session -t potts"} {
		if out, err := script(folder, server, "tmux.sh").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		log := filepath.Join(folder, "seed-1.log")
		wait(t, log, "phase begins")
		if out, err := script(folder, server, "-c", end).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", end, err, out)
		}
		wait(t, filepath.Join(folder, "runs/seed-1/summary.json"), []string{"interrupt", "hangup"}[i])
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if script(folder, server, "-c", "tmux has-session -t potts").Run() != nil {
				break
			}
		}
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
	}
}
