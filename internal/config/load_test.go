package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/viper"

	"neuralwl/internal/config"
)

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, path string, assignments ...string) *config.Config {
	t.Helper()
	c, err := config.Load(path, assignments)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRoundTrip checks that a configuration written as YAML loads back the same.
func TestRoundTrip(t *testing.T) {
	c := load(t, "", "system.size=[4, 16]", "production.mix=64:1", "run.max_time=90s", "run.seed=18446744073709551615")
	data, err := c.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again := load(t, file(t, string(data)))
	if !reflect.DeepEqual(c, again) {
		t.Errorf("wrote %+v\nread %+v", c, again)
	}
	if c.Run.MaxTime != 90*time.Second || c.Run.Seed != 1<<64-1 {
		t.Errorf("max_time %v, seed %v", c.Run.MaxTime, c.Run.Seed)
	}
}

func TestPrecedence(t *testing.T) {
	path := file(t, "system: {q: 4}\nrun: {walkers: 5, seed: 6}\n")
	t.Setenv("NWL_RUN_WALKERS", "7")
	t.Setenv("NWL_RUN_SEED", "8")
	c := load(t, path, "run.seed=9")
	if c.System.Q != 4 || c.Run.Walkers != 7 || c.Run.Seed != 9 {
		t.Errorf("q %d from the file, walkers %d from the environment, seed %d from --set", c.System.Q, c.Run.Walkers, c.Run.Seed)
	}
}

func TestNotations(t *testing.T) {
	for _, size := range []string{"[5, 7]", "[5,7]", "5x7", "5X7"} {
		if c := load(t, "", "system.size="+size); !reflect.DeepEqual(c.System.Size, []int{5, 7}) {
			t.Errorf("size %s read as %v", size, c.System.Size)
		}
	}
	for _, moves := range []string{"[neural]", "neural", "[ neural ]"} {
		if c := load(t, "", "run.moves="+moves); !reflect.DeepEqual(c.Run.Moves, []string{"neural"}) {
			t.Errorf("moves %s read as %v", moves, c.Run.Moves)
		}
	}
	for _, mix := range []string{"100:1", "4:0", "automatic"} {
		if c := load(t, "", "production.mix="+mix); c.Production.Mix != mix {
			t.Errorf("mix %s read as %q", mix, c.Production.Mix)
		}
		if c := load(t, file(t, "production: {mix: "+mix+"}\n")); c.Production.Mix != mix {
			t.Errorf("mix %s of a file read as %q", mix, c.Production.Mix)
		}
	}
	if c := load(t, "", "run.moves=local,neural"); len(c.Run.Moves) != 2 {
		t.Errorf("moves %v", c.Run.Moves)
	}
	t.Setenv("NWL_SYSTEM_SIZE", "6x9")
	t.Setenv("NWL_RUN_MOVES", "local")
	t.Setenv("NWL_METRICS_LISTEN", "")
	if c := load(t, ""); c.System.Size[1] != 9 || c.Run.Moves[0] != "local" || c.Metrics.Listen != "" {
		t.Errorf("from the environment: %+v", c)
	}
}

func TestIsing(t *testing.T) {
	if c := load(t, "", "system.model=ising"); c.System.Q != 2 {
		t.Errorf("ising has q = %d", c.System.Q)
	}
	if _, err := config.Load("", []string{"system.model=ising", "system.q=3"}); err == nil || !strings.Contains(err.Error(), "contradicts") {
		t.Errorf("ising with q = 3: %v", err)
	}
}

// TestMethods checks that method and moves determine each other's defaults, and that
// contradictions are faults.
func TestMethods(t *testing.T) {
	for _, c := range []struct {
		settings, method, moves string
	}{
		{"", "neural-wang-landau", "[local neural]"},
		{"run.moves=local", "wang-landau", "[local]"},
		{"run.moves=neural", "neural-wang-landau", "[neural]"},
		{"run.method=wang-landau", "wang-landau", "[local]"},
		{"run.method=multicanonical", "multicanonical", "[local]"},
		{"run.method=metadynamics", "metadynamics", "[local]"},
		{"run.method=multiple-gaussian run.moves=[local,neural]", "multiple-gaussian", "[local neural]"},
		{"run.method=multicanonical run.moves=[neural,local]", "multicanonical", "[neural local]"},
		{"run.method=canonical production.passes=3 run.beta=0.5", "canonical", "[local]"},
		{"run.method=van-wang-landau", "van-wang-landau", "[neural]"},
		{"run.method=van run.beta=0.5", "van", "[neural]"},
		{"run.method=van run.betas=[0.5,1e-1]", "van", "[neural]"},
		{"run.method=wang-landau run.moves=local windows.count=4", "wang-landau", "[local]"},
	} {
		got := load(t, "", strings.Fields(c.settings)...)
		if moves := fmt.Sprint(got.Run.Moves); got.Run.Method != c.method || moves != c.moves {
			t.Errorf("%s: method %s and moves %s, want %s and %s", c.settings, got.Run.Method, moves, c.method, c.moves)
		}
	}
	if c := load(t, "", "run.method=van-wang-landau", "model.architecture=conv"); c.Model.Architecture != "conv" {
		t.Errorf("architecture %s with van-wang-landau, chosen was conv", c.Model.Architecture)
	}
	if c := load(t, "", "run.method=van-wang-landau"); c.Model.Architecture != "made" || c.WangLandau.FinalLnF != config.VANFinalLnF {
		t.Errorf("architecture %s and final ln f %g with van-wang-landau", c.Model.Architecture, c.WangLandau.FinalLnF)
	}
	for settings, want := range map[string]string{
		"run.method=canonical production.passes=3 production.histogram=low":           "production.histogram: low, but method canonical determines its own histogram; leave it out",
		"production.mix=automatic run.moves=local":                                    "production.mix: automatic chooses between local and neural moves, but run.moves has only [local]; leave it out",
		"production.mix=automatic run.moves=neural":                                   "production.mix: automatic chooses between local and neural moves, but run.moves has only [neural]",
		"production.mix=automatic run.method=van-wang-landau":                         "production.mix: automatic chooses",
		"production.mix=best":                                                         `production.mix: "best" is neither same, automatic nor a mix SWEEPS:TRIALS such as 100:1`,
		"production.mix=64":                                                           `production.mix: "64" is neither`,
		"production.mix=4:1:0.5":                                                      `production.mix: "4:1:0.5" is neither`,
		"production.mix=0:1":                                                          "production.mix: 0:1, but at least 1 sweep and 0 trials are needed",
		"production.mix=9999999:1":                                                    "production.mix: 9999999:1, but at least 1 sweep",
		"production.mix=4:1 run.moves=neural":                                         "production.mix: 4:1, but there are no local moves",
		"production.mix=4:1 run.moves=local":                                          "production.mix: 4:1, but there are no neural moves; take 4:0",
		"run.start=anywhere":                                                          "run.start: \"anywhere\" is not one of auto, random, network",
		"run.start=network run.moves=local":                                           "run.start: network, but run.method wang-landau",
		"production.histogram=phases run.method=canonical run.beta=1 run.moves=local": "production.histogram: phases, but method canonical",
		"production.histogram=steep":                                                  "production.histogram",
		"run.method=wang-landau run.moves=[local,neural]":                             "run.method: wang-landau has no neural moves; take neural-wang-landau",
		"run.method=neural-wang-landau run.moves=local":                               "run.method: neural-wang-landau needs neural among run.moves",
		"run.method=canonical run.moves=neural run.max_time=1s":                       "run.moves: a network is not trained",
		"run.method=canonical":                                                        "production.passes: canonical sampling needs",
		"run.method=canonical windows.count=2 run.max_time=1s":                        "windows.count: 2",
		"run.method=van-wang-landau run.moves=[local,neural]":                         "run.moves: [local neural], but van-wang-landau has no walkers to move, only the network's draws; take [neural]",
		"run.method=van-wang-landau run.moves=local":                                  "run.moves: [local]",
		"run.method=van-wang-landau model.architecture=microcanonical":                "model.architecture: proposals of the microcanonical depend on a state or an energy, but van-wang-landau needs unconditional draws; take made",
		"run.method=van run.beta=0.5 model.architecture=rbm":                          "model.architecture: the probabilities of the rbm are known up to a constant alone, but van needs that of each draw; take made or conv, or run.method canonical",
		"model.architecture=rbm model.hidden=0":                                       "model.hidden: 0",
		"model.hidden_kind=round":                                                     `model.hidden_kind: "round" is not one of dense, convolutional`,
		"model.gibbs_steps=65":                                                        "model.gibbs_steps: 65",
		"trainer.regression=1.5":                                                      "trainer.regression: 1.5",
		"model.tie=colour":                                                            `model.tie: "colour" is not one of energy, order`,
		"model.tie=order":                                                             "model.tie: order without a weight; set model.energy_weight, as to 50",
		"model.tie=order model.energy_weight=50 model.bundle=nets/tied":               "model.tie: order, but model.bundle has a tie of its own",
		"model.kernel=4":                                                              "model.kernel: 4 is not an odd number within 3..7",
		"model.architecture=microcanonical model.order=columns":                       `model.order: "columns" is not one of raster, diagonal, checkerboard`,
		"model.architecture=made model.order=checkerboard":                            "model.order: checkerboard is an order of model.architecture microcanonical, not of made",
		"model.architecture=conv model.order=diagonal":                                "model.order: diagonal is an order of model.architecture microcanonical, not of conv; leave it out",
		"model.bundle=pretrained/potts-q10 model.order=diagonal":                      "model.order: diagonal, but model.bundle has an order of its own; leave it out, or take model.init",
		"model.depth=0":                                                               "model.depth: 0 is not within 1..64",
		"run.method=van-wang-landau windows.count=2":                                  "windows.count: 2",
		"run.method=van-wang-landau run.walkers=1":                                    "run.walkers: 1, but a batch",
		"run.method=van-wang-landau system.model=potts3d model.architecture=conv":     "model.architecture: convolutions are made for lattices with two sides",
		"run.method=van":                                                              "run.beta: van needs an inverse temperature, in units of 1/J, or several in run.betas",
		"run.method=van run.betas=[0.5] run.beta=0.5":                                 "run.beta: 0.5, but run.betas are also given; give one of them",
		"run.method=van run.betas=[0.5,0.6,0.5]":                                      "run.betas: 0.5 is listed twice",
		"run.method=van run.betas=[0.5,warm]":                                         "run.betas",
		"run.method=van run.beta=0.5 run.moves=local":                                 "run.moves: [local], but van has no walkers to move, only the network's draws; take [neural], or run.method canonical",
		"run.method=van run.beta=0.5 trainer.every=0":                                 "production.passes: van with a network that is not trained (trainer.every 0) needs",
		"run.method=van run.beta=0.5 neural.frames=false":                             "trainer.symmetrise: the network would learn for the mean over frames, which neural.frames turns off",
		"run.method=van run.beta=0.5 van.steps=0":                                     "van.steps: 0 is below",
		"run.method=van run.beta=0.5 van.anneal=2":                                    "van.anneal: 2 is not within 0..1",
		"run.method=canonical run.betas=[0.5] run.max_time=1s":                        "run.betas: [0.5], but only run.method van samples at several temperatures",
		"run.method=metropolis":                                                       "run.method: \"metropolis\" is not one of",
		"run.beta=1.2":                                                                "run.beta: 1.2, but only run.method canonical",
		"windows.count=3":                                                             "run.walkers: 256 is not a multiple of windows.count 3, but all windows need equally many; take 258",
		"windows.count=64 run.walkers=64 system.q=3 system.size=6x6":                  "windows.count: 64 windows of the 73 levels of potts q=3 6x6 are too narrow with windows.overlap 0.5: each needs at least 9 levels and must share more than 4 with the next; take at most 17, or 16 with run.walkers 64",
		"windows.count=20 run.walkers=40 system.q=3 system.size=6x6":                  "take at most 17, or 10 with run.walkers 40, or windows.overlap 0.6",
		"windows.count=2 run.walkers=2 system.model=blume_capel system.crystal_field=1.99 system.size=3x3 windows.overlap=0.1": "windows.count: 2 windows",
		"windows.overlap=0.95":                                    "windows.overlap: 0.95",
		"local.move=cluster local.order=random":                   "local.order: random, but local.move cluster goes through the sites in sequence",
		"run.method=canonical run.max_time=1s run.beta=.inf":      "run.beta: .inf",
		"neural.shift=4":                                          "neural.shift: 4, but the network to be built takes no energy shift; set model.energy_weight",
		"wang_landau.schedule=slow":                               `wang_landau.schedule: "slow" is not one of 1/t, halving, constant`,
		"wang_landau.schedule=constant run.method=multicanonical": "wang_landau.schedule: constant, but run.method multicanonical has no ln f; leave it out, or take run.method wang-landau",
		"wang_landau.ln_f=2":                                      "wang_landau.ln_f: 2 is not within 0..1; 0 chooses it",
		"wang_landau.ln_f=1e-8":                                   "wang_landau.ln_f: 1e-08 is not above wang_landau.final_ln_f 5e-07",
		"wang_landau.ln_f=0.1 run.method=metadynamics":            "wang_landau.ln_f: 0.1, but run.method metadynamics has no ln f; leave it out",
		"wang_landau.exploration=0.5":                             "wang_landau.exploration: 0.5 is not a number of at least 1",
		"metadynamics.height=-1":                                  "metadynamics.height: -1 is not a positive number; 0 chooses it",
		"metadynamics.width=0":                                    "metadynamics.width: 0 is not a positive number",
		"metadynamics.bias_factor=1":                              "metadynamics.bias_factor: 1 is not above 1; 0 chooses it, and -1 stands for hills of one height",
		"metadynamics.height=0.01":                                "metadynamics.final_height: 0.03 is not below metadynamics.height 0.01, with which hills begin; lower it, or raise that",
		"multiple_gaussian.width=.nan":                            "multiple_gaussian.width",
		"multiple_gaussian.sweeps=0":                              "multiple_gaussian.sweeps: 0 is not within 1..",
		"model.energy_weight=-1":                                  "model.energy_weight: -1",
	} {
		if _, err := config.Load("", strings.Fields(settings)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", settings, err, want)
		}
	}
}

// TestFaults checks that every fault is reported by its key.
func TestFaults(t *testing.T) {
	t.Setenv("NWL_SYSTEM_QQ", "1")
	_, err := config.Load(file(t, "system: {q: 1, sizes: [3, 3]}\nmodel: {latent: 0}\n"), []string{
		"system.size=2x8", "run.walkers=0", "run.moves=[local, local, cluster]", "local.move=wolff", "neural.partial=1.5",
		"wang_landau.flatness=1", "wang_landau.final_ln_f=0", "production.passes=-1", "model.floor=0", "trainer.batch=0",
		"trainer.learning_rate=.nan", "inference.provider=tpu", "metrics.listen=nowhere", "log.level=loud", "run.max_time=-1s", "runs.seed=1", "nonsense",
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"NWL_SYSTEM_QQ", "system.sizes", "did you mean system.size?", "did you mean run.seed?", "--set key=value",
		"system.q:", "system.size:", "run.walkers:", "run.moves: \"cluster\"", "listed twice", "local.move:", "neural.partial:",
		"wang_landau.flatness:", "wang_landau.final_ln_f:", "production.passes:", "model.latent:", "model.floor:",
		"trainer.batch:", "trainer.learning_rate:", "inference.provider:", "metrics.listen:", "log.level:", "run.max_time:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// TestRemote names what a network on a model server needs, and takes what is complete.
func TestRemote(t *testing.T) {
	_, err := config.Load("", []string{"inference.provider=remote"})
	for _, want := range []string{"inference.url:", "inference.model:", "model.bundle:", "trainer.every:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	whole := []string{"inference.provider=remote", "inference.url=http://127.0.0.1:8001", "inference.model=a/b/3", "model.bundle=b", "trainer.every=0"}
	c, err := config.Load("", whole)
	if err != nil {
		t.Fatal(err)
	}
	if name, version := c.Inference.OnServer(); name != "a/b" || version != "3" || !c.Inference.Remote() {
		t.Errorf("network %q, version %q", name, version)
	}
	// Without a network nothing is needed for it.
	if _, err := config.Load("", append(whole[:3:3], "run.method=wang-landau")); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"inference.url=127.0.0.1:8001", "inference.url=ftp://a", "inference.model=a", "inference.model=a/", "inference.retries=-1"} {
		key, _, _ := strings.Cut(bad, "=")
		for _, provider := range []string{"remote", "cpu"} {
			if _, err := config.Load("", append(whole[1:5:5], bad, "inference.provider="+provider)); err == nil || !strings.Contains(err.Error(), key+":") {
				t.Errorf("%s with %s: %v", bad, provider, err)
			}
		}
	}
}

// TestUnreadableValues checks that values of the wrong kind are reported together with
// faults of other keys, and without a second fault for the same key.
func TestUnreadableValues(t *testing.T) {
	_, err := config.Load("", []string{"system.q=abc", "run.max_time=soon", "run.walkers=0"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"system.q: abc:", "run.max_time: soon:", "run.walkers: 0"} {
		if strings.Count(err.Error(), want[:strings.Index(want, ":")+1]) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("not exactly one %q in:\n%v", want, err)
		}
	}
}

// TestStrictNumbers checks that nothing is truncated, wrapped, or taken for a number
// without being one.
func TestStrictNumbers(t *testing.T) {
	for _, bad := range []string{
		"system.q=3.9", "system.q=", "system.size=[3.5, 4]", "run.workers=true", "run.workers=1e19", "run.seed=-1", "run.seed=1e20", "run.seed=",
		"run.max_time=90", "run.max_time=", "neural.partial=true", "neural.partial=",
	} {
		key, _, _ := strings.Cut(bad, "=")
		if _, err := config.Load("", []string{bad}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	c := load(t, "", "system.q='4'", "system.size=010x8", "run.seed=0", "run.max_time=0", "trainer.buffer=1e6", "neural.partial=1")
	if c.System.Q != 4 || c.System.Size[0] != 10 || c.Run.Seed != 0 || c.Run.MaxTime != 0 || c.Trainer.Buffer != 1e6 || c.Neural.Partial != 1 {
		t.Errorf("read %+v", c)
	}
}

// TestFileFaults checks that nothing in a file is ignored and that errors name the fault.
func TestFileFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"system: {q: 3, Q: 4}", "system.q: given twice"},
		{"system: {q: 3}\nSystem: {q: 4}", "system.q: given twice"},
		{"system: {q: }", "system.q: "},
		{"system: {q: {a: 1}}", "system.q: a mapping"},
		{"system: 3", "system: not a list of keys"},
		{"sistem: {q: 3}", "did you mean system?"},
		{"system.q: 3", "system.q: no such key"},
		{"system: {q: 3}\n---\nsystem: {q: 4}", "more than one document"},
		{"run: {walkers: &n 5}\nsystem: {q: *n}", "line 2: aliases are not supported; write out what *n stands for"},
		{"#" + strings.Repeat("x", 1<<16), "larger than 65536 bytes"},
	} {
		if _, err := config.Load(file(t, c.text), nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: %v", c.text, err)
		}
	}
	if c := load(t, file(t, "metrics: {listen: }\nRUN: {SEED: 7}\nlocal:\n")); c.Metrics.Listen != "" || c.Run.Seed != 7 {
		t.Errorf("listen %q, seed %d", c.Metrics.Listen, c.Run.Seed)
	}
}

// freeText are the keys that take any text in one line.
var freeText = map[string]bool{"model.bundle": true, "model.init": true, "inference.library": true}

// TestText takes the text of --set and the environment as it is.
func TestText(t *testing.T) {
	for _, text := range []string{"b #1/bundle", "!x", "007", "null", "~", "true", "a: b", "{x}", "'quoted'", "1e3", "0x1F", " spaced ", "über/größe", "*a", "- b", "%"} {
		c := load(t, "", "model.bundle="+text)
		if c.Model.Bundle != text {
			t.Errorf("--set model.bundle=%s is read as %q", text, c.Model.Bundle)
		}
		written, err := c.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if c := load(t, file(t, string(written))); c.Model.Bundle != text {
			t.Errorf("%q comes back from its file as %q", text, c.Model.Bundle)
		}
		t.Setenv("NWL_MODEL_INIT", text)
		if c := load(t, ""); c.Model.Init != text {
			t.Errorf("NWL_MODEL_INIT=%s is read as %q", text, c.Model.Init)
		}
		t.Setenv("NWL_MODEL_INIT", "")
	}
	if c := load(t, "", "metrics.listen=[::1]:9464"); c.Metrics.Listen != "[::1]:9464" {
		t.Errorf("listen %q", c.Metrics.Listen)
	}
	if c := load(t, file(t, "model: {bundle: 007}")); c.Model.Bundle != "007" {
		t.Errorf("the file's 007 is read as %q", c.Model.Bundle)
	}
	for _, text := range []string{"!x y", "!!binary aGk="} {
		if _, err := config.Load(file(t, "model: {bundle: "+text+"}"), nil); err == nil || !strings.Contains(err.Error(), "model.bundle: the YAML tag") {
			t.Errorf("%s in a file: %v", text, err)
		}
	}
}

// TestDecimal reads numbers in decimal digits and no others, wherever they stand.
func TestDecimal(t *testing.T) {
	const text = "system: {size: [010, 0x9]}\n"
	c := load(t, file(t, "system: {size: [010, 009]}\nrun: {seed: 010, walkers: 032, beta: 00.0}\nproduction: {passes: 0200}\nneural: {partial: 01}\n"))
	if !reflect.DeepEqual(c.System.Size, []int{10, 9}) || c.Run.Seed != 10 || c.Run.Walkers != 32 || c.Production.Passes != 200 || c.Neural.Partial != 1 {
		t.Errorf("the file is read as %+v", c)
	}
	t.Setenv("NWL_RUN_SEED", "008")
	if c := load(t, "", "run.walkers=+064", "system.size=[010,010]", "train.sizes=[010x8]"); c.Run.Seed != 8 || c.Run.Walkers != 64 || c.System.Size[0] != 10 || c.Train.Sizes[0] != "010x8" {
		t.Errorf("read %+v", c)
	}
	os.Unsetenv("NWL_RUN_SEED")
	for _, bad := range []string{"0x10", "0b11", "0o17", "1_000", "0X1p4", "1_0.5", ".inf", "Inf", "NaN", "--1", "1e", "٣"} {
		for _, key := range []string{"run.seed", "run.walkers", "system.size", "neural.partial", "wang_landau.final_ln_f"} {
			if _, err := config.Load("", []string{key + "=" + bad}); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s=%s: %v", key, bad, err)
			}
			section, name, _ := strings.Cut(key, ".")
			if _, err := config.Load(file(t, section+": {"+name+": "+bad+"}"), nil); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %s in a file: %v", key, bad, err)
			}
		}
	}
	if _, err := config.Load(file(t, text), nil); err == nil || !strings.Contains(err.Error(), "system.size") {
		t.Errorf("%s: %v", text, err)
	}
	if c := load(t, "", "production.mix=0100:01", "run.max_time=010s"); c.Run.MaxTime != 10*time.Second {
		t.Errorf("run.max_time=010s is read as %v", c.Run.MaxTime)
	} else if mix, err := config.ParseMix(c.Production.Mix); err != nil || mix != (config.Mix{Sweeps: 100, Trials: 1}) {
		t.Errorf("production.mix=0100:01 is read as %v: %v", mix, err)
	}
}

// TestUnsetVariables gives what a job script gives that misspells a variable, and variables
// in a file, where nothing replaces them.
func TestUnsetVariables(t *testing.T) {
	for _, key := range []string{"run.seed", "run.walkers", "run.beta", "run.max_time", "system.size"} {
		if _, err := config.Load("", []string{key + "="}); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "empty, as an unset shell variable") {
			t.Errorf("%s=: %v", key, err)
		}
		section, name, _ := strings.Cut(key, ".")
		for _, text := range []string{"${TASK}", "$TASK", "8x$TASK"} {
			if _, err := config.Load(file(t, section+":\n  "+name+": "+text+"\n"), nil); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "not replaced in files") {
				t.Errorf("%s: %s in a file: %v", key, text, err)
			}
		}
	}
}

