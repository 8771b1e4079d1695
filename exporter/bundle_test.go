package exporter_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/models"
	"neuralwl/models/graph"
)

func newBundle(t testing.TB) *exporter.Bundle {
	t.Helper()
	return bundletest.New(t, "autoencoder", models.System{Q: 3, Sides: []int{4, 3}}, models.Hyperparameters{Encoder: 6, Latent: 2, Decoder: 5, Floor: 1e-3, Noise: 0.5})
}

// newCheckerboard makes a bundle conditioned on an energy that draws one half of the sites after the other.
func newCheckerboard(t testing.TB) *exporter.Bundle {
	t.Helper()
	return bundletest.New(t, "microcanonical", models.System{Q: 3, Sides: []int{6, 4}}, models.Hyperparameters{Width: 3, Floor: 1e-3, Window: 2, Order: models.Checkerboard})
}

// newDiagonal makes a bundle conditioned on an energy that draws front by front.
func newDiagonal(t testing.TB) *exporter.Bundle {
	t.Helper()
	return bundletest.New(t, "microcanonical", models.System{Q: 3, Sides: []int{6, 4}}, models.Hyperparameters{Width: 3, Floor: 1e-3, Window: 2, Order: models.Diagonal})
}

// newTargeted makes a bundle conditioned on an energy.
func newTargeted(t testing.TB, s models.System) *exporter.Bundle {
	t.Helper()
	return bundletest.New(t, "microcanonical", s, models.Hyperparameters{Width: 3, Floor: 1e-3, Window: 2})
}

// newShifted makes a bundle that takes a shift.
func newShifted(t testing.TB, s models.System) *exporter.Bundle {
	t.Helper()
	return bundletest.New(t, "autoencoder", s, models.Hyperparameters{Encoder: 6, Latent: 2, Decoder: 5, Floor: 1e-3, Noise: 0.5, EnergyWeight: 20})
}

func save(t testing.TB, b *exporter.Bundle, repository string) string {
	t.Helper()
	folder, err := b.Save(disk.OS, repository)
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// rewrite changes one file of a bundle and, if digests is set, its digest in the
// card, so that only the contract stands in the way.
func rewrite(t testing.TB, folder, file string, digests bool, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(folder, file)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = change(data)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if !digests {
		return
	}
	var card map[string]any
	cardPath := filepath.Join(folder, exporter.CardFile)
	old, err := os.ReadFile(cardPath)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(old, &card); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	card["sha256"].(map[string]any)[file] = hex.EncodeToString(sum[:])
	edited, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cardPath, edited, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestBundleRoundTrip saves two versions and loads the later one by the name and
// the earlier one by its folder.
func TestBundleRoundTrip(t *testing.T) {
	repository := t.TempDir()
	b := newBundle(t)
	first := save(t, b, repository)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	weights["decoder.bias"].Float32s()[3] = 42
	if err := b.SetWeights(weights); err != nil {
		t.Fatal(err)
	}
	b.Card.Training = exporter.Training{Seed: 7, Steps: 11, Loss: 1.5}
	second := save(t, b, repository)
	if filepath.Base(first) != "1" || filepath.Base(second) != "2" {
		t.Errorf("versions %s and %s, want 1 and 2", first, second)
	}
	for path, want := range map[string]float32{first: 0, second: 42, filepath.Join(repository, "tiny"): 42} {
		loaded, err := exporter.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := loaded.Weights()
		if err != nil {
			t.Fatal(err)
		}
		if got := w["decoder.bias"].Float32s()[3]; got != want {
			t.Errorf("%s: weight %v, want %v", path, got, want)
		}
		if want == 42 && loaded.Card.Training.Steps != 11 {
			t.Errorf("%s: training record %+v is not the one saved", path, loaded.Card.Training)
		}
	}
	// Ten versions later the highest number wins, not the last name.
	for range 9 {
		save(t, b, repository)
	}
	loaded, err := exporter.Load(filepath.Join(repository, "tiny"))
	if err != nil || loaded.Card.Version != 11 {
		t.Errorf("version %d (%v), want 11", loaded.Card.Version, err)
	}
}

// TestDamagedBundle damages every file in turn: nothing may load, and the error
// names the file.
func TestDamagedBundle(t *testing.T) {
	for _, file := range []string{exporter.ProposeFile, exporter.LogProbFile, exporter.GradientFile, exporter.CardFile} {
		for name, c := range map[string]struct {
			change func([]byte) []byte
			text   bool // may mean nothing in a card, which is readable text
		}{
			"a flipped bit": {func(d []byte) []byte { d = bytes.Clone(d); d[len(d)/2] ^= 4; return d }, true},
			"truncated":     {func(d []byte) []byte { return d[:len(d)/2] }, false},
			"empty":         {func([]byte) []byte { return nil }, false},
		} {
			folder := save(t, newBundle(t), t.TempDir())
			rewrite(t, folder, file, false, c.change)
			_, err := exporter.Load(folder)
			if err == nil && file == exporter.CardFile && c.text {
				continue
			}
			if err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("%s of %s: %v", name, file, err)
			}
		}
		folder := save(t, newBundle(t), t.TempDir())
		if err := os.Remove(filepath.Join(folder, file)); err != nil {
			t.Fatal(err)
		}
		if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s missing: %v", file, err)
		}
	}
	if _, err := exporter.Load(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a folder that does not exist was loaded")
	}
	if _, err := exporter.Load(t.TempDir()); err == nil {
		t.Error("an empty folder was loaded")
	}
}

