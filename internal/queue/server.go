package queue

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"neuralwl/internal/disk"
)

// startTime bounds the start of the embedded server, which reads what the folder holds.
const startTime = 30 * time.Second

// ErrDamaged is the error of a folder that can be written, but of which no server can be made.
var ErrDamaged = errors.New("the folder of the queue is damaged")

// Names within the folder.
const (
	lockFile     = ".lock"
	identityFile = "identity"
)

// embedded is a NATS server within this process that keeps its state in a folder. After a
// failed write, NATS writes no more, whatever happens: it is restarted once there is room.
type embedded struct {
	folder string
	listen *listening // nil if it listens nowhere
	log    *slog.Logger
	lock   *flock.Flock
	done   chan struct{} // closed by close
	end    sync.Once
	mended sync.WaitGroup

	mutex  sync.Mutex
	server *server.Server
	why    string // that it cannot write, empty if it can
}

// lockFolder keeps other servers out of a folder.
func lockFolder(folder string) (*flock.Flock, error) {
	lock, err := disk.TryLock(filepath.Join(folder, lockFile))
	if err != nil {
		return nil, fmt.Errorf("queue: lock %s: %w", folder, err)
	}
	if lock == nil {
		return nil, fmt.Errorf("queue: another process uses %s; stop it, or choose another folder", folder)
	}
	return lock, nil
}

// startEmbedded starts a server. Clients connect within the process, and if it is to listen also
// from elsewhere. A folder serves one server at a time. The identity of the folder is another one
// after it was lost or set aside.
func startEmbedded(folder string, listen *Listen, log *slog.Logger) (_ *embedded, identity string, err error) {
	lock, err := lockFolder(folder)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	if identity, err = identify(folder); err != nil {
		return nil, "", fmt.Errorf("queue: %w; make room, or choose another folder", err)
	}
	e := &embedded{folder: folder, log: log, lock: lock, done: make(chan struct{})}
	if listen != nil {
		if e.listen, err = listen.prepare(); err != nil {
			return nil, "", err
		}
	}
	if e.server, err = e.launch(); err != nil {
		return nil, "", err
	}
	if e.listen != nil {
		e.listen.port = e.server.Addr().(*net.TCPAddr).Port // also after a restart
		if err := e.listen.announce(e.server.Addr()); err != nil {
			e.server.Shutdown()
			return nil, "", err
		}
		e.mended.Go(e.follow)
	}
	return e, identity, nil
}

// options are those of the server.
func (e *embedded) options() *server.Options {
	o := &server.Options{
		ServerName: "nwl", DontListen: true, JetStream: true, StoreDir: e.folder, NoSigs: true,
		// By default what was acknowledged may still be lost for two minutes.
		SyncAlways: true,
		// By default three quarters of what is free at the start, and a stream that may grow beyond that
		// is refused: a daemon must start on a disk that is low.
		JetStreamMaxStore: 1 << 50,
	}
	if e.listen != nil {
		e.listen.configure(o)
	}
	return o
}

// launch starts a server.
func (e *embedded) launch() (*server.Server, error) {
	if e.listen != nil { // NATS would end only the server's log by an address that is taken
		probe, err := net.Listen("tcp", net.JoinHostPort(e.listen.host, strconv.Itoa(max(0, e.listen.port))))
		if err != nil {
			return nil, fmt.Errorf("queue.listen: %w; choose a free address", err)
		}
		probe.Close()
	}
	s, err := server.NewServer(e.options())
	if err != nil {
		return nil, fmt.Errorf("queue: %w", err)
	}
	l := &logger{log: e.log, failed: e.failed}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	for deadline := time.Now().Add(startTime); !s.ReadyForConnections(100 * time.Millisecond); {
		if why := l.fatal(); why != "" {
			s.Shutdown()
			return nil, fmt.Errorf("queue: %w: %s", ErrDamaged, why)
		}
		if time.Now().After(deadline) {
			s.Shutdown()
			return nil, fmt.Errorf("queue: the server did not start within %v, reading %s", startTime, e.folder)
		}
	}
	return s, nil
}

