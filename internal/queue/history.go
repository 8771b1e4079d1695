package queue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// History returns up to so many of the events that are kept of a run, of all runs if that is
// empty, with sequence numbers above after, and whether there are more of them.
func (q *Queue) History(ctx context.Context, run string, after uint64, most int) (events []Event, more bool, err error) {
	consumer, err := q.js.CreateConsumer(ctx, eventsStream, jetstream.ConsumerConfig{
		FilterSubject: eventsOf(run), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: time.Minute, Replicas: 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("events: %w", err)
	}
	about := consumer.CachedInfo()
	// One that cannot be deleted is forgotten after a minute.
	defer q.js.DeleteConsumer(context.WithoutCancel(ctx), eventsStream, about.Name)
	for left := about.NumPending; left > 0 && len(events) < most; {
		batch, err := consumer.FetchNoWait(most - len(events))
		if err != nil {
			return nil, false, fmt.Errorf("events: %w", err)
		}
		before := len(events)
		for m := range batch.Messages() {
			e, pending, err := read(m)
			if err != nil {
				return nil, false, err
			}
			events, left = append(events, e), pending
		}
		if err := batch.Error(); err != nil {
			return nil, false, fmt.Errorf("events: %w", err)
		}
		if len(events) == before {
			return events, false, ctx.Err() // what was pending is no longer kept
		}
		more = left > 0
	}
	return events, more, nil
}

// LastEvent is the sequence number of the newest event.
func (q *Queue) LastEvent(ctx context.Context) (uint64, error) {
	s, err := q.js.Stream(ctx, eventsStream)
	if err != nil {
		return 0, fmt.Errorf("events: %w", err)
	}
	return s.CachedInfo().State.LastSeq, nil
}

// eventsOf is the subject of the events of a run, of all runs if that is empty.
func eventsOf(run string) string {
	if run == "" {
		return eventSubject + ">"
	}
	return eventSubject + token(run) + ".>"
}

// read returns the event of a message, and how many follow it for its consumer.
func read(m jetstream.Msg) (e Event, pending uint64, err error) {
	about, err := m.Metadata()
	if err != nil {
		return e, 0, fmt.Errorf("events: %w", err)
	}
	id, kind, _ := strings.Cut(strings.TrimPrefix(m.Subject(), eventSubject), ".")
	return Event{about.Sequence.Stream, about.Timestamp, untoken(id), kind, m.Data()}, about.NumPending, nil
}