// TestForeignBundle changes what a file declares, with correct digests: the
// contract must refuse it and say why.
func TestForeignBundle(t *testing.T) {
	for _, c := range []struct{ file, old, new, want string }{
		{exporter.ProposeFile, "uniform", "uniforn", `no input "uniform"`},
		{exporter.ProposeFile, "proposal", "proposaI", `no output "proposal"`},
		{exporter.LogProbFile, "condition", "c0ndition", `no input "condition"`},
		{exporter.LogProbFile, "log_q", "log_Q", `no output "log_q"`},
		{exporter.GradientFile, "gradient.latent.bias", "gradient.latent.bIas", `no output "gradient.latent.bias"`},
	} {
		folder := save(t, newBundle(t), t.TempDir())
		rewrite(t, folder, c.file, true, func(d []byte) []byte { return bytes.ReplaceAll(d, []byte(c.old), []byte(c.new)) })
		_, err := exporter.Load(folder)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s without %s: %v", c.file, c.old, err)
		}
	}
	for _, c := range []struct{ old, new, want string }{
		{`"contract": 1`, `"contract": 2`, "contract version 2"},
		{`"q": 3`, `"q": 4`, ""}, // shapes of the configurations still agree
		{`4,`, `5,`, "shape"},
		{`"potts"`, `""`, "system.model"},
		{`"state"`, `"phase"`, `condition "phase"`},
		{`"state"`, `"energy"`, `no input "energy"`},
	} {
		folder := save(t, newBundle(t), t.TempDir())
		rewrite(t, folder, exporter.CardFile, false, func(d []byte) []byte { return bytes.Replace(d, []byte(c.old), []byte(c.new), 1) })
		_, err := exporter.Load(folder)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("card with %s: %v", c.new, err)
		}
	}
}

