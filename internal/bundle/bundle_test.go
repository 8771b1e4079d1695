package bundle_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"neuralwl/exporter"
	"neuralwl/exporter/reference"
	"neuralwl/internal/bundle"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/disk"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/onnxtest"
	"neuralwl/internal/report"
	"neuralwl/internal/run"
	"neuralwl/internal/runtest"
	"neuralwl/models"
	"neuralwl/models/graph"
	"neuralwl/sampler"
)

var square = models.System{Model: models.Potts, Q: 3, Sides: []int{4, 4}}

// saved is the folder of a microcanonical bundle with random weights, as f changes it.
func saved(t *testing.T, f func(*exporter.Bundle)) string {
	t.Helper()
	b := bundletest.New(t, models.Microcanonical, square, models.Hyperparameters{Width: 8, Window: 3, Floor: 1e-3})
	if f != nil {
		f(b)
	}
	folder, err := b.Save(disk.OS, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestRun finds the network of a run in its directory, with the loss of every gradient step, also
// of those before the run was interrupted, and draws it.
func TestRun(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancelCause(context.Background())
	if _, err := runtest.Run(ctx, t, run.Options{Folder: folder, Listener: runtest.StopAt(sampler.WangLandau, 20, cancel)}, runtest.Brief...); err != nil && !errors.Is(err, run.ErrEarly) {
		t.Fatal(err)
	}
	s := runtest.Perform(t, folder)
	found, err := bundle.Find(folder)
	if err != nil || len(found) != 1 || found[0].Fault != "" {
		t.Fatalf("found %+v (%v)", found, err)
	}
	f := found[0]
	if f.Path != filepath.Dir(s.Network.Bundle) || len(f.Versions) < 3 || f.Card.Training.Steps != s.Network.Training.Steps || f.Bytes < 10_000 {
		t.Errorf("found %+v", f)
	}
	d, err := bundle.Describe(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Losses) != int(s.Network.Training.Steps) || len(d.Versions) != len(f.Versions) || d.Versions[1].Steps == 0 {
		t.Errorf("%d losses of %d steps, versions %+v", len(d.Losses), s.Network.Training.Steps, d.Versions)
	}
	for i, l := range d.Losses {
		if l.Step != int64(i+1) || l.Size != "4x4" || l.Loss == nil || *l.Loss < 1 {
			t.Fatalf("loss %d: %+v", i, l)
		}
	}
	draws(t, d, 1)

	// Without a record in the bundle, what the cards of the versions say.
	d.Losses = nil
	draws(t, d, 1)
	d.Versions = nil
	if _, err := d.Figure(); err == nil || !strings.Contains(err.Error(), "nothing to draw") {
		t.Errorf("drawn without a record: %v", err)
	}
}

// draws draws a bundle and counts the panels.
func draws(t *testing.T, d *bundle.Description, panels int) {
	t.Helper()
	figure, err := d.Figure()
	if err != nil {
		t.Fatal(err)
	}
	if len(figure) != panels {
		t.Errorf("%d panels, want %d", len(figure), panels)
	}
	var image bytes.Buffer
	if err := figure.Encode(&image, "a.svg"); err != nil || image.Len() < 5000 {
		t.Errorf("%d bytes (%v)", image.Len(), err)
	}
}

// TestPretrained describes the networks that come with the program and their evaluations.
func TestPretrained(t *testing.T) {
	found := bundle.Pretrained()
	if len(found) < 2 {
		t.Fatalf("found %+v", found)
	}
	for _, f := range found {
		d, err := bundle.Describe(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		if f.Fault != "" || len(d.Losses) < 400 || len(d.Evaluation) < 250 || d.Card.Training.KL == nil {
			t.Errorf("%s: %d losses, %d levels, %s", f.Path, len(d.Losses), len(d.Evaluation), f.Fault)
		}
		draws(t, d, 3)
	}
}

// TestFind finds bundles of every kind, says what is wrong with a damaged one, and leaves out
// hidden folders.
func TestFind(t *testing.T) {
	folder := t.TempDir()
	whole := saved(t, nil)
	for _, to := range []string{"plain", "versions/1", "versions/12", ".hidden/1", "deep/er/x"} {
		if err := os.CopyFS(filepath.Join(folder, to), os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(filepath.Join(folder, "damaged"), os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "damaged", exporter.ProposeFile)); err != nil {
		t.Fatal(err)
	}
	found, err := bundle.Find(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		name, _ := filepath.Rel(folder, f.Path)
		names = append(names, name)
		if damaged := name == "damaged"; damaged != (f.Fault != "") || damaged && !strings.Contains(f.Fault, exporter.ProposeFile) {
			t.Errorf("%s: %q", name, f.Fault)
		}
		if name == "versions" && !slices.Equal(f.Versions, []int{1, 12}) {
			t.Errorf("versions %v", f.Versions)
		}
	}
	if want := []string{"damaged", "deep/er/x", "plain", "versions"}; !slices.Equal(names, want) {
		t.Errorf("found %q, want %q", names, want)
	}
	if _, err := bundle.Find(filepath.Join(folder, "none")); err == nil {
		t.Error("a folder that is not there has no fault")
	}
}

// TestVerify finds nothing wrong with a bundle, and what is wrong where something is.
func TestVerify(t *testing.T) {
	onnxtest.Open(t)
	damage := func(file string) func(t *testing.T, folder string) {
		return func(t *testing.T, folder string) {
			path := filepath.Join(folder, file)
			data := runtest.Read(t, path)
			data[len(data)/2] ^= 1
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*exporter.Bundle)
		damage func(t *testing.T, folder string)
		fails  string // name of the check
		detail string
	}{
		"whole":      {},
		"damaged":    {damage: damage(exporter.LogProbFile), fails: "digests", detail: exporter.LogProbFile},
		"its record": {change: func(b *exporter.Bundle) { b.Records = map[string][]byte{"loss.csv": []byte("step\n")} }, damage: damage("loss.csv"), fails: "digests", detail: "loss.csv"},
		"operators":  {change: func(b *exporter.Bundle) { b.LogProb.OpsetImport[0].Version = proto.Int64(12) }, fails: "contract", detail: "operator set 12"},
		"a lie":      {change: func(b *exporter.Bundle) { bundletest.Offset(b, 0.1) }, fails: "draws", detail: "log_q is not the probability"},
		"two graphs": {change: func(b *exporter.Bundle) {
			bundletest.Offset(b, 0.1)
			b.LogProb = bundletest.New(t, models.Microcanonical, square, b.Card.Hyperparameters).LogProb
		}, fails: "ln q", detail: "in pure Go"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := saved(t, c.change)
			if c.damage != nil {
				c.damage(t, folder)
			}
			checks, err := bundle.Verify(context.Background(), folder, "")
			if err != nil {
				t.Fatal(err)
			}
			failed := slices.DeleteFunc(slices.Clone(checks), func(c report.Check) bool { return c.Passed })
			if c.fails == "" {
				if len(failed) > 0 || len(checks) != 5 {
					t.Errorf("checks %+v", checks)
				}
			} else if len(failed) != 1 || failed[0].Name != c.fails || !strings.Contains(failed[0].Detail, c.detail) {
				t.Errorf("failed %+v, want %s with %q", failed, c.fails, c.detail)
			}
		})
	}
	if _, err := bundle.Verify(context.Background(), t.TempDir(), ""); err == nil || !strings.Contains(err.Error(), exporter.CardFile) {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestVerifyAngles verifies networks of angles.
func TestVerifyAngles(t *testing.T) {
	onnxtest.Open(t)
	for name, lie := range map[string]float32{"whole": 0, "a lie": 0.1} {
		t.Run(name, func(t *testing.T) {
			h := models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2}}
			b := bundletest.New(t, models.Flow, models.System{Model: models.XY, Sides: []int{2, 2}}, h)
			if lie != 0 {
				bundletest.Offset(b, lie)
			}
			folder, err := b.Save(disk.OS, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			checks, err := bundle.Verify(context.Background(), folder, "")
			if err != nil {
				t.Fatal(err)
			}
			last := checks[len(checks)-1]
			if len(checks) != 3 || last.Name != "draws" || last.Passed != (lie == 0) || !strings.Contains(checks[1].Detail, "version 2") {
				t.Errorf("checks %+v", checks)
			}
		})
	}
}

// TestExport takes a bundle through an archive and a folder, and refuses to write over one.
func TestExport(t *testing.T) {
	folder, out := saved(t, nil), t.TempDir()
	b, files, err := bundle.Files(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"copy", "copy.tar.gz", "again.tgz"} {
		path := filepath.Join(out, name)
		if err := bundle.Export(files, path); err != nil {
			t.Fatal(err)
		}
		if err := bundle.Export(files, path); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("%s written again: %v", name, err)
		}
		imported, err := bundle.Import(context.Background(), path, filepath.Join(out, "models"), "")
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(imported) != filepath.Join(out, "models", "tiny") {
			t.Errorf("imported as %s", imported)
		}
		if got, err := exporter.Load(imported); err != nil || got.Card.Digest() != b.Card.Digest() {
			t.Errorf("%s: another network (%v)", name, err)
		}
	}
	if a, b := runtest.Read(t, out, "copy.tar.gz"), runtest.Read(t, out, "again.tgz"); !bytes.Equal(a, b) {
		t.Error("archives of equal files differ")
	}
	for from, want := range map[string]string{
		filepath.Join(out, "none"):                       "no such file",
		filepath.Join(folder, exporter.CardFile):         "gzip",
		filepath.Dir(filepath.Dir(filepath.Dir(folder))): exporter.CardFile,
	} {
		if _, err := bundle.Import(context.Background(), from, out, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", from, err, want)
		}
	}
	if _, err := bundle.Import(context.Background(), folder, out, "Two Words"); err == nil || !strings.Contains(err.Error(), "--name") {
		t.Errorf("a name that none can have: %v", err)
	}

	// For another size it is a network of that.
	other, files, err := bundle.Files(folder, []int{5, 6})
	if err != nil || other.Card.System.Size[0] != 5 {
		t.Fatalf("%+v (%v)", other.Card.System, err)
	}
	if _, err := exporter.LoadFiles(files, "other"); err != nil {
		t.Error(err)
	}
	dense := saved(t, func(b *exporter.Bundle) {
		*b = *bundletest.New(t, models.Made, square, models.Hyperparameters{Decoder: 8, Floor: 1e-3})
	})
	planar := saved(t, func(b *exporter.Bundle) {
		h := models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1}}
		*b = *bundletest.New(t, models.Flow, models.System{Model: models.XY, Sides: []int{4, 4}}, h)
	})
	if other, _, err := bundle.Files(planar, []int{6, 4}); err != nil || other.Card.System.Size[0] != 6 || other.Card.Name != "flow-xy-6x4" {
		t.Errorf("%v", err)
	}
	for from, sides := range map[string][]int{folder: {2, 4}, dense: {5, 5}, planar: {5, 4}} {
		if _, _, err := bundle.Files(from, sides); err == nil {
			t.Errorf("%s for %v has no fault", from, sides)
		}
	}
}

// TestTriton writes a model repository whose models compute what the bundle does from the inputs of
// the contract alone, and a configuration with the same names and shapes.
func TestTriton(t *testing.T) {
	folder := t.TempDir()
	b, _, err := bundle.Files(saved(t, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	written, err := bundle.ExportTriton(b, "tiny", folder)
	if err != nil || len(written) != 2 {
		t.Fatal(written, err)
	}
	if _, err := bundle.ExportTriton(b, "tiny", folder); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("written again: %v", err)
	}
	b.Card.Version = 2
	if _, err := bundle.ExportTriton(b, "tiny", folder); err != nil {
		t.Errorf("the next version: %v", err)
	}
	const rows, sites = 3, 16
	state := make([]int32, rows*sites)
	for i := range state {
		state[i] = int32(i * i % 3)
	}
	inputs := map[string]graph.Tensor{
		models.State: graph.Int32s(state, rows, sites), models.Start: graph.Int32s(make([]int32, rows), rows),
		models.Energy: graph.Float32s([]float32{-3, -20, -32}, rows),
	}
	want, err := reference.Evaluate(b.LogProb, inputs)
	if err != nil {
		t.Fatal(err)
	}
	got := onnxtest.Run(t, runtest.Read(t, folder, "tiny.log_prob", "1", "model.onnx"), inputs)
	for i, x := range got[models.LogQ].Float32s() {
		if d := float64(x) - want[models.LogQ].Float64s()[i]; d > 1e-4 || d < -1e-4 {
			t.Errorf("ln q %v, want %v", got[models.LogQ], want[models.LogQ])
		}
	}
	for name, inputs := range map[string][]string{"tiny.propose": {"energy", "start", "state", "uniform"}, "tiny.log_prob": {"energy", "start", "state"}} {
		var c oippb.ModelConfig
		if err := prototext.Unmarshal(runtest.Read(t, folder, name, "config.pbtxt"), &c); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, in := range c.Input {
			names = append(names, in.Name)
			want, kind := []int64{-1}, oippb.DataType_TYPE_FP32
			if in.Name == "state" || in.Name == "uniform" {
				want = []int64{-1, sites}
			}
			if in.Name == "state" || in.Name == "start" {
				kind = oippb.DataType_TYPE_INT32
			}
			if !slices.Equal(in.Dims, want) || in.DataType != kind {
				t.Errorf("%s: input %v", name, in)
			}
		}
		slices.Sort(names)
		if c.Name != name || c.Backend != "onnxruntime" || c.MaxBatchSize != 0 || !slices.Equal(names, inputs) || len(c.Output) == 0 {
			t.Errorf("configuration %v", &c)
		}
	}
}
