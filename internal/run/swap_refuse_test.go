package run_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/inference"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/disk/faulty"
	"neuralwl/internal/event"
	"neuralwl/internal/long"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

// spoilt makes a bundle with the graphs of the runs' own, changes it and saves it.
func spoilt(t testing.TB, change func(*exporter.Bundle)) string {
	t.Helper()
	b, err := exporter.Load(tinyBundle(t, "spoilt", 11, models.Autoencoder, models.Hyperparameters{}))
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	folder, err := b.Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestSwapRefused asks a run for networks that it cannot take: each answer names the fault, and
// the run has the numbers of one that was not asked.
func TestSwapRefused(t *testing.T) {
	onnxtest.NoLeaks(t)
	good := tinyBundle(t, "good", 11, models.Autoencoder, models.Hyperparameters{})
	copied := func(change func(folder string)) string {
		folder := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(folder, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		change(folder)
		return folder
	}
	other, err := exporter.NewUntrained("larger", models.Autoencoder, models.System{Q: 3, Sides: []int{4, 5}}, models.Hyperparameters{Encoder: 8, Latent: 2, Decoder: 8, Floor: 1e-3}, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	larger, err := other.Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	opset := func(b *exporter.Bundle) {
		for _, m := range []*onnxpb.ModelProto{b.Propose, b.LogProb} {
			m.OpsetImport[0].Version = proto.Int64(99)
		}
	}
	type ask struct {
		bundle, want string
		fault        run.SwapFault
	}
	asks := []ask{
		{filepath.Join(good, "missing"), "no such file", run.SwapBundle},
		{t.TempDir(), "neither a card.json nor a numbered version", run.SwapBundle},
		{copied(func(folder string) { os.Remove(filepath.Join(folder, exporter.LogProbFile)) }), exporter.LogProbFile, run.SwapBundle},
		{copied(func(folder string) { // a byte is off
			path := filepath.Join(folder, exporter.ProposeFile)
			data := runtest.Read(t, path)
			data[len(data)/2] ^= 1
			os.WriteFile(path, data, 0o666)
		}), "damaged or was changed", run.SwapBundle},
		{copied(func(folder string) { // half of it was exchanged while it was read
			another := tinyBundle(t, "another", 12, models.Autoencoder, models.Hyperparameters{})
			os.WriteFile(filepath.Join(folder, exporter.ProposeFile), runtest.Read(t, another, exporter.ProposeFile), 0o666)
		}), "damaged or was changed", run.SwapBundle},
		{larger, "4x5", run.SwapBundle},
		{spoilt(t, opset), "operator set 99", run.SwapBundle},
		{spoilt(t, func(b *exporter.Bundle) { bundletest.Offset(b, 0.5) }), "its log_q is not the probability of its draws", run.SwapBundle},
		{"pretrained/nothing", "there is no pretrained network", run.SwapBundle},
	}
	var swaps []run.Swap
	for _, c := range asks {
		swaps = append(swaps, run.Swap{Bundle: c.bundle})
	}
	production := ask{good, "restart", run.SwapPhase}
	adapting, producing := newAsker(sampler.WangLandau, swaps...), newAsker(sampler.Production, run.Swap{Bundle: good})
	requests := make(chan run.Swap, 1)
	adapting.requests, producing.requests = requests, requests
	folder := t.TempDir()
	asked := filepath.Join(folder, "asked")
	log, logged := runtest.Log(0)
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: asked, Swaps: requests, Log: log, Listener: event.Tee(adapting.listener(), producing.listener())}, swapping...)
	if err != nil {
		t.Fatal(err)
	}
	answers := append(adapting.answers, producing.answers...)
	if asks = append(asks, production); len(answers) != len(asks) {
		t.Fatalf("%d answers to %d requests", len(answers), len(asks))
	}
	for i, e := range answers {
		if c := asks[i]; e.Err == nil || fault(e.Err) != c.fault || !strings.Contains(e.Err.Error(), c.want) {
			t.Errorf("%s: fault %q: %v", c.want, fault(e.Err), e.Err)
		}
	}
	if n := strings.Count(logged.String(), "the network was not exchanged"); n != len(asks) {
		t.Errorf("%d refusals are logged, want %d", n, len(asks))
	}
	runtest.Perform(t, filepath.Join(folder, "not asked"), swapping...)
	if !bytes.Equal(runtest.Read(t, asked, report.DensityFile), runtest.Read(t, folder, "not asked", report.DensityFile)) || s.Network.Swaps != nil {
		t.Error("requests that were refused have changed the numbers")
	}
	if left, err := os.ReadDir(filepath.Join(asked, "swaps")); len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(asked, report.SwapsFile)); err == nil {
		t.Error("refused requests are on record")
	}
}

// TestSwapDiskFull cannot put an exchange on record, first its copy and then its line.
func TestSwapDiskFull(t *testing.T) {
	good := tinyBundle(t, "good", 11, models.Autoencoder, models.Hyperparameters{})
	a := newAsker(sampler.WangLandau, run.Swap{Bundle: good}, run.Swap{Bundle: good}, run.Swap{Bundle: good})
	folder := filepath.Join(t.TempDir(), "run")
	_, err := runtest.Run(context.Background(), t, run.Options{Folder: folder, Swaps: a.requests, Listener: a.listener(), FS: faulty.FS{Fault: func(op faulty.Op, path string) error {
		if op == faulty.Create && (len(a.answers) == 0 && strings.Contains(path, "swaps/") || len(a.answers) == 1 && strings.Contains(path, report.SwapsFile)) {
			return syscall.ENOSPC
		}
		return nil
	}}}, swapping...)
	if err != nil || len(a.answers) != 3 {
		t.Fatal(err, a.answers)
	}
	for _, e := range a.answers[:2] {
		if fault(e.Err) != run.SwapFailed || !strings.Contains(e.Err.Error(), "no space left") {
			t.Errorf("fault %q: %v", fault(e.Err), e.Err)
		}
	}
	if a.answers[2].Err != nil {
		t.Errorf("with room on the disk: %v", a.answers[2].Err)
	}
	if lines := bytes.Count(runtest.Read(t, folder, report.SwapsFile), []byte("\n")); lines != 1 {
		t.Errorf("%d exchanges on record, want that of the last request", lines)
	}
}