// TestHostileInput gives values of the wrong kind everywhere: each must give an error,
// never a panic or a silent default.
func TestHostileInput(t *testing.T) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(config.Default)); err != nil {
		t.Fatal(err)
	}
	for _, key := range v.AllKeys() {
		for _, value := range []string{"{a: {b: [1]}}", "[[1], [2]]", "[", "\x00", "a\nb"} {
			if freeText[key] && value[0] >= ' ' && !strings.Contains(value, "\n") {
				continue
			}
			if _, err := config.Load("", []string{key + "=" + value}); err == nil {
				t.Errorf("%s=%s was accepted", key, value)
			}
		}
	}
	for _, text := range []string{"system: 3", "system: [1, 2]", "- a\n- b", "run: null\nsystem: {size: 1e400}", strings.Repeat("{a: ", 5000)} {
		if _, err := config.Load(file(t, text), nil); err == nil && !strings.HasPrefix(text, "run: null") {
			t.Errorf("the file %.40q was accepted", text)
		}
	}
}

// TestKeys compares the keys of the defaults with the fields of Config.
func TestKeys(t *testing.T) {
	v := viper.New()
	v.SetConfigType("yaml")
	if err := v.ReadConfig(strings.NewReader(config.Default)); err != nil {
		t.Fatal(err)
	}
	inFile := map[string]bool{}
	for _, key := range v.AllKeys() {
		inFile[key] = true
	}
	sections := reflect.TypeFor[config.Config]()
	for i := range sections.NumField() {
		section := sections.Field(i)
		for k := range section.Type.NumField() {
			field := section.Type.Field(k)
			key := section.Tag.Get("mapstructure") + "." + field.Tag.Get("mapstructure")
			if yaml, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); yaml != field.Tag.Get("mapstructure") {
				t.Errorf("%s is %s in YAML", key, yaml)
			}
			if !inFile[key] {
				t.Errorf("%s has no default", key)
			}
			delete(inFile, key)
		}
	}
	for key := range inFile {
		t.Errorf("%s has no field", key)
	}
}

