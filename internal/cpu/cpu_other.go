//go:build !unix

package cpu

import "time"

// Time is the time since this process began.
func Time() time.Duration { return time.Since(start) }

var start = time.Now()
