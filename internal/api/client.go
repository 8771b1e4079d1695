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
	"strings"

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
	Before string
}

// List returns a page of runs, the newest first.
func (c *Client) List(ctx context.Context, f Filter) (*RunList, error) {
	query := url.Values{}
	for _, s := range f.States {
		query.Add("state", string(s))
	}
	for _, t := range f.Tags {
		query.Add("tag", t)
	}
	if f.Before != "" {
		query.Set("before", f.Before)
	}
	path := "/runs"
	if len(query) > 0 {
		// Lists are separated by commas.
		var parts []string
		for key, values := range query {
			parts = append(parts, key+"="+url.QueryEscape(strings.Join(values, ",")))
		}
		path += "?" + strings.Join(parts, "&")
	}
	return call[RunList](ctx, c, http.MethodGet, path, nil)
}

// Change changes a run.
func (c *Client) Change(ctx context.Context, id string, change RunChange) (*Run, error) {
	return call[Run](ctx, c, http.MethodPatch, "/runs/"+url.PathEscape(id), change)
}

// Delete deletes a run with its directory.
func (c *Client) Delete(ctx context.Context, id string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/runs/"+url.PathEscape(id), nil)
	return err
}

// call sends a request with a body of JSON, nil for none, and reads the answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (*T, error) {
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(text)
	}
	response, err := c.do(ctx, method, path, in, http.Header{"Content-Type": {"application/json"}})
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	out := new(T)
	if response.StatusCode == http.StatusNoContent {
		return out, nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("%s %s: the answer cannot be read: %w", method, path, err)
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
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.URL, err)
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	p := &Problem{Status: response.StatusCode, Title: response.Status}
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err == nil {
		json.Unmarshal(text, p) // else the status has to do
	}
	return nil, p
}
