package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"neuralwl/internal/job"
)

// Client asks a daemon. The zero value asks no one; URL must be set.
type Client struct {
	URL   string // of the daemon, as in http://127.0.0.1:9465
	Token string // empty for none
	HTTP  *http.Client
}

// Problem is an answer that is an error (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
	} `json:"errors"`
}

// Error lists all that is wrong, a line for each.
func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, e := range p.Errors {
		text += "\n" + e.Message
		if e.Location != "" {
			text += " (" + e.Location + ")"
		}
	}
	return text
}

// ErrUnreachable is the error of a daemon that does not answer.
var ErrUnreachable = errors.New("the daemon cannot be reached")

// Submit submits a run.
func (c *Client) Submit(ctx context.Context, s Submission) (*Run, error) {
	return call[Run](ctx, c, http.MethodPost, "/runs", s)
}

// Get returns a run.
func (c *Client) Get(ctx context.Context, id string) (*Run, error) {
	return call[Run](ctx, c, http.MethodGet, "/runs/"+url.PathEscape(id), nil)
}

// Filter chooses runs of a list; its zero value keeps all.
type Filter struct {
	States []job.State
	Tags   []string
	// Group chooses the members of a group, Single what is a member of none.
	Group  string
	Single bool
	Before string
	Limit  int // runs of a page, 0 for the daemon's default
}

// List returns a page of runs, the newest first.
func (c *Client) List(ctx context.Context, f Filter) (*RunList, error) {
	// Lists are separated by commas.
	var states []string
	for _, s := range f.States {
		states = append(states, string(s))
	}
	query := url.Values{}
	for key, value := range map[string]string{"state": strings.Join(states, ","), "tag": strings.Join(f.Tags, ","), "before": f.Before, "group": f.Group} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if f.Single {
		query.Set("members", "false")
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	path := "/runs"
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return call[RunList](ctx, c, http.MethodGet, path, nil)
}

// ListAll returns all runs that a filter keeps, page by page.
func (c *Client) ListAll(ctx context.Context, f Filter) ([]Run, error) {
	f.Limit = maxPage
	var runs []Run
	for {
		page, err := c.List(ctx, f)
		if err != nil {
			return nil, err
		}
		if runs = append(runs, page.Runs...); page.Next == "" {
			return runs, nil
		}
		f.Before = page.Next
	}
}

// maxPage is how many runs the daemon puts on a page at most.
const maxPage = 1000

// Change changes a run.
func (c *Client) Change(ctx context.Context, id string, change RunChange) (*Run, error) {
	return call[Run](ctx, c, http.MethodPatch, "/runs/"+url.PathEscape(id), change)
}

// Delete deletes a run with its directory.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/runs/"+url.PathEscape(id), nil)
	return err
}

// answerTime bounds requests that are not streams.
const answerTime = time.Minute

// call sends a request with a body of JSON, nil for none, and reads the answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (*T, error) {
	return callWithin[T](ctx, answerTime, c, method, path, body)
}

// callWithin is call for an answer that may take so long.
func callWithin[T any](ctx context.Context, within time.Duration, c *Client, method, path string, body any) (*T, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("%w at %s: no answer within %v", ErrUnreachable, c.URL, within))
	defer cancel()
	response, err := c.do(ctx, method, path, in, http.Header{"Content-Type": {"application/json"}})
	if err != nil {
		return nil, err
	}
	return read[T](c, response)
}

// read reads an answer of JSON.
func read[T any](c *Client, response *http.Response) (*T, error) {
	defer response.Body.Close()
	out := new(T)
	if response.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("%s %s: the answer cannot be read; is it nwl serve that listens at %s? %w", response.Request.Method, response.Request.URL.Path, c.URL, err)
	}
	return out, nil
}

// do sends a request. An answer that is an error becomes a Problem.
func (c *Client) do(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+Prefix+path, body)
	if err != nil {
		return nil, err
	}
	r.Header = header
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	response, err := h.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if of := (*url.Error)(nil); errors.As(err, &of) {
			err = of.Err // without the address once more
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.URL, err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	p := &Problem{Status: response.StatusCode, Title: response.Status}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil || json.Unmarshal(text, p) != nil {
		p.Detail = fmt.Sprintf("%s; is it nwl serve that listens at %s?", response.Status, c.URL)
	}
	return nil, p
}
