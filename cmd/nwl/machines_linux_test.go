package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"neuralwl/internal/api"
	"neuralwl/internal/job"
	"neuralwl/internal/queue"
)

var (
	machineJobs = flag.Int("machines", 0, "how many runs TestMachines performs on three network namespaces; 0 to skip it")
	machineSeed = flag.Uint64("machines-seed", 1, "what happens to the machines of TestMachines")
)

// machine is a network namespace with what runs in it.
type machine struct {
	t    *testing.T
	name string // of the namespace
	link string // its end in the head's namespace, empty for the head

	cmd     *exec.Cmd
	args    []string // of nwl
	log     *record
	stopped []int // processes
	cut     bool
	until   time.Time // when it is well again
}

// ip runs the command ip.
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Addresses of the three machines and of the test, on a bridge in the head's namespace.
const (
	headAddress = "10.77.0.1"
	testAddress = "10.77.0.100"
	headPort    = "4222"
)

// newMachines makes three namespaces: a head and two workers.
func newMachines(t *testing.T) (head *machine, workers []*machine) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: machines-test needs root, for network namespaces")
	}
	prefix := fmt.Sprintf("nwl%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", prefix+"h").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: machines-test: no network namespaces can be made here: %v %s", err, out)
	}
	head = &machine{t: t, name: prefix + "h", log: &record{}}
	t.Cleanup(func() {
		for _, m := range append(workers, head) {
			m.kill()
			exec.Command("ip", "netns", "del", m.name).Run()
		}
	})
	ip(t, "-n", head.name, "link", "set", "lo", "up")
	ip(t, "-n", head.name, "link", "add", "br0", "type", "bridge")
	ip(t, "-n", head.name, "addr", "add", headAddress+"/24", "dev", "br0")
	ip(t, "-n", head.name, "link", "set", "br0", "up")
	join := func(end, peer string) {
		ip(t, "link", "add", end, "type", "veth", "peer", "name", peer)
		ip(t, "link", "set", peer, "netns", head.name)
		ip(t, "-n", head.name, "link", "set", peer, "master", "br0", "up")
	}
	join(prefix+"t", "test")
	ip(t, "addr", "add", testAddress+"/24", "dev", prefix+"t")
	ip(t, "link", "set", prefix+"t", "up")
	t.Cleanup(func() { exec.Command("ip", "link", "del", prefix+"t").Run() })
	for i := range 2 {
		w := &machine{t: t, name: fmt.Sprintf("%sw%d", prefix, i), link: fmt.Sprintf("worker%d", i), log: &record{}}
		ip(t, "netns", "add", w.name)
		workers = append(workers, w)
		end := fmt.Sprintf("%sv%d", prefix, i)
		join(end, w.link)
		ip(t, "link", "set", end, "netns", w.name)
		ip(t, "-n", w.name, "link", "set", "lo", "up")
		ip(t, "-n", w.name, "addr", "add", fmt.Sprintf("10.77.0.%d/24", 2+i), "dev", end)
		ip(t, "-n", w.name, "link", "set", end, "up")
	}
	return head, workers
}

// start starts nwl on the machine.
func (m *machine) start(env ...string) {
	m.t.Helper()
	m.cmd = exec.Command("ip", append([]string{"netns", "exec", m.name, binary}, m.args...)...)
	m.cmd.Env = append(os.Environ(), env...)
	m.cmd.Stderr = m.log
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
}

// kill kills nwl on the machine; its children die with it.
func (m *machine) kill() {
	if m.cmd != nil {
		m.cmd.Process.Kill()
		m.cmd.Wait()
		m.cmd = nil
	}
	m.stopped = nil
}

// freeze stops nwl for a while, with or without its children.
func (m *machine) freeze(all bool, d time.Duration) {
	m.stopped = []int{m.cmd.Process.Pid}
	if all {
		m.stopped = append(m.stopped, processesOf(m.cmd.Process.Pid)...)
	}
	for _, pid := range m.stopped {
		syscall.Kill(pid, syscall.SIGSTOP)
	}
	m.until = time.Now().Add(d)
}

// unplug drops all packets from and to the machine, for a while.
func (m *machine) unplug(head *machine, d time.Duration) {
	ip(m.t, "-n", head.name, "link", "set", m.link, "down")
	m.cut, m.until = true, time.Now().Add(d)
}

// heal ends what was done to the machine.
func (m *machine) heal(head *machine) {
	for _, pid := range m.stopped {
		syscall.Kill(pid, syscall.SIGCONT)
	}
	m.stopped = nil
	if m.cut {
		ip(m.t, "-n", head.name, "link", "set", m.link, "up")
		m.cut = false
	}
	if m.cmd == nil {
		m.start()
	}
}

// processesOf are the processes that a process has started.
func processesOf(pid int) []int {
	s := served{cmd: &exec.Cmd{Process: &os.Process{Pid: pid}}}
	return s.children()
}

