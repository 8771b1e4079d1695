package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// startTime bounds the start of the embedded server, which reads what the folder holds.
const startTime = 30 * time.Second

// embedded is a NATS server within this process that keeps its state in a folder.
type embedded struct {
	server *server.Server
	lock   *flock.Flock
}

// startEmbedded starts a server that listens nowhere: clients connect within the process. A
// folder serves one server at a time.
func startEmbedded(folder string, log *slog.Logger) (_ *embedded, err error) {
	lock := flock.New(filepath.Join(folder, ".lock"))
	free, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("queue: lock %s: %w", folder, err)
	}
	if !free {
		return nil, fmt.Errorf("queue: another process uses %s; stop it, or choose another folder", folder)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	s, err := server.NewServer(&server.Options{
		ServerName: "nwl", DontListen: true, JetStream: true, StoreDir: folder, NoSigs: true,
		// By default what was acknowledged may still be lost for two minutes.
		SyncAlways: true,
	})
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	s.SetLoggerV2(logger{log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(startTime) {
		s.Shutdown()
		return nil, fmt.Errorf("queue: the server did not start within %v; is %s damaged?", startTime, folder)
	}
	return &embedded{s, lock}, nil
}

func (e *embedded) connect() (nats.Option, string) { return nats.InProcessServer(e.server), "" }

func (e *embedded) close() error {
	if e == nil {
		return nil
	}
	e.server.Shutdown()
	e.server.WaitForShutdown()
	return e.lock.Close()
}

// logger passes on what the server says of faults; all else is for debugging.
type logger struct{ log *slog.Logger }

func (l logger) Noticef(format string, v ...any) { l.log.Debug("queue: " + fmt.Sprintf(format, v...)) }
func (l logger) Warnf(format string, v ...any)   { l.log.Warn("queue: " + fmt.Sprintf(format, v...)) }
func (l logger) Fatalf(format string, v ...any)  { l.log.Error("queue: " + fmt.Sprintf(format, v...)) }
func (l logger) Errorf(format string, v ...any)  { l.log.Error("queue: " + fmt.Sprintf(format, v...)) }
func (l logger) Debugf(format string, v ...any)  {}
func (l logger) Tracef(format string, v ...any)  {}
