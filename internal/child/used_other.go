//go:build !linux

package child

import (
	"os"
	"time"
)

// used is the most memory that a process had, which this system does not say in bytes, and its
// processor time.
func used(s *os.ProcessState) (memory int64, cpu time.Duration) {
	return 0, s.UserTime() + s.SystemTime()
}
