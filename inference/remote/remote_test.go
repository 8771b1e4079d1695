package remote_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"

	"neuralwl/exporter"
	"neuralwl/exporter/onnxpb"
	"neuralwl/inference/remote"
	"neuralwl/internal/bundletest"
	"neuralwl/internal/oip/oippb"
	"neuralwl/internal/oiptest"
	"neuralwl/internal/onnxtest"
	"neuralwl/models"
	"neuralwl/sampler"
)

var square = models.System{Model: models.Potts, Q: 3, Sides: []int{4, 4}}

func microcanonical(t *testing.T) *exporter.Bundle {
	return bundletest.New(t, models.Microcanonical, square, models.Hyperparameters{Width: 8, Window: 3, Floor: 1e-3})
}

// changed is the network with other weights.
func changed(t *testing.T, b *exporter.Bundle, factor float32) *exporter.Bundle {
	weights, err := b.Weights()
	if err != nil {
		t.Fatal(err)
	}
	factors := map[string]float32{}
	for name := range weights {
		factors[name] = factor
	}
	bundletest.Scale(t, b, factors)
	return b
}

// state is a server with a bundle under the name that options asks for.
func state(b *exporter.Bundle) oiptest.State {
	return oiptest.State{Bundles: map[string]*exporter.Bundle{"tiny/7": b}}
}

func options(s *oiptest.Server) remote.Options {
	return remote.Options{
		URL: s.URL, Model: "tiny", Version: "7", Timeout: time.Minute, Retries: 3, Backoff: 10 * time.Millisecond, Seed: 1,
		Log: slog.New(slog.DiscardHandler),
	}
}

