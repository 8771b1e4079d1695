package child

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock is the time since the machine was started, with the times in which it was asleep. All of
// its processes see the same, and nobody sets it.
func clock() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Duration(time.Now().UnixNano())
	}
	return time.Duration(t.Nano())
}