// failed notes that the server could not write, and sees to it that it can again.
func (e *embedded) failed(why string) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.why != "" {
		return
	}
	e.why = why
	e.mended.Go(e.mend)
}

// trouble is an error if the server cannot write.
func (e *embedded) trouble() error {
	if e == nil {
		return nil
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.why == "" {
		return nil
	}
	return fmt.Errorf("the queue cannot write until there is room on the disk of %s: %s", e.folder, e.why)
}

// room is what must be free for the server to be started again, in bytes.
const room = 1 << 20

// mend restarts the server as soon as there is room.
func (e *embedded) mend() {
	probe := filepath.Join(e.folder, ".probe")
	for {
		select {
		case <-e.done:
			return
		case <-time.After(time.Second):
		}
		err := errors.Join(disk.WriteFile(disk.OS, probe, make([]byte, room)), os.Remove(probe))
		if err != nil {
			continue
		}
		e.server.Shutdown()
		e.server.WaitForShutdown()
		s, err := e.launch()
		if err != nil {
			e.log.Error("the queue could not be restarted and will be again", "reason", err)
			continue
		}
		if err := e.replace(s); err != nil {
			s.Shutdown()
			e.log.Error("the queue could not be restarted and will be again", "reason", err)
			continue
		}
		e.log.Warn("the queue can write again")
		return
	}
}

// replace puts a server in the place of the one before. Workers may have been invited or revoked since it was
// launched, of which only the old one has heard.
func (e *embedded) replace(s *server.Server) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.listen != nil {
		if err := s.ReloadOptions(e.options()); err != nil {
			return err
		}
	}
	e.server, e.why = s, ""
	return nil
}

// InProcessConn connects to the present server.
func (e *embedded) InProcessConn() (net.Conn, error) {
	e.mutex.Lock()
	s := e.server
	e.mutex.Unlock()
	return s.InProcessConn()
}

// identify returns the identity of a folder, and makes one if there is none. The folder turns
// out to be writable, or not.
func identify(folder string) (string, error) {
	path := filepath.Join(folder, identityFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	identity := strings.TrimSpace(string(text))
	if identity == "" {
		identity = rand.Text()
	}
	return identity, disk.WriteFile(disk.OS, path, []byte(identity+"\n"))
}

// SetAside renames the folder of a queue that has no server, and returns its new name.
func SetAside(folder string) (string, error) {
	lock, err := lockFolder(folder)
	if err != nil {
		return "", err
	}
	aside := folder + ".damaged-" + time.Now().UTC().Format("20060102T150405.000")
	return aside, errors.Join(os.Rename(folder, aside), lock.Close())
}

// connect returns how to connect within the process.
func (e *embedded) connect() ([]nats.Option, error) {
	inside := []nats.Option{nats.InProcessServer(e)}
	if e.listen == nil {
		return inside, nil
	}
	sign, err := signing(e.listen.seed)
	return append(inside, sign), err
}

func (e *embedded) close() error {
	if e == nil {
		return nil
	}
	e.end.Do(func() { close(e.done) })
	e.mended.Wait()
	e.server.Shutdown()
	e.server.WaitForShutdown()
	return e.lock.Close()
}

// logger passes on what the server says of faults; all else is for debugging.
type logger struct {
	log    *slog.Logger
	failed func(why string)

	mutex sync.Mutex
	last  string // fatal fault
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug("queue: " + fmt.Sprintf(format, v...)) }
func (l *logger) Warnf(format string, v ...any)   { l.log.Warn("queue: " + fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  {}
func (l *logger) Tracef(format string, v ...any)  {}

// Errorf also notices that NATS stops writing, which it tells nobody else.
func (l *logger) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	l.log.Error("queue: " + text)
	if strings.Contains(strings.ToLower(text), "write error") || strings.Contains(text, "DISABLED") {
		l.failed(text)
	}
}

func (l *logger) Fatalf(format string, v ...any) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.last = fmt.Sprintf(format, v...)
	l.log.Error("queue: " + l.last)
}

func (l *logger) fatal() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.last
}
