package modelserver

import (
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"neuralwl/internal/oip"
	"os"
	"sync"
)

// copies is how many times the bytes of a request are in memory at most: as its body, as tensors,
// gathered with others, and as results.
const copies = 4

// budget is the memory of all requests.
type budget struct {
	mutex sync.Mutex
	left  int64
}

// lease is what one request has of a budget.
type lease struct {
	budget *budget
	taken  int64
}

// errMemory and errQueue refuse a request, which can be sent again.
var (
	errMemory = full(errors.New("the requests under way need all the memory that there is for them; send it again later, or raise serving.memory"))
	errQueue  = full(errors.New("too many requests are under way; send it again later, or raise serving.requests"))
)

// take takes bytes more, or none if they are not there.
func (l *lease) take(bytes int64) error {
	l.budget.mutex.Lock()
	defer l.budget.mutex.Unlock()
	if bytes > l.budget.left {
		return errMemory
	}
	l.budget.left -= bytes
	l.taken += bytes
	return nil
}

// leaseKey is the context's key of the lease of a request.
type leaseKey struct{}

// hold has the lease of a request cover its tensors, which can be larger than the text or message
// that they were in.
func (s *Server) hold(ctx context.Context, r *oip.Request) error {
	bytes := int64(0)
	for _, t := range r.Inputs {
		bytes += 4 * int64(len(t.Int32)+len(t.Float32))
	}
	if bytes > s.most() {
		return errSize(s.most())
	}
	l := ctx.Value(leaseKey{}).(*lease)
	return l.take(max(0, copies*bytes-l.taken))
}

// end gives all back.
func (l *lease) end() {
	l.budget.mutex.Lock()
	defer l.budget.mutex.Unlock()
	l.budget.left += l.taken
	l.taken = 0
}

// most is the number of bytes that one request can have: a body whose length is not known takes up
// to twice its memory.
func (s *Server) most() int64 { return s.o.Memory / (2 * copies) }

// read reads a body of at most that many bytes, with its memory, which a lease takes as it is
// read. hint is how long the body says that it is, -1 for unknown.
func read(body io.Reader, l *lease, most, hint int64) ([]byte, error) {
	if hint > most {
		return nil, errSize(most)
	}
	size := max(hint+1, 512) // one byte more than there is tells the end
	if err := l.take(copies * size); err != nil {
		return nil, err
	}
	data := make([]byte, 0, size)
	for {
		n, err := body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if int64(len(data)) > most {
			return nil, errSize(most)
		}
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
		if len(data) == cap(data) {
			if err := l.take(copies * int64(cap(data))); err != nil {
				return nil, err
			}
			data = append(make([]byte, 0, 2*cap(data)), data...)
		}
	}
}

// errSize refuses a request that could never be served.
func errSize(most int64) error {
	return large(fmt.Errorf("the request has more than %d bytes; send fewer rows at a time, or raise serving.memory", most))
}

// inflate reads what was compressed.
func inflate(encoding string, body io.Reader) (io.Reader, error) {
	var r io.Reader
	var err error
	switch encoding {
	case "", "identity":
		return body, nil
	case "gzip":
		r, err = gzip.NewReader(body)
	case "deflate":
		r, err = zlib.NewReader(body)
	default:
		return nil, unsupported(fmt.Errorf("the body is compressed by %q; gzip, deflate and identity are read", encoding))
	}
	if err != nil {
		return nil, bad(fmt.Errorf("the body is not compressed by %s: %w", encoding, err))
	}
	return r, nil
}

// compressionFault is an error of reading a body that was compressed.
func compressionFault(encoding string, err error) error {
	var f *fault
	var size *http.MaxBytesError
	if err == nil || encoding == "" || encoding == "identity" || errors.As(err, &f) || errors.As(err, &size) || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return bad(fmt.Errorf("the body is not compressed by %s: %w", encoding, err))
}