func dial(t *testing.T, b *exporter.Bundle, o remote.Options) *remote.Server {
	t.Helper()
	s, err := remote.Dial(context.Background(), b, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// fill gives a batch random contents.
func fill(b *sampler.Batch, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range b.State {
		b.State[i] = int32(r.IntN(square.Q))
	}
	sampler.Uniforms(b.Uniform, r)
	for i := range b.Start {
		b.Start[i] = int32(i % 2 * r.IntN(b.Sites))
		if b.Shift != nil {
			b.Shift[i] = float32(r.IntN(9) - 4)
			b.Back[i] = -b.Shift[i]
		}
		if b.Target != nil {
			b.Target[i], b.Current[i] = -float32(r.IntN(33)), -float32(r.IntN(33))
		}
	}
}

// TestSame draws and evaluates the same through a server as here, for networks with every kind of
// condition, all places or some.
func TestSame(t *testing.T) {
	dense := models.Hyperparameters{Encoder: 8, Latent: 2, Decoder: 8, Floor: 1e-3, Noise: 0.3}
	shifted := dense
	shifted.EnergyWeight = 30
	for name, c := range map[string]struct {
		architecture string
		h            models.Hyperparameters
		silent       bool
	}{
		"state":         {models.Autoencoder, dense, false},
		"shift":         {models.Autoencoder, shifted, false},
		"nothing":       {models.Made, models.Hyperparameters{Decoder: 8, Floor: 1e-3}, true},
		"convolutional": {models.Conv, models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Floor: 1e-3}, false},
		"energy":        {models.Microcanonical, models.Hyperparameters{Width: 8, Window: 3, Floor: 1e-3}, true},
		"unnormalised":  {models.RBM, models.Hyperparameters{Hidden: 8, GibbsSteps: 2}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := bundletest.New(t, c.architecture, square, c.h)
			at := state(b)
			at.Silent = c.silent
			o, told := options(oiptest.New(t, at)), map[string]int{}
			var mutex sync.Mutex
			o.Evaluated = func(graph string, took time.Duration) {
				mutex.Lock()
				defer mutex.Unlock()
				told[graph]++
			}
			server := dial(t, b, o)
			if i := server.Info(); i.Name != "oiptest" || i.Version != "1.2" || i.Model != "tiny/7" {
				t.Errorf("server %+v", i)
			}
			const walkers, part = 50, 16
			there, here := server.NewProposer(walkers, part), onnxtest.Proposer(t, b, 2, walkers, part)
			if v := there.Pin(); v == 0 || v != there.Pin() || v == here.Pin() {
				t.Errorf("version %d", v)
			}
			for _, used := range []int{walkers, 1, 33} {
				x, y := there.Batch(), here.Batch()
				x.Used, y.Used = used, used
				fill(x, uint64(used))
				fill(y, uint64(used))
				for _, err := range []error{there.Propose(t.Context()), there.LogProb(t.Context()), here.Propose(t.Context()), here.LogProb(t.Context())} {
					if err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(x.Proposal[:used*x.Sites], y.Proposal[:used*x.Sites]) {
					t.Error("other proposals")
				}
				for i := range used {
					if d := math.Abs(float64(x.Forward[i] - y.Forward[i])); !(d < 1e-4) {
						t.Errorf("ln q of proposal %d is %v there and %v here", i, x.Forward[i], y.Forward[i])
					}
					if d := math.Abs(float64(x.Reverse[i] - y.Reverse[i])); !(d < 1e-4) {
						t.Errorf("ln q of reverse move %d is %v there and %v here", i, x.Reverse[i], y.Reverse[i])
					}
				}
			}
			if told["propose"] < 3 || told["propose"] != told["log_prob"] || len(told) != 2 {
				t.Errorf("told of the evaluations %v", told)
			}
		})
	}
}

// TestAngles draws and evaluates the same angles through a server as here, all of them and those of a half, and
// finds out a server that has another flow.
func TestAngles(t *testing.T) {
	s := models.System{Model: models.XY, Sides: []int{4, 4}}
	for name, half := range map[string]bool{"all": false, "half": true} {
		t.Run(name, func(t *testing.T) {
			h := models.Hyperparameters{Width: 4, Depth: 1, Kernel: 3, Layers: 2, Harmonics: []int{1, 2}, Half: half}
			b := bundletest.New(t, models.Flow, s, h)
			server := oiptest.New(t, state(b))
			there, here := dial(t, b, options(server)).NewAngles(50, 16), onnxtest.Angles(t, b, 2, 50, 16)
			if v := there.Pin(); v == 0 || v != there.Pin() || v == here.Pin() {
				t.Errorf("version %d", v)
			}
			for _, used := range []int{50, 1, 33} {
				x, y := there.Batch(), here.Batch()
				for _, b := range []*sampler.AngleBatch{x, y} {
					b.Used = used
					r := rand.New(rand.NewPCG(uint64(used), 0))
					for _, inputs := range [][]float32{b.State, b.Beta, b.Uniform} {
						sampler.Uniforms(inputs, r)
					}
				}
				for _, err := range []error{there.Propose(t.Context()), there.LogProb(t.Context()), here.Propose(t.Context()), here.LogProb(t.Context())} {
					if err != nil {
						t.Fatal(err)
					}
				}
				for name, both := range map[string][2][]float32{
					"angle": {x.Proposal[:used*x.Sites], y.Proposal}, "ln q as stated": {x.Drawn[:used], y.Drawn}, "ln q of a proposal": {x.Forward[:used], y.Forward}, "ln q of a state": {x.Reverse[:used], y.Reverse},
				} {
					for i, there := range both[0] {
						if here := both[1][i]; !(math.Abs(float64(there-here)) < 1e-4) {
							t.Fatalf("%s %d is %v there and %v here", name, i, there, here)
						}
					}
				}
			}
			other := changed(t, bundletest.New(t, models.Flow, s, h), 1.1)
			server.Change(func(s *oiptest.State) { s.Bundles = map[string]*exporter.Bundle{"tiny/7": other} })
			if err := there.Propose(t.Context()); err == nil || !strings.Contains(err.Error(), "is not bundle tiny") {
				t.Errorf("another flow draws: %v", err)
			}
			if err := there.LogProb(t.Context()); err == nil || !strings.Contains(err.Error(), "tiny.log_prob version 7 is not bundle") {
				t.Errorf("another flow evaluates: %v", err)
			}
		})
	}
}

// TestOpenShapes takes a bundle of another program that leaves all dimensions open, or says nothing
// of an output's shape.
func TestOpenShapes(t *testing.T) {
	b := microcanonical(t)
	for _, model := range []*onnxpb.ModelProto{b.Propose, b.LogProb} {
		for _, v := range model.Graph.Input {
			if dims := v.GetType().GetTensorType().GetShape().GetDim(); v.GetName() == models.State || v.GetName() == models.Uniform {
				dims[1].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "N"}
			}
		}
		for _, v := range model.Graph.Output {
			v.GetType().GetTensorType().Shape = nil
		}
	}
	p := dial(t, b, options(oiptest.New(t, state(b)))).NewProposer(5, 5)
	fill(p.Batch(), 1)
	if err := errors.Join(p.Propose(t.Context()), p.LogProb(t.Context())); err != nil {
		t.Error(err)
	}
}

