package worker

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"neuralwl/internal/child"
	"neuralwl/internal/event"
	"neuralwl/internal/queue"
)

// reports passes what a child says on to the queue, in its order and apart from the child: a
// queue that does not answer must hold up neither the child nor what watches it.
type reports struct {
	queue   *queue.Queue
	lease   *queue.Lease
	files   *files
	timeout time.Duration // of each
	log     *slog.Logger

	in   chan child.Report
	over chan struct{} // closed when all are passed on

	dropped int // by add
	lost    int // by pass
}

// mostReports may wait.
const mostReports = 1024

func (o *worker) reports(ctx context.Context, l *queue.Lease, f *files, log *slog.Logger) *reports {
	r := &reports{queue: o.Queue, lease: l, files: f, timeout: o.Queue.Silence() / 3, log: log, in: make(chan child.Report, mostReports), over: make(chan struct{})}
	go r.pass(ctx)
	return r
}

// add takes a report, or loses it where too many wait.
func (r *reports) add(report child.Report) {
	select {
	case r.in <- report:
	default:
		if r.dropped++; event.Often(r.dropped) {
			r.log.Warn("an event is lost, as the queue is too slow for them", "kind", report.Kind, "times", r.dropped)
		}
	}
}

// end passes on what waits.
func (r *reports) end() {
	close(r.in)
	<-r.over
}

func (r *reports) pass(ctx context.Context) {
	defer close(r.over)
	number := r.lease.Checkpoint
	for report := range r.in {
		storing := ctx
		ctx, cancel := context.WithTimeout(ctx, r.timeout)
		emit := r.queue.Emit
		if report.Kind == child.Counts { // larger than others, and of no use once there are newer ones
			emit = r.queue.EmitLatest
		}
		err := emit(ctx, r.lease.ID, string(report.Kind), report.Data)
		if err != nil {
			if r.lost++; event.Often(r.lost) {
				r.log.Warn("an event is lost", "reason", err, "times", r.lost)
			}
		}
		var c child.CheckpointData
		if report.Kind == child.Checkpoint && json.Unmarshal(report.Data, &c) == nil && c.Error == "" && c.Passes > 0 {
			if r.files != nil {
				err = r.files.push(storing) // which takes its time
				cancel()
				ctx, cancel = context.WithTimeout(storing, r.timeout)
			}
			if err == nil {
				err = r.lease.Checkpointed(ctx, number+1) // of those that come further
			}
			if err != nil {
				r.log.Warn("a checkpoint is not on record", "reason", err)
			} else {
				number++
			}
		}
		cancel()
		if queue.Away(err) { // those that wait would take as long
			r.lost += r.drop()
		}
	}
}

// drop loses the reports that wait, and returns how many.
func (r *reports) drop() (n int) {
	for {
		select {
		case _, ok := <-r.in:
			if !ok {
				return n
			}
			n++
		default:
			return n
		}
	}
}