// orphans are processes of the program under test without a parent.
func orphans() (all []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		exe, _ := os.Readlink(filepath.Join(filepath.Dir(path), "exe"))
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); err == nil && exe == binary && len(f) > 1 && f[1] == "1" {
			all = append(all, filepath.Dir(path))
		}
	}
	return all
}

// saboteur is an invited worker that has the queue hand out jobs again that their owners still
// have.
type saboteur struct{ conn *nats.Conn }

// again hands out what was handed out, and returns how many messages that were.
func (s *saboteur) again(ctx context.Context) (n int) {
	for _, consumer := range []string{"cpu-any-1"} {
		m, err := s.conn.RequestWithContext(ctx, "$JS.API.CONSUMER.INFO.NWL_JOBS."+consumer, nil)
		if err != nil {
			continue
		}
		var info jetstream.ConsumerInfo
		if json.Unmarshal(m.Data, &info) != nil {
			continue
		}
		for sequence := info.AckFloor.Stream + 1; sequence <= info.Delivered.Stream; sequence++ {
			subject := fmt.Sprintf("$JS.ACK.NWL_JOBS.%s.1.%d.%d.%d.0", consumer, sequence, info.Delivered.Consumer, time.Now().UnixNano())
			if s.conn.Publish(subject, []byte("-NAK")) == nil {
				n++
			}
		}
	}
	return n
}

