package modelserver

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"

	"neuralwl/inference"
	"neuralwl/internal/oip"
	"neuralwl/internal/oip/oippb"
	"neuralwl/models"
)

// gate stops evaluations.
type gate struct {
	mutex   sync.Mutex
	closed  chan struct{} // until it is closed itself; nil: open
	reached chan struct{}
	err     error
}

func (g *gate) intercept(ctx context.Context, e inference.Evaluation) error {
	g.mutex.Lock()
	closed, reached, err := g.closed, g.reached, g.err
	g.mutex.Unlock()
	if err != nil {
		return err
	}
	if closed != nil {
		select {
		case reached <- struct{}{}:
		default:
		}
		<-closed
	}
	return e.Run(ctx)
}

// shut stops evaluations from now on until pass is called; reached is sent to when one waits.
func (g *gate) shut() (reached chan struct{}, pass func()) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	closed := make(chan struct{})
	g.closed, g.reached = closed, make(chan struct{}, 1)
	return g.reached, func() {
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.closed = nil
		close(closed)
	}
}

func (g *gate) fail(err error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.err = err
}

// waiting is how many works wait.
func (b *batcher) waiting() (n int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, q := range b.queues {
		n += len(q.works)
	}
	return n
}

// until waits until something is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not happen that %s", what)
		}
	}
}

// TestBatches has one evaluation wait while 30 clients ask in all ways: their requests are
// evaluated in a few batches within the limit, and every answer is that of the request alone.
func TestBatches(t *testing.T) {
	g := &gate{}
	p := open(t, func(o *Options) { o.Threads = 1 }, g.intercept)
	p.add(tinyBundle(t, models.Autoencoder, 1), "net")
	p.add(tinyBundle(t, models.Autoencoder, 1), "same")
	p.load("net")
	p.load("same")
	h := p.acquire("net")
	defer h.Release()
	const clients = 30
	in := make([][]oip.Tensor, clients)
	want := make([]result, clients)
	rows := 0
	for i := range in {
		m := 1 + i%9
		rows += m
		moved := moves(h, m, uint64(i))
		in[i] = proposeTensors(moved)
		proposal, logQ, err := h.Propose(t.Context(), moved)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = result{proposal: proposal, logQ: logQ}
	}
	reached, pass := g.shut()
	var wait sync.WaitGroup
	ask := func(i int) {
		wait.Go(func() {
			got, err := p.infer(ways[i%len(ways)], []string{"net", "same"}[i%2]+".propose", in[i])
			if err != nil || !slices.Equal(got.proposal, want[i].proposal) || !slices.Equal(got.logQ, want[i].logQ) {
				t.Errorf("client %d: %+v, %v, want %+v", i, got, err, want[i])
			}
		})
	}
	ask(0)
	<-reached // the only thread has work
	for i := range clients - 1 {
		ask(i + 1)
	}
	until(t, "all requests wait", func() bool { return p.server.batcher.waiting() == clients-1 })
	pass()
	wait.Wait()
	stats, err := p.server.stats("", "")
	if err != nil {
		t.Fatal(err)
	}
	var executions, count uint64
	for _, m := range stats.Models {
		executions, count = executions+m.ExecutionCount, count+m.InferenceCount
		for _, b := range m.Batches {
			if b.Size > 64 {
				t.Errorf("a batch with %d rows", b.Size)
			}
		}
	}
	// The first by itself, the others as full as whole requests of 9 rows at most allow.
	if most := uint64(1 + (rows+55)/56); executions > most || count != uint64(rows) {
		t.Errorf("%d evaluations of %d rows, at most %d of %d are right", executions, count, most, rows)
	}
}

// TestDelay has requests wait for each other when there is nothing else to do, if those before came
// together.
func TestDelay(t *testing.T) {
	p := open(t, func(o *Options) { o.Delay, o.Rows = time.Hour, 6 }, nil)
	p.add(tinyBundle(t, models.Made, 1), "net")
	p.add(tinyBundle(t, models.Made, 2), "other")
	p.load("net")
	p.load("other")
	h := p.acquire("net")
	defer h.Release()
	in := proposeTensors(moves(h, 2, 1))
	for range 2 { // a single client does not wait
		if _, err := p.infer("grpc", "other.propose", in); err != nil {
			t.Error(err)
		}
	}
	p.server.batcher.company = true
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			if _, err := p.infer("grpc", "net.propose", in); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait() // the third one fills the batch
	s, err := p.server.stats("net.propose", "")
	if err != nil || s.Models[0].ExecutionCount != 1 || s.Models[0].Batches[0].Size != 6 || s.Models[0].Inference.Success.Count != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	// One that gives up is not evaluated, and does not keep the others from it.
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	go func() {
		_, err := p.rpc.ModelInfer(ctx, rpcRequest("net.propose", in, true))
		gone <- err
	}()
	until(t, "it waits", func() bool { return p.server.batcher.waiting() == 1 })
	cancel()
	if err := <-gone; code(err) != connect.CodeCanceled {
		t.Error(err)
	}
	until(t, "it is gone", func() bool { return p.server.batcher.waiting() == 0 })
	m := rpcRequest("net.propose", in, true)
	m.Parameters = map[string]*oippb.InferParameter{"timeout": {ParameterChoice: &oippb.InferParameter_Int64Param{Int64Param: 5000}}}
	if _, err := p.rpc.ModelInfer(t.Context(), m); code(err) != connect.CodeDeadlineExceeded {
		t.Error(err)
	}
	body, headers := restBody(in, true)
	body = bytes.Replace(body, []byte(`"binary_data_output":true`), []byte(`"timeout":5000           `), 1)
	if status, _, text := p.ask(http.MethodPost, "/v2/models/net.propose/infer", body, headers...); status != 504 {
		t.Errorf("%d %s", status, text)
	}
}

