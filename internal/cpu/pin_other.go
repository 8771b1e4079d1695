//go:build !linux

package cpu

import (
	"errors"
	"time"
)

// Cores lists the cores that this process may use, by number; nil where that is not known.
func Cores() []int { return nil }

// Pin ties the calling goroutine, and every process that it starts, to a core. This system has no
// such thing.
func Pin(int) (release func(), err error) {
	return nil, errors.New("tie a thread to a core: not supported on this system")
}

// ThreadTime is the processor time of this process, as that of its threads is not known.
func ThreadTime() time.Duration { return Time() }