// TestTargetedBundle saves and loads a network conditioned on an energy, and then one
// that draws all sites anew. Files that do not take the energy as the contract says
// are refused.
func TestTargetedBundle(t *testing.T) {
	s := models.System{Q: 3, Sides: []int{4, 3}}
	b := newTargeted(t, s)
	folder := save(t, b, t.TempDir())
	loaded, err := exporter.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	c := loaded.Card
	if !c.TakesEnergy() || c.TakesState() || !loaded.KeepsSites() || c.Hyperparameters.Window != 2 || len(c.Symmetries) != 1 || c.Symmetries[0] != models.Colours {
		t.Errorf("card %+v", c)
	}
	h := c.Hyperparameters
	h.Order = models.Diagonal
	diagonal, err := exporter.Load(save(t, bundletest.New(t, models.Microcanonical, s, h), t.TempDir()))
	if err != nil || !reflect.DeepEqual(diagonal.Card.Hyperparameters, h) || c.Hyperparameters.Order != "" || !diagonal.Own() {
		t.Errorf("front by front: %+v, %v", diagonal.Card, err)
	}
	if diagonal.Card.Hyperparameters.Order = ""; diagonal.Own() {
		t.Error("the order does not matter to the graphs")
	}
	if old := newBundle(t); old.Card.TakesEnergy() || !old.Card.TakesState() || !old.KeepsSites() {
		t.Errorf("card of an autoencoder %+v", old.Card)
	}

	inputs := func(change func([]*onnxpb.ValueInfoProto) []*onnxpb.ValueInfoProto) func([]byte) []byte {
		return func(d []byte) []byte {
			model, err := exporter.Unmarshal(d)
			if err != nil {
				t.Fatal(err)
			}
			model.Graph.Input = change(model.Graph.Input)
			if d, err = exporter.Marshal(model); err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
	without := func(name string) func([]*onnxpb.ValueInfoProto) []*onnxpb.ValueInfoProto {
		return func(in []*onnxpb.ValueInfoProto) []*onnxpb.ValueInfoProto {
			return slices.DeleteFunc(in, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name })
		}
	}
	retyped := func(name string, dtype onnxpb.TensorProto_DataType) func([]*onnxpb.ValueInfoProto) []*onnxpb.ValueInfoProto {
		return func(in []*onnxpb.ValueInfoProto) []*onnxpb.ValueInfoProto {
			for _, v := range in {
				if v.GetName() == name {
					v.GetType().GetTensorType().ElemType = proto.Int32(int32(dtype))
				}
			}
			return in
		}
	}
	for _, file := range []string{exporter.ProposeFile, exporter.LogProbFile, exporter.GradientFile} {
		for want, change := range map[string]func([]*onnxpb.ValueInfoProto) []*onnxpb.ValueInfoProto{
			`no input "energy"`:                without(models.Energy),
			`"energy" has element type INT32`:  retyped(models.Energy, onnxpb.TensorProto_INT32),
			`"state" has element type FLOAT, `: retyped(models.State, onnxpb.TensorProto_FLOAT),
		} {
			folder := save(t, b, t.TempDir())
			rewrite(t, folder, file, true, inputs(change))
			if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
				t.Errorf("%s: %v, want %s", file, err, want)
			}
		}
	}
	rewrite(t, folder, exporter.ProposeFile, true, inputs(without(models.State)))
	loaded, err = exporter.Load(folder)
	if err != nil || loaded.KeepsSites() {
		t.Errorf("without state: %v", err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"window": 2`, `"window": -1`, "window = -1"},
		{`"window": 2`, `"window": 25`, "window = 25"},
		{`"energy"`, `"state"`, `no input "condition"`},
		{`"energy"`, `"state", "energy"`, "aims at an energy does so whatever the state is"},
	} {
		folder := save(t, b, t.TempDir())
		rewrite(t, folder, exporter.CardFile, false, func(d []byte) []byte { return bytes.Replace(d, []byte(c.old), []byte(c.new), 1) })
		if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("card with %s: %v", c.new, err)
		}
	}
}

// TestShiftedBundle saves and loads a network that takes shifts, and refuses files that do
// not and cards without a state.
func TestShiftedBundle(t *testing.T) {
	b := newShifted(t, models.System{Q: 3, Sides: []int{4, 3}})
	loaded, err := exporter.Load(save(t, b, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if c := loaded.Card; !c.TakesShift() || !c.TakesState() || c.TakesEnergy() || c.Hyperparameters.EnergyWeight != 20 {
		t.Errorf("card %+v", c)
	}
	if old := newBundle(t); old.Card.TakesShift() {
		t.Errorf("card of an autoencoder without a tie %+v", old.Card)
	}
	for _, file := range []string{exporter.ProposeFile, exporter.LogProbFile} {
		folder := save(t, b, t.TempDir())
		rewrite(t, folder, file, true, func(d []byte) []byte { return bytes.ReplaceAll(d, []byte("shift"), []byte("shlft")) })
		if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), `no input "shift"`) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s without a shift: %v", file, err)
		}
	}
	for _, c := range []struct{ old, new, want string }{
		{`"state"`, `"shift"`, "goes with a state"},
		{`"shift"`, `"shift", "energy"`, "without an energy"},
		{`"shift"`, `"state"`, `inputs ["shift"]`},
	} {
		folder := save(t, b, t.TempDir())
		rewrite(t, folder, exporter.CardFile, false, func(d []byte) []byte { return bytes.Replace(d, []byte(c.old), []byte(c.new), 1) })
		if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("card with %s: %v", c.new, err)
		}
	}
}

// TestTransfer begins with the weights of another size and of another number of
// colours, and refuses those of another network.
func TestTransfer(t *testing.T) {
	b := newTargeted(t, models.System{Q: 3, Sides: []int{4, 3}})
	other := newTargeted(t, models.System{Q: 2, Sides: []int{6, 6}})
	weights, err := other.Weights()
	if err != nil {
		t.Fatal(err)
	}
	weights["budget.bias"].Float32s()[1] = 42
	if err := b.Transfer(weights); err != nil {
		t.Fatal(err)
	}
	have, err := b.Weights()
	if err != nil || !reflect.DeepEqual(have, weights) {
		t.Errorf("weights %v after a transfer of %v (%v)", have, weights, err)
	}

	weights["output.weight"] = graph.Zeros(graph.Float32, 4)
	weights["decoder.bias"] = graph.Zeros(graph.Float32, 4)
	delete(weights, "mean.weight")
	weights["budget.bias"].Float32s()[1] = 43
	err = b.Transfer(weights)
	for _, want := range []string{`"output.weight": it is float32[4]`, `"mean.weight" is missing`, `"decoder.bias" is unknown`, "4x3"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	if again, err := b.Weights(); err != nil || again["budget.bias"].Float32s()[1] != 42 {
		t.Errorf("weights changed in a transfer that failed: %v (%v)", again["budget.bias"], err)
	}
}

func TestCheckSystem(t *testing.T) {
	b := newBundle(t)
	if err := b.Card.CheckSystem(models.System{Q: 3, Sides: []int{4, 3}}); err != nil {
		t.Error(err)
	}
	for _, s := range []models.System{{Q: 4, Sides: []int{4, 3}}, {Q: 3, Sides: []int{3, 4}}} {
		if err := b.Card.CheckSystem(s); err == nil || !strings.Contains(err.Error(), "system.q and system.size") {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// TestWeightsMustBeFinite finds that a NaN neither gets into a bundle nor out of
// one.
func TestWeightsMustBeFinite(t *testing.T) {
	b := newBundle(t)
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	weights["decoder.bias"].Float32s()[0] = float32(math.NaN())
	if err := b.SetWeights(weights); err == nil || !strings.Contains(err.Error(), "decoder.bias") {
		t.Errorf("NaN was taken: %v", err)
	}
	folder := save(t, b, t.TempDir())
	rewrite(t, folder, exporter.ProposeFile, true, func(d []byte) []byte {
		model, err := exporter.Unmarshal(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range model.Graph.Initializer {
			if w.GetName() == "decoder.bias" {
				copy(w.RawData, []byte{0, 0, 0xc0, 0x7f})
			}
		}
		d, err = exporter.Marshal(model)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
	if _, err := exporter.Load(folder); err == nil || !strings.Contains(err.Error(), "decoder.bias") {
		t.Errorf("bundle with a NaN was loaded: %v", err)
	}
}

// TestSaveLeavesNothingBehind makes saving fail: the repository must stay without a
// trace of the version.
func TestSaveLeavesNothingBehind(t *testing.T) {
	repository := t.TempDir()
	parent := filepath.Join(repository, "tiny")
	// A plain file in place of the folder of the versions.
	if err := os.WriteFile(parent, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := newBundle(t).Save(disk.OS, repository); err == nil {
		t.Fatal("saved into a file")
	}
	if err := os.Remove(parent); err != nil {
		t.Fatal(err)
	}
	b := newBundle(t)
	save(t, b, repository)
	entries, err := os.ReadDir(parent)
	if err != nil || len(entries) != 1 || entries[0].Name() != "1" {
		t.Errorf("the folder of versions holds %v (%v), want only 1", entries, err)
	}
}

// TestIndependentReader has every exported file checked by the Python package onnx.
func TestIndependentReader(t *testing.T) {
	python, err := filepath.Abs("../.deps/python/bin/python")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(python); err != nil {
		t.Skip("SKIPPED: exported files are not checked by an independent reader: the Python package onnx is not there; run `make deps-test`, which needs python3 with pip")
	}
	repository := t.TempDir()
	files := []string{"-c", "import onnx, sys\nfor f in sys.argv[1:]:\n  onnx.checker.check_model(f, full_check=True)\n  print(f, 'ok')"}
	for _, s := range []models.System{{Q: 2, Sides: []int{3, 3}}, {Q: 10, Sides: []int{8, 8}}, {Model: models.XY, Sides: []int{6, 4}}} {
		check := func(architecture string, h models.Hyperparameters) {
			b, err := exporter.NewUntrained(architecture, architecture, s, h, rand.New(rand.NewPCG(3, 4)))
			if err != nil {
				t.Fatal(err)
			}
			folder := save(t, b, repository)
			for file := range b.Card.SHA256 {
				files = append(files, filepath.Join(folder, file))
			}
		}
		if s.Angles() {
			h := models.Hyperparameters{Width: 8, Depth: 2, Kernel: 5, Layers: 2, Harmonics: []int{1, 2, 3}}
			check(models.Flow, h)
			h.Half = true
			check(models.Flow, h)
			continue
		}
		h := models.Hyperparameters{Encoder: 16, Latent: 4, Decoder: 16, Floor: 1e-3, Noise: 1, Width: 16, Window: 1, Depth: 2, Kernel: 3, Hidden: 16, GibbsSteps: 2}
		for _, architecture := range models.Architectures() {
			if architecture != models.Flow {
				check(architecture, h)
			}
		}
		h.EncoderKind, h.DecoderKind = models.Convolutional, models.Convolutional
		check(models.Autoencoder, h)
		h.EnergyWeight = 20
		check(models.Autoencoder, h)
		h.HiddenKind = models.Convolutional
		check(models.RBM, h)
	}
	out, err := exec.Command(python, files...).CombinedOutput()
	if err != nil || strings.Count(string(out), " ok") != len(files)-2 {
		t.Errorf("onnx.checker: %v\n%s", err, out)
	}
}

// TestBundleBytes finds that the same model gives the same files.
func TestBundleBytes(t *testing.T) {
	a, b := save(t, newBundle(t), t.TempDir()), save(t, newBundle(t), t.TempDir())
	for _, file := range []string{exporter.ProposeFile, exporter.LogProbFile, exporter.GradientFile, exporter.CardFile} {
		x, err := os.ReadFile(filepath.Join(a, file))
		if err != nil {
			t.Fatal(err)
		}
		y, err := os.ReadFile(filepath.Join(b, file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(x, y) {
			t.Errorf("%s differs from one save to the next", file)
		}
	}
}

// TestUnnormalised saves and loads an unnormalised network, and has cards refused that cannot be.
func TestUnnormalised(t *testing.T) {
	s, h := models.System{Q: 3, Sides: []int{4, 3}}, models.Hyperparameters{Hidden: 5, GibbsSteps: 2}
	b := bundletest.New(t, models.RBM, s, h)
	loaded, err := exporter.Load(save(t, b, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	c := loaded.Card
	if batch := c.NewBatch(4); !c.Unnormalised || c.UniformsOf() != 2*(5+12) || !c.TakesState() || c.TakesCondition() || !loaded.KeepsSites() ||
		!batch.Unnormalised || len(batch.Uniform) != 4*2*(5+12) || !loaded.Own() {
		t.Errorf("%+v", c)
	}
	if err := c.CheckNormalised("this"); err == nil || !strings.Contains(err.Error(), "tiny (rbm) is unnormalised") || !strings.Contains(err.Error(), "this needs") {
		t.Errorf("%v", err)
	}
	if normalised := newBundle(t).Card; normalised.Unnormalised || normalised.UniformsOf() != normalised.System.System().Sites() || normalised.CheckNormalised("this") != nil {
		t.Errorf("%+v", normalised)
	}
	for name, spoil := range map[string]func(*exporter.Card){
		"uniforms = -1":                        func(c *exporter.Card) { c.Uniforms = -1 },
		"uniforms = 34, must be":               func(c *exporter.Card) { c.Unnormalised = false },
		"those of an unnormalised network are": func(c *exporter.Card) { c.Conditions = []string{exporter.ConditionEnergy} },
		"no input \"condition\"":               func(c *exporter.Card) { c.Unnormalised, c.Uniforms = false, 0 },
		"input \"uniform\" has shape":          func(c *exporter.Card) { c.Uniforms = 35 },
	} {
		bad := *b
		spoil(&bad.Card)
		if _, err := exporter.Load(save(t, &bad, t.TempDir())); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}
