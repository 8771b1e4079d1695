package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"

	"neuralwl/internal/oip/oippb"
)

// errTimeout is the cause of ending an evaluation that took too long.
var errTimeout = errors.New("no answer in time")

// infer sends a request, again and again if need be.
func (s *Server) infer(ctx context.Context, r *oippb.ModelInferRequest, retries int) (*oippb.ModelInferResponse, error) {
	if s.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.o.Timeout, fmt.Errorf("%w: more than %v (inference.timeout)", errTimeout, s.o.Timeout))
		defer cancel()
	}
	wait := s.o.Backoff
	for repeated := 0; ; repeated++ {
		answer, err := s.client.ModelInfer(ctx, r)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil || !passing(err) || repeated >= retries {
			err = s.explained(ctx, err)
			if repeated > 0 {
				err = fmt.Errorf("%w, after %d repetitions (inference.retries)", err, repeated)
			}
			return nil, err
		}
		s.repeated.note(r.GetModelName(), wait, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, longestBackoff)
	}
}

// passing reports whether a fault may pass. A server that starts again does not know its models
// yet, and one that is overloaded or stops says so in several ways.
func passing(err error) bool {
	switch connect.CodeOf(err) {
	case connect.CodeInvalidArgument, connect.CodeUnimplemented, connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeOutOfRange:
		return false
	}
	return true
}

// explained is an error of a call with its cause and a remedy.
func (s *Server) explained(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable:
		return fmt.Errorf("it cannot be reached: %w; start it, or correct inference.url", err)
	case connect.CodeUnauthenticated, connect.CodePermissionDenied:
		return fmt.Errorf("%w; put a token of the server into the environment variable NWL_INFERENCE_TOKEN", err)
	case connect.CodeUnimplemented:
		return fmt.Errorf("it does not serve the Open Inference Protocol by gRPC at this address: %w; correct inference.url", err)
	}
	if broken := (*net.OpError)(nil); errors.As(err, &broken) {
		return fmt.Errorf("it broke the connection: %w; correct inference.url if there is another server at this address", err)
	}
	return err
}

// repetitions counts repeated requests and logs some of them.
type repetitions struct {
	log   *slog.Logger
	count atomic.Int64
}

// note logs the first repetition, and further ones ever more rarely.
func (r *repetitions) note(model string, wait time.Duration, err error) {
	if n := r.count.Add(1); n&(n-1) == 0 {
		r.log.Warn("a request to the model server is repeated", "model", model, "after", wait, "reason", err, "times", n)
	}
}
