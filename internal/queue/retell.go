package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Retell emits the events of jobs that ended and of which the events do not tell, as the process
// died between the record and the event. Ends before the oldest event that is kept are left
// alone. It returns how many.
func (q *Queue) Retell(ctx context.Context) (n int, err error) {
	records, err := q.List(ctx)
	if err != nil {
		return 0, err
	}
	stream, err := q.js.Stream(ctx, eventsStream)
	if err != nil {
		return 0, fmt.Errorf("events: %w", err)
	}
	oldest := stream.CachedInfo().State.FirstTime
	for _, r := range records {
		if !r.State.Final() || r.Ended.Before(oldest) {
			continue
		}
		m, err := stream.GetLastMsgForSubject(ctx, eventSubject+token(r.ID)+"."+StateEvent)
		if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			return n, fmt.Errorf("events: %w", err)
		}
		var told StateData
		if err == nil && json.Unmarshal(m.Data, &told) == nil && told.State == r.State && told.Submission == r.Submission {
			continue
		}
		q.tell(ctx, r)
		n++
	}
	return n, nil
}