// TestSwapBusy asks while another exchange is under way, and for one that the run ends before: a
// load that takes forever keeps neither the run from ending nor requests from being answered.
func TestSwapBusy(t *testing.T) {
	onnxtest.NoLeaks(t)
	wider := tinyBundle(t, "wider", 12, models.Autoencoder, models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3})
	requests := make(chan run.Swap, 2)
	var answers []event.NetworkSwapped
	ask := func(name string) {
		requests <- run.Swap{Bundle: wider, Name: name, Restart: true, Reply: func(e event.NetworkSwapped) { answers = append(answers, e) }}
	}
	first := true
	folder := filepath.Join(t.TempDir(), "run")
	_, err := runtest.Run(context.Background(), t, run.Options{
		Folder: folder, Swaps: requests,
		Listener: event.Listener{Pass: func(event.Pass) {
			if first {
				first = false
				ask("first")
				ask("second")
			}
		}},
		Intercept: func(ctx context.Context, e inference.Evaluation) error {
			if ctx.Done() != nil { // passes cannot be interrupted, the new network's warm-up can
				<-ctx.Done()
				return ctx.Err()
			}
			return e.Run(ctx)
		},
	}, runtest.With(runtest.Brief, "inference.timeout=0s")...)
	if err != nil || len(answers) != 2 {
		t.Fatal(err, answers)
	}
	if e := answers[0]; e.Name != "second" || fault(e.Err) != run.SwapBusy || !strings.Contains(e.Err.Error(), "first") {
		t.Errorf("%+v", e)
	}
	if e := answers[1]; e.Name != "first" || fault(e.Err) != run.SwapEnded {
		t.Errorf("%+v", e)
	}
	if left, _ := os.ReadDir(filepath.Join(folder, "swaps")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestSwapWithoutNetwork asks a run of local moves.
func TestSwapWithoutNetwork(t *testing.T) {
	a := newAsker(sampler.WangLandau, run.Swap{Bundle: "any"})
	if _, err := runtest.Run(context.Background(), t, run.Options{Folder: filepath.Join(t.TempDir(), "run"), Swaps: a.requests, Listener: a.listener()}, "run.moves=local", "wang_landau.final_ln_f=1e-2"); err != nil {
		t.Fatal(err)
	}
	if len(a.answers) != 1 || fault(a.answers[0].Err) != run.SwapNoNetwork {
		t.Errorf("%+v", a.answers)
	}
}

// TestSwapRestart exchanges the network in production, which begins anew: what it counted before
// is dropped, the weights stay. A run with the same exchange on record gives the same numbers,
// and so does one that is resumed.
func TestSwapRestart(t *testing.T) {
	long.Only(t, "two productions and their replay take seconds; the refusal is in TestSwapRefused")
	wider := tinyBundle(t, "wider", 12, models.Autoencoder, models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 20, Floor: 1e-3, Noise: 0.3})
	settings := runtest.With(swapping, "checkpoint.interval=1ns")
	a := newAsker(sampler.Production, run.Swap{Bundle: wider, Restart: true})
	folder := t.TempDir()
	live := filepath.Join(folder, "live")
	s, err := runtest.Run(context.Background(), t, run.Options{Folder: live, Swaps: a.requests, Listener: a.listener()}, settings...)
	if err != nil || len(a.answers) != 1 {
		t.Fatal(err, a.answers)
	}
	e := a.answers[0]
	if e.Err != nil || !e.Restarted || e.Dropped < 1 || e.Stage != "production" || !strings.Contains(e.Training, "is over") {
		t.Errorf("%+v", e)
	}
	if len(s.Phases) != 2 || s.Phases[1].Passes != 60 || s.Proposals == nil {
		t.Fatalf("phases %+v", s.Phases)
	}
	if got := s.Phases[1].Moves["neural"].Trials; got != 48*60 {
		t.Errorf("production has %d trials of the network, want those of 60 passes", got)
	}
	again, begun, killed := filepath.Join(folder, "again"), filepath.Join(folder, "begun"), filepath.Join(folder, "killed")
	sameSwaps(t, again, live)
	runtest.Perform(t, again, settings...)
	sameSwaps(t, begun, live)
	killedAt(t, begun, killed, sampler.Production, e.Dropped+20, 1, settings...)
	runtest.Perform(t, killed)
	for _, other := range []string{again, killed} {
		if !bytes.Equal(runtest.Read(t, live, report.DensityFile), runtest.Read(t, other, report.DensityFile)) {
			t.Errorf("%s: dos.csv is another", filepath.Base(other))
		}
	}
	if long.Or(true, false) {
		// What an adaptation plans may come in production, if that has begun earlier this time.
		early := filepath.Join(folder, "early")
		plan(t, early, planned{40, "adaptation", wider})
		if s := runtest.Perform(t, early, runtest.With(settings, "wang_landau.final_ln_f=0.5")...); len(s.Network.Swaps) != 1 || s.Phases[1].Passes != 60 {
			t.Errorf("%+v, phases %+v", s.Network, s.Phases)
		}
	}
}