// TestMachines performs runs on two machines for a head on a third, while worker processes are
// killed, stopped with and without their children, cut off from the network, the head is killed and
// jobs are handed out twice, all at random: each run ends once, with exactly the dos.csv of an
// undisturbed one, and no process is left over.
func TestMachines(t *testing.T) {
	if *machineJobs == 0 {
		t.Skip("SKIPPED: it makes network namespaces and takes minutes; make machines-test runs it")
	}
	kinds := [][]string{{"run.seed=1"}, {"run.seed=2"}, {"run.seed=3", "run.method=multicanonical"}, {"run.seed=4", "windows.count=2"}}
	settings := func(kind int) []string {
		return least(append([]string{"run.walkers=64", "wang_landau.final_ln_f=1e-4", "production.passes=3000"}, kinds[kind]...)...)
	}
	undisturbed := make([][]byte, len(kinds))
	for kind := range kinds {
		undisturbed[kind] = alone(t, settings(kind)...)
	}
	const token, silence = "a-token-of-this-test-alone", 2 * time.Second
	head, workers := newMachines(t)
	data := filepath.Join(t.TempDir(), "data")
	head.args = []string{
		"serve", "--data", data, "--set", "server.listen=" + headAddress + ":9465", "--set", "queue.listen=" + headAddress + ":" + headPort,
		"--set", "server.work=false", "--set", fmt.Sprint("queue.silence=", silence), "--set", "storage.min_free=0",
	}
	tokens := "NWL_TOKENS=test operate " + token
	client := &api.Client{URL: "http://" + headAddress + ":9465", Token: token, HTTP: &http.Client{Timeout: 30 * time.Second}}
	begin := func() {
		head.start(tokens)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if _, err := client.Workers(t.Context()); err == nil {
				return
			} else if time.Now().After(deadline) {
				t.Fatalf("the head does not answer: %v\n%s", err, head.log)
			}
		}
	}
	begin()
	for i, w := range workers {
		key := filepath.Join(t.TempDir(), "key")
		if _, stderr, code := nwl(t, "worker", "invite", fmt.Sprintf("worker-%d", i), "--data", data, "--file", key); code != 0 {
			t.Fatal(stderr)
		}
		w.args = []string{"worker", "--key", key, "--jobs", "2", "--cores", "1"}
	}
	i, err := queue.Roster(filepath.Join(data, "workers")).Invite("saboteur", "", "")
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) { // until the head admits them
		q, err := queue.Open(t.Context(), queue.Options{URL: i.URL, Access: i, Member: true})
		if err == nil {
			q.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	bad := newSaboteur(t, i)
	for _, w := range workers {
		w.start()
	}
	name := func(n int) string { return fmt.Sprintf("run-%d", n) }
	for n := range *machineJobs {
		if _, err := client.Submit(t.Context(), api.Submission{ID: name(n), Set: settings(n % len(kinds))}); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(*machineSeed, 77))
	counts := map[string]int{}
	written := map[string]time.Time{}
	began, next := time.Now(), time.Now()
	for deadline := time.Now().Add(time.Duration(*machineJobs)*15*time.Second + 2*time.Minute); len(written) < *machineJobs; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d runs ended\nhead:\n%s\nworker:\n%s", len(written), *machineJobs, head.log, workers[0].log)
		}
		runs, err := client.ListAll(t.Context(), api.Filter{})
		if err != nil {
			t.Fatalf("%v\n%s", err, head.log)
		}
		patience := true
		for _, run := range runs {
			switch {
			case run.State == job.Failed || run.State == job.Paused || run.State == job.Cancelled:
				t.Fatalf("%+v\n%s\n%s\n%s", run, head.log, workers[0].log, workers[1].log)
			case run.State == job.Done && written[run.ID].IsZero():
				about, err := os.Stat(filepath.Join(data, "runs", run.ID, "dos.csv"))
				if err != nil {
					t.Fatal(err)
				}
				written[run.ID] = about.ModTime()
			case !run.State.Final() && run.Attempts > 2:
				patience = false // five in a row without a checkpoint would be a failure
			}
		}
		for _, w := range workers {
			if time.Now().After(w.until) {
				w.heal(head)
			}
		}
		if !patience || time.Now().Before(next) {
			continue
		}
		next = time.Now().Add(time.Duration(500+r.IntN(2000)) * time.Millisecond)
		w := workers[r.IntN(len(workers))]
		if time.Now().Before(w.until) {
			continue
		}
		lasting := time.Duration(r.Int64N(int64(5 * silence / 2)))
		switch r.IntN(11) {
		case 0, 1:
			w.kill()
			w.until = time.Now().Add(lasting / 4)
			counts["killed"]++
		case 2:
			if children := processesOf(w.cmd.Process.Pid); len(children) > 0 && syscall.Kill(children[r.IntN(len(children))], syscall.SIGKILL) == nil {
				counts["run killed"]++
			}
		case 3, 4:
			w.freeze(false, lasting)
			counts["stopped"]++
		case 5, 6:
			w.freeze(true, lasting)
			counts["stopped with its runs"]++
		case 7, 8:
			w.unplug(head, lasting)
			counts["cut off"]++
		case 9:
			if n := bad.again(t.Context()); n > 0 {
				counts["handed out again"] += n
			}
		case 10:
			head.kill()
			begin()
			counts["head killed"]++
		}
	}
	took := time.Since(began)
	for _, w := range workers {
		w.heal(head)
	}
	done := map[string]int{}
	for n := range *machineJobs {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := client.Events(ctx, name(n), 0, nil, func(e api.Event) error {
			var d queue.StateData
			if e.Kind == queue.StateEvent && json.Unmarshal(e.Data, &d) == nil && d.State == job.Done {
				done[e.Run]++
			}
			return nil
		})
		cancel()
		if err != nil {
			t.Errorf("events of %s: %v", name(n), err)
		}
	}
	epochs := 0
	runs, err := client.ListAll(t.Context(), api.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range *machineJobs {
		id := name(n)
		path := filepath.Join(data, "runs", id, "dos.csv")
		got, err := os.ReadFile(path)
		if err != nil || !slices.Equal(got, undisturbed[n%len(kinds)]) {
			t.Errorf("dos.csv of %s differs from that of the undisturbed run (%v)", id, err)
		}
		if about, err := os.Stat(path); err != nil || !about.ModTime().Equal(written[id]) {
			t.Errorf("%s was done again after it was done (%v)", id, err)
		}
		if done[id] != 1 {
			t.Errorf("%s ended %d times", id, done[id])
		}
	}
	for _, run := range runs {
		if text, err := os.ReadFile(filepath.Join(data, "runs", run.ID, job.File)); err == nil {
			var kept job.Kept
			if json.Unmarshal(text, &kept) == nil {
				epochs += kept.Job.Epoch
			}
		}
	}
	for _, w := range workers {
		if err := w.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := w.cmd.Wait(); err != nil {
			t.Errorf("a worker ended with %v\n%s", err, w.log)
		}
		w.cmd = nil
	}
	if left := orphans(); len(left) > 0 {
		t.Errorf("processes are left over: %v", left)
	}
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%s: %d", kind, counts[kind])
	}
	t.Logf("%d runs in %v, taken %d times", *machineJobs, took.Round(time.Second), epochs)
	if path := os.Getenv("MACHINES_LOG"); path != "" {
		os.WriteFile(path, []byte(head.log.String()+"\n=== worker 0\n"+workers[0].log.String()+"\n=== worker 1\n"+workers[1].log.String()), 0o600)
	}
}

// newSaboteur connects one, by the key of a worker.
func newSaboteur(t *testing.T, i *queue.Invitation) *saboteur {
	t.Helper()
	file := filepath.Join(t.TempDir(), "seed")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := errors.Join(os.WriteFile(file, []byte(i.Seed), 0o600), os.WriteFile(ca, []byte(i.CA), 0o600)); err != nil {
		t.Fatal(err)
	}
	sign, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect(i.URL, sign, nats.RootCAs(ca), nats.CustomInboxPrefix("_INBOX_saboteur"), nats.MaxReconnects(-1), func(o *nats.Options) error {
		o.TLSConfig.ServerName = i.ServerName
		return nil
	}, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { t.Log("saboteur:", err) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return &saboteur{conn}
}