// TestDialFaults tries servers that are not what they should be.
func TestDialFaults(t *testing.T) {
	b := microcanonical(t)
	larger := square
	larger.Sides = []int{5, 5}
	wrong := bundletest.New(t, models.Microcanonical, larger, b.Card.Hyperparameters)
	silent := state(wrong)
	silent.Silent = true
	guarded := state(b)
	guarded.Token = "secret"
	offset := microcanonical(t)
	bundletest.Offset(offset, 0.01)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close() // accepts, and never answers
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	for name, c := range map[string]struct {
		at     oiptest.State
		change func(*remote.Options)
		want   []string
	}{
		"no such network":     {state(b), func(o *remote.Options) { o.Model = "other" }, []string{"other.propose version 7", "other.log_prob version 7", "load it on the server"}},
		"no such version":     {state(b), func(o *remote.Options) { o.Version = "8" }, []string{"tiny.propose version 8", "inference.model"}},
		"another size":        {state(wrong), nil, []string{`its input "state" is INT32[-1 25], that of the bundle INT32[-1 16]`}},
		"another size unsaid": {silent, nil, []string{"bytes", "are right"}},
		"other weights":       {state(changed(t, microcanonical(t), 1.1)), nil, []string{"tiny.propose version 7 is not bundle tiny version 0", "ln q of a proposal", "model.bundle"}},
		"ln q off":            {state(offset), nil, []string{"is not bundle"}},
		"no token":            {guarded, nil, []string{"NWL_INFERENCE_TOKEN"}},
		"nobody":              {state(b), func(o *remote.Options) { o.URL = "http://127.0.0.1:1" }, []string{"cannot be reached", "inference.url"}},
		"not a server":        {state(b), func(o *remote.Options) { o.URL = page.URL }, []string{"inference.url"}},
		"no answer": {state(b), func(o *remote.Options) {
			o.URL, o.Timeout = "http://"+nobody.Addr().String(), 200*time.Millisecond
		}, []string{"no answer in time"}},
		"no address": {state(b), func(o *remote.Options) { o.URL = "127.0.0.1:8001" }, []string{"http://host:port"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(oiptest.New(t, c.at))
			if c.change != nil {
				c.change(&o)
			}
			_, err := remote.Dial(t.Context(), b, o)
			if err == nil {
				t.Fatal("no fault")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
	o := options(oiptest.New(t, guarded))
	o.Token = "secret"
	dial(t, b, o)
}

// TestFaults lets a server fail in mid-run: what may pass is repeated, all else is an error, and
// another network is found out with the first answer.
func TestFaults(t *testing.T) {
	b := microcanonical(t)
	var requests atomic.Int64
	failing := func(code connect.Code, times int64) func(*oiptest.State) {
		return func(s *oiptest.State) {
			s.Before = func(context.Context, *oippb.ModelInferRequest) error {
				if requests.Add(1) <= times {
					return connect.NewError(code, errors.New("made up"))
				}
				return nil
			}
		}
	}
	altering := func(f func(*oippb.ModelInferResponse)) func(*oiptest.State) {
		return func(s *oiptest.State) { s.Alter = f }
	}
	other := changed(t, microcanonical(t), 0.98)
	// half is a server that has other weights for log_prob alone.
	half := func(s *oiptest.State) {
		s.Bundles = map[string]*exporter.Bundle{"tiny/7": b, "tiny/8": other}
		s.Before = func(_ context.Context, r *oippb.ModelInferRequest) error {
			if strings.HasSuffix(r.ModelName, ".log_prob") {
				r.ModelVersion = "8"
			}
			return nil
		}
		s.Alter = func(r *oippb.ModelInferResponse) { r.ModelVersion = "7" }
	}
	for name, c := range map[string]struct {
		change   func(*oiptest.State)
		want     string // in the error; none for success
		requests int64  // 0 for not counted
	}{
		"overloaded":            {failing(connect.CodeResourceExhausted, 2), "", 4},
		"starting again":        {failing(connect.CodeNotFound, 3), "", 5},
		"for good":              {failing(connect.CodeUnavailable, 1000), "after 3 repetitions", 4},
		"refused":               {failing(connect.CodeInvalidArgument, 1), "made up", 1},
		"slow":                  {func(s *oiptest.State) { s.Before = sleep }, "no answer in time", 0},
		"other weights":         {func(s *oiptest.State) { s.Bundles = map[string]*exporter.Bundle{"tiny/7": other} }, "is not bundle tiny", 0},
		"other log_prob":        {half, "tiny.log_prob version 7 is not bundle", 0},
		"gone":                  {func(s *oiptest.State) { s.Bundles = nil }, "no model tiny.propose version 7", 0},
		"another version":       {altering(func(r *oippb.ModelInferResponse) { r.ModelVersion = "8" }), "of version 8, asked for was 7", 0},
		"another model":         {altering(func(r *oippb.ModelInferResponse) { r.ModelName = "x" }), `of the model "x"`, 0},
		"no version":            {altering(func(r *oippb.ModelInferResponse) { r.ModelName, r.ModelVersion = "", "" }), "", 0},
		"no output":             {altering(func(r *oippb.ModelInferResponse) { r.Outputs[0].Name = "x" }), `no output "log_q"`, 0},
		"a short output":        {altering(func(r *oippb.ModelInferResponse) { r.RawOutputContents[0] = r.RawOutputContents[0][4:] }), "bytes, right are", 0},
		"another type":          {altering(func(r *oippb.ModelInferResponse) { r.Outputs[0].Datatype = "FP64" }), "FP64", 0},
		"another shape":         {altering(func(r *oippb.ModelInferResponse) { r.Outputs[0].Shape = []int64{1} }), "right is FP32", 0},
		"contents of too few":   {altering(func(r *oippb.ModelInferResponse) { r.RawOutputContents = r.RawOutputContents[:0:0] }), "bytes, right are", 0},
		"elements one by one":   {altering(list), "", 0},
		"not the drawn ln q":    {altering(func(r *oippb.ModelInferResponse) { clear(r.RawOutputContents[0]) }), "is not bundle", 0},
		"a colour out of range": {altering(func(r *oippb.ModelInferResponse) { r.RawOutputContents[len(r.RawOutputContents)-1][0] = 9 }), "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := oiptest.New(t, state(b))
			o := options(server)
			if name == "slow" {
				o.Timeout = 3 * time.Second // enough to dial on a busy machine
			}
			p := dial(t, b, o).NewProposer(20, 32)
			fill(p.Batch(), 1)
			requests.Store(0)
			server.Change(c.change)
			err := p.Propose(t.Context())
			if err == nil {
				err = p.LogProb(t.Context())
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), server.URL) && !strings.Contains(err.Error(), "is not bundle") {
				t.Errorf("the server is not named: %v", err)
			}
			if n := requests.Load(); c.requests > 0 && n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
}

func sleep(ctx context.Context, _ *oippb.ModelInferRequest) error {
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
	}
	return ctx.Err()
}

// list writes the elements of an answer one by one, as some servers do.
func list(r *oippb.ModelInferResponse) {
	for i, o := range r.Outputs {
		o.Contents = &oippb.InferTensorContents{}
		raw := r.RawOutputContents[i]
		for k := 0; k < len(raw); k += 4 {
			bits := uint32(raw[k]) | uint32(raw[k+1])<<8 | uint32(raw[k+2])<<16 | uint32(raw[k+3])<<24
			if o.Datatype == "INT32" {
				o.Contents.IntContents = append(o.Contents.IntContents, int32(bits))
			} else {
				o.Contents.Fp32Contents = append(o.Contents.Fp32Contents, math.Float32frombits(bits))
			}
		}
	}
	r.RawOutputContents = nil
}

// TestRestart stops the server in the middle of a request, and starts it again.
func TestRestart(t *testing.T) {
	b := microcanonical(t)
	server := oiptest.New(t, state(b))
	o := options(server)
	o.Retries = 10
	p := dial(t, b, o).NewProposer(64, 8)
	fill(p.Batch(), 1)
	if err := p.Propose(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(p.Batch().Proposal, p.Batch().Forward)
	var stopped atomic.Bool
	server.Change(func(s *oiptest.State) {
		s.Before = func(context.Context, *oippb.ModelInferRequest) error {
			if stopped.CompareAndSwap(false, true) {
				server.Stop()
				time.AfterFunc(100*time.Millisecond, server.Start)
			}
			return nil
		}
	})
	clear(p.Batch().Proposal)
	if err := p.Propose(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(p.Batch().Proposal, p.Batch().Forward); got != want || !stopped.Load() {
		t.Error("the repeated requests have another result")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the test has seen enough"))
	if err := p.Propose(ctx); err == nil || !strings.Contains(err.Error(), "seen enough") && !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}
