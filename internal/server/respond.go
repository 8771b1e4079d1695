package server

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"neuralwl/internal/api"
	"neuralwl/internal/daemon"
)

// answerer writes an answer with a deadline for every write, and remembers what it was. There is
// no deadline in between: over HTTP/2 its end is that of the stream, whether or not anybody writes.
type answerer struct {
	http.ResponseWriter
	control *http.ResponseController
	time    time.Duration // for one write; a client that reads more slowly loses the answer
	status  int
	stream  bool                                                   // it lasted as long as the client wished
	refusal func(w http.ResponseWriter, status int, detail string) // nil for a problem document
}

func newAnswerer(w http.ResponseWriter, writeTime time.Duration) *answerer {
	a := &answerer{ResponseWriter: w, control: http.NewResponseController(w), time: writeTime}
	a.free() // of what the request before on the connection set
	return a
}

// hurry sets the deadline and free takes it away. A writer of tests has none.
func (a *answerer) hurry() { a.control.SetWriteDeadline(time.Now().Add(a.time)) }
func (a *answerer) free()  { a.control.SetWriteDeadline(time.Time{}) }

func (a *answerer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	if status == http.StatusRequestTimeout || status == http.StatusRequestEntityTooLarge {
		a.Header().Set("Connection", "close") // the rest of the body may never come
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answerer) Write(data []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	a.hurry()
	defer a.free()
	return a.ResponseWriter.Write(data)
}

// FlushError sends what was written.
func (a *answerer) FlushError() error {
	a.hurry()
	defer a.free()
	return a.control.Flush()
}

// Unwrap is for http.ResponseController.
func (a *answerer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// refuse writes a problem document (RFC 9457), or the form that clients of an address expect.
func refuse(w http.ResponseWriter, status int, detail string) {
	if a, ok := w.(*answerer); ok && a.refusal != nil {
		a.refusal(w, status, detail)
		return
	}
	document, err := json.Marshal(huma.NewError(status, detail))
	if err != nil {
		panic(err) // of strings and a number
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	w.Write(document)
}

// refuseError writes an error of the daemon.
func refuseError(w http.ResponseWriter, log *slog.Logger, err error) {
	status := http.StatusInternalServerError
	var known huma.StatusError
	if errors.As(problem(err), &known) {
		status = known.GetStatus()
	}
	if status >= 500 {
		log.Error("a request failed", "reason", err)
	}
	refuse(w, status, err.Error())
}

// problem turns an error of the daemon into a problem document.
func problem(err error) error {
	var known huma.StatusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case daemon.Missing(err):
		return huma.Error404NotFound(err.Error())
	case daemon.Taken(err), daemon.Impossible(err), errors.Is(err, errNone):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, daemon.ErrInvalid):
		return huma.Error422UnprocessableEntity("the request cannot be carried out", faults(err, nil)...)
	case daemon.Away(err):
		return huma.Error503ServiceUnavailable("the queue does not answer; runs go on, try again later: " + err.Error())
	case errors.Is(err, daemon.ErrFull):
		return huma.NewError(http.StatusInsufficientStorage, err.Error())
	}
	return huma.Error500InternalServerError(err.Error())
}

// submissionProblem is problem for a request that brought a configuration: every fault says
// which part of the body it is about.
func submissionProblem(err error, set []string) error {
	if errors.Is(err, daemon.ErrInvalid) {
		return huma.Error422UnprocessableEntity("the request cannot be carried out", faults(err, set)...)
	}
	return problem(err)
}

// faults splits an error that joins several, as that of a configuration does.
func faults(err error, set []string) []error {
	given := map[string]bool{}
	for _, s := range set {
		key, _, _ := strings.Cut(s, "=")
		given[strings.ToLower(strings.TrimSpace(key))] = true
	}
	detail := func(f daemon.Fault) error {
		d := &huma.ErrorDetail{Message: f.Text, Location: "body"}
		switch {
		case strings.HasPrefix(f.Text, "--set "):
			d.Location = "body.set"
		case f.Key == "":
		case given[f.Key]:
			d.Location = "body.set." + f.Key
		case strings.Contains(f.Key, "."):
			d.Location = "body.config." + f.Key
		case slices.Contains(fields, f.Key):
			d.Location = "body." + f.Key
		default:
			d.Location = "body.config"
		}
		return d
	}
	var all []error
	for _, one := range daemon.Faults(err) {
		all = append(all, detail(one))
	}
	return all
}

// fields are those of the bodies, beside the configuration itself.
var fields = []string{"id", "from", "config", "kind", "train", "bench", "compare", "weights", "set", "title", "tags", "notes", "wish", "bundle", "back", "phase", "follow", "name", "seeds", "betas", "only"}

// operation is an operation of the interface, which lists the errors that it may return beside
// those of every one.
func operation(method, path, id, summary string, more ...int) huma.Operation {
	all := append([]int{401, 403, 421, 500, 503}, more...)
	if method == http.MethodPost || method == http.MethodPatch || method == http.MethodPut {
		all = append(all, 400, 408, 413, 415, 422)
	}
	slices.Sort(all)
	return huma.Operation{Method: method, Path: api.Prefix + path, OperationID: id, Summary: summary, Tags: []string{"runs"}, Errors: slices.Compact(all)}
}
