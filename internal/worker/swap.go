package worker

import (
	"context"
	"encoding/json"
	"fmt"

	"neuralwl/internal/child"
	"neuralwl/internal/queue"
	"neuralwl/internal/run"
)

// SwapRequest asks for another network of a run; see run.Swap.
type SwapRequest struct {
	Bundle  string `json:"bundle"` // a folder that the worker can read
	Name    string `json:"name"`
	Restart bool   `json:"restart,omitempty"`
}

// SwapAnswer is an exchange of a run's network that was made.
type SwapAnswer = child.SwappedData

// request is what a worker is asked about a run.
type request struct {
	Swap *SwapRequest `json:"swap,omitempty"`
}

// Swap has the network of a run exchanged by the worker that performs it, and waits for the answer
// until ctx ends: loading takes seconds, a pass up to minutes. The error is a *run.SwapError if
// the run keeps its network, queue.ErrUnreachable if no worker has the run, and else about the
// queue: what became of the request is then unknown, but goes to the run's events.
func Swap(ctx context.Context, q *queue.Queue, id string, r SwapRequest) (a SwapAnswer, err error) {
	data, err := json.Marshal(request{Swap: &r})
	if err != nil {
		return a, err
	}
	if data, err = q.Control(ctx, id, data); err != nil {
		return a, err
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("answer of the worker of %s: %w", id, err)
	}
	return a, a.Err()
}

// answer returns what answers the requests about a run under way, until it has finished.
func answer(swaps chan<- child.Swap, finished <-chan struct{}) func([]byte) []byte {
	return func(data []byte) []byte {
		var r request
		refused := func(text string) child.SwappedData {
			return child.SwappedData{Error: text, Fault: run.SwapFailed}
		}
		reply := func(d child.SwappedData) []byte {
			text, err := json.Marshal(d)
			if err != nil {
				text, _ = json.Marshal(refused("the answer cannot be written: " + err.Error()))
			}
			return text
		}
		if err := json.Unmarshal(data, &r); err != nil || r.Swap == nil {
			return reply(refused("the worker does not know this request; is it of another version?"))
		}
		answered := make(chan child.SwappedData, 1)
		select {
		case swaps <- child.Swap{
			SwapOrder: child.SwapOrder{Bundle: r.Swap.Bundle, Name: r.Swap.Name, Restart: r.Swap.Restart},
			Reply:     func(d child.SwappedData) { answered <- d },
		}:
			return reply(<-answered)
		case <-finished:
			return reply(child.SwappedData{Name: r.Swap.Name, Error: "the run ended before the exchange", Fault: run.SwapEnded})
		}
	}
}