// TestDefaultsOfArchitecture checks that an architecture gets its own training defaults
// unless others are given.
func TestDefaultsOfArchitecture(t *testing.T) {
	for _, c := range []struct {
		assignments string
		batch       int
		rate, floor float64
	}{
		{"run.seed=2", 256, 2e-3, 1e-3},
		{"model.architecture=conv", 64, 5e-3, 1e-3},
		{"model.architecture=microcanonical", 64, 1e-2, 3e-5},
		{"model.architecture=microcanonical trainer.batch=32 trainer.learning_rate=3e-3 model.floor=1e-4", 32, 3e-3, 1e-4},
		{"model.architecture=microcanonical model.bundle=pretrained/potts-q10", 256, 2e-3, 1e-3},
		{"model.architecture=rbm system.q=2", 128, 5e-3, 1e-3},
		{"model.architecture=rbm", 64, 1e-2, 1e-3},
		{"model.architecture=rbm model.hidden_kind=dense", 128, 5e-3, 1e-3},
		{"run.method=van-wang-landau", 256, 2e-3, 1e-3},
		{"run.method=van run.beta=0.5", 256, 2e-3, 1e-3},
	} {
		got := load(t, "", strings.Fields(c.assignments)...)
		if got.Trainer.Batch != c.batch || got.Trainer.LearningRate != c.rate || got.Model.Floor != c.floor {
			t.Errorf("%s: batch %d, learning rate %g, floor %g, want %d, %g, %g", c.assignments,
				got.Trainer.Batch, got.Trainer.LearningRate, got.Model.Floor, c.batch, c.rate, c.floor)
		}
	}
}

