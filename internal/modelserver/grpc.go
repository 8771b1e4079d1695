package modelserver

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"neuralwl/internal/oip"
	"neuralwl/internal/oip/oippb"
)

// rpc is the service of gRPC.
type rpc struct {
	s    *Server
	note Note
}

var _ oippb.GRPCInferenceServiceHandler = rpc{}

// rpcRoutes are the addresses of gRPC.
func (s *Server) rpcRoutes(note Note) []Route {
	// A message is inflated before connect sees it, within the limits; answers are not compressed,
	// since clients in Python ask for that whether or not they gain by it.
	path, handler := oippb.NewGRPCInferenceServiceHandler(rpc{s, note}, connect.WithCompression("gzip", nil, nil), connect.WithReadMaxBytes(int(s.most())))
	changes := map[string]string{"RepositoryModelLoad": loadChange, "RepositoryModelUnload": unloadChange}
	var routes []Route
	methods := oippb.File_grpc_service_proto.Services().ByName("GRPCInferenceService").Methods()
	for i := range methods.Len() {
		method := string(methods.Get(i).Name())
		r := Route{Pattern: "POST " + path + method, Handler: s.whole(handler), Change: changes[method], Most: mostSmall + prefix, RPC: true}
		if method == "ModelInfer" {
			r.Handler, r.Most = s.admitted(handler), s.most()+prefix
		}
		routes = append(routes, r)
	}
	return routes
}

// isRPC reports whether a request speaks gRPC.
func isRPC(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+"))
}

// prefix is the length of what goes before a message: whether it is compressed, and its length.
const prefix = 5

// readMessage reads the only message of a call, with its prefix, and inflates it.
func readMessage(r *http.Request, l *lease, most int64) ([]byte, error) {
	head := make([]byte, prefix)
	if _, err := io.ReadFull(r.Body, head); err != nil {
		return nil, bad(fmt.Errorf("the call has no message: %w", err))
	}
	length := int64(binary.BigEndian.Uint32(head[1:]))
	body := io.LimitReader(r.Body, length)
	hint, encoding := length, ""
	if head[0]&1 == 1 {
		encoding = r.Header.Get("Grpc-Encoding")
		var err error
		if body, err = inflate(encoding, body); err != nil {
			return nil, err
		}
		hint = -1
	}
	r.Header.Del("Grpc-Encoding")
	data, err := read(io.MultiReader(bytes.NewReader(head), body), l, most+prefix, hint+prefix)
	if err != nil {
		return nil, compressionFault(encoding, err)
	}
	if hint >= 0 && int64(len(data)) != prefix+length {
		return nil, bad(fmt.Errorf("the message says that it has %d bytes and ends after %d", length, len(data)-prefix))
	}
	data[0] = 0
	binary.BigEndian.PutUint32(data[1:], uint32(len(data)-prefix))
	return data, nil
}

// rpcFault is an error for the client.
func (s *Server) rpcFault(err error) error {
	if err == nil {
		return nil
	}
	return rpcError(s.status(err), err)
}

// described answers with a description, or the error of making it.
func described[M proto.Message](s *Server, m M, description any, err error) (M, error) {
	if err == nil {
		err = oip.ToProto(description, m)
	}
	return m, s.rpcFault(err)
}

func (c rpc) ServerLive(context.Context, *oippb.ServerLiveRequest) (*oippb.ServerLiveResponse, error) {
	return &oippb.ServerLiveResponse{Live: true}, nil
}

func (c rpc) ServerReady(context.Context, *oippb.ServerReadyRequest) (*oippb.ServerReadyResponse, error) {
	return &oippb.ServerReadyResponse{Ready: c.s.ready()}, nil
}

func (c rpc) ModelReady(_ context.Context, m *oippb.ModelReadyRequest) (*oippb.ModelReadyResponse, error) {
	return &oippb.ModelReadyResponse{Ready: c.s.modelReady(m.GetName(), m.GetVersion())}, nil
}

func (c rpc) ServerMetadata(context.Context, *oippb.ServerMetadataRequest) (*oippb.ServerMetadataResponse, error) {
	return described(c.s, &oippb.ServerMetadataResponse{}, c.s.describe(), nil)
}

func (c rpc) ModelMetadata(_ context.Context, m *oippb.ModelMetadataRequest) (*oippb.ModelMetadataResponse, error) {
	d, err := c.s.metadata(m.GetName(), m.GetVersion())
	return described(c.s, &oippb.ModelMetadataResponse{}, d, err)
}

func (c rpc) ModelConfig(_ context.Context, m *oippb.ModelConfigRequest) (*oippb.ModelConfigResponse, error) {
	d, err := c.s.config(m.GetName(), m.GetVersion())
	return described(c.s, &oippb.ModelConfigResponse{}, map[string]any{"config": d}, err)
}

func (c rpc) ModelStatistics(_ context.Context, m *oippb.ModelStatisticsRequest) (*oippb.ModelStatisticsResponse, error) {
	d, err := c.s.stats(m.GetName(), m.GetVersion())
	return described(c.s, &oippb.ModelStatisticsResponse{}, d, err)
}

func (c rpc) RepositoryIndex(_ context.Context, m *oippb.RepositoryIndexRequest) (*oippb.RepositoryIndexResponse, error) {
	d, err := c.s.index(m.GetReady())
	return described(c.s, &oippb.RepositoryIndexResponse{}, map[string]any{"models": d}, err)
}

func (c rpc) RepositoryModelLoad(ctx context.Context, m *oippb.RepositoryModelLoadRequest) (*oippb.RepositoryModelLoadResponse, error) {
	return &oippb.RepositoryModelLoadResponse{}, c.s.rpcFault(c.s.loadModel(ctx, changeOf(m), c.note))
}

func (c rpc) RepositoryModelUnload(ctx context.Context, m *oippb.RepositoryModelUnloadRequest) (*oippb.RepositoryModelUnloadResponse, error) {
	return &oippb.RepositoryModelUnloadResponse{}, c.s.rpcFault(c.s.unloadModel(ctx, changeOf(m), c.note))
}

// changeOf reads a request to load or unload.
func changeOf(m interface {
	GetModelName() string
	GetParameters() map[string]*oippb.ModelRepositoryParameter
}) change {
	c := change{model: m.GetModelName(), parameters: map[string]string{}}
	for name, p := range m.GetParameters() {
		c.parameters[name] = p.GetStringParam()
	}
	return c
}

func (c rpc) ModelInfer(ctx context.Context, m *oippb.ModelInferRequest) (answer *oippb.ModelInferResponse, err error) {
	err = c.s.infer(ctx, m.GetModelName(), m.GetModelVersion(), func() (*oip.Request, error) { return oip.FromProto(m) },
		func(_ *oip.Request, a *oip.Response) error {
			answer = a.Proto()
			return nil
		})
	return answer, c.s.rpcFault(err)
}
