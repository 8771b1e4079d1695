package modelserver

import (
	"context"
	"time"

	"neuralwl/internal/oip"
)

// infer carries out a request: decode reads it, encode writes the answer.
func (s *Server) infer(ctx context.Context, name, version string, decode func() (*oip.Request, error), encode func(*oip.Request, *oip.Response) error) error {
	began := time.Now()
	m, err := s.acquire(name, version)
	if err != nil {
		return err
	}
	defer m.handle.Release()
	w, err := s.results(ctx, m, decode, encode)
	if err != nil {
		s.statistics.failed(m, time.Since(began))
		return err
	}
	s.statistics.succeeded(w, began, time.Now())
	return nil
}

func (s *Server) results(ctx context.Context, m *model, decode func() (*oip.Request, error), encode func(*oip.Request, *oip.Response) error) (*work, error) {
	r, err := decode()
	if err != nil {
		return nil, bad(err)
	}
	if err := s.hold(ctx, r); err != nil {
		return nil, err
	}
	w, err := m.work(r)
	if err != nil {
		return nil, err
	}
	if r.Timeout > 0 && r.Timeout < int64(time.Hour/time.Microsecond) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(r.Timeout)*time.Microsecond)
		defer cancel()
	}
	if err := s.batcher.do(ctx, w); err != nil {
		return nil, err
	}
	return w, encode(r, w.response(r))
}
