// Package arch holds no code, only the test that imports point downward.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "neuralwl/"

// layers lists the packages from the top down. A package may import packages of
// lower layers only.
var layers = [][]string{
	{"cmd/nwl", "internal/calibrate", "internal/loadtest", "internal/long/names", "internal/scaling/cmd", "metrics/grafana/generate"},
	{"internal/server"},
	{"internal/page"},
	{"internal/daemon", "internal/modelserver"},
	{"internal/bundle", "internal/verify", "internal/worker"},
	{"internal/child"},
	{"internal/compare/report"},
	{"internal/compare"},
	{"internal/curve", "internal/ensemble", "internal/live", "internal/run", "internal/training", "internal/bench", "internal/inverse", "internal/latent"},
	{"internal/report"},
	{"internal/sheet"},
	{"internal/draft", "internal/repository", "internal/setup", "internal/tune"},
	{"internal/config", "internal/history", "internal/plots", "internal/transition", "metrics"},
	{"internal/telemetry"},
	{"internal/event"},
	{"trainer", "internal/honest"},
	{"inference", "inference/remote"},
	{"exporter"},
	{"exporter/reference"},
	{"exporter/onnxpb", "models", "sampler"},
	{"sampler/exact", "sampler/local"},
	{"models/graph", "models/pretrained", "models/pretrained/pack", "sampler/dos", "sampler/lattice", "internal/api", "internal/checkpoint", "internal/oip", "internal/queue", "internal/scaling", "internal/schedule", "internal/store"},
	{"internal/audit", "internal/compare/stats", "internal/cpu", "internal/disk", "internal/invariants", "internal/job", "internal/near", "internal/oip/oippb", "internal/parallel", "internal/rotate", "internal/shell", "internal/systemd", "internal/token", "metrics/grafana", "sampler/lattice/lists"},
}

// independent packages never import each other, whatever their layers, not even
// through others.
var independent = [][2]string{
	{"sampler", "models"}, {"sampler", "exporter"}, {"sampler", "inference"}, {"models", "exporter"}, {"inference/remote", "inference"},
}

// reserved libraries may be imported by the packages given and no others.
var reserved = map[string][]string{
	"github.com/spf13/viper":              {"internal/config"},
	"github.com/prometheus/client_golang": {"metrics"},
	"github.com/grafana":                  {"metrics/grafana"},
	"github.com/yalue/onnxruntime_go":     {"inference"},
	"google.golang.org/protobuf":          {"exporter", "exporter/onnxpb", "internal/modelserver", "internal/oip", "internal/oip/oippb"},
	"connectrpc.com/connect":              {"inference/remote", "internal/modelserver", "internal/oip/oippb"},
	"github.com/fxamacker/cbor":           {"internal/checkpoint"},
	"github.com/nats-io":                  {"internal/queue"},
	"github.com/minio/minio-go":           {"internal/store"},
	"github.com/danielgtaylor/huma":       {"internal/server"},
	"github.com/parquet-go":               {"internal/compare/report"},
	"github.com/chromedp":                 {},          // tests alone
	"C":                                   {"cmd/nwl"}, // before Go starts
}

// testOnly packages may not be imported by any other but tests.
var testOnly = []string{"internal/browsertest", "internal/bundletest", "internal/exacttest", "internal/long", "internal/oiptest", "internal/onnxtest", "internal/runtest", "internal/disk/faulty"}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImportsPointDownward(t *testing.T) {
	command := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	layer := func(name string) int {
		return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, name) })
	}
	found := 0
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		if slices.Contains(testOnly, name) || name == "internal/arch" {
			continue
		}
		found++
		own := layer(name)
		if own < 0 {
			t.Errorf("%s is in no layer: decide where it stands and add it to this test", name)
			continue
		}
		for _, path := range p.Imports {
			if imported, ok := strings.CutPrefix(path, module); ok {
				if slices.Contains(testOnly, imported) || layer(imported) <= own {
					t.Errorf("%s imports %s, which does not stand below it", name, imported)
				}
			}
			for library, users := range reserved {
				if (path == library || strings.HasPrefix(path, library+"/")) && !slices.Contains(users, name) {
					t.Errorf("%s imports %s, which is reserved for %v", name, path, users)
				}
			}
		}
		for _, pair := range independent {
			if name == pair[0] && slices.Contains(p.Deps, module+pair[1]) {
				t.Errorf("%s depends on %s", pair[0], pair[1])
			}
		}
	}
	if listed := len(slices.Concat(layers...)); found != listed {
		t.Errorf("%d packages found, %d in the layers", found, listed)
	}
}
