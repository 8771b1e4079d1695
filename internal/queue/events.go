package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Event is something that happened to a run.
type Event struct {
	Sequence uint64 // rises over all runs
	Time     time.Time
	Run      string
	Kind     string
	Data     json.RawMessage
}

// Emit adds an event. Kind is a word.
func (q *Queue) Emit(ctx context.Context, run, kind string, data any) error {
	return q.emit(ctx, run, kind, data, nil)
}

// EmitLatest adds an event that takes the place of those of its kind of the run.
func (q *Queue) EmitLatest(ctx context.Context, run, kind string, data any) error {
	return q.emit(ctx, run, kind, data, nats.Header{jetstream.MsgRollup: {jetstream.MsgRollupSubject}})
}

func (q *Queue) emit(ctx context.Context, run, kind string, data any, header nats.Header) error {
	text, err := json.Marshal(data)
	if err == nil {
		err = q.server.trouble()
	}
	if err == nil {
		_, err = q.js.PublishMsg(ctx, &nats.Msg{Subject: eventSubject + token(run) + "." + kind, Data: text, Header: header})
	}
	if err != nil {
		return fmt.Errorf("event %s of %s: %w", kind, run, err)
	}
	return nil
}

// token makes one part of a subject of an identity, which may have dots; untoken is its inverse.
func token(id string) string   { return strings.ReplaceAll(id, ".", "%") }
func untoken(id string) string { return strings.ReplaceAll(id, "%", ".") }

// Events hands over the events of a run, of all runs if that is empty, with sequence numbers
// above after, as they come, until ctx ends or f returns an error.
func (q *Queue) Events(ctx context.Context, run string, after uint64, f func(Event) error) error {
	return q.events(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{eventsOf(run)}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	}, f)
}

// EventsOf hands over the events of a kind of all runs in the same way.
func (q *Queue) EventsOf(ctx context.Context, kind string, after uint64, f func(Event) error) error {
	return q.events(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{eventSubject + "*." + kind}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
	}, f)
}

// Latest hands over the latest event of every kind of every run, and then all events as they
// come, until ctx ends or f returns an error.
func (q *Queue) Latest(ctx context.Context, f func(Event) error) error {
	return q.events(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{eventsOf("")}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}, f)
}

func (q *Queue) events(ctx context.Context, of jetstream.OrderedConsumerConfig, f func(Event) error) error {
	consumer, err := q.js.OrderedConsumer(ctx, eventsStream, of)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	defer messages.Stop()
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	for {
		m, err := messages.Next()
		if errors.Is(err, jetstream.ErrMsgIteratorClosed) {
			return context.Cause(ctx)
		}
		if err != nil {
			return fmt.Errorf("events: %w", err)
		}
		e, _, err := read(m)
		if err != nil {
			return err
		}
		if err := f(e); err != nil {
			return err
		}
	}
}