// TestCompose takes a configuration from elsewhere, whatever the environment says, with the
// defaults that depend on it.
func TestCompose(t *testing.T) {
	t.Setenv("NWL_RUN_SEED", "8")
	t.Setenv("NWL_SYSTEM_NONSENSE", "8")
	c, err := config.Compose([]byte("system: {model: blume_capel}\nrun: {walkers: 9}\n"), []string{"run.walkers=16"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Run.Seed != 1 || c.Run.Walkers != 16 || c.System.Q != 3 || !slices.Equal(c.Run.Moves, []string{config.LocalMoves}) {
		t.Errorf("%+v", c)
	}
	if _, err := config.Compose([]byte("run: {sead: 1}\nsystem: {q: 1}"), nil); err == nil || !strings.Contains(err.Error(), "run.sead") || !strings.Contains(err.Error(), "system.q") {
		t.Errorf("faults: %v", err)
	}
}

// TestSystemOf makes every system from what its Parameters say.
func TestSystemOf(t *testing.T) {
	t.Setenv("NWL_SYSTEM_Q", "7")
	for _, model := range config.Models {
		if model == config.File {
			continue
		}
		c, err := config.Compose(nil, []string{"system.model=" + model})
		if err != nil {
			t.Fatal(err)
		}
		switch model {
		case config.BlumeCapel:
			c.System.CrystalField, c.System.Bin = 1.2501, 0.5
		case config.IsingField:
			c.System.Field = 0.5
		case config.RandomBond:
			c.System.Antiferromagnetic, c.System.DisorderSeed = 0.3, 9
		}
		want, err := c.System.New()
		if err != nil {
			t.Fatal(err)
		}
		of, err := config.SystemOf(model, want.Colours(), c.System.Size, c.System.Parameters(), &c.System.DisorderSeed)
		if model != config.RandomBond {
			of, err = config.SystemOf(model, want.Colours(), c.System.Size, c.System.Parameters(), nil)
		}
		if err != nil {
			t.Errorf("%s: %v", model, err)
			continue
		}
		if got, err := of.New(); err != nil || got.String() != want.String() {
			t.Errorf("%s: %v, %v, want %v", model, got, err, want)
		}
	}
	if _, err := config.SystemOf("brain", 2, []int{4, 4}, nil, nil); err == nil {
		t.Error("an unknown model was accepted")
	}
}

// TestParseRetired reads a configuration of an earlier version that has a key that is no more, unless
// its value asks for something that is no more, either.
func TestParseRetired(t *testing.T) {
	if _, err := config.Parse([]byte("production: {passes: 7, targets: histogram}\n")); err != nil {
		t.Error(err)
	}
	if _, err := config.Parse([]byte("production: {targets: phases}\n")); err == nil || !strings.Contains(err.Error(), "targets") {
		t.Errorf("a key that is no more: %v", err)
	}
}
