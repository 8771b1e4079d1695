package verify_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"neuralwl/exporter"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/report"
	"neuralwl/internal/runtest"
	"neuralwl/internal/verify"
	"neuralwl/models"
)

// TestVerifyConditions finds nothing wrong with runs whose networks take a shift or an energy.
func TestVerifyConditions(t *testing.T) {
	for name, settings := range map[string][]string{
		"shift":  {"model.energy_weight=30", "neural.shift=6"},
		"energy": {"model.architecture=microcanonical", "model.width=8", "model.window=3"},
	} {
		folder := filepath.Join(t.TempDir(), name)
		runtest.Perform(t, folder, runtest.With(runtest.Brief, settings...)...)
		if failed, passed := runtest.Verify(t, folder); len(failed) > 0 || passed < 8 {
			t.Errorf("%s: %d checks hold, not %+v", name, passed, failed)
		}
	}
}

// TestVerifyMethods finds nothing wrong with runs of any method.
func TestVerifyMethods(t *testing.T) {
	for name, settings := range map[string][]string{
		"wang-landau":    {"run.moves=local"},
		"multicanonical": {"run.method=multicanonical", "run.moves=[local, neural]"},
		"windows":        {"run.moves=local", "windows.count=2", "production.passes=600"},
		"canonical":      {"run.method=canonical", "run.moves=local", "run.beta=0.9", "production.passes=300"},
		"van":            {"run.method=van-wang-landau", "run.moves=neural", "system.q=2", "run.walkers=128", "model.decoder=32", "trainer.every=1", "trainer.learning_rate=5e-3", "wang_landau.final_ln_f=5e-2", "production.passes=100"},
		"variational":    {"run.method=van", "run.moves=neural", "system.q=2", "run.betas=[0.4,0.8]", "run.walkers=64", "model.decoder=16", "trainer.every=1", "van.steps=40", "production.passes=40"},
		"metropolis":     {"run.moves=local", "local.move=metropolis"},
		"cluster":        {"run.moves=local", "local.move=cluster"},
	} {
		folder := filepath.Join(t.TempDir(), name)
		runtest.Perform(t, folder, runtest.With(runtest.Brief, settings...)...)
		if failed, passed := runtest.Verify(t, folder); len(failed) > 0 || passed < 4 {
			t.Errorf("%s: %d checks hold, not %+v", name, passed, failed)
		}
	}
}

// TestVerifyTemperatures finds a changed free energy.
func TestVerifyTemperatures(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	s := runtest.Perform(t, folder, "run.method=van", "system.q=2", "run.betas=[0.4,0.8]", "run.walkers=64", "model.decoder=16", "van.steps=10", "production.passes=10")
	path := filepath.Join(folder, report.TemperaturesFile)
	whole := runtest.Read(t, path)
	lnZ := fmt.Sprintf(",%.12g,", s.Temperatures[1].LnZ.Value)
	for name, c := range map[string]struct{ old, new, want string }{
		"value": {lnZ, fmt.Sprintf(",%.12g,", 1+s.Temperatures[1].LnZ.Value), "in the summary"},
		"bound": {fmt.Sprintf(",%.12g,", s.Temperatures[1].Bound.Value), ",99,", "below its bound"},
	} {
		if err := os.WriteFile(path, bytes.Replace(whole, []byte(c.old), []byte(c.new), 1), 0o644); err != nil {
			t.Fatal(err)
		}
		failed, _ := runtest.Verify(t, folder)
		if c.want == "" && len(failed) > 0 || c.want != "" && (len(failed) != 1 || failed[0].Name != report.TemperaturesFile || !strings.Contains(failed[0].Detail, c.want)) {
			t.Errorf("%s: %+v", name, failed)
		}
	}
}

// TestVerify finds nothing wrong with a run, and the damage where there is one.
func TestVerify(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "run")
	summary := runtest.Perform(t, whole, runtest.Brief...)
	if failed, passed := runtest.Verify(t, whole); len(failed) > 0 || passed < 8 {
		t.Fatalf("%d checks hold, not %+v", passed, failed)
	}
	relative, err := filepath.Rel(whole, summary.Network.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(name string, change func([]byte) []byte) func(t *testing.T, folder string) {
		return func(t *testing.T, folder string) {
			path := filepath.Join(folder, name)
			if err := os.WriteFile(path, change(runtest.Read(t, path)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(old, new string) func([]byte) []byte {
		return func(data []byte) []byte { return bytes.Replace(data, []byte(old), []byte(new), 1) }
	}
	flip := func(data []byte) []byte { data[2*len(data)/3] ^= 4; return data }
	for name, c := range map[string]struct {
		damage func(t *testing.T, folder string)
		check  string
		detail string
	}{
		"configuration":  {edit(report.ConfigFile, replace("q: 3", "q: 1")), report.ConfigFile, "system.q"},
		"another system": {edit(report.ConfigFile, replace("q: 3", "q: 4")), "normalisation", "must be"},
		"a value":        {edit(report.DensityFile, replace("\n-20,", "\n-20,1")), "normalisation", "must be"},
		"no number":      {edit(report.DensityFile, replace("\n-20,", "\n-20,NaN")), report.DensityFile, "NaN"},
		"ground state":   {edit(report.DensityFile, replace("\n-32,", "\n-32.5,")), "ground state", "-32"},
		"checkpoint":     {edit("checkpoints/1.checkpoint", flip), "1.checkpoint", "checksum"},
		"bundle":         {edit(filepath.Join(relative, exporter.ProposeFile), flip), "bundle", exporter.ProposeFile},
		"summary":        {edit(report.SummaryFile, replace("{", "")), report.SummaryFile, "invalid"},
		"networks that disagree": {func(t *testing.T, folder string) {
			b, err := exporter.Load(filepath.Join(folder, relative))
			if err != nil {
				t.Fatal(err)
			}
			// log_prob.onnx of a network with the same weights and another floor.
			other := b.Card.Hyperparameters
			other.Floor = 0.2
			system := models.System{Q: 3, Sides: []int{4, 4}}
			w, err := b.Weights()
			if err != nil {
				t.Fatal(err)
			}
			m, err := models.New(b.Card.Architecture, system, other)
			if err != nil {
				t.Fatal(err)
			}
			foreign, err := exporter.NewBundle("other", m, system, other, w)
			if err != nil {
				t.Fatal(err)
			}
			b.LogProb = foreign.LogProb
			if _, err := b.Save(disk.OS, filepath.Join(folder, "models")); err != nil {
				t.Fatal(err)
			}
		}, "ln q", "pure Go"},
		"a network that misstates ln q": {func(t *testing.T, folder string) {
			b, err := exporter.Load(filepath.Join(folder, relative))
			if err != nil {
				t.Fatal(err)
			}
			bundletest.Offset(b, -0.05)
			if _, err := b.Save(disk.OS, filepath.Join(folder, "models")); err != nil {
				t.Fatal(err)
			}
		}, "draws", "test of normalisation"},
	} {
		folder := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(folder, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		c.damage(t, folder)
		failed, _ := runtest.Verify(t, folder)
		found := false
		for _, f := range failed {
			found = found || f.Name == c.check && strings.Contains(f.Detail, c.detail)
		}
		if !found {
			t.Errorf("%s: found %+v, want %s: %s", name, failed, c.check, c.detail)
		}
	}
	if _, err := verify.Run(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no run") {
		t.Errorf("an empty folder: %v", err)
	}
}