// TestTooMany sends more requests than there may be while none is evaluated: those beyond are
// refused at once, so that they can be sent again, and all the others are answered.
func TestTooMany(t *testing.T) {
	const most = 6
	g := &gate{}
	p := open(t, func(o *Options) { o.Requests = most }, g.intercept)
	p.add(tinyBundle(t, models.Made, 1), "net")
	p.load("net")
	h := p.acquire("net")
	defer h.Release()
	in := proposeTensors(moves(h, 2, 1))
	_, pass := g.shut()
	var wait sync.WaitGroup
	for i := range most {
		wait.Go(func() {
			if got, err := p.infer(ways[i%len(ways)], "net.propose", in); err != nil || len(got.logQ) != 2 {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	until(t, "all places are taken", func() bool { return p.server.requests.Load() == most })
	body, headers := restBody(in, true)
	status, header, text := p.ask(http.MethodPost, "/v2/models/net.propose/infer", body, headers...)
	if status != 429 || header.Get("Retry-After") == "" || !strings.Contains(string(text), "serving.requests") {
		t.Errorf("%d %v %s", status, header, text)
	}
	if _, err := p.rpc.ModelInfer(t.Context(), rpcRequest("net.propose", in, true)); code(err) != connect.CodeResourceExhausted {
		t.Error(err)
	}
	// Whoever asks how it is gets an answer all the same.
	if r, err := p.rpc.ServerReady(t.Context(), &oippb.ServerReadyRequest{}); err != nil || !r.GetReady() {
		t.Errorf("%v, %v", r, err)
	}
	pass()
	wait.Wait()
	if _, err := p.infer("json", "net.propose", in); err != nil {
		t.Error(err)
	}
}

// TestMemory sends requests that need more memory than one may have, and than all may have
// together, in many forms.
func TestMemory(t *testing.T) {
	g := &gate{}
	p := open(t, func(o *Options) { o.Memory = 1 << 20 }, g.intercept)
	p.add(tinyBundle(t, models.Made, 1), "net")
	p.load("net")
	h := p.acquire("net")
	defer h.Release()
	// A row has 132 bytes.
	large, half := proposeTensors(moves(h, 1100, 1)), proposeTensors(moves(h, 900, 1))
	for _, way := range ways {
		_, err := p.infer(way, "net.propose", large)
		if err == nil || !strings.Contains(fmt.Sprint(err), "serving.memory") && !strings.Contains(fmt.Sprint(err), "larger than configured max") && !strings.Contains(fmt.Sprint(err), "too large") {
			t.Errorf("%s: %v", way, err)
		}
	}
	// Zeros take a thousandth when compressed.
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	for range 8 {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if status, _, text := p.ask(http.MethodPost, "/v2/models/net.propose/infer", bomb.Bytes(), "Content-Encoding", "gzip"); status != 413 {
		t.Errorf("%d %s", status, text)
	}
	zipping := oippb.NewGRPCInferenceServiceClient(&http.Client{Transport: h2(t)}, p.url, connect.WithGRPC(), connect.WithSendGzip())
	m := rpcRequest("net.propose", large, true)
	m.RawInputContents[0] = make([]byte, 8<<20)
	if _, err := zipping.ModelInfer(t.Context(), m); code(err) != connect.CodeResourceExhausted {
		t.Error(err)
	}
	if _, err := zipping.RepositoryIndex(t.Context(), &oippb.RepositoryIndexRequest{RepositoryName: strings.Repeat("x", 2<<20)}); code(err) != connect.CodeResourceExhausted {
		t.Error(err)
	}
	// Two fit, a third one does not.
	_, pass := g.shut()
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			if got, err := p.infer("binary", "net.propose", half); err != nil || len(got.logQ) != 900 {
				t.Error(err)
			}
		})
	}
	until(t, "the memory is taken", func() bool {
		p.server.budget.mutex.Lock()
		defer p.server.budget.mutex.Unlock()
		return p.server.budget.left < 1<<20-2*4*900*132
	})
	for _, way := range ways[1:] {
		if _, err := p.infer(way, "net.propose", half); err == nil || !strings.Contains(err.Error(), "all the memory") {
			t.Errorf("%s: %v", way, err)
		}
	}
	pass()
	wait.Wait()
	if _, err := p.infer("grpc", "net.propose", half); err != nil {
		t.Error(err)
	}
}
