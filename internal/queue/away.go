package queue

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// away are the errors of a server that does not answer, for now.
var away = []error{
	nats.ErrReconnectBufExceeded, nats.ErrTimeout, nats.ErrNoResponders, nats.ErrNoServers, nats.ErrDisconnected,
	nats.ErrConnectionClosed, nats.ErrConnectionReconnecting, nats.ErrStaleConnection, jetstream.ErrNoStreamResponse, context.DeadlineExceeded,
}

// Away reports whether an error says that the queue's server does not answer.
func Away(err error) bool {
	return slices.ContainsFunc(away, func(e error) bool { return errors.Is(err, e) })
}
