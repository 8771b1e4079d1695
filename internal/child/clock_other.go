//go:build !linux

package child

import "time"

// clock is the time that all processes of the machine see; if somebody sets it back while a process
// is stopped, its lease lasts longer than it should.
func clock() time.Duration { return time.Duration(time.Now().UnixNano()) }
