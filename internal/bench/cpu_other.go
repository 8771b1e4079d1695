//go:build !unix

package bench

import "time"

// cpuTime is the time that this process has taken.
func cpuTime() time.Duration { return time.Since(start) }

var start = time.Now()
