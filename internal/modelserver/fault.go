package modelserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"

	"connectrpc.com/connect"
)

// fault is an error with what it is to a client.
type fault struct {
	status int // of HTTP
	err    error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func bad(err error) error         { return &fault{http.StatusBadRequest, err} }
func missing(err error) error     { return &fault{http.StatusNotFound, err} }
func large(err error) error       { return &fault{http.StatusRequestEntityTooLarge, err} }
func unsupported(err error) error { return &fault{http.StatusUnsupportedMediaType, err} }
func full(err error) error        { return &fault{http.StatusTooManyRequests, err} }
func unavailable(err error) error { return &fault{http.StatusServiceUnavailable, err} }

// statusOf is the status of HTTP of an error.
func statusOf(err error) int {
	var f *fault
	var size *http.MaxBytesError
	switch {
	case errors.As(err, &f):
		return f.status
	case errors.As(err, &size):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, context.Canceled), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout // or the client has gone
	}
	return http.StatusInternalServerError
}

// codes are the codes of gRPC by the status of HTTP.
var codes = map[int]connect.Code{
	http.StatusBadRequest: connect.CodeInvalidArgument, http.StatusUnauthorized: connect.CodeUnauthenticated, http.StatusForbidden: connect.CodePermissionDenied,
	http.StatusNotFound: connect.CodeNotFound, http.StatusMethodNotAllowed: connect.CodeUnimplemented, http.StatusRequestTimeout: connect.CodeCanceled,
	http.StatusRequestEntityTooLarge: connect.CodeResourceExhausted, http.StatusUnsupportedMediaType: connect.CodeUnimplemented,
	http.StatusMisdirectedRequest: connect.CodePermissionDenied, http.StatusTooManyRequests: connect.CodeResourceExhausted,
	http.StatusInternalServerError: connect.CodeInternal, http.StatusNotImplemented: connect.CodeUnimplemented, http.StatusServiceUnavailable: connect.CodeUnavailable, http.StatusGatewayTimeout: connect.CodeDeadlineExceeded,
}

// rpcError is an error for gRPC.
func rpcError(status int, err error) *connect.Error {
	code, ok := codes[status]
	if !ok {
		code = connect.CodeUnknown
	}
	return connect.NewError(code, err)
}
