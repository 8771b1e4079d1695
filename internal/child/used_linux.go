package child

import (
	"os"
	"syscall"
	"time"
)

// used is the most memory that a process had, in bytes, and its processor time.
func used(s *os.ProcessState) (memory int64, cpu time.Duration) {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		memory = int64(u.Maxrss) << 10 // kilobytes on Linux alone
	}
	return memory, s.UserTime() + s.SystemTime()
}
