package run

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Claim is who wants to work in a run directory.
type Claim struct {
	// Epoch of the lease by which a queue has given the run to this process, 0 for none.
	Epoch int
	// Wait is how long another process may take to leave. With an Epoch it must be at least as long
	// as a lease lasts.
	Wait time.Duration
	Log  *slog.Logger
}

// Lock locks a run directory for this process until unlock is called.
//
// One process works in a run directory at a time. The lock of the file says which, on one machine
// and on file systems that share locks; the lock of a process that dies is gone. A process that is
// stopped (SIGSTOP, a frozen virtual machine) keeps its lock though its run is given to another.
// Hence the rule: a process that has the run by a lease writes its epoch into the file, and writes
// nothing to the directory once its lease is over, which it looks up before every file that it
// makes or replaces (package child). Whoever takes the run over later waits until any lease that
// was held when it took the run is over; if the directory is locked then by a process of an
// earlier epoch, that one is stopped and will not write when it wakes: the lock file is replaced.
// A process without a lease, as nwl run --resume, is never robbed of its lock.
//
// What remains is a process that is stopped between looking its lease up and renaming a file, or whose disk takes so long.
// All files are whole, as each epoch has names of its own for incomplete ones (disk.Signed), and a run's checkpoints and
// results are the same whoever writes them: that could cost the passes since an earlier checkpoint, not the result.
func (c Claim) Lock(folder string) (unlock func() error, err error) {
	path := filepath.Join(folder, LockFile)
	for until := time.Now().Add(c.Wait); ; {
		lock := flock.New(path)
		free, err := lock.TryLock()
		if err != nil {
			// Some network file systems have no locks.
			c.Log.Warn("the run directory cannot be locked: make sure that no other process uses it", "folder", folder, "reason", err)
			return lock.Close, nil
		}
		if free && current(lock, path) {
			// Who cannot sign cannot write either, and learns it in a moment.
			if err := os.WriteFile(path, c.sign(), 0o666); err != nil {
				c.Log.Warn("the run directory is locked without a name", "folder", folder, "reason", err)
			}
			return lock.Close, nil
		}
		if err := lock.Close(); err != nil {
			return nil, err
		}
		switch {
		case free: // the file was replaced in between
		case time.Now().Before(until):
			time.Sleep(50 * time.Millisecond)
		case c.outlives(path):
			c.Log.Warn("the run directory is locked by a process whose lease is over; it is stopped, and its lock is set aside", "folder", folder, "epoch", c.Epoch)
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("run directory %s: the lock of a stopped process: %w", folder, err)
			}
			until = time.Now().Add(c.Wait)
		default:
			return nil, fmt.Errorf("another process is running in the run directory %s; wait for it, or choose another with --out", folder)
		}
	}
}

// current reports whether a lock is that of the file that others will lock.
func current(lock *flock.Flock, path string) bool {
	mine, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}

// epochPrefix begins the signature of a process that has a lease.
const epochPrefix = "epoch "

// sign is what this process writes into the lock file.
func (c Claim) sign() []byte {
	if c.Epoch == 0 {
		return nil
	}
	return fmt.Appendf(nil, "%s%d\n", epochPrefix, c.Epoch)
}

// outlives reports whether the lease of whoever signed the lock file ended before this one's began.
func (c Claim) outlives(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil || c.Epoch == 0 {
		return false
	}
	digits, leased := strings.CutPrefix(strings.TrimSpace(string(text)), epochPrefix)
	epoch, err := strconv.Atoi(digits)
	return leased && err == nil && epoch < c.Epoch
}
