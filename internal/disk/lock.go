package disk

import (
	"context"
	"errors"
	"time"

	"github.com/gofrs/flock"
)

// TryLock locks a file for this process, or returns nil if another process still has it after two seconds: one that
// was killed leaves its lock for a moment to a process that it had just started.
func TryLock(path string) (*flock.Flock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	lock := flock.New(path)
	_, err := lock.TryLockContext(ctx, 20*time.Millisecond)
	if err == nil {
		return lock, nil
	}
	closing := lock.Close()
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return nil, errors.Join(err, closing)
}
